//! Accounts: the profile, as its user sees and changes it.

use countersign::store::{AuditEvent, EventKind, ProfileChange};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{ALICE, ALICE_PASSWORD, Actor, BOB, BOB_PASSWORD, World, members};

async fn profile(actor: &mut Actor<'_>) -> Value {
    let answer = actor.get("/accounts/profile").await.expect(StatusCode::OK);
    assert_eq!(members(&answer.body), ["user"]);
    answer.body["user"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_the_user_and_nothing_else() {
    let world = World::new().await;
    for mut client in [world.alice_in_a_browser().await, world.alice_in_an_app().await] {
        let answer = client.get("/accounts/profile").await.expect(StatusCode::OK);
        let user = json!({
            "id": world.alice.id.0, "username": ALICE, "email": "alice@example.com",
            "first_name": "", "last_name": "", "is_active": true,
        });
        assert_eq!(answer.body, json!({ "user": user }));
        assert_eq!(answer.header("cache-control"), Some("no-store")); // attack 71
        assert!(answer.set_cookies().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_change_one_by_one_and_stay_changed() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let answer = browser.patch("/accounts/profile", json!({"first_name": "Alice"})).await;
    let answer = answer.expect(StatusCode::OK);
    assert_eq!(members(&answer.body), ["user"]);
    assert_eq!(answer.body["user"]["first_name"], "Alice");
    assert_eq!(answer.body["user"]["last_name"], "");
    assert_eq!(answer.header("cache-control"), Some("no-store"));

    let name = "d’Été \u{1f409} <img onerror>";
    browser.patch("/accounts/profile", json!({"last_name": name})).await.expect(StatusCode::OK);
    browser.patch("/accounts/profile", json!({})).await.expect(StatusCode::OK);
    let user = profile(&mut browser).await;
    assert_eq!((&user["first_name"], &user["last_name"]), (&json!("Alice"), &json!(name)));
    assert_eq!(profile(&mut world.alice_in_an_app().await).await, user);

    browser.patch("/accounts/profile", json!({"first_name": ""})).await.expect(StatusCode::OK);
    assert_eq!(profile(&mut browser).await["first_name"], "");
}

/// Changes Alice's first name as another process does.
async fn rename_elsewhere(world: &World, first_name: &str) {
    let change = ProfileChange { first_name: Some(first_name.to_owned()), ..ProfileChange::default() };
    let event = AuditEvent::new(EventKind::ProfileChanged, world.now());
    assert!(world.store().update_profile(world.alice.id, change, event).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_shows_at_once_here_and_with_its_news_elsewhere_though_the_profile_was_just_read() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    for name in ["Alice", "Alicia", ""] {
        profile(&mut browser).await;
        browser.patch("/accounts/profile", json!({"first_name": name})).await.expect(StatusCode::OK);
        assert_eq!(profile(&mut browser).await["first_name"], name);
        rename_elsewhere(&world, "Eve").await;
        world.turn(0).await;
        assert_eq!(profile(&mut browser).await["first_name"], "Eve");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_was_read_before_is_not_trusted_once_the_news_are_stale() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    for name in ["Alice", "Alicia", "Ali"] {
        profile(&mut browser).await;
        rename_elsewhere(&world, name).await;
        world.clock.turn(2);
        assert_eq!(profile(&mut browser).await["first_name"], name);
    }
}

// attack 95
#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_is_unknown_or_read_only_is_refused_and_named_and_nothing_changes() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let before = profile(&mut browser).await;
    for (field, value) in [
        ("id", json!(world.bob.id.0)),
        ("user_id", json!(world.bob.id.0)),
        ("username", json!("root")),
        ("is_active", json!(false)),
        ("is_staff", json!(true)),
        ("is_superuser", json!(true)),
        ("groups", json!(["admin"])),
        ("permissions", json!(["everything"])),
        ("last_login_at", json!(null)),
        ("fields", json!({"role": "admin"})),
        ("new_password", json!("a new one, by the side door")),
        ("nickname", json!("al")),
        ("", json!("")),
    ] {
        let body = json!({"first_name": "Mallory", field: value});
        let answer = browser.patch("/accounts/profile", body).await.refused(400, "invalid_fields");
        assert_eq!(members(&answer.body["errors"]), [field]);
        assert!(answer.body["errors"][field][0].is_string());
    }
    assert_eq!(profile(&mut browser).await, before);
    let alice = world.countersign.service().find_user(ALICE).await.unwrap();
    assert!(alice.is_active && !alice.is_staff && !alice.is_superuser);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_will_not_do_is_refused_and_nothing_changes() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let before = profile(&mut browser).await;
    for body in [
        json!({"first_name": 1}),
        json!({"first_name": null}),
        json!({"last_name": ["x"]}),
        json!({"email": {"$ne": ""}, "password": ALICE_PASSWORD}),
        json!({"email": "x@example.com", "password": true}),
        json!([{"first_name": "x"}]),
    ] {
        browser.patch("/accounts/profile", body).await.refused(400, "malformed_body");
    }
    for (field, value) in [
        ("first_name", "x".repeat(151)),
        ("last_name", "two\nlines".to_owned()),
        ("email", "no address".to_owned()),
        ("email", "two@example.com,three@example.com".to_owned()),
        ("email", "line@example.com\r\nBcc: all@example.com".to_owned()),
        ("email", format!("{}@example.com", "x".repeat(65))),
    ] {
        let body = json!({"first_name": "Mallory", field: value, "password": ALICE_PASSWORD});
        let answer = browser.patch("/accounts/profile", body).await.refused(400, "invalid_fields");
        assert_eq!(members(&answer.body["errors"]), [field]);
    }
    let mut call = browser.request(Method::PATCH, "/accounts/profile");
    call = call.header("content-type", "text/plain").body("{\"first_name\": \"x\"}");
    call.send().await.refused(415, "unsupported_media_type");
    assert_eq!(profile(&mut browser).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_email_needs_the_password_beside_it() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let new = "alice@new.example";
    for password in [None, Some(""), Some("not the right password"), Some(BOB_PASSWORD)] {
        let mut body = json!({"email": new, "first_name": "Alice"});
        if let Some(password) = password {
            body["password"] = json!(password);
        }
        let answer = browser.patch("/accounts/profile", body).await.refused(403, "wrong_password");
        assert!(!String::from_utf8_lossy(&answer.bytes).contains("not the right password"));
    }
    let user = profile(&mut browser).await;
    assert_eq!((&user["email"], &user["first_name"]), (&json!("alice@example.com"), &json!("")));

    let body = json!({"email": new, "first_name": "Alice", "password": ALICE_PASSWORD});
    let answer = browser.patch("/accounts/profile", body).await.expect(StatusCode::OK);
    assert_eq!(answer.body["user"]["email"], new);
    assert_eq!(answer.body["user"]["first_name"], "Alice");
    world.browser().login(new, ALICE_PASSWORD).await.expect(StatusCode::OK);
    world.browser().login("alice@example.com", ALICE_PASSWORD).await.refused(401, "invalid_credentials");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_email_that_stays_as_it_is_needs_no_password_and_any_other_spelling_does() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let same = json!({"email": "alice@example.com", "first_name": "Alice"});
    browser.patch("/accounts/profile", same).await.expect(StatusCode::OK);
    let other = json!({"email": "Alice@example.com"});
    browser.patch("/accounts/profile", other).await.refused(403, "wrong_password");
    let none = json!({"email": ""});
    browser.patch("/accounts/profile", none).await.refused(403, "wrong_password");
    let none = json!({"email": "", "password": ALICE_PASSWORD});
    browser.patch("/accounts/profile", none).await.expect(StatusCode::OK);
    world.browser().login("", ALICE_PASSWORD).await.refused(400, "missing_credentials");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_need_not_be_unique() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let body = json!({"email": "bob@example.com", "password": ALICE_PASSWORD});
    browser.patch("/accounts/profile", body).await.expect(StatusCode::OK);
    assert_eq!(profile(&mut browser).await["email"], "bob@example.com");
    world.browser().login(BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_profile_needs_the_csrf_token() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let body = json!({"first_name": "Mallory"});
    let call = browser.request(Method::PATCH, "/accounts/profile").json(&body).without("x-csrftoken");
    call.send().await.refused(403, "csrf_failed");
    assert_eq!(profile(&mut browser).await["first_name"], "");
}
