//! What operators do to a node's groups. Everything may be asked again.

use super::Inner;
use crate::limits::FORMER_SELF_SILENCE;
use crate::wire::proto::{
    AddMemberRequest, CreateGroupRequest, Member as ProtoMember, RemoveMemberRequest,
    TransferLeaderRequest,
};
use florin_failpoints::failpoint;
use florin_ledger::id::{GroupId, NodeId};
use florin_raft::{ChangeMembersError, CreateGroupError, Group, Member};
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

/// A member that the leader heard of just now, or that it had no time yet to hear of, is not taken
/// out, whoever asks: it is not lost, but out of the asker's sight; or two machines were given one
/// number. Says by which other incarnation the node is a member, if it is.
pub(super) async fn remove_member(
    inner: &Inner,
    request: RemoveMemberRequest,
) -> Result<Option<u64>, Status> {
    let group = group(inner, request.group)?;
    let removed = group.remove(
        NodeId(request.node),
        request.incarnation,
        FORMER_SELF_SILENCE,
    );
    removed.await.map_err(not_changed)
}

/// The member may have its vote already: that is said only by a leader, and once a quorum holds it.
pub(super) async fn add_member(inner: &Inner, request: AddMemberRequest) -> Result<(), Status> {
    let group = group(inner, request.group)?;
    let member = request
        .member
        .map(member)
        .ok_or_else(|| Status::invalid_argument("no member is named"))?;
    let added = group.add_learner(member.clone()).await;
    added.map_err(not_changed)?;
    failpoint!(async "shards.operate.promote");
    group.promote(&member).await.map_err(not_changed)
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
        | ChangeMembersError::Heard(_)
        | ChangeMembersError::Stopped => Status::unavailable(error.to_string()),
        ChangeMembersError::Refused(_) => Status::failed_precondition(error.to_string()),
    }
}
