//! The keys that sign access tokens, and when each of them does.
//!
//! Stored keys stand in one line, ordered by the time from which they sign. Time alone moves them on, so that nodes
//! with the same store agree without talking:
//!
//! - *upcoming*: published, signs later: verifiers see a key before it first signs ([`PUBLISHED_BEFORE`]);
//! - *active*: the latest that may sign already;
//! - *retiring*: a later one signs, but tokens of this one still live;
//! - *dead*: its last token has died; no longer published, to be pruned.
//!
//! With `HS256` the key is `secret_key` itself, older ones are its fallbacks, and nothing is published.

use aws_lc_rs::rand::SecureRandom;
use countersign_core::jwt::{Algorithm, KeyId, KeySet, SigningKey};
use countersign_core::{Seconds, Secret, Timestamp};
use countersign_store::StoredKey;

use super::derive::{CryptoFailure, Derived, OpenError};
use crate::settings::SecretWithFallbacks;

/// How long a key is published before it signs: twice the five minutes for which a key set may be cached.
pub const PUBLISHED_BEFORE: Seconds = Seconds(600);

/// What a key does at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyState {
    /// Published, signs later.
    Upcoming,
    /// Signs.
    Active,
    /// Signs no more; its tokens still live.
    Retiring,
    /// Its last token has died.
    Dead,
}

/// Why the signing keys can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No configured root secret opens a stored key.
    #[error(
        "root_secret: the signing key {kid} in the database was sealed under another root_secret; give back the old \
         one (or put it into root_secret_fallbacks and run `countersign keys rewrap`)"
    )]
    OtherRoot {
        /// The key that can't be opened.
        kid: String,
    },
    /// A stored key is not what was sealed.
    #[error(
        "the signing key {kid} in the database is damaged; restore it from a backup, or remove it with `countersign keys prune --kid {kid}`"
    )]
    Damaged {
        /// The key.
        kid: String,
    },
    /// The cryptographic library failed.
    #[error(transparent)]
    Crypto(#[from] CryptoFailure),
}

/// The keys at a moment: one that signs, all that verify.
pub struct KeyRing {
    /// Signs access tokens. None in a tool, which signs nothing.
    pub signing: Option<SigningKey>,
    /// Verifies them.
    pub verifying: KeySet,
    /// When time alone will change this, if it will.
    pub changes_at: Option<Timestamp>,
}

/// What each stored key does `now`, in the order given. `outlives` is how long a key must verify after its successor
/// has begun to sign: the longest access lifetime ever issued, and the leeway on both sides.
pub fn states(keys: &[StoredKey], outlives: Seconds, now: Timestamp) -> Vec<KeyState> {
    let active = keys.iter().map(|key| key.signs_from).filter(|from| *from <= now).max();
    keys.iter()
        .map(|key| {
            let successor =
                keys.iter().map(|other| other.signs_from).filter(|from| *from > key.signs_from).min();
            match successor {
                _ if key.signs_from > now => KeyState::Upcoming,
                _ if Some(key.signs_from) == active => KeyState::Active,
                Some(successor) if successor + outlives <= now => KeyState::Dead,
                _ => KeyState::Retiring,
            }
        })
        .collect()
}

impl KeyRing {
    /// The ring of a tool: it signs nothing, and verifies nothing.
    pub fn empty() -> Self {
        Self { signing: None, verifying: KeySet::default(), changes_at: None }
    }

    /// The ring of the stored keys.
    pub fn of_stored(
        keys: &[StoredKey],
        roots: &[Derived],
        outlives: Seconds,
        now: Timestamp,
    ) -> Result<Self, KeyError> {
        let mut signing = None;
        let mut verifying = Vec::new();
        for (key, state) in keys.iter().zip(states(keys, outlives, now)) {
            if state == KeyState::Dead {
                continue;
            }
            let opened = open(key, roots)?;
            verifying.push(opened.verifying_key().clone());
            if state == KeyState::Active {
                signing = Some(opened);
            }
        }
        let verifying =
            KeySet::new(verifying).map_err(|_| KeyError::Damaged { kid: "(two of one name)".into() })?;
        let starts = keys.iter().map(|key| key.signs_from);
        let changes_at = starts.flat_map(|from| [from, from + outlives]).filter(|at| *at > now).min();
        Ok(Self { signing, verifying, changes_at })
    }

    /// The ring of `secret_key`.
    pub fn of_secret(secret: &SecretWithFallbacks) -> Result<Self, KeyError> {
        let keys: Vec<SigningKey> = secret.all().map(shared_key).collect::<Result<_, _>>()?;
        let verifying = KeySet::new(keys.iter().map(|key| key.verifying_key().clone()).collect())
            .map_err(|_| KeyError::Damaged { kid: "secret_key".into() })?;
        Ok(Self { signing: Some(shared_key(&secret.current)?), verifying, changes_at: None })
    }
}

/// A new key for the store, which signs from `signs_from` on.
pub fn make(
    algorithm: Algorithm,
    root: &Derived,
    random: &dyn SecureRandom,
    now: Timestamp,
    signs_from: Timestamp,
) -> Result<StoredKey, KeyError> {
    let kid = new_kid(random)?;
    let key = SigningKey::generate(algorithm, kid.clone()).map_err(|_| CryptoFailure)?;
    let sealed = root.sealing.seal(kid.as_str(), &key.to_pkcs8().map_err(|_| CryptoFailure)?, random)?;
    Ok(StoredKey {
        kid: kid.as_str().to_owned(),
        algorithm: algorithm.as_str().to_owned(),
        sealed,
        created_at: now,
        signs_from,
    })
}

/// The keys that are not sealed under the first root yet, sealed under it.
pub fn rewrap(
    keys: &[StoredKey],
    roots: &[Derived],
    random: &dyn SecureRandom,
) -> Result<Vec<(String, Vec<u8>)>, KeyError> {
    let Some(current) = roots.first() else { return Ok(Vec::new()) };
    keys.iter()
        .filter(|key| !current.sealing.sealed(&key.sealed))
        .map(|key| {
            let plain = open_bytes(key, roots)?;
            Ok((key.kid.clone(), current.sealing.seal(&key.kid, &plain, random)?))
        })
        .collect()
}

fn open(key: &StoredKey, roots: &[Derived]) -> Result<SigningKey, KeyError> {
    let damaged = || KeyError::Damaged { kid: key.kid.clone() };
    let algorithm = Algorithm::parse(&key.algorithm).ok_or_else(damaged)?;
    let kid = KeyId::parse(&key.kid).map_err(|_| damaged())?;
    let plain = open_bytes(key, roots)?;
    SigningKey::from_pkcs8(algorithm, kid, &plain).map_err(|_| damaged())
}

fn open_bytes(key: &StoredKey, roots: &[Derived]) -> Result<Secret, KeyError> {
    for root in roots {
        match root.sealing.open(&key.kid, &key.sealed) {
            Ok(plain) => return Ok(plain),
            Err(OpenError::OtherRoot) => {}
            Err(OpenError::Damaged) => return Err(KeyError::Damaged { kid: key.kid.clone() }),
        }
    }
    Err(KeyError::OtherRoot { kid: key.kid.clone() })
}

fn shared_key(secret: &Secret) -> Result<SigningKey, KeyError> {
    SigningKey::hmac(KeyId::of_secret(secret), secret).map_err(|_| KeyError::Crypto(CryptoFailure))
}

fn new_kid(random: &dyn SecureRandom) -> Result<KeyId, CryptoFailure> {
    use base64::Engine;
    let mut bytes = [0; 12];
    random.fill(&mut bytes)?;
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    KeyId::parse(&text).map_err(|_| CryptoFailure)
}

impl KeyState {
    /// Its name, as `countersign keys list` shows it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Upcoming => "upcoming",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Dead => "dead",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, signs_from: i64) -> StoredKey {
        StoredKey {
            kid: name.into(),
            algorithm: "EdDSA".into(),
            sealed: Vec::new(),
            created_at: Timestamp::from_secs(0),
            signs_from: Timestamp::from_secs(signs_from),
        }
    }

    #[test]
    fn a_key_is_published_before_it_signs_and_until_its_last_token_has_died() {
        use KeyState::{Active, Dead, Retiring, Upcoming};
        let keys = [key("old", 0), key("new", 600)];
        let at = |secs| states(&keys, Seconds(320), Timestamp::from_secs(secs));
        assert_eq!(at(0), [Active, Upcoming]);
        assert_eq!(at(599), [Active, Upcoming]);
        assert_eq!(at(600), [Retiring, Active]);
        assert_eq!(at(919), [Retiring, Active]);
        assert_eq!(at(920), [Dead, Active]);
    }

    #[test]
    fn a_key_that_never_signed_dies_with_the_one_that_overtook_it() {
        use KeyState::{Active, Dead};
        let keys = [key("a", 0), key("b", 0), key("c", 1000)];
        assert_eq!(states(&keys, Seconds(10), Timestamp::from_secs(2000)), [Dead, Dead, Active]);
    }
}
