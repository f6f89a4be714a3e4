//! The time that all nodes of one database go by: the database's.
//!
//! A node asks for it now and then, and counts on from there with a clock that only ever runs forward. So nodes whose own
//! clocks differ, or are set, agree on a grace of ten seconds; and while the database is away, time goes on.
//!
//! Where the database's clock is set, all nodes follow it within seconds, back too: a node that kept to the old time would
//! disagree with one that starts. An answer is known to half the time that it took, and what lies within that moves
//! nothing. A step of more than [`STEP`] is told of in the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use countersign_core::{Clock, Timestamp};
use countersign_store::{Store, StoreError};

/// An answer that took longer than this says too little of the moment that it is about.
const PRECISE: Duration = Duration::from_millis(500);

/// How far a machine's own clock may be off until it is told of, in milliseconds. Whoever verifies tokens elsewhere goes
/// by clocks like it, with a leeway of ten seconds.
const LARGE: u64 = 2000;

/// How far the database's clock may seem to step, in milliseconds, until it is told of: so much may two answers be off
/// that were just precise enough, each by half of what it took.
const STEP: u64 = 500;

/// The database's clock, as this node knows it.
pub(crate) struct DatabaseClock {
    own: Arc<dyn Clock>,
    base: Instant,
    /// What the database's clock showed at `base`, in milliseconds since 1970.
    at_base: AtomicI64,
    /// How far it is ahead of this machine's own, in milliseconds.
    ahead: AtomicI64,
    is_told: AtomicBool,
}

impl DatabaseClock {
    /// The clock of a database that several nodes share; none where it is this machine's.
    pub(crate) async fn start(store: &Store, own: &Arc<dyn Clock>) -> Result<Option<Arc<Self>>, StoreError> {
        // Opening a connection is part of the first answer's time; the second is precise.
        if store.time().await?.is_none() {
            return Ok(None);
        }
        let base = Instant::now();
        let Some(there) = store.time().await? else { return Ok(None) };
        let clock = Self {
            own: Arc::clone(own),
            base,
            at_base: AtomicI64::new(there.millis() - millis(base.elapsed()) / 2),
            ahead: AtomicI64::new(0),
            is_told: AtomicBool::new(false),
        };
        clock.compare();
        Ok(Some(Arc::new(clock)))
    }

    /// Asks the database once more.
    pub(crate) async fn follow(&self, store: &Store) -> Result<(), StoreError> {
        let asked = Instant::now();
        let Some(there) = store.time().await? else { return Ok(()) };
        if let Some(step) = self.take(there, asked, asked.elapsed()) {
            tracing::warn!(
                milliseconds = step,
                "the database's clock was set forward (back, if negative), or another database answers now; all nodes \
                 follow it"
            );
        }
        self.compare();
        Ok(())
    }

    /// Goes by what the database's clock showed; a step that is to be told of, in milliseconds.
    fn take(&self, there: Timestamp, asked: Instant, took: Duration) -> Option<i64> {
        if took > PRECISE {
            return None;
        }
        let half = millis(took) / 2;
        let at_base = there.millis() - millis(asked.duration_since(self.base)) - half;
        let step = at_base - self.at_base.load(Ordering::Acquire);
        // A millisecond for what was cut off.
        if step.abs() > half + 1 {
            self.at_base.store(at_base, Ordering::Release);
        }
        Some(step).filter(|step| step.unsigned_abs() > STEP)
    }

    /// How far the database's clock is ahead of this machine's, in milliseconds, if that is a lot.
    pub(crate) fn large_skew(&self) -> Option<i64> {
        Some(self.ahead.load(Ordering::Acquire)).filter(|ahead| ahead.unsigned_abs() > LARGE)
    }

    fn compare(&self) {
        let ahead = self.now().millis() - self.own.now().millis();
        self.ahead.store(ahead, Ordering::Release);
        let is_large = self.large_skew().is_some();
        if is_large != self.is_told.swap(is_large, Ordering::AcqRel) {
            if is_large {
                tracing::warn!(
                    milliseconds = ahead,
                    "the database's clock is ahead of this machine's (behind it, if negative); the database's counts. \
                     Keep both in step: services that verify tokens go by clocks of their own"
                );
            } else {
                tracing::info!("this machine's clock is in step with the database's again");
            }
        }
    }
}

impl Clock for DatabaseClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.at_base.load(Ordering::Acquire) + millis(self.base.elapsed()))
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(all(test, feature = "postgres"))]
mod tests {
    use countersign_store::postgres::{Opening, Postgres};
    use countersign_testing::Cluster;

    use super::*;

    /// A machine whose clock stands, and is wrong.
    struct Wrong(i64);

    impl Clock for Wrong {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.0)
        }
    }

    // attack 106
    #[test]
    fn time_steps_back_only_with_the_database_and_a_large_step_is_told_of() {
        let base = Instant::now();
        let clock = DatabaseClock {
            own: Arc::new(Wrong(0)),
            base,
            at_base: AtomicI64::new(1_000_000),
            ahead: AtomicI64::new(0),
            is_told: AtomicBool::new(false),
        };
        let (asked, took) = (base + Duration::from_secs(10), Duration::from_millis(200));
        let answer = |there: i64, took| {
            let told = clock.take(Timestamp::from_millis(there), asked, took);
            (told, clock.at_base.load(Ordering::Acquire))
        };
        assert_eq!(answer(1_010_000, took), (None, 1_000_000), "as far off as an answer is known");
        assert_eq!(answer(1_010_200, took), (None, 1_000_000));
        assert_eq!(answer(1_009_900, took), (None, 999_800), "it has drifted a little");
        assert_eq!(answer(950_000, PRECISE + took), (None, 999_800), "too slow to say anything");
        assert_eq!(answer(950_000, took), (Some(-59_900), 939_900));
        assert_eq!(answer(1_010_100, took), (Some(60_100), 1_000_000));
    }

    // attack 106
    #[tokio::test]
    async fn nodes_whose_clocks_are_hours_apart_agree_on_the_time_of_their_database() {
        let url = Cluster::shared().database();
        let store = Store::Postgres(Postgres::open(url.parse().unwrap(), &Opening::usual()).await.unwrap());
        let there = store.time().await.unwrap().unwrap().millis();
        let mut nodes = Vec::new();
        for wrong in [there - 3_600_000, there + 3_600_000] {
            let own: Arc<dyn Clock> = Arc::new(Wrong(wrong));
            nodes.push(DatabaseClock::start(&store, &own).await.unwrap().unwrap());
        }
        let ahead: Vec<_> =
            nodes.iter().map(|node| (node.large_skew().unwrap() + 30_000).div_euclid(60_000)).collect();
        assert_eq!(ahead, [60, -60], "in minutes");
        // Time goes on without being asked for.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let [one, other] = [nodes[0].now(), nodes[1].now()].map(Timestamp::millis);
        let there = store.time().await.unwrap().unwrap().millis();
        assert!(one.abs_diff(other) < 500 && one.abs_diff(there) < 500, "{one} {other} {there}");

        let right: Arc<dyn Clock> = Arc::new(countersign_verify::SystemClock);
        let node = DatabaseClock::start(&store, &right).await.unwrap().unwrap();
        assert_eq!(node.large_skew(), None);
    }
}
