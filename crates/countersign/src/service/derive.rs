//! What is derived from `root_secret`, and nothing else is: by HKDF-SHA256 (RFC 5869), each key under its own label.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::rand::SecureRandom;
use countersign_core::Secret;
use countersign_core::csrf::CsrfKey;

const CSRF: &[u8] = b"countersign/v1/csrf";
const ADMIN_CSRF: &[u8] = b"countersign/v1/admin-csrf";
const SEALING: &[u8] = b"countersign/v1/key-sealing";
const GUESSES: &[u8] = b"countersign/v1/guesses";
const FINGERPRINT: &[u8] = b"countersign/v1/fingerprint";

/// Everything that comes from one root secret.
pub struct Derived {
    /// Makes CSRF tokens.
    pub csrf: CsrfKey,
    /// Makes CSRF tokens of the admin site.
    pub admin_csrf: CsrfKey,
    /// Seals stored keys.
    pub sealing: SealingKey,
}

/// Seals private keys for the store (AES-256-GCM), and opens them.
///
/// Sealed bytes begin with the fingerprint of the root that they were sealed under, so that a lost or changed root
/// is told from damage.
pub struct SealingKey {
    key: LessSafeKey,
    fingerprint: Fingerprint,
}

/// Tells one root secret from another, and tells nothing of either.
type Fingerprint = [u8; 8];

/// Why sealed bytes can't be opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenError {
    /// They were sealed under another root secret.
    #[error("sealed under another root secret")]
    OtherRoot,
    /// They are not what was sealed.
    #[error("damaged")]
    Damaged,
}

/// A failure of the cryptographic library that no input can cause (no memory, no randomness).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the cryptographic library failed")]
pub struct CryptoFailure;

impl From<aws_lc_rs::error::Unspecified> for CryptoFailure {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self
    }
}

impl Derived {
    /// Derives all keys of a root secret.
    pub fn from_root(root: &Secret) -> Result<Self, CryptoFailure> {
        let sealing: [u8; 32] = derive(root, SEALING)?;
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &sealing)?);
        Ok(Self {
            csrf: CsrfKey::new(&Secret::new(derive::<32>(root, CSRF)?)),
            admin_csrf: CsrfKey::new(&Secret::new(derive::<32>(root, ADMIN_CSRF)?)),
            sealing: SealingKey { key, fingerprint: derive(root, FINGERPRINT)? },
        })
    }
}

impl SealingKey {
    /// Seals a private key under its name: bytes moved to another name don't open.
    pub fn seal(
        &self,
        name: &str,
        plain: &Secret,
        random: &dyn SecureRandom,
    ) -> Result<Vec<u8>, CryptoFailure> {
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce)?;
        let mut body = plain.expose().to_vec();
        let aad = Aad::from(name.as_bytes());
        self.key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut body)?;
        Ok([&self.fingerprint[..], &nonce, &body].concat())
    }

    /// Opens what was sealed under this root and this name.
    pub fn open(&self, name: &str, sealed: &[u8]) -> Result<Secret, OpenError> {
        let (fingerprint, rest) = sealed.split_first_chunk::<8>().ok_or(OpenError::Damaged)?;
        let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>().ok_or(OpenError::Damaged)?;
        if *fingerprint != self.fingerprint {
            return Err(OpenError::OtherRoot);
        }
        let mut body = body.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = self
            .key
            .open_in_place(nonce, Aad::from(name.as_bytes()), &mut body)
            .map_err(|_| OpenError::Damaged)?;
        Ok(Secret::new(&*plain))
    }

    /// Whether this key sealed these bytes.
    pub fn sealed(&self, sealed: &[u8]) -> bool {
        sealed.starts_with(&self.fingerprint)
    }
}

/// The key under which names and networks stand in the counts that all nodes share.
pub(super) fn guesses_key(root: &Secret) -> Result<[u8; 32], CryptoFailure> {
    derive(root, GUESSES)
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn derive<const N: usize>(root: &Secret, label: &[u8]) -> Result<[u8; N], CryptoFailure> {
    let mut out = [0; N];
    Salt::new(HKDF_SHA256, &[]).extract(root.expose()).expand(&[label], Length(N))?.fill(&mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::test::rand::FixedByteRandom;

    fn sealing(root: u8) -> SealingKey {
        Derived::from_root(&Secret::new([root; 32])).unwrap().sealing
    }

    #[test]
    fn a_sealed_key_opens_only_under_its_root_and_its_name() {
        let random = FixedByteRandom { byte: 7 };
        let sealed = sealing(1).seal("k1", &Secret::new(*b"private"), &random).unwrap();
        assert_eq!(sealing(1).open("k1", &sealed).unwrap().expose(), b"private");
        assert_eq!(sealing(2).open("k1", &sealed), Err(OpenError::OtherRoot));
        assert_eq!(sealing(1).open("k2", &sealed), Err(OpenError::Damaged));
        assert_eq!(sealing(1).open("k1", &sealed[..sealed.len() - 1]), Err(OpenError::Damaged));
        assert_eq!(sealing(1).open("k1", &[]), Err(OpenError::Damaged));
        assert!(!sealed.windows(7).any(|window| window == b"private"));
    }

    // The vector was made with Python's `hmac` after RFC 5869: other languages can follow.
    #[test]
    fn the_csrf_token_is_derived_as_documented() {
        let root = Secret::new(*b"0123456789abcdef0123456789abcdef");
        let key: [u8; 32] = derive(&root, CSRF).unwrap();
        assert_eq!(hex(&key), CSRF_KEY_VECTOR);
    }

    const CSRF_KEY_VECTOR: &str = "cee4a0dd029dcef8980e91690ea424c685efda4465603d6f156dedd37e16cd2a";

    fn hex(bytes: &[u8]) -> String {
        use std::fmt::Write;
        bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}
