//! `root_secret` and `refresh_token_secret`: changed without logging anyone out, and lost.

use countersign::core::Generation;
use countersign::core::Secret;
use countersign::settings::{SecretWithFallbacks, Settings};
use http::StatusCode;
use serde_json::json;

use crate::support::{World, claims};

/// A new secret in the place of the one that was generated, which is still accepted.
fn rotated(old: &SecretWithFallbacks, new: u8) -> SecretWithFallbacks {
    SecretWithFallbacks { current: Secret::new([new; 32]), fallbacks: vec![old.current.clone()] }
}

fn fresh(new: u8) -> SecretWithFallbacks {
    SecretWithFallbacks::new(Secret::new([new; 32]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_refresh_token_secret_logs_nobody_out_while_the_old_one_is_a_fallback() {
    let world = World::new().await;
    let (browser, app) = (world.alice_in_a_browser().await.memory(), world.alice_in_an_app().await.memory());
    let old = world.settings().secrets.refresh_token.clone();
    let world = world.restart_with(move |settings| settings.secrets.refresh_token = rotated(&old, 1)).await;
    world.clock.turn(60);
    let mut page = world.browser_with(&browser);
    page.get("/accounts/csrf").await.expect(StatusCode::OK);
    page.refresh().await.expect(StatusCode::OK);
    let body = json!({ "refresh_token": app.refresh });
    world.native().post("/accounts/refresh_token", body).await.expect(StatusCode::OK);
    // Once the fallback is gone, what was refreshed meanwhile goes on, and what slept has to log in.
    let (awake, id) = (page.memory(), page.session());
    let world = world.restart_with(|settings| settings.secrets.refresh_token = fresh(1)).await;
    world.clock.turn(60);
    world.browser_with(&browser).refresh().await.refused(401, "refresh_token_invalid");
    world.browser_with(&awake).refresh().await.expect(StatusCode::OK);
    assert_eq!(world.session(id).await.ended, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_root_secret_logs_nobody_out_and_the_csrf_token_stays_good() {
    let world = World::new().await;
    let memory = world.alice_in_a_browser().await.memory();
    let old = world.settings().secrets.root.clone();
    let world = world.restart_with(move |settings| settings.secrets.root = rotated(&old, 1)).await;
    world.clock.turn(60);
    let mut page = world.browser_with(&memory);
    page.patch("/accounts/profile", json!({"first_name": "Al"})).await.expect(StatusCode::OK);
    let refreshed = page.refresh().await.expect(StatusCode::OK);
    assert_eq!(refreshed.body["csrf_token"], *memory.csrf.as_ref().unwrap());
    let again = page.get("/accounts/csrf").await.expect(StatusCode::OK);
    assert_eq!(again.body["csrf_token"], *memory.csrf.as_ref().unwrap());
    page.post("/accounts/logout", json!({})).await.expect(StatusCode::NO_CONTENT);
}

#[tokio::test(flavor = "multi_thread")]
async fn once_the_keys_are_rewrapped_the_old_root_secret_can_go() {
    let world = World::new().await;
    let before = world.alice_in_a_browser().await.memory();
    let old = world.settings().secrets.root.clone();
    let lost = old.clone();
    let world = world.restart_with(move |settings| settings.secrets.root = rotated(&old, 1)).await;
    let service = world.countersign.service();
    assert_eq!(service.rewrap_keys().await.unwrap(), 1);
    assert_eq!(service.rewrap_keys().await.unwrap(), 0, "done once");
    let after = world.alice_in_a_browser().await.memory();
    let world = world.restart_with(|settings| settings.secrets.root = fresh(1)).await;
    world.browser_with(&before).get("/accounts/profile").await.expect(StatusCode::OK);
    world.clock.turn(60);
    world.browser_with(&after).refresh().await.expect(StatusCode::OK);
    // Whoever logged in under the old root has to log in again; the refusal changes nothing.
    let mut page = world.browser_with(&before);
    page.refresh().await.refused(401, "refresh_token_invalid");
    let session = claims(before.access.as_ref().unwrap())["sid"].as_str().unwrap().parse().unwrap();
    assert_eq!(world.session(session).await.generation, Generation::FIRST);
    assert_eq!(world.session(session).await.ended, None);
    page.post("/accounts/logout", json!({})).await.expect(StatusCode::NO_CONTENT);
    assert!(world.session(session).await.ended.is_some());
    // The old root alone opens nothing any more.
    let refused = world.stop().await.start_with(move |settings| settings.secrets.root = lost).await;
    assert!(refused.err().unwrap().to_string().contains("root_secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_root_secret_is_a_clear_error_at_start() {
    let world = World::new().await;
    let stopped = world.stop().await;
    let error =
        stopped.start_with(|settings| settings.secrets.root = fresh(9)).await.err().unwrap().to_string();
    for said in ["root_secret", "sealed under another", "root_secret_fallbacks", "countersign keys rewrap"] {
        assert!(error.contains(said), "{error}");
    }
    assert!(!error.contains('\n'), "one sentence: {error}");
}

// attack 5
#[tokio::test(flavor = "multi_thread")]
async fn a_short_secret_or_two_that_are_equal_stop_the_start_and_are_not_repeated() {
    let short: fn(&mut Settings) = |settings| {
        settings.secrets.refresh_token =
            SecretWithFallbacks::new(Secret::new(*b"hunter2 is not 32 bytes long"));
    };
    let equal: fn(&mut Settings) = |settings| settings.secrets.refresh_token = settings.secrets.root.clone();
    let fallback: fn(&mut Settings) = |settings| {
        settings.secrets.root.fallbacks = vec![settings.secrets.refresh_token.current.clone()];
    };
    for (change, setting) in [
        (short, "refresh_token_secret"),
        (equal, "refresh_token_secret"),
        (fallback, "root_secret_fallbacks"),
    ] {
        let stopped = World::new().await.stop().await;
        let error = stopped.start_with(change).await.err().unwrap().to_string();
        assert!(error.contains("openssl rand -base64 48"), "{error}");
        assert!(error.contains("root_secret") || error.contains(setting), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

// attack 41
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_database_holds_no_token_and_no_private_key() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    world.clock.turn(60);
    let mut secrets = browser.jar.values().cloned().collect::<Vec<_>>();
    secrets.push(browser.access.clone().unwrap());
    browser.refresh().await.expect(StatusCode::OK);
    secrets.extend(browser.jar.values().cloned());
    secrets.extend([crate::support::ALICE_PASSWORD.to_owned(), crate::support::BOB_PASSWORD.to_owned()]);
    let root =
        countersign::service::derive::Derived::from_root(&world.settings().secrets.root.current).unwrap();
    let key = world.store().keys().await.unwrap().remove(0);
    let pkcs8 = root.sealing.open(&key.kid, &key.sealed).unwrap();
    // The private scalar: the 32 bytes behind the inner OCTET STRING's header (RFC 8410).
    let private = pkcs8.expose()[16..48].to_vec();
    let database = world.stop().await.back_up().bytes();
    let holds = |bytes: &[u8]| database.windows(bytes.len()).any(|window| window == bytes);
    assert!(holds(key.kid.as_bytes()), "the search finds what is there");
    // As it is, and as a dump writes it.
    let hexadecimal = private.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    assert!(!holds(&private) && !holds(hexadecimal.as_bytes()));
    for secret in secrets {
        let signature = secret.rsplit('.').next().unwrap();
        assert!(!holds(signature.as_bytes()), "{secret}");
    }
}
