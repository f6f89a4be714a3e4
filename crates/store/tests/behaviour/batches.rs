use countersign_core::Timestamp;
use countersign_store::{Batch, BatchId, EventKind, Failures, UserSelector};

use crate::support::{START, at, batch, event, laptop, stores};

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_written_once_however_often_it_is_tried_and_by_whomever() {
    for store in stores() {
        let ana = store.make_user("ana").await;
        let failures = Failures { user: ana.id, count: 3, last_at: at(5), forget_before: START };
        let one = batch(vec![event(EventKind::LoginFailed, at(5))], vec![failures]);
        let tries = (0..8).map(|_| {
            let (store, one) = (store.handle(), one.clone());
            tokio::spawn(async move { store.write_batch(one).await })
        });
        let tries: Vec<_> = tries.collect();
        for tried in tries {
            tried.await.unwrap().unwrap();
        }
        let failed = async || {
            let found = store.user_for_login(UserSelector::Id(ana.id), false, laptop().network()).await;
            found.unwrap().unwrap().ceiling.failures
        };
        assert_eq!((failed().await, store.audited(EventKind::LoginFailed).await.len()), (3, 1));

        // The same under another name is another one.
        store.write_batch(Batch { id: BatchId([1; 16]), ..one.clone() }).await.unwrap();
        assert_eq!((failed().await, store.audited(EventKind::LoginFailed).await.len()), (6, 2));
    }
}

#[tokio::test]
async fn names_of_batches_go_when_they_are_old() {
    const NEVER: Timestamp = Timestamp::from_secs(0);
    for store in stores() {
        for _ in 0..3 {
            store.write_batch(batch(Vec::new(), Vec::new())).await.unwrap();
        }
        assert_eq!(store.clean_up(NEVER, START, NEVER).await.unwrap(), 0, "not yet");
        assert_eq!(store.clean_up(NEVER, at(1), NEVER).await.unwrap(), 3);
        assert_eq!(store.clean_up(NEVER, at(1), NEVER).await.unwrap(), 0);
    }
}
