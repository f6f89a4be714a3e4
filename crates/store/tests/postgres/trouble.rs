//! A server that is stuck, killed, restarted, or cut off in the middle of something.

use std::time::{Duration, Instant};

use countersign_core::session::{EndReason, RotationPolicy};
use countersign_core::{Generation, Seconds};
use countersign_store::postgres::Opening;
use countersign_store::{EventKind, Rotate, Rotation, StartOutcome, Store, StoreError, User};
use countersign_testing::Cluster;
use tokio::time::timeout;

use crate::support::{POLICY, START, at, checked, event, new_session, new_user, token};
use crate::{open, open_with};

pub(crate) async fn make_user(store: &Store) -> User {
    store.create_user(new_user("ana"), event(EventKind::UserCreated, START)).await.unwrap()
}

pub(crate) async fn log_in(store: &Store, user: &User) -> countersign_core::session::Session {
    let session = new_session(user.id, START);
    let login = checked("hash of ana");
    let started = store.start_session(session.clone(), login, event(EventKind::Login, START)).await.unwrap();
    assert!(matches!(started, StartOutcome::Started { .. }));
    session
}

fn is_unavailable<T: std::fmt::Debug>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Unavailable(_)))
}

fn database(url: &str) -> &str {
    url.rsplit('/').next().unwrap()
}

// attack 102
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stands_still_is_unavailable_in_time_and_used_again_when_it_answers() {
    let cluster = Cluster::start();
    let url = cluster.database();
    let patience = Duration::from_millis(1500);
    let store = open_hasty(&url, patience).await;
    let user = make_user(&store).await;
    let session = log_in(&store, &user).await;
    let frozen = cluster.freeze();
    for _ in 0..2 {
        let begun = Instant::now();
        let (read, write, ping) = tokio::join!(
            store.session(session.id),
            store.rotate_session(token(&session), POLICY, at(20)),
            store.ping(),
        );
        assert!(is_unavailable(&read) && is_unavailable(&write) && is_unavailable(&ping));
        assert!(begun.elapsed() < patience * 2, "{:?}", begun.elapsed());
    }
    drop(frozen);
    let mut tries = 0;
    while store.ping().await.is_err() {
        tries += 1;
        assert!(tries < 20, "it is never used again");
    }
    // Whether the rotation was done while nobody knew, the grace says the same.
    let rotation = store.rotate_session(token(&session), POLICY, at(21)).await.unwrap();
    assert!(matches!(rotation, Rotation::Rotated { .. } | Rotation::Answered { .. }), "{rotation:?}");
}

// attack 102
#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_what_was_acknowledged_is_there_and_no_restart_of_ours_is_needed() {
    let cluster = Cluster::start();
    let store = open(&cluster.database()).await;
    let user = make_user(&store).await;
    let session = log_in(&store, &user).await;
    let rotated = store.rotate_session(token(&session), POLICY, at(20)).await.unwrap();
    assert!(matches!(rotated, Rotation::Rotated { .. }));
    cluster.kill();
    assert!(is_unavailable(&store.session(session.id).await));
    assert!(is_unavailable(&store.rotate_session(token(&session), POLICY, at(40)).await));
    cluster.start_again();
    let kept = store.session(session.id).await.unwrap().unwrap().0;
    assert_eq!(kept.generation, Generation(2));
    let next = store.rotate_session(token(&kept), POLICY, at(40)).await.unwrap();
    assert!(matches!(next, Rotation::Rotated { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_the_server_has_closed_are_not_noticed_by_anyone() {
    let cluster = Cluster::start();
    let url = cluster.database();
    let store = open(&url).await;
    let user = make_user(&store).await;
    for round in 1..=5 {
        // All of them, whatever they are doing.
        cluster.sql(
            "postgres",
            &format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'",
                database(&url)
            ),
        );
        store.set_active(user.id, round % 2 == 0, event(EventKind::UserActivated, at(round))).await.unwrap();
        assert!(store.session(new_session(user.id, START).id).await.unwrap().is_none());
    }
}

/// A statement of ours that waits for a lock, until its connection is closed by the server.
async fn interrupted(cluster: &Cluster, url: &str, what: &str) {
    let name = database(url).to_owned();
    let waiting = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND wait_event_type = 'Lock'
        AND query ILIKE '%{what}%'"
    );
    while cluster.sql("postgres", &waiting) == "0" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let kill = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'
        AND wait_event_type = 'Lock'"
    );
    cluster.sql("postgres", &kill);
}

/// Holds the sessions' rows, in a transaction of psql's, for so many seconds.
fn hold(cluster: &'static Cluster, url: &str, seconds: u32) -> std::thread::JoinHandle<String> {
    let name = database(url).to_owned();
    let sql = format!("BEGIN; SELECT 1 FROM sessions FOR UPDATE; SELECT pg_sleep({seconds}); COMMIT");
    std::thread::spawn(move || cluster.sql(&name, &sql))
}

/// A node with little patience, over tables that a patient one has made.
async fn open_hasty(url: &str, patience: Duration) -> Store {
    open(url).await.close().await;
    open_with(url, &Opening { patience, ..Opening::usual() }).await.unwrap()
}

async fn until_held(cluster: &Cluster, url: &str) {
    let name = database(url);
    let held =
        format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND wait_event = 'PgSleep'");
    while cluster.sql("postgres", &held) == "0" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

// attack 29: no false theft
#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_whose_answer_was_lost_is_made_again_if_that_can_not_look_like_theft() {
    let cluster = Cluster::shared();
    let url = cluster.database();
    let store = open(&url).await;
    let user = make_user(&store).await;
    let no_grace = RotationPolicy { grace: Seconds(0), ..POLICY };
    let cases = [(POLICY, None, true), (no_grace, Some([7; 32]), true), (no_grace, None, false)];
    for (policy, key, is_repeated) in cases {
        let session = log_in(&store, &user).await;
        let holder = hold(cluster, &url, 3);
        until_held(cluster, &url).await;
        let rotation = tokio::spawn({
            let (store, rotate) = (store.clone(), Rotate { key, ..token(&session) });
            async move { store.rotate_session(rotate, policy, at(20)).await }
        });
        interrupted(cluster, &url, "update sessions").await;
        match rotation.await.unwrap() {
            Ok(Rotation::Rotated { .. }) => assert!(is_repeated),
            Err(StoreError::Unavailable(reason)) => {
                assert!(!is_repeated && reason.contains("may have been done or not"), "{reason}");
            }
            other => panic!("{other:?}"),
        }
        holder.join().unwrap();
        let generation = store.session(session.id).await.unwrap().unwrap().0.generation;
        assert_eq!(generation, Generation(if is_repeated { 2 } else { 1 }), "once, or not at all");
        let logout = event(EventKind::SessionEnded, at(40));
        store.end_session(session.id, None, EndReason::Logout, logout).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_was_cut_off_before_its_end_is_made_again_and_once() {
    let cluster = Cluster::shared();
    let url = cluster.database();
    let store = open(&url).await;
    let user = make_user(&store).await;
    let session = log_in(&store, &user).await;
    let holder = hold(cluster, &url, 3);
    until_held(cluster, &url).await;
    let end = tokio::spawn({
        let store = store.clone();
        let event = event(EventKind::SessionEnded, at(5));
        async move { store.end_session(session.id, None, EndReason::Logout, event).await }
    });
    interrupted(cluster, &url, "from sessions").await;
    assert!(end.await.unwrap().unwrap().is_new());
    holder.join().unwrap();
    assert_eq!(cluster.sql(database(&url), "SELECT count(*) FROM news"), "1");
    assert_eq!(cluster.sql(database(&url), "SELECT count(*) FROM audit WHERE kind = 'session_ended'"), "1");
}

// attack 102
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_waits_too_long_is_given_up_here_and_at_the_server() {
    let cluster = Cluster::shared();
    let url = cluster.database();
    let patience = Duration::from_millis(500);
    let store = open(&url).await;
    let user = make_user(&store).await;
    let session = log_in(&store, &user).await;
    let hasty = open_hasty(&url, patience).await;
    let holder = hold(cluster, &url, 8);
    until_held(cluster, &url).await;
    let begun = Instant::now();
    let end = hasty.end_session(session.id, None, EndReason::Logout, event(EventKind::SessionEnded, at(5)));
    assert!(is_unavailable(&end.await));
    assert!(is_unavailable(&hasty.rotate_session(token(&session), POLICY, at(20)).await));
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    let waiting = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND wait_event_type = 'Lock'",
        database(&url)
    );
    while cluster.sql("postgres", &waiting) != "0" {
        assert!(!holder.is_finished(), "the server still works for nobody");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    holder.join().unwrap();
    assert_eq!(store.session(session.id).await.unwrap().unwrap().0, session, "nothing has changed");
}

// attack 102
#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_too_long_for_a_connection_is_told_so() {
    let cluster = Cluster::shared();
    let url = format!("{}?pool_size=1", cluster.database());
    let patience = Duration::from_secs(2);
    let store = open_hasty(&url, patience).await;
    let user = make_user(&store).await;
    let session = log_in(&store, &user).await;
    let name = database(url.split('?').next().unwrap());
    let holder = hold(cluster, name, 3);
    until_held(cluster, name).await;
    let stuck = tokio::spawn({
        let store = store.clone();
        let rotate = token(&session);
        async move { store.rotate_session(rotate, POLICY, at(20)).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let waits = timeout(Duration::from_secs(3), store.session(session.id)).await.unwrap();
    drop(stuck.await.unwrap());
    // The first one was given up a moment before, perhaps in time for this one.
    assert!(waits.is_ok() || is_unavailable(&waits), "{waits:?}");
    holder.join().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_for_is_done_even_if_nobody_waits_but_tokens_for_nobody_are_not_made() {
    let cluster = Cluster::shared();
    let url = format!("{}?pool_size=1", cluster.database());
    let store = open(&url).await;
    let user = make_user(&store).await;
    let (kept, ended) = (log_in(&store, &user).await, log_in(&store, &user).await);
    let name = database(url.split('?').next().unwrap());
    let holder = hold(cluster, name, 3);
    until_held(cluster, name).await;
    // The only connection waits for the lock, so these two have not begun.
    let logout = event(EventKind::SessionEnded, at(5));
    let first = store.end_session(ended.id, None, EndReason::Logout, logout.clone());
    assert!(timeout(Duration::from_millis(300), first).await.is_err());
    let rotation = store.rotate_session(token(&kept), POLICY, at(20));
    assert!(timeout(Duration::from_millis(300), rotation).await.is_err());
    let third = store.end_session(new_session(user.id, START).id, None, EndReason::Logout, logout);
    drop(third);
    holder.join().unwrap();
    while store.session(ended.id).await.unwrap().unwrap().0.ended.is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(store.session(kept.id).await.unwrap().unwrap().0.generation, Generation(1));
}

#[tokio::test]
async fn a_name_that_postgresql_can_not_keep_is_nobodys_and_no_error() {
    let store = open(&Cluster::shared().database()).await;
    let who = countersign_store::UserSelector::Name(crate::support::key("a\0b"));
    assert_eq!(store.user(who.clone()).await.unwrap(), None);
    let network = crate::support::laptop().network();
    assert!(store.user_for_login(who, true, network).await.unwrap().is_none());
    let bucket = countersign_store::AuditEvent {
        bucket: Some("login_failed/a\0b".to_owned()),
        ..event(EventKind::LoginFailed, START)
    };
    store.audit(vec![bucket.clone(), bucket]).await.unwrap();
}
