//! Accounts: the list of one's sessions, and ending them.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{ALICE, ALICE_PASSWORD, Actor, BOB, BOB_PASSWORD, World, members};

async fn sessions(actor: &mut Actor<'_>) -> Vec<Value> {
    let answer = actor.get("/accounts/sessions").await.expect(StatusCode::OK);
    assert_eq!(members(&answer.body), ["sessions"]);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer.body["sessions"].as_array().unwrap().clone()
}

fn sid(actor: &Actor<'_>) -> String {
    actor.claims()["sid"].as_str().unwrap().to_owned()
}

fn path(actor: &Actor<'_>) -> String {
    format!("/accounts/sessions/{}", sid(actor))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_shows_each_live_session_of_the_user_and_which_is_this_one() {
    let world = World::new().await; // at 2026-11-18T11:06:40Z
    world.browser().login(BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
    let mut app = world.native().at("2001:db8::7");
    let body = json!({"username": ALICE, "password": ALICE_PASSWORD, "token_delivery": "body"});
    app.post("/accounts/login", body).await.expect(StatusCode::OK);
    world.clock.turn(60);
    let mut browser = world.alice_in_a_browser().await;
    world.clock.turn(60);
    app.address.set_ip("2001:db8::8".parse().unwrap());
    app.refresh().await.expect(StatusCode::OK);

    let of_the_app = json!({
        "id": sid(&app), "current": false, "ip": "2001:db8::8", "user_agent": "App/1",
        "created_at": "2026-11-18T11:06:40.000Z", "last_used_at": "2026-11-18T11:08:40.000Z",
        "expires_at": "2026-11-25T11:08:40.000Z",
    });
    let of_the_browser = json!({
        "id": sid(&browser), "current": true, "ip": "192.0.2.1", "user_agent": "Browser/1",
        "created_at": "2026-11-18T11:07:40.000Z", "last_used_at": "2026-11-18T11:07:40.000Z",
        "expires_at": "2026-11-25T11:07:40.000Z",
    });
    assert_eq!(sessions(&mut browser).await, [of_the_browser, of_the_app], "the newest first");
    let current: Vec<_> = sessions(&mut app).await.iter().map(|session| session["current"].clone()).collect();
    assert_eq!(current, [json!(false), json!(true)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_ended_or_expired_is_not_in_the_list() {
    let world = World::new().await;
    let mut ended = world.alice_in_a_browser().await;
    ended.post("/accounts/logout", json!({})).await.expect(StatusCode::NO_CONTENT);
    let mut brief = world.browser();
    let body = json!({"username": ALICE, "password": ALICE_PASSWORD, "remember": false});
    brief.post("/accounts/login", body).await.expect(StatusCode::OK);
    let mut browser = world.alice_in_a_browser().await;
    assert_eq!(sessions(&mut browser).await.len(), 2);

    world.clock.turn(12 * 60 * 60 + 10);
    browser.refresh().await.expect(StatusCode::OK);
    let left: Vec<_> = sessions(&mut browser).await.iter().map(|session| session["id"].clone()).collect();
    assert_eq!(left, [json!(sid(&browser))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_ones_own_can_be_ended() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let mut app = world.alice_in_an_app().await;
    let answer = browser.delete(&path(&app)).await.expect(StatusCode::NO_CONTENT);
    assert!(answer.bytes.is_empty() && answer.set_cookies().is_empty());

    app.get("/accounts/profile").await.refused(401, "session_ended");
    app.refresh().await.refused(401, "session_ended");
    assert_eq!(sessions(&mut browser).await.len(), 1);
    browser.delete(&path(&app)).await.expect(StatusCode::NO_CONTENT);
    world.browser().login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);

    // The current one too.
    let current = path(&browser);
    browser.delete(&current).await.expect(StatusCode::NO_CONTENT);
    browser.get("/accounts/profile").await.refused(401, "session_ended");
}

// attack 43
#[tokio::test(flavor = "multi_thread")]
async fn anothers_session_is_not_found_and_lives_on() {
    let world = World::new().await;
    let mut bob = world.browser();
    bob.login(BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
    let mut browser = world.alice_in_a_browser().await;

    let answer = browser.delete(&path(&bob)).await.refused(404, "not_found");
    for unknown in [
        "01a9f2a0-0000-7000-8000-000000000000",
        "00000000-0000-0000-0000-000000000000",
        "1",
        "x",
        "%00",
        "%ff",
        "..%2f..",
        "'%20OR%201=1",
        "*",
    ] {
        let other = browser.delete(&format!("/accounts/sessions/{unknown}")).await;
        assert_eq!(other.all_there_is(), answer.all_there_is(), "{unknown}");
    }
    bob.get("/accounts/profile").await.expect(StatusCode::OK);
    assert_eq!(sessions(&mut bob).await.len(), 1);
    browser.get("/accounts/profile").await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_sessions_but_the_current_one_can_be_ended_at_once() {
    let world = World::new().await;
    let mut bob = world.browser();
    bob.login(BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
    let mut browser = world.alice_in_a_browser().await;
    for query in ["", "?all=false", "?all", "?also=all=true"] {
        let mut app = world.alice_in_an_app().await;
        let mut other = world.alice_in_a_browser().await;
        let path = format!("/accounts/sessions{query}");
        browser.delete(&path).await.expect(StatusCode::NO_CONTENT);
        for gone in [&mut app, &mut other] {
            gone.get("/accounts/profile").await.refused(401, "session_ended");
            gone.refresh().await.refused(401, "session_ended");
        }
        assert_eq!(sessions(&mut browser).await.len(), 1, "{query}");
    }
    bob.get("/accounts/profile").await.expect(StatusCode::OK);
    // With nothing left to end, that is no error.
    browser.delete("/accounts/sessions").await.expect(StatusCode::NO_CONTENT);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_sessions_can_be_ended_with_the_current_one() {
    let world = World::new().await;
    let mut bob = world.browser();
    bob.login(BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
    let mut app = world.alice_in_an_app().await;
    let mut browser = world.alice_in_a_browser().await;
    let answer = browser.delete("/accounts/sessions?all=true").await.expect(StatusCode::NO_CONTENT);
    assert!(answer.set_cookies().is_empty(), "only a logout clears cookies");
    for gone in [&mut app, &mut browser] {
        gone.get("/accounts/sessions").await.refused(401, "session_ended");
        gone.refresh().await.refused(401, "session_ended");
    }
    bob.get("/accounts/profile").await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn ending_sessions_needs_the_csrf_token() {
    let world = World::new().await;
    let mut app = world.alice_in_an_app().await;
    let mut browser = world.alice_in_a_browser().await;
    for path in [path(&app), "/accounts/sessions".to_owned(), "/accounts/sessions?all=true".to_owned()] {
        let call = browser.request(Method::DELETE, &path).without("x-csrftoken");
        call.send().await.refused(403, "csrf_failed");
    }
    app.get("/accounts/profile").await.expect(StatusCode::OK);
    browser.get("/accounts/profile").await.expect(StatusCode::OK);
}
