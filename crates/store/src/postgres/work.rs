//! Carrying a use case to a connection, and its answer back.
//!
//! **When it is tried again.** A transaction that lost against another one (a deadlock, a serialization failure) is
//! undone by the server, and so is one whose connection broke before its COMMIT was sent: nothing has happened, and the
//! whole use case runs once more. Where the answer to a COMMIT, or to a statement that is a transaction by itself, never
//! came, nobody knows. Then only a use case that says that twice is as good as once is repeated; for all others that is
//! [`StoreError::Unavailable`], in words that say so.
//!
//! **When it is given up.** All of it has one deadline, and the caller hears no later. What isn't answered by then is
//! cancelled at the server (which works through a pooler too), and its connection is dropped, since nobody knows its
//! state. A change isn't cancelled where a synchronous standby confirms changes: while PostgreSQL waits for its word, to
//! cancel means to show the change to everyone though only this machine has it, and a repeat would be told that it is
//! done. Such a change keeps its connection, and its place in the pool, until it ends. Inside a transaction the server
//! has our limit for each statement; PostgreSQL has none for a COMMIT.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout, timeout_at};

use super::Postgres;
use super::pool::{Lent, Pool};
use super::sql::{Db, Error, Fault, Result};
use crate::StoreError;
use crate::row::Columns;

/// How often a use case that lost against another one is tried again.
const TRIES: u32 = 10;
/// The pause before a new try, longer each time, so that those who met don't meet again.
const PAUSE: Duration = Duration::from_millis(3);
/// How long the question may take whether a change may be cancelled.
const PATIENCE_TO_ASK: Duration = Duration::from_secs(1);
/// How often a use case whose connection broke gets another one.
const CONNECTIONS: u32 = 3;

/// What to do when nobody knows whether a change was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum IfUnknown {
    /// Make it again: twice is as good as once.
    Repeat,
    /// Say so.
    Tell,
}

/// How a use case uses its connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shape {
    /// Nothing is changed.
    Read,
    /// One statement, which is a transaction by itself.
    Statement(IfUnknown),
    /// Several, between BEGIN and COMMIT.
    Transaction,
}

/// What a use case does on its connection, from its arguments: more than once, if it is tried again.
pub(super) trait Work<A, T>: Fn(Db, Arc<A>) -> Self::Run + Send + 'static {
    /// It, under way.
    type Run: Future<Output = Result<T>> + Send + 'static;
}

impl<A, T, F, W> Work<A, T> for W
where
    F: Future<Output = Result<T>> + Send + 'static,
    W: Fn(Db, Arc<A>) -> F + Send + 'static,
{
    type Run = F;
}

impl Postgres {
    /// Reads, with statements that needn't see the same moment.
    pub(super) async fn read<A, T>(
        &self,
        args: A,
        work: impl Work<A, T>,
    ) -> std::result::Result<T, StoreError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.if_awaited(Shape::Read, args, work).await
    }

    /// Reads on the connection that is kept for the news: they must come through however many requests wait.
    pub(super) async fn read_news<A, T>(
        &self,
        args: A,
        work: impl Work<A, T>,
    ) -> std::result::Result<T, StoreError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let job = Job { lane: Lane::News, ..self.job() };
        job.detached(None, Shape::Read, args, work).await
    }

    /// Does `work` in a transaction. An error of `work` undoes what it did. It is done even if its caller goes away.
    pub(super) async fn write<A, T>(
        &self,
        args: A,
        work: impl Work<A, T>,
    ) -> std::result::Result<T, StoreError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.job().detached(None, Shape::Transaction, args, work).await
    }

    /// Does `work`, which is one statement. It is done even if its caller goes away.
    pub(super) async fn statement<A, T>(
        &self,
        args: A,
        if_unknown: IfUnknown,
        work: impl Work<A, T>,
    ) -> std::result::Result<T, StoreError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.job().detached(None, Shape::Statement(if_unknown), args, work).await
    }

    /// Like `write`, for work that makes tokens: not begun if nobody waits for them any more.
    pub(super) async fn write_if_awaited<A, T>(
        &self,
        args: A,
        work: impl Work<A, T>,
    ) -> std::result::Result<T, StoreError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.if_awaited(Shape::Transaction, args, work).await
    }

    /// Like `statement`, for work that makes tokens.
    pub(super) async fn statement_if_awaited<A, T>(
        &self,
        args: A,
        if_unknown: IfUnknown,
        work: impl Work<A, T>,
    ) -> std::result::Result<T, StoreError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.if_awaited(Shape::Statement(if_unknown), args, work).await
    }

    /// Gets a connection while the caller waits for it, and then goes on whether they do or not.
    async fn if_awaited<A, T>(
        &self,
        shape: Shape,
        args: A,
        work: impl Work<A, T>,
    ) -> std::result::Result<T, StoreError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let job = self.job();
        let lent = job.pool().lend(job.deadline).await?;
        job.detached(Some(lent), shape, args, work).await
    }

    fn job(&self) -> Job {
        let deadline = Instant::now() + self.0.patience;
        Job { postgres: self.clone(), lane: Lane::Requests, deadline, tries: TRIES, connections: CONNECTIONS }
    }
}

/// Whose connections are used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lane {
    Requests,
    News,
}

/// A use case on its way, and what is left of our patience with it.
struct Job {
    postgres: Postgres,
    lane: Lane,
    deadline: Instant,
    tries: u32,
    connections: u32,
}

/// A try that failed.
struct Failure {
    error: Error,
    /// Whether what it was to change may have been changed.
    unknown: bool,
}

impl Job {
    /// On a task of its own: it goes on when the caller's future is dropped, and the connection comes back in order.
    async fn detached<A, T>(
        self,
        lent: Option<Lent>,
        shape: Shape,
        args: A,
        work: impl Work<A, T>,
    ) -> std::result::Result<T, StoreError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let args = Arc::new(args);
        let task = tokio::spawn(async move { self.run(lent, shape, args, work).await });
        // A panic is a defect of this use case alone; the server undoes its transaction.
        task.await.unwrap_or_else(|_| Err(StoreError::Defect("a use case panicked".to_owned())))
    }

    async fn run<A, T>(
        mut self,
        mut lent: Option<Lent>,
        shape: Shape,
        args: Arc<A>,
        work: impl Work<A, T>,
    ) -> std::result::Result<T, StoreError>
    where
        T: Send + 'static,
    {
        loop {
            let lent = match lent.take() {
                Some(lent) => lent,
                None => self.pool().lend(self.deadline).await?,
            };
            let db = Db(Arc::clone(lent.connection()));
            let work = work(db.clone(), Arc::clone(&args));
            let mut tried = Box::pin(attempt(db, shape, self.limit(), work));
            let Ok(tried) = timeout_at(self.deadline.into(), &mut tried).await else {
                self.pool().suspect_all();
                if shape == Shape::Read {
                    self.pool().cancel(&lent);
                } else {
                    tokio::spawn(async move {
                        if self.may_cancel().await {
                            self.pool().cancel(&lent);
                        }
                        let _ = tried.await;
                        drop(lent);
                    });
                }
                return Err(late());
            };
            match tried {
                Ok(value) => {
                    self.pool().give_back(lent);
                    return Ok(value);
                }
                Err(failure) => {
                    self.after(lent, failure.error.fault);
                    self.prepare_another(failure, shape).await?;
                }
            }
        }
    }

    /// Whether a change may be cancelled: nowhere does a synchronous standby have to confirm it. Where that can't be
    /// asked, it may not.
    async fn may_cancel(&self) -> bool {
        let news = &self.postgres.0.news;
        let Ok(lent) = news.lend(Instant::now() + PATIENCE_TO_ASK).await else { return false };
        let db = Db(Arc::clone(lent.connection()));
        let query = "SELECT current_setting('synchronous_standby_names') = ''";
        let asked = timeout(PATIENCE_TO_ASK, db.first(query, &[], |row| row.flag(0))).await;
        let Ok(Ok(alone)) = asked else { return false };
        news.give_back(lent);
        alone.unwrap_or(false)
    }

    /// What becomes of the connection.
    fn after(&self, lent: Lent, fault: Fault) {
        match fault {
            Fault::Own | Fault::Lost => self.pool().give_back(lent),
            Fault::Connection | Fault::ReadOnly => self.pool().suspect_all(),
        }
    }

    /// Whether there is to be another try: else the error.
    async fn prepare_another(
        &mut self,
        failure: Failure,
        shape: Shape,
    ) -> std::result::Result<(), StoreError> {
        let Failure { error, unknown } = failure;
        if unknown && !matches!(shape, Shape::Read | Shape::Statement(IfUnknown::Repeat)) {
            let reason = format!("{}; what was asked for may have been done or not", error.cause);
            return Err(StoreError::Unavailable(reason));
        }
        let left = match error.fault {
            Fault::Own => None,
            Fault::Lost => self.tries.checked_sub(1).inspect(|left| self.tries = *left),
            Fault::Connection | Fault::ReadOnly => {
                self.connections.checked_sub(1).inspect(|left| self.connections = *left)
            }
        };
        if left.is_none() || Instant::now() >= self.deadline {
            return Err(error.cause);
        }
        if error.fault == Fault::Lost {
            sleep(PAUSE * (TRIES - self.tries)).await;
        }
        Ok(())
    }

    /// How long the server may take for a statement.
    fn limit(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
    }

    fn pool(&self) -> &Pool {
        match self.lane {
            Lane::Requests => &self.postgres.0.pool,
            Lane::News => &self.postgres.0.news,
        }
    }
}

async fn attempt<T>(
    db: Db,
    shape: Shape,
    limit: Duration,
    work: impl Future<Output = Result<T>>,
) -> std::result::Result<T, Failure> {
    if shape != Shape::Transaction {
        // A statement that the server refused has done nothing; only one whose connection broke may have.
        return work.await.map_err(|error| Failure { unknown: error.fault == Fault::Connection, error });
    }
    let undone = |error| Failure { error, unknown: false };
    // SET LOCAL ends with the transaction: nothing stays on the connection.
    let begin = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = {0};
        SET LOCAL idle_in_transaction_session_timeout = {0}",
        limit.as_millis()
    );
    db.batch(&begin).await.map_err(undone)?;
    match work.await {
        Ok(value) => {
            let committed = db.batch("COMMIT").await;
            committed.map_err(|error| Failure { unknown: error.fault == Fault::Connection, error })?;
            Ok(value)
        }
        Err(error) if error.fault == Fault::Connection => Err(undone(error)),
        Err(error) => match db.batch("ROLLBACK").await {
            Ok(()) => Err(undone(error)),
            Err(_broken) => Err(undone(Error { cause: error.cause, fault: Fault::Connection })),
        },
    }
}

fn late() -> StoreError {
    StoreError::Unavailable("it has not answered in time, and may yet do what was asked".to_owned())
}
