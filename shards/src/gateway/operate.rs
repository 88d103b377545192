//! What operators do to a node's groups. Everything may be asked again.

use super::Inner;
use crate::limits::FORMER_SELF_SILENCE;
use crate::wire::proto::{
    AddMemberRequest, CreateGroupRequest, Member as ProtoMember, RemoveMemberRequest,
    TransferLeaderRequest,
};
use florin_failpoints::failpoint;
use florin_ledger::id::{GroupId, NodeId};
use florin_raft::{ChangeMembersError, CreateGroupError, Group, Member, Role};
use tonic::Status;

pub(super) async fn create_group(inner: &Inner, request: CreateGroupRequest) -> Result<(), Status> {
    let Inner { host, options, .. } = inner;
    if request.cluster != options.cluster {
        let why = format!("this node belongs to cluster `{}`", options.cluster);
        return Err(Status::failed_precondition(why));
    }
    let group = GroupId(request.group);
    let members: Vec<Member> = request.members.into_iter().map(member).collect();
    let preferred = members.iter().map(|member| member.node).collect();
    let created = host.create_group(group, members, request.initialize).await;
    created.map_err(not_created)?;
    host.set_preference(group, preferred);
    Ok(())
}

/// A node that asks `by_itself` for its former self to be taken out is believed only if nobody
/// hears of that one any more: two machines may have been given one number.
pub(super) async fn remove_member(
    inner: &Inner,
    request: RemoveMemberRequest,
    by_itself: bool,
) -> Result<(), Status> {
    let group = group(inner, request.group)?;
    let node = NodeId(request.node);
    let status = group.status();
    let known = status.members.iter().find(|member| member.node == node);
    if known.is_none_or(|member| member.incarnation != request.incarnation) {
        // Only the leader knows that for sure, and only once a quorum holds it.
        return if status.role != Role::Leader {
            Err(Status::unavailable("this node does not lead the group"))
        } else if !status.members_committed {
            Err(Status::unavailable("the members are being changed already"))
        } else {
            Ok(())
        };
    }
    let heard = status.peers.iter().find(|peer| peer.node == node);
    let heard = heard.and_then(|peer| peer.acknowledged);
    if by_itself && heard.is_some_and(|ago| ago < FORMER_SELF_SILENCE) {
        let why = format!("the former node {} was heard of just now", node.0);
        return Err(Status::unavailable(why));
    }
    group.remove(node).await.map_err(not_changed)
}

pub(super) async fn add_member(inner: &Inner, request: AddMemberRequest) -> Result<(), Status> {
    let group = group(inner, request.group)?;
    let member = request
        .member
        .map(member)
        .ok_or_else(|| Status::invalid_argument("no member is named"))?;
    let node = member.node;
    let status = group.status();
    if status.voters.contains(&node) && status.members.contains(&member) {
        return Ok(());
    }
    group.add_learner(member).await.map_err(not_changed)?;
    failpoint!(async "shards.operate.promote");
    group.promote(node).await.map_err(not_changed)
}

pub(super) async fn transfer_leader(
    inner: &Inner,
    request: TransferLeaderRequest,
) -> Result<(), Status> {
    let moved = group(inner, request.group)?
        .transfer_leader(NodeId(request.to))
        .await;
    moved.map_err(|error| Status::failed_precondition(error.to_string()))
}

fn group(inner: &Inner, group: u32) -> Result<Group, Status> {
    let group = inner.host.group(GroupId(group));
    group.ok_or_else(|| Status::not_found("no replica of that group here"))
}

fn member(member: ProtoMember) -> Member {
    Member {
        node: NodeId(member.node),
        address: member.address,
        region: member.region,
        incarnation: member.incarnation,
    }
}

fn not_created(error: CreateGroupError) -> Status {
    match error {
        CreateGroupError::Stopped => Status::unavailable(error.to_string()),
        CreateGroupError::Log(_) | CreateGroupError::Start(_) => {
            Status::internal(error.to_string())
        }
        _ => Status::failed_precondition(error.to_string()),
    }
}

fn not_changed(error: ChangeMembersError) -> Status {
    match error {
        // The caller asks whoever leads now.
        ChangeMembersError::NotLeader { .. }
        | ChangeMembersError::InProgress
        | ChangeMembersError::Stopped => Status::unavailable(error.to_string()),
        ChangeMembersError::Refused(_) => Status::failed_precondition(error.to_string()),
    }
}
