//! What is in the file, and who may read it.

use std::fs;

use countersign_core::Timestamp;
use countersign_core::session::{EndReason, Refusal};
use countersign_store::sqlite::{Opening, Sqlite};
use countersign_store::{EventKind, Rotation, Store};
use rusqlite::Connection;

use crate::embedded::Embedded;
use crate::support::{at, event, rotated, token, token_of};

// attack 41
#[cfg(unix)]
#[tokio::test]
async fn the_files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let modes = || {
        let mut modes = Vec::new();
        for entry in fs::read_dir(folder.path()).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            modes.push((name, entry.metadata().unwrap().permissions().mode() & 0o777));
        }
        modes.sort();
        modes
    };
    let private = ["a.db", "a.db-shm", "a.db-wal", "a.db.lock"].map(|name| (name.to_owned(), 0o600)).to_vec();

    let store = Store::Sqlite(Sqlite::open(&path, &Opening::server()).unwrap());
    store.set_meta("x", String::new()).await.unwrap();
    assert_eq!(modes(), private);
    store.close().await;

    for entry in fs::read_dir(folder.path()).unwrap() {
        fs::set_permissions(entry.unwrap().path(), fs::Permissions::from_mode(0o644)).unwrap();
    }
    let store = Store::Sqlite(Sqlite::open(&path, &Opening::server()).unwrap());
    store.set_meta("x", String::new()).await.unwrap();
    assert_eq!(modes(), private);
}

#[tokio::test]
async fn a_closed_database_is_one_file_and_its_lock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let store = Store::Sqlite(Sqlite::open(&path, &Opening::server()).unwrap());
    store.set_meta("x", "y".to_owned()).await.unwrap();
    store.close().await;
    let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.collect();
    names.sort();
    assert_eq!(names, ["a.db", "a.db.lock"]);
}

#[tokio::test]
async fn a_rotation_changes_no_column_that_an_index_has() {
    let store = Embedded::new();
    let db = store.raw();
    let mut statement = db
        .prepare(
            "SELECT DISTINCT info.name FROM pragma_index_list('sessions') AS list
                JOIN pragma_index_xinfo(list.name) AS info WHERE list.origin = 'c' ORDER BY info.name",
        )
        .unwrap();
    let columns: Vec<String> =
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(columns, ["ended_at", "id", "user_id"]);
}

// attack 118
#[tokio::test]
async fn what_the_audit_says_can_not_be_changed() {
    let store = Embedded::new();
    store.make_user("ana").await;
    for change in ["kind = 'login'", "user_id = 1", "detail = '{}'", "seq = 99"] {
        let refused = store.raw().execute(&format!("UPDATE audit SET {change}"), []).unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{refused}");
    }
}

#[tokio::test]
async fn an_answer_within_the_grace_writes_nothing() {
    let store = Embedded::new();
    let ana = store.make_user("ana").await;
    let session = store.log_in(&ana, at(0)).await;
    let db = store.raw();
    let version =
        |db: &Connection| db.pragma_query_value(None, "data_version", |row| row.get::<_, i64>(0)).unwrap();
    let before = version(&db);
    store.rotate(token(&session), at(5)).await;
    assert_eq!(version(&db), before, "too young");
    let session = rotated(store.rotate(token(&session), at(10)).await);
    let after = version(&db);
    assert_ne!(after, before, "a rotation");
    store.rotate(token_of(&session, 1), at(12)).await;
    assert_eq!(version(&db), after, "the generation before");
}

#[tokio::test]
async fn a_session_whose_user_was_changed_by_hand_ends_at_its_next_use() {
    let changes = [
        ("UPDATE users SET is_active = 0", EndReason::UserDeactivated, 5),
        ("UPDATE users SET is_active = 0", EndReason::UserDeactivated, 100),
        ("DELETE FROM users", EndReason::UserDeleted, 5),
        ("DELETE FROM users", EndReason::UserDeleted, 100),
    ];
    for (change, reason, secs) in changes {
        let store = Embedded::new();
        let ana = store.make_user("ana").await;
        let session = store.log_in(&ana, at(0)).await;
        store.raw().execute(change, []).unwrap();
        for _ in 0..2 {
            let refused = store.rotate(token(&session), at(secs)).await;
            assert_eq!(refused, Rotation::Refused(Refusal::UserInactive));
        }
        assert_eq!(store.end_of(&session).await, Some(reason));
        let audit = store.audited(EventKind::SessionEnded).await;
        assert_eq!((audit.len(), &audit[0].event.detail["reason"]), (1, &reason.as_str().into()));
    }
}

#[tokio::test]
async fn what_this_program_can_not_have_written_is_a_defect() {
    let store = Embedded::new();
    let ana = store.make_user("ana").await;
    let session = store.log_in(&ana, at(0)).await;
    store.raw().execute("UPDATE sessions SET replay_keys = x'00'", []).unwrap();
    let read = store.session(session.id).await;
    assert!(matches!(read, Err(countersign_store::StoreError::Defect(_))), "{read:?}");
    store.set_active(ana.id, false, event(EventKind::UserDeactivated, at(1))).await.unwrap();
}

#[tokio::test]
async fn the_walk_for_expired_sessions_goes_on_where_it_stopped() {
    let store = Embedded::new();
    let many = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 25000)
        INSERT INTO sessions SELECT CAST(format('%016d', n) AS BLOB), 1, 'cookie', 1, 0, 99, 1, 0,
            CASE WHEN n > 24990 THEN 9 ELSE 99 END, NULL, NULL, x'', NULL, NULL
        FROM numbers";
    store.raw().execute(many, []).unwrap();
    let clean_up = async || {
        let [never, ten] = [0, 10].map(Timestamp::from_millis);
        store.clean_up(ten, never, never).await.unwrap()
    };
    assert_eq!([clean_up().await, clean_up().await, clean_up().await], [0, 0, 10]);
    assert_eq!(store.live_sessions().await.unwrap(), 24_990);
    store
        .raw()
        .execute("UPDATE sessions SET refresh_expires_at = 9 WHERE id < CAST('0000000000000003' AS BLOB)", [])
        .unwrap();
    assert_eq!(clean_up().await, 2, "it begins anew");
}
