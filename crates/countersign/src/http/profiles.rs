//! Profiles as they were answered: a user who asks again is answered with the same bytes.
//!
//! The bytes belong to a user *as read from the store*: to the very object, which never changes. So nothing here can be
//! stale, whoever decides for how long a user is kept ([`KnownUsers`](crate::service::known_users)). It is bounded: the id
//! picks one place, and whoever comes to it takes it.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use axum::body::Bytes;

use crate::service::User;

/// The most profiles that are kept.
const CAPACITY: usize = 4096;

pub(super) struct Profiles(Vec<Mutex<Option<Written>>>);

struct Written {
    /// Keeps the place in memory from being another user's.
    user: Weak<User>,
    profile: Bytes,
}

impl Profiles {
    pub(super) fn new() -> Self {
        Self(std::iter::repeat_with(Mutex::default).take(CAPACITY).collect())
    }

    /// The profile of this user, written by `write` if it is the first time; none if that writes none.
    pub(super) fn of(&self, user: &Arc<User>, write: impl FnOnce(&User) -> Option<Bytes>) -> Option<Bytes> {
        let number = usize::try_from(user.id.0).unwrap_or_default();
        let Some(place) = self.0.get(number % CAPACITY) else { return write(user) };
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        match &*place {
            Some(written) if std::ptr::eq(written.user.as_ptr(), Arc::as_ptr(user)) => {
                Some(written.profile.clone())
            }
            _ => {
                let profile = write(user)?;
                *place = Some(Written { user: Arc::downgrade(user), profile: profile.clone() });
                Some(profile)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::{Timestamp, UserId};
    use serde_json::Map;

    use super::*;

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
            joined_at: Timestamp::from_secs(0),
            last_login_at: None,
            fields: Map::new(),
        })
    }

    /// What writes a profile; of nobody without an id.
    fn write(user: &User) -> Option<Bytes> {
        (user.id != UserId(0)).then(|| format!("{} {}", user.id.0, user.first_name).into())
    }

    fn never(_: &User) -> Option<Bytes> {
        panic!("it was written already")
    }

    #[test]
    fn a_profile_is_written_once_for_as_long_as_its_user_is_the_same() {
        let profiles = Profiles::new();
        let before = user(1, "Ana");
        assert_eq!(profiles.of(&before, write).unwrap(), "1 Ana");
        assert_eq!(profiles.of(&before, never).unwrap(), "1 Ana");
        let after = user(1, "Anna");
        assert_eq!(profiles.of(&after, write).unwrap(), "1 Anna");
        // Whoever still has the old one is not told of the new one by mistake.
        assert_eq!(profiles.of(&before, write).unwrap(), "1 Ana");
    }

    #[test]
    fn what_could_not_be_written_is_tried_again() {
        let profiles = Profiles::new();
        let nobody = user(0, "Nobody");
        assert_eq!(profiles.of(&nobody, write), None);
        assert_eq!(profiles.of(&nobody, |_| Some(Bytes::from_static(b"now"))).unwrap(), "now");
    }

    #[test]
    fn no_user_is_answered_with_another_s_profile() {
        let profiles = Profiles::new();
        let step = i64::try_from(CAPACITY).unwrap();
        for round in 0..3 {
            for id in [7, 7 + step, 7 + 2 * step] {
                // Gone at once: the next one may lie where it lay.
                assert_eq!(profiles.of(&user(id, "Ben"), write).unwrap(), format!("{id} Ben"), "{round}");
            }
        }
    }
}
