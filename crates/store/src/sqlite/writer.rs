//! The writer: one thread, one connection, and one commit for all the jobs that wait.
//!
//! A commit costs a trip to the disk, whatever is in it. So the thread takes every job that waits, up to a bound,
//! runs each inside a savepoint of its own, commits once, and only then answers them all. A job that fails is undone
//! alone; a commit that fails is everyone's, and nothing of it has happened.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rusqlite::Connection;

use super::checkpoints::Checkpoints;
use super::job::Job;
use super::queue::Queue;
use super::sql;

/// The most jobs of one commit: enough to make the disk's part small, few enough that the first needn't wait long.
const GROUP: usize = 256;

/// What the rest of the program sees of the writer.
#[derive(Default)]
pub(super) struct Gauge {
    /// How many groups were committed.
    pub(super) commits: AtomicU64,
    /// Whether the last group failed. A probe write shows when that is over.
    pub(super) in_trouble: AtomicBool,
}

/// Commits what comes through the queue, until it is closed and empty.
pub(super) fn run(db: &Connection, queue: &Queue, gauge: &Arc<Gauge>, mut checkpoints: Checkpoints) {
    loop {
        let group = queue.take(GROUP);
        if group.is_empty() {
            return;
        }
        let fate = commit(db, group);
        let was_in_trouble = gauge.in_trouble.swap(fate.is_err(), Ordering::AcqRel);
        match fate {
            Ok(()) => {
                gauge.commits.fetch_add(1, Ordering::Relaxed);
                checkpoints.after_commit(db);
                if was_in_trouble {
                    tracing::info!("the database can be written again");
                }
            }
            Err(reason) if !was_in_trouble => tracing::error!(reason, "the database can't be written"),
            Err(_) => {}
        }
    }
}

/// Does a group in one transaction, and answers each of its jobs.
fn commit(db: &Connection, group: Vec<Box<dyn Job>>) -> Result<(), String> {
    let mut jobs = group.into_iter();
    let mut done = Vec::new();
    let fate = transaction(db, &mut jobs, &mut done).map_err(|error| error.to_string());
    if fate.is_err() && !db.is_autocommit() {
        // Whatever this says, the next BEGIN will tell.
        let _ = sql::run(db, "ROLLBACK", []);
    }
    for job in done.into_iter().chain(jobs) {
        job.answer(fate.as_ref().copied().map_err(String::as_str));
    }
    fate
}

/// Runs the jobs, moving them to `done`. After an error the transaction is not committed, and may be gone.
fn transaction(
    db: &Connection,
    jobs: &mut impl Iterator<Item = Box<dyn Job>>,
    done: &mut Vec<Box<dyn Job>>,
) -> Result<(), Failure> {
    // IMMEDIATE: whoever writes later must not find that it read too early.
    sql::run(db, "BEGIN IMMEDIATE", [])?;
    for mut job in jobs {
        if !job.claim() {
            continue;
        }
        let begun = sql::run(db, "SAVEPOINT job", []);
        let keep = begun.is_ok() && job.run(db);
        done.push(job);
        begun?;
        if db.is_autocommit() {
            return Err(Failure::GivenUp);
        }
        if !keep {
            sql::run(db, "ROLLBACK TO job", [])?;
        }
        sql::run(db, "RELEASE job", [])?;
    }
    sql::run(db, "COMMIT", [])?;
    Ok(())
}

/// Why nothing of a group was kept.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// After some errors, such as a full disk, SQLite undoes the whole transaction by itself.
    #[error("it gave up a transaction that this was part of")]
    GivenUp,
    /// A statement of the group's own failed.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}
