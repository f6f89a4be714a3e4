//! The use cases, called by HTTP, the admin site, the command line and tests alike. Nothing here knows of HTTP.
//!
//! - [`login`]: a password becomes a session.
//! - `guesses`: leave to check a password, here and over all nodes.
//! - [`refresh`]: what a refresh token can do: refresh, logout, the CSRF token after a reload.
//! - [`account`]: what a signed-in user does: profile, password, sessions.
//! - [`people`]: what those who look after users do: the admin site and the command line.
//! - [`users`]: what a program that has Countersign inside does to users.
//! - [`fields`]: custom fields, over all users.
//! - [`admin`], [`setup`]: sessions of the admin site, and the first superuser.
//! - [`tokens`], [`keys`], [`mod@derive`]: how tokens are made, by which keys, from which secrets.
//! - [`import`], [`export`]: people who come from another system, and go there.
//! - `liveness`: which sessions live, without a look-up per request; `known_users`: users, likewise.
//! - [`password`]: how passwords are hashed and chosen.
//! - [`mod@copy`]: everything is carried over to another database.
//! - `audit`, `metrics`: what is told of all this.
//! - [`open`]: how a service comes to be.
//! - `background`: what runs beside the requests; `clock`: the time that all nodes go by.

pub mod account;
pub mod admin;
pub(crate) mod audit;
pub(crate) mod background;
pub(crate) mod clock;
pub mod copy;
pub mod derive;
pub mod error;
pub mod export;
pub mod fields;
mod guesses;
pub mod import;
pub mod keys;
pub(crate) mod known_users;
pub(crate) mod liveness;
pub mod login;
pub(crate) mod metrics;
pub mod open;
pub mod password;
pub mod people;
pub mod refresh;
pub mod setup;
pub mod signing;
pub mod tokens;
pub mod users;

use std::sync::Arc;
use std::time::Instant;

use aws_lc_rs::rand::SecureRandom;
use countersign_core::guess::Guesses;
use countersign_core::{Clock, Timestamp};
use countersign_store::Store;
use countersign_verify::Verifier;
use tokio::sync::{Mutex, OnceCell};

use self::audit::Outbox;
use self::clock::DatabaseClock;
use self::derive::Derived;
use self::liveness::Liveness;
use self::metrics::Metrics;
use self::password::{Floor, HashingPool, PasswordPolicy, StoredHash};
use self::tokens::Tokens;
use crate::settings::Settings;

pub use countersign_store::User;
pub use error::{Error, FieldErrors};

/// The use cases of one running Countersign.
pub struct Service {
    settings: Settings,
    store: Store,
    clock: Arc<dyn Clock>,
    /// The same, where it is the database's.
    database_clock: Option<Arc<DatabaseClock>>,
    random: Arc<dyn SecureRandom + Send + Sync>,
    roots: Vec<Derived>,
    tokens: Tokens,
    verifier: Arc<Verifier>,
    liveness: Arc<Liveness>,
    hashing: HashingPool,
    /// Measured at the first need, or in the background right after the start.
    floor: OnceCell<Floor>,
    policy: PasswordPolicy,
    /// Whether this is a server, and not a tool beside one.
    serves: bool,
    /// Which news of changed keys are in the ring. Whoever reloads it holds this, so that no older read comes last.
    keys_known: Mutex<u64>,
    guesses: Guesses,
    sharing: guesses::Sharing,
    outbox: Outbox,
    metrics: Arc<Metrics>,
}

/// What a program hands in, and a test replaces: the clock and randomness.
#[derive(Clone)]
pub struct Environment {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Whether a database that several nodes share tells the time instead.
    pub follows_database: bool,
    /// Fills bytes that nobody can guess.
    pub random: Arc<dyn SecureRandom + Send + Sync>,
}

impl Service {
    /// The settings that it runs with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Verifies access tokens, with this server's own keys and liveness.
    pub fn verifier(&self) -> &Arc<Verifier> {
        &self.verifier
    }

    /// What is counted.
    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// What was counted, in the OpenMetrics text format.
    pub fn render_metrics(&self) -> String {
        // Writing to a string fails only where a label's own encoding does; then the page is cut short.
        self.metrics.render(self.hashing.gauges()).unwrap_or_default()
    }

    /// Where random bytes come from.
    pub(crate) fn random(&self) -> Arc<dyn SecureRandom + Send + Sync> {
        Arc::clone(&self.random)
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether requests that need the store can be served: it answers, and the news of ended sessions are fresh.
    pub async fn is_ready(&self) -> Result<(), Error> {
        self.store.ping().await?;
        if self.liveness.is_fresh(self.now()) {
            return Ok(());
        }
        // A node that has just woken may catch up right here.
        self.liveness.catch_up(self.now()).await?;
        self.follow_keys().await;
        Ok(())
    }

    /// How far the database's clock is ahead of this machine's, in milliseconds, if it counts and that is a lot.
    pub fn clock_skew(&self) -> Option<i64> {
        self.database_clock.as_ref()?.large_skew()
    }

    /// Writes down what waits, and closes the store.
    pub async fn close(&self) {
        self.write_outbox().await;
        // What waited while a batch was written again.
        self.write_outbox().await;
        self.store.close().await;
    }

    /// Takes in what this node has just written, so that it counts from the next request on. Where the store can't be
    /// read, the news grow stale by themselves, and nothing is trusted until they are fresh.
    async fn catch_up(&self) {
        if let Err(error) = self.liveness.catch_up(self.now()).await {
            tracing::warn!(%error, "the news of ended sessions could not be read");
        }
        self.follow_keys().await;
    }

    /// The least time that a failed login takes.
    async fn floor(&self) -> Floor {
        let measured = self.floor.get_or_try_init(|| async {
            let samples = self.store.password_samples().await.map_err(Error::from)?;
            let samples = samples.iter().map(|hash| StoredHash::new(hash.expose())).collect();
            self.hashing.measure_floor(samples).await.map_err(Error::from)
        });
        match measured.await {
            Ok(floor) => *floor,
            Err(error) => {
                tracing::warn!(%error, "the least time of a failed login could not be measured; it is tried again");
                Floor::unknown()
            }
        }
    }

    /// A use of the store, timed.
    async fn timed<T>(&self, operation: &'static str, work: impl Future<Output = T>) -> T {
        let started = Instant::now();
        let done = work.await;
        self.metrics.store(operation, started.elapsed());
        done
    }
}
