//! The public vectors of Wycheproof (C2SP/wycheproof) through the parser and the signature check of the verifiers.
//!
//! They lie beside the repository, in `../shared/vectors`. Their payloads are no claims, so they run through
//! [`Compact`] and [`VerifyingKey`] alone. attack 21

use std::path::Path;

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use serde_json::Value;

use super::compact::Compact;
use super::{Algorithm, KeyError, KeyId, KeySet, Reason, VerifyingKey};
use crate::secret::Secret;

/// Marked valid there, refused here: a `?` inside base64url. RFC 8725's successor (section 3.14) says that such
/// content must be rejected.
const DEVIATIONS: [u64; 2] = [
    372, // InvalidCharacterInsertedInHeader
    373, // InvalidCharacterInsertedInPayload
];

/// Marked invalid there, accepted here: byte for byte the valid vector 357. Their names speak of a padding that the
/// file has lost. (Padding is refused: see the tests of `// attack 10`.)
const CONTRADICTIONS: [u64; 2] = [
    367, // invalidBase64Padding
    370, // invalidBase64PaddingInPayload
];

/// Algorithms of valid vectors that we don't have. (`ES521` is how the vectors spell it.)
const NOT_OURS: [&str; 8] = ["RS384", "RS512", "PS256", "PS384", "PS512", "ES521", "HS384", "HS512"];

/// How the vectors of one file went.
#[derive(Default, Debug, PartialEq)]
struct Tally {
    accepted: u32,
    refused: u32,
    deviating: u32,
    contradictory: u32,
    /// Valid under an algorithm of [`NOT_OURS`].
    not_ours: u32,
}

impl Tally {
    fn count(&mut self, test: &Value, alg: &str, accepted: bool) {
        let id = test["tcId"].as_u64().unwrap();
        match (test["result"].as_str().unwrap(), accepted) {
            ("valid", true) => self.accepted += 1,
            ("invalid", false) => self.refused += 1,
            ("valid", false) if DEVIATIONS.contains(&id) => self.deviating += 1,
            ("invalid", true) if CONTRADICTIONS.contains(&id) => self.contradictory += 1,
            ("valid", false) if NOT_OURS.contains(&alg) => self.not_ours += 1,
            _ => panic!("accepted: {accepted}, but {test}"),
        }
    }
}

fn groups(file: &str) -> Option<Vec<Value>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors").join(file);
    let Ok(text) = std::fs::read(path) else {
        println!("skipped: the Wycheproof vectors are not beside this repository (../shared/vectors/{file})");
        return None;
    };
    let file: Value = serde_json::from_slice(&text).unwrap();
    Some(file["testGroups"].as_array().unwrap().clone())
}

fn tests(group: &Value) -> &[Value] {
    group["tests"].as_array().unwrap()
}

/// The public key if there is one, else the symmetric one.
fn key_of(group: &Value) -> &Value {
    group.get("public").unwrap_or_else(|| &group["private"])
}

/// The vectors hand secrets over as JWKs, which we never do: here one becomes the HMAC key that a setting would
/// make. All else goes through [`VerifyingKey::from_jwk`].
fn verifying_key(jwk: &Value, kid: KeyId) -> Result<VerifyingKey, KeyError> {
    if jwk["kty"] != "oct" {
        let mut jwk = jwk.clone();
        jwk["kid"] = kid.as_str().into();
        return VerifyingKey::from_jwk(&jwk);
    }
    if jwk["use"] != "sig" || jwk["alg"].as_str().and_then(Algorithm::parse) != Some(Algorithm::Hs256) {
        return Err(KeyError::Unsupported);
    }
    // One of them isn't canonical.
    let lenient = GeneralPurpose::new(&URL_SAFE, NO_PAD.with_decode_allow_trailing_bits(true));
    VerifyingKey::hmac(kid, &Secret::new(lenient.decode(jwk["k"].as_str().unwrap()).unwrap()))
}

fn key_set(set: &Value) -> Result<KeySet, KeyError> {
    let jwks = set["keys"].as_array().unwrap();
    if jwks.iter().any(|jwk| jwk["kty"] != "oct") {
        return KeySet::from_jwks(set.to_string().as_bytes());
    }
    let key = |jwk: &Value| verifying_key(jwk, KeyId::parse(jwk["kid"].as_str().unwrap()).unwrap());
    KeySet::new(jwks.iter().map(key).collect::<Result<_, _>>()?)
}

fn verify(token: &Value, key: impl Fn(&Compact<'_>) -> Result<VerifyingKey, Reason>) -> Result<(), Reason> {
    // attack 11: some tokens are in JSON serialisation.
    let text = token.as_str().map_or_else(|| token.to_string(), str::to_owned);
    let token = Compact::parse(text.as_bytes())?;
    token.verify(&key(&token)?)
}

fn run_with_one_key(tally: &mut Tally, group: &Value) {
    // Some of the vectors' names are none of ours; with one key the name decides nothing.
    let key = verifying_key(key_of(group), KeyId::parse("the-key").unwrap());
    let alg = key_of(group)["alg"].as_str().unwrap_or_default();
    for test in tests(group) {
        let accepted = key.as_ref().is_ok_and(|key| verify(&test["jws"], |_| Ok(key.clone())).is_ok());
        tally.count(test, alg, accepted);
    }
}

fn run_with_a_set(tally: &mut Tally, group: &Value) {
    let set = key_set(key_of(group));
    let alg = key_of(group)["keys"][0]["alg"].as_str().unwrap_or_default();
    for test in tests(group) {
        let by_kid = |set: &KeySet, token: &Compact<'_>| {
            let kid = token.header.kid.as_deref().ok_or(Reason::Key)?;
            set.get(kid).cloned().ok_or(Reason::Key)
        };
        let accepted = set.as_ref().is_ok_and(|set| verify(&test["jws"], |token| by_kid(set, token)).is_ok());
        tally.count(test, alg, accepted);
    }
}

// attack 10, attack 11, attack 21
#[test]
fn the_json_web_signature_vectors_hold() {
    let Some(groups) = groups("json_web_signature_test.json") else { return };
    let mut tally = Tally::default();
    for group in &groups {
        run_with_one_key(&mut tally, group);
    }
    let expected = Tally { accepted: 18, refused: 353, deviating: 2, contradictory: 2, not_ours: 26 };
    assert_eq!(tally, expected);
}

// attack 21
#[test]
fn the_json_web_key_vectors_hold() {
    let Some(groups) = groups("json_web_key_test.json") else { return };
    let mut tally = Tally::default();
    for group in &groups {
        run_with_a_set(&mut tally, group);
    }
    assert_eq!(tally, Tally { accepted: 3, refused: 21, not_ours: 2, ..Tally::default() });
}

// attack 21
#[test]
fn the_json_web_crypto_vectors_hold() {
    let Some(groups) = groups("json_web_crypto_test.json") else { return };
    let mut tally = Tally::default();
    let mut encrypted = 0;
    for group in &groups {
        if group["comment"].as_str().is_some_and(|comment| comment.starts_with("jwe")) {
            // attack 12: there is no decryption here, so the good ones are refused too.
            for test in tests(group) {
                let refuse = |_: &Compact<'_>| Err(Reason::Key);
                assert_ne!(verify(&test["jwe"], refuse), Err(Reason::Key), "{test} got past the parser");
                encrypted += 1;
            }
        } else if key_of(group).get("keys").is_some() {
            run_with_a_set(&mut tally, group);
        } else {
            run_with_one_key(&mut tally, group);
        }
    }
    assert_eq!((encrypted, tally), (34, Tally { accepted: 4, refused: 45, ..Tally::default() }));
}

// attack 21
/// The signatures are of bytes that are no JWS, so they go to the check beneath the parser; the keys go through
/// the JWK reader.
#[test]
fn the_ed25519_vectors_hold() {
    let Some(groups) = groups("ed25519_test.json") else { return };
    let mut tally = Tally::default();
    for group in &groups {
        let key = VerifyingKey::from_jwk(&group["publicKeyJwk"]).unwrap();
        for test in tests(group) {
            let bytes = |name: &str| from_hex(test[name].as_str().unwrap());
            let holds = key.verifies(&bytes("msg"), &bytes("sig"));
            tally.count(test, "EdDSA", holds);
        }
    }
    assert_eq!(tally, Tally { accepted: 88, refused: 63, ..Tally::default() });
}

fn from_hex(text: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}
