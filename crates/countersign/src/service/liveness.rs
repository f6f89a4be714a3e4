//! Which sessions live, without a look-up per request (docs/decisions/0005-liveness-without-a-look-up.md).
//!
//! A token's first sight asks the store. After that only bad news matter: this node keeps the sessions that ended
//! within the life of their last access token, and follows the store's news, which its own writes and those of
//! others feed alike. News that are older than `liveness_max_age` are not trusted: then the store is asked each
//! time, and where it can't answer, nothing is let through.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use countersign_core::jwt::AccessClaims;
use countersign_core::session::{EndReason, Refusal};
use countersign_core::{Rights, Seconds, SessionId, Timestamp, UserId};
use countersign_store::{News, NewsItem, NewsSeq, Store, StoreError, User};
use countersign_verify::NotLive;
use tokio::sync::Mutex;

use super::known_users::KnownUsers;
use crate::settings::Settings;

/// The sessions that ended lately, and how fresh that knowledge is.
pub(crate) struct Liveness {
    store: Store,
    max_age: Seconds,
    leeway: Seconds,
    ended: RwLock<HashMap<SessionId, Remembered>>,
    /// The users whom no news says to have changed.
    users: KnownUsers<User>,
    /// What those may do.
    rights: KnownUsers<Rights>,
    /// Users whom this node changed, until its news are past that. A failover may lose the change with its news; then
    /// nothing else would say that the user is as before.
    changed_here: std::sync::Mutex<Vec<UserId>>,
    /// How often the news told of changed signing keys.
    key_changes: AtomicU64,
    /// Up to where the news are known. Whoever reads the news holds it, so that none is skipped.
    head: Mutex<NewsSeq>,
    /// When the news were last known to be complete.
    fresh_at: AtomicI64,
}

/// An ended session, and when it may be forgotten: once its last access token has died by the wall clock, and as much
/// time has really passed. A clock that jumps and comes back revives nothing.
#[derive(Clone, Copy)]
struct Remembered {
    reason: EndReason,
    ended_at: Timestamp,
    heard_at: Instant,
}

impl Liveness {
    /// Knows nothing yet, and what is news from now on.
    pub(crate) async fn start(store: Store, settings: &Settings, now: Timestamp) -> Result<Self, StoreError> {
        let head = store.news_head().await?;
        Ok(Self {
            store,
            max_age: settings.liveness_max_age,
            leeway: settings.leeway,
            ended: RwLock::default(),
            users: KnownUsers::new(),
            rights: KnownUsers::new(),
            changed_here: std::sync::Mutex::default(),
            key_changes: AtomicU64::new(0),
            head: Mutex::new(head),
            fresh_at: AtomicI64::new(now.millis()),
        })
    }

    /// Reads the news since the last time. Once this returns, all that was in the store when it was called is known.
    pub(crate) async fn catch_up(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut head = self.head.lock().await;
        let changed_here = self.changed_here().len();
        let news = self.store.news(*head).await?;
        // Nothing waits between these: news that are past are known.
        self.take_in(&news);
        *head = news.head;
        for user in self.changed_here().drain(..changed_here) {
            self.forget_user(user);
        }
        self.fresh_at.store(now.millis(), Ordering::Release);
        Ok(())
    }

    /// The users who are known, as far as that can be trusted now: only with fresh news.
    pub(crate) fn users(&self, now: Timestamp) -> Option<&KnownUsers<User>> {
        self.is_fresh(now).then_some(&self.users)
    }

    /// What they may do, as far as that can be trusted now.
    pub(crate) fn rights(&self, now: Timestamp) -> Option<&KnownUsers<Rights>> {
        self.is_fresh(now).then_some(&self.rights)
    }

    /// Forgets a user whom this node has just changed: now, and when the news are past that.
    pub(crate) fn user_changed(&self, user: UserId) {
        self.forget_user(user);
        self.changed_here().push(user);
    }

    fn forget_user(&self, user: UserId) {
        self.users.forget(user);
        self.rights.forget(user);
    }

    fn changed_here(&self) -> std::sync::MutexGuard<'_, Vec<UserId>> {
        self.changed_here.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often the news told of changed signing keys, so far.
    pub(crate) fn key_changes(&self) -> u64 {
        self.key_changes.load(Ordering::Acquire)
    }

    /// Whether the news are fresh enough to be trusted.
    pub(crate) fn is_fresh(&self, now: Timestamp) -> bool {
        // A clock that was set back tells nothing of an age: either way off is stale.
        let age = now.millis().abs_diff(self.fresh_at.load(Ordering::Acquire));
        age <= self.max_age.millis().unsigned_abs()
    }

    /// Forgets sessions whose last access token has died: they ended longer ago than it takes for that.
    pub(crate) fn forget_old(&self, afterlife: Seconds, now: Timestamp) {
        let span = Duration::from_secs(afterlife.0.into());
        let needed = |ended: &Remembered| ended.ended_at + afterlife > now || ended.heard_at.elapsed() < span;
        self.ended.write().unwrap_or_else(PoisonError::into_inner).retain(|_, ended| needed(ended));
    }

    /// Whether the session of a verified token lives, if that is known without asking the store.
    pub(crate) fn known(
        &self,
        claims: &AccessClaims,
        first_sight: bool,
        now: Timestamp,
    ) -> Option<Result<(), NotLive>> {
        let ended = self.ended.read().unwrap_or_else(PoisonError::into_inner).get(&claims.session).copied();
        match ended {
            Some(ended) => Some(Err(not_live(ended.reason.refusal()))),
            None if !first_sight && self.is_fresh(now) => Some(Ok(())),
            None => None,
        }
    }

    /// Asks the store whether a session lives, and is this user's.
    pub(crate) async fn ask(&self, session: SessionId, user: UserId, now: Timestamp) -> Result<(), NotLive> {
        let found = self.store.session(session).await.map_err(|error| {
            tracing::warn!(%error, "a session could not be checked, so its request is refused");
            NotLive::Unavailable
        })?;
        let (session, owner) = found.ok_or(NotLive::Unknown)?;
        if session.user != user {
            return Err(NotLive::Unknown);
        }
        session.liveness(self.leeway, now).map_err(not_live)?;
        match owner {
            Some(owner) if owner.is_active => Ok(()),
            _ => Err(NotLive::UserInactive),
        }
    }

    fn take_in(&self, news: &News) {
        if news.anew {
            // What is kept here may be of changes that were lost.
            self.users.forget_all();
            self.rights.forget_all();
            self.key_changes.fetch_add(1, Ordering::AcqRel);
        }
        let heard_at = Instant::now();
        let mut ended = self.ended.write().unwrap_or_else(PoisonError::into_inner);
        for (at, item) in &news.items {
            match item {
                NewsItem::SessionEnded(end) => {
                    ended.insert(end.session, Remembered { reason: end.reason, ended_at: *at, heard_at });
                }
                NewsItem::KeysChanged => {
                    self.key_changes.fetch_add(1, Ordering::AcqRel);
                }
                NewsItem::UserChanged(user) => self.forget_user(*user),
                NewsItem::RightsChanged => self.rights.forget_all(),
            }
        }
    }
}

fn not_live(refusal: Refusal) -> NotLive {
    match refusal {
        Refusal::Unknown => NotLive::Unknown,
        Refusal::UserInactive => NotLive::UserInactive,
        Refusal::Ended | Refusal::Reused => NotLive::Ended,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use countersign_store::UserSelector;
    use serde_json::Map;

    use crate::Countersign;
    use crate::service::password::Password;
    use crate::service::users::UserToCreate;

    // attack 103
    #[tokio::test]
    async fn who_was_changed_here_is_forgotten_again_when_the_news_are_past_that_whatever_they_tell() {
        let folder = tempfile::tempdir().unwrap();
        let countersign = Countersign::builder().data_dir(folder.path().join("data")).build().await.unwrap();
        let service = countersign.service().clone();
        // It takes the background with it, which reads the news too.
        drop(countersign);
        let ana = UserToCreate {
            username: "ana".to_owned(),
            email: String::new(),
            password: Password::new("a pear tree in winter").unwrap(),
            is_superuser: false,
            fields: Map::new(),
        };
        let user = service.create_user(ana).await.unwrap().id;
        let (liveness, now) = (&service.liveness, service.now());
        liveness.catch_up(now).await.unwrap();
        let users = liveness.users(now).unwrap();
        let found = service.store.user(UserSelector::Id(user)).await.unwrap().unwrap();
        // A failover takes the change along, and the news of it, after the user was read.
        liveness.user_changed(user);
        for forgotten in [true, false] {
            let reading = users.recall(user, now).expect_err("the user is known");
            users.keep(&reading, Arc::new(found.clone()));
            assert!(users.recall(user, now).is_ok());
            liveness.catch_up(now).await.unwrap();
            assert_eq!(users.recall(user, now).is_err(), forgotten);
        }
    }
}
