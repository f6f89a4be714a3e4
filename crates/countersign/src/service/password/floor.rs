//! How soon a failed login may be answered, so that its time doesn't tell whose hash is of an older format.

use std::time::{Duration, Instant};

use super::hash::{Hasher, Password, StoredHash};

/// The least time between the start of a failed check and its answer: this machine's cost of the slowest hash that
/// is still stored, and half as much again, since a machine at work is slower than at start.
///
/// The time in the queue comes before the start: it is the same for every account, and tells nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Floor(Duration);

impl Floor {
    /// Measures today's parameters, and those of each stored hash that has others. One hash of each kind in use is
    /// enough; more are no harm, each kind is measured once. Takes twice the time of all kinds together.
    pub fn measure(stored: &[StoredHash], hasher: &mut Hasher) -> Self {
        let mut kinds = Vec::new();
        let mut slowest = cost(None, hasher);
        for stored in stored {
            if let Some(function) = stored.function().filter(|function| !kinds.contains(function)) {
                kinds.push(function);
                slowest = slowest.max(cost(Some(stored), hasher));
            }
        }
        Self(slowest + slowest / 2)
    }

    /// No floor: none could be measured.
    pub fn unknown() -> Self {
        Self(Duration::ZERO)
    }

    /// When a check that started at `started` and failed may be answered.
    pub fn until(self, started: Instant) -> Instant {
        started + self.0
    }

    /// The span itself.
    pub fn duration(self) -> Duration {
        self.0
    }
}

/// The longer of two checks: the first may find cold caches, or either may be interrupted.
fn cost(stored: Option<&StoredHash>, hasher: &mut Hasher) -> Duration {
    let Ok(password) = Password::new("the length of a usual passphrase") else { return Duration::ZERO };
    let mut check = || {
        let started = Instant::now();
        hasher.verify(stored, &password);
        started.elapsed()
    };
    check().max(check())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: &str = "pbkdf2_sha256$300000$salt$hCV212Nsi0sKxLwzvdipI4YQirFy3Ak1XfYGsHhTIkI=";
    const SLOW_TOO: &str = "pbkdf2_sha256$300000$other$cMsONCveLd2940JLo9Kk5dbjAQzatiaYDyW7e8Zs0Gs=";

    // attack 78
    #[test]
    fn the_floor_covers_the_slowest_stored_format() {
        let mut hasher = Hasher::insecure_and_fast();
        let alone = Floor::measure(&[], &mut hasher);
        let with_legacy = Floor::measure(&[StoredHash::new(SLOW)], &mut hasher);
        // Three hundred thousand rounds against the eight kilobytes of this hasher: no load makes up for that.
        assert!(with_legacy.duration() > alone.duration(), "{with_legacy:?} {alone:?}");
    }

    #[test]
    fn each_kind_of_hash_is_measured_twice_and_no_more() {
        let mut hasher = Hasher::insecure_and_fast();
        let stored = [SLOW, SLOW_TOO, "!", "", "unknown"].map(StoredHash::new);
        Floor::measure(&stored, &mut hasher);
        assert_eq!(hasher.hashes(), 4);
    }

    #[test]
    fn the_floor_is_counted_from_the_start_of_the_check() {
        let started = Instant::now();
        let floor = Floor(Duration::from_millis(90));
        assert_eq!(floor.until(started), started + Duration::from_millis(90));
    }
}
