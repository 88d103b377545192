//! How the node and its replicas are.

use super::Inner;
use crate::status::{GroupStatus, NodeStatus, Role};
use crate::wire::encode;
use crate::wire::proto::StatusReply;
use florin_ledger::id::{GroupId, Timestamp};
use florin_raft::{Group, Role as RaftRole};
use tonic::Status;

pub(super) async fn status(inner: &Inner, hashes: bool) -> Result<StatusReply, Status> {
    let mut groups = Vec::new();
    for id in inner.host.groups() {
        if let Some(group) = inner.host.group(id) {
            groups.push(group_status(&group, hashes).await?);
        }
    }
    let apart = inner.host.faulty().into_iter();
    groups.extend(apart.chain(inner.host.ailing().into_keys()).map(no_part));
    groups.sort_by_key(|group| group.group);
    let options = &inner.options;
    let status = NodeStatus {
        node: Some(options.member.node),
        name: options.name.clone(),
        region: options.member.region.clone(),
        address: options.member.address.clone(),
        incarnation: options.member.incarnation,
        error: None,
        version: options.version.clone(),
        groups,
    };
    Ok(StatusReply {
        status: encode(&status),
    })
}

/// A group that is damaged here: nothing else is known of it.
fn no_part(group: GroupId) -> GroupStatus {
    GroupStatus {
        group,
        role: Role::Stopped,
        term: 0,
        leader: None,
        last_log: None,
        committed: None,
        applied: None,
        persisted: None,
        members: Vec::new(),
        lag: Vec::new(),
        time: Timestamp::default(),
        state_hash: None,
        chain_hash: None,
    }
}

async fn group_status(group: &Group, hashes: bool) -> Result<GroupStatus, Status> {
    let status = group.status();
    let replica = group.replica();
    let time = replica.time();
    let mut applied = status.applied.map(|at| at.index);
    let (mut state_hash, mut chain_hash) = (None, None);
    if hashes {
        let hash = group.state_hash().await;
        let hash = hash.map_err(|error| Status::internal(error.to_string()))?;
        applied = hash.applied.map(|at| at.index);
        state_hash = Some(hash.hash);
        chain_hash = Some(hash.chain);
    }
    Ok(GroupStatus {
        group: status.group,
        role: match status.role {
            RaftRole::Leader => Role::Leader,
            RaftRole::Follower => Role::Follower,
            RaftRole::Candidate => Role::Candidate,
            RaftRole::Learner => Role::Learner,
            RaftRole::Stopped => Role::Stopped,
        },
        term: status.term,
        leader: status.leader,
        last_log: status.last_log,
        committed: status.committed.map(|at| at.index),
        applied,
        persisted: status.persisted.map(|at| at.index),
        members: status.members.iter().map(|member| member.node).collect(),
        lag: status
            .peers
            .iter()
            .map(|peer| (peer.node, peer.lag))
            .collect(),
        time,
        state_hash,
        chain_hash,
    })
}
