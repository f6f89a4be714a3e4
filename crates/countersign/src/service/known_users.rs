//! Users, and what they may do, as the store has them, kept while no news says otherwise: whoever calls asks for the same user again and again.
//!
//! 1. What is kept counts only while this node's news are fresh: then every change that other nodes made is heard within
//!    the second that the contract allows. Whoever asks sees to that.
//! 2. This node's own changes drop the user before they are answered, so they show at once.
//! 3. A user who was read *before* a change must not be kept *after* it. So whoever reads says beforehand that he will
//!    ([`KnownUsers::recall`] hands out the [`Reading`]), and what he brings is kept only if nothing changed meanwhile.
//! 4. Nothing is kept for longer than a minute: news are kept for more than an hour, so a machine that slept over the
//!    end of some has forgotten the users whom they were about.
//! 5. It is bounded: the id picks one small set, under a lock of its own, and a full set gives up what was read first.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign_core::{Seconds, Timestamp, UserId};

/// The most users that are kept.
const CAPACITY: usize = 16_384;

/// The most users in one set.
const WAYS: usize = 16;

/// How old what is kept may be.
const MAX_AGE: Seconds = Seconds(60);

/// What is known of users: one thing of each.
pub(crate) struct KnownUsers<T>(Vec<Mutex<Set<T>>>);

/// Users whose ids have the same remainder.
struct Set<T> {
    users: Vec<Known<T>>,
    /// How many changes of them were heard of.
    changes: u64,
}

struct Known<T> {
    id: UserId,
    value: Arc<T>,
    read_at: Timestamp,
}

/// A user who is about to be read from the store, and what was known before.
#[must_use]
pub(crate) struct Reading {
    user: UserId,
    changes: u64,
    since: Timestamp,
}

impl<T> KnownUsers<T> {
    pub(crate) fn new() -> Self {
        let set = || Mutex::new(Set { users: Vec::new(), changes: 0 });
        Self(std::iter::repeat_with(set).take(CAPACITY / WAYS).collect())
    }

    /// The user, if they are known, and were read not long before `now`.
    pub(crate) fn recall(&self, user: UserId, now: Timestamp) -> Result<Arc<T>, Reading> {
        let Some(set) = self.set(user) else { return Err(Reading { user, changes: 0, since: now }) };
        let known = set.users.iter().find(|known| known.id == user && known.is_young(now));
        known.map(|known| Arc::clone(&known.value)).ok_or(Reading { user, changes: set.changes, since: now })
    }

    /// Keeps a user who was read, unless they may have changed since the reading began.
    pub(crate) fn keep(&self, reading: &Reading, value: Arc<T>) {
        let Some(mut set) = self.set(reading.user) else { return };
        if set.changes != reading.changes {
            return;
        }
        set.users.retain(|known| known.id != reading.user && known.is_young(reading.since));
        if set.users.len() >= WAYS {
            let oldest = set.users.iter().enumerate().min_by_key(|(_, known)| known.read_at);
            if let Some((at, _)) = oldest {
                set.users.swap_remove(at);
            }
        }
        set.users.push(Known { id: reading.user, value, read_at: reading.since });
    }

    /// Forgets a user, who has changed.
    pub(crate) fn forget(&self, user: UserId) {
        if let Some(mut set) = self.set(user) {
            set.changes += 1;
            set.users.retain(|known| known.id != user);
        }
    }

    /// Forgets all users: something changed that many of them have in common.
    pub(crate) fn forget_all(&self) {
        for set in &self.0 {
            let mut set = set.lock().unwrap_or_else(PoisonError::into_inner);
            set.changes += 1;
            set.users.clear();
        }
    }

    fn set(&self, user: UserId) -> Option<MutexGuard<'_, Set<T>>> {
        let number = usize::try_from(user.0).ok()?.checked_rem(self.0.len())?;
        // Nothing that runs under the lock can leave a set half changed.
        Some(self.0.get(number)?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T> Known<T> {
    /// A clock that was set back tells nothing of an age: too far off either way is old.
    fn is_young(&self, now: Timestamp) -> bool {
        now.millis().abs_diff(self.read_at.millis()) <= MAX_AGE.millis().unsigned_abs()
    }
}

#[cfg(test)]
mod tests {
    use countersign_store::User;
    use serde_json::Map;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);

    fn user(id: i64, first_name: &str) -> Arc<User> {
        Arc::new(User {
            id: UserId(id),
            username: format!("user-{id}"),
            email: String::new(),
            first_name: first_name.to_owned(),
            last_name: String::new(),
            is_active: true,
            is_staff: false,
            is_superuser: false,
            joined_at: NOW,
            last_login_at: None,
            fields: Map::new(),
        })
    }

    fn begin(known: &KnownUsers<User>, id: i64, now: Timestamp) -> Reading {
        known.recall(UserId(id), now).expect_err("the user is known")
    }

    fn read(known: &KnownUsers<User>, id: i64, now: Timestamp) {
        let reading = begin(known, id, now);
        known.keep(&reading, user(id, "Alice"));
    }

    fn knows(known: &KnownUsers<User>, id: i64, now: Timestamp) -> bool {
        known.recall(UserId(id), now).is_ok_and(|user| user.id == UserId(id))
    }

    #[test]
    fn a_user_who_was_read_is_known() {
        let known = KnownUsers::new();
        read(&known, 1, NOW);
        assert!(knows(&known, 1, NOW));
        assert!(!knows(&known, 1 + i64::try_from(CAPACITY / WAYS).unwrap(), NOW));
    }

    #[test]
    fn what_was_read_before_a_change_is_not_kept_after_it() {
        let known = KnownUsers::new();
        let before = begin(&known, 1, NOW);
        known.forget(UserId(1));
        known.keep(&before, user(1, "as she was"));
        assert!(!knows(&known, 1, NOW));
        // Whoever reads after the change sees it, and that is kept, whichever comes first.
        let after = begin(&known, 1, NOW);
        known.keep(&after, user(1, "as she is"));
        known.keep(&before, user(1, "as she was"));
        assert_eq!(
            known.recall(UserId(1), NOW).map(|user| user.first_name.clone()).ok().unwrap(),
            "as she is"
        );
    }

    #[test]
    fn a_user_who_changed_is_forgotten_and_no_other() {
        let known = KnownUsers::new();
        read(&known, 1, NOW);
        read(&known, 2, NOW);
        known.forget(UserId(1));
        assert_eq!([1, 2].map(|id| knows(&known, id, NOW)), [false, true]);
    }

    #[test]
    fn what_many_have_in_common_makes_all_forgotten() {
        let known = KnownUsers::new();
        read(&known, 1, NOW);
        let before = begin(&known, 2, NOW);
        known.forget_all();
        known.keep(&before, user(2, "as she was"));
        assert_eq!([1, 2].map(|id| knows(&known, id, NOW)), [false, false]);
    }

    #[test]
    fn nothing_is_kept_for_longer_than_a_minute_whichever_way_the_clock_goes() {
        let known = KnownUsers::new();
        read(&known, 1, NOW);
        for (now, is_known) in [
            (NOW + MAX_AGE, true),
            (NOW - MAX_AGE, true),
            (NOW + MAX_AGE + Seconds(1), false),
            (NOW - MAX_AGE - Seconds(1), false),
        ] {
            assert_eq!(knows(&known, 1, now), is_known, "{now:?}");
        }
    }

    #[test]
    fn a_full_set_gives_up_what_was_read_first() {
        let known = KnownUsers::new();
        let step = i64::try_from(CAPACITY / WAYS).unwrap();
        let ids: Vec<i64> = (0..=i64::try_from(WAYS).unwrap()).map(|n| 1 + n * step).collect();
        for (at, id) in (0..).zip(&ids) {
            read(&known, *id, NOW + Seconds(at));
        }
        let now = NOW + Seconds(16);
        assert!(!knows(&known, ids[0], now));
        assert!(ids[1..].iter().all(|id| knows(&known, *id, now)));
    }
}
