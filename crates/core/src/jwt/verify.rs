//! The verifiers: what makes a token good. The rules stand in the module's own doc.

use std::fmt;
use std::sync::Arc;

use super::claims::{AccessClaims, RefreshClaims};
use super::compact::{Compact, Header};
use super::key::{Algorithm, KeyError, KeyId, VerifyingKey};
use super::key_set::KeySet;
use super::{Reason, TokenError};
use crate::secret::Secret;
use crate::time::{Seconds, Timestamp};

/// Verifies access tokens: for one issuer, one audience, under the keys of one set.
///
/// There is no way to make one that checks less:
///
/// ```compile_fail,E0061
/// # use countersign_core::jwt::{AccessVerifier, KeySet};
/// AccessVerifier::new(KeySet::default());
/// ```
#[derive(Clone, Debug)]
pub struct AccessVerifier {
    keys: KeySet,
    issuer: Arc<str>,
    audience: Arc<str>,
    leeway: Seconds,
}

/// Verifies refresh tokens: HS256, under the current secret or an earlier one that is still accepted.
#[derive(Clone)]
pub struct RefreshVerifier {
    keys: Vec<VerifyingKey>,
    issuer: String,
    leeway: Seconds,
}

impl AccessVerifier {
    /// `leeway` is the clock skew that is allowed when the token's times are checked.
    pub fn new(keys: KeySet, issuer: String, audience: String, leeway: Seconds) -> Self {
        Self { keys, issuer: issuer.into(), audience: audience.into(), leeway }
    }

    /// What the token says, if it is good `now`. Whether its session still lives is another question.
    pub fn verify(&self, token: impl AsRef<[u8]>, now: Timestamp) -> Result<AccessClaims, TokenError> {
        let token = Compact::parse(token.as_ref())?;
        let kid = token.header.kid.as_deref().ok_or(Reason::Key)?;
        let key = self.keys.get(kid).ok_or(Reason::Key)?;
        require(is_access_type(&token.header), Reason::Type)?;
        let claims = AccessClaims::read(
            token.claims()?,
            (&self.issuer, &self.audience),
            latest_start(now, self.leeway),
        )?;
        token.verify(key)?;
        not_expired(claims.expires_at, now, self.leeway)?;
        Ok(claims)
    }

    /// Whether claims that *this* verifier verified earlier, and that expire then, are still good: only their end can have
    /// come since.
    ///
    /// For a cache, at every hit. The keys can't have changed: a verifier with other keys is another verifier, and
    /// must not look into this one's cache.
    pub fn recheck(&self, expires_at: i64, now: Timestamp) -> Result<(), TokenError> {
        not_expired(expires_at, now, self.leeway)
    }

    /// The keys that it verifies with.
    pub const fn keys(&self) -> &KeySet {
        &self.keys
    }
}

impl RefreshVerifier {
    /// `secrets`: the current one, then those that are still accepted. Each has at least 32 bytes.
    pub fn new(secrets: &[Secret], issuer: String, leeway: Seconds) -> Result<Self, KeyError> {
        if secrets.is_empty() {
            return Err(KeyError::SecretTooShort);
        }
        let key = |secret| VerifyingKey::hmac(KeyId::of_secret(secret), secret);
        let keys = secrets.iter().map(key).collect::<Result<_, _>>()?;
        Ok(Self { keys, issuer, leeway })
    }

    /// What the token says, if it is good `now`. Whether its generation is the current one is another question.
    pub fn verify(&self, token: impl AsRef<[u8]>, now: Timestamp) -> Result<RefreshClaims, TokenError> {
        let claims = self.verify_any_age(token, now)?;
        not_expired(claims.expires_at, now, self.leeway)?;
        Ok(claims)
    }

    /// The same for a token that may have expired: it can't be used, but it names its session.
    pub fn verify_any_age(
        &self,
        token: impl AsRef<[u8]>,
        now: Timestamp,
    ) -> Result<RefreshClaims, TokenError> {
        let token = Compact::parse(token.as_ref())?;
        require(token.header.alg == Algorithm::Hs256.as_str(), Reason::Algorithm)?;
        require(token.header.typ.as_deref() == Some(REFRESH_TYPE), Reason::Type)?;
        let claims = RefreshClaims::read(token.claims()?, &self.issuer, latest_start(now, self.leeway))?;
        let signed = self.keys.iter().any(|key| token.verify(key).is_ok());
        require(signed, Reason::Signature)?;
        Ok(claims)
    }
}

/// `typ` of an access token (RFC 9068, section 2.1).
pub(super) const ACCESS_TYPE: &str = "at+jwt";
/// `typ` of a refresh token: ours alone, so it has one spelling.
pub(super) const REFRESH_TYPE: &str = "rt+jwt";

/// A media type in any case, with or without `application/` (RFC 7515, section 4.1.9; RFC 9068, section 4).
fn is_access_type(header: &Header) -> bool {
    let typ = header.typ.as_deref().unwrap_or_default();
    typ.eq_ignore_ascii_case(ACCESS_TYPE) || typ.eq_ignore_ascii_case("application/at+jwt")
}

/// The last second that `iat` and `nbf` may name: both count in whole seconds, so rounding down loses nothing.
fn latest_start(now: Timestamp, leeway: Seconds) -> i64 {
    (now + leeway).secs()
}

/// A token is expired when `now - leeway >= exp`.
fn not_expired(expires_at: i64, now: Timestamp, leeway: Seconds) -> Result<(), TokenError> {
    if (now - leeway).secs() >= expires_at { Err(TokenError::Expired) } else { Ok(()) }
}

fn require(holds: bool, otherwise: Reason) -> Result<(), TokenError> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}

impl fmt::Debug for RefreshVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RefreshVerifier({} secrets, {})", self.keys.len(), self.issuer)
    }
}
