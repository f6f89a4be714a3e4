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
