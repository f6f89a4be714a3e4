//! The way of the write-ahead log into the database, beside the writer.
//!
//! A commit appends to the log, and only the log is synced. Some time its pages must get into the database's file, or the
//! log would grow for ever; where they lie far apart, syncing that file takes the disk tens of milliseconds. A thread of
//! its own does it, on a connection of its own, while the writer goes on.
//!
//! The log starts over only when all of it is copied, and while the thread copies the writer appends more. So now and then
//! the writer copies that rest itself, between two commits: when the thread has just been there, and seldom enough that
//! fewer than one commit in a hundred waits for it.
//!
//! Who looks into the database for long keeps the log from starting over. Then it grows, and another attempt is due when
//! it has grown by as much again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, TryRecvError};

use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, ErrorCode, MAIN_DB};

use super::job::{self, IfAbandoned};
use super::queue::Queue;
use super::sql;

/// The log starts over at so many times as much as makes the thread copy it.
const START_OVER: u32 = 4;

/// When to bring the log into the database. The writer's.
pub(super) struct Checkpoints {
    /// Of the thread that copies.
    queue: Arc<Queue>,
    /// How many more pages make it copy.
    pages: u32,
    /// The log's pages, as of the last commit.
    length: Arc<AtomicU32>,
    /// The same, a commit earlier.
    before: u32,
    /// The length at which the thread copies.
    due: u32,
    /// The length at which the log is to start over; the writer waits for a thread that falls as far behind once more.
    over: u32,
    /// Closed by the thread when it has copied; none while it has nothing to do.
    copying: Option<Receiver<()>>,
}

impl Checkpoints {
    /// For the writer's connection, and the queue of a thread that copies.
    pub(super) fn new(writer: &mut Connection, queue: Arc<Queue>, pages: u32) -> rusqlite::Result<Self> {
        let length = Arc::new(AtomicU32::new(0));
        let committed = Arc::clone(&length);
        // In place of SQLite's own, which would copy within the commit.
        writer.wal_hook(Some(move |_: &mut _, pages| {
            committed.store(u32::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self { queue, pages, length, before: 0, due: pages, over: START_OVER * pages, copying: None })
    }

    /// Does what is due after a commit. The transaction is over, and its callers have their answers.
    pub(super) fn after_commit(&mut self, writer: &Connection) {
        let length = self.length.load(Ordering::Relaxed);
        if length < self.before {
            // It has started over.
            (self.due, self.over) = (self.pages, START_OVER * self.pages);
        }
        self.before = length;
        match &self.copying {
            None if length < self.due => {}
            None => self.copying = Some(self.begin()),
            Some(copying) => {
                if length >= self.over.saturating_add(START_OVER * self.pages) {
                    let _ = copying.recv();
                } else if copying.try_recv() == Err(TryRecvError::Empty) {
                    return;
                }
                self.copying = None;
                self.due = length.saturating_add(self.pages);
                if length >= self.over {
                    copy(writer);
                    self.over = length.saturating_add(START_OVER * self.pages);
                }
            }
        }
    }

    /// Lets the thread copy. What is returned is closed when it has, or doesn't take it any more.
    fn begin(&self) -> Receiver<()> {
        let (copied, copying) = mpsc::channel();
        let work = move |db: &Connection| -> sql::Result<()> {
            let _copied = copied;
            copy(db);
            Ok(())
        };
        let (job, _) = job::new(IfAbandoned::Do, work);
        // Where the thread takes no more, the writer finds that nobody copies, and does.
        let _ = self.queue.push(job);
        copying
    }
}

/// Copies what nobody's view of the database forbids, and syncs it.
fn copy(db: &Connection) {
    match db.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::PASSIVE) {
        Ok(_) => {}
        // Another process is copying.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {}
        Err(error) => tracing::warn!(%error, "the write-ahead log can't be brought into the database"),
    }
}
