//! Who may call a private route. In this order:
//!
//! 1. There is one `Authorization` header, of two words, `Bearer` or `Token` and the token.
//! 2. The token verifies: [`countersign_core::jwt`] has the rules.
//! 3. Its session is known, and is its user's ([`Liveness`]).
//! 4. An unsafe method in a cookie session is countersigned.
//! 5. The session is live.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use countersign_core::jwt::{AccessClaims, AccessVerifier, KeySet, TokenError, VerifyingKey};
use countersign_core::{Clock, Seconds, Timestamp};
use http::{HeaderMap, Method};
use tracing::debug;

use crate::bearer::bearer_token;
use crate::cache::{Cache, Digest};
use crate::clock::SystemClock;
use crate::csrf::{check_countersignature, is_unsafe};
use crate::denied::Denied;
use crate::liveness::{Answer, Liveness, NoLiveness, NotLive};

/// Decides about requests: for one issuer and one audience, under keys that may change while it runs.
pub struct Verifier {
    issuer: String,
    audience: String,
    leeway: Seconds,
    capacity: usize,
    clock: Arc<dyn Clock>,
    liveness: Arc<dyn Liveness>,
    trust: RwLock<Arc<Trust>>,
}

/// The keys of the moment, and what they verified.
struct Trust {
    rules: AccessVerifier,
    cache: Cache,
}

/// The clock skew that is allowed unless [`Verifier::with_leeway`] says otherwise.
const DEFAULT_LEEWAY: Seconds = Seconds(10);

/// How many tokens are remembered unless [`Verifier::with_cache_capacity`] says otherwise.
const DEFAULT_CAPACITY: usize = 65_536;

impl Verifier {
    /// Trusts what these keys sign, as this issuer, for this audience.
    ///
    /// It allows ten seconds of clock skew, reads the system's clock, asks nobody whether sessions live and
    /// remembers 65,536 tokens. The `with_…` methods change that.
    pub fn new(keys: KeySet, issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        let (issuer, audience) = (issuer.into(), audience.into());
        let rules = AccessVerifier::new(keys, issuer.clone(), audience.clone(), DEFAULT_LEEWAY);
        let trust = Trust { rules, cache: Cache::new(DEFAULT_CAPACITY) };
        Self {
            issuer,
            audience,
            leeway: DEFAULT_LEEWAY,
            capacity: DEFAULT_CAPACITY,
            clock: Arc::new(SystemClock),
            liveness: Arc::new(NoLiveness),
            trust: RwLock::new(Arc::new(trust)),
        }
    }

    /// Allows this much clock skew when a token's times are checked.
    #[must_use]
    pub fn with_leeway(mut self, leeway: Seconds) -> Self {
        self.leeway = leeway;
        self.replace_keys(self.trust().rules.keys().clone());
        self
    }

    /// Remembers at most this many verified tokens; none, if it is zero. One takes some 300 bytes, and more where
    /// it is full of groups and permissions.
    #[must_use]
    pub fn with_cache_capacity(mut self, tokens: usize) -> Self {
        self.capacity = tokens;
        self.replace_keys(self.trust().rules.keys().clone());
        self
    }

    /// Takes the time from this clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Asks this source whether sessions live.
    #[must_use]
    pub fn with_liveness(mut self, liveness: Arc<dyn Liveness>) -> Self {
        self.liveness = liveness;
        self
    }

    /// Trusts these keys from now on, and no others.
    ///
    /// Whatever was verified so far is forgotten, and verified again when it comes back. So call it when the set has
    /// changed, not every time that it was looked at.
    pub fn replace_keys(&self, keys: KeySet) {
        let rules = AccessVerifier::new(keys, self.issuer.clone(), self.audience.clone(), self.leeway);
        let trust = Arc::new(Trust { rules, cache: Cache::new(self.capacity) });
        *self.trust.write().unwrap_or_else(PoisonError::into_inner) = trust;
    }

    /// Whether this request may call a private route, and for whom it speaks.
    pub async fn authenticate(
        &self,
        headers: &HeaderMap,
        method: &Method,
    ) -> Result<Arc<AccessClaims>, Denied> {
        match self.begin(headers, method) {
            Decision::Made(decision) => decision,
            Decision::Open(open) => open.decide(headers, method).await,
        }
    }

    /// The same, as far as it goes without waiting.
    pub(crate) fn begin(&self, headers: &HeaderMap, method: &Method) -> Decision {
        let sighting = match self.recognise(headers) {
            Ok(sighting) => sighting,
            Err(denied) => return Decision::Made(Err(denied)),
        };
        match self.liveness.check(&sighting.claims, sighting.first.is_some()) {
            Answer::Now(live) => Decision::Made(sighting.decide(live, headers, method)),
            later @ Answer::Later(_) => Decision::Open(Open { sighting, answer: later }),
        }
    }

    fn recognise(&self, headers: &HeaderMap) -> Result<Sighting, Denied> {
        let token = bearer_token(headers)?;
        self.verify(token).map_err(|error| {
            debug!(?error, "access token refused");
            error.into()
        })
    }

    /// Reads the token, from memory or by its signature.
    fn verify(&self, token: &[u8]) -> Result<Sighting, TokenError> {
        let digest = Digest::of(token);
        let trust = self.trust();
        let now = self.clock.now();
        if let Some(known) = trust.cache.recall(&digest, |expires_at| trust.rules.recheck(expires_at, now)) {
            return Ok(Sighting { claims: known?, first: None });
        }
        let claims = Arc::new(trust.rules.verify(token, now)?);
        Ok(Sighting { claims, first: Some(FirstSight { digest, trust, now }) })
    }

    fn trust(&self) -> Arc<Trust> {
        // A poisoned lock still holds one whole `Arc`, the old or the new.
        Arc::clone(&self.trust.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How far [`Verifier::begin`] came.
pub(crate) enum Decision {
    Made(Result<Arc<AccessClaims>, Denied>),
    Open(Open),
}

/// A good token whose session must be asked about.
pub(crate) struct Open {
    sighting: Sighting,
    answer: Answer,
}

/// A good token.
struct Sighting {
    claims: Arc<AccessClaims>,
    first: Option<FirstSight>,
}

/// What it takes to remember a token that wasn't known.
struct FirstSight {
    digest: Digest,
    trust: Arc<Trust>,
    now: Timestamp,
}

impl Open {
    pub(crate) async fn decide(
        self,
        headers: &HeaderMap,
        method: &Method,
    ) -> Result<Arc<AccessClaims>, Denied> {
        self.sighting.decide(self.answer.wait().await, headers, method)
    }
}

impl Sighting {
    /// The steps that are left when it is known whether the session lives.
    fn decide(
        self,
        live: Result<(), NotLive>,
        headers: &HeaderMap,
        method: &Method,
    ) -> Result<Arc<AccessClaims>, Denied> {
        let live = match live {
            Ok(()) => Ok(()),
            Err(NotLive::Ended) => Err(Denied::SessionEnded),
            Err(NotLive::UserInactive) => Err(Denied::UserInactive),
            Err(NotLive::Unknown) => return Err(Denied::TokenInvalid),
            Err(NotLive::Unavailable) => return Err(Denied::Unavailable),
        };
        if let (Ok(()), Some(first)) = (live, self.first) {
            first.remember(Arc::clone(&self.claims));
        }
        if let Some(csh) = self.claims.csh
            && is_unsafe(method)
        {
            check_countersignature(headers, csh)?;
        }
        live.map(|()| self.claims)
    }
}

impl FirstSight {
    fn remember(self, claims: Arc<AccessClaims>) {
        let Self { digest, trust, now } = self;
        trust.cache.remember(digest, claims, |expires_at| trust.rules.recheck(expires_at, now).is_ok());
    }
}

impl From<TokenError> for Denied {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Expired => Self::TokenExpired,
            TokenError::Invalid(_) => Self::TokenInvalid,
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let trust = self.trust();
        let kids: Vec<_> = trust.rules.keys().iter().map(VerifyingKey::kid).collect();
        f.debug_struct("Verifier")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("leeway", &self.leeway)
            .field("keys", &kids)
            .finish_non_exhaustive()
    }
}
