//! What holds for every token that anyone can write.

use std::sync::LazyLock;

use countersign_core::jwt::{
    AccessClaims, AccessVerifier, KeySet, RefreshClaims, RefreshSigner, RefreshVerifier,
};
use countersign_core::{Generation, SessionId, Timestamp, UserId};
use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::forge::{Forge, Kind, encode};
use crate::support::{AUDIENCE, ISSUER, KEYS, access_verifier, csh, now, refresh_secret, refresh_verifier};

static ACCESS: LazyLock<AccessVerifier> = LazyLock::new(access_verifier);
static REFRESH: LazyLock<RefreshVerifier> = LazyLock::new(refresh_verifier);

/// One valid token of each kind.
static TOKENS: LazyLock<Vec<(Kind, String)>> =
    LazyLock::new(|| Forge::all().map(|forge| (forge.kind, forge.token())).collect());

fn verifies(token: &[u8]) -> bool {
    ACCESS.verify(token, now()).is_ok()
        || REFRESH.verify(token, now()).is_ok()
        || REFRESH.verify_any_age(token, now()).is_ok()
}

// attack 22: with the cheap signature, every place and every letter
#[test]
fn no_character_of_a_refresh_token_can_be_another() {
    let token = Forge::refresh().token().into_bytes();
    for at in 0..token.len() {
        for byte in 0..=u8::MAX {
            let mut changed = token.clone();
            changed[at] = byte;
            assert_eq!(verifies(&changed), byte == token[at], "{byte} at {at}");
        }
    }
}

fn claims() -> impl Strategy<Value = (UserId, SessionId, i64, i64, Option<i64>)> {
    let now = now().secs();
    (1..=i64::MAX, any::<[u8; 16]>(), 0..=now, now..=i64::MAX, proptest::option::of(0..=i64::MAX)).prop_map(
        |(user, session, iat, exp, auth_time)| {
            (UserId(user), SessionId::from_bytes(session), iat, exp, auth_time)
        },
    )
}

fn extra() -> impl Strategy<Value = Map<String, Value>> {
    let value = prop_oneof![
        any::<String>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        proptest::collection::vec("[a-z.]{0,20}", 0..10).prop_map(Value::from),
    ];
    proptest::collection::btree_map("x[a-z_]{0,10}", value, 0..5).prop_map(|map| map.into_iter().collect())
}

proptest! {
    // attack 22
    #[test]
    fn no_character_of_a_token_can_be_another(which in 0..5_usize, at: prop::sample::Index, byte: u8) {
        let mut token = TOKENS[which].1.clone().into_bytes();
        let at = at.index(token.len());
        prop_assume!(token[at] != byte);
        token[at] = byte;
        prop_assert!(!verifies(&token));
    }

    // attack 22
    #[test]
    fn no_bit_of_what_is_encoded_can_be_another(which in 0..5_usize, part in 0..3_usize, at: prop::sample::Index, bit in 0..8_u32) {
        let mut parts: Vec<Vec<u8>> = TOKENS[which].1.split('.').map(crate::support::decode).collect();
        let at = at.index(parts[part].len());
        parts[part][at] ^= 1_u8 << bit;
        let token = parts.iter().map(encode).collect::<Vec<_>>().join(".");
        prop_assert!(!verifies(token.as_bytes()));
    }

    // attack 22
    #[test]
    fn nothing_can_be_put_in_or_left_out(which in 0..5_usize, at: prop::sample::Index, byte: u8) {
        let token = TOKENS[which].1.as_bytes();
        let at = at.index(token.len());
        let (head, tail) = token.split_at(at);
        prop_assert!(!verifies(&[head, &[byte], tail].concat()));
        prop_assert!(!verifies(&[head, &tail[1..]].concat()));
        prop_assert!(!verifies(head));
    }

    #[test]
    fn parts_of_two_tokens_make_none(one in 0..5_usize, two in 0..5_usize, part in 0..3_usize) {
        prop_assume!(one != two);
        let mut parts: Vec<&str> = TOKENS[one].1.split('.').collect();
        let other = TOKENS[two].1.split('.').nth(part).unwrap();
        prop_assume!(parts[part] != other);
        parts[part] = other;
        prop_assert!(!verifies(parts.join(".").as_bytes()));
    }

    // attack 99
    #[test]
    fn arbitrary_bytes_never_verify(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(!verifies(&bytes));
    }

    // attack 99
    #[test]
    fn arbitrary_key_sets_do_not_panic(
        members in proptest::collection::btree_map("kty|crv|alg|use|kid|x|y|n|e|key_ops", "OKP|EC|RSA|Ed25519|P-256|[A-Za-z0-9_-]{0,50}", 0..10),
        bytes in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let set = serde_json::json!({"keys": [members]}).to_string();
        prop_assert!(KeySet::from_jwks(set.as_bytes()).is_ok());
        let _ = KeySet::from_jwks(&bytes);
    }

    // attack 99
    #[test]
    fn arbitrary_text_of_the_right_shape_never_verifies(token in r"[A-Za-z0-9_-]{0,60}\.[A-Za-z0-9_-]{0,60}\.[A-Za-z0-9_-]{0,90}") {
        prop_assert!(!verifies(token.as_bytes()));
    }

    #[test]
    fn arbitrary_claims_under_an_arbitrary_signature_never_verify(
        header in any::<String>(), payload in any::<String>(), signature in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let token = format!("{}.{}.{}", encode(header), encode(payload), encode(signature));
        prop_assert!(!verifies(token.as_bytes()));
    }

    #[test]
    fn what_is_signed_is_read_back_under_every_algorithm(
        (user, session, issued_at, expires_at, auth_time) in claims(), jti in proptest::option::of(any::<String>()), extra in extra(), in_cookie: bool,
    ) {
        let claims = AccessClaims {
            issuer: ISSUER.into(), audience: AUDIENCE.into(), user, session, jti, issued_at, expires_at, auth_time,
            csh: in_cookie.then(csh), extra,
        };
        // `exp` may be this very second: then the leeway saves it.
        for key in KEYS.iter() {
            prop_assert_eq!(ACCESS.verify(key.sign_access(&claims).unwrap(), now()), Ok(claims.clone()));
        }
    }

    #[test]
    fn a_refresh_token_is_read_back((user, session, issued_at, expires_at, _) in claims(), generation in 1..=i64::MAX, in_cookie: bool) {
        let claims = RefreshClaims {
            user, session, generation: Generation(generation), issued_at, expires_at, csh: in_cookie.then(csh),
        };
        let token = RefreshSigner::new(&refresh_secret(), ISSUER.into()).unwrap().sign(&claims);
        prop_assert_eq!(REFRESH.verify(&token, now()), Ok(claims.clone()));
        prop_assert_eq!(REFRESH.verify_any_age(&token, Timestamp::from_millis(i64::MAX)), Ok(claims.clone()));
    }
}
