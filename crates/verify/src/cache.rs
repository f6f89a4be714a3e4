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
    claims: Arc<AccessClaims>,
}

impl Cache {
    /// A cache of at most `capacity` tokens; of none, if that is zero.
    pub(crate) fn new(capacity: usize) -> Self {
        let ways = capacity.clamp(1, WAYS);
        let sets = std::iter::repeat_with(Mutex::default).take(capacity / ways).collect();
        Self { sets, ways }
    }

    /// What the token said, if it is known and `still_good`. An entry that isn't is dropped.
    pub(crate) fn recall(
        &self,
        digest: &Digest,
        still_good: impl FnOnce(&AccessClaims) -> Result<(), TokenError>,
    ) -> Option<Result<Arc<AccessClaims>, TokenError>> {
        let mut set = self.set(digest)?;
        let at = set.iter().position(|entry| entry.digest == *digest)?;
        let entry = set.get(at)?;
        match still_good(&entry.claims) {
            Ok(()) => Some(Ok(Arc::clone(&entry.claims))),
            Err(error) => {
                set.swap_remove(at);
                Some(Err(error))
            }
        }
    }

    /// Keeps what a good token said.
    pub(crate) fn remember(&self, digest: Digest, claims: Arc<AccessClaims>) {
        let Some(mut set) = self.set(&digest) else { return };
        let known = set.iter().position(|entry| entry.digest == digest);
        let place = match known {
            Some(at) => set.get_mut(at),
            None if set.len() < self.ways => None,
            None => set.iter_mut().min_by_key(|entry| entry.claims.expires_at),
        };
        let entry = Entry { digest, claims };
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
