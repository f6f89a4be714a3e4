//! The `Authorization` header: `Bearer <token>` (RFC 6750, section 2.1), or `Token <token>`.

use countersign_core::jwt::MAX_TOKEN_LEN;
use http::{HeaderMap, header};

use crate::denied::Denied;

/// The token that a request carries. A token anywhere else (query, body, cookie) is never looked at.
pub(crate) fn bearer_token(headers: &HeaderMap) -> Result<&[u8], Denied> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let header = sent.next().ok_or(Denied::NotAuthenticated)?;
    if sent.next().is_some() {
        return Err(Denied::TokenInvalid);
    }
    let mut words = header.as_bytes().split(|&byte| byte == b' ').filter(|word| !word.is_empty());
    match (words.next(), words.next(), words.next()) {
        (None, ..) => Err(Denied::NotAuthenticated),
        (Some(word), None, _) if is_scheme(word) => Err(Denied::TokenMissing),
        (Some(_), None, _) => Err(Denied::TokenPrefixMissing),
        (Some(scheme), Some(token), None) if is_scheme(scheme) && token.len() <= MAX_TOKEN_LEN => Ok(token),
        _ => Err(Denied::TokenInvalid),
    }
}

fn is_scheme(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"bearer") || word.eq_ignore_ascii_case(b"token")
}
