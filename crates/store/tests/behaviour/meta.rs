use crate::support::stores;
use countersign_store::StoreError;

#[tokio::test]
async fn a_shared_value_is_what_was_set_last() {
    for store in stores() {
        assert_eq!(store.meta("access_lifetime").await.unwrap(), None);
        store.set_meta("access_lifetime", "300".to_owned()).await.unwrap();
        store.set_meta("access_lifetime", "600".to_owned()).await.unwrap();
        assert_eq!(store.meta("access_lifetime").await.unwrap().as_deref(), Some("600"));
        assert_eq!(store.meta("something else").await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_those_who_raise_a_shared_number_at_once_the_highest_wins() {
    for store in stores() {
        for low in [9, 1] {
            assert_eq!(store.raise_meta("lifetime", low).await.unwrap(), 9);
        }
        let raises = (0..60).map(|n| {
            let store = store.handle();
            tokio::spawn(async move { store.raise_meta("lifetime", (n * 7) % 60 * 10).await.unwrap() })
        });
        let raises: Vec<_> = raises.collect();
        let mut highest = 0;
        for raise in raises {
            highest = highest.max(raise.await.unwrap());
        }
        assert_eq!(highest, 590);
        assert_eq!(store.meta("lifetime").await.unwrap().as_deref(), Some("590"));
    }
}

#[tokio::test]
async fn an_open_store_answers_and_a_closed_one_is_unavailable() {
    for store in stores() {
        store.ping().await.unwrap();
        store.close().await;
        assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
        assert!(matches!(store.meta("x").await, Err(StoreError::Unavailable(_))));
        let set = store.set_meta("x", String::new()).await;
        assert!(matches!(set, Err(StoreError::Unavailable(_))));
        store.close().await;
    }
}

#[tokio::test]
async fn closing_finishes_what_is_under_way() {
    for store in stores() {
        let writes = (0..100).map(|_| {
            let store = store.handle();
            tokio::spawn(async move { store.set_meta("x", "y".to_owned()).await })
        });
        let writes: Vec<_> = writes.collect();
        tokio::task::yield_now().await;
        store.close().await;
        for write in writes {
            let outcome = write.await.unwrap();
            assert!(matches!(outcome, Ok(()) | Err(StoreError::Unavailable(_))), "{outcome:?}");
        }
    }
}
