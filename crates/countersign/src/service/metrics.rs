//! What is counted, for Prometheus: on a listener of its own, off by default.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::Error;
use super::password::pool::Gauges;

/// The counts of one running server.
pub(crate) struct Metrics {
    registry: Registry,
    /// What was looked up in the next two already.
    alike: RwLock<Vec<Alike>>,
    requests: Family<RequestLabels, Counter>,
    latencies: Family<RouteLabels, Histogram>,
    logins: Family<LoginLabels, Counter>,
    rotations: Family<RotationLabels, Counter>,
    thefts: Counter,
    live_sessions: Gauge,
    hashing_waiting: Gauge,
    hashing_busy: Gauge,
    hashes: Gauge<u64, AtomicU64>,
    hashing_refused: Gauge<u64, AtomicU64>,
    store: Family<StoreLabels, Histogram>,
}

/// How a login went.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, EncodeLabelValue)]
pub(crate) enum LoginResult {
    /// A session started.
    Succeeded,
    /// The name or the password was wrong, or the user inactive.
    Failed,
    /// Too many had failed.
    Throttled,
    /// The hashing queue was full.
    Overloaded,
    /// The store was away, or the like.
    Error,
}

impl LoginResult {
    /// Of a login as it was answered.
    pub(super) fn of<T>(result: &Result<T, Error>) -> Self {
        match result {
            Ok(_) => Self::Succeeded,
            Err(Error::InvalidCredentials) => Self::Failed,
            Err(Error::Throttled(_)) => Self::Throttled,
            Err(Error::Overloaded) => Self::Overloaded,
            Err(_) => Self::Error,
        }
    }
}

/// How a use of a refresh token went.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, EncodeLabelValue)]
pub(crate) enum RotationResult {
    /// The session moved on.
    Rotated,
    /// The current generation was answered again.
    Answered,
    /// It was refused.
    Refused,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: &'static str,
    status: u16,
}

/// Requests of the same labels. To compare the labels' places in memory takes less than to hash them twice.
struct Alike {
    labels: RequestLabels,
    requests: Counter,
    latencies: Histogram,
}

/// The most labels that are kept so. The labels are static texts, so there are hardly as many.
const ALIKE_MAX: usize = 256;

impl Alike {
    fn is(&self, method: &'static str, route: &'static str, status: u16) -> bool {
        self.labels.status == status
            && std::ptr::eq(self.labels.route, route)
            && std::ptr::eq(self.labels.method, method)
    }

    fn count(&self, took: Duration) {
        self.latencies.observe(took.as_secs_f64());
        self.requests.inc();
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct LoginLabels {
    result: LoginResult,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct RotationLabels {
    result: RotationResult,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct StoreLabels {
    operation: &'static str,
}

impl Metrics {
    /// Nothing counted yet.
    pub(crate) fn new() -> Arc<Self> {
        let mut registry = Registry::with_prefix("countersign");
        let seconds = || Histogram::new(exponential_buckets(0.0005, 2.0, 14));
        let latencies = Family::new_with_constructor(seconds as fn() -> Histogram);
        let store = Family::new_with_constructor(seconds as fn() -> Histogram);
        let mut metrics = Self {
            registry: Registry::default(),
            alike: RwLock::default(),
            requests: Family::default(),
            latencies,
            logins: Family::default(),
            rotations: Family::default(),
            thefts: Counter::default(),
            live_sessions: Gauge::default(),
            hashing_waiting: Gauge::default(),
            hashing_busy: Gauge::default(),
            hashes: Gauge::default(),
            hashing_refused: Gauge::default(),
            store,
        };
        registry.register("http_requests", "Requests by route and status", metrics.requests.clone());
        registry.register("http_request_seconds", "Time to the answer's head", metrics.latencies.clone());
        registry.register("logins", "Logins by result", metrics.logins.clone());
        registry.register("rotations", "Uses of refresh tokens by result", metrics.rotations.clone());
        registry.register(
            "thefts",
            "Sessions ended because a refresh token was used twice",
            metrics.thefts.clone(),
        );
        registry.register(
            "live_sessions",
            "Live sessions, counted four times a minute",
            metrics.live_sessions.clone(),
        );
        registry.register(
            "hashing_waiting",
            "Passwords that wait to be hashed",
            metrics.hashing_waiting.clone(),
        );
        registry.register("hashing_busy", "Threads that hash at this moment", metrics.hashing_busy.clone());
        registry.register("hashing_hashes", "Password hashes since the start", metrics.hashes.clone());
        registry.register(
            "hashing_refused",
            "Passwords refused for want of room",
            metrics.hashing_refused.clone(),
        );
        registry.register("store_seconds", "Time of a use case in the store", metrics.store.clone());
        metrics.registry = registry;
        Arc::new(metrics)
    }

    /// Counts a request. A client can make up methods and paths, but no labels: those are our own.
    pub(crate) fn request(&self, method: &'static str, route: &'static str, status: u16, took: Duration) {
        let known = self.alike.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(alike) = known.iter().find(|alike| alike.is(method, route, status)) {
            return alike.count(took);
        }
        drop(known);
        let labels = RequestLabels { method, route, status };
        let requests = self.requests.get_or_create(&labels).clone();
        let latencies = self.latencies.get_or_create(&RouteLabels { method, route }).clone();
        let alike = Alike { labels, requests, latencies };
        alike.count(took);
        let mut known = self.alike.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < ALIKE_MAX {
            known.push(alike);
        }
    }

    pub(super) fn login(&self, result: LoginResult) {
        self.logins.get_or_create(&LoginLabels { result }).inc();
    }

    pub(super) fn rotation(&self, result: RotationResult) {
        self.rotations.get_or_create(&RotationLabels { result }).inc();
    }

    pub(super) fn theft(&self) {
        self.thefts.inc();
    }

    pub(super) fn live_sessions(&self, live: u64) {
        self.live_sessions.set(i64::try_from(live).unwrap_or(i64::MAX));
    }

    pub(super) fn store(&self, operation: &'static str, took: Duration) {
        self.store.get_or_create(&StoreLabels { operation }).observe(took.as_secs_f64());
    }

    /// The whole of it, in the OpenMetrics text format.
    pub(super) fn render(&self, hashing: Gauges) -> Result<String, fmt::Error> {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.hashing_waiting.set(count(hashing.waiting));
        self.hashing_busy.set(count(hashing.busy));
        self.hashes.set(hashing.hashes);
        self.hashing_refused.set(hashing.refused);
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}
