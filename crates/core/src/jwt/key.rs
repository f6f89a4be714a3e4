//! Verifying keys: a key has a name and exactly one algorithm, and that is what decides how a token is verified.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::ParsedPublicKey;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::MIN_SECRET_LEN;
use crate::secret::Secret;

/// The algorithms that there are. Nothing else can be asked for, by any header or setting.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Algorithm {
    /// Ed25519 (RFC 8037).
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// HMAC with SHA-256: whoever verifies can sign.
    Hs256,
}

/// A key's name, `kid`: 1 to 64 characters of `A-Z a-z 0-9 _ -`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KeyId(String);

/// A key that verifies access tokens.
#[derive(Clone)]
pub struct VerifyingKey {
    kid: KeyId,
    material: Material,
}

/// A key's bytes and its algorithm are one thing, so that neither can be used with another.
#[derive(Clone)]
pub(super) enum Material {
    Ed25519 { x: [u8; 32], parsed: ParsedPublicKey },
    P256 { x: [u8; 32], y: [u8; 32], parsed: ParsedPublicKey },
    Rsa { n: Vec<u8>, e: Vec<u8>, parsed: ParsedPublicKey },
    Hmac(Box<hmac::Key>),
}

/// Why a key, or a set of keys, is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyError {
    /// Of a kind, algorithm or use that we don't have. In a set it is passed over.
    #[error("the key is of a kind, algorithm or use that is not supported")]
    Unsupported,
    /// Of a kind that we have, but broken or weak.
    #[error("the key is malformed or too weak")]
    Malformed,
    /// A private key where only public ones may be. Whoever published it has to replace it.
    #[error("the key holds private members, which must never be published")]
    Private,
    /// Not a [`KeyId`].
    #[error("a key id is 1 to 64 characters of A-Z, a-z, 0-9, _ and -")]
    BadKeyId,
    /// Two keys of one set have one name.
    #[error("two keys have the same key id")]
    DuplicateKeyId,
    /// The set is no JSON Web Key Set, or it is too large.
    #[error("this is not a JSON Web Key Set")]
    NotAKeySet,
    /// Fewer than 32 bytes, or no secret at all.
    #[error("a secret has at least 32 bytes")]
    SecretTooShort,
    /// An HMAC key is a setting: it is neither generated here nor stored as PKCS#8.
    #[error("an HMAC key comes from the settings; it is not generated or stored")]
    NotAKeyPair,
}

impl Algorithm {
    /// Its name in a header, a JWK and the settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
            Self::Hs256 => "HS256",
        }
    }

    /// Reads the name, byte for byte: `eddsa` is none.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::EdDsa, Self::Es256, Self::Rs256, Self::Hs256].into_iter().find(|alg| alg.as_str() == name)
    }
}

impl KeyId {
    /// Checks a name.
    pub fn parse(name: &str) -> Result<Self, KeyError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if (1..=64).contains(&name.len()) && name.bytes().all(allowed) {
            Ok(Self(name.to_owned()))
        } else {
            Err(KeyError::BadKeyId)
        }
    }

    /// The name of an HMAC secret: the same at every node, another one for each secret, so that a new secret and
    /// its fallbacks are told apart. It tells nothing of the secret that a token under it doesn't tell too.
    pub fn of_secret(secret: &Secret) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
        let tag = hmac::sign(&key, b"countersign access key id");
        let mut name = URL_SAFE_NO_PAD.encode(tag);
        name.truncate(22); // 132 bits tell secrets apart well enough
        Self(name)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl VerifyingKey {
    /// An HMAC key: the secret's bytes as they stand, at least 32 of them.
    pub fn hmac(kid: KeyId, secret: &Secret) -> Result<Self, KeyError> {
        Ok(Self { kid, material: Material::Hmac(Box::new(hmac_key(secret)?)) })
    }

    pub(super) const fn new(kid: KeyId, material: Material) -> Self {
        Self { kid, material }
    }

    pub(super) const fn material(&self) -> &Material {
        &self.material
    }

    /// Its name.
    pub const fn kid(&self) -> &KeyId {
        &self.kid
    }

    /// The one algorithm that it verifies with.
    pub const fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::Ed25519 { .. } => Algorithm::EdDsa,
            Material::P256 { .. } => Algorithm::Es256,
            Material::Rsa { .. } => Algorithm::Rs256,
            Material::Hmac(_) => Algorithm::Hs256,
        }
    }

    /// Whether this key made this signature of these bytes.
    pub(super) fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Ed25519 { parsed, .. }
            | Material::P256 { parsed, .. }
            | Material::Rsa { parsed, .. } => parsed.verify_sig(signed, signature).is_ok(),
            Material::Hmac(key) => hmac::verify(key, signed, signature).is_ok(),
        }
    }
}

/// The one place where a secret becomes an HMAC key.
pub(super) fn hmac_key(secret: &Secret) -> Result<hmac::Key, KeyError> {
    if secret.len() < MIN_SECRET_LEN {
        return Err(KeyError::SecretTooShort);
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, secret.expose()))
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name and the algorithm; never an HMAC key's bytes.
impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({} {})", self.algorithm(), self.kid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // attack 3
    #[test]
    fn an_algorithm_is_read_byte_for_byte() {
        for alg in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256, Algorithm::Hs256] {
            assert_eq!(Algorithm::parse(alg.as_str()), Some(alg));
        }
        for name in ["", "none", "None", "hs256", "eddsa", "EDDSA", "Ed25519", "HS256 ", "HS384", "PS256"] {
            assert_eq!(Algorithm::parse(name), None, "{name}");
        }
    }

    // attack 7
    #[test]
    fn a_key_id_is_a_short_word() {
        for name in ["a", "2026-11_A", &"k".repeat(64)] {
            assert_eq!(KeyId::parse(name).unwrap().as_str(), name);
        }
        for name in ["", "a b", "../x", "/dev/null", "|sleep 10", "x'", "a\0", "ä", "a.b", &"k".repeat(65)] {
            assert_eq!(KeyId::parse(name), Err(KeyError::BadKeyId), "{name}");
        }
    }

    // attack 5
    #[test]
    fn a_secret_has_at_least_32_bytes() {
        let kid = KeyId::parse("k").unwrap();
        assert!(VerifyingKey::hmac(kid.clone(), &Secret::new([1; 32])).is_ok());
        for len in [0, 1, 31] {
            let short = VerifyingKey::hmac(kid.clone(), &Secret::new(vec![1; len]));
            assert_eq!(short.unwrap_err(), KeyError::SecretTooShort);
        }
    }

    #[test]
    fn each_secret_has_its_own_key_id() {
        let (one, two) = (Secret::new([1; 32]), Secret::new([2; 32]));
        assert_eq!(KeyId::of_secret(&one), KeyId::of_secret(&one));
        assert_ne!(KeyId::of_secret(&one), KeyId::of_secret(&two));
        assert!(KeyId::parse(KeyId::of_secret(&one).as_str()).is_ok());
    }

    #[test]
    fn a_key_does_not_show_its_bytes() {
        let key = VerifyingKey::hmac(KeyId::parse("k").unwrap(), &Secret::new([1; 32])).unwrap();
        assert_eq!(format!("{key:?}"), "VerifyingKey(HS256 k)");
    }
}
