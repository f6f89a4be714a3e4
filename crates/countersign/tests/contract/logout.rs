//! `POST /accounts/logout`.

use countersign::core::Generation;
use countersign::core::origin::PublicUrl;
use countersign::core::session::EndReason;
use countersign::settings::{CookiePrefix, CookieSettings, SameSite};
use http::{Method, StatusCode};
use serde_json::json;

use crate::support::{ALICE, ALICE_PASSWORD, Actor, Answer, BOB, BOB_PASSWORD, EVIL, SetCookie, World};

const ROUTE: &str = "/accounts/logout";

/// Logs out by what a call sends.
macro_rules! logout {
    ($actor:expr) => {
        $actor.request(Method::POST, ROUTE)
    };
}

#[track_caller]
fn logged_out(answer: Answer) -> Answer {
    let answer = answer.expect(StatusCode::NO_CONTENT);
    assert_eq!(answer.bytes, b"");
    // Under the very attributes that they were set with, or a browser keeps them.
    let cleared = [
        "refreshtoken=; HttpOnly; Path=/; SameSite=Lax; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "csrftoken=; Path=/; SameSite=Lax; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
    ];
    let set: Vec<_> =
        answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(set, cleared);
    answer
}

async fn lives(world: &World, actor: &Actor<'_>) -> bool {
    world.session(actor.session()).await.ended.is_none()
}

// attack 34, attack 67
#[tokio::test(flavor = "multi_thread")]
async fn a_logout_clears_the_cookies_and_ends_the_session_for_all_its_tokens_at_once() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    browser.get("/accounts/profile").await.expect(StatusCode::OK);
    let mut copy = browser.clone();
    logged_out(logout!(browser).send().await);
    copy.get("/accounts/profile").await.refused(401, "session_ended");
    copy.refresh().await.refused(401, "session_ended");
    copy.get("/accounts/csrf").await.refused(401, "session_ended");
    let ended = world.session(copy.session()).await.ended.unwrap();
    assert_eq!(ended.reason, EndReason::Logout);
}

// attack 34, attack 55: a browser clears a cookie only under the very name, path and domain that it was set with.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_settings_each_cookie_is_cleared_as_it_was_set() {
    type Change = fn(&mut CookieSettings);
    let variants: [(Change, [&str; 2]); 5] = [
        (|_| {}, ["__Host-refreshtoken", "__Host-csrftoken"]),
        (|cookies| cookies.prefix = CookiePrefix::Plain, ["refreshtoken", "csrftoken"]),
        (|cookies| cookies.csrf_name = "XSRF-TOKEN".into(), ["__Host-refreshtoken", "__Host-XSRF-TOKEN"]),
        // A domain widens the CSRF cookie alone.
        (
            |cookies| cookies.domain = Some("example.com".into()),
            ["__Host-refreshtoken", "__Secure-csrftoken"],
        ),
        (
            |cookies| (cookies.same_site, cookies.partitioned) = (SameSite::None, true),
            ["__Host-refreshtoken", "__Host-csrftoken"],
        ),
    ];
    for (change, names) in variants {
        let world = World::with(move |settings| {
            settings.public_url = PublicUrl::parse("https://auth.example.com").unwrap();
            change(&mut settings.cookies);
        })
        .await;
        let mut browser = world.browser();
        let set = browser.login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK).set_cookies();
        assert_eq!(set.iter().map(|cookie| &*cookie.name).collect::<Vec<_>>(), names);
        assert_eq!(browser.refresh().await.expect(StatusCode::OK).set_cookies(), set);
        assert_eq!(browser.get("/accounts/csrf").await.expect(StatusCode::OK).set_cookies(), set[1..]);
        let cleared = logout!(browser).send().await.expect(StatusCode::NO_CONTENT).set_cookies();
        for (set, cleared) in set.iter().zip(&cleared) {
            let scope = |cookie: &SetCookie| {
                let lives = |attribute: &&String| {
                    attribute.starts_with("Max-Age") || attribute.starts_with("Expires")
                };
                let scope = cookie.attributes.iter().filter(|attribute| !lives(attribute)).cloned();
                (cookie.name.clone(), scope.collect::<Vec<_>>())
            };
            assert_eq!(scope(set), scope(cleared));
            assert!(cleared.is_cleared() && cleared.value.is_empty() && set.has("Secure"));
        }
        assert!(browser.jar.is_empty());
        assert!(
            !set[0].attributes.iter().any(|attribute| attribute.starts_with("Domain")),
            "never leaves its host"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_ends_that_session_and_no_other() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let mut other = world.alice_in_a_browser().await;
    logged_out(logout!(browser).send().await);
    other.get("/accounts/profile").await.expect(StatusCode::OK);
    other.refresh().await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_refresh_cookie_and_the_csrf_header_are_enough() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let copy = browser.clone();
    logged_out(logout!(browser).without("authorization").send().await);
    assert!(!lives(&world, &copy).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_of_whatever_generation_and_age_names_its_session() {
    let world = World::new().await;
    for (generations, days) in [(2, 0), (0, 8), (1, 6)] {
        let mut browser = world.alice_in_a_browser().await;
        let first = browser.refresh_token();
        for _ in 0..generations {
            world.clock.turn(60);
            browser.refresh().await.expect(StatusCode::OK);
        }
        if days > 0 {
            // Somebody keeps the session alive while this client sleeps.
            let mut awake = browser.clone();
            world.clock.turn(86_400 * 5);
            awake.refresh().await.expect(StatusCode::OK);
            world.clock.turn(86_400 * (days - 5));
        }
        assert!(lives(&world, &browser).await);
        let mut late = browser.with_refresh_cookie(&first);
        logged_out(logout!(late).without("authorization").send().await);
        assert!(!lives(&world, &browser).await, "{generations} generations, {days} days later");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_logs_out_by_its_refresh_token_in_the_body() {
    let world = World::new().await;
    let mut app = world.alice_in_an_app().await;
    let first = app.refresh_token();
    world.clock.turn(60);
    app.refresh().await.expect(StatusCode::OK);
    let mut bare = world.native();
    logged_out(logout!(bare).json(&json!({ "refresh_token": first })).send().await);
    app.get("/accounts/profile").await.refused(401, "session_ended");
    app.refresh().await.refused(401, "session_ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_authorization_header_alone_names_a_session_too() {
    let world = World::new().await;
    let mut app = world.alice_in_an_app().await;
    logged_out(logout!(app).send().await);
    assert!(!lives(&world, &app).await);
    // In a cookie session the CSRF header countersigns it, as any unsafe request.
    let mut browser = world.alice_in_a_browser().await;
    let copy = browser.clone();
    logout!(browser).without_cookies().without("x-csrftoken").send().await.refused(403, "csrf_failed");
    assert!(lives(&world, &copy).await);
    logged_out(logout!(browser).without_cookies().send().await);
    assert!(!lives(&world, &copy).await);
}

// attack 50
#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_cookie_without_its_csrf_header_logs_nobody_out() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let foreign = world.alice_in_a_browser().await.csrf.unwrap();
    for call in [
        logout!(browser.clone()).without("x-csrftoken"),
        logout!(browser.clone()).header("x-csrftoken", &foreign),
        logout!(browser.clone()).header("x-csrftoken", &foreign).without("authorization"),
        logout!(browser.clone()).without("x-csrftoken").without("authorization"),
    ] {
        call.send().await.refused(403, "csrf_failed");
    }
    // An old token of the session too: whoever has it could log the owner out.
    let first = browser.refresh_token();
    world.clock.turn(60);
    browser.refresh().await.expect(StatusCode::OK);
    let mut old = browser.with_refresh_cookie(&first);
    logout!(old).without("x-csrftoken").without("authorization").send().await.refused(403, "csrf_failed");
    assert!(lives(&world, &browser).await);
    browser.get("/accounts/profile").await.expect(StatusCode::OK);
}

// attack 50
#[tokio::test(flavor = "multi_thread")]
async fn another_site_logs_nobody_out() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    for call in [
        logout!(browser.clone()).header("origin", EVIL),
        logout!(browser.clone()).header("origin", "null"),
        logout!(browser.clone()).without("origin").header("sec-fetch-site", "cross-site"),
    ] {
        call.send().await.refused(403, "origin_not_allowed");
    }
    browser.refresh().await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_or_with_a_dead_session_s_it_is_done_already() {
    let world = World::new().await;
    let mut nobody = world.browser();
    logged_out(logout!(nobody).send().await);
    let mut browser = world.alice_in_a_browser().await;
    let copy = browser.clone();
    logged_out(logout!(browser).send().await);
    let mut again = copy.clone();
    logged_out(logout!(again).send().await);
    let mut again = copy.clone();
    logged_out(logout!(again).without_cookies().send().await);
    let mut again = copy.clone();
    logged_out(logout!(again).without("authorization").send().await);
    assert_eq!(world.session(copy.session()).await.ended.unwrap().reason, EndReason::Logout);
    let mut app = world.alice_in_an_app().await;
    let token = app.refresh_token();
    logged_out(logout!(app).send().await);
    logged_out(logout!(app).without("authorization").json(&json!({"refresh_token": token})).send().await);
}

// A client whose access token ran out while it slept logs out all the same.
#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_that_is_no_good_keeps_nobody_signed_in() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    world.clock.turn(3600);
    browser.clone().get("/accounts/profile").await.refused(401, "token_expired");
    for authorization in ["Bearer", "Bearer a.b.c", "nonsense"] {
        let mut copy = browser.clone();
        logged_out(logout!(copy).header("authorization", authorization).send().await);
    }
    let other = world.alice_in_a_browser().await;
    world.clock.turn(3600);
    let mut copy = other.clone();
    logged_out(logout!(copy).send().await);
    for actor in [browser, other] {
        assert!(!lives(&world, &actor).await);
    }
}

// A tab that slept while another one logged in anew: it asks for the CSRF token, and its old access token is no obstacle.
#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_of_an_earlier_session_keeps_nobody_signed_in() {
    let world = World::new().await;
    let mut tab = world.alice_in_a_browser().await;
    let mut other_tab = tab.clone();
    other_tab.login(BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
    tab.jar.clone_from(&other_tab.jar);
    logout!(tab).send().await.refused(403, "csrf_failed");
    tab.get("/accounts/csrf").await.expect(StatusCode::OK);
    logged_out(logout!(tab).send().await);
    assert!(!lives(&world, &other_tab).await);
}

// attack 45
#[tokio::test(flavor = "multi_thread")]
async fn a_forged_token_that_names_someone_s_session_ends_nothing() {
    let world = World::new().await;
    let victim = world.alice_in_a_browser().await;
    let mut attacker = world.browser();
    attacker.login(BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
    let token = victim.refresh_token();
    let (signed, _) = token.rsplit_once('.').unwrap();
    let (_, others) = attacker.jar["refreshtoken"].rsplit_once('.').unwrap();
    let forged = format!("{signed}.{others}");
    let mut forger = victim.with_refresh_cookie(&forged);
    logged_out(logout!(forger).without("authorization").send().await);
    assert!(lives(&world, &victim).await);
    // Nor does one of our own making that names another user's session.
    let (id, csh) = (victim.session(), world.session(victim.session()).await.user);
    assert_eq!(csh, world.alice.id);
    let mixed = world.sign_refresh(&attacker.refresh_token(), |claims| claims.session = id);
    let mut mixer = attacker.with_refresh_cookie(&mixed);
    logged_out(logout!(mixer).without("authorization").send().await);
    assert!(lives(&world, &victim).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_s_token_in_a_body_ends_nothing_and_the_reverse() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    let app = world.alice_in_an_app().await;
    let mut thief = world.native();
    logged_out(logout!(thief).json(&json!({ "refresh_token": browser.refresh_token() })).send().await);
    let cookie = format!("refreshtoken={}", app.refresh_token());
    logged_out(logout!(thief).cookie(&cookie).send().await);
    for actor in [browser, app] {
        assert!(lives(&world, &actor).await);
        assert_eq!(world.session(actor.session()).await.generation, Generation::FIRST);
    }
}

// attack 35
#[tokio::test(flavor = "multi_thread")]
async fn a_logout_that_cannot_be_written_down_is_none() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    let app = world.alice_in_an_app().await;
    browser.clone().get("/accounts/profile").await.expect(StatusCode::OK);
    world.countersign.service().close().await;
    for mut copy in [browser.clone(), browser.clone(), app.clone(), app] {
        let call = logout!(copy);
        call.send().await.refused(503, "unavailable");
    }
    let mut copy = browser.clone();
    logout!(copy).without("authorization").send().await.refused(503, "unavailable");
    let mut copy = browser.clone();
    logout!(copy).without_cookies().send().await.refused(503, "unavailable");
}
