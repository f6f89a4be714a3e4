//! The failures of the last minutes, and the block that follows too many of them.

use super::table::Worth;
use crate::time::{Seconds, Timestamp};

/// The window is cut into so many steps, and a failure counts until the step that it fell in is wholly past.
const STEPS: i64 = 20;
/// As many as can hold failures that count: those of the window, and the one that it starts in.
const SLOTS: usize = 21;

/// The longest block, unless a single window is longer. As long after a block its length is remembered: whoever waits
/// for that to be forgotten has waited for as long as the longest block.
const LONGEST_BLOCK: Seconds = Seconds(60 * 60);

/// How the bytes for a store are laid out. Others count nothing.
const VERSION: u8 = 1;

/// The count of one name on one network, or of one network.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    /// Failures by step, the newest first.
    failures: [u16; SLOTS],
    /// The number of the newest step.
    newest: i64,
    /// Checks under way.
    pending: u16,
    /// How often it was blocked lately.
    blocks: u8,
    blocked_until: Timestamp,
    /// When nothing here counts any more, unless a check is under way.
    over_at: Timestamp,
}

impl Window {
    /// Whether there is a place for one more check, or else how long to wait.
    pub(super) fn admit(mut self, limit: u16, window: Seconds, now: Timestamp) -> Result<(), Seconds> {
        self.roll(window, now);
        if self.blocked_until > now {
            return Err(seconds_up(self.blocked_until.millis_since(now)));
        }
        if self.count().saturating_add(u32::from(self.pending)) >= u32::from(limit) {
            // The checks under way decide whether there is a block.
            return Err(Seconds(1));
        }
        Ok(())
    }

    /// Takes the place.
    pub(super) fn hold(&mut self) {
        self.pending = self.pending.saturating_add(1);
    }

    /// Gives the place back.
    pub(super) fn release(&mut self) {
        self.pending = self.pending.saturating_sub(1);
    }

    /// Gives the place back and forgets all failures.
    pub(super) fn clear(&mut self) {
        *self = Self { pending: self.pending.saturating_sub(1), newest: self.newest, ..Self::default() };
    }

    /// Gives the place back for a failure, which is the last one before a block if it makes the limit full.
    pub(super) fn fail(&mut self, limit: u16, window: Seconds, now: Timestamp) {
        self.release();
        self.count_failure(window, now);
        self.block_if_full(limit, window, now);
    }

    /// Counts a failure.
    pub(super) fn count_failure(&mut self, window: Seconds, now: Timestamp) {
        self.roll(window, now);
        let [newest, ..] = &mut self.failures;
        *newest = newest.saturating_add(1);
        self.over_at = self.over_at.max(now + Seconds(window.0.saturating_add(window.0 / 20 + 1)));
    }

    /// Takes a failure back, the newest that counts.
    pub(super) fn forget_failure(&mut self) {
        if let Some(failures) = self.failures.iter_mut().find(|failures| **failures > 0) {
            *failures -= 1;
        }
    }

    /// Begins a block, if the failures are as many as may be.
    pub(super) fn block_if_full(&mut self, limit: u16, window: Seconds, now: Timestamp) {
        if self.is_full(limit) {
            self.block(window, now);
        }
    }

    pub(super) fn is_full(&self, limit: u16) -> bool {
        self.count() >= u32::from(limit)
    }

    /// Takes in what all nodes share: a block stands everywhere, and is kept beside the checks that are under way here.
    /// A mere count may be another one by the next try, so that one asks again.
    pub(super) fn learn(&mut self, shared: Self, now: Timestamp) {
        let block = if shared.blocked_until > now { shared } else { Self::default() };
        *self = Self { pending: self.pending, newest: shared.newest, ..block };
    }

    /// When nothing here counts any more.
    pub(super) const fn over_at(&self) -> Timestamp {
        self.over_at
    }

    /// For a store that all nodes share. Checks under way are no part of it: there they have failed already.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION, self.blocks];
        bytes.extend(self.failures.iter().flat_map(|failures| failures.to_le_bytes()));
        for number in [self.newest, self.blocked_until.millis(), self.over_at.millis()] {
            bytes.extend(number.to_le_bytes());
        }
        bytes
    }

    /// What [`Window::bytes`] made.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (&[version, blocks], rest) = bytes.split_first_chunk()?;
        let (counts, rest) = rest.split_first_chunk::<{ 2 * SLOTS }>()?;
        let (numbers, []) = rest.as_chunks() else { return None };
        let &[newest, blocked_until, over_at] = numbers else { return None };
        let mut failures = [0; SLOTS];
        for (slot, count) in failures.iter_mut().zip(counts.as_chunks().0) {
            *slot = u16::from_le_bytes(*count);
        }
        let time = |bytes| Timestamp::from_millis(i64::from_le_bytes(bytes));
        (version == VERSION).then_some(Self {
            failures,
            newest: i64::from_le_bytes(newest),
            pending: 0,
            blocks,
            blocked_until: time(blocked_until),
            over_at: time(over_at),
        })
    }

    fn block(&mut self, window: Seconds, now: Timestamp) {
        let longest = window.0.max(LONGEST_BLOCK.0);
        let doubled = window.0.saturating_mul(1_u32.checked_shl(self.blocks.into()).unwrap_or(u32::MAX));
        self.failures = [0; SLOTS];
        self.blocks = self.blocks.saturating_add(1);
        self.blocked_until = now + Seconds(doubled.min(longest));
        self.over_at = self.blocked_until + LONGEST_BLOCK;
    }

    /// Forgets what is past.
    fn roll(&mut self, window: Seconds, now: Timestamp) {
        let step = now.millis() / (window.millis() / STEPS).max(1);
        // Nodes' clocks differ: one that is behind doesn't turn back what all share, or failures would age at each turn.
        let is_behind = (1..=STEPS).contains(&self.newest.saturating_sub(step));
        let step = if is_behind { self.newest } else { step };
        let passed = usize::try_from(step.saturating_sub(self.newest)).unwrap_or(0).min(self.failures.len());
        self.failures.rotate_right(passed);
        self.failures.iter_mut().take(passed).for_each(|failures| *failures = 0);
        self.newest = step;
        if self.blocked_until + LONGEST_BLOCK <= now {
            self.blocks = 0;
        }
    }

    fn count(&self) -> u32 {
        self.failures.iter().copied().map(u32::from).sum()
    }
}

impl Worth for Window {
    fn worth(&self, now: Timestamp) -> u32 {
        // A block outweighs any count.
        let pending = u32::from(self.pending);
        if self.over_at <= now { pending } else { pending + 1 + self.count() + 100 * u32::from(self.blocks) }
    }
}

/// Whole seconds, rounded up, so that whoever waits them out has waited long enough.
pub(super) fn seconds_up(millis: u64) -> Seconds {
    Seconds(u32::try_from(millis.div_ceil(1000)).unwrap_or(u32::MAX).max(1))
}
