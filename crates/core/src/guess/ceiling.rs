//! The ceiling: failures in a row of one account, over all networks.
//!
//! Whoever has many networks has many windows, so past the ceiling all of them together get one try a minute. The
//! owner isn't locked out by that: networks where the account has logged in before are exempt, a success from any
//! network ends it, and so do a day without a failure and `countersign users unlock`.

use super::table::Worth;
use super::window::seconds_up;
use super::{Outcome, STALE_MAX, Standing};
use crate::time::{Seconds, Timestamp};

/// How far apart the tries are past the ceiling.
const INTERVAL: Seconds = Seconds(60);

/// How long without a failure until they are forgotten.
const FORGOTTEN_AFTER: Seconds = Seconds(24 * 60 * 60);

/// A failure may be so old and not yet be stored with its account. Until then the count that all nodes share knows more.
const UNWRITTEN: Seconds = Seconds(5);

/// How the bytes for a store are laid out. Others count nothing.
const VERSION: u8 = 1;

/// An account's failures in a row, as the store keeps them. None at first, and after a success: whoever settles a
/// check stores [`Ceiling::failed`] or the default, and at a success the network too.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ceiling {
    /// How many.
    pub failures: u32,
    /// When the last one was.
    pub last_failure: Timestamp,
}

impl Ceiling {
    /// What counts of it `now`: after a day without a failure, nothing.
    #[must_use]
    pub fn current(self, now: Timestamp) -> Self {
        if self.age(now) < FORGOTTEN_AFTER.millis().unsigned_abs() { self } else { Self::default() }
    }

    /// With one more failure.
    #[must_use]
    pub fn failed(self, now: Timestamp) -> Self {
        Self { failures: self.current(now).failures.saturating_add(1), last_failure: now }
    }

    /// Whether it is past the ceiling, so that strange networks share one try a minute.
    pub fn is_past(self, ceiling: u32, now: Timestamp) -> bool {
        self.current(now).failures >= ceiling
    }

    /// Whether a strange network may try, while so many others do.
    fn admit(self, pending: u32, ceiling: u32, now: Timestamp) -> Result<(), Seconds> {
        if self.current(now).failures.saturating_add(pending) < ceiling {
            return Ok(());
        }
        let waited = if pending == 0 { self.age(now) } else { 0 };
        match INTERVAL.millis().unsigned_abs().saturating_sub(waited) {
            0 => Ok(()),
            left => Err(seconds_up(left)),
        }
    }

    /// A clock that was set back makes nobody wait until it has caught up.
    fn age(self, now: Timestamp) -> u64 {
        now.millis().abs_diff(self.last_failure.millis())
    }
}

/// A ceiling in memory: of a name that is no account, or of an account with the checks that are under way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Run {
    ceiling: Ceiling,
    /// Checks under way from strange networks.
    pending: u32,
}

impl Run {
    pub(super) fn admit(mut self, standing: Standing, ceiling: u32, now: Timestamp) -> Result<(), Seconds> {
        self.learn(standing, now);
        if standing.is_stranger() { self.ceiling.admit(self.pending, ceiling, now) } else { Ok(()) }
    }

    pub(super) fn hold(&mut self, standing: Standing, now: Timestamp) {
        self.learn(standing, now);
        self.pending = self.pending.saturating_add(u32::from(standing.is_stranger()));
    }

    pub(super) fn settle(&mut self, stranger: bool, outcome: Outcome, now: Timestamp) {
        self.pending = self.pending.saturating_sub(u32::from(stranger));
        match outcome {
            Outcome::Wrong => self.ceiling = self.ceiling.failed(now),
            Outcome::Right => self.ceiling = Ceiling::default(),
            Outcome::NotChecked => {}
        }
    }

    /// The same for the counts that all nodes share, where a check under way has failed already.
    pub(super) fn admit_shared(
        &mut self,
        standing: Standing,
        ceiling: u32,
        now: Timestamp,
    ) -> Result<(), Seconds> {
        if let Standing::Account { ceiling: stored, .. } = standing
            && (self.ceiling.age(now) >= UNWRITTEN.millis().unsigned_abs()
                || stored.failures > self.ceiling.failures)
        {
            self.ceiling = stored;
        }
        if standing.is_stranger() { self.ceiling.admit(0, ceiling, now) } else { Ok(()) }
    }

    pub(super) fn count_failure(&mut self, now: Timestamp) {
        self.ceiling = self.ceiling.failed(now);
    }

    /// Takes a failure back. When the last one was isn't known any more.
    pub(super) fn forget_failure(&mut self) {
        self.ceiling.failures = self.ceiling.failures.saturating_sub(1);
    }

    /// Becomes what all nodes share, but for the checks that are under way here.
    pub(super) fn learn_shared(&mut self, shared: Self) {
        self.ceiling = shared.ceiling;
    }

    /// When nothing here counts any more.
    pub(super) fn over_at(&self) -> Timestamp {
        self.ceiling.last_failure + FORGOTTEN_AFTER
    }

    /// For a store that all nodes share.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let Ceiling { failures, last_failure } = self.ceiling;
        [&[VERSION][..], &failures.to_le_bytes(), &last_failure.millis().to_le_bytes()].concat()
    }

    /// What [`Run::bytes`] made.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (&[version], rest) = bytes.split_first_chunk()?;
        let (failures, rest) = rest.split_first_chunk()?;
        let last_failure = i64::from_le_bytes(rest.try_into().ok()?);
        let ceiling = Ceiling {
            failures: u32::from_le_bytes(*failures),
            last_failure: Timestamp::from_millis(last_failure),
        };
        (version == VERSION).then_some(Self { ceiling, pending: 0 })
    }

    /// What is stored is the truth, other nodes and the command line change it; unless it may have been loaded
    /// before a failure that we know of was stored.
    fn learn(&mut self, standing: Standing, now: Timestamp) {
        let Standing::Account { ceiling: stored, .. } = standing else { return };
        let ahead = self.ceiling.last_failure.millis().saturating_sub(now.millis());
        let may_be_old = (0..STALE_MAX.millis()).contains(&ahead);
        if !may_be_old || stored.failures > self.ceiling.failures {
            self.ceiling = stored;
        }
    }
}

impl Worth for Run {
    fn worth(&self, now: Timestamp) -> u32 {
        self.pending.saturating_add(self.ceiling.current(now).failures)
    }
}
