//! A set of verifying keys, each under its own name.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::key::{KeyError, VerifyingKey};
use crate::json::{Limits, parse_object};

/// The keys that tokens may be signed with. It may be empty: then nothing verifies.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<VerifyingKey>,
}

/// The most keys that a published set may have. Ours have two or three.
const MAX_KEYS: usize = 64;

impl KeySet {
    /// A set of these keys; each name may be there once.
    pub fn new(keys: Vec<VerifyingKey>) -> Result<Self, KeyError> {
        let mut names = HashSet::new();
        if !keys.iter().all(|key| names.insert(key.kid())) {
            return Err(KeyError::DuplicateKeyId);
        }
        Ok(Self { keys })
    }

    /// Reads a published set (RFC 7517, section 5), at most 64 KiB and 64 keys. Keys that we can't use are passed
    /// over, as the RFC asks. A private key in it, or two keys of one name, spoil the set.
    pub fn from_jwks(json: &[u8]) -> Result<Self, KeyError> {
        let set = parse_object(json, Limits::default()).map_err(|_| KeyError::NotAKeySet)?;
        let jwks = set.get("keys").and_then(Value::as_array).ok_or(KeyError::NotAKeySet)?;
        if jwks.len() > MAX_KEYS {
            return Err(KeyError::NotAKeySet);
        }
        let mut keys = Vec::with_capacity(jwks.len());
        for jwk in jwks {
            match VerifyingKey::from_jwk(jwk) {
                Ok(key) => keys.push(key),
                Err(KeyError::Private) => return Err(KeyError::Private),
                Err(_) => {}
            }
        }
        Self::new(keys)
    }

    /// The set as it is published. HMAC keys are secrets and not in it.
    pub fn to_jwks(&self) -> Value {
        json!({"keys": self.keys.iter().filter_map(VerifyingKey::to_jwk).collect::<Vec<_>>()})
    }

    /// The key of this name.
    pub fn get(&self, kid: &str) -> Option<&VerifyingKey> {
        self.keys.iter().find(|key| key.kid().as_str() == kid)
    }

    /// The keys, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = &VerifyingKey> {
        self.keys.iter()
    }

    /// Whether nothing can verify.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}
