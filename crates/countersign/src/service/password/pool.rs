//! The threads that hash passwords for the server.
//!
//! Hashing is the most costly thing that a stranger can make the server do. So it has a few threads of its own, at a
//! low priority that leaves the others responsive, and a bounded queue:
//!
//! 1. Every job holds a *place*, from the moment it is taken in until it has run. When no place is free, the answer is
//!    [`HashingError::Overloaded`], at once.
//! 2. One client network holds at most a quarter of the places, so that it can't shut the others out.
//! 3. A client that hangs up frees nothing. While its job waits, the place stays taken until a thread comes to it, and
//!    passes over it without hashing; while it runs, until it is done. Whoever asks and hangs up in a loop so gets no
//!    further than whoever waits, and what the threads are asked to do never exceeds the bound.
//! 4. Each thread hashes in memory of its own, which it keeps; after a while without work it gives it back.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SecureRandom;
use countersign_core::Network;
use tokio::sync::oneshot;

use super::floor::Floor;
use super::hash::{Hasher, Password, StoredHash};

/// One network holds at most this part of the places.
const SHARE: usize = 4;
/// After so long without work, a thread gives its memory back.
const IDLE: Duration = Duration::from_secs(10);

/// The hashing threads and their queue. Dropped, it waits for the hashes that run, and forgets those that wait.
pub struct HashingPool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    random: Arc<dyn SecureRandom + Send + Sync>,
}

/// What a check of a password found.
#[derive(Debug)]
pub struct Checked {
    /// Whether it was the right one.
    pub right: bool,
    /// Where it was right and the stored hash is of an older kind: what to store instead.
    pub upgraded: Option<StoredHash>,
    /// When the check left the queue and began; [`Floor::until`] counts from here.
    pub started: Instant,
}

/// Why there is no answer about a password.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HashingError {
    /// Too many are waiting, over all or of this network. Later there may be room.
    #[error("the password hashing queue is full")]
    Overloaded,
    /// The system gave no random bytes, a hash function failed, or the pool is shutting down.
    #[error("the password could not be hashed")]
    Failed,
}

/// What a pool is doing, for the metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Gauges {
    /// Jobs that wait for a thread.
    pub waiting: usize,
    /// Threads that hash at this moment.
    pub busy: usize,
    /// Hashes since the start, of whatever format.
    pub hashes: u64,
    /// Jobs refused since the start because no place was free.
    pub refused: u64,
}

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    places: usize,
    places_per_network: usize,
    idle: Duration,
    busy: AtomicUsize,
    hashes: AtomicU64,
    refused: AtomicU64,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Job>,
    /// How many places are taken, by the network that a job came from; by none for our own jobs.
    taken: HashMap<Option<Network>, usize>,
    closed: bool,
}

struct Job {
    network: Option<Network>,
    work: Box<dyn FnOnce(&mut Hasher) -> Deliver + Send>,
}

/// Gives the answer to whoever waits for it. It comes when the job's place is free again, so that a client who has its
/// answer is never refused because of it.
type Deliver = Box<dyn FnOnce() + Send>;

impl HashingPool {
    /// Starts `threads` hashing threads, with room for `queue_per_thread` waiting jobs for each of them. `random`
    /// gives the salts. Fails where the system gives no threads.
    pub fn start(
        threads: NonZeroUsize,
        queue_per_thread: NonZeroUsize,
        random: Arc<dyn SecureRandom + Send + Sync>,
    ) -> io::Result<Self> {
        let places = threads.get().saturating_mul(queue_per_thread.get().saturating_add(1));
        Self::with(threads.get(), Shared::new(places, IDLE), random, Hasher::new)
    }

    fn with(
        threads: usize,
        shared: Shared,
        random: Arc<dyn SecureRandom + Send + Sync>,
        hasher: fn() -> Hasher,
    ) -> io::Result<Self> {
        let mut pool = Self { shared: Arc::new(shared), threads: Vec::new(), random };
        for number in 0..threads {
            let shared = Arc::clone(&pool.shared);
            let thread = thread::Builder::new().name(format!("countersign-hash-{number}"));
            pool.threads.push(thread.spawn(move || shared.work(hasher()))?);
        }
        Ok(pool)
    }

    /// Checks a password for a client of `network`.
    ///
    /// `stored` is none for an account that is unknown or inactive: that is wrong, after as much work. A failed check
    /// is to be answered no sooner than [`Floor::until`] says.
    pub async fn verify(
        &self,
        network: Network,
        stored: Option<StoredHash>,
        password: Password,
    ) -> Result<Checked, HashingError> {
        let random = Arc::clone(&self.random);
        self.run(Some(network), move |hasher| {
            let started = Instant::now();
            let right = hasher.verify(stored.as_ref(), &password);
            let old = stored.filter(|stored| right && hasher.would_upgrade(stored));
            // Without a new hash the old one stays, and the next login tries again.
            let upgraded = old.and_then(|_| hash(&*random, hasher, &password));
            Checked { right, upgraded, started }
        })
        .await
    }

    /// Hashes a new password for a client of `network`.
    pub async fn hash(&self, network: Network, password: Password) -> Result<StoredHash, HashingError> {
        let random = Arc::clone(&self.random);
        self.run(Some(network), move |hasher| hash(&*random, hasher, &password))
            .await?
            .ok_or(HashingError::Failed)
    }

    /// Measures the floor where it counts, on a hashing thread: see [`Floor::measure`].
    pub async fn measure_floor(&self, stored: Vec<StoredHash>) -> Result<Floor, HashingError> {
        let measure = move |hasher: &mut Hasher| {
            let floor = Floor::measure(&stored, hasher);
            // Who has just started has more likely nothing to hash than something.
            hasher.release_memory();
            floor
        };
        self.run(None, measure).await
    }

    /// What the pool is doing now.
    pub fn gauges(&self) -> Gauges {
        Gauges {
            waiting: self.shared.queue().waiting.len(),
            busy: self.shared.busy.load(Ordering::Relaxed),
            hashes: self.shared.hashes.load(Ordering::Relaxed),
            refused: self.shared.refused.load(Ordering::Relaxed),
        }
    }

    async fn run<T: Send + 'static>(
        &self,
        network: Option<Network>,
        work: impl FnOnce(&mut Hasher) -> T + Send + 'static,
    ) -> Result<T, HashingError> {
        let (sender, answer) = oneshot::channel();
        let work = move |hasher: &mut Hasher| -> Deliver {
            if sender.is_closed() {
                return Box::new(|| ());
            }
            let result = work(hasher);
            // The client may be gone by then: nothing depends on its hearing the answer.
            Box::new(move || drop(sender.send(result)))
        };
        self.shared.take_in(Job { network, work: Box::new(work) })?;
        answer.await.map_err(|_| HashingError::Failed)
    }
}

fn hash(random: &dyn SecureRandom, hasher: &mut Hasher, password: &Password) -> Option<StoredHash> {
    let mut salt = [0; 16];
    if random.fill(&mut salt).is_err() {
        tracing::error!("the system gave no random bytes for a salt");
        return None;
    }
    hasher.hash(password, salt)
}

impl Drop for HashingPool {
    fn drop(&mut self) {
        {
            let mut queue = self.shared.queue();
            queue.closed = true;
            queue.waiting.clear();
        }
        self.shared.wake.notify_all();
        for thread in self.threads.drain(..) {
            // A thread can't have panicked: its jobs' panics are caught.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn new(places: usize, idle: Duration) -> Self {
        Self {
            queue: Mutex::default(),
            wake: Condvar::new(),
            places,
            places_per_network: (places / SHARE).max(1),
            idle,
            busy: AtomicUsize::new(0),
            hashes: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// No code panics while it holds the lock, so a poisoned one is as good as any.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a job a place in the queue. Our own jobs always get one: they come from no stranger.
    fn take_in(&self, job: Job) -> Result<(), HashingError> {
        let mut queue = self.queue();
        if queue.closed {
            return Err(HashingError::Failed);
        }
        let all: usize = queue.taken.values().sum();
        let own = queue.taken.get(&job.network).copied().unwrap_or(0);
        if job.network.is_some() && (all >= self.places || own >= self.places_per_network) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Err(HashingError::Overloaded);
        }
        queue.taken.insert(job.network, own + 1);
        queue.waiting.push_back(job);
        drop(queue);
        self.wake.notify_one();
        Ok(())
    }

    /// A thread's life.
    fn work(&self, mut hasher: Hasher) {
        lower_priority();
        while let Some(Job { network, work }) = self.next(&mut hasher) {
            let before = hasher.hashes();
            self.busy.fetch_add(1, Ordering::Relaxed);
            // A hash function that panics costs its client an answer, not the server a thread.
            let outcome = catch_unwind(AssertUnwindSafe(|| work(&mut hasher)));
            self.busy.fetch_sub(1, Ordering::Relaxed);
            self.hashes.fetch_add(hasher.hashes() - before, Ordering::Relaxed);
            self.free_place(network);
            if let Ok(deliver) = outcome {
                deliver();
            } else {
                tracing::error!("a password hash function panicked");
            }
        }
    }

    /// The next job; none when the pool is closed.
    fn next(&self, hasher: &mut Hasher) -> Option<Job> {
        let mut queue = self.queue();
        loop {
            if queue.closed {
                return None;
            }
            if let Some(job) = queue.waiting.pop_front() {
                return Some(job);
            }
            if hasher.memory() == 0 {
                queue = self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
            } else {
                let (woken, wait) =
                    self.wake.wait_timeout(queue, self.idle).unwrap_or_else(PoisonError::into_inner);
                queue = woken;
                if wait.timed_out() {
                    hasher.release_memory();
                }
            }
        }
    }

    fn free_place(&self, network: Option<Network>) {
        let mut queue = self.queue();
        match queue.taken.get_mut(&network) {
            Some(taken) if *taken > 1 => *taken -= 1,
            _ => {
                queue.taken.remove(&network);
            }
        }
    }
}

/// Makes the calling thread give way to the others. Only Linux has priorities for threads; without, it works on as it is.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, 10) {
        tracing::warn!("password hashing runs at normal priority: {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const TEXT: &str = "correct horse battery staple";
    /// Of `TEXT`, by Django 5.2.19: `PBKDF2PasswordHasher().encode(…, iterations=1000)`.
    const LEGACY: &str =
        "pbkdf2_sha256$1000$MIOFufOFWmb9qQYqp6VaP1$HlwCtlys+wGqGPcEIJDlSvv5TP0iOa2SabW8hDE4eBU=";

    #[expect(clippy::disallowed_methods, reason = "a test composes its own program")]
    fn pool_with(threads: usize, places: usize, idle: Duration) -> HashingPool {
        let random = Arc::new(aws_lc_rs::rand::SystemRandom::new());
        HashingPool::with(threads, Shared::new(places, idle), random, Hasher::insecure_and_fast).unwrap()
    }

    fn pool() -> HashingPool {
        pool_with(1, 8, IDLE)
    }

    fn network(number: u8) -> Network {
        Network::of([192, 0, 2, number].into())
    }

    fn password(text: &str) -> Password {
        Password::new(text).unwrap()
    }

    /// A job that runs until the returned sender is dropped or used.
    fn occupy(pool: &HashingPool, network: Network) -> mpsc::Sender<()> {
        let (release, wait) = mpsc::channel::<()>();
        let (running, runs) = mpsc::channel();
        let work = move |_: &mut Hasher| -> Deliver {
            running.send(()).unwrap();
            let _ = wait.recv();
            Box::new(|| ())
        };
        pool.shared.take_in(Job { network: Some(network), work: Box::new(work) }).unwrap();
        runs.recv().unwrap();
        release
    }

    /// Polls a future once, so that its job is in the queue, and gives it back.
    async fn start<F: Future>(future: F) -> std::pin::Pin<Box<F>> {
        let mut future = Box::pin(future);
        tokio::select! {
            biased;
            _ = &mut future => panic!("the job is done already"),
            () = std::future::ready(()) => future,
        }
    }

    // attack 77, attack 78
    #[tokio::test]
    async fn every_failed_check_costs_one_hash_whoever_is_meant() {
        let pool = pool();
        let current = pool.hash(network(1), password(TEXT)).await.unwrap();
        let absurd =
            StoredHash::new("pbkdf2_sha256$4294967295$salt$hCV212Nsi0sKxLwzvdipI4YQirFy3Ak1XfYGsHhTIkI=");
        for stored in [
            None,
            Some(StoredHash::new("!unusable")),
            Some(absurd),
            Some(StoredHash::new(LEGACY)),
            Some(current),
        ] {
            let before = pool.gauges().hashes;
            let checked = pool.verify(network(1), stored, password("wrong")).await.unwrap();
            assert!(!checked.right);
            assert!(checked.upgraded.is_none());
            assert_eq!(pool.gauges().hashes - before, 1);
        }
    }

    #[tokio::test]
    async fn a_right_password_of_the_current_format_costs_one_hash() {
        let pool = pool();
        let stored = pool.hash(network(1), password(TEXT)).await.unwrap();
        let checked = pool.verify(network(1), Some(stored), password(TEXT)).await.unwrap();
        assert!(checked.right);
        assert!(checked.upgraded.is_none());
        assert_eq!(pool.gauges().hashes, 2);
    }

    // attack 89
    #[tokio::test]
    async fn a_right_password_of_an_older_format_comes_with_its_new_hash() {
        let pool = pool();
        let checked = pool.verify(network(1), Some(StoredHash::new(LEGACY)), password(TEXT)).await.unwrap();
        assert!(checked.right);
        assert_eq!(pool.gauges().hashes, 2);

        let again = pool.verify(network(1), checked.upgraded, password(TEXT)).await.unwrap();
        assert!(again.right);
        assert!(again.upgraded.is_none());
    }

    #[tokio::test]
    async fn two_hashes_of_one_password_have_two_salts() {
        let pool = pool();
        let one = pool.hash(network(1), password(TEXT)).await.unwrap();
        let two = pool.hash(network(1), password(TEXT)).await.unwrap();
        assert_ne!(one.as_str(), two.as_str());
    }

    // attack 107
    #[tokio::test]
    async fn no_more_jobs_are_taken_in_than_there_are_places() {
        let pool = pool();
        let release = occupy(&pool, network(0));
        let mut waiting = Vec::new();
        for number in 1..8 {
            waiting.push(start(pool.verify(network(number), None, password(TEXT))).await);
        }
        assert_eq!(pool.gauges(), Gauges { waiting: 7, busy: 1, hashes: 0, refused: 0 });

        let refused = pool.verify(network(9), None, password(TEXT)).await.unwrap_err();
        assert_eq!(refused, HashingError::Overloaded);
        assert_eq!(pool.gauges().refused, 1);

        drop(release);
        for check in waiting {
            assert!(!check.await.unwrap().right);
        }
        assert!(pool.verify(network(9), None, password(TEXT)).await.is_ok());
    }

    // attack 107
    #[tokio::test]
    async fn one_network_cannot_fill_the_queue() {
        let pool = pool();
        let _release = occupy(&pool, network(1));
        let _waiting = start(pool.verify(network(1), None, password(TEXT))).await;
        let refused = pool.hash(network(1), password(TEXT)).await.unwrap_err();
        assert_eq!(refused, HashingError::Overloaded);
        drop(start(pool.verify(network(2), None, password(TEXT))).await);
        assert_eq!(pool.gauges().waiting, 2);
    }

    // attack 107
    #[tokio::test]
    async fn a_small_queue_still_has_a_place_for_each_network() {
        let pool = pool_with(1, 2, IDLE);
        assert!(pool.verify(network(1), None, password(TEXT)).await.is_ok());
    }

    // attack 108
    #[tokio::test]
    async fn who_hangs_up_while_waiting_frees_no_place_and_gets_no_hash() {
        let pool = pool();
        let release = occupy(&pool, network(1));
        drop(start(pool.verify(network(1), None, password(TEXT))).await);
        assert_eq!(pool.gauges().waiting, 1);
        let refused = pool.verify(network(1), None, password(TEXT)).await.unwrap_err();
        assert_eq!(refused, HashingError::Overloaded);

        let next = start(pool.verify(network(2), None, password(TEXT))).await;
        drop(release);
        next.await.unwrap();
        assert_eq!(pool.gauges().hashes, 1);
        assert!(pool.verify(network(1), None, password(TEXT)).await.is_ok());
    }

    // attack 108
    #[tokio::test]
    async fn who_hangs_up_while_the_hash_runs_frees_no_place() {
        let pool = pool();
        let (running, runs) = mpsc::channel();
        let (release, wait) = mpsc::channel::<()>();
        let job = pool.run(Some(network(1)), move |hasher| {
            running.send(()).unwrap();
            let _ = wait.recv();
            hasher.verify(None, &password(TEXT))
        });
        let job = start(job).await;
        runs.recv().unwrap();
        drop(job);
        let waiting = start(pool.verify(network(1), None, password(TEXT))).await;
        let refused = pool.verify(network(1), None, password(TEXT)).await.unwrap_err();
        assert_eq!(refused, HashingError::Overloaded);

        drop(release);
        waiting.await.unwrap();
        assert_eq!(pool.gauges().hashes, 2);
    }

    #[tokio::test]
    async fn a_panic_costs_an_answer_and_no_thread() {
        let pool = pool();
        let failed = pool.run(Some(network(1)), |_| -> () { panic!("as a test") }).await;
        assert_eq!(failed, Err(HashingError::Failed));
        assert!(pool.verify(network(1), None, password(TEXT)).await.is_ok());
        assert_eq!(pool.gauges().busy, 0);
    }

    #[tokio::test]
    async fn the_threads_have_a_name_and_a_low_priority() {
        let pool = pool();
        let name = pool.run(None, |_| thread::current().name().map(str::to_owned)).await.unwrap();
        assert_eq!(name.as_deref(), Some("countersign-hash-0"));
        #[cfg(target_os = "linux")]
        {
            let niceness = pool.run(None, |_| rustix::process::getpriority_process(None)).await.unwrap();
            assert!(niceness.unwrap() >= 10);
        }
    }

    // attack 107
    #[tokio::test]
    async fn an_idle_thread_gives_its_memory_back() {
        let pool = pool_with(1, 8, Duration::from_millis(1));
        pool.verify(network(1), None, password(TEXT)).await.unwrap();
        let mut memory = pool.run(None, |hasher| hasher.memory()).await.unwrap();
        let patience = Instant::now() + Duration::from_secs(20);
        while memory > 0 && Instant::now() < patience {
            tokio::time::sleep(Duration::from_millis(2)).await;
            memory = pool.run(None, |hasher| hasher.memory()).await.unwrap();
        }
        assert_eq!(memory, 0);
        assert!(pool.verify(network(1), None, password(TEXT)).await.is_ok());
    }

    #[tokio::test]
    async fn the_floor_is_measured_on_a_hashing_thread_which_keeps_no_memory_for_it() {
        let pool = pool();
        let floor = pool.measure_floor(vec![StoredHash::new(LEGACY)]).await.unwrap();
        assert!(floor.duration() > Duration::ZERO);
        assert_eq!(pool.gauges().hashes, 4);
        assert_eq!(pool.run(None, |hasher| hasher.memory()).await, Ok(0));
    }

    #[tokio::test]
    async fn the_threads_end_with_the_pool() {
        let pool = pool_with(3, 8, IDLE);
        pool.verify(network(1), None, password(TEXT)).await.unwrap();
        let shared = Arc::downgrade(&pool.shared);
        drop(pool);
        assert_eq!(shared.strong_count(), 0);
    }

    #[test]
    fn a_pool_starts_with_the_settings_of_the_contract() {
        let (two, queue) = (NonZeroUsize::new(2).unwrap(), NonZeroUsize::new(64).unwrap());
        #[expect(clippy::disallowed_methods, reason = "a test composes its own program")]
        let random = Arc::new(aws_lc_rs::rand::SystemRandom::new());
        let pool = HashingPool::start(two, queue, random).unwrap();
        assert_eq!(pool.threads.len(), 2);
        assert_eq!(pool.shared.places, 2 + 2 * 64);
        assert_eq!(pool.shared.places_per_network, 32);
    }
}
