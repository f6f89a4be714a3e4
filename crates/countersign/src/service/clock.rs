//! The time that all nodes of one database go by: the database's.
//!
//! A node asks for it now and then, and counts on from there with a clock that only ever runs forward. So nodes whose own
//! clocks differ, or are set, agree on a grace of ten seconds; and while the database is away, time goes on.

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
        // Opening a connection is part of the first answer's time; the second is precise.
        clock.follow(store).await?;
        Ok(Some(Arc::new(clock)))
    }

    /// Asks the database once more.
    pub(crate) async fn follow(&self, store: &Store) -> Result<(), StoreError> {
        let asked = Instant::now();
        let Some(there) = store.time().await? else { return Ok(()) };
        let took = asked.elapsed();
        if took <= PRECISE {
            let until_asked = millis(asked.duration_since(self.base));
            self.at_base.store(there.millis() - until_asked - millis(took) / 2, Ordering::Release);
            self.compare();
        }
        Ok(())
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
