//! The pool: a few connections, each used by one use case at a time.
//!
//! A connection goes back in order, or not at all: whoever can't vouch for its state drops it, and the server undoes
//! what it was in the middle of. Where one connection shows that the server has gone or changed its role, none of its
//! age is trusted any more.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout_at;

use super::config::Config;
use super::sql::{self, Connection};
use super::tls::Tls;
use crate::StoreError;

/// After this long a connection is made anew, so that changes of names and of the server's memory find their way.
const LIFETIME: Duration = Duration::from_mins(30);

/// How long a request to cancel may take.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) struct Pool {
    config: Config,
    tls: Tls,
    size: usize,
    places: Arc<Semaphore>,
    /// The one that came back last goes out first: the others may grow old.
    idle: Mutex<VecDeque<Kept>>,
    /// How often the connections were found to be no good.
    epoch: AtomicU64,
    /// The host that let us in last is tried first.
    host: AtomicUsize,
}

struct Kept {
    connection: Arc<Connection>,
    born: Instant,
    epoch: u64,
}

/// A connection in use. Dropping it closes it; [`Pool::give_back`] keeps it.
pub(super) struct Lent {
    kept: Kept,
    _place: OwnedSemaphorePermit,
}

impl Pool {
    /// A pool of at most so many connections.
    pub(super) fn new(config: Config, tls: Tls, size: usize) -> Self {
        let places = Arc::new(Semaphore::new(size));
        let (epoch, host) = (AtomicU64::new(0), AtomicUsize::new(0));
        Self { config, tls, size, places, idle: Mutex::default(), epoch, host }
    }

    /// A connection, by then at the latest.
    pub(super) async fn lend(&self, deadline: Instant) -> Result<Lent, StoreError> {
        let place = timeout_at(deadline.into(), Arc::clone(&self.places).acquire_owned()).await;
        let place = match place {
            Ok(Ok(place)) => place,
            Ok(Err(_closed)) => return Err(unavailable("it was closed")),
            Err(_late) => return Err(unavailable("all connections were busy for too long")),
        };
        let kept = match self.pick() {
            Some(kept) => kept,
            None => self.connect(deadline).await?,
        };
        Ok(Lent { kept, _place: place })
    }

    /// Takes a connection back that is as it was lent.
    pub(super) fn give_back(&self, lent: Lent) {
        if self.is_good(&lent.kept) && !self.places.is_closed() {
            self.idle().push_back(lent.kept);
        }
    }

    /// Trusts no connection that was made before now.
    pub(super) fn suspect_all(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.idle().clear();
    }

    /// Asks the server to give up what a connection is doing. Nobody waits for it.
    pub(super) fn cancel(&self, lent: &Lent) {
        let (token, tls) = (lent.connection().client.cancel_token(), self.tls.clone());
        tokio::spawn(async move { tokio::time::timeout(CANCEL_TIMEOUT, token.cancel_query(tls)).await });
    }

    /// Lends no more. Those that are out are closed when they come back.
    pub(super) fn close(&self) {
        self.places.close();
        self.idle().clear();
    }

    /// Waits until none is lent.
    pub(super) async fn wait_until_idle(&self, patience: Duration) {
        let begun = Instant::now();
        while self.places.available_permits() < self.size && begun.elapsed() < patience {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    fn pick(&self) -> Option<Kept> {
        let mut idle = self.idle();
        while let Some(kept) = idle.pop_back() {
            if self.is_good(&kept) {
                return Some(kept);
            }
        }
        None
    }

    fn is_good(&self, kept: &Kept) -> bool {
        let epoch = self.epoch.load(Ordering::Acquire);
        kept.epoch == epoch && !kept.connection.client.is_closed() && kept.born.elapsed() < LIFETIME
    }

    /// Asks one host after the other. Each gets its share of the time that is left, so that one that is there and says
    /// nothing can't keep us from the next.
    async fn connect(&self, deadline: Instant) -> Result<Kept, StoreError> {
        let epoch = self.epoch.load(Ordering::Acquire);
        let hosts = self.config.hosts();
        let first = self.host.load(Ordering::Relaxed);
        let mut trouble = unavailable("it has no host");
        for turn in 0..hosts.len() {
            let index = (first + turn) % hosts.len();
            let Some(host) = hosts.get(index) else { continue };
            let left = deadline.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(hosts.len() - turn).unwrap_or(u32::MAX);
            match tokio::time::timeout(share, host.connect(self.tls.clone())).await {
                Ok(Ok((client, connection))) => {
                    // Ends with the client, or when the server hangs up.
                    tokio::spawn(async move {
                        if let Err(error) = connection.await {
                            tracing::debug!(error = sql::describe(&error), "a database connection ended");
                        }
                    });
                    self.host.store(index, Ordering::Relaxed);
                    return Ok(Kept {
                        connection: Arc::new(Connection::new(client, self.config.prepares())),
                        born: Instant::now(),
                        epoch,
                    });
                }
                Ok(Err(error)) => trouble = unavailable(&sql::describe(&error)),
                Err(_late) => trouble = unavailable("it let nobody in in time"),
            }
        }
        Err(trouble)
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lent {
    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.kept.connection
    }
}

fn unavailable(reason: &str) -> StoreError {
    StoreError::Unavailable(reason.to_owned())
}
