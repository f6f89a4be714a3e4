//! How a service comes to be: from settings, a store, a clock and randomness.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use aws_lc_rs::rand::SecureRandom;
use countersign_core::Clock;
use countersign_core::guess::{GuessPolicy, Guesses};
use countersign_core::jwt::AccessClaims;
use countersign_store::copy::UNDER_WAY;
use countersign_store::{Store, StoreError};
use countersign_verify::{Answer, Verifier};
use tokio::sync::{Mutex, OnceCell};

use super::clock::DatabaseClock;
use super::derive::{CryptoFailure, Derived};
use super::guesses::Sharing;
use super::keys::KeyRing;
use super::liveness::Liveness;
use super::metrics::Metrics;
use super::password::{HashingPool, PasswordPolicy};
use super::tokens::Tokens;
use super::{Environment, Error, Service, signing};
use crate::settings::{SettingError, Settings};

/// The most entries of each of the tables that count guesses.
const GUESSES_MAX: usize = 100_000;

/// Why a service could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting can't be right.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The database can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The signing keys can't be used.
    #[error(transparent)]
    Keys(#[from] super::keys::KeyError),
    /// The system gave no threads.
    #[error("the hashing threads could not be started: {0}")]
    Threads(#[from] std::io::Error),
    /// The cryptographic library failed.
    #[error(transparent)]
    Crypto(#[from] CryptoFailure),
    /// The database is the target of a copy that isn't whole.
    #[error(
        "database_url: the database is an unfinished copy of {from}; finish it with countersign copy, or begin with \
         an empty one"
    )]
    Unfinished {
        /// What is copied.
        from: String,
    },
    /// Something else, which its sentence tells.
    #[error("{0}")]
    Other(String),
}

impl Service {
    /// Opens a service over a store. One that `serves` makes the signing keys that are missing and has them at hand; a
    /// tool beside it touches none that it isn't told to.
    pub async fn open(
        settings: Settings,
        store: Store,
        environment: Environment,
        serves: bool,
    ) -> Result<Arc<Self>, StartError> {
        settings.validate()?;
        if let Some(from) = store.meta(UNDER_WAY).await? {
            return Err(StartError::Unfinished { from });
        }
        let database_clock = if environment.follows_database {
            DatabaseClock::start(&store, &environment.clock).await?
        } else {
            None
        };
        let own_clock = environment.clock.clone();
        let clock = database_clock.clone().map_or(own_clock, |clock| clock as Arc<dyn Clock>);
        let environment = Environment { clock: clock.clone(), ..environment };
        let random = environment.random.clone();
        let roots: Vec<Derived> =
            settings.secrets.root.all().map(Derived::from_root).collect::<Result<_, _>>()?;
        let afterlife = signing::afterlife(&settings, &store, serves).await?;
        if serves {
            super::fields::enter(&store, &settings.user_fields).await?;
        }
        // First the place in the news, then the keys, so that no change of them falls in between.
        let liveness = Liveness::start(store.clone(), &settings, clock.now()).await?;
        let liveness = Arc::new(liveness);
        let ring = if serves {
            signing::load_ring(&settings, &store, &roots, afterlife, &environment).await?
        } else {
            KeyRing::empty()
        };
        if serves && ring.signing.is_none() {
            let problem =
                "no signing key may sign yet: this machine's clock stands before the first one was made";
            return Err(StartError::Other(problem.into()));
        }
        let verifier =
            Verifier::new(ring.verifying.clone(), settings.public_url.as_str(), settings.audience())
                .with_leeway(settings.leeway)
                .with_clock(clock.clone())
                .with_liveness(Arc::new(StoreFed { liveness: liveness.clone(), clock: clock.clone() }));
        let policy = PasswordPolicy::new(settings.password_min_length).map_err(|_| SettingError {
            setting: "password_min_length",
            problem: "must be at least 8".into(),
        })?;
        let hashing = HashingPool::start(
            NonZeroUsize::new(settings.hashing_threads).unwrap_or(NonZeroUsize::MIN),
            NonZeroUsize::new(settings.hashing_queue).unwrap_or(NonZeroUsize::MIN),
            random.clone() as Arc<dyn SecureRandom + Send + Sync>,
        )?;
        let throttle = &settings.throttle;
        let guesses = GuessPolicy {
            name_limit: throttle.name_limit,
            network_limit: throttle.network_limit,
            window: throttle.window,
            ceiling: throttle.ceiling,
        };
        Ok(Arc::new(Self {
            tokens: Tokens::new(&settings, &roots, ring)?,
            store,
            clock,
            database_clock,
            random,
            roots,
            verifier: Arc::new(verifier),
            liveness,
            hashing,
            floor: OnceCell::new(),
            policy,
            serves,
            keys_known: Mutex::new(0),
            guesses: Guesses::new(guesses, GUESSES_MAX),
            sharing: Sharing::new(&settings.secrets.root.current)?,
            outbox: super::audit::Outbox::default(),
            metrics: Metrics::new(),
            settings,
        }))
    }
}

/// The verifier's liveness, fed from our own store.
struct StoreFed {
    liveness: Arc<Liveness>,
    clock: Arc<dyn Clock>,
}

impl countersign_verify::Liveness for StoreFed {
    fn check(&self, claims: &AccessClaims, first_sight: bool) -> Answer {
        let now = self.clock.now();
        if let Some(answer) = self.liveness.known(claims, first_sight, now) {
            return Answer::Now(answer);
        }
        let (liveness, session, user) = (self.liveness.clone(), claims.session, claims.user);
        let mut asked = Box::pin(async move { liveness.ask(session, user, now).await });
        // An embedded store mostly answers at once; then nothing of the request need be set aside.
        match asked.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => Answer::Now(answer),
            // Whoever waits for it polls it again, and is woken.
            Poll::Pending => Answer::Later(asked),
        }
    }
}

impl From<Error> for StartError {
    fn from(error: Error) -> Self {
        match error {
            Error::Unavailable(error) => Self::Store(error),
            Error::Keys(error) => Self::Keys(error),
            other => Self::Other(other.to_string()),
        }
    }
}
