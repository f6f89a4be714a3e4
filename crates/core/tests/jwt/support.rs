//! One issuer, its keys, its claims and its verifiers.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::csrf::{Csh, CsrfKey};
use countersign_core::jwt::{
    AccessClaims, AccessVerifier, Algorithm, KeyId, KeySet, RefreshClaims, RefreshVerifier, SigningKey,
    VerifyingKey,
};
use countersign_core::{Generation, Seconds, Secret, SessionId, Timestamp, UserId};
use serde_json::{Value, json};

pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const LEEWAY: Seconds = Seconds(10);
pub(crate) const ISSUER: &str = "https://login.example";
pub(crate) const AUDIENCE: &str = "https://api.example";

/// RSA keys take long to make: one of each algorithm serves all tests.
pub(crate) static KEYS: LazyLock<Vec<SigningKey>> = LazyLock::new(|| {
    let pairs = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256]
        .map(|algorithm| SigningKey::generate(algorithm, kid(algorithm.as_str())).unwrap());
    let hmac = SigningKey::hmac(kid("HS256"), &access_secret()).unwrap();
    pairs.into_iter().chain([hmac]).collect()
});

pub(crate) fn access_secret() -> Secret {
    Secret::new([9; 32])
}

pub(crate) fn refresh_secret() -> Secret {
    Secret::new([5; 32])
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_secs(NOW)
}

pub(crate) fn kid(name: &str) -> KeyId {
    KeyId::parse(name).unwrap()
}

pub(crate) fn session() -> SessionId {
    SessionId::new(now(), [7; 10])
}

pub(crate) fn csh() -> Csh {
    CsrfKey::new(&Secret::new([3; 32])).token(session()).csh()
}

pub(crate) fn access_claims() -> AccessClaims {
    let extra = json!({"groups": ["staff"], "is_superuser": false});
    AccessClaims {
        issuer: ISSUER.into(),
        audience: AUDIENCE.into(),
        user: UserId(42),
        session: session(),
        jti: Some("an id".into()),
        issued_at: NOW,
        expires_at: NOW + 300,
        auth_time: Some(NOW - 60),
        csh: Some(csh()),
        extra: extra.as_object().unwrap().clone(),
    }
}

pub(crate) fn refresh_claims() -> RefreshClaims {
    RefreshClaims {
        user: UserId(42),
        session: session(),
        generation: Generation(7),
        issued_at: NOW,
        expires_at: NOW + 604_800,
        csh: Some(csh()),
    }
}

pub(crate) fn verifier_of(keys: Vec<VerifyingKey>) -> AccessVerifier {
    AccessVerifier::new(KeySet::new(keys).unwrap(), ISSUER.into(), AUDIENCE.into(), LEEWAY)
}

/// Knows a key of every algorithm.
pub(crate) fn access_verifier() -> AccessVerifier {
    verifier_of(KEYS.iter().map(|key| key.verifying_key().clone()).collect())
}

pub(crate) fn refresh_verifier() -> RefreshVerifier {
    RefreshVerifier::new(&[refresh_secret()], ISSUER.into(), LEEWAY).unwrap()
}

pub(crate) fn decode(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).unwrap()
}

/// The JSON of one part of a token.
pub(crate) fn json_of(part: &str) -> Value {
    serde_json::from_slice(&decode(part)).unwrap()
}
