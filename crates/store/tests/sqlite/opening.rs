//! Who may open which file.

use std::fs;
use std::path::Path;

use countersign_store::Store;
use countersign_store::sqlite::{OpenError, Opening, Sqlite};
use rusqlite::Connection;
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn refusal(path: &Path, opening: &Opening) -> OpenError {
    match Sqlite::open(path, opening) {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error,
    }
}

async fn make(path: &Path) {
    Store::Sqlite(Sqlite::open(path, &Opening::server()).unwrap()).close().await;
}

#[tokio::test]
async fn two_servers_do_not_share_a_file() {
    let folder = folder();
    let path = folder.path().join("a.db");
    let first = Store::Sqlite(Sqlite::open(&path, &Opening::server()).unwrap());
    let refused = refusal(&path, &Opening::server());
    assert!(matches!(refused, OpenError::InUse { .. }), "{refused}");
    assert!(refused.to_string().contains("in use by a running Countersign server"));
    first.ping().await.unwrap();
    first.close().await;
    make(&path).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_by_another_name_is_the_same_file() {
    let folder = folder();
    let path = folder.path().join("a.db");
    let _server = Sqlite::open(&path, &Opening::server()).unwrap();
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(matches!(refusal(&link, &Opening::server()), OpenError::InUse { .. }));
    let roundabout = folder.path().join(".").join("a.db");
    assert!(matches!(refusal(&roundabout, &Opening::server()), OpenError::InUse { .. }));
}

#[tokio::test]
async fn a_server_that_is_dropped_lets_the_file_go() {
    let folder = folder();
    let path = folder.path().join("a.db");
    drop(Sqlite::open(&path, &Opening::server()).unwrap());
    // Its threads end by themselves, soon.
    while let Err(error) = Sqlite::open(&path, &Opening::server()) {
        assert!(matches!(error, OpenError::InUse { .. }), "{error}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn tools_work_beside_a_server_and_beside_each_other() {
    let folder = folder();
    let path = folder.path().join("a.db");
    let open = |opening: Opening| Store::Sqlite(Sqlite::open(&path, &opening).unwrap());
    let first = open(Opening::tool());
    let stores = [open(Opening::server()), first, open(Opening::tool())];
    for (store, value) in stores.iter().zip(["1", "2", "3"]) {
        store.set_meta("x", value.to_owned()).await.unwrap();
        for store in &stores {
            assert_eq!(store.meta("x").await.unwrap().as_deref(), Some(value));
        }
    }
}

#[tokio::test]
async fn a_tool_does_not_change_the_schema_under_a_server() {
    let folder = folder();
    let path = folder.path().join("a.db");
    let server = Store::Sqlite(Sqlite::open(&path, &Opening::server()).unwrap());
    // As an older program would have left it.
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 0).unwrap();
    assert!(matches!(refusal(&path, &Opening::tool()), OpenError::InUse { .. }));
    server.ping().await.unwrap();
}

// attack 114
#[tokio::test]
async fn a_database_of_a_newer_program_is_refused() {
    let folder = folder();
    let path = folder.path().join("a.db");
    make(&path).await;
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    for opening in [Opening::server(), Opening::tool()] {
        let refused = refusal(&path, &opening);
        assert!(matches!(refused, OpenError::Newer { found: 99, .. }), "{refused}");
        assert!(refused.to_string().contains("made by a newer Countersign"));
    }
}

#[tokio::test]
async fn a_file_of_somebody_else_is_refused_and_left_as_it_is() {
    let folder = folder();
    let text = folder.path().join("text");
    fs::write(&text, "Dear diary, ".repeat(1000)).unwrap();
    let foreign = folder.path().join("foreign.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (x); PRAGMA user_version = 1").unwrap();
    let marked = folder.path().join("marked.db");
    Connection::open(&marked).unwrap().execute_batch("PRAGMA application_id = 42").unwrap();
    for path in [text, foreign, marked] {
        let before = fs::read(&path).unwrap();
        let refused = refusal(&path, &Opening::server());
        assert!(matches!(refused, OpenError::NotOurs { .. }), "{refused}");
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}

#[tokio::test]
async fn a_damaged_database_is_called_so() {
    let folder = folder();
    let path = folder.path().join("a.db");
    make(&path).await;
    let mut bytes = fs::read(&path).unwrap();
    bytes[100..4096].fill(0xAA);
    fs::write(&path, bytes).unwrap();
    let refused = refusal(&path, &Opening::server());
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
}

#[tokio::test]
async fn an_empty_file_becomes_a_database() {
    let folder = folder();
    let path = folder.path().join("a.db");
    fs::write(&path, "").unwrap();
    make(&path).await;
    make(&path).await;
}

#[tokio::test]
async fn a_place_that_is_not_there_is_named() {
    let folder = folder();
    let path = folder.path().join("missing").join("a.db");
    let refused = refusal(&path, &Opening::server());
    assert!(matches!(refused, OpenError::File { .. }), "{refused}");
    assert!(refused.to_string().contains("missing"));
    assert!(matches!(refusal(folder.path(), &Opening::server()), OpenError::Refused { .. }));
}

#[tokio::test]
async fn a_look_neither_makes_a_database_nor_brings_it_up_to_date() {
    let folder = folder();
    let path = folder.path().join("a.db");
    assert!(matches!(refusal(&path, &Opening::look()), OpenError::Behind { .. }));
    assert!(!path.exists());
    make(&path).await;
    Store::Sqlite(Sqlite::open(&path, &Opening::look()).unwrap()).close().await;
    let db = Connection::open(&path).unwrap();
    db.pragma_update(None, "user_version", 1).unwrap();
    let refused = refusal(&path, &Opening::look());
    assert!(refused.to_string().ends_with("run: countersign migrate"), "{refused}");
    let version: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 1);
}
