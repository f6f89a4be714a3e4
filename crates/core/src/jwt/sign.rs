//! The signers: the one form in which tokens are written.

use std::fmt;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::error::{KeyRejected, Unspecified};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
};
use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::MAX_TOKEN_LEN;
use super::claims::{AccessClaims, RefreshClaims};
use super::key::{Algorithm, KeyError, KeyId, Material, VerifyingKey, hmac_key};
use super::verify::{ACCESS_TYPE, REFRESH_TYPE};
use crate::secret::Secret;

/// A key that signs access tokens, with the public half that verifies them.
pub struct SigningKey {
    pair: Pair,
    verifying: VerifyingKey,
    /// The header of every token of this key, encoded.
    header: String,
}

/// Signs refresh tokens: HS256, under a secret that signs nothing else.
#[derive(Clone)]
pub struct RefreshSigner {
    key: hmac::Key,
    issuer: String,
    header: String,
}

/// Why a token wasn't signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SigningError {
    /// It would be longer than any verifier reads: too many groups or permissions.
    #[error("the access token would be over 8 KiB; leave groups or permissions out of it")]
    TooLong,
    /// The cryptographic library refused.
    #[error("the signature could not be made")]
    Failed,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
    Hmac(Box<hmac::Key>),
}

impl SigningKey {
    /// A new key pair; RSA has 2048 bits. The randomness is aws-lc's own. (An HMAC key is a setting: see
    /// [`SigningKey::hmac`].)
    pub fn generate(algorithm: Algorithm, kid: KeyId) -> Result<Self, KeyError> {
        let pair = match algorithm {
            Algorithm::EdDsa => Ed25519KeyPair::generate().map(Pair::Ed25519),
            Algorithm::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Pair::P256),
            Algorithm::Rs256 => RsaKeyPair::generate(KeySize::Rsa2048).map(Pair::Rsa),
            Algorithm::Hs256 => return Err(KeyError::NotAKeyPair),
        };
        Self::new(pair.map_err(|Unspecified| KeyError::Malformed)?, kid)
    }

    /// Reads a key pair back, and checks that its halves belong together.
    pub fn from_pkcs8(algorithm: Algorithm, kid: KeyId, bytes: &Secret) -> Result<Self, KeyError> {
        let bytes = bytes.expose();
        let pair = match algorithm {
            Algorithm::EdDsa => Ed25519KeyPair::from_pkcs8(bytes).map(Pair::Ed25519),
            Algorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, bytes).map(Pair::P256)
            }
            Algorithm::Rs256 => RsaKeyPair::from_pkcs8(bytes).map(Pair::Rsa),
            Algorithm::Hs256 => return Err(KeyError::NotAKeyPair),
        };
        Self::new(pair.map_err(|_: KeyRejected| KeyError::Malformed)?, kid)
    }

    /// The key pair as PKCS#8, to be stored encrypted.
    pub fn to_pkcs8(&self) -> Result<Secret, KeyError> {
        let document = match &self.pair {
            Pair::Ed25519(pair) => pair.to_pkcs8().map(|der| Secret::new(der.as_ref())),
            Pair::P256(pair) => pair.to_pkcs8v1().map(|der| Secret::new(der.as_ref())),
            Pair::Rsa(pair) => pair.as_der().map(|der| Secret::new(der.as_ref())),
            Pair::Hmac(_) => return Err(KeyError::NotAKeyPair),
        };
        document.map_err(|Unspecified| KeyError::Malformed)
    }

    /// An HMAC key: the secret's bytes as they stand, at least 32 of them.
    pub fn hmac(kid: KeyId, secret: &Secret) -> Result<Self, KeyError> {
        Self::new(Pair::Hmac(Box::new(hmac_key(secret)?)), kid)
    }

    /// A key that signs what its public half doesn't verify fails here, not at the first login.
    fn new(pair: Pair, kid: KeyId) -> Result<Self, KeyError> {
        let material = match &pair {
            Pair::Ed25519(pair) => Material::ed25519(pair.public_key().as_ref().to_vec())?,
            Pair::P256(pair) => {
                let point = pair.public_key().as_ref(); // 0x04, x, y
                let (x, y) = point.get(1..).unwrap_or_default().split_at_checked(32).unwrap_or_default();
                Material::p256(x.to_vec(), y.to_vec())?
            }
            Pair::Rsa(pair) => {
                let (n, e) = (pair.public_key().modulus(), pair.public_key().exponent());
                let [n, e] = [n, e].map(|number| number.big_endian_without_leading_zero().to_vec());
                Material::rsa(n, e)?
            }
            Pair::Hmac(key) => Material::Hmac(key.clone()),
        };
        let verifying = VerifyingKey::new(kid, material);
        let header = json!({
            "alg": verifying.algorithm().as_str(), "kid": verifying.kid().as_str(), "typ": ACCESS_TYPE,
        });
        let key = Self { pair, verifying, header: encode_json(&header) };
        let probe = key.sign(b"probe").map_err(|_| KeyError::Malformed)?;
        if key.verifying.verifies(b"probe", &probe) { Ok(key) } else { Err(KeyError::Malformed) }
    }

    /// The half that verifies. For HMAC it is as secret as this one.
    pub const fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying
    }

    /// The access token that says this.
    pub fn sign_access(&self, claims: &AccessClaims) -> Result<String, SigningError> {
        let mut token = unsigned(&self.header, claims.write());
        let signature = self.sign(token.as_bytes())?;
        append_signature(&mut token, &signature);
        if token.len() > MAX_TOKEN_LEN { Err(SigningError::TooLong) } else { Ok(token) }
    }

    /// aws-lc draws the nonce of an ECDSA signature itself.
    fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, SigningError> {
        let digest = || digest::digest(&digest::SHA256, bytes);
        let signature = match &self.pair {
            Pair::Ed25519(pair) => pair.try_sign(bytes).map(|signature| signature.as_ref().to_vec()),
            Pair::P256(pair) => pair.sign_digest(&digest()).map(|signature| signature.as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign_digest(&RSA_PKCS1_SHA256, &digest(), &mut signature).map(|()| signature)
            }
            Pair::Hmac(key) => Ok(hmac::sign(key, bytes).as_ref().to_vec()),
        };
        signature.map_err(|Unspecified| SigningError::Failed)
    }
}

impl RefreshSigner {
    /// `secret` has at least 32 bytes; `issuer` is what the verifier asks for.
    pub fn new(secret: &Secret, issuer: String) -> Result<Self, KeyError> {
        let header = encode_json(&json!({"alg": Algorithm::Hs256.as_str(), "typ": REFRESH_TYPE}));
        Ok(Self { key: hmac_key(secret)?, issuer, header })
    }

    /// The refresh token that says this.
    pub fn sign(&self, claims: &RefreshClaims) -> String {
        let mut token = unsigned(&self.header, claims.write(&self.issuer));
        let signature = hmac::sign(&self.key, token.as_bytes());
        append_signature(&mut token, signature.as_ref());
        token
    }
}

/// The first two parts, which are what is signed.
fn unsigned(header: &str, claims: Map<String, Value>) -> String {
    format!("{header}.{}", encode_json(&Value::Object(claims)))
}

fn append_signature(token: &mut String, signature: &[u8]) {
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, token);
}

fn encode_json(json: &Value) -> String {
    // Not by `Display`, which takes three times as long. Writing into memory what has only texts for names can't fail.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(json).unwrap_or_default())
}

/// The public half only.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({} {})", self.verifying.algorithm(), self.verifying.kid())
    }
}

impl fmt::Debug for RefreshSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RefreshSigner({})", self.issuer)
    }
}
