//! What operators do to a node's groups. Everything may be asked again.

use super::Inner;
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

pub(super) async fn remove_member(
    inner: &Inner,
    request: RemoveMemberRequest,
) -> Result<(), Status> {
    let group = group(inner, request.group)?;
    let node = NodeId(request.node);
    let known = group
        .status()
        .members
        .into_iter()
        .find(|member| member.node == node);
    if known.is_some_and(|member| member.incarnation == request.incarnation) {
        group.remove(node).await.map_err(not_changed)?;
    }
    Ok(())
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
        ChangeMembersError::NotLeader { .. } | ChangeMembersError::Stopped => {
            Status::unavailable(error.to_string())
        }
        ChangeMembersError::Refused(_) => Status::failed_precondition(error.to_string()),
    }
}
