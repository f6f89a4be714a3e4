//! The keys that sign access tokens: rotated, removed and followed while the server runs.

use std::collections::BTreeSet;
use std::time::Duration;

use countersign::core::Secret;
use countersign::core::jwt::Algorithm;
use countersign::service::Error;
use countersign::settings::SecretWithFallbacks;
use countersign::store::EventKind;
use http::StatusCode;

use crate::support::{ALICE, ALICE_PASSWORD, Actor, World, seconds, token_header};

/// The names of the published keys.
async fn published(world: &World) -> BTreeSet<String> {
    let answer = world.anonymous().get("/.well-known/jwks.json").await.expect(StatusCode::OK);
    let keys = answer.body["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn kid(actor: &Actor<'_>) -> String {
    token_header(actor.access.as_ref().unwrap())["kid"].as_str().unwrap().to_owned()
}

async fn is_good(actor: &Actor<'_>) -> bool {
    let answer = actor.clone().get("/accounts/profile").await;
    assert!(answer.status == StatusCode::OK || answer.status == StatusCode::UNAUTHORIZED, "{answer:?}");
    answer.status == StatusCode::OK
}

// attack 24
#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_published_before_it_signs_and_the_old_one_until_its_last_token_has_died() {
    let world = World::new().await;
    let first = world.alice_in_a_browser().await;
    let old = kid(&first);
    let new = world.countersign.service().rotate_keys(false).await.unwrap().kid;
    // Published at once; the old one signs, until every cached key set is gone: twice five minutes.
    assert_eq!(published(&world).await, [old.clone(), new.clone()].into());
    assert_eq!(kid(&world.alice_in_a_browser().await), old);
    world.turn(599).await;
    let last = world.alice_in_a_browser().await;
    assert_eq!(kid(&last), old);
    let of_last = last.memory();

    // A restart in the middle changes nothing.
    let world = world.restart_with(|_| {}).await;
    assert_eq!(published(&world).await, [old.clone(), new.clone()].into());
    world.turn(1).await;
    let after = world.alice_in_a_browser().await;
    assert_eq!(kid(&after), new);
    assert!(is_good(&after).await && is_good(&world.browser_with(&of_last)).await);
    assert_eq!(published(&world).await, [old.clone(), new.clone()].into());

    // 599 + 300 + 10: the last second of the last token.
    world.turn(308).await;
    assert!(is_good(&world.browser_with(&of_last)).await);
    assert_eq!(published(&world).await, [old.clone(), new.clone()].into());
    world.turn(1).await;
    assert!(!is_good(&world.browser_with(&of_last)).await);
    world.turn(30).await;
    assert_eq!(published(&world).await, [new.clone()].into());
    assert_eq!(world.countersign.service().prune_keys(&[]).await.unwrap(), [old]);
    assert_eq!(published(&world).await, [new].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn time_alone_moves_the_keys_on() {
    let world = World::new().await;
    let new = world.countersign.service().rotate_keys(false).await.unwrap().kid;
    world.clock.turn(600);
    comes_to_sign(&world, &new).await;
}

/// The server looks a few times a second, by itself.
async fn comes_to_sign(world: &World, new: &str) {
    let mut browser = world.alice_in_a_browser().await;
    for _ in 0..200 {
        browser.refresh().await.expect(StatusCode::OK);
        if kid(&browser) == new {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(kid(&browser), new, "the new key comes to sign");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_key_stays_for_the_longest_life_that_was_ever_issued() {
    let world = World::with(|settings| settings.access_token_lifetime = seconds(3600)).await;
    let browser = world.alice_in_a_browser().await;
    let (old, memory) = (kid(&browser), browser.memory());
    let world = world.restart_with(|settings| settings.access_token_lifetime = seconds(60)).await;
    world.clock.turn(1);
    world.countersign.service().rotate_keys(true).await.unwrap();
    world.turn(3598).await;
    assert!(published(&world).await.contains(&old));
    assert!(is_good(&world.browser_with(&memory)).await);
    world.turn(60).await;
    assert!(!published(&world).await.contains(&old));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_may_sign_at_once() {
    let world = World::new().await;
    let before = world.alice_in_a_browser().await;
    world.clock.turn(1);
    let new = world.countersign.service().rotate_keys(true).await.unwrap().kid;
    let after = world.alice_in_a_browser().await;
    assert_eq!(kid(&after), new);
    assert!(is_good(&before).await && is_good(&after).await);
}

// attack 24
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_leaked_is_removed_by_name_and_its_tokens_are_good_no_more() {
    let world = World::new().await;
    let service = world.countersign.service();
    let mut browser = world.alice_in_a_browser().await;
    let leaked = kid(&browser);
    assert!(is_good(&browser).await);
    let only = service.prune_keys(std::slice::from_ref(&leaked)).await.unwrap_err();
    assert!(matches!(only, Error::InvalidFields(_)), "the only key stays: {only:?}");
    world.clock.turn(1);
    service.rotate_keys(true).await.unwrap();
    assert_eq!(
        service.prune_keys(std::slice::from_ref(&leaked)).await.unwrap(),
        std::slice::from_ref(&leaked)
    );
    browser.get("/accounts/profile").await.refused(401, "token_invalid");
    assert!(!published(&world).await.contains(&leaked));
    // Nobody is logged out.
    browser.refresh().await.expect(StatusCode::OK);
    assert!(is_good(&browser).await);
    assert!(service.prune_keys(&["unknown".to_owned()]).await.is_err());
    assert_eq!(world.audited(EventKind::KeysRemoved).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_pruned_that_may_still_be_needed() {
    let world = World::new().await;
    let service = world.countersign.service();
    service.rotate_keys(false).await.unwrap();
    assert!(service.prune_keys(&[]).await.unwrap().is_empty());
    world.turn(600).await;
    assert!(service.prune_keys(&[]).await.unwrap().is_empty());
    assert_eq!(published(&world).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_follows_a_rotation_from_the_command_line() {
    let world = World::new().await;
    let tool = world.tool().await;
    world.clock.turn(1);
    let new = tool.service().rotate_keys(true).await.unwrap().kid;
    tool.shutdown().await;
    comes_to_sign(&world, &new).await;
}

// Whoever reads the news hands on all of it, also where a request does it.
#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_is_not_lost_to_a_readiness_check_that_read_the_news_first() {
    let world = World::new().await;
    let tool = world.tool().await;
    let new = tool.service().rotate_keys(false).await.unwrap().kid;
    world.clock.turn(60);
    world.anonymous().get("/readyz").await.expect(StatusCode::OK);
    assert!(published(&world).await.contains(&new));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_algorithm_is_a_rotation_too() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    let (old, memory) = (kid(&browser), browser.memory());
    let world = world.restart_with(|settings| settings.access_algorithm = Algorithm::Es256).await;
    assert!(is_good(&world.browser_with(&memory)).await);
    let mut browser = world.browser();
    browser.login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
    assert_eq!(kid(&browser), old);
    world.turn(600).await;
    browser.refresh().await.expect(StatusCode::OK);
    assert_eq!(token_header(browser.access.as_ref().unwrap())["alg"], "ES256");
    assert!(is_good(&browser).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_shared_secret_there_is_no_key_to_rotate_but_the_secret() {
    let secret = |byte: u8| Secret::new([byte; 32]);
    let world = World::with(move |settings| {
        settings.access_algorithm = Algorithm::Hs256;
        settings.secrets.access = Some(SecretWithFallbacks::new(secret(b'a')));
    })
    .await;
    assert!(world.countersign.service().rotate_keys(false).await.is_err());
    let (browser, memory) = {
        let browser = world.alice_in_a_browser().await;
        (kid(&browser), browser.memory())
    };
    let world = world
        .restart_with(move |settings| {
            settings.access_algorithm = Algorithm::Hs256;
            settings.secrets.access =
                Some(SecretWithFallbacks { current: secret(b'b'), fallbacks: vec![secret(b'a')] });
        })
        .await;
    let mut old = world.browser_with(&memory);
    assert!(is_good(&old).await, "the fallback is still accepted");
    old.refresh().await.expect(StatusCode::OK);
    assert_ne!(kid(&old), browser, "and signs nothing new");
    let newer = old.memory();
    let world = world
        .restart_with(move |settings| {
            settings.access_algorithm = Algorithm::Hs256;
            settings.secrets.access = Some(SecretWithFallbacks::new(secret(b'b')));
        })
        .await;
    world.browser_with(&memory).get("/accounts/profile").await.refused(401, "token_invalid");
    assert!(is_good(&world.browser_with(&newer)).await);
}
