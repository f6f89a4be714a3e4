//! `GET /accounts/csrf`: the CSRF token after a reload.

use countersign::core::session::Session;
use http::{Method, StatusCode};
use serde_json::json;

use crate::support::{ALICE, Actor, BOB, BOB_PASSWORD, EVIL, Memory, PAGE, World};

const ROUTE: &str = "/accounts/csrf";

/// The page after a reload: its memory is gone, its cookies came with it.
fn reloaded<'w>(world: &'w World, before: &Actor<'w>) -> Actor<'w> {
    world.browser_with(&Memory { access: None, csrf: None, ..before.memory() })
}

async fn row(world: &World, actor: &Actor<'_>) -> Session {
    world.session(actor.session()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_csrf_token_of_the_live_session_comes_again_in_the_body_and_in_its_cookie() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    let before = row(&world, &browser).await;
    world.clock.turn(60);
    let answer = reloaded(&world, &browser).get(ROUTE).await.expect(StatusCode::OK);
    assert_eq!(answer.body, json!({ "csrf_token": browser.csrf }));
    let [cookie] = &answer.set_cookies()[..] else { panic!("one cookie, the CSRF cookie") };
    assert_eq!((&*cookie.name, &cookie.value), ("csrftoken", browser.csrf.as_ref().unwrap()));
    assert_eq!(cookie.attributes, ["Path=/", "SameSite=Lax", "Max-Age=604800"]);
    assert_eq!(row(&world, &browser).await, before, "nothing is rotated or judged");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_on_another_origin_is_signed_in_again_after_a_reload() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    let mut page = reloaded(&world, &browser);
    page.jar.remove("csrftoken");
    let answer = page.get(ROUTE).await.expect(StatusCode::OK);
    assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE));
    page.refresh().await.expect(StatusCode::OK);
    assert_eq!(page.get("/accounts/profile").await.expect(StatusCode::OK).body["user"]["username"], ALICE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_cookie_of_whatever_generation_will_do() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let first = browser.refresh_token();
    for _ in 0..3 {
        world.clock.turn(60);
        browser.refresh().await.expect(StatusCode::OK);
    }
    let before = row(&world, &browser).await;
    let ahead = world
        .sign_refresh(&first, |claims| claims.generation = claims.generation.next().next().next().next());
    for token in [first, browser.refresh_token(), ahead] {
        let mut page = reloaded(&world, &browser).with_refresh_cookie(&token);
        assert_eq!(
            page.get(ROUTE).await.expect(StatusCode::OK).body["csrf_token"],
            *browser.csrf.as_ref().unwrap()
        );
    }
    assert_eq!(row(&world, &browser).await, before, "nobody is taken for a thief");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_cookie_or_with_one_that_is_no_good_there_is_no_token() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let app = world.alice_in_an_app().await;
    world.browser().get(ROUTE).await.refused(401, "not_authenticated");
    // An access token is not what is asked for here.
    browser.request(Method::GET, ROUTE).without_cookies().send().await.refused(401, "not_authenticated");
    for bad in ["a.b.c", &app.refresh_token(), browser.access.clone().as_ref().unwrap()] {
        browser.with_refresh_cookie(bad).get(ROUTE).await.refused(401, "refresh_token_invalid");
    }
    let unknown = world.sign_refresh(&browser.refresh_token(), |claims| claims.user = world.bob.id);
    browser.with_refresh_cookie(&unknown).get(ROUTE).await.refused(401, "refresh_token_invalid");
    world.clock.turn(604_800 + 10);
    browser.get(ROUTE).await.refused(401, "refresh_token_expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_session_has_no_csrf_token() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let copy = browser.clone();
    browser.post("/accounts/logout", json!({})).await.expect(StatusCode::NO_CONTENT);
    reloaded(&world, &copy).get(ROUTE).await.refused(401, "session_ended");
    let mut of_bob = world.browser();
    of_bob.login(BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
    world.countersign.service().deactivate_user(world.bob.id).await.unwrap();
    reloaded(&world, &of_bob).get(ROUTE).await.refused(401, "user_inactive");
}

// attack 61: the one safe request that is guarded, since it hands out what unsafe ones need.
#[tokio::test(flavor = "multi_thread")]
async fn another_site_gets_none() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    for method in [Method::GET, Method::HEAD] {
        for path in [ROUTE, "/accounts/csrf/", "/accounts/csrf?x=y"] {
            let mut page = reloaded(&world, &browser);
            let call = page.request(method.clone(), path).header("origin", EVIL);
            assert_eq!(call.send().await.status, StatusCode::FORBIDDEN);
            let call =
                page.request(method.clone(), path).without("origin").header("sec-fetch-site", "same-site");
            assert_eq!(call.send().await.status, StatusCode::FORBIDDEN);
        }
    }
}

// attack 54
#[tokio::test(flavor = "multi_thread")]
async fn of_several_cookies_the_header_decides_and_without_one_there_is_no_token() {
    let world = World::new().await;
    let victim = world.alice_in_a_browser().await;
    let mut tosser = world.browser();
    tosser.login(BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
    let cookie = format!("refreshtoken={}; refreshtoken={}", tosser.refresh_token(), victim.refresh_token());
    let mut page = world.browser();
    page.request(Method::GET, ROUTE).cookie(&cookie).send().await.refused(401, "not_authenticated");
    let csrf = victim.csrf.clone().unwrap();
    let answer = page.request(Method::GET, ROUTE).cookie(&cookie).header("x-csrftoken", &csrf).send().await;
    assert_eq!(answer.expect(StatusCode::OK).body["csrf_token"], csrf);
}

// A client that gets csrf_failed asks here once and tries once more.
#[tokio::test(flavor = "multi_thread")]
async fn a_csrf_header_of_an_earlier_session_is_no_obstacle() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let old = browser.csrf.clone();
    browser.login(BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
    let mut tab = reloaded(&world, &browser);
    tab.csrf = old;
    tab.refresh().await.refused(403, "csrf_failed");
    tab.get(ROUTE).await.expect(StatusCode::OK);
    assert_eq!(tab.refresh().await.expect(StatusCode::OK).body["user"]["username"], BOB);
}
