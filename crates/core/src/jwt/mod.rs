//! The two JWTs: the access token and the refresh token, read strictly, written in one form.
//!
//! This is narrow on purpose: compact JWS with one of four algorithms, and nothing else. The rules, all in
//! [`AccessVerifier`] and [`RefreshVerifier`]:
//!
//! 1. A token over 8 KiB is refused before any work.
//! 2. It has exactly three parts, each in canonical base64url (RFC 7515, section 2; no padding, no stray bits).
//! 3. Header and claims are JSON objects without duplicate members, of a bounded depth.
//! 4. The algorithm comes from the key, never from the token; the header's `alg` must equal it, byte for byte.
//! 5. A key named *in* the token (`jwk`, `jku`, `x5u`, `x5c`) is never looked at. `kid` is compared with the keys
//!    that we have, and used for nothing else.
//! 6. `crit`, `b64` and `zip` are refused: we know no extension.
//! 7. `typ` and `token_type` say which of the two tokens this is. They also have different keys. So none is ever
//!    good as the other.
//! 8. Each claim has its exact type; one of a wrong type is an error, never an absent one.
//! 9. The signature is checked last, because it costs most; *expired* is said only when all else holds.
//!
//! Whatever is wrong, the client sees one face: [`TokenError::Invalid`]. The [`Reason`] is for tests and traces.

mod claims;
mod compact;
mod jwk;
mod key;
mod key_set;
mod sign;
mod verify;

#[cfg(test)]
mod wycheproof;

pub use claims::{AccessClaims, RefreshClaims};
pub use key::{Algorithm, KeyError, KeyId, VerifyingKey};
pub use key_set::KeySet;
pub use sign::{RefreshSigner, SigningError, SigningKey};
pub use verify::{AccessVerifier, RefreshVerifier};

/// The longest token that is read, and that is written, in bytes.
pub const MAX_TOKEN_LEN: usize = 8 * 1024;

/// The shortest HMAC secret, in bytes (RFC 7518, section 3.2).
pub const MIN_SECRET_LEN: usize = 32;

/// Why a token is refused. Both read the same whatever the cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TokenError {
    /// The token was good once: all holds but its time is over.
    #[error("the token has expired")]
    Expired,
    /// Anything else. The reason is not for the client.
    #[error("the token is not valid")]
    Invalid(Reason),
}

/// What is wrong with a token, for tests and trace logs. No client may see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// Over [`MAX_TOKEN_LEN`].
    TooLong,
    /// Not three parts.
    Structure,
    /// Not canonical base64url.
    Encoding,
    /// Header or claims are no strict JSON object.
    Json,
    /// A header member is missing or of the wrong type.
    Header,
    /// The header asks for something that we don't know: `crit`, `b64`, `zip`.
    Extension,
    /// `alg` is not the key's.
    Algorithm,
    /// No `kid`, or one that isn't ours.
    Key,
    /// `typ` is another token's.
    Type,
    /// This claim is missing, of the wrong type, or not what it must be.
    Claim(&'static str),
    /// `nbf` or `iat` lies in the future.
    NotYetValid,
    /// The signature is not the key's.
    Signature,
}

impl From<Reason> for TokenError {
    fn from(reason: Reason) -> Self {
        Self::Invalid(reason)
    }
}
