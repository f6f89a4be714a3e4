//! The system's clock: the one place of this crate that reads it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use countersign_core::{Clock, Timestamp};

/// The time as the operating system tells it.
#[derive(Clone, Copy, Default, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everyone else is handed")]
    fn now(&self) -> Timestamp {
        // A clock before 1970 counts as 1970: every token is then of the future, and refused.
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}
