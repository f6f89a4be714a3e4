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
    let (scheme, rest) = word(header.as_bytes()).ok_or(Denied::NotAuthenticated)?;
    match word(rest) {
        None if is_scheme(scheme) => Err(Denied::TokenMissing),
        None => Err(Denied::TokenPrefixMissing),
        Some((token, rest)) if is_scheme(scheme) && token.len() <= MAX_TOKEN_LEN && word(rest).is_none() => {
            Ok(token)
        }
        Some(_) => Err(Denied::TokenInvalid),
    }
}

/// The first word, and what follows it. Spaces alone part words.
fn word(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = bytes.iter().position(|&byte| byte != b' ')?;
    let bytes = bytes.get(start..)?;
    // A token is long and has no space in it, which `contains` sees many times as fast as `position`.
    let end = if bytes.contains(&b' ') { bytes.iter().position(|&byte| byte == b' ') } else { None };
    bytes.split_at_checked(end.unwrap_or(bytes.len()))
}

fn is_scheme(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"bearer") || word.eq_ignore_ascii_case(b"token")
}
