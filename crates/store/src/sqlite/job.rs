//! A job: one use case, carried to a thread that owns a connection, and its answer back.
//!
//! A job is *claimed* once: by the thread that begins it, or by the caller who no longer wants it. So a caller who
//! gave up before it began knows that nothing has changed and nothing will.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::StoreError;

/// A use case, as the thread that does it sees it.
pub(super) trait Job: Send {
    /// Whether the job is to be done: its caller has not withdrawn it, and now can't any more.
    fn claim(&self) -> bool;

    /// Does it. `false`: it failed, and what it has changed is to be undone.
    fn run(&mut self, db: &Connection) -> bool;

    /// Answers the caller, now that its changes are on disk, or aren't and why.
    fn answer(self: Box<Self>, fate: Result<(), &str>);
}

/// What becomes of a job whose caller goes away before it begins (the client hung up).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum IfAbandoned {
    /// It is done: someone asked for it. A logout counts even when nobody waits for the answer.
    Do,
    /// It is dropped: nobody would get the tokens that it makes. A rotation that nobody hears of would only make the
    /// client's token look stolen later.
    Drop,
}

/// A caller's claim to an answer.
pub(super) struct Ticket<T, E> {
    claimed: Arc<AtomicBool>,
    reply: oneshot::Receiver<Result<T, E>>,
    if_abandoned: IfAbandoned,
}

struct Task<T, E, F> {
    claimed: Arc<AtomicBool>,
    work: Option<F>,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

/// A job that does this work, and the ticket for its answer.
pub(super) fn new<T, E, F>(if_abandoned: IfAbandoned, work: F) -> (Box<dyn Job>, Ticket<T, E>)
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
    F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
{
    let claimed = Arc::new(AtomicBool::new(false));
    let (sender, reply) = oneshot::channel();
    let task = Task { claimed: Arc::clone(&claimed), work: Some(work), result: None, reply: sender };
    (Box::new(task), Ticket { claimed, reply, if_abandoned })
}

impl<T, E: From<StoreError>> Ticket<T, E> {
    /// Waits for the answer. A job that hasn't begun when `patience` is over is withdrawn; one that has is waited for
    /// as long again, since only the disk is between it and its answer.
    pub(super) async fn wait(mut self, patience: Duration) -> Result<T, E> {
        let reply = match timeout(patience, &mut self.reply).await {
            Ok(reply) => reply,
            Err(_) if claim(&self.claimed) => return unavailable("it did not get to the request in time"),
            Err(_) => match timeout(patience, &mut self.reply).await {
                Ok(reply) => reply,
                Err(_) => return unavailable("it has not answered in time, and may yet do what was asked"),
            },
        };
        reply.unwrap_or_else(|_| unavailable("it stopped before it got to the request"))
    }
}

impl<T, E> Drop for Ticket<T, E> {
    fn drop(&mut self) {
        if self.if_abandoned == IfAbandoned::Drop {
            claim(&self.claimed);
        }
    }
}

impl<T, E, F> Job for Task<T, E, F>
where
    T: Send,
    E: From<StoreError> + Send,
    F: FnOnce(&Connection) -> Result<T, E> + Send,
{
    fn claim(&self) -> bool {
        claim(&self.claimed)
    }

    fn run(&mut self, db: &Connection) -> bool {
        self.result = self.work.take().map(|work| caught(|| work(db)));
        matches!(self.result, Some(Ok(_)))
    }

    fn answer(self: Box<Self>, fate: Result<(), &str>) {
        let answer = match (self.result, fate) {
            (Some(Err(error)), _) => Err(error),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (Some(Ok(_)) | None, Err(reason)) => unavailable(reason),
            (None, Ok(())) => unavailable("it did not do what was asked"),
        };
        // An error means that the caller is gone.
        let _ = self.reply.send(answer);
    }
}

/// Does `work`, of which a panic is the defect: the thread, and everyone else's use cases, go on.
pub(super) fn caught<T, E: From<StoreError>>(work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let panicked = |_| Err(StoreError::Defect("a use case panicked".to_owned()).into());
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(panicked)
}

/// Whether the caller of this function is the first to claim.
fn claim(claimed: &AtomicBool) -> bool {
    !claimed.swap(true, Ordering::AcqRel)
}

fn unavailable<T, E: From<StoreError>>(reason: &str) -> Result<T, E> {
    Err(StoreError::Unavailable(reason.to_owned()).into())
}
