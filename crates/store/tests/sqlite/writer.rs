//! One writer for all: its groups, and whoever waits for it.

use std::time::Duration;

use countersign_core::Generation;
use countersign_core::session::EndReason;
use countersign_store::sqlite::{Opening, Sqlite};
use countersign_store::{EventKind, Store, StoreError, StoredKey};
use rusqlite::Connection;

use crate::embedded::Embedded;
use crate::support::{POLICY, at, event, token};

/// Someone who holds the database's write lock, so that the writer has to wait.
struct Hog(Connection);

impl Hog {
    fn of(store: &Embedded) -> Self {
        let db = store.raw();
        db.execute_batch("BEGIN IMMEDIATE").unwrap();
        Self(db)
    }

    fn release(self) {
        self.0.execute_batch("ROLLBACK").unwrap();
    }
}

fn commits(store: &Store) -> u64 {
    match store {
        Store::Sqlite(sqlite) => sqlite.commits(),
        Store::Postgres(_) => panic!("not SQLite"),
    }
}

/// Lets every task that was spawned come as far as the queue.
async fn let_them_ask() {
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
}

/// Waits until the writer has got to what was sent.
async fn settle(store: &Store) {
    store.ping().await.unwrap();
}

#[tokio::test]
async fn all_who_wait_share_one_commit() {
    let store = Embedded::new();
    settle(&store).await;
    let before = commits(&store);
    let hog = Hog::of(&store);
    let writes = (0..100).map(|n| {
        let store = store.handle();
        tokio::spawn(async move { store.set_meta("x", n.to_string()).await })
    });
    let writes: Vec<_> = writes.collect();
    let_them_ask().await;
    hog.release();
    for write in writes {
        write.await.unwrap().unwrap();
    }
    // The writer took the first one alone, perhaps, and waited with it.
    assert!((1..=3).contains(&(commits(&store) - before)), "{} commits", commits(&store) - before);
}

#[tokio::test]
async fn one_failure_does_not_spoil_its_group() {
    let store = Embedded::new();
    let key = |kid: String| StoredKey {
        kid,
        algorithm: "EdDSA".to_owned(),
        sealed: Vec::new(),
        created_at: at(0),
        signs_from: at(0),
    };
    let hog = Hog::of(&store);
    let writes = (0..50).map(|n| {
        // Every second one repeats the kid of the one before it.
        let (store, key) = (store.handle(), key(format!("key {}", n / 2)));
        tokio::spawn(async move { store.add_key(key, event(EventKind::KeyCreated, at(1))).await })
    });
    let writes: Vec<_> = writes.collect();
    let_them_ask().await;
    hog.release();
    for (n, write) in writes.into_iter().enumerate() {
        match (n % 2, write.await.unwrap()) {
            (0, Ok(())) | (1, Err(StoreError::Defect(_))) => {}
            (_, outcome) => panic!("{n}: {outcome:?}"),
        }
    }
    assert_eq!(store.keys().await.unwrap().len(), 25);
    assert_eq!(store.audited(EventKind::KeyCreated).await.len(), 25);
}

/// A store whose callers wait a tenth of a second.
fn impatient() -> Embedded {
    Embedded::open(&Opening { patience: Duration::from_millis(100), ..Opening::server() })
}

// attack 102
#[tokio::test]
async fn whoever_waits_too_long_is_refused_and_nothing_happens_later() {
    let store = impatient();
    let hog = Hog::of(&store);
    let refused = store.set_meta("x", "late".to_owned()).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert!(store.meta("x").await.is_ok(), "reading goes on");
    assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
    hog.release();
    settle(&store).await;
    assert_eq!(store.meta("x").await.unwrap(), None);
}

#[tokio::test]
async fn a_flood_is_refused_at_once_instead_of_piling_up() {
    let store = Embedded::new();
    let hog = Hog::of(&store);
    let writes = (0..6000).map(|_| {
        let store = store.handle();
        tokio::spawn(async move { store.set_meta("x", String::new()).await })
    });
    let writes: Vec<_> = writes.collect();
    let_them_ask().await;
    hog.release();
    let mut refused = 0;
    for write in writes {
        match write.await.unwrap() {
            Ok(()) => {}
            Err(StoreError::Unavailable(_)) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!((1000..=6000 - 4096).contains(&refused), "{refused} refused");
    settle(&store).await;
}

// attack 33
#[tokio::test]
async fn a_rotation_that_nobody_waits_for_is_not_begun_but_a_logout_is() {
    let store = Embedded::new();
    let ana = store.make_user("ana").await;
    let (left, kept) = (store.log_in(&ana, at(0)).await, store.log_in(&ana, at(0)).await);
    let hog = Hog::of(&store);
    let hang_up = async |call: tokio::task::JoinHandle<()>| {
        let_them_ask().await;
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
    };
    let (handle, rotate) = (store.handle(), token(&kept));
    let call = async move { drop(handle.rotate_session(rotate, POLICY, at(100)).await) };
    hang_up(tokio::spawn(call)).await;
    let (handle, id) = (store.handle(), left.id);
    let logout = event(EventKind::SessionEnded, at(100));
    let call = async move { drop(handle.end_session(id, None, EndReason::Logout, logout).await) };
    hang_up(tokio::spawn(call)).await;
    hog.release();
    settle(&store).await;
    assert_eq!(store.session(kept.id).await.unwrap().unwrap().0.generation, Generation::FIRST);
    assert_eq!(store.end_of(&left).await, Some(EndReason::Logout));
}

#[tokio::test]
async fn the_news_of_another_process_s_changes_are_seen() {
    let store = Embedded::new();
    let ana = store.make_user("ana").await;
    let session = store.log_in(&ana, at(0)).await;
    let head = store.news_head().await.unwrap();
    let tool = Store::Sqlite(Sqlite::open(store.path(), &Opening::tool()).unwrap());
    let event = event(EventKind::SessionEnded, at(1));
    tool.end_session(session.id, None, EndReason::EndedByStaff, event).await.unwrap();
    let news = store.news(head).await.unwrap();
    assert_eq!(news.items, [(at(1), crate::support::ended(&session, EndReason::EndedByStaff))]);
}
