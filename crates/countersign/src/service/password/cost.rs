//! What a stored hash costs to check, as a text: hashes with the same text cost the same.

use super::function::{Digest, Function};
use super::hash::StoredHash;

impl StoredHash {
    /// The algorithm and its parameters (`argon2id,m=19456,t=2,p=1`). The store keeps it beside the hash, so that one
    /// sample of each kind can be found among millions of users.
    pub fn cost(&self) -> String {
        match self.function() {
            None => "unusable".to_owned(),
            Some(Function::Argon2 { algorithm, params, .. }) => {
                let (m, t, p) = (params.m_cost(), params.t_cost(), params.p_cost());
                format!("{},m={m},t={t},p={p}", algorithm.as_str())
            }
            Some(Function::Pbkdf2 { digest, iterations }) => match digest {
                Digest::Sha1 => format!("pbkdf2_sha1,{iterations}"),
                Digest::Sha256 => format!("pbkdf2_sha256,{iterations}"),
            },
            Some(Function::BcryptSha256 { cost }) => format!("bcrypt_sha256,{cost}"),
            Some(Function::Bcrypt { cost }) => format!("bcrypt,{cost}"),
            Some(Function::Scrypt { log_n, r, p }) => format!("scrypt,n=2^{log_n},r={r},p={p}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_of_one_kind_have_one_cost_whatever_their_salt() {
        let cost = |text: &str| StoredHash::new(text).cost();
        let ours = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g";
        assert_eq!(cost(ours), "argon2id,m=19456,t=2,p=1");
        assert_eq!(cost("!"), "unusable");
    }
}
