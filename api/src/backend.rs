//! What the handlers stand on: the cluster, or in tests a ledger in the same process.

use florin_ledger::command::{Envelope, Once};
use florin_ledger::directory::{Directory, DirectoryCommand, Item};
use florin_ledger::id::LedgerId;
use florin_ledger::query::Query;
use florin_shards::{
    Consistency, DirectoryError, NodeStatus, Read, ReadError, Router, SubmitError, Submitted,
};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tokio::time::Instant;

/// An answer that is on its way.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The part of [`Router`] that this room uses; each function means what it means there.
pub trait Backend: Send + Sync + 'static {
    /// The newest copy of the directory.
    fn directory(&self) -> Arc<Directory>;
    /// Asks for what this copy does not have yet.
    fn refresh(&self, deadline: Instant) -> Pending<'_, Result<Arc<Directory>, ReadError>>;
    /// Submits a command to the leader of its partner's group.
    fn submit<'a>(
        &'a self,
        envelope: &'a Envelope,
        deadline: Instant,
    ) -> Pending<'a, Result<Submitted, SubmitError>>;
    /// Submits a change of the directory.
    fn submit_directory(
        &self,
        command: DirectoryCommand,
        once: Option<Once>,
        deadline: Instant,
    ) -> Pending<'_, Result<Item, DirectoryError>>;
    /// Asks the group that holds the ledger.
    fn read(
        &self,
        ledger: LedgerId,
        query: Query,
        consistency: Consistency,
        deadline: Instant,
    ) -> Pending<'_, Result<Read, ReadError>>;
    /// Asks all nodes how they are, with the hashes of their states if told so.
    fn status(&self, hashes: bool) -> Pending<'_, Vec<NodeStatus>>;
}

impl Backend for Router {
    fn directory(&self) -> Arc<Directory> {
        Router::directory(self)
    }

    fn refresh(&self, deadline: Instant) -> Pending<'_, Result<Arc<Directory>, ReadError>> {
        Box::pin(Router::refresh(self, deadline))
    }

    fn submit<'a>(
        &'a self,
        envelope: &'a Envelope,
        deadline: Instant,
    ) -> Pending<'a, Result<Submitted, SubmitError>> {
        Box::pin(Router::submit(self, envelope, deadline))
    }

    fn submit_directory(
        &self,
        command: DirectoryCommand,
        once: Option<Once>,
        deadline: Instant,
    ) -> Pending<'_, Result<Item, DirectoryError>> {
        Box::pin(Router::submit_directory(self, command, once, deadline))
    }

    fn read(
        &self,
        ledger: LedgerId,
        query: Query,
        consistency: Consistency,
        deadline: Instant,
    ) -> Pending<'_, Result<Read, ReadError>> {
        Box::pin(Router::read(self, ledger, query, consistency, deadline))
    }

    fn status(&self, hashes: bool) -> Pending<'_, Vec<NodeStatus>> {
        if hashes {
            Box::pin(Router::status_with_hashes(self))
        } else {
            Box::pin(Router::status(self))
        }
    }
}
