//! The write-ahead log gets into the database while the writer goes on, and doesn't grow for ever.

use std::fs;

use countersign_store::sqlite::Opening;
use rusqlite::Connection;

use crate::embedded::Embedded;

/// Pages that make a checkpoint due.
const LOG_PAGES: u32 = 16;

/// The most pages that the log then has if nobody keeps it: the writer waits at eight times as many, and may be one commit
/// late.
const MOST: u64 = 8 * 16 + 16;

fn store() -> Embedded {
    Embedded::open(&Opening { log_pages: LOG_PAGES, ..Opening::server() })
}

/// Commits so many times, each at least a page.
async fn commit(store: &Embedded, times: usize) {
    for n in 0..times {
        store.set_meta("x", n.to_string()).await.unwrap();
    }
}

/// How many pages the log's file has room for: as many as were ever in it at a time.
fn room(store: &Embedded) -> u64 {
    let mut log = store.path().as_os_str().to_owned();
    log.push("-wal");
    // Each with a head of 24 bytes, after a head of 32.
    (fs::metadata(log).unwrap().len() - 32) / (4096 + 24)
}

#[tokio::test]
async fn commits_without_end_leave_the_log_small() {
    let store = store();
    commit(&store, 2000).await;
    assert!((u64::from(LOG_PAGES)..MOST).contains(&room(&store)), "{} pages", room(&store));
}

#[tokio::test]
async fn who_looks_into_the_database_for_long_lets_the_log_grow_but_only_for_so_long() {
    let store = store();
    let long_look = store.raw();
    long_look.execute_batch("BEGIN; SELECT count(*) FROM meta").unwrap();
    commit(&store, 500).await;
    assert!(room(&store) > 500, "{} pages", room(&store));
    long_look.execute_batch("COMMIT").unwrap();

    let length = |db: &Connection| -> u32 {
        db.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get(1)).unwrap()
    };
    let before = room(&store);
    commit(&store, 8 * LOG_PAGES as usize + 16).await;
    let length = length(&long_look);
    assert!(u64::from(length) < MOST, "{length} pages");
    assert!(room(&store) < before + MOST);
}
