//! What only shows from inside: the connections' settings, and trouble that is made by them.

use rusqlite::Connection;

use super::*;

/// A database in a folder of its own.
fn open() -> (Sqlite, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open(folder.path().join("a.db"), &Opening::server()).unwrap();
    (sqlite, folder)
}

fn pragma<T: rusqlite::types::FromSql>(db: &Connection, name: &str) -> Result<T> {
    Ok(db.pragma_query_value(None, name, |row| row.get(0))?)
}

async fn set(sqlite: &Sqlite, value: String) -> Result<()> {
    sqlite.set_meta("x", value).await
}

fn is_unavailable<T>(result: &Result<T>) -> bool {
    matches!(result, Err(StoreError::Unavailable(_)))
}

// attack 101
#[tokio::test]
async fn a_commit_is_on_disk_and_foreign_keys_hold() {
    let (sqlite, _folder) = open();
    let settings = sqlite.write(|db| {
        let (synchronous, foreign_keys): (i64, i64) =
            (pragma(db, "synchronous")?, pragma(db, "foreign_keys")?);
        Ok((pragma::<String>(db, "journal_mode")?, synchronous, foreign_keys))
    });
    assert_eq!(settings.await.unwrap(), ("wal".to_owned(), 2, 1));
}

// attack 101
#[test]
fn what_is_copied_into_the_database_is_on_disk_before_the_log_starts_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let _sqlite = Sqlite::open(&path, &Opening::server()).unwrap();
    assert_eq!(pragma::<i64>(&open::copier(&path).unwrap(), "synchronous").unwrap(), 2);
}

#[tokio::test]
async fn a_reader_can_not_write() {
    let (sqlite, _folder) = open();
    let written = sqlite.read(|db| Ok(sql::run(db, "DELETE FROM users", [])?)).await;
    assert!(is_unavailable(&written), "{written:?}");
}

#[tokio::test]
async fn a_short_read_needs_no_thread_but_where_it_would_have_to_wait() {
    let (sqlite, _folder) = open();
    let here = std::thread::current().id();
    let mut read_on = None;
    // On a busy machine a read may be slow, and then some are for the threads.
    for _ in 0..100_000 {
        read_on = Some(sqlite.read_now(|_| Ok(std::thread::current().id())).await.unwrap());
        if read_on == Some(here) {
            break;
        }
    }
    assert_eq!(read_on, Some(here));
    let busy_here = move |_: &Connection| match std::thread::current().id() {
        id if id == here => Err(StoreError::Unavailable("busy".to_owned())),
        id => Ok(id),
    };
    assert_ne!(sqlite.read_now(busy_here).await.unwrap(), here);
    sqlite.close().await;
    assert!(is_unavailable(&sqlite.read_now(|_| Ok(())).await));
}

// attack 104
#[tokio::test]
async fn a_full_disk_refuses_changes_lets_reading_go_on_and_is_forgotten_when_there_is_room() {
    let (sqlite, folder) = open();
    set(&sqlite, "kept".to_owned()).await.unwrap();
    sqlite
        .write(|db| {
            let pages: i64 = pragma(db, "page_count")?;
            Ok(db.pragma_update(None, "max_page_count", pages + 2)?)
        })
        .await
        .unwrap();
    assert_eq!(sqlite.meta("probe").await.unwrap(), None);
    for _ in 0..3 {
        let refused = set(&sqlite, "x".repeat(100_000)).await;
        assert!(is_unavailable(&refused), "{refused:?}");
        assert_eq!(sqlite.meta("x").await.unwrap().as_deref(), Some("kept"));
    }
    sqlite.ping().await.unwrap();
    assert!(sqlite.meta("probe").await.unwrap().is_some(), "after trouble a ping tries a real change");

    // Whoever is in the same group is refused too, or not at all.
    let (large, small) =
        tokio::join!(set(&sqlite, "x".repeat(100_000)), sqlite.set_meta("y", "z".to_owned()));
    assert!(is_unavailable(&large));
    assert_eq!(small.is_ok(), sqlite.meta("y").await.unwrap().is_some());

    sqlite.write(|db| Ok(db.pragma_update(None, "max_page_count", 1_000_000)?)).await.unwrap();
    set(&sqlite, "x".repeat(100_000)).await.unwrap();
    let check: String =
        pragma(&Connection::open(folder.path().join("a.db")).unwrap(), "integrity_check").unwrap();
    assert_eq!(check, "ok");
}

// attack 104
#[tokio::test]
async fn a_database_that_can_not_be_written_is_not_ready_but_can_be_read() {
    let (sqlite, _folder) = open();
    sqlite.ping().await.unwrap();
    sqlite.write(|db| Ok(db.pragma_update(None, "query_only", true)?)).await.unwrap();
    assert!(is_unavailable(&sqlite.ping().await));
    assert!(is_unavailable(&set(&sqlite, String::new()).await));
    assert_eq!(sqlite.meta("x").await.unwrap(), None);
}

// attack 104
#[tokio::test]
async fn whoever_shares_a_commit_that_fails_is_told_so_and_nothing_of_it_is_kept() {
    let (sqlite, folder) = open();
    let full =
        |db: &Connection| Ok(db.pragma_update(None, "max_page_count", pragma::<i64>(db, "page_count")?)?);
    sqlite.write(full).await.unwrap();
    let hog = Connection::open(folder.path().join("a.db")).unwrap();
    let mut shared = false;
    for round in 0..100 {
        // While the writer waits with another change, these two come to wait for one commit, nearly always.
        hog.execute_batch("BEGIN IMMEDIATE").unwrap();
        let both = async {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            let release = async { hog.execute_batch("ROLLBACK").unwrap() };
            tokio::join!(
                sqlite.set_meta("small", round.to_string()),
                set(&sqlite, "x".repeat(100_000)),
                release
            )
        };
        let (_, (small, large, ())) = tokio::join!(sqlite.set_meta("first", String::new()), both);
        assert!(is_unavailable(&large));
        let kept = sqlite.meta("small").await.unwrap() == Some(round.to_string());
        assert_eq!(small.is_ok(), kept, "{small:?}");
        shared |= is_unavailable(&small);
    }
    assert!(shared);
}

// attack 119
#[tokio::test]
async fn a_panic_is_the_defect_of_one_use_case() {
    let (sqlite, _folder) = open();
    let panicked = sqlite
        .write(|db| -> Result<()> {
            sql::run(db, SET_META, ("x", "never"))?;
            assert!(!db.is_autocommit(), "not in a transaction");
            panic!("a defect")
        })
        .await;
    assert!(matches!(panicked, Err(StoreError::Defect(_))), "{panicked:?}");
    assert_eq!(sqlite.meta("x").await.unwrap(), None);
    set(&sqlite, String::new()).await.unwrap();
}
