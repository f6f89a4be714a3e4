//! The countersignature.
//!
//! The CSRF token of a session is `base64url(HMAC-SHA256(csrf key, session id))`. Its SHA-256, the `csh`, stands in
//! both JWTs of the session. So the token needs no column, can be given again after a reload, and whoever can
//! verify the JWT can check the countersignature, with no shared secret and no look-up. A cookie that a sibling
//! site tosses can't forge it, because it is bound to the *signed* session id.

use std::fmt;

use aws_lc_rs::{constant_time, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::admin::AdminSessionId;
use crate::id::SessionId;
use crate::secret::{Secret, sha256};

/// The characters of a token: 32 bytes in base64url, without padding.
const LENGTH: usize = 43;

/// The key that makes CSRF tokens: derived from `root_secret`, the same on every node.
#[derive(Clone)]
pub struct CsrfKey(hmac::Key);

/// A session's CSRF token, as it stands in the cookie, the body and the header.
#[derive(Clone, PartialEq, Eq)]
pub struct CsrfToken(String);

/// What both JWTs carry of the CSRF token: its SHA-256. It is no secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Csh([u8; 32]);

impl CsrfKey {
    /// From the derived key bytes.
    pub fn new(secret: &Secret) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.expose()))
    }

    /// The CSRF token of a session.
    pub fn token(&self, session: SessionId) -> CsrfToken {
        self.token_of(session.as_bytes())
    }

    /// The CSRF token of a session of the admin site, under a key of its own.
    pub fn admin_token(&self, session: &AdminSessionId) -> CsrfToken {
        self.token_of(session.as_bytes())
    }

    fn token_of(&self, session: &[u8]) -> CsrfToken {
        CsrfToken(URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, session)))
    }
}

impl CsrfToken {
    /// The text that goes into the cookie and the body.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether this text could be one: 43 characters of base64url. (Any session's: only a [`Csh`] knows whose.)
    pub fn has_form(text: &[u8]) -> bool {
        text.len() == LENGTH && text.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    }

    /// The hash that both JWTs carry.
    pub fn csh(&self) -> Csh {
        Csh(sha256(self.0.as_bytes()))
    }
}

impl Csh {
    /// Whether this text, from a request's header, is the token that was hashed. In constant time.
    pub fn countersigned_by(&self, header: &[u8]) -> bool {
        constant_time::verify_slices_are_equal(&sha256(header), &self.0).is_ok()
    }

    /// Reads the claim's text: 43 characters of canonical base64url, nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }
}

/// The claim's text: base64url without padding.
impl fmt::Display for Csh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Csh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for CsrfToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CsrfToken(…)")
    }
}

impl fmt::Debug for CsrfKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CsrfKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn session(n: u8) -> SessionId {
        SessionId::new(Timestamp::from_secs(1), [n; 10])
    }

    #[test]
    fn only_the_session_s_own_token_countersigns() {
        let key = CsrfKey::new(&Secret::new([1; 32]));
        let csh = key.token(session(1)).csh();
        assert!(csh.countersigned_by(key.token(session(1)).expose().as_bytes()));
        assert!(!csh.countersigned_by(key.token(session(2)).expose().as_bytes()));
        assert!(!csh.countersigned_by(b""));
        let other_key = CsrfKey::new(&Secret::new([2; 32]));
        assert!(!csh.countersigned_by(other_key.token(session(1)).expose().as_bytes()));
    }

    #[test]
    fn every_token_has_the_form_and_little_else_has() {
        let token = CsrfKey::new(&Secret::new([1; 32])).token(session(1));
        let token = token.expose();
        assert!(CsrfToken::has_form(token.as_bytes()));
        for other in ["", "undefined", &token[1..], &format!("{token}="), &token.replace(&token[..1], "%")] {
            assert!(!CsrfToken::has_form(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn the_claim_is_read_only_in_its_canonical_form() {
        let csh = CsrfKey::new(&Secret::new([1; 32])).token(session(1)).csh();
        let text = csh.to_string();
        assert_eq!(Csh::parse(&text), Some(csh));
        assert_eq!(Csh::parse(&format!("{text}=")), None);
        assert_eq!(Csh::parse(&text[1..]), None);
        assert_eq!(Csh::parse(""), None);
    }
}
