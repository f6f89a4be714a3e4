//! The embedded engine: SQLite, with one thread that writes and a few that read.
//!
//! - `open`: files, lock, pragmas, migrations.
//! - `writer`: commits in groups; `job` and `queue` carry use cases to it and answers back.
//! - `checkpoints`: how the writer's log gets into the database.
//! - `at_hand`: short reads on the caller's own thread.
//! - `users`, `people`, `groups`, `links`, `fields`, `login`, `sessions`, `rotation`, `news`, `keys`, `audit`, `admin`,
//!   `cleanup`: the use cases, each one function that gets a connection inside a transaction.
//!
//! Several processes may use one file (the command line beside a server): SQLite's locks keep them apart, and each
//! waits for the other. Only one may serve from it.

mod admin;
mod at_hand;
mod audit;
mod batch;
mod checkpoints;
mod cleanup;
mod copy;
mod export;
mod fields;
mod groups;
mod import;
mod job;
mod keys;
mod links;
mod login;
mod news;
mod open;
mod people;
mod queue;
mod rotation;
mod sessions;
mod sql;
mod users;
mod writer;

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use countersign_core::Timestamp;
use countersign_core::fields::UserFields;
use rusqlite::Connection;

pub use open::OpenError;

use self::at_hand::AtHand;
use self::checkpoints::Checkpoints;
use self::cleanup::Walk;
use self::job::IfAbandoned;
use self::queue::Queue;
use self::sql::Result;
use self::writer::Gauge;
use crate::StoreError;
use crate::row::RAISE_META;

/// The most use cases that may wait for the writer, or for a reader.
const QUEUE: usize = 4096;

/// The most connections at hand: reads there are so short that more are never in use at once.
const AT_HAND: usize = 4;

/// Pages of the write-ahead log (16 MiB) after which they are brought into the database: a page that many commits change is
/// then written once. The log's file has room for four times as many, and somewhat more.
const LOG_PAGES: u32 = 4096;

/// How to open the database.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Whether this process serves from the database. Only one may, and holds a lock on it for its life.
    pub serves: bool,
    /// Whether a database that is missing is made, and one that is behind is brought up to date.
    pub migrates: bool,
    /// How long a use case may wait for its turn until it is [`StoreError::Unavailable`].
    pub patience: Duration,
    /// How many threads read. So many short reads at once, but at most four, need no thread.
    pub readers: usize,
    /// How many more pages in the write-ahead log make it due to be brought into the database.
    pub log_pages: u32,
    /// The declared custom fields: by their values users are found, and those that are unique only one may have.
    pub fields: Arc<UserFields>,
}

/// A database file. Clones share it; it is closed with the last of them, or by [`Store::close`](crate::Store::close).
#[derive(Clone)]
pub struct Sqlite(Arc<Inner>);

struct Inner {
    writes: Arc<Queue>,
    reads: Arc<Queue>,
    at_hand: AtHand,
    gauge: Arc<Gauge>,
    walk: Mutex<Walk>,
    patience: Duration,
    fields: Arc<UserFields>,
    /// With the queue that each serves; the writer's comes last, since the last connection to close brings the
    /// write-ahead log into the database.
    threads: Mutex<Vec<(Arc<Queue>, JoinHandle<()>)>>,
}

impl Opening {
    /// For a server.
    pub fn server() -> Self {
        let readers = thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 8));
        Self {
            serves: true,
            migrates: true,
            patience: Duration::from_secs(5),
            readers,
            log_pages: LOG_PAGES,
            fields: Arc::default(),
        }
    }

    /// For a tool that may run beside a server, such as the command line.
    pub fn tool() -> Self {
        Self { serves: false, readers: 1, ..Self::server() }
    }

    /// For a look at what is there.
    pub fn look() -> Self {
        Self { migrates: false, ..Self::tool() }
    }
}

/// Opening and closing.
impl Sqlite {
    /// Opens the database, making it or bringing it up to date where that is needed. Its folder must exist.
    pub fn open(path: impl AsRef<Path>, opening: &Opening) -> std::result::Result<Self, OpenError> {
        let opened = open::open(path.as_ref(), opening)?;
        let readers = (0..opening.readers.max(1)).map(|_| open::reader(&opened.path));
        let readers = readers.collect::<std::result::Result<Vec<_>, _>>()?;
        let at_hand = (0..opening.readers.clamp(1, AT_HAND)).map(|_| open::impatient_reader(&opened.path));
        let at_hand = at_hand.collect::<std::result::Result<Vec<_>, _>>()?;
        let inner = Inner {
            writes: Arc::new(Queue::new(QUEUE)),
            reads: Arc::new(Queue::new(QUEUE)),
            at_hand: AtHand::new(at_hand),
            gauge: Arc::default(),
            walk: Mutex::default(),
            patience: opening.patience,
            fields: Arc::clone(&opening.fields),
            threads: Mutex::default(),
        };
        let failed = |source| OpenError::File { path: opened.path.clone(), source };
        for db in readers {
            inner.spawn("countersign-read", &inner.reads, move |queue| serve(&db, queue)).map_err(failed)?;
        }
        let copies = Arc::new(Queue::new(1));
        let copier = open::copier(&opened.path)?;
        inner.spawn("countersign-copy", &copies, move |queue| serve(&copier, queue)).map_err(failed)?;
        let (mut db, lock, gauge) = (opened.writer, opened.lock, Arc::clone(&inner.gauge));
        let checkpoints = Checkpoints::new(&mut db, copies, opening.log_pages)
            .map_err(|error| open::refused(&opened.path, &error))?;
        let write = move |queue: &Queue| {
            writer::run(&db, queue, &gauge, checkpoints);
            // The connection first: whoever gets the lock next finds a closed database.
            drop(db);
            drop(lock);
        };
        inner.spawn("countersign-write", &inner.writes, write).map_err(failed)?;
        Ok(Self(Arc::new(inner)))
    }

    pub(crate) async fn close(&self) {
        let (inner, threads) = (Arc::clone(&self.0), std::mem::take(&mut *self.0.threads()));
        let close = move || {
            inner.at_hand.close();
            for (queue, thread) in threads {
                queue.close();
                let _ = thread.join();
            }
        };
        let _ = tokio::task::spawn_blocking(close).await;
    }

    /// How many times the writer has committed: fewer than there were changes, since it commits them in groups.
    pub fn commits(&self) -> u64 {
        self.0.gauge.commits.load(Ordering::Relaxed)
    }
}

/// Being there.
impl Sqlite {
    pub(crate) async fn ping(&self) -> Result<()> {
        self.read(|db| sql::value::<i64>(db, "SELECT count FROM open_sessions", []).map(drop)).await?;
        let gauge = Arc::clone(&self.0.gauge);
        self.write(move |db| {
            // To begin a transaction shows that one can; whether the disk has room shows only in a change.
            if gauge.in_trouble.load(Ordering::Acquire) {
                sql::run(db, SET_META, ("probe", ""))?;
            }
            Ok(())
        })
        .await
    }

    /// A file has the clock of its machine.
    #[expect(clippy::unused_async, reason = "the other engine has to ask")]
    pub(crate) async fn time(&self) -> Result<Option<Timestamp>> {
        Ok(None)
    }

    pub(crate) async fn meta(&self, name: &'static str) -> Result<Option<String>> {
        self.read(move |db| {
            sql::first(db, "SELECT value FROM meta WHERE name = $1", [name], |row| Ok(row.get(0)?))
        })
        .await
    }

    pub(crate) async fn set_meta(&self, name: &'static str, value: String) -> Result<()> {
        self.write(move |db| Ok(sql::run(db, SET_META, (name, value)).map(drop)?)).await
    }

    pub(crate) async fn raise_meta(&self, name: &'static str, to: i64) -> Result<i64> {
        self.write(move |db| sql::value(db, RAISE_META, (name, to))).await
    }
}

const SET_META: &str = "INSERT INTO meta (name, value) VALUES ($1, $2)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// Carrying use cases to the threads.
impl Sqlite {
    /// The declared custom fields.
    fn declared(&self) -> Arc<UserFields> {
        Arc::clone(&self.0.fields)
    }

    /// Does `work`, which reads a few rows by their keys, at once, or on a reader's connection where that would be to wait.
    async fn read_now<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> Result<T> + Send + 'static,
    {
        match self.0.at_hand.read(&work) {
            Some(answer) => answer,
            None => self.read(work).await,
        }
    }

    /// Does `work` on a reader's connection.
    async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.send(&self.0.reads, IfAbandoned::Drop, work).await
    }

    /// Does `work` in a transaction of the writer. An error of `work` undoes what it did.
    async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.send(&self.0.writes, IfAbandoned::Do, work).await
    }

    /// Like `write`, for work that may refuse: then too, what it did is undone.
    async fn write_or_refuse<T, E, F>(&self, work: F) -> std::result::Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> std::result::Result<T, E> + Send + 'static,
    {
        self.send(&self.0.writes, IfAbandoned::Do, work).await
    }

    /// Like `write`, for work that makes tokens: not begun if nobody waits for them any more.
    async fn write_if_awaited<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.send(&self.0.writes, IfAbandoned::Drop, work).await
    }

    async fn send<T, E, F>(
        &self,
        queue: &Queue,
        if_abandoned: IfAbandoned,
        work: F,
    ) -> std::result::Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> std::result::Result<T, E> + Send + 'static,
    {
        let (job, ticket) = job::new(if_abandoned, work);
        queue.push(job).map_err(|refused| StoreError::Unavailable(refused.to_string()))?;
        ticket.wait(self.0.patience).await
    }
}

impl Inner {
    /// Starts a thread that serves a queue.
    fn spawn(
        &self,
        name: &str,
        queue: &Arc<Queue>,
        serve: impl FnOnce(&Queue) + Send + 'static,
    ) -> std::io::Result<()> {
        let served = Arc::clone(queue);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || serve(&served))?;
        self.threads().push((Arc::clone(queue), thread));
        Ok(())
    }

    fn walk(&self) -> MutexGuard<'_, Walk> {
        self.walk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn threads(&self) -> MutexGuard<'_, Vec<(Arc<Queue>, JoinHandle<()>)>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.at_hand.close();
        for (queue, _) in self.threads().iter() {
            queue.close();
        }
    }
}

/// The life of a thread that reads, or copies.
fn serve(db: &Connection, queue: &Queue) {
    loop {
        let jobs = queue.take(1);
        if jobs.is_empty() {
            return;
        }
        for mut job in jobs {
            if job.claim() {
                job.run(db);
                job.answer(Ok(()));
            }
        }
    }
}

#[cfg(test)]
mod tests;
