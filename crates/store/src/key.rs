//! Signing keys, as the store keeps them.

use countersign_core::Timestamp;

/// A signing key. What state it is in follows from the times of all keys of its algorithm (`service::keys`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredKey {
    /// Its name in the key set.
    pub kid: String,
    /// `EdDSA`, `ES256` or `RS256`.
    pub algorithm: String,
    /// The private key, sealed under a key derived from `root_secret`.
    pub sealed: Vec<u8>,
    /// When it was made and first published.
    pub created_at: Timestamp,
    /// From when on it signs, until a later one does.
    pub signs_from: Timestamp,
}
