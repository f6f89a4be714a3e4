//! Security events: each is a row of the audit and a line of the log.
//!
//! What goes with a change is written with it, by the store. What changes nothing (a failed login) is gathered here
//! and written in the background, a few times a second, so that nobody's wrong password waits for the disk, and a
//! thousand of them cost one write.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use countersign_core::jwt::RefreshClaims;
use countersign_core::session::EndReason;
use countersign_core::{Client, PermissionName, Timestamp, UserId};
use countersign_store::{AuditEvent, Batch, BatchId, CeilingState, EventKind, Failures, NewUser};
use serde_json::{Map, Value};

/// The most events that wait; more are counted and told of, but not kept one by one.
const WAITING_MAX: usize = 4096;

/// Gathers what is to be written in the background.
#[derive(Default)]
pub(crate) struct Outbox {
    waiting: Mutex<Waiting>,
    /// Whoever writes holds it: there is one batch at a time, and who has it knows that all before are written.
    pub(super) writing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Waiting {
    events: Vec<AuditEvent>,
    /// Where the event of each bucket stands among them.
    buckets: HashMap<String, usize>,
    /// Failed guesses that are not written yet.
    failures: HashMap<UserId, Failures>,
    /// Failed guesses of the last batch. They may not be seen in the store yet by whoever read it a moment ago.
    last_batch: HashMap<UserId, Failures>,
    /// The last batch, until it is known to be written: its name, its time, and its events.
    unwritten: Option<(BatchId, Timestamp, Vec<AuditEvent>)>,
    dropped: u64,
}

impl Outbox {
    /// Keeps an event for the audit, and logs it: of those that share a bucket, the first.
    pub(crate) fn push(&self, event: &AuditEvent) {
        if self.lock().keep(event) {
            log(event);
        }
    }

    /// Keeps a failed guess at an account's password.
    pub(crate) fn failed(&self, failures: Failures) {
        add(&mut self.lock().failures, failures);
    }

    /// Forgets an account's failed guesses, right before the store does: written after that, they would count again.
    pub(crate) async fn forget_failures(&self, user: UserId) {
        let is_under_way = {
            let waiting = self.lock();
            waiting.unwritten.is_some() && waiting.last_batch.contains_key(&user)
        };
        // What is being written now must be in the store before the store forgets it.
        if is_under_way {
            drop(self.writing.lock().await);
        }
        let mut waiting = self.lock();
        waiting.failures.remove(&user);
        waiting.last_batch.remove(&user);
    }

    /// An account's ceiling, as it was read from the store, with the failures that were not there yet.
    pub(crate) fn ceiling(&self, user: UserId, stored: CeilingState) -> CeilingState {
        let waiting = self.lock();
        let unseen = |batch: &&Failures| Some(batch.last_at) > stored.last_failure_at;
        let last_batch = waiting.last_batch.get(&user).filter(unseen);
        last_batch.into_iter().chain(waiting.failures.get(&user)).fold(stored, |ceiling, failures| {
            let is_old = ceiling.last_failure_at.is_some_and(|at| at < failures.forget_before);
            let before = if is_old { 0 } else { ceiling.failures };
            CeilingState {
                failures: before.saturating_add(failures.count),
                last_failure_at: ceiling.last_failure_at.max(Some(failures.last_at)),
            }
        })
    }

    /// The batch that is to be written now, if anything waits. It is the last one again, until that is known to be
    /// written: under its name the store takes it once.
    pub(crate) fn batch(&self, id: BatchId, at: Timestamp) -> Option<Batch> {
        let waiting = &mut *self.lock();
        if waiting.unwritten.is_none() {
            waiting.last_batch = std::mem::take(&mut waiting.failures);
            waiting.buckets.clear();
            let events = std::mem::take(&mut waiting.events);
            let is_empty = events.is_empty() && waiting.last_batch.is_empty();
            waiting.unwritten = (!is_empty).then_some((id, at, events));
        }
        let (id, at, events) = waiting.unwritten.clone()?;
        Some(Batch { id, at, events, failures: waiting.last_batch.values().copied().collect() })
    }

    /// The last batch is written.
    pub(crate) fn written(&self) {
        self.lock().unwritten = None;
    }

    /// How many events found no room since this was asked last.
    pub(crate) fn dropped(&self) -> u64 {
        std::mem::take(&mut self.lock().dropped)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Keeps an event, if there is room; whether it is news.
    fn keep(&mut self, event: &AuditEvent) -> bool {
        let same = event.bucket.as_ref().and_then(|bucket| self.buckets.get(bucket));
        if let Some(same) = same.and_then(|index| self.events.get_mut(*index)) {
            same.count = same.count.saturating_add(event.count);
            same.at = same.at.max(event.at);
            return false;
        }
        if self.events.len() >= WAITING_MAX {
            self.dropped += 1;
            return false;
        }
        if let Some(bucket) = &event.bucket {
            self.buckets.insert(bucket.clone(), self.events.len());
        }
        self.events.push(event.clone());
        true
    }
}

fn add(batch: &mut HashMap<UserId, Failures>, more: Failures) {
    let sum = batch.entry(more.user).or_insert(Failures { count: 0, ..more });
    sum.count = sum.count.saturating_add(more.count);
    sum.last_at = sum.last_at.max(more.last_at);
}

/// An event that a user caused to themselves.
pub(crate) fn own(kind: EventKind, user: UserId, client: &Client, at: Timestamp) -> AuditEvent {
    AuditEvent { actor: Some(user), user: Some(user), ip: client.ip, ..AuditEvent::new(kind, at) }
}

/// A user made by the set-up link, by whoever had it.
pub(crate) fn set_up(user: &NewUser, at: Timestamp) -> AuditEvent {
    let mut detail = as_made(user);
    detail.insert("by".to_owned(), "setup_link".into());
    AuditEvent { detail, ..AuditEvent::new(EventKind::UserCreated, at) }
}

/// What the audit says of a new user, besides their id.
pub(crate) fn as_made(user: &NewUser) -> Map<String, Value> {
    let permissions: Vec<_> = user.permissions.iter().map(PermissionName::as_str).collect();
    let groups: Vec<_> = user.groups.iter().map(|group| group.0).collect();
    Map::from_iter([
        ("username".to_owned(), user.username.clone().into()),
        ("email".to_owned(), user.email.clone().into()),
        ("is_active".to_owned(), user.is_active.into()),
        ("is_staff".to_owned(), user.is_staff.into()),
        ("is_superuser".to_owned(), user.is_superuser.into()),
        ("groups".to_owned(), groups.into()),
        ("permissions".to_owned(), permissions.into()),
    ])
}

/// The detail that says why a session ended.
pub(crate) fn reason(reason: EndReason) -> Map<String, Value> {
    Map::from_iter([("reason".to_owned(), Value::from(reason.as_str()))])
}

/// Writes an event to the log. Session ids stay out of it, and text that a client sent is escaped.
pub(crate) fn log(event: &AuditEvent) {
    let kind = event.kind.as_str();
    let user = event.user.map(|user| user.0);
    let actor = event.actor.map(|actor| actor.0);
    let ip = event.ip.map(tracing::field::display);
    let detail = (!event.detail.is_empty()).then(|| Value::Object(event.detail.clone()).to_string());
    match event.kind {
        EventKind::Theft | EventKind::LoginThrottled | EventKind::GraceElsewhere => {
            tracing::warn!(target: "countersign::security", event = kind, user, actor, ip, detail);
        }
        _ => tracing::info!(target: "countersign::security", event = kind, user, actor, ip, detail),
    }
}

/// Writes a theft to the log; the store has put it into the audit.
pub(crate) fn log_theft(claims: &RefreshClaims, client: &Client, at: Timestamp) {
    log(&own(EventKind::Theft, claims.user, client, at));
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn failed(user: i64, count: u32) -> Failures {
        Failures { user: UserId(user), count, last_at: NOW, forget_before: Timestamp::from_secs(0) }
    }

    fn event(bucket: &str) -> AuditEvent {
        AuditEvent { bucket: Some(bucket.to_owned()), ..AuditEvent::new(EventKind::LoginFailed, NOW) }
    }

    /// How often who has failed.
    type Failed = Vec<(i64, u32)>;

    /// What is to be written now: its name, its events, and how often who has failed.
    fn batch(outbox: &Outbox, id: u8) -> Option<(u8, u64, Failed)> {
        let batch = outbox.batch(BatchId([id; 16]), NOW)?;
        let mut failures: Failed =
            batch.failures.iter().map(|failed| (failed.user.0, failed.count)).collect();
        failures.sort_unstable();
        Some((batch.id.0[0], batch.events.iter().map(|event| event.count).sum(), failures))
    }

    #[test]
    fn a_batch_stays_the_same_until_it_is_known_to_be_written() {
        let outbox = Outbox::default();
        assert_eq!(batch(&outbox, 1), None);
        outbox.failed(failed(1, 3));
        outbox.push(&event("a"));
        assert_eq!(batch(&outbox, 2), Some((2, 1, vec![(1, 3)])));

        // It could not be written, or nobody knows. More comes.
        outbox.failed(failed(1, 1));
        outbox.failed(failed(2, 1));
        outbox.push(&event("a"));
        outbox.push(&event("a"));
        assert_eq!(batch(&outbox, 3), Some((2, 1, vec![(1, 3)])));
        outbox.written();
        assert_eq!(batch(&outbox, 4), Some((4, 2, vec![(1, 1), (2, 1)])));
        outbox.written();
        assert_eq!(batch(&outbox, 5), None);
    }

    #[tokio::test]
    async fn failures_that_were_forgotten_are_not_written_again() {
        let outbox = Outbox::default();
        outbox.failed(failed(1, 3));
        outbox.failed(failed(2, 1));
        assert_eq!(batch(&outbox, 1), Some((1, 0, vec![(1, 3), (2, 1)])));
        outbox.forget_failures(UserId(1)).await;
        assert_eq!(batch(&outbox, 2), Some((1, 0, vec![(2, 1)])));
    }
}
