//! What several nodes share: news, keys, the clean-up.

use std::collections::BTreeSet;

use countersign_core::session::EndReason;
use countersign_store::{EventKind, NewsItem, Store, StoredKey};
use countersign_testing::Cluster;

use crate::open;
use crate::support::{POLICY, START, at, checked, event, new_session, new_user, token};

fn database(url: &str) -> &str {
    url.rsplit('/').next().unwrap()
}

/// A piece of news that another program's transaction writes, and commits after so many seconds.
fn late_news(
    cluster: &'static Cluster,
    url: &str,
    user: i64,
    seconds: f32,
) -> std::thread::JoinHandle<String> {
    let name = database(url).to_owned();
    let insert = format!("INSERT INTO news (at, kind, user_id) VALUES (0, 'user_changed', {user})");
    std::thread::spawn(move || {
        cluster.sql(&name, &format!("BEGIN; {insert}; SELECT pg_sleep({seconds}); COMMIT"))
    })
}

async fn until_asleep(cluster: &Cluster, url: &str) {
    let name = database(url);
    let asleep =
        format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND wait_event = 'PgSleep'");
    while cluster.sql("postgres", &asleep) == "0" {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

fn user_changed(user: i64) -> NewsItem {
    NewsItem::UserChanged(countersign_core::UserId(user))
}

// attack 113
#[tokio::test(flavor = "multi_thread")]
async fn news_that_are_committed_after_later_ones_are_delivered_all_the_same_and_once() {
    let cluster = Cluster::shared();
    let url = cluster.database();
    let (writer, started_before) = (open(&url).await, open(&url).await);
    let mut before = started_before.news_head().await.unwrap();
    let user = writer.create_user(new_user("ana"), event(EventKind::UserCreated, START)).await.unwrap();

    let late = late_news(cluster, &url, 4711, 1.5);
    until_asleep(cluster, &url).await;
    writer.set_active(user.id, true, event(EventKind::UserActivated, at(1))).await.unwrap();
    // This node starts when the later number is there already, and the earlier one isn't.
    let started_between = open(&url).await;
    let mut between = started_between.news_head().await.unwrap();

    let read = async |node: &Store, after: &mut _| {
        let news = node.news(*after).await.unwrap();
        *after = news.head;
        news.items.into_iter().map(|(_, item)| item).collect::<Vec<_>>()
    };
    assert_eq!(read(&started_before, &mut before).await, [user_changed(user.id.0)]);
    for _ in 0..3 {
        assert_eq!(read(&started_before, &mut before).await, []);
        assert_eq!(read(&started_between, &mut between).await, []);
    }
    late.join().unwrap();
    assert_eq!(read(&started_before, &mut before).await, [user_changed(4711)]);
    assert_eq!(read(&started_between, &mut between).await, [user_changed(4711)]);
    for _ in 0..3 {
        assert_eq!(read(&started_before, &mut before).await, []);
        assert_eq!(read(&started_between, &mut between).await, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_was_never_used_holds_nothing_up() {
    let cluster = Cluster::shared();
    let url = cluster.database();
    let store = open(&url).await;
    let head = store.news_head().await.unwrap();
    let name = database(&url);
    cluster.sql(name, "BEGIN; INSERT INTO news (at, kind) VALUES (0, 'keys_changed'); ROLLBACK");
    // A restored backup, or a move, may leave out millions.
    cluster.sql(name, "SELECT setval(pg_get_serial_sequence('news', 'seq'), 5000000)");
    cluster.sql(name, "INSERT INTO news (at, kind, user_id) VALUES (0, 'user_changed', 7)");
    let news = store.news(head).await.unwrap();
    assert_eq!(news.items, [(countersign_core::Timestamp::from_millis(0), user_changed(7))]);
    assert_eq!(store.news(news.head).await.unwrap().items, []);
}

// attack 103
#[tokio::test(flavor = "multi_thread")]
async fn news_under_numbers_that_were_lost_in_a_failover_and_given_again_are_delivered() {
    let cluster = Cluster::shared();
    let url = cluster.database();
    let store = open(&url).await;
    let insert = |users: std::ops::Range<i64>| {
        for user in users {
            let values = format!("VALUES (0, 'user_changed', {user})");
            cluster.sql(database(&url), &format!("INSERT INTO news (at, kind, user_id) {values}"));
        }
    };
    insert(1..2);
    let kept = store.news_head().await.unwrap();
    // Of three pieces a promoted standby has none. Others may have written fewer since, as many, or more.
    for again in [0, 1, 3, 7] {
        let before = store.news(kept).await.unwrap().head;
        insert(10..13);
        let lost = store.news(before).await.unwrap();
        assert_eq!((lost.items.len(), lost.anew), (3, false));
        cluster.sql(database(&url), &format!("DELETE FROM news WHERE seq > {}", kept.0));
        let back = format!("SELECT setval(pg_get_serial_sequence('news', 'seq'), {})", kept.0);
        cluster.sql(database(&url), &back);
        insert(20..20 + again);

        let news = store.news(lost.head).await.unwrap();
        let items: Vec<_> = news.items.into_iter().map(|(_, item)| item).collect();
        let there = std::iter::once(1).chain(20..20 + again).map(user_changed);
        assert_eq!((items, news.anew, news.head.0), (there.collect(), true, kept.0 + again));
        let after = store.news(news.head).await.unwrap();
        assert_eq!((after.items, after.anew), (Vec::new(), false));
        insert(30..31);
        let next = store.news(news.head).await.unwrap();
        assert_eq!((next.items.len(), next.anew), (1, false));

        cluster.sql(database(&url), &format!("DELETE FROM news WHERE seq > {}", kept.0));
        cluster.sql(database(&url), &back);
        assert!(store.news(next.head).await.unwrap().anew);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn news_that_were_cleaned_up_to_the_last_hold_nothing_up() {
    let cluster = Cluster::shared();
    let url = cluster.database();
    let store = open(&url).await;
    let insert = "INSERT INTO news (at, kind, user_id) VALUES (0, 'user_changed', 7)";
    cluster.sql(database(&url), insert);
    let head = store.news_head().await.unwrap();
    cluster.sql(database(&url), "DELETE FROM news");
    let none = store.news(head).await.unwrap();
    assert_eq!(none.items, []);
    cluster.sql(database(&url), insert);
    assert_eq!(store.news(none.head).await.unwrap().items.len(), 1);
}

// attack 113
#[tokio::test(flavor = "multi_thread")]
async fn of_many_nodes_that_start_at_once_one_makes_the_first_key_and_all_get_it() {
    let url = Cluster::shared().database();
    open(&url).await;
    let nodes = (0..6).map(|n| {
        let url = url.clone();
        tokio::spawn(async move {
            let key = StoredKey {
                kid: format!("node {n}"),
                algorithm: "EdDSA".to_owned(),
                sealed: vec![n],
                created_at: START,
                signs_from: START,
            };
            open(&url).await.ensure_key(key, event(EventKind::KeyCreated, START)).await.unwrap()
        })
    });
    let mut seen = BTreeSet::new();
    for node in nodes.collect::<Vec<_>>() {
        seen.insert(node.await.unwrap().into_iter().map(|key| key.kid).collect::<Vec<_>>());
    }
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen.first().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_at_a_time_cleans_up() {
    let cluster = Cluster::shared();
    let url = cluster.database();
    let store = open(&url).await;
    store.audit(vec![event(EventKind::LoginFailed, at(1))]).await.unwrap();
    // The number of the lock is the program's own; another node holds it while it cleans up.
    let lock = i64::from(0x4353_6967) << 32;
    let hold = format!("BEGIN; SELECT pg_advisory_xact_lock({}); SELECT pg_sleep(1.5); COMMIT", lock + 2);
    let name = database(&url).to_owned();
    let busy = std::thread::spawn(move || cluster.sql(&name, &hold));
    until_asleep(cluster, &url).await;
    assert_eq!(store.clean_up(at(9), at(9), at(9)).await.unwrap(), 0, "somebody else is at it");
    busy.join().unwrap();
    assert_eq!(store.clean_up(at(9), at(9), at(9)).await.unwrap(), 1);
}

// attack 29, attack 113
#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_uses_of_one_token_at_two_nodes_one_rotates() {
    let url = Cluster::shared().database();
    let nodes = [open(&url).await, open(&url).await];
    let user = nodes[0].create_user(new_user("ana"), event(EventKind::UserCreated, START)).await.unwrap();
    let session = new_session(user.id, START);
    let login = event(EventKind::Login, START);
    nodes[0].start_session(session.clone(), checked("hash of ana"), login).await.unwrap();
    let uses = (0..50).map(|n| {
        let (store, rotate) = (nodes[n % 2].clone(), token(&session));
        tokio::spawn(async move { store.rotate_session(rotate, POLICY, at(100)).await.unwrap() })
    });
    let mut rotations = 0;
    for rotation in uses.collect::<Vec<_>>() {
        match rotation.await.unwrap() {
            countersign_store::Rotation::Rotated { .. } => rotations += 1,
            countersign_store::Rotation::Answered { session, .. } => assert_eq!(session.generation.0, 2),
            refused => panic!("{refused:?}"),
        }
    }
    assert_eq!(rotations, 1);
    let head = nodes[1].news_head().await.unwrap();
    let logout = event(EventKind::SessionEnded, at(101));
    nodes[0].end_session(session.id, None, EndReason::Logout, logout).await.unwrap();
    assert_eq!(nodes[1].news(head).await.unwrap().items.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_audit_says_can_not_be_changed() {
    let cluster = Cluster::shared();
    let url = cluster.database();
    open(&url).await.audit(vec![event(EventKind::Theft, at(1))]).await.unwrap();
    let name = database(&url);
    let attempt = "DO $$ BEGIN UPDATE audit SET kind = 'login'; RAISE 'changed';
        EXCEPTION WHEN raise_exception THEN IF SQLERRM = 'changed' THEN RAISE; END IF; END $$";
    cluster.sql(name, attempt);
    assert_eq!(cluster.sql(name, "SELECT kind FROM audit"), "theft");
}
