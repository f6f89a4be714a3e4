//! The three tokens of a session, made and read.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::rand::SecureRandom;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::csrf::{Csh, CsrfKey, CsrfToken};
use countersign_core::fields::UserFields;
use countersign_core::jwt::{AccessClaims, RefreshClaims, RefreshSigner, RefreshVerifier, SigningError};
use countersign_core::session::{Delivery, Session};
use countersign_core::{ClaimsRoom, GroupName, PermissionName, Rights, Seconds, SessionId, Timestamp};
use countersign_store::User;
use serde_json::{Map, Value};

use super::derive::{CryptoFailure, Derived};
use super::keys::KeyRing;
use crate::settings::{ExtraClaim, Settings};

/// Makes and reads the tokens of sessions.
pub struct Tokens {
    issuer: Arc<str>,
    audience: Arc<str>,
    access_lifetime: Seconds,
    refresh_lifetime: Seconds,
    claims_include: Vec<ExtraClaim>,
    user_fields: UserFields,
    /// How much room there is for what the user may do, if it goes into the token.
    room: Option<ClaimsRoom>,
    ring: RwLock<Arc<KeyRing>>,
    refresh_signer: RefreshSigner,
    /// Reads refresh tokens.
    pub refresh_verifier: RefreshVerifier,
    csrf: Vec<CsrfKey>,
}

/// Whom tokens are made for.
pub struct Subject {
    /// The user.
    pub user: User,
    /// What they may do, if the tokens say so ([`Tokens::room`]).
    pub rights: Option<Rights>,
}

/// What a client gets at a login or a refresh. `Debug` shows no token.
pub struct SignedIn {
    /// The access token.
    pub access_token: String,
    /// How long it lives from now.
    pub expires_in: Seconds,
    /// The refresh token of the current generation.
    pub refresh_token: String,
    /// How long the cookies live; `None`: until the browser ends.
    pub cookie_life: Option<Seconds>,
    /// The CSRF token, in a cookie session.
    pub csrf_token: Option<CsrfToken>,
    /// The session.
    pub session: Session,
    /// Its user.
    pub user: User,
}

/// Why tokens could not be made.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The cryptographic library failed.
    #[error(transparent)]
    Crypto(#[from] CryptoFailure),
    /// No key signs: this is a tool beside a server, or the clock stands before the first key was made.
    #[error("no signing key is active")]
    NoKey,
    /// The access token could not be signed.
    #[error(transparent)]
    Signing(#[from] SigningError),
}

impl Tokens {
    /// The tokens of these settings, with access tokens signed by this ring.
    pub fn new(settings: &Settings, roots: &[Derived], ring: KeyRing) -> Result<Self, CryptoFailure> {
        let issuer = settings.public_url.as_str().to_owned();
        let secrets: Vec<_> = settings.secrets.refresh_token.all().cloned().collect();
        Ok(Self {
            audience: settings.audience().into(),
            access_lifetime: settings.access_token_lifetime,
            refresh_lifetime: settings.refresh_token_lifetime,
            claims_include: settings.claims_include.clone(),
            user_fields: settings.user_fields.clone(),
            room: room(settings),
            ring: RwLock::new(Arc::new(ring)),
            refresh_signer: RefreshSigner::new(&settings.secrets.refresh_token.current, issuer.clone())
                .map_err(|_| CryptoFailure)?,
            refresh_verifier: RefreshVerifier::new(&secrets, issuer.clone(), settings.leeway)
                .map_err(|_| CryptoFailure)?,
            csrf: roots.iter().map(|root| root.csrf.clone()).collect(),
            issuer: issuer.into(),
        })
    }

    /// How much room an access token has for what the user may do; `None`: it doesn't say.
    pub fn room(&self) -> Option<ClaimsRoom> {
        self.room
    }

    /// The keys in use.
    pub fn ring(&self) -> Arc<KeyRing> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Signs with these keys from now on.
    pub fn set_ring(&self, ring: KeyRing) {
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
    }

    /// The CSRF token of a session that starts.
    pub fn new_csrf(&self, session: &Session) -> Option<CsrfToken> {
        match session.delivery {
            Delivery::Cookie => self.csrf.first().map(|key| key.token(session.id)),
            Delivery::Body => None,
        }
    }

    /// The CSRF token of a session whose refresh token carries this `csh`. It stays the same for the session's life,
    /// also when `root_secret` changes: then an older root, kept as a fallback, made it.
    pub fn csrf_of(&self, session: SessionId, csh: Csh) -> Option<CsrfToken> {
        self.csrf.iter().map(|key| key.token(session)).find(|token| token.csh() == csh)
    }

    /// The tokens of a session in its current generation.
    ///
    /// The refresh token of a generation is always the same, byte for byte, so that racing tabs get one successor.
    pub fn issue(
        &self,
        session: Session,
        Subject { user, rights }: Subject,
        csrf_token: Option<CsrfToken>,
        random: &dyn SecureRandom,
        now: Timestamp,
    ) -> Result<SignedIn, IssueError> {
        let csh = csrf_token.as_ref().map(CsrfToken::csh);
        let expires_at = (now + self.access_lifetime).min(session.ends_at).secs();
        let mut jti = [0; 16];
        random.fill(&mut jti).map_err(CryptoFailure::from)?;
        let access = AccessClaims {
            issuer: Arc::clone(&self.issuer),
            audience: Arc::clone(&self.audience),
            user: user.id,
            session: session.id,
            jti: Some(URL_SAFE_NO_PAD.encode(jti)),
            issued_at: now.secs(),
            expires_at,
            auth_time: Some(session.created_at.secs()),
            csh,
            extra: self.extra_claims(&user, rights.as_ref()),
        };
        let refresh = RefreshClaims {
            user: user.id,
            session: session.id,
            generation: session.generation,
            issued_at: session.rotated_at.secs(),
            expires_at: session.refresh_expires_at.secs(),
            csh,
        };
        Ok(SignedIn {
            access_token: self.ring().signing.as_ref().ok_or(IssueError::NoKey)?.sign_access(&access)?,
            expires_in: seconds_until(expires_at, now),
            refresh_token: self.refresh_signer.sign(&refresh),
            cookie_life: self.cookie_life(&session, now),
            csrf_token,
            session,
            user,
        })
    }

    /// How long a session's cookies live; `None`: until the browser ends.
    pub fn cookie_life(&self, session: &Session, now: Timestamp) -> Option<Seconds> {
        session.remember.then(|| self.refresh_lifetime.min(seconds_until(session.ends_at.secs(), now)))
    }

    fn extra_claims(&self, user: &User, rights: Option<&Rights>) -> Map<String, Value> {
        let mut claims = self.user_fields.claims(&user.fields);
        let Some(rights) = rights else { return claims };
        for claim in &self.claims_include {
            let (name, value) = match claim {
                ExtraClaim::Groups => {
                    let names: Vec<_> = rights.groups.iter().map(GroupName::as_str).collect();
                    ("groups", Value::from(names))
                }
                // A superuser has every right; a list of those that happen to be named would say less.
                ExtraClaim::Permissions if rights.is_superuser => ("is_superuser", Value::Bool(true)),
                ExtraClaim::Permissions => {
                    let names: Vec<_> = rights.permissions.iter().map(PermissionName::as_str).collect();
                    ("permissions", Value::from(names))
                }
            };
            claims.insert(name.to_owned(), value);
            if *claim == ExtraClaim::Permissions && rights.is_staff {
                claims.insert("is_staff".to_owned(), Value::Bool(true));
            }
        }
        claims
    }
}

/// The longest access token that is made. Servers and proxies take header sections of 8 KiB, with cookies and all.
const ACCESS_TOKEN_MAX: usize = 6 * 1024;
/// What a token's header and signature take of it, at most: those of RS256.
const ENVELOPE: usize = 512;
/// What the claims take that each token has, besides issuer and audience.
const FIXED_CLAIMS: usize = 512;

fn room(settings: &Settings) -> Option<ClaimsRoom> {
    let includes = |claim| settings.claims_include.contains(&claim);
    let (groups, permissions) = (includes(ExtraClaim::Groups), includes(ExtraClaim::Permissions));
    // Three bytes of claims are four characters of a token.
    let claims = (ACCESS_TOKEN_MAX - ENVELOPE) / 4 * 3;
    let named = settings.public_url.as_str().len() + settings.audience().len();
    let taken = FIXED_CLAIMS + named + settings.user_fields.claims_max();
    let bytes = claims.saturating_sub(taken);
    (groups || permissions).then_some(ClaimsRoom { groups, permissions, bytes })
}

impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedIn")
            .field("session", &self.session)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

fn seconds_until(moment: i64, now: Timestamp) -> Seconds {
    Seconds(u32::try_from(moment - now.secs()).unwrap_or(0))
}
