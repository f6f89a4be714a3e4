//! How long requests took, kept so that percentiles can be told: to within one percent, in fixed memory.

use std::time::Duration;

/// Each power of two is split into this many steps.
const STEPS_BITS: u32 = 7;
const STEPS: u64 = 1 << STEPS_BITS;
/// 2^40 ns is eighteen minutes.
const POWERS: u64 = 40;

/// Counts of durations, in nanoseconds.
#[derive(Clone)]
pub(crate) struct Histogram {
    counts: Vec<u32>,
    total: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        let places = usize::try_from(STEPS * POWERS).unwrap_or_default();
        Self { counts: vec![0; places], total: 0 }
    }

    pub(crate) fn record(&mut self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let last = self.counts.len().saturating_sub(1);
        let place = usize::try_from(place(nanos)).unwrap_or(last).min(last);
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
            self.total += 1;
        }
    }

    pub(crate) const fn total(&self) -> u64 {
        self.total
    }

    /// The duration that this share of all (0 to 1) did not exceed, but for one percent.
    pub(crate) fn percentile(&self, share: f64) -> Duration {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "counts are small"
        )]
        let rank = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (place, count) in (0..).zip(&self.counts) {
            seen += u64::from(*count);
            if seen >= rank {
                return Duration::from_nanos(top(place));
            }
        }
        Duration::ZERO
    }
}

/// Small values have a place each; above, a power of two has [`STEPS`] places.
fn place(nanos: u64) -> u64 {
    if nanos < STEPS {
        return nanos;
    }
    let shift = nanos.ilog2() - STEPS_BITS;
    u64::from(shift) * STEPS + (nanos >> shift)
}

/// The largest duration of a place.
fn top(place: u64) -> u64 {
    if place < STEPS {
        return place;
    }
    let shift = place / STEPS - 1;
    ((STEPS + place % STEPS + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_kept_to_one_percent() {
        for nanos in [1, 127, 128, 1_000, 37_123, 999_999, 15_000_000, 4_000_000_000] {
            let kept = top(place(nanos));
            assert!(kept >= nanos && kept <= nanos + nanos / 100, "{nanos} became {kept}");
        }
    }

    #[test]
    fn percentiles_are_those_of_what_was_recorded() {
        let mut histogram = Histogram::new();
        (1..=1000).for_each(|millis| histogram.record(Duration::from_millis(millis)));
        let near = |share, millis: u64| {
            let found = histogram.percentile(share);
            let wanted = Duration::from_millis(millis);
            assert!(found >= wanted && found <= wanted.mul_f64(1.01), "{found:?} is not {wanted:?}");
        };
        near(0.5, 500);
        near(0.99, 990);
        near(1.0, 1000);
        assert_eq!(histogram.total(), 1000);
    }

    #[test]
    fn what_is_beyond_all_bounds_counts_as_the_longest() {
        let mut histogram = Histogram::new();
        histogram.record(Duration::from_secs(1 << 40));
        assert_eq!(histogram.total(), 1);
        assert!(histogram.percentile(0.5) > Duration::from_mins(1));
    }
}
