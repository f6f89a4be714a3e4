//! What goes on: sessions over all users, the audit, the signing keys.

use countersign_core::{BuiltIn, SessionId};
use countersign_store::StoredKey;

use super::{
    AuditCount, AuditCounts, AuditCursor, AuditFilter, AuditRow, PAGE_MAX, Page, People, SessionFilter,
    SessionRow,
};
use crate::service::Error;
use crate::service::signing::ListedKey;

/// The most steps that are counted for one chart.
const STEPS_MAX: i64 = 1000;

impl People<'_> {
    /// A page of sessions, newest first. Needs `sessions.view`.
    pub async fn sessions(&self, filter: SessionFilter) -> Result<Page<SessionRow, SessionId>, Error> {
        self.actor.needs(BuiltIn::SessionsView)?;
        let filter = SessionFilter { limit: filter.limit.min(PAGE_MAX), ..filter };
        Ok(self.service.timed("list_sessions", self.service.store.list_sessions(filter)).await?)
    }

    /// How many sessions live. Needs `sessions.view`.
    pub async fn live_sessions(&self) -> Result<u64, Error> {
        self.actor.needs(BuiltIn::SessionsView)?;
        Ok(self.service.timed("live_sessions", self.service.store.live_sessions()).await?)
    }

    /// A page of the audit, newest first. Needs `audit.view`.
    pub async fn audit(&self, filter: AuditFilter) -> Result<Page<AuditRow, AuditCursor>, Error> {
        self.actor.needs(BuiltIn::AuditView)?;
        let limit = filter.limit.min(PAGE_MAX);
        // What has just happened is to be seen.
        self.service.write_outbox().await;
        let filter = AuditFilter { limit: limit + 1, ..filter };
        let mut rows = self.service.timed("audit_rows", self.service.store.audit_rows(filter)).await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more { rows.last().map(AuditRow::cursor) } else { None };
        Ok(Page { rows, next })
    }

    /// How much happened in each step of a span of time. Needs `audit.view`.
    pub async fn audit_counts(&self, counts: AuditCounts) -> Result<Vec<AuditCount>, Error> {
        self.actor.needs(BuiltIn::AuditView)?;
        let span = counts.until.millis().saturating_sub(counts.from.millis());
        if span / counts.step.millis().max(1) > STEPS_MAX {
            return Err(Error::field("step", format!("Ask for at most {STEPS_MAX} steps.")));
        }
        Ok(self.service.timed("audit_counts", self.service.store.audit_counts(counts)).await?)
    }

    /// The signing keys and what each does, oldest first. Needs `keys.view`.
    pub async fn keys(&self) -> Result<Vec<ListedKey>, Error> {
        self.actor.needs(BuiltIn::KeysView)?;
        self.service.list_keys().await
    }

    /// Makes a new signing key ([`Service::rotate_keys`](crate::service::Service::rotate_keys)). Needs `keys.change`.
    pub async fn rotate_keys(&self, at_once: bool) -> Result<StoredKey, Error> {
        self.actor.needs(BuiltIn::KeysChange)?;
        self.service.rotate_keys_as(self.actor, at_once).await
    }

    /// Removes signing keys ([`Service::prune_keys`](crate::service::Service::prune_keys)). Needs `keys.change`.
    pub async fn prune_keys(&self, named: &[String]) -> Result<Vec<String>, Error> {
        self.actor.needs(BuiltIn::KeysChange)?;
        self.service.prune_keys_as(self.actor, named).await
    }
}
