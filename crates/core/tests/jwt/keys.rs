//! Published keys: what a JSON Web Key, and a set of them, must be.

use countersign_core::jwt::{Algorithm, KeyError, KeySet, VerifyingKey};
use serde_json::{Value, json};

use crate::forge::encode;
use crate::support::{KEYS, decode};

fn jwk(algorithm: Algorithm) -> Value {
    let key = KEYS.iter().find(|key| key.verifying_key().algorithm() == algorithm).unwrap();
    key.verifying_key().to_jwk().unwrap()
}

const PUBLIC: [Algorithm; 3] = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256];

fn with(jwk: &Value, name: &str, value: impl Into<Value>) -> Value {
    let mut jwk = jwk.clone();
    jwk[name] = value.into();
    jwk
}

fn without(jwk: &Value, name: &str) -> Value {
    let mut jwk = jwk.clone();
    jwk.as_object_mut().unwrap().remove(name);
    jwk
}

#[track_caller]
fn refused(jwk: &Value, error: KeyError) {
    assert_eq!(VerifyingKey::from_jwk(jwk).unwrap_err(), error, "{jwk}");
}

fn set(keys: &[Value]) -> Result<KeySet, KeyError> {
    KeySet::from_jwks(json!({"keys": keys}).to_string().as_bytes())
}

#[test]
fn a_key_is_read_with_and_without_its_optional_members() {
    for algorithm in PUBLIC {
        let jwk = jwk(algorithm);
        for jwk in [
            jwk.clone(),
            without(&jwk, "alg"),
            without(&jwk, "use"),
            with(&jwk, "key_ops", json!(["verify"])),
            with(&jwk, "x5u", "https://attacker.example"),
            with(&jwk, "unknown", json!({"a": 1})),
        ] {
            let key = VerifyingKey::from_jwk(&jwk).unwrap();
            assert_eq!(key.algorithm(), algorithm);
            assert_eq!(key.kid().as_str(), algorithm.as_str());
        }
    }
}

// attack 24
#[test]
fn a_private_key_is_refused_and_spoils_the_set() {
    let good = jwk(Algorithm::EdDsa);
    for algorithm in PUBLIC {
        for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            let private = with(&jwk(algorithm), name, "AAAA");
            refused(&private, KeyError::Private);
            assert_eq!(set(&[good.clone(), private]).unwrap_err(), KeyError::Private);
        }
    }
    let symmetric = json!({"kty": "oct", "kid": "s", "alg": "HS256", "k": encode([1; 32])});
    assert_eq!(set(&[symmetric]).unwrap_err(), KeyError::Private);
}

// attack 3
#[test]
fn a_key_of_another_kind_algorithm_or_use_is_passed_over() {
    let ed = jwk(Algorithm::EdDsa);
    let ec = jwk(Algorithm::Es256);
    let rsa = jwk(Algorithm::Rs256);
    for foreign in [
        with(&ed, "kty", "EC"),
        with(&ed, "kty", "okp"),
        with(&ed, "crv", "X25519"),
        with(&ed, "crv", "Ed448"),
        with(&ed, "alg", "ES256"),
        with(&ed, "alg", "HS256"),
        with(&ed, "alg", "eddsa"),
        with(&ec, "kty", "RSA"),
        with(&ec, "crv", "P-384"),
        with(&ec, "crv", "secp256k1"),
        with(&ec, "alg", "ES384"),
        with(&rsa, "kty", "EC"),
        with(&rsa, "alg", "PS256"),
        with(&rsa, "alg", "RS512"),
        with(&rsa, "alg", "HS256"),
        with(&rsa, "use", "enc"),
        with(&ec, "use", ""),
        with(&ec, "key_ops", json!(["sign"])),
        with(&ec, "key_ops", json!([])),
        without(&ed, "crv"),
        json!({"kty": "AKP", "alg": "ML-DSA-44", "kid": "pq", "pub": "AAAA"}),
    ] {
        refused(&foreign, KeyError::Unsupported);
        let set = set(&[foreign, with(&ed, "kid", "good")]).unwrap();
        assert_eq!(set.iter().map(|key| key.kid().as_str()).collect::<Vec<_>>(), ["good"]);
    }
}

#[test]
fn a_member_of_a_wrong_type_is_refused() {
    let ec = jwk(Algorithm::Es256);
    for name in ["kty", "crv", "alg", "use", "key_ops", "x", "y"] {
        for value in [json!(null), json!(1), json!({})] {
            refused(&with(&ec, name, value), KeyError::Malformed);
        }
    }
    for name in ["kty", "x", "y"] {
        refused(&without(&ec, name), KeyError::Malformed);
    }
    for other in [json!(null), json!([]), json!("text")] {
        refused(&other, KeyError::Malformed);
    }
}

// attack 7
#[test]
fn a_key_has_a_sound_name() {
    let ed = jwk(Algorithm::EdDsa);
    refused(&without(&ed, "kid"), KeyError::BadKeyId);
    for kid in [json!(""), json!("a b"), json!("../x"), json!("k".repeat(65)), json!(1), json!(null)] {
        refused(&with(&ed, "kid", kid), KeyError::BadKeyId);
    }
}

#[test]
fn an_ed25519_key_is_a_canonical_point_of_large_order() {
    let ed = jwk(Algorithm::EdDsa);
    let x = decode(ed["x"].as_str().unwrap());
    let little_endian = |first: u8, rest: u8, last: u8| {
        let mut bytes = [rest; 32];
        (bytes[0], bytes[31]) = (first, last);
        bytes
    };
    let order_eight =
        ["JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU", "xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA3o"];
    for bad in [
        encode(&x[..31]),
        encode([&x[..], &[0]].concat()),
        encode(little_endian(0, 0, 0)),
        encode(little_endian(0, 0, 0x80)),
        encode(little_endian(1, 0, 0)),
        encode(little_endian(1, 0, 0x80)),
        encode(little_endian(0xec, 0xff, 0x7f)), // p - 1
        encode(little_endian(0xed, 0xff, 0x7f)), // p, the other spelling of 0
        encode(little_endian(0xee, 0xff, 0xff)), // p + 1
        encode(little_endian(0xf3, 0xff, 0x7f)), // p + 6
        encode([0xff; 32]),
        order_eight[0].into(),
        order_eight[1].into(),
        format!("{}=", ed["x"].as_str().unwrap()),
        String::new(),
    ] {
        refused(&with(&ed, "x", bad), KeyError::Malformed);
    }
}

#[test]
fn a_p256_key_is_a_point_on_the_curve() {
    let ec = jwk(Algorithm::Es256);
    let [x, y] = ["x", "y"].map(|name| decode(ec[name].as_str().unwrap()));
    let mut off_curve = y.clone();
    off_curve[31] ^= 1;
    for (bad_x, bad_y) in [
        (x.clone(), off_curve),
        (y.clone(), x.clone()),
        (vec![0; 32], vec![0; 32]),
        (vec![0xff; 32], y.clone()),
        (x[..31].to_vec(), y.clone()),
        ([&[0], &x[..]].concat(), y.clone()),
        (x.clone(), vec![]),
        (x.clone(), [&y[..], &[0]].concat()),
    ] {
        refused(&with(&with(&ec, "x", encode(bad_x)), "y", encode(bad_y)), KeyError::Malformed);
    }
}

#[test]
fn an_rsa_key_is_long_and_odd() {
    let rsa = jwk(Algorithm::Rs256);
    let n = decode(rsa["n"].as_str().unwrap());
    let number = |first: u8, len: usize| {
        let mut number = vec![0x55; len];
        number[0] = first;
        number
    };
    for (name, n) in [("2048 bits", number(0x80, 256)), ("8192 bits", number(0xff, 1024))] {
        assert!(VerifyingKey::from_jwk(&with(&rsa, "n", encode(n))).is_ok(), "{name}");
    }
    let mut even = n.clone();
    even[255] &= 0xfe;
    for bad in [number(0x7f, 256), number(1, 1025), n[..128].to_vec(), even, [&[0], &n[..]].concat(), vec![]]
    {
        refused(&with(&rsa, "n", encode(bad)), KeyError::Malformed);
    }
    for good in [&[1, 0, 1][..], &[1, 0, 3], &[1, 0, 0, 0, 1], &[1, 0xff, 0xff, 0xff, 0xff]] {
        assert!(VerifyingKey::from_jwk(&with(&rsa, "e", encode(good))).is_ok(), "{good:?}");
    }
    for bad in [
        &[][..],
        &[0],
        &[1],
        &[3],
        &[17],
        &[0xff, 0xff],
        &[1, 0, 0],
        &[0, 1, 0, 1],
        &[2, 0, 0, 0, 1],
        &[1; 9],
    ] {
        refused(&with(&rsa, "e", encode(bad)), KeyError::Malformed);
    }
}

// attack 7
#[test]
fn two_keys_of_one_name_are_refused() {
    let [ed, ec] = [Algorithm::EdDsa, Algorithm::Es256].map(jwk);
    assert_eq!(set(&[ed.clone(), ed.clone()]).unwrap_err(), KeyError::DuplicateKeyId);
    assert_eq!(set(&[ed.clone(), with(&ec, "kid", "EdDSA")]).unwrap_err(), KeyError::DuplicateKeyId);
    let twice = [0, 0].map(|at: usize| KEYS[at].verifying_key().clone());
    assert_eq!(KeySet::new(twice.to_vec()).unwrap_err(), KeyError::DuplicateKeyId);
}

#[test]
fn a_broken_key_is_passed_over_and_the_others_stay() {
    let [ed, ec] = [Algorithm::EdDsa, Algorithm::Es256].map(jwk);
    let set = set(&[with(&ed, "x", "AAAA"), json!(7), ec]).unwrap();
    assert_eq!(set.iter().map(VerifyingKey::algorithm).collect::<Vec<_>>(), [Algorithm::Es256]);
}

#[test]
fn a_set_may_be_empty() {
    assert!(set(&[]).unwrap().is_empty());
    assert_eq!(KeySet::default().to_jwks(), json!({"keys": []}));
}

#[test]
fn what_is_no_key_set_is_refused() {
    let ed = jwk(Algorithm::EdDsa);
    for text in [
        "",
        "[]",
        "null",
        "{}",
        r#"{"keys":null}"#,
        r#"{"keys":{}}"#,
        r#"{"Keys":[]}"#,
        r#"{"keys":[],"keys":[]}"#,
        r#"{"keys":[]} x"#,
        r#"{"keys":[{"kty":"EC","kty":"EC"}]}"#,
    ] {
        assert_eq!(KeySet::from_jwks(text.as_bytes()).unwrap_err(), KeyError::NotAKeySet, "{text}");
    }
    let named =
        |count: usize| -> Vec<Value> { (0..count).map(|n| with(&ed, "kid", n.to_string())).collect() };
    assert_eq!(set(&named(64)).unwrap().iter().count(), 64);
    assert_eq!(set(&named(65)).unwrap_err(), KeyError::NotAKeySet);
    let padded = format!(r#"{{"keys":[]}}{}"#, " ".repeat(64 * 1024));
    assert_eq!(KeySet::from_jwks(padded.as_bytes()).unwrap_err(), KeyError::NotAKeySet);
}
