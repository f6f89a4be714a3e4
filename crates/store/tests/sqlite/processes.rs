//! Several processes on one file.

use std::path::Path;

use countersign_core::session::EndReason;
use countersign_core::{Generation, SessionId, UserId};
use countersign_store::sqlite::{Opening, Sqlite};
use countersign_store::{EventKind, Rotate, Rotation, Store};

use crate::child::{Child, say, wait_to_go};
use crate::embedded::Embedded;
use crate::support::{POLICY, at, event, laptop};

fn tool(path: &Path) -> Store {
    Store::Sqlite(Sqlite::open(path, &Opening::tool()).unwrap())
}

// attack 29
#[tokio::test]
async fn of_fifty_uses_of_one_token_in_two_processes_one_rotates() {
    let store = Embedded::new();
    let ana = store.make_user("ana").await;
    for round in 0..5 {
        let session = store.log_in(&ana, at(round)).await;
        let task = format!("rotate {} {}", session.id, ana.id);
        let mut children = [Child::start(&task, store.path()), Child::start(&task, store.path())];
        for child in &mut children {
            assert_eq!(child.next().as_deref(), Some("ready"));
        }
        children.iter_mut().for_each(Child::go);
        let mut answers = Vec::new();
        for child in &mut children {
            answers.extend(std::iter::from_fn(|| child.next()));
        }
        answers.sort();
        let mut expected = vec!["answered 2".to_owned(); 49];
        expected.push("rotated 2".to_owned());
        assert_eq!(answers, expected);
        let kept = store.session(session.id).await.unwrap().unwrap().0;
        assert_eq!((kept.generation, kept.ended), (Generation(2), None));
        let logout = event(EventKind::SessionEnded, at(200));
        store.end_session(session.id, None, EndReason::Logout, logout).await.unwrap();
    }
}

/// The child: half of the fifty.
pub(crate) async fn rotate(path: &Path, session: SessionId, user: i64) {
    let store = tool(path);
    say("ready");
    wait_to_go();
    let uses = (0..25).map(|_| {
        let (store, user) = (store.clone(), UserId(user));
        let rotate = Rotate {
            session,
            user,
            generation: Generation::FIRST,
            key: None,
            client: laptop(),
            wants_rights: None,
        };
        tokio::spawn(async move { store.rotate_session(rotate, POLICY, at(100)).await })
    });
    for rotation in uses.collect::<Vec<_>>() {
        match rotation.await.unwrap() {
            Ok(Rotation::Rotated { session, .. }) => say(&format!("rotated {}", session.generation.0)),
            Ok(Rotation::Answered { session, .. }) => say(&format!("answered {}", session.generation.0)),
            other => say(&format!("{other:?}")),
        }
    }
}

// attack 105
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_writers_and_a_tool_never_hear_of_a_lock() {
    let store = Embedded::new();
    let mut child = Child::start("write 200", store.path());
    assert_eq!(child.next().as_deref(), Some("ready"));
    child.go();
    let writers = (0..100).map(|n: u32| {
        let store = store.handle();
        tokio::spawn(async move {
            for _ in 0..30 {
                store.audit(vec![event(EventKind::Login, at(n))]).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    assert_eq!(child.next().as_deref(), Some("wrote 200"));
    assert_eq!(store.audited(EventKind::KeyCreated).await.len(), 200);
    let logins: i64 = store
        .raw()
        .query_row("SELECT count(*) FROM audit WHERE kind = 'login'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(logins, 3000);
}

/// The child: a tool that writes one row after another.
pub(crate) async fn write(path: &Path, count: u32) {
    let store = tool(path);
    say("ready");
    wait_to_go();
    for _ in 0..count {
        if let Err(error) = store.audit(vec![event(EventKind::KeyCreated, at(0))]).await {
            say(&error.to_string());
        }
    }
    say(&format!("wrote {count}"));
}
