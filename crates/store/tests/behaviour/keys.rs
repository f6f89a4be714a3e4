use std::collections::BTreeSet;

use countersign_store::{EventKind, NewsItem, StoreError, StoredKey};

use crate::support::{Fixture, at, event, stores};

fn signing_key(kid: &str, algorithm: &str, secs: u32) -> StoredKey {
    StoredKey {
        kid: kid.to_owned(),
        algorithm: algorithm.to_owned(),
        sealed: vec![0, 1, 255],
        created_at: at(secs),
        signs_from: at(secs + 600),
    }
}

async fn add(store: &Fixture, key: &StoredKey) {
    store.add_key(key.clone(), event(EventKind::KeyCreated, key.created_at)).await.unwrap();
}

#[tokio::test]
async fn keys_are_listed_oldest_first_as_they_were_added() {
    for store in stores() {
        assert_eq!(store.keys().await.unwrap(), []);
        let [old, new] = [signing_key("z", "EdDSA", 1), signing_key("a", "ES256", 2)];
        let head = store.news_head().await.unwrap();
        add(&store, &new).await;
        add(&store, &old).await;
        assert_eq!(store.keys().await.unwrap(), [old, new]);
        assert_eq!(store.news_since(head).await, [NewsItem::KeysChanged, NewsItem::KeysChanged]);
        assert_eq!(store.audited(EventKind::KeyCreated).await.len(), 2);
    }
}

#[tokio::test]
async fn a_kid_is_used_once() {
    for store in stores() {
        let key = signing_key("a", "EdDSA", 1);
        add(&store, &key).await;
        let again = StoredKey { sealed: vec![9], ..key.clone() };
        let outcome = store.add_key(again, event(EventKind::KeyCreated, at(2))).await;
        assert!(matches!(outcome, Err(StoreError::Defect(_))), "{outcome:?}");
        assert_eq!(store.keys().await.unwrap(), [key]);
        assert_eq!(store.audited(EventKind::KeyCreated).await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_nodes_that_start_at_once_one_adds_the_key_of_a_new_algorithm_and_all_get_it() {
    for store in stores() {
        let other = signing_key("other", "ES256", 0);
        add(&store, &other).await;
        let nodes = (0..10).map(|n| {
            let (store, key) = (store.handle(), signing_key(&format!("node {n}"), "EdDSA", 1));
            let event = event(EventKind::KeyCreated, at(1));
            tokio::spawn(async move { store.ensure_key(key, event).await.unwrap() })
        });
        let mut seen = BTreeSet::new();
        for node in nodes.collect::<Vec<_>>() {
            let keys = node.await.unwrap();
            seen.insert(keys.iter().map(|key| key.kid.clone()).collect::<Vec<_>>());
        }
        assert_eq!(seen.len(), 1, "{seen:?}");
        let keys = store.keys().await.unwrap();
        assert_eq!((keys.len(), &keys[0]), (2, &other));
        assert_eq!(store.audited(EventKind::KeyCreated).await.len(), 2);
    }
}

#[tokio::test]
async fn a_key_is_ensured_by_what_the_last_one_is_so_that_an_algorithm_can_come_back() {
    for store in stores() {
        let [old, other, back] =
            [signing_key("a", "EdDSA", 1), signing_key("b", "ES256", 2), signing_key("c", "EdDSA", 3)];
        for key in [&old, &other, &back] {
            let made = store.ensure_key(key.clone(), event(EventKind::KeyCreated, at(1))).await.unwrap();
            assert_eq!(made.last(), Some(key));
        }
        let again = signing_key("d", "EdDSA", 4);
        let kept = store.ensure_key(again, event(EventKind::KeyCreated, at(1))).await.unwrap();
        assert_eq!(kept, [old, other, back]);
    }
}

#[tokio::test]
async fn removed_keys_are_gone_and_unknown_ones_count_for_nothing() {
    for store in stores() {
        let keys = [signing_key("a", "EdDSA", 1), signing_key("b", "EdDSA", 2), signing_key("c", "EdDSA", 3)];
        for key in &keys {
            add(&store, key).await;
        }
        let head = store.news_head().await.unwrap();
        let remove = async |kids: &[&str]| {
            let kids = kids.iter().map(|&kid| kid.to_owned()).collect();
            store.remove_keys(kids, event(EventKind::KeysRemoved, at(9))).await.unwrap()
        };
        assert_eq!(remove(&["a", "c", "x"]).await, 2);
        assert_eq!(remove(&["a"]).await, 0);
        assert_eq!(store.keys().await.unwrap(), [keys[1].clone()]);
        assert_eq!(store.news_since(head).await, [NewsItem::KeysChanged]);
        assert_eq!(store.audited(EventKind::KeysRemoved).await.len(), 1);
    }
}

#[tokio::test]
async fn keys_are_sealed_anew_all_or_none() {
    for store in stores() {
        let [a, b] = [signing_key("a", "EdDSA", 1), signing_key("b", "EdDSA", 2)];
        add(&store, &a).await;
        add(&store, &b).await;
        let reseal = async |sealed: &[(&str, u8)]| {
            let sealed = sealed.iter().map(|&(kid, byte)| (kid.to_owned(), vec![byte])).collect();
            store.reseal_keys(sealed, event(EventKind::KeysResealed, at(9))).await
        };
        assert!(matches!(reseal(&[("a", 7), ("gone", 7)]).await, Err(StoreError::Unavailable(_))));
        assert_eq!(store.keys().await.unwrap(), [a.clone(), b.clone()]);
        assert!(store.audited(EventKind::KeysResealed).await.is_empty());

        reseal(&[("a", 7), ("b", 8)]).await.unwrap();
        let expected = [StoredKey { sealed: vec![7], ..a }, StoredKey { sealed: vec![8], ..b }];
        assert_eq!(store.keys().await.unwrap(), expected);
        assert_eq!(store.audited(EventKind::KeysResealed).await.len(), 1);
    }
}
