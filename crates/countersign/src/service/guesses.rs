//! Leave to check a password.
//!
//! This node's own memory is asked first. Where several nodes share a store, the counts there decide
//! ([`SharedTry`]); whom this node refuses already doesn't get that far.

use aws_lc_rs::hmac;
use countersign_core::guess::{Ceiling, Outcome, SharedCounts, SharedTry, Standing, Throttled, Ticket};
use countersign_core::name::NameKey;
use countersign_core::{Client, Network, Secret, Timestamp, UserId};
use countersign_store::{CountKey, StoreError};
use tokio::sync::Semaphore;

use super::Service;
use super::derive::{self, CryptoFailure};

/// So many guesses are counted in the store at once, so that a flood of them leaves its connections to the rest.
const AT_ONCE: usize = 4;

/// What a node needs to count guesses where all nodes see them.
pub(super) struct Sharing {
    /// Names and networks stand in the store under this: whoever reads it there learns neither.
    key: hmac::Key,
    places: Semaphore,
}

/// Leave to check one password. It counts as a failure until it is settled, and for good if it never is.
#[must_use = "one that is dropped is a failed check"]
pub(super) enum Leave {
    /// Counted by this node alone.
    Here(Ticket),
    /// Counted in the store: the counts as they were then.
    Everywhere(SharedTry, SharedCounts),
}

/// Why there is none.
pub(super) enum NoLeave {
    /// Too many have failed.
    Throttled(Throttled),
    /// It can't be known.
    Store(StoreError),
}

impl Sharing {
    pub(super) fn new(root: &Secret) -> Result<Self, CryptoFailure> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &derive::guesses_key(root)?);
        Ok(Self { key, places: Semaphore::new(AT_ONCE) })
    }

    fn keys(&self, of: &SharedTry) -> [CountKey; 3] {
        of.keys().map(|key| {
            let tag = hmac::sign(&self.key, &key);
            CountKey(tag.as_ref().first_chunk().copied().unwrap_or_default())
        })
    }
}

impl Service {
    /// Asks leave. `now` is read before the standing is loaded.
    pub(super) async fn leave_to_guess(
        &self,
        name: &NameKey,
        network: Network,
        standing: Standing,
        now: Timestamp,
    ) -> Result<Leave, NoLeave> {
        let ticket = self.guesses.admit(name, network, standing, now).map_err(NoLeave::Throttled)?;
        let shared = self.guesses.shared(name, network, standing);
        let admitted = self.in_the_store(shared, move |counts| shared.admit(counts, now), now).await;
        let admitted = match admitted {
            Ok(None) => return Ok(Leave::Here(ticket)),
            Ok(Some(admitted)) => Ok(admitted),
            Err(error) => Err(NoLeave::Store(error)),
        };
        // It is counted there, or it isn't allowed: nothing of it counts here. That comes before what was seen there is
        // taken in, or the same try would count twice for a moment, and refuse another one.
        ticket.settle(Outcome::NotChecked, self.now());
        let (admitted, counts) = admitted?;
        self.guesses.learn(&shared, &counts, self.now());
        admitted.map(|()| Leave::Everywhere(shared, counts)).map_err(NoLeave::Throttled)
    }

    /// Counts how the check went.
    pub(super) async fn settle_guess(&self, leave: Leave, outcome: Outcome) {
        match leave {
            Leave::Here(ticket) => ticket.settle(outcome, self.now()),
            Leave::Everywhere(shared, counts) if shared.must_tell(outcome, &counts) => {
                let now = self.now();
                let settle = move |counts: &mut SharedCounts| shared.settle(counts, outcome, now);
                if let Err(error) = self.change_shared(shared, settle, now).await {
                    tracing::warn!(%error, "how a guess went could not be counted; it stays counted as failed");
                }
            }
            Leave::Everywhere(..) => {}
        }
    }

    /// Forgets an account's failures in a row where all nodes meet them, after the store has forgotten those that stand
    /// with the account.
    pub(super) async fn unlock_shared(&self, user: UserId) {
        let standing = Standing::Account { user, ceiling: Ceiling::default(), here_before: false };
        // Of the three counts it is the account's; this name and network have never failed.
        let of =
            self.guesses.shared(&NameKey::of_any(&user.to_string()), Client::default().network(), standing);
        let unlocked = self.change_shared(of, move |counts| of.unlock(counts), self.now()).await;
        if let Err(error) = unlocked {
            tracing::warn!(%error, "failed guesses could not be forgotten at once; they are in a few seconds");
        }
    }

    /// Changes the counts of a try in the store, if all nodes meet there, and takes in what was seen.
    async fn change_shared(
        &self,
        of: SharedTry,
        change: impl Fn(&mut SharedCounts) + Send + Sync + 'static,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if let Some(((), counts)) = self.in_the_store(of, change, now).await? {
            self.guesses.learn(&of, &counts, self.now());
        }
        Ok(())
    }

    /// Changes the counts of a try in the store, if all nodes meet there.
    async fn in_the_store<T: Send + 'static>(
        &self,
        of: SharedTry,
        change: impl Fn(&mut SharedCounts) -> T + Send + Sync + 'static,
        now: Timestamp,
    ) -> Result<Option<(T, SharedCounts)>, StoreError> {
        let keys = self.sharing.keys(&of);
        // It is closed with the service, and then the store is closed too.
        let _place = self.sharing.places.acquire().await;
        self.store.change_counts(keys, change, now).await
    }
}
