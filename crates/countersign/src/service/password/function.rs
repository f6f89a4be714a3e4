//! The key derivation functions behind the stored formats, and the memory that one of them works in.

use std::num::NonZeroU32;

use argon2::{Argon2, Block};
use aws_lc_rs::pbkdf2;
use countersign_core::secret::sha256;
use zeroize::Zeroizing;

/// A function with its parameters: what, beside the salt, turns a password into its hash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Function {
    /// RFC 9106.
    Argon2 { algorithm: argon2::Algorithm, version: argon2::Version, params: argon2::Params },
    /// RFC 8018.
    Pbkdf2 { digest: Digest, iterations: NonZeroU32 },
    /// bcrypt over the hex digits of the password's SHA-256, so that no password is too long for it.
    BcryptSha256 { cost: u32 },
    /// bcrypt over the password itself, of which the first 72 bytes count and no more: the function takes no others.
    /// What is replaced at the next login by a hash in which every byte counts.
    Bcrypt { cost: u32 },
    /// RFC 7914.
    Scrypt { log_n: u8, r: u32, p: u32 },
}

/// The hash inside PBKDF2's HMAC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Digest {
    Sha1,
    Sha256,
}

/// More blocks than 32 MiB, so that glibc maps an allocation by itself, and unmaps it when it is freed. What is smaller
/// ends up, once the allocator has seen a few of them, in a heap that keeps it. Of what is mapped, only the blocks in
/// use take memory.
const OWN_MAPPING: usize = 33 * 1024;

/// The most bytes that bcrypt takes.
const BCRYPT_KEY: usize = 72;

/// The parameters don't fit the function. [`Format`](super::format::Format) lets none of those through.
#[derive(Debug)]
pub(super) struct Unfit;

/// Argon2's working memory, kept from hash to hash.
///
/// Nineteen megabytes that are allocated and freed at every login cost time, and pile up in the allocator. A stored
/// hash that wants more than the current parameters do gets memory of its own for once.
pub(super) struct Memory {
    blocks: Vec<Block>,
    keep: usize,
}

impl Function {
    /// Fills `out` with the hash of `password`.
    pub(super) fn derive(
        &self,
        password: &str,
        salt: &[u8],
        out: &mut [u8],
        memory: &mut Memory,
    ) -> Result<(), Unfit> {
        let secret = password.as_bytes();
        match self {
            Self::Argon2 { algorithm, version, params } => {
                let argon2 = Argon2::new(*algorithm, *version, params.clone());
                memory
                    .lend(params.block_count(), |blocks| {
                        argon2.hash_password_into_with_memory(secret, salt, out, blocks)
                    })
                    .map_err(|_| Unfit)?;
            }
            Self::Pbkdf2 { digest, iterations } => {
                let algorithm = match digest {
                    Digest::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
                    Digest::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
                };
                pbkdf2::derive(algorithm, *iterations, salt, secret, out);
            }
            Self::BcryptSha256 { cost } => bcrypt(*cost, salt, &*hex_and_nul(sha256(secret)), out)?,
            Self::Bcrypt { cost } => bcrypt(*cost, salt, &first_72_and_nul(secret), out)?,
            Self::Scrypt { log_n, r, p } => {
                let params = scrypt::Params::new(*log_n, *r, *p).map_err(|_| Unfit)?;
                scrypt::scrypt(secret, salt, &params, out).map_err(|_| Unfit)?;
            }
        }
        Ok(())
    }
}

impl Memory {
    /// Memory of which up to `keep` blocks of 1 KiB stay allocated, from the first hash on.
    pub(super) fn keeping(keep: usize) -> Self {
        Self { blocks: Vec::new(), keep }
    }

    /// Gives the kept memory back to the system; the next hash allocates it again.
    pub(super) fn release(&mut self) {
        self.blocks = Vec::new();
    }

    /// How many bytes are kept now.
    pub(super) fn len(&self) -> usize {
        self.blocks.len() * Block::SIZE
    }

    #[cfg(test)]
    pub(super) fn place(&self) -> *const Block {
        self.blocks.as_ptr()
    }

    fn lend<T>(&mut self, blocks: usize, work: impl FnOnce(&mut [Block]) -> T) -> T {
        if blocks > self.keep {
            return work(&mut allocate(blocks));
        }
        if self.blocks.is_empty() {
            self.blocks = allocate(self.keep);
        }
        work(&mut self.blocks)
    }
}

fn allocate(blocks: usize) -> Vec<Block> {
    let mut memory = Vec::with_capacity(blocks.max(OWN_MAPPING));
    memory.resize(blocks, Block::default());
    memory
}

/// `key` ends in NUL, as every bcrypt password, unless that would be its 73rd byte.
fn bcrypt(cost: u32, salt: &[u8], key: &[u8], out: &mut [u8]) -> Result<(), Unfit> {
    let hash = bcrypt::bcrypt(cost, salt.try_into().map_err(|_| Unfit)?, key);
    // The last of bcrypt's 24 bytes is never stored.
    out.copy_from_slice(hash.get(..23).filter(|hash| hash.len() == out.len()).ok_or(Unfit)?);
    Ok(())
}

/// What Django's `BCryptPasswordHasher` hashes: the password's bytes, which bcrypt takes up to the 72nd.
fn first_72_and_nul(secret: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(Vec::with_capacity(BCRYPT_KEY));
    key.extend(secret.iter().copied().chain([0]).take(BCRYPT_KEY));
    key
}

/// What Django gives to bcrypt: the digest in hex, and the NUL that ends every bcrypt password.
fn hex_and_nul(digest: [u8; 32]) -> Zeroizing<[u8; 65]> {
    let mut text = Zeroizing::new([0; 65]);
    for (pair, byte) in text.chunks_exact_mut(2).zip(digest) {
        for (digit, nibble) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
            *digit = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bcrypt_gets_lower_case_hex_that_ends_in_nul() {
        assert_eq!(
            hex_and_nul(sha256(b"abc")).as_slice(),
            b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\0"
        );
    }

    #[test]
    fn plain_bcrypt_gets_72_bytes_at_most_and_a_nul_where_there_is_room() {
        assert_eq!(first_72_and_nul(b"").as_slice(), b"\0");
        assert_eq!(first_72_and_nul(&[b'x'; 71]).last(), Some(&0));
        assert_eq!(first_72_and_nul(&[b'x'; 100]).as_slice(), [b'x'; 72]);
    }

    #[test]
    fn memory_for_a_larger_hash_is_not_kept() {
        let mut memory = Memory::keeping(16);
        assert_eq!(memory.lend(64, |blocks| blocks.len()), 64);
        assert_eq!(memory.len(), 0);
        assert_eq!(memory.lend(8, |blocks| blocks.len()), 16);
        assert_eq!(memory.len(), 16 * 1024);
    }
}
