//! Security events: each is a row of the audit, and nobody fills the disk by repeating one.

use countersign::core::jwt::Algorithm;
use countersign::service::keys::KeyState;
use countersign::store::EventKind;
use http::StatusCode;
use serde_json::json;

use crate::support::{ALICE, ALICE_PASSWORD, World};

// attack 118
#[tokio::test(flavor = "multi_thread")]
async fn what_happens_to_an_account_is_audited_with_who_what_and_where() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let next = "a pass phrase that is quite new";
    let change = json!({"old_password": ALICE_PASSWORD, "new_password": next});
    browser.post("/accounts/password", change).await.expect(StatusCode::OK);
    browser.post("/accounts/logout", json!({})).await.expect(StatusCode::NO_CONTENT);
    world.anonymous().login(ALICE, "not it").await.refused(401, "invalid_credentials");
    world.countersign.service().write_outbox().await;

    for kind in
        [EventKind::Login, EventKind::PasswordChanged, EventKind::SessionEnded, EventKind::LoginFailed]
    {
        let rows = world.audited(kind).await;
        assert_eq!(rows.len(), 1, "{kind:?}");
        let event = &rows[0].event;
        assert_eq!(event.user, Some(world.alice.id), "{kind:?}");
        assert_eq!(event.ip, Some("192.0.2.1".parse().unwrap()), "{kind:?}");
        assert_eq!(event.at, world.now(), "{kind:?}");
        let told = format!("{event:?}");
        for secret in [ALICE_PASSWORD, next, "not it"] {
            assert!(!told.contains(secret), "{kind:?}");
        }
    }
    // The very first key of the server, and no other.
    assert_eq!(world.audited(EventKind::KeyCreated).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_throttled_logins_is_one_row_a_minute_whatever_names_it_brings() {
    let world = World::with(|settings| settings.throttle.network_limit = 3).await;
    let mut attacker = world.anonymous();
    for n in 0..3 {
        attacker.login(&format!("name {n}"), "not it").await.refused(401, "invalid_credentials");
    }
    for minute in 1..=2 {
        for n in 0..50 {
            attacker.login(&format!("name {minute} {n}"), "not it").await.refused(429, "throttled");
        }
        world.countersign.service().write_outbox().await;
        let rows = world.audited(EventKind::LoginThrottled).await;
        assert_eq!(rows.len(), minute);
        assert_eq!(rows[0].event.count, 50);
        assert_eq!(rows[0].event.user, None);
        world.clock.turn(60);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_beside_a_server_makes_no_keys_whatever_its_settings_say() {
    let world = World::new().await;
    let tool = world.beside().access_algorithm(Algorithm::Es256).build().await.unwrap();
    let keys = tool.service().list_keys().await.unwrap();
    let listed: Vec<_> = keys.iter().map(|listed| (listed.key.algorithm.as_str(), listed.state)).collect();
    assert_eq!(listed, [("EdDSA", KeyState::Active)]);
    tool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_algorithm_that_was_left_can_be_taken_up_again() {
    let mut world = World::new().await;
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
        world = world.restart_with(move |settings| settings.access_algorithm = algorithm).await;
        // The new key is published for ten minutes, and signs then.
        world.clock.turn(601);
        world.countersign.service().clean_up().await.unwrap();
        world = world.restart_with(move |settings| settings.access_algorithm = algorithm).await;
        let browser = world.alice_in_a_browser().await;
        let header = crate::support::token_header(browser.access.as_ref().unwrap());
        assert_eq!(header["alg"], algorithm.as_str());
    }
}
