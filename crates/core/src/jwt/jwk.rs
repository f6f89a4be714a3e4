//! JSON Web Keys (RFC 7517): public keys as they are published, read strictly.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::key::{Algorithm, KeyError, KeyId, Material, VerifyingKey};

/// The members that make a key private or symmetric (RFC 7518, section 6).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

impl VerifyingKey {
    /// Reads one public key. `kid` is required; `alg`, `use` and `key_ops` must fit if they are there.
    pub fn from_jwk(jwk: &Value) -> Result<Self, KeyError> {
        let jwk = Jwk(jwk.as_object().ok_or(KeyError::Malformed)?);
        if PRIVATE.iter().any(|&name| jwk.0.contains_key(name)) {
            return Err(KeyError::Private);
        }
        let algorithm = jwk.algorithm()?;
        let kid = KeyId::parse(jwk.text("kid").map_err(|_| KeyError::BadKeyId)?)?;
        let material = match algorithm {
            Algorithm::EdDsa => Material::ed25519(jwk.bytes("x")?),
            Algorithm::Es256 => Material::p256(jwk.bytes("x")?, jwk.bytes("y")?),
            Algorithm::Rs256 => Material::rsa(jwk.bytes("n")?, jwk.bytes("e")?),
            Algorithm::Hs256 => Err(KeyError::Private),
        }?;
        Ok(Self::new(kid, material))
    }

    /// The key as it is published. `None` for HMAC: that key is a secret.
    pub fn to_jwk(&self) -> Option<Value> {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (kid, alg) = (self.kid().as_str(), self.algorithm().as_str());
        match self.material() {
            Material::Ed25519 { x, .. } => Some(json!({
                "kty": "OKP", "crv": "Ed25519", "x": encode(x), "kid": kid, "alg": alg, "use": "sig",
            })),
            Material::P256 { x, y, .. } => Some(json!({
                "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y), "kid": kid, "alg": alg, "use": "sig",
            })),
            Material::Rsa { n, e, .. } => Some(json!({
                "kty": "RSA", "n": encode(n), "e": encode(e), "kid": kid, "alg": alg, "use": "sig",
            })),
            Material::Hmac(_) => None,
        }
    }
}

/// The members of a key.
struct Jwk<'a>(&'a Map<String, Value>);

impl Jwk<'_> {
    /// The one algorithm of ours that the key's type allows, if nothing in the key says otherwise.
    fn algorithm(&self) -> Result<Algorithm, KeyError> {
        let algorithm = match (self.text("kty")?, self.optional_text("crv")?) {
            ("OKP", Some("Ed25519")) => Algorithm::EdDsa,
            ("EC", Some("P-256")) => Algorithm::Es256,
            ("RSA", None) => Algorithm::Rs256,
            _ => return Err(KeyError::Unsupported),
        };
        let alg_fits = self.optional_text("alg")?.is_none_or(|alg| alg == algorithm.as_str());
        let use_fits = self.optional_text("use")?.is_none_or(|usage| usage == "sig");
        let ops_fit = match self.0.get("key_ops") {
            None => true,
            Some(Value::Array(ops)) => ops.iter().any(|op| op == "verify"),
            Some(_) => return Err(KeyError::Malformed),
        };
        if alg_fits && use_fits && ops_fit { Ok(algorithm) } else { Err(KeyError::Unsupported) }
    }

    fn text(&self, name: &str) -> Result<&str, KeyError> {
        self.optional_text(name)?.ok_or(KeyError::Malformed)
    }

    fn optional_text(&self, name: &str) -> Result<Option<&str>, KeyError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(KeyError::Malformed),
        }
    }

    fn bytes(&self, name: &str) -> Result<Vec<u8>, KeyError> {
        URL_SAFE_NO_PAD.decode(self.text(name)?).map_err(|_| KeyError::Malformed)
    }
}

impl Material {
    /// 32 bytes of canonical encoding, no point of small order (under such a key anybody can sign).
    pub(super) fn ed25519(x: Vec<u8>) -> Result<Self, KeyError> {
        let x = <[u8; 32]>::try_from(x).map_err(|_| KeyError::Malformed)?;
        if !is_sound_ed25519(&x) {
            return Err(KeyError::Malformed);
        }
        let parsed = ParsedPublicKey::new(&ED25519, x).map_err(|_| KeyError::Malformed)?;
        Ok(Self::Ed25519 { x, parsed })
    }

    /// Two coordinates of 32 bytes, a point on the curve.
    pub(super) fn p256(x: Vec<u8>, y: Vec<u8>) -> Result<Self, KeyError> {
        let x = <[u8; 32]>::try_from(x).map_err(|_| KeyError::Malformed)?;
        let y = <[u8; 32]>::try_from(y).map_err(|_| KeyError::Malformed)?;
        let point = [&[4], &x[..], &y[..]].concat(); // 4: uncompressed (SEC 1, section 2.3.3)
        let parsed =
            ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).map_err(|_| KeyError::Malformed)?;
        Ok(Self::P256 { x, y, parsed })
    }

    /// An odd modulus of 2048 to 8192 bits, an odd exponent from 65537, both without leading zeros.
    pub(super) fn rsa(n: Vec<u8>, e: Vec<u8>) -> Result<Self, KeyError> {
        let modulus_is_good = (2048..=8192).contains(&bit_len(&n)) && is_odd(&n) && !is_roca(&n);
        // 33 bits is the longest exponent that aws-lc verifies with.
        let exponent_is_good = (17..=33).contains(&bit_len(&e)) && is_odd(&e);
        if !modulus_is_good || !exponent_is_good {
            return Err(KeyError::Malformed);
        }
        let parsed = RsaPublicKeyComponents { n: &n, e: &e }
            .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
            .map_err(|_| KeyError::Malformed)?;
        Ok(Self::Rsa { n, e, parsed })
    }
}

/// The y coordinates, little-endian, of the eight points of small order on edwards25519.
const SMALL_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
        0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
        0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
    ],
];

/// Whether y is below 2^255 - 19 (RFC 8032, section 5.1.3), and of no point of small order.
fn is_sound_ed25519(x: &[u8; 32]) -> bool {
    let mut y = *x;
    y[31] &= 0x7f; // the top bit is the sign of the other coordinate
    let below_p = y[31] != 0x7f || y[1..31].iter().any(|&byte| byte != 0xff) || y[0] < 0xed;
    below_p && !SMALL_ORDER.contains(&y)
}

/// How long a big-endian number is; 0, which fits no limit, if it has leading zeros.
fn bit_len(number: &[u8]) -> usize {
    match number.first() {
        None | Some(0) => 0,
        Some(first) => number.len() * 8 - first.leading_zeros() as usize,
    }
}

fn is_odd(number: &[u8]) -> bool {
    number.last().is_some_and(|byte| byte & 1 == 1)
}

/// Whether the modulus has the fingerprint of the broken key generator of CVE-2017-15361 ("ROCA"): modulo each
/// small prime it is a power of 65537. One sound key in 2^28 looks like that too.
fn is_roca(modulus: &[u8]) -> bool {
    const PRIMES: [u32; 38] = [
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101,
        103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    ];
    PRIMES.iter().all(|&prime| {
        let remainder = modulus.iter().fold(0, |sum, &byte| (sum * 256 + u32::from(byte)) % prime);
        let mut powers = std::iter::successors(Some(1), |power| Some(power * (65537 % prime) % prime));
        powers.by_ref().take(prime as usize).any(|power| power == remainder)
    })
}
