//! Tokens that were verified once: an Ed25519 check costs four times a whole bare request, and each token comes back
//! many times in its five minutes.
//!
//! 1. The key is the SHA-256 of the whole token, so that no live bearer token lies in memory, and no other token is
//!    ever answered.
//! 2. An entry says what was signed, no more. What passes with time is looked at again at every hit: there is no
//!    way to read an entry but [`Cache::recall`], which asks whether it is still good.
//! 3. A cache belongs to one set of keys. New keys come with a new, empty cache, so what a removed key verified is
//!    gone, and an entry that arrives late arrives where nobody looks.
//! 4. Tokens that fail are not kept: an attacker makes as many as he likes.
//! 5. It is bounded, and every step takes the same time however full it is: the digest picks one small set, under
//!    a lock of its own, and a full set gives up the entry that expires first.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign_core::jwt::{AccessClaims, TokenError};
use countersign_core::secret::sha256;

/// The most entries in one set. With 16, a cache that is half full gives up hardly any entry early.
const WAYS: usize = 16;

pub(crate) struct Cache {
    sets: Vec<Mutex<Vec<Entry>>>,
    ways: usize,
}

/// The SHA-256 of a whole token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digest([u8; 32]);

struct Entry {
    digest: Digest,
    /// The claims' own. It lies here because a new neighbour looks at it: what is elsewhere takes a while to be there.
    expires_at: i64,
    claims: Arc<AccessClaims>,
}

impl Cache {
    /// A cache of at most `capacity` tokens; of none, if that is zero.
    pub(crate) fn new(capacity: usize) -> Self {
        let ways = capacity.clamp(1, WAYS);
        let sets = std::iter::repeat_with(Mutex::default).take(capacity / ways).collect();
        Self { sets, ways }
    }

    /// What the token said, if it is known and, by the second in which it expires, `still_good`. An entry that isn't is
    /// dropped.
    pub(crate) fn recall(
        &self,
        digest: &Digest,
        still_good: impl FnOnce(i64) -> Result<(), TokenError>,
    ) -> Option<Result<Arc<AccessClaims>, TokenError>> {
        let mut set = self.set(digest)?;
        let at = set.iter().position(|entry| entry.digest == *digest)?;
        let entry = set.get(at)?;
        match still_good(entry.expires_at) {
            Ok(()) => Some(Ok(Arc::clone(&entry.claims))),
            Err(error) => {
                set.swap_remove(at);
                Some(Err(error))
            }
        }
    }

    /// Keeps what a good token said. Its neighbours that aren't `still_good` go: a cache of short lives would
    /// otherwise fill up with the dead.
    pub(crate) fn remember(
        &self,
        digest: Digest,
        claims: Arc<AccessClaims>,
        still_good: impl Fn(i64) -> bool,
    ) {
        let Some(mut set) = self.set(&digest) else { return };
        set.retain(|entry| still_good(entry.expires_at));
        let known = set.iter().position(|entry| entry.digest == digest);
        let place = match known {
            Some(at) => set.get_mut(at),
            None if set.len() < self.ways => None,
            None => set.iter_mut().min_by_key(|entry| entry.expires_at),
        };
        let entry = Entry { digest, expires_at: claims.expires_at, claims };
        match place {
            Some(place) => *place = entry,
            None => set.push(entry),
        }
    }

    fn set(&self, digest: &Digest) -> Option<MutexGuard<'_, Vec<Entry>>> {
        let set = self.sets.get(digest.number().checked_rem(self.sets.len())?)?;
        // Nothing that runs under the lock can leave a set half changed.
        Some(set.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Digest {
    pub(crate) fn of(token: &[u8]) -> Self {
        Self(sha256(token))
    }

    /// A number that spreads tokens evenly.
    fn number(&self) -> usize {
        let [a, b, c, d, ..] = self.0;
        u32::from_le_bytes([a, b, c, d]) as usize
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::{SessionId, Timestamp, UserId};

    use super::*;

    fn claims(user: i64, expires_at: i64) -> Arc<AccessClaims> {
        Arc::new(AccessClaims {
            issuer: "issuer".into(),
            audience: "audience".into(),
            user: UserId(user),
            session: SessionId::new(Timestamp::from_secs(0), [0; 10]),
            jti: None,
            issued_at: 0,
            expires_at,
            auth_time: None,
            csh: None,
            extra: serde_json::Map::new(),
        })
    }

    fn digest(n: i64) -> Digest {
        Digest::of(&n.to_le_bytes())
    }

    fn remember(cache: &Cache, digest: Digest, claims: Arc<AccessClaims>) {
        cache.remember(digest, claims, |_| true);
    }

    fn recall(cache: &Cache, n: i64) -> Option<i64> {
        cache.recall(&digest(n), |_| Ok(())).map(|known| known.unwrap().user.0)
    }

    fn len(cache: &Cache) -> usize {
        cache.sets.iter().map(|set| set.lock().unwrap().len()).sum()
    }

    // attack 23
    #[test]
    fn it_never_holds_more_than_its_capacity() {
        for capacity in [0, 1, 7, 16, 17, 100, 1000] {
            let cache = Cache::new(capacity);
            for n in 0..5_000 {
                remember(&cache, digest(n), claims(n, n));
            }
            assert!(len(&cache) <= capacity, "{} of {capacity}", len(&cache));
            assert!(len(&cache) * 2 > capacity || capacity == 0, "{} of {capacity}", len(&cache));
        }
    }

    // attack 23
    #[test]
    fn each_token_is_answered_with_its_own_claims_or_not_at_all() {
        let cache = Cache::new(500);
        for n in 0..2_000 {
            remember(&cache, digest(n), claims(n, n));
        }
        let known = (0..2_000).filter_map(|n| recall(&cache, n).map(|user| assert_eq!(user, n))).count();
        assert_eq!(known, len(&cache));
        assert_eq!(recall(&cache, 2_001), None);
    }

    #[test]
    fn a_cache_that_is_half_full_loses_hardly_anything() {
        let cache = Cache::new(8_192);
        for n in 0..4_096 {
            remember(&cache, digest(n), claims(n, n));
        }
        assert!(len(&cache) > 4_050, "{}", len(&cache));
    }

    #[test]
    fn a_full_set_gives_up_what_expires_first() {
        let cache = Cache::new(WAYS);
        for (n, expires_at) in (0..).zip([5, 3, 1, 4, 2, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]) {
            remember(&cache, digest(n), claims(n, expires_at));
        }
        remember(&cache, digest(99), claims(99, 20));
        assert_eq!((recall(&cache, 2), recall(&cache, 99)), (None, Some(99)));
        remember(&cache, digest(98), claims(98, 20));
        assert_eq!((recall(&cache, 4), recall(&cache, 98)), (None, Some(98)));
        assert_eq!(len(&cache), WAYS);
    }

    #[test]
    fn a_token_that_is_remembered_twice_takes_one_place() {
        let cache = Cache::new(WAYS);
        remember(&cache, digest(1), claims(1, 1));
        remember(&cache, digest(1), claims(1, 1));
        assert_eq!(len(&cache), 1);
    }

    #[test]
    fn the_dead_make_room_for_the_living() {
        let cache = Cache::new(WAYS);
        for n in 0..8 {
            remember(&cache, digest(n), claims(n, n));
        }
        cache.remember(digest(9), claims(9, 9), |expires_at| expires_at > 5);
        assert_eq!(len(&cache), 3);
        assert_eq!([6, 7, 9].map(|n| recall(&cache, n)), [6, 7, 9].map(Some));
    }

    // attack 23
    #[test]
    fn what_is_no_longer_good_is_refused_and_dropped() {
        let cache = Cache::new(WAYS);
        remember(&cache, digest(1), claims(1, 1));
        let refused = cache.recall(&digest(1), |_| Err(TokenError::Expired));
        assert_eq!(refused, Some(Err(TokenError::Expired)));
        assert_eq!(recall(&cache, 1), None);
    }
}
