//! The router against real groups: killed leaders, lost quorums, forming.

use super::fake::soon;
use super::real::{Cluster, connect, create_partner};
use crate::connector::Connector;
use crate::error::{ReadError, SubmitError};
use crate::link;
use crate::router::{Consistency, Submitted};
use crate::status::Role;
use crate::wire::proto::reply::Outcome;
use crate::wire::proto::request::What;
use crate::wire::proto::{Failure, Replies, Reply, Request, Requests};
use bytes::Bytes;
use florin_ledger::amount::{Amount, Currency};
use florin_ledger::command::{
    AccountKind, Command, Constraint, Envelope, NewAccount, NewTransfer, Once,
};
use florin_ledger::effect::{Decision, Effect};
use florin_ledger::id::{DIRECTORY, Id};
use florin_ledger::query::{Answer, Query};
use futures_util::stream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tonic::Streaming;

impl Cluster {
    fn envelope(&self, key: u64, command: Command) -> Envelope {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&key.to_le_bytes());
        Envelope {
            ledger: self.ledger,
            once: Some(Once {
                key: bytes,
                fingerprint: bytes,
            }),
            command,
        }
    }

    fn account(&self, key: u64) -> Envelope {
        self.envelope(
            key,
            Command::CreateAccount(NewAccount {
                currency: Currency::parse("EUR").unwrap(),
                kind: AccountKind::Liability,
                constraint: Constraint::None,
                overdraft_limit: 0,
                reference: None,
                metadata: Vec::new(),
            }),
        )
    }

    fn transfer(&self, key: u64, debit: Id, credit: Id) -> Envelope {
        self.envelope(
            key,
            Command::CreateTransfer(NewTransfer {
                debit_account: debit,
                credit_account: credit,
                amount: Amount::from_minor(1).unwrap(),
                currency: Currency::parse("EUR").unwrap(),
                pending: false,
                expires_in: None,
                reference: None,
                metadata: Vec::new(),
            }),
        )
    }

    pub(super) async fn open_account(&self, key: u64) -> (Id, Submitted) {
        let submitted = self
            .router
            .submit(&self.account(key), soon())
            .await
            .unwrap();
        assert_eq!(submitted.decision.effect, Effect::AccountCreated);
        (submitted.decision.position.id(self.ledger), submitted)
    }

    pub(super) async fn credits(
        &self,
        account: Id,
        consistency: Consistency,
    ) -> Result<i128, ReadError> {
        let read = self
            .router
            .read(self.ledger, Query::Account(account), consistency, soon())
            .await?;
        match read.answer {
            Answer::Account(account) => Ok(account.totals.credits_posted),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn submit_and_read() {
    let cluster = Cluster::start(3).await;
    let (a, _) = cluster.open_account(1).await;
    let (b, _) = cluster.open_account(2).await;
    let envelope = cluster.transfer(3, a, b);
    let first = cluster.router.submit(&envelope, soon()).await.unwrap();
    assert_eq!(
        (first.decision.effect.clone(), first.decision.replayed),
        (Effect::TransferCreated, false)
    );
    let again = cluster.router.submit(&envelope, soon()).await.unwrap();
    assert_eq!(again.decision.position, first.decision.position);
    assert!(again.decision.replayed);

    let token = Consistency::AtLeast {
        group: first.group,
        index: first.index,
    };
    assert_eq!(cluster.credits(b, token).await, Ok(1));
    assert_eq!(cluster.credits(b, Consistency::Linearizable).await, Ok(1));
    let stale = cluster
        .router
        .read(
            cluster.ledger,
            Query::Account(b),
            Consistency::Stale,
            soon(),
        )
        .await;
    assert!(stale.is_ok());

    let statuses = cluster.router.status_with_hashes().await;
    assert_eq!(statuses.len(), 3);
    for status in &statuses {
        assert_eq!(status.error, None);
        assert_eq!(status.groups.len(), 3);
        assert!(status.groups.iter().all(|group| group.state_hash.is_some()));
    }
    for at in 0..3 {
        let leaders = statuses
            .iter()
            .filter(|status| status.groups[at].role == Role::Leader)
            .count();
        assert_eq!(leaders, 1, "group {at}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_leader_loses_and_doubles_nothing() {
    const TRANSFERS: u64 = 300;
    let mut cluster = Cluster::start(3).await;
    let (a, _) = cluster.open_account(1).await;
    let (b, opened) = cluster.open_account(2).await;
    let envelopes: Vec<Envelope> = (0..TRANSFERS)
        .map(|at| cluster.transfer(100 + at, a, b))
        .collect();
    let leader = cluster.router.leader(opened.group).unwrap();
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let (enough, reached) = tokio::sync::oneshot::channel();
    let burst = tokio::spawn(submit_all(
        cluster.router.clone(),
        envelopes.clone(),
        acknowledged,
        enough,
    ));
    reached.await.unwrap();
    cluster.node(leader).kill();
    let first: Vec<Submitted> = burst.await.unwrap();

    assert_ne!(cluster.router.leader(opened.group), Some(leader));
    for (envelope, first) in envelopes.iter().zip(&first) {
        let again = cluster.router.submit(envelope, soon()).await.unwrap();
        assert_eq!(again.decision.position, first.decision.position);
        assert_eq!(again.decision.effect, first.decision.effect);
        assert!(again.decision.replayed);
    }
    assert_eq!(
        cluster.credits(b, Consistency::Linearizable).await,
        Ok(i128::from(TRANSFERS))
    );

    cluster.node(leader).restart();
    let one_more = cluster
        .router
        .submit(&cluster.transfer(9_999, a, b), soon())
        .await
        .unwrap();
    assert!(cluster.router.wait_node(leader, soon()).await);
    let token = Consistency::AtLeast {
        group: one_more.group,
        index: one_more.index,
    };
    assert_eq!(
        cluster.credits(b, token).await,
        Ok(i128::from(TRANSFERS) + 1)
    );
}

/// Sixteen callers that submit one after the other, each until it has its answer.
async fn submit_all(
    router: crate::Router,
    envelopes: Vec<Envelope>,
    acknowledged: Arc<AtomicUsize>,
    enough: tokio::sync::oneshot::Sender<()>,
) -> Vec<Submitted> {
    use futures_util::StreamExt;
    let mut enough = Some(enough);
    let third = envelopes.len() / 3;
    let calls = stream::iter(envelopes).map(|envelope| {
        let router = router.clone();
        async move {
            router
                .submit(&envelope, Instant::now() + Duration::from_secs(20))
                .await
                .unwrap()
        }
    });
    let mut calls = calls.buffered(16);
    let mut submitted = Vec::new();
    while let Some(one) = calls.next().await {
        submitted.push(one);
        if acknowledged.fetch_add(1, Ordering::Relaxed) == third {
            enough.take().unwrap().send(()).unwrap();
        }
    }
    submitted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_quorum_the_answer_is_truthful() {
    let mut cluster = Cluster::start(3).await;
    let (a, opened) = cluster.open_account(1).await;
    let token = Consistency::AtLeast {
        group: opened.group,
        index: opened.index,
    };
    let shortly = || Instant::now() + Duration::from_secs(2);
    let leader = cluster.router.leader(opened.group).unwrap();
    let survivor = cluster
        .nodes
        .iter()
        .map(|node| node.id)
        .find(|id| *id != leader)
        .unwrap();
    // Wait until the survivor has the account, then leave it alone.
    let survivor_has_it = async {
        loop {
            let read = cluster
                .router
                .read(cluster.ledger, Query::Account(a), token, soon())
                .await
                .unwrap();
            let behind = cluster.router.status().await.into_iter().any(|status| {
                status
                    .groups
                    .iter()
                    .any(|group| group.group == opened.group && group.applied < Some(read.index))
            });
            if !behind {
                return;
            }
        }
    };
    survivor_has_it.await;
    for node in &mut cluster.nodes {
        if node.id != survivor {
            node.kill();
        }
    }
    let submitted = cluster.router.submit(&cluster.account(2), shortly()).await;
    assert!(
        matches!(
            submitted,
            Err(SubmitError::NoLeader | SubmitError::OutcomeUnknown)
        ),
        "{submitted:?}"
    );
    // Those that are gone are known to be gone by now, and the survivor does not lead.
    let submitted = cluster.router.submit(&cluster.account(3), shortly()).await;
    assert_eq!(submitted, Err(SubmitError::NoLeader));
    let read = cluster
        .router
        .read(
            cluster.ledger,
            Query::Account(a),
            Consistency::Linearizable,
            shortly(),
        )
        .await;
    assert_eq!(read, Err(ReadError::NoLeader));
    let read = cluster
        .router
        .read(
            cluster.ledger,
            Query::Account(a),
            Consistency::Stale,
            soon(),
        )
        .await
        .unwrap();
    assert!(matches!(read.answer, Answer::Account(_)));
    assert_eq!(read.node, survivor);

    cluster.node(leader).restart();
    let again = cluster
        .router
        .submit(&cluster.account(2), soon())
        .await
        .unwrap();
    assert_eq!(again.decision.effect, Effect::AccountCreated);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_directory_reaches_everyone() {
    let cluster = Cluster::start(1).await;
    let other = connect(&cluster.nodes).await;
    let partner = create_partner(&cluster.router, "Later").await;
    assert!(
        cluster.router.directory().partners.contains_key(&partner),
        "one's own change is seen at once"
    );
    assert!(
        other
            .wait_directory(soon(), |copy| copy.partners.contains_key(&partner))
            .await
    );
    let another = create_partner(&cluster.router, "Even later").await;
    let refreshed = other.refresh(soon()).await.unwrap();
    assert!(refreshed.partners.contains_key(&another));
}

/// One more connection of session 7: its requests, and their replies.
async fn connection(
    client: &mut link::Client,
) -> (tokio::sync::mpsc::Sender<Requests>, Streaming<Replies>) {
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    let receiver = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let mut call = tonic::Request::new(receiver);
    call.metadata_mut().insert(crate::wire::SESSION, 7.into());
    (sender, client.exchange(call).await.unwrap().into_inner())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_over_two_connections_is_done_once_and_answered_on_both() {
    let cluster = Cluster::start(1).await;
    cluster.open_account(1).await;
    let address = cluster.nodes[0].address.to_string();
    let mut client = link::client(&address, &Connector::plain()).await.unwrap();
    let mut ways = [connection(&mut client).await, connection(&mut client).await];
    for id in 2..20 {
        let envelope = florin_ledger::command::encode_envelope(&cluster.account(id));
        let frame = Requests {
            items: vec![Request {
                id,
                group: 1,
                patience_ms: 1_000,
                what: Some(What::Submit(Bytes::from(envelope))),
                twice: true,
            }],
        };
        ways.reverse();
        let [(sooner, on_sooner), (later, on_later)] = &mut ways;
        sooner.send(frame.clone()).await.unwrap();
        // The copy comes after the answer, or perhaps before it.
        let answered = match id % 3 {
            0 => Some(on_sooner.message().await.unwrap().unwrap()),
            _ => None,
        };
        later.send(frame).await.unwrap();
        let answered = match answered {
            Some(answered) => answered,
            None => on_sooner.message().await.unwrap().unwrap(),
        };
        assert_is_new(&answered, id);
        assert_eq!(on_later.message().await.unwrap().unwrap(), answered);
    }
}

/// An account was opened by it, for the first time.
fn assert_is_new(replies: &Replies, id: u64) {
    let [
        Reply {
            id: answered,
            outcome: Some(Outcome::Decided(decided)),
        },
    ] = &replies.items[..]
    else {
        panic!("{replies:?}");
    };
    let decision: Decision = crate::wire::decode(&decided.decision, "decision").unwrap();
    assert_eq!(*answered, id);
    assert_eq!(decision.effect, Effect::AccountCreated);
    assert!(!decision.replayed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_malformed_frame_closes_its_stream_alone() {
    let cluster = Cluster::start(1).await;
    let address = cluster.nodes[0].address.to_string();
    let mut client = link::client(&address, &Connector::plain()).await.unwrap();
    let request = |id, what| Request {
        id,
        group: 1,
        patience_ms: 1_000,
        what,
        twice: false,
    };
    let frame = |item| Requests { items: vec![item] };

    // Nonsense within a request is refused, and the stream goes on.
    let nonsense = frame(request(
        7,
        Some(What::Submit(Bytes::from_static(b"nonsense"))),
    ));
    let misplaced = florin_ledger::command::encode_envelope(&cluster.account(1));
    let mut misplaced = request(8, Some(What::Submit(Bytes::from(misplaced))));
    misplaced.group = DIRECTORY.0;
    let nothing = frame(request(9, None));
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    let mut replies = client
        .exchange(tokio_stream::wrappers::ReceiverStream::new(receiver))
        .await
        .unwrap()
        .into_inner();
    for (id, sent) in [(7, nonsense), (8, frame(misplaced))] {
        sender.send(sent).await.unwrap();
        let reply = replies.message().await.unwrap().unwrap().items.remove(0);
        assert_eq!(reply.id, id);
        assert!(
            matches!(reply.outcome, Some(Outcome::Failed(failed)) if failed.why() == Failure::Rejected)
        );
    }
    // A request that asks nothing is no request.
    sender.send(nothing).await.unwrap();
    let status = replies.message().await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);

    cluster.open_account(1).await;
    assert!(
        client
            .hello(crate::wire::proto::HelloRequest::default())
            .await
            .is_ok()
    );
}
