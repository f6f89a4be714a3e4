//! Accounts, login: the session that starts, and the one that ends.

use http::{Method, StatusCode};
use serde_json::json;

use crate::support::{ALICE, ALICE_PASSWORD, BOB, BOB_PASSWORD, World};

// attack 40
#[tokio::test(flavor = "multi_thread")]
async fn a_login_starts_a_session_of_its_own_whatever_cookies_were_planted() {
    let world = World::new().await;
    let mut planter = world.browser();
    planter.login(BOB, BOB_PASSWORD).await.expect(StatusCode::OK);

    let mut victim = world.browser();
    victim.jar = planter.jar.clone();
    victim.login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);

    assert_ne!(victim.claims()["sid"], planter.claims()["sid"]);
    assert_ne!(victim.csrf, planter.csrf);
    assert_eq!(victim.jar["csrftoken"], victim.csrf.clone().unwrap());
    assert_eq!(victim.claims()["sub"], world.alice.id.0.to_string());
    // What was planted is dead, and gives its planter no way into the new session.
    planter.get("/accounts/profile").await.refused(401, "session_ended");
    planter.refresh().await.refused(401, "session_ended");
    let mut mixed = victim.clone();
    mixed.csrf = planter.csrf.clone();
    mixed.refresh().await.refused(403, "csrf_failed");
    victim.refresh().await.expect(StatusCode::OK);
}

// attack 49
#[tokio::test(flavor = "multi_thread")]
async fn who_logs_in_in_anothers_browser_never_gets_their_session() {
    let world = World::new().await;
    for left in ["refreshtoken", "csrftoken"] {
        let mut browser = world.alice_in_a_browser().await;
        let alice = browser.claims()["sid"].clone();
        browser.jar.retain(|name, _| name == left);
        browser.login(BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
        assert_ne!(browser.claims()["sid"], alice);
        let profile = browser.get("/accounts/profile").await.expect(StatusCode::OK);
        assert_eq!(profile.body["user"]["username"], BOB);
        let refreshed = browser.refresh().await.expect(StatusCode::OK);
        assert_eq!(refreshed.body["user"]["username"], BOB);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_ends_the_session_whose_cookie_came_along_and_no_other() {
    let world = World::new().await;
    let mut elsewhere = world.alice_in_a_browser().await;
    let mut browser = world.alice_in_a_browser().await;
    let mut old = browser.clone();

    // One that fails ends nothing.
    browser.login(ALICE, "not the right password").await.refused(401, "invalid_credentials");
    old.get("/accounts/profile").await.expect(StatusCode::OK);

    browser.login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
    assert_ne!(browser.claims()["sid"], old.claims()["sid"]);
    assert_ne!(browser.csrf, old.csrf, "the CSRF token changes at every login");
    old.get("/accounts/profile").await.refused(401, "session_ended");
    old.refresh().await.refused(401, "session_ended");
    elsewhere.get("/accounts/profile").await.expect(StatusCode::OK);
    elsewhere.refresh().await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_cookie_that_is_dead_or_no_token_stands_in_no_logins_way() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let mut app = world.alice_in_an_app().await;
    let ended = browser.jar["refreshtoken"].clone();
    browser.post("/accounts/logout", json!({})).await.expect(StatusCode::NO_CONTENT);
    let of_an_app = app.refresh.clone().unwrap();

    for cookie in [&*ended, &of_an_app, "", "x", "a.b.c", browser.access.clone().unwrap().as_str()] {
        let body = json!({"username": ALICE, "password": ALICE_PASSWORD});
        let mut another = world.browser();
        let call = another.request(Method::POST, "/accounts/login").json(&body);
        call.cookie(&format!("refreshtoken={cookie}")).send().await.expect(StatusCode::OK);
    }
    app.refresh().await.expect(StatusCode::OK); // its token is none that a cookie holds
}

#[tokio::test(flavor = "multi_thread")]
async fn each_login_is_a_session_with_tokens_of_its_own() {
    let world = World::new().await;
    let one = world.alice_in_a_browser().await;
    let other = world.alice_in_a_browser().await;
    let differ = |name: &str| assert_ne!(one.claims()[name], other.claims()[name], "{name}");
    differ("sid");
    differ("jti");
    differ("csh");
    assert_ne!(one.csrf, other.csrf);
    assert_ne!(one.jar["refreshtoken"], other.jar["refreshtoken"]);
}
