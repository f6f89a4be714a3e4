//! A forge: it signs whatever it is given with the real keys, so that a token has exactly one flaw.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::jwt::{Algorithm, Reason, TokenError};
use countersign_core::{Secret, Timestamp};

use crate::support::{
    AUDIENCE, ISSUER, KEYS, NOW, access_secret, access_verifier, csh, now, refresh_secret, refresh_verifier,
    session,
};

/// A token in the making: a valid one, until something in it is changed.
#[derive(Clone, Debug)]
pub(crate) struct Forge {
    pub(crate) kind: Kind,
    header: Members,
    claims: Members,
}

/// Which token, and so which key signs and which verifier reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Access(Algorithm),
    Refresh,
}

/// Members in raw JSON, so that a name may stand there twice and `1e308` stays what it is.
type Members = Vec<(String, String)>;

impl Forge {
    pub(crate) fn access(algorithm: Algorithm) -> Self {
        let header = [("alg", quoted(algorithm)), ("kid", quoted(algorithm)), ("typ", quoted("at+jwt"))];
        let claims = [
            ("aud", quoted(AUDIENCE)),
            ("user_id", "42".into()),
            ("jti", quoted("an id")),
            ("auth_time", NOW.to_string()),
            ("exp", (NOW + 300).to_string()),
        ];
        Self::new(Kind::Access(algorithm), &header, &claims)
    }

    pub(crate) fn refresh() -> Self {
        let header = [("alg", quoted("HS256")), ("typ", quoted("rt+jwt"))];
        Self::new(Kind::Refresh, &header, &[("gen", "7".into()), ("exp", (NOW + 604_800).to_string())])
    }

    /// An access token of each algorithm, and a refresh token.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        KEYS.iter().map(|key| Self::access(key.verifying_key().algorithm())).chain([Self::refresh()])
    }

    /// The cheap ones: what is not about signatures needs no more.
    pub(crate) fn both() -> [Self; 2] {
        [Self::access(Algorithm::EdDsa), Self::refresh()]
    }

    fn new(kind: Kind, header: &[(&str, String)], claims: &[(&str, String)]) -> Self {
        let token_type = if kind == Kind::Refresh { "refresh" } else { "access" };
        let common = [
            ("token_type", quoted(token_type)),
            ("iss", quoted(ISSUER)),
            ("sub", quoted("42")),
            ("sid", quoted(session())),
            ("iat", NOW.to_string()),
            ("csh", quoted(csh())),
        ];
        let owned = |(name, json): &(&str, String)| ((*name).to_owned(), json.clone());
        Self {
            kind,
            header: header.iter().map(owned).collect(),
            claims: common.iter().chain(claims).map(owned).collect(),
        }
    }

    /// With this claim, in raw JSON, instead of the one of that name.
    pub(crate) fn claim(&self, name: &str, json: &str) -> Self {
        Self { claims: with(&self.claims, name, json), ..self.clone() }
    }

    pub(crate) fn without_claim(&self, name: &str) -> Self {
        Self { claims: without(&self.claims, name), ..self.clone() }
    }

    /// With one claim more, though there may be one of that name.
    pub(crate) fn second_claim(&self, name: &str, json: &str) -> Self {
        let mut forge = self.clone();
        forge.claims.push((name.to_owned(), json.to_owned()));
        forge
    }

    /// With this header member, in raw JSON, instead of the one of that name.
    pub(crate) fn header(&self, name: &str, json: &str) -> Self {
        Self { header: with(&self.header, name, json), ..self.clone() }
    }

    pub(crate) fn without_header(&self, name: &str) -> Self {
        Self { header: without(&self.header, name), ..self.clone() }
    }

    /// With one header member more, though there may be one of that name.
    pub(crate) fn second_header(&self, name: &str, json: &str) -> Self {
        let mut forge = self.clone();
        forge.header.push((name.to_owned(), json.to_owned()));
        forge
    }

    pub(crate) fn header_json(&self) -> String {
        object(&self.header)
    }

    pub(crate) fn claims_json(&self) -> String {
        object(&self.claims)
    }

    pub(crate) fn token(&self) -> String {
        self.token_of(&encode(self.header_json()), &encode(self.claims_json()))
    }

    /// These two parts, signed as they stand.
    pub(crate) fn token_of(&self, header: &str, payload: &str) -> String {
        let signed = format!("{header}.{payload}");
        format!("{signed}.{}", encode(self.sign(signed.as_bytes())))
    }

    pub(crate) fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        let pkcs8 = |index: usize| KEYS[index].to_pkcs8().unwrap();
        match self.kind {
            Kind::Access(Algorithm::EdDsa) => {
                Ed25519KeyPair::from_pkcs8(pkcs8(0).expose()).unwrap().sign(bytes).as_ref().to_vec()
            }
            Kind::Access(Algorithm::Es256) => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8(1).expose());
                pair.unwrap().sign_digest(&digest(&SHA256, bytes)).unwrap().as_ref().to_vec()
            }
            Kind::Access(Algorithm::Rs256) => {
                let pair = RsaKeyPair::from_pkcs8(pkcs8(2).expose()).unwrap();
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign_digest(&RSA_PKCS1_SHA256, &digest(&SHA256, bytes), &mut signature).unwrap();
                signature
            }
            Kind::Access(Algorithm::Hs256) => mac(&access_secret(), bytes),
            Kind::Refresh => mac(&refresh_secret(), bytes),
        }
    }

    /// What the verifier of this kind of token says.
    pub(crate) fn verify(&self) -> Result<(), TokenError> {
        self.kind.verify(&self.token(), now())
    }

    /// The one flaw is found, and it is this.
    #[track_caller]
    pub(crate) fn is_refused(&self, reason: Reason) {
        assert_eq!(self.verify(), Err(TokenError::Invalid(reason)), "{self:?}");
    }
}

impl Kind {
    pub(crate) fn verify(self, token: &str, now: Timestamp) -> Result<(), TokenError> {
        match self {
            Self::Access(_) => access_verifier().verify(token, now).map(|_| ()),
            Self::Refresh => refresh_verifier().verify(token, now).map(|_| ()),
        }
    }

    #[track_caller]
    pub(crate) fn refuses(self, token: &str, reason: Reason) {
        assert_eq!(self.verify(token, now()), Err(TokenError::Invalid(reason)), "{token:.200}");
    }
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn mac(secret: &Secret, bytes: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.expose()), bytes).as_ref().to_vec()
}

/// A JSON string of a text that needs no escapes.
pub(crate) fn quoted(text: impl std::fmt::Display) -> String {
    format!("\"{text}\"")
}

fn with(members: &Members, name: &str, json: &str) -> Members {
    let mut members = without(members, name);
    members.push((name.to_owned(), json.to_owned()));
    members
}

fn without(members: &Members, name: &str) -> Members {
    members.iter().filter(|(other, _)| other != name).cloned().collect()
}

fn object(members: &Members) -> String {
    let members: Vec<String> = members.iter().map(|(name, json)| format!("\"{name}\":{json}")).collect();
    format!("{{{}}}", members.join(","))
}
