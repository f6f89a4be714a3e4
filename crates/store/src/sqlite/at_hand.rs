//! Connections at hand: reads of a few rows by their keys, done at once on the thread of whoever asks.
//!
//! To carry such a read to a thread and its answer back takes 18 µs; the read itself, two or three. But whoever asks is
//! a worker of the async runtime, which has others to serve and must not wait. So what would have to wait goes to the
//! readers' threads instead:
//!
//! 1. For a connection: none is free.
//! 2. For another process's lock on the file, or any trouble of the moment: the threads have patience.
//! 3. For the disk. Whether pages lie in memory can't be asked beforehand, so reads that took long tell of the next
//!    ones: for a second all go to the threads. A slow disk holds a worker up twice a second, and not at each request.
//!
//! A read ends before the connection is free again, so none is ever held open: that would keep the write-ahead log from
//! being emptied.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::job;
use super::sql::Result;
use crate::StoreError;

/// How long a read takes whose pages aren't in memory, at least: many times what it takes else.
const SLOW: Duration = Duration::from_micros(200);

/// One slow read may be the scheduler's doing. Another within so many is the disk's.
const SUSPECT: u32 = 64;

/// For how long the threads read everything then.
const PAUSE: Duration = Duration::from_secs(1);

/// Connections that whoever comes may use, one at a time.
pub(super) struct AtHand {
    /// None, once it is closed.
    connections: Vec<Mutex<Option<Connection>>>,
    began: Instant,
    pace: Pace,
}

/// Whether reads are fast. Times are since the connections were opened.
#[derive(Default)]
struct Pace {
    /// How many fast reads it takes until a slow one is forgotten.
    suspicion: AtomicU32,
    /// In microseconds.
    slow_until: AtomicU64,
}

impl AtHand {
    /// These connections must not wait for locks by themselves.
    pub(super) fn new(connections: Vec<Connection>) -> Self {
        let connections = connections.into_iter().map(|db| Mutex::new(Some(db))).collect();
        Self { connections, began: Instant::now(), pace: Pace::default() }
    }

    /// Does `work`, unless that is for a thread that may wait: then nothing is answered.
    pub(super) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Option<Result<T>> {
        let from = self.began.elapsed();
        if self.pace.is_slow(from) {
            return None;
        }
        let answer = self.on_a_free_one(work);
        self.pace.took(from, self.began.elapsed());
        answer
    }

    fn on_a_free_one<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Option<Result<T>> {
        let connection = self.connections.iter().find_map(free)?;
        let db = connection.as_ref()?;
        match job::caught(|| work(db)) {
            Err(StoreError::Unavailable(_)) => None,
            answer => Some(answer),
        }
    }

    /// Closes the connections. A read that is under way is finished before.
    pub(super) fn close(&self) {
        for connection in &self.connections {
            drop(connection.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
    }
}

fn free(connection: &Mutex<Option<Connection>>) -> Option<MutexGuard<'_, Option<Connection>>> {
    match connection.try_lock() {
        Ok(connection) => Some(connection),
        Err(TryLockError::Poisoned(connection)) => Some(connection.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

impl Pace {
    fn is_slow(&self, now: Duration) -> bool {
        micros(now) < self.slow_until.load(Ordering::Relaxed)
    }

    /// Reads at once may miss one another's news here: it is a guess anyway.
    fn took(&self, from: Duration, to: Duration) {
        let suspicion = self.suspicion.load(Ordering::Relaxed);
        let is_slow = to.saturating_sub(from) >= SLOW;
        let suspicion = match (is_slow, suspicion) {
            (false, 0) => return,
            (false, suspicion) => suspicion - 1,
            (true, 0) => SUSPECT,
            (true, _) => {
                self.slow_until.store(micros(to + PAUSE), Ordering::Relaxed);
                0
            }
        };
        self.suspicion.store(suspicion, Ordering::Relaxed);
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_hand(connections: usize) -> AtHand {
        AtHand::new((0..connections).map(|_| Connection::open_in_memory().unwrap()).collect())
    }

    #[test]
    fn as_many_read_at_once_as_there_are_connections_and_nobody_waits_for_one() {
        let at_hand = at_hand(2);
        let third = || Ok(at_hand.on_a_free_one(|_| Ok(())).is_some());
        let second = || at_hand.on_a_free_one(|_| third());
        let first = at_hand.on_a_free_one(|_| Ok(second()));
        assert!(matches!(first, Some(Ok(Some(Ok(false))))), "{first:?}");
    }

    #[test]
    fn trouble_of_the_moment_is_for_a_thread_and_a_defect_is_told() {
        let at_hand = at_hand(1);
        let fail = |error| at_hand.on_a_free_one(|_| Err::<(), _>(error));
        assert!(fail(StoreError::Unavailable(String::new())).is_none());
        assert!(matches!(fail(StoreError::Defect(String::new())), Some(Err(StoreError::Defect(_)))));
        let panicked = at_hand.on_a_free_one(|_| -> Result<()> { panic!("a defect") });
        assert!(matches!(panicked, Some(Err(StoreError::Defect(_)))), "{panicked:?}");
        assert!(at_hand.on_a_free_one(|_| Ok(())).is_some());
    }

    #[test]
    fn what_is_closed_reads_nothing() {
        let at_hand = at_hand(2);
        at_hand.close();
        assert!(at_hand.on_a_free_one(|_| Ok(())).is_none());
    }

    #[test]
    fn after_two_slow_reads_the_threads_read_for_a_while() {
        let pace = Pace::default();
        let start = Duration::from_secs(1);
        let read = |took| pace.took(start, start + took);
        read(SLOW);
        for _ in 0..SUSPECT {
            assert!(!pace.is_slow(start), "one slow read");
            read(SLOW / 2);
        }
        read(SLOW);
        assert!(!pace.is_slow(start), "the first was forgotten");
        read(SLOW / 2);
        read(SLOW);
        let end = start + SLOW;
        let times = [start, end + PAUSE / 2, end + PAUSE];
        assert_eq!(times.map(|now| pace.is_slow(now)), [true, true, false]);
    }
}
