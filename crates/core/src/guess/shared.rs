//! The counts that all nodes share.
//!
//! Where several nodes serve, windows of their own would give a guesser so many times the guesses. So the store keeps
//! the three counts of a guess where every node meets them, and this says how they change: the store lets in one try
//! after the other, and knows no rule.
//!
//! Here a try counts as failed from the moment it is let in, and a failure needs no second word: a client that hung up
//! and a node that died have failed. What must be told is a right password, one that wasn't checked, and the failure
//! that makes a window full, since a block begins with it.
//!
//! What a node saw of a block it keeps in its own windows ([`Guesses::learn`]). Whoever is refused there doesn't reach
//! the store, so that a flood of guesses stays where it arrives.

use super::ceiling::Run;
use super::table::Worth;
use super::window::Window;
use super::{GuessPolicy, Guesses, Limit, Outcome, Place, Standing, Throttled};
use crate::client::Network;
use crate::name::NameKey;
use crate::time::Timestamp;

/// One try at a password, for the counts that all nodes share.
#[derive(Clone, Copy)]
pub struct SharedTry {
    policy: GuessPolicy,
    place: Place,
    standing: Standing,
}

/// The three counts of a try: its network's, its name's on that network, and its account's over all networks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SharedCounts {
    network: Window,
    pair: Window,
    run: Run,
}

/// A count as a store keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredCount {
    /// The count.
    pub bytes: Vec<u8>,
    /// What would be forgotten with it: where room is needed, the least goes first.
    pub worth: u32,
    /// When it is worth nothing any more.
    pub over_at: Timestamp,
}

impl Guesses {
    /// A try at a password of this name for a client on this network, once [`Guesses::admit`] has let it in here.
    pub fn shared(&self, name: &NameKey, network: Network, standing: Standing) -> SharedTry {
        SharedTry { policy: self.counts().policy, place: Place::of(name, network, standing), standing }
    }

    /// Takes in what all nodes share, as it was seen last.
    pub fn learn(&self, of: &SharedTry, counts: &SharedCounts, now: Timestamp) {
        let mut own = self.counts();
        let at = own.steady.read(Some(now));
        own.networks.with(of.place.network, at, |network| network.learn(counts.network, at));
        own.pairs.with(of.place.pair, at, |pair| pair.learn(counts.pair, at));
        own.runs.with(of.place.run, now, |run| run.learn_shared(counts.run));
    }
}

impl SharedTry {
    /// What the three counts are kept by, in their order. They tell names to whoever can guess those: a store gets
    /// them under a key.
    pub fn keys(&self) -> [[u8; 16]; 3] {
        [self.place.network, self.place.pair, self.place.run].map(u128::to_le_bytes)
    }

    /// Counts a try in all three, or in none. Its password may be checked once this is kept.
    pub fn admit(&self, counts: &mut SharedCounts, now: Timestamp) -> Result<(), Throttled> {
        let GuessPolicy { name_limit, network_limit, window, ceiling } = self.policy;
        let throttled = |by| move |retry_after| Throttled { retry_after, by };
        counts.network.admit(network_limit, window, now).map_err(throttled(Limit::Network))?;
        counts.pair.admit(name_limit, window, now).map_err(throttled(Limit::Name))?;
        counts.run.admit_shared(self.standing, ceiling, now).map_err(throttled(Limit::Ceiling))?;

        counts.network.count_failure(window, now);
        counts.pair.count_failure(window, now);
        counts.run.count_failure(now);
        Ok(())
    }

    /// Whether this has to be told to [`SharedTry::settle`]: a failure is counted already, unless a block begins with
    /// it. The counts are those that [`SharedTry::admit`] left.
    pub fn must_tell(&self, outcome: Outcome, counts: &SharedCounts) -> bool {
        let GuessPolicy { name_limit, network_limit, .. } = self.policy;
        outcome != Outcome::Wrong || counts.network.is_full(network_limit) || counts.pair.is_full(name_limit)
    }

    /// Forgets the account's failures in a row: they no longer stand with the account either. Without that, the count
    /// would know more than the account for as long as a failure may be unwritten.
    pub fn unlock(&self, counts: &mut SharedCounts) {
        counts.run = Run::default();
    }

    /// Counts how a try went.
    pub fn settle(&self, counts: &mut SharedCounts, outcome: Outcome, now: Timestamp) {
        let GuessPolicy { name_limit, network_limit, window, .. } = self.policy;
        match outcome {
            Outcome::Wrong => {
                counts.network.block_if_full(network_limit, window, now);
                counts.pair.block_if_full(name_limit, window, now);
            }
            Outcome::Right => {
                counts.network.forget_failure();
                counts.pair.clear();
                counts.run = Run::default();
            }
            Outcome::NotChecked => {
                counts.network.forget_failure();
                counts.pair.forget_failure();
                counts.run.forget_failure();
            }
        }
    }
}

impl SharedCounts {
    /// The counts that a store kept. Nothing, and what isn't of this version's make, counts nothing.
    pub fn read(stored: [&[u8]; 3]) -> Self {
        let [network, pair, run] = stored;
        Self {
            network: Window::read(network).unwrap_or_default(),
            pair: Window::read(pair).unwrap_or_default(),
            run: Run::read(run).unwrap_or_default(),
        }
    }

    /// For the store to keep.
    pub fn stored(&self, now: Timestamp) -> [StoredCount; 3] {
        let of = |window: &Window| StoredCount {
            bytes: window.bytes(),
            worth: window.worth(now),
            over_at: window.over_at(),
        };
        let run =
            StoredCount { bytes: self.run.bytes(), worth: self.run.worth(now), over_at: self.run.over_at() };
        [of(&self.network), of(&self.pair), run]
    }
}

#[cfg(test)]
mod tests;
