//! The form of both tokens: their headers, their claims, their lives; and the published keys.

use std::collections::BTreeSet;

use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::core::jwt::{AccessVerifier, Algorithm, KeySet};
use countersign::core::{Seconds, Secret};
use countersign::service::password::Password;
use countersign::service::users::UserToCreate;
use countersign::settings::{ExtraClaim, SecretWithFallbacks, Settings};
use http::StatusCode;
use serde_json::{Value, json};

use crate::support::{ALICE, ALICE_PASSWORD, World, claims, seconds, token_header};

pub const ALGORITHMS: [Algorithm; 4] =
    [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256, Algorithm::Hs256];
const JWKS: &str = "/.well-known/jwks.json";
/// What stands in the settings, undecoded: it could be read as base64.
const SHARED_SECRET: &str = "YSBzZWNyZXQgdGhhdCBsb29rcyBsaWtlIGJhc2U2NA==";

/// Signs access tokens with this.
pub fn with_algorithm(algorithm: Algorithm) -> impl FnOnce(&mut Settings) + Send + 'static {
    move |settings| {
        settings.access_algorithm = algorithm;
        settings.secrets.access = Some(SecretWithFallbacks::new(Secret::new(SHARED_SECRET)));
    }
}

fn members(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

fn sha256(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()))
}

fn mac(secret: &[u8], signed: &str) -> String {
    URL_SAFE_NO_PAD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes()))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_says_exactly_this_in_each_algorithm() {
    for algorithm in ALGORITHMS {
        let world = World::with(with_algorithm(algorithm)).await;
        let mut browser = world.alice_in_a_browser().await;
        let login = world.now().secs();
        world.clock.turn(60);
        browser.refresh().await.expect(StatusCode::OK);
        let token = browser.access.clone().unwrap();

        let header = token_header(&token);
        assert_eq!(members(&header), ["alg", "kid", "typ"].into());
        assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!(algorithm.as_str())));

        let says = claims(&token);
        let expected = json!({
            "iss": "http://localhost:8000",
            "aud": "http://localhost:8000",
            "sub": world.alice.id.to_string(),
            "user_id": world.alice.id.0,
            "sid": says["sid"].as_str().unwrap(),
            "jti": says["jti"].as_str().unwrap(),
            "iat": login + 60,
            "exp": login + 360,
            "auth_time": login,
            "token_type": "access",
            "csh": sha256(browser.csrf.as_ref().unwrap()),
        });
        assert_eq!(says, expected);
        // attack 42
        assert!(URL_SAFE_NO_PAD.decode(says["jti"].as_str().unwrap()).unwrap().len() >= 16);
        assert_eq!(uuid::Uuid::parse_str(says["sid"].as_str().unwrap()).unwrap().get_version_num(), 7);
        browser.get("/accounts/profile").await.expect(StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_says_exactly_this_and_is_signed_with_the_setting_s_bytes_as_they_stand() {
    let change = |settings: &mut Settings| {
        settings.secrets.refresh_token = SecretWithFallbacks::new(Secret::new(SHARED_SECRET));
    };
    let world = World::with(change).await;
    let mut browser = world.alice_in_a_browser().await;
    world.clock.turn(60);
    browser.refresh().await.expect(StatusCode::OK);
    let token = browser.refresh_token();
    assert_eq!(token_header(&token), json!({"alg": "HS256", "typ": "rt+jwt"}));
    let now = world.now().secs();
    let expected = json!({
        "iss": "http://localhost:8000",
        "sub": world.alice.id.to_string(),
        "sid": browser.claims()["sid"],
        "gen": 2,
        "iat": now,
        "exp": now + 604_800,
        "token_type": "refresh",
        "csh": sha256(browser.csrf.as_ref().unwrap()),
    });
    assert_eq!(claims(&token), expected);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    assert_eq!(signature, mac(SHARED_SECRET.as_bytes(), signed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_secret_signs_access_tokens_with_its_bytes_as_they_stand() {
    let world = World::with(with_algorithm(Algorithm::Hs256)).await;
    let token = world.alice_in_a_browser().await.access.unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    assert_eq!(signature, mac(SHARED_SECRET.as_bytes(), signed));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tokens_of_a_body_delivered_session_carry_no_csh() {
    let world = World::new().await;
    let app = world.alice_in_an_app().await;
    assert_eq!(app.claims().get("csh"), None);
    assert_eq!(claims(&app.refresh_token()).get("csh"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn issuer_audience_and_lives_are_settings() {
    let world = World::with(|settings| {
        settings.audience = Some("https://api.example.com".into());
        settings.access_token_lifetime = seconds(60);
        settings.refresh_token_lifetime = seconds(600);
        settings.session_lifetime = seconds(900);
    })
    .await;
    let mut browser = world.browser();
    let answer = browser.login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
    let now = world.now().secs();
    assert_eq!(answer.body["expires_in"], 60);
    assert_eq!(browser.claims()["aud"], "https://api.example.com");
    assert_eq!(browser.claims()["exp"], now + 60);
    assert_eq!(claims(&browser.refresh_token())["exp"], now + 600);
    world.clock.turn(590);
    browser.refresh().await.expect(StatusCode::OK);
    assert_eq!(claims(&browser.refresh_token())["exp"], now + 900, "not past the session's end");
    world.clock.turn(290);
    let last = browser.refresh().await.expect(StatusCode::OK);
    assert_eq!((&last.body["expires_in"], &browser.claims()["exp"]), (&json!(20), &json!(now + 900)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_is_expired_once_the_leeway_past_its_last_second_is_over() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    world.clock.turn(309);
    browser.get("/accounts/profile").await.expect(StatusCode::OK);
    world.clock.turn(1);
    let refused = browser.get("/accounts/profile").await.refused(401, "token_expired");
    assert_eq!(refused.body["detail"], "access_token expired");
    // attack 106: time that is set back makes it good again, and its end stays its end.
    world.clock.turn(-60);
    browser.get("/accounts/profile").await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_and_permissions_are_there_when_they_are_asked_for() {
    let world = World::with(|settings| {
        settings.claims_include = vec![ExtraClaim::Groups, ExtraClaim::Permissions];
    })
    .await;
    let root = UserToCreate {
        username: "root".into(),
        email: String::new(),
        password: Password::new(ALICE_PASSWORD).unwrap(),
        is_superuser: true,
        fields: serde_json::Map::new(),
    };
    world.countersign.service().create_user(root).await.unwrap();
    for user in [ALICE, "root"] {
        let mut browser = world.browser();
        browser.login(user, ALICE_PASSWORD).await.expect(StatusCode::OK);
        assert!(browser.claims()["groups"].is_array(), "{user}");
        let lists = user != "root";
        assert_eq!(browser.claims().get("permissions").is_some(), lists, "{user}");
        assert_eq!(browser.claims().get("is_superuser"), (!lists).then_some(&json!(true)), "{user}");
    }
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    assert_eq!((browser.claims().get("groups"), browser.claims().get("permissions")), (None, None));
}

// attack 24
#[tokio::test(flavor = "multi_thread")]
async fn the_published_keys_verify_the_tokens_and_hold_nothing_private() {
    for algorithm in ALGORITHMS {
        let world = World::with(with_algorithm(algorithm)).await;
        let browser = world.alice_in_a_browser().await;
        let token = browser.access.as_ref().unwrap();
        let answer = world.anonymous().get(JWKS).await.expect(StatusCode::OK);
        assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
        assert!(answer.header("content-type").unwrap().starts_with("application/json"));
        assert_eq!(members(&answer.body), ["keys"].into());
        let keys = answer.body["keys"].as_array().unwrap();
        let expected = match algorithm {
            Algorithm::EdDsa => vec![["alg", "crv", "kid", "kty", "use", "x"].into()],
            Algorithm::Es256 => vec![["alg", "crv", "kid", "kty", "use", "x", "y"].into()],
            Algorithm::Rs256 => vec![["alg", "e", "kid", "kty", "n", "use"].into()],
            Algorithm::Hs256 => Vec::<BTreeSet<&str>>::new(),
        };
        assert_eq!(keys.iter().map(members).collect::<Vec<_>>(), expected);
        let ours = ("http://localhost:8000".to_owned(), "http://localhost:8000".to_owned());
        let verifier =
            AccessVerifier::new(KeySet::from_jwks(&answer.bytes).unwrap(), ours.0, ours.1, Seconds(0));
        let verified = verifier.verify(token, world.now());
        assert_eq!(verified.is_ok(), algorithm != Algorithm::Hs256);
        for key in keys {
            assert_eq!((&key["alg"], &key["use"]), (&json!(algorithm.as_str()), &json!("sig")));
            assert_eq!(key["kid"], token_header(token)["kid"]);
        }
    }
}

// attack 15
#[tokio::test(flavor = "multi_thread")]
async fn neither_token_is_ever_good_as_the_other_nor_is_the_csrf_token() {
    let world = World::with(|settings| {
        // Even where both are HMACs.
        with_algorithm(Algorithm::Hs256)(settings);
    })
    .await;
    let browser = world.alice_in_a_browser().await;
    let app = world.alice_in_an_app().await;
    for no_access_token in [browser.refresh_token(), app.refresh_token(), browser.csrf.clone().unwrap()] {
        let mut liar = browser.clone();
        liar.access = Some(no_access_token);
        liar.get("/accounts/profile").await.refused(401, "token_invalid");
    }
    for no_refresh_token in [browser.access.clone().unwrap(), browser.csrf.clone().unwrap()] {
        browser.with_refresh_cookie(&no_refresh_token).refresh().await.refused(401, "refresh_token_invalid");
        let body = json!({ "refresh_token": no_refresh_token });
        world.native().post("/accounts/refresh_token", body).await.refused(401, "refresh_token_invalid");
    }
}
