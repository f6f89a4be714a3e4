//! A forge: takes a good token apart, changes something, and signs it again with the server's real key.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::core::Secret;
use countersign::service::derive::Derived;
use serde_json::Value;

use crate::support::{World, claims, token_header};

/// A token in the making: the good one, until something in it is changed.
pub struct Forge {
    header: Members,
    claims: Members,
    key: Key,
}

enum Key {
    Ed25519(Ed25519KeyPair),
    Hmac(Secret),
}

/// Members in raw JSON, so that a name may stand there twice, and `1e308` stays what it is.
type Members = Vec<(String, String)>;

impl Forge {
    /// An access token, under the key that the database has.
    pub async fn access(world: &World, token: &str) -> Self {
        let root = Derived::from_root(&world.settings().secrets.root.current).unwrap();
        let stored = &world.store().keys().await.unwrap()[0];
        let pkcs8 = root.sealing.open(&stored.kid, &stored.sealed).unwrap();
        Self::of(token, Key::Ed25519(Ed25519KeyPair::from_pkcs8(pkcs8.expose()).unwrap()))
    }

    /// A refresh token.
    pub fn refresh(world: &World, token: &str) -> Self {
        Self::of(token, Key::Hmac(world.settings().secrets.refresh_token.current.clone()))
    }

    fn of(token: &str, key: Key) -> Self {
        let members = |object: Value| {
            let object = object.as_object().unwrap();
            object.iter().map(|(name, value)| (name.clone(), value.to_string())).collect()
        };
        Self { header: members(token_header(token)), claims: members(claims(token)), key }
    }

    /// The token, as it is.
    pub fn token(&self) -> String {
        self.of_parts(&encode(object(&self.header)), &encode(object(&self.claims)))
    }

    /// With this header member, in raw JSON, instead of the one of that name.
    pub fn header(&self, name: &str, json: &str) -> String {
        self.of_parts(&encode(object(&with(&self.header, name, json))), &encode(object(&self.claims)))
    }

    /// With this claim, in raw JSON, instead of the one of that name.
    pub fn claim(&self, name: &str, json: &str) -> String {
        self.of_parts(&encode(object(&self.header)), &encode(object(&with(&self.claims, name, json))))
    }

    /// Without this header member.
    pub fn without_header(&self, name: &str) -> String {
        self.of_parts(&encode(object(&without(&self.header, name))), &encode(object(&self.claims)))
    }

    /// Without this claim.
    pub fn without_claim(&self, name: &str) -> String {
        self.of_parts(&encode(object(&self.header)), &encode(object(&without(&self.claims, name))))
    }

    /// With a second member of a name: of the header, and of the claims.
    pub fn twice(&self, name: &str) -> String {
        let twice = |members: &Members| {
            let again = members.iter().filter(|(other, _)| other == name).cloned();
            object(&members.iter().cloned().chain(again).collect())
        };
        self.of_parts(&encode(twice(&self.header)), &encode(twice(&self.claims)))
    }

    /// These two parts, signed as they stand.
    pub fn of_parts(&self, header: &str, payload: &str) -> String {
        let signed = format!("{header}.{payload}");
        let signature = match &self.key {
            Key::Ed25519(pair) => pair.sign(signed.as_bytes()).as_ref().to_vec(),
            Key::Hmac(secret) => mac(secret.expose(), &signed),
        };
        format!("{signed}.{}", encode(signature))
    }

    /// The header's JSON, and that of the claims.
    pub fn json(&self) -> (String, String) {
        (object(&self.header), object(&self.claims))
    }
}

/// The HMAC of a text.
pub fn mac(secret: &[u8], signed: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes()).as_ref().to_vec()
}

/// Base64url.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn with(members: &Members, name: &str, json: &str) -> Members {
    without(members, name).into_iter().chain([(name.to_owned(), json.to_owned())]).collect()
}

fn without(members: &Members, name: &str) -> Members {
    members.iter().filter(|(other, _)| other != name).cloned().collect()
}

fn object(members: &Members) -> String {
    let members: Vec<String> = members.iter().map(|(name, json)| format!("\"{name}\":{json}")).collect();
    format!("{{{}}}", members.join(","))
}
