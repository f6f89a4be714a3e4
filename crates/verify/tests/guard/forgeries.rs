//! Forged tokens, a few of each kind, through the layer. `countersign_core::jwt` has the long list.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign_core::jwt::{RefreshClaims, RefreshSigner};
use countersign_core::{Generation, Secret, UserId};
use serde_json::{Value, json};

use crate::support::{
    ISSUER, KEY, NOW, World, csrf_token, good_claims, good_header, session, signed, signed_hs256,
    signed_text, signing_key, token, unsigned, with,
};

#[tokio::test]
async fn the_forge_makes_good_tokens_when_asked_to() {
    World::new().bearer(&signed(&good_header(), &good_claims())).await.is_let_in();
}

// attack 1
#[tokio::test]
async fn a_token_without_an_algorithm_is_invalid() {
    let world = World::new();
    let original = token(1).rsplit('.').next().unwrap().to_owned();
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let header = with(good_header(), "alg", json!(alg)).to_string();
        let text = unsigned(&header, &good_claims().to_string());
        for token in [text.clone(), format!("{text}."), format!("{text}.{original}")] {
            world.bearer(&token).await.is_token_invalid(alg);
        }
    }
    world.bearer(&signed(&with(good_header(), "alg", None), &good_claims())).await.is_token_invalid("no alg");
}

// attack 2
#[tokio::test]
async fn hmac_under_the_public_key_is_invalid_in_whatever_encoding() {
    let world = World::new();
    let pair = Ed25519KeyPair::from_pkcs8(KEY.to_pkcs8().unwrap().expose()).unwrap();
    let raw = pair.public_key().as_ref().to_vec();
    // SubjectPublicKeyInfo of Ed25519 (RFC 8410, section 4): a fixed prefix, then the key.
    let der = [&b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00"[..], &raw].concat();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(&der));
    let jwk = KEY.verifying_key().to_jwk().unwrap().to_string();
    let keys: [&[u8]; 6] = [
        pem.as_bytes(),
        pem.trim_end().as_bytes(),
        &[b" ", pem.as_bytes()].concat(),
        &der,
        &raw,
        jwk.as_bytes(),
    ];
    for key in keys {
        for alg in ["HS256", "EdDSA"] {
            let header = with(good_header(), "alg", json!(alg));
            world.bearer(&signed_hs256(&header, &good_claims(), key)).await.is_token_invalid(alg);
        }
    }
}

// attack 3
#[tokio::test]
async fn an_algorithm_that_is_not_the_key_s_is_invalid_even_with_its_signature() {
    let world = World::new();
    let algs = ["eddsa", "EDDSA", "Ed25519", "ES256", "RS256", "HS256", "hs256", "EdDSA ", "EdDSA\0", "XY"];
    for alg in algs {
        let token = signed(&with(good_header(), "alg", json!(alg)), &good_claims());
        world.bearer(&token).await.is_token_invalid(alg);
    }
    for alg in [json!(null), json!(["EdDSA"]), json!({"EdDSA": true}), json!(1)] {
        let token = signed(&with(good_header(), "alg", alg.clone()), &good_claims());
        world.bearer(&token).await.is_token_invalid(&alg.to_string());
    }
}

// attack 4
#[tokio::test]
async fn a_token_that_is_not_three_parts_is_invalid() {
    let world = World::new();
    let token = token(1);
    let [header, payload, signature]: [&str; 3] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    for token in [
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!("{header}.{payload}.{}", &signature[..40]),
        format!(".{payload}.{signature}"),
        format!("{header}..{signature}"),
        format!("{payload}.{signature}"),
        format!("{header}.{signature}"),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.{signature}"),
        format!("{header}.{payload}.{signature}.."),
        ".".into(),
        "..".into(),
        "...".into(),
        "....".into(),
        format!("{{\"payload\":\"{payload}\"}}"),
    ] {
        world.bearer(&token).await.is_token_invalid(&token);
    }
}

// attack 6
#[tokio::test]
async fn a_key_that_the_token_brings_along_is_not_looked_at() {
    let world = World::new();
    // Whoever follows a URL of the token rings here.
    let canary = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    canary.set_nonblocking(true).unwrap();
    let url = json!(format!("http://{}/key", canary.local_addr().unwrap()));
    let attacker = signing_key("mine");
    let pair = Ed25519KeyPair::from_pkcs8(attacker.to_pkcs8().unwrap().expose()).unwrap();
    for kid in ["ours", "mine"] {
        let header = with(good_header(), "jwk", attacker.verifying_key().to_jwk());
        let header = with(with(header, "jku", url.clone()), "x5u", url.clone());
        let header = with(header, "x5c", json!([STANDARD.encode(pair.public_key().as_ref())]));
        let text = unsigned(&with(header, "kid", json!(kid)).to_string(), &good_claims().to_string());
        let token = format!("{text}.{}", URL_SAFE_NO_PAD.encode(pair.sign(text.as_bytes())));
        world.bearer(&token).await.is_token_invalid(kid);
    }
    assert_eq!(canary.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

// attack 15
#[tokio::test]
async fn a_token_of_another_kind_is_invalid() {
    let world = World::new();
    let refresh = RefreshClaims {
        user: UserId(42),
        session: session(1),
        generation: Generation(1),
        issued_at: NOW,
        expires_at: NOW + 300,
        csh: None,
    };
    let refresh = RefreshSigner::new(&Secret::new([5; 32]), ISSUER.into()).unwrap().sign(&refresh);
    world.bearer(&refresh).await.is_token_invalid("a refresh token");
    world.bearer(&csrf_token(session(1))).await.is_token_invalid("a CSRF token");
    for kind in [json!("refresh"), json!("Access"), json!(""), json!(["access"]), json!(null)] {
        let token = signed(&good_header(), &with(good_claims(), "token_type", kind.clone()));
        world.bearer(&token).await.is_token_invalid(&kind.to_string());
    }
    let token = signed(&good_header(), &with(good_claims(), "token_type", None));
    world.bearer(&token).await.is_token_invalid("no token_type");
}

// attack 16
#[tokio::test]
async fn another_issuer_or_audience_is_invalid() {
    let world = World::new();
    for (name, value) in [
        ("iss", json!("https://login.example.evil")),
        ("iss", json!("https://login.exampl")),
        ("iss", json!(["https://login.example"])),
        ("aud", json!("https://other.example")),
        ("aud", json!("https://api.example/")),
        ("aud", json!([])),
    ] {
        let token = signed(&good_header(), &with(good_claims(), name, value.clone()));
        world.bearer(&token).await.is_token_invalid(&value.to_string());
    }
    let several = with(good_claims(), "aud", json!(["https://other.example", "https://api.example"]));
    world.bearer(&signed(&good_header(), &several)).await.is_let_in();
}

// attack 17
#[tokio::test]
async fn a_subject_that_is_no_user_s_id_is_invalid() {
    let world = World::new();
    let subjects: [Option<Value>; 10] = [
        None,
        Some(json!(null)),
        Some(json!(42)),
        Some(json!({"id": 42})),
        Some(json!(["42"])),
        Some(json!("")),
        Some(json!("042")),
        Some(json!("+42")),
        Some(json!("43")),
        Some(json!("99999999999999999999")),
    ];
    for subject in subjects {
        let token = signed(&good_header(), &with(good_claims(), "sub", subject.clone()));
        world.bearer(&token).await.is_token_invalid(&format!("{subject:?}"));
    }
    let somebody = with(with(good_claims(), "sub", json!("43")), "user_id", json!(43));
    world.bearer(&signed(&good_header(), &somebody)).await.is_token_invalid("not this session's user");
}

// attack 19
#[tokio::test]
async fn only_the_forms_of_at_jwt_are_a_good_type() {
    let world = World::new();
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"] {
        world.bearer(&signed(&with(good_header(), "typ", json!(typ)), &good_claims())).await.is_let_in();
    }
    let bad =
        [json!("JWT"), json!("jwt"), json!("rt+jwt"), json!("at+jwt "), json!(""), json!(null), json!(1)];
    for typ in bad.into_iter().map(Some).chain([None]) {
        let token = signed(&with(good_header(), "typ", typ.clone()), &good_claims());
        world.bearer(&token).await.is_token_invalid(&format!("{typ:?}"));
    }
}

// attack 20
#[tokio::test]
async fn a_huge_token_is_invalid_before_any_work() {
    let world = World::new();
    let padding = "x".repeat(8 * 1024);
    let long = signed(&good_header(), &with(good_claims(), "padding", json!(padding)));
    world.bearer(&long).await.is_token_invalid("well signed, and over 8 KiB");
    world.bearer(&"a".repeat(1024 * 1024)).await.is_token_invalid("1 MiB");
    world.bearer(&".".repeat(1024 * 1024)).await.is_token_invalid("a million dots");
    world.get(" a".repeat(512 * 1024)).await.is_token_invalid("half a million words");
    world.get("a".repeat(1024 * 1024)).await.is(401, "token_prefix_missing");
}

// attack 20
#[tokio::test]
async fn deep_json_is_invalid() {
    let world = World::new();
    let deep = "[".repeat(2_000);
    let header = format!("{{\"alg\":\"EdDSA\",\"kid\":\"ours\",\"typ\":\"at+jwt\",\"x\":{deep}");
    world.bearer(&signed_text(&header, &good_claims().to_string())).await.is_token_invalid("deep header");
    let payload = format!("{{\"x\":{deep}");
    world.bearer(&signed_text(&good_header().to_string(), &payload)).await.is_token_invalid("deep claims");
}
