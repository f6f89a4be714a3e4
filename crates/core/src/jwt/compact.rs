//! Compact JWS (RFC 7515, section 3.1): three parts, canonical base64url, a strict header.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::claims::Claims;
use super::key::VerifyingKey;
use super::{MAX_TOKEN_LEN, Reason};
use crate::json::{Known, Limits, Member, parse_known};

/// A token taken apart. Nothing in it is to be believed before [`Compact::verify`].
pub(super) struct Compact<'a> {
    pub(super) header: Header,
    pub(super) payload: Vec<u8>,
    signature: Vec<u8>,
    signed: &'a [u8],
}

/// What we look at in the header. All else is ignored, a key named there above all.
pub(super) struct Header {
    pub(super) alg: String,
    pub(super) typ: Option<String>,
    pub(super) kid: Option<String>,
}

impl<'a> Compact<'a> {
    pub(super) fn parse(token: &'a [u8]) -> Result<Self, Reason> {
        if token.len() > MAX_TOKEN_LEN {
            return Err(Reason::TooLong);
        }
        let token = std::str::from_utf8(token).map_err(|_| Reason::Encoding)?;
        let (signed, signature) = token.rsplit_once('.').ok_or(Reason::Structure)?;
        let (header, payload) = signed.split_once('.').ok_or(Reason::Structure)?;
        if payload.contains('.') {
            return Err(Reason::Structure);
        }
        Ok(Self {
            header: Header::parse(&decode(header)?)?,
            payload: decode(payload)?,
            signature: decode(signature)?,
            signed: signed.as_bytes(),
        })
    }

    /// Whether this key, under its one algorithm, made the signature.
    pub(super) fn verify(&self, key: &VerifyingKey) -> Result<(), Reason> {
        if self.header.alg != key.algorithm().as_str() {
            return Err(Reason::Algorithm);
        }
        if key.verifies(self.signed, &self.signature) { Ok(()) } else { Err(Reason::Signature) }
    }

    /// The claims, as strict JSON.
    pub(super) fn claims(&self) -> Result<Claims<'_>, Reason> {
        known(&self.payload, Claims::NAMES).map(Claims::new)
    }
}

impl Header {
    fn parse(json: &[u8]) -> Result<Self, Reason> {
        let mut header = known(json, &["alg", "kid", "typ", "crit", "b64", "zip"])?;
        if ["crit", "b64", "zip"].iter().any(|&name| header.take(name).is_some()) {
            return Err(Reason::Extension);
        }
        let mut text = |name| match header.take(name) {
            None => Ok(None),
            Some(Member::Text(text)) => Ok(Some(text.into_owned())),
            Some(Member::Other(_)) => Err(Reason::Header),
        };
        Ok(Self { alg: text("alg")?.ok_or(Reason::Header)?, typ: text("typ")?, kid: text("kid")? })
    }
}

fn known<'a, const N: usize>(
    json: &'a [u8],
    names: &'static [&'static str; N],
) -> Result<Known<'a, N>, Reason> {
    let limits = Limits { bytes: MAX_TOKEN_LEN, ..Limits::default() };
    parse_known(json, limits, names).map_err(|_| Reason::Json)
}

/// The engine takes no padding, no other alphabet, no white space and no bits left over.
fn decode(part: &str) -> Result<Vec<u8>, Reason> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Reason::Encoding)
}
