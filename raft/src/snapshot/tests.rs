//! What is sent at which rate, and what is refused.

use super::*;

#[test]
fn a_rate_is_shared() {
    let rate = Rate::new(1_000);
    let now = Instant::now() + Duration::from_secs(1);
    assert_eq!(rate.take(500, now), Duration::ZERO);
    assert_eq!(rate.take(500, now), Duration::from_millis(500));
    assert_eq!(rate.take(1, now), Duration::from_secs(1));
    assert_eq!(rate.take(1, now + Duration::from_secs(5)), Duration::ZERO);
}

/// A snapshot of one membership, received whole but for what `chunks` leaves out.
fn received(
    chunks: impl Fn(Vec<Bytes>) -> Vec<Bytes>,
) -> (
    Replica,
    SnapshotWriter,
    openraft::alias::SnapshotMetaOf<types::Types>,
) {
    use florin_ledger::id::GroupId;
    use florin_storage::replica::Store;
    let at = LogPosition { term: 1, index: 5 };
    let source = Replica::open(&Store::in_memory(), GroupId(1)).unwrap();
    source.apply_blank(at);
    source.persist(u64::MAX).unwrap();
    let sent = source.snapshot().unwrap().map(Result::unwrap).collect();
    let target = Replica::open(&Store::in_memory(), GroupId(1)).unwrap();
    let mut writer = target.install().unwrap();
    for chunk in chunks(sent) {
        writer.chunk(chunk).unwrap();
    }
    let meta = SnapshotMeta {
        last_log_id: Some(types::to_log_id(at)),
        last_membership: types::stored_membership(None).unwrap(),
    };
    (target, writer, meta)
}

#[tokio::test]
async fn consensus_hears_of_whole_snapshots_alone() {
    let blocking = Blocking::threads();
    let (target, whole, meta) = received(|sent| sent);
    assert!(check(&blocking, whole, &meta).await.is_ok());
    assert!(target.is_empty());

    let short = |mut sent: Vec<Bytes>| {
        sent.pop();
        sent
    };
    let (target, short, meta) = received(short);
    assert!(check(&blocking, short, &meta).await.is_err());
    assert!(target.is_empty());

    let (target, other, mut meta) = received(|sent| sent);
    meta.last_log_id = Some(types::to_log_id(LogPosition { term: 1, index: 6 }));
    assert!(check(&blocking, other, &meta).await.is_err());
    assert!(target.is_empty());
    assert!(
        target.install().is_ok(),
        "what was refused is out of the way"
    );
}
