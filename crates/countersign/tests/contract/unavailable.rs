//! The store down or stuck: `503` with `Retry-After`, no cookie touched, and nothing let through that can't be checked.

use std::time::{Duration, Instant};

use countersign::builder::DATABASE_FILE;
use countersign::core::Generation;
use http::{Method, StatusCode};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::{ALICE, ALICE_PASSWORD, Actor, Answer, World, together};

/// Whatever needs the store, at once.
async fn everything(world: &World, browser: &Actor<'_>, app: &Actor<'_>) -> Vec<Answer> {
    let login = json!({"username": ALICE, "password": ALICE_PASSWORD});
    let change = json!({"old_password": ALICE_PASSWORD, "new_password": "a new phrase, quite unlike it"});
    let other = format!("/accounts/sessions/{}", app.session());
    let calls = [
        (world.browser(), Method::POST, "/accounts/login", login),
        (browser.clone(), Method::POST, "/accounts/refresh_token", json!({})),
        (app.clone(), Method::POST, "/accounts/refresh_token", json!({"refresh_token": app.refresh_token()})),
        (browser.clone(), Method::POST, "/accounts/logout", json!({})),
        (browser.clone(), Method::PATCH, "/accounts/profile", json!({"first_name": "Al"})),
        (browser.clone(), Method::POST, "/accounts/password", change),
        (browser.clone(), Method::DELETE, "/accounts/sessions", json!({})),
        (browser.clone(), Method::DELETE, &other, json!({})),
    ];
    let send = async |(mut actor, method, path, body): (Actor<'_>, Method, &str, Value)| {
        actor.request(method, path).json(&body).send().await
    };
    together(calls.into_iter().map(send)).await
}

fn are_unavailable(answers: Vec<Answer>) {
    for answer in answers {
        let answer = answer.refused(503, "unavailable");
        assert!(answer.retry_after() >= 1);
        assert_eq!(answer.set_cookies(), [], "no cookie touched");
    }
}

// attack 35, attack 102
#[tokio::test(flavor = "multi_thread")]
async fn without_the_store_nothing_is_let_through_and_no_cookie_is_touched() {
    let world = World::new().await;
    let (browser, app) = (world.alice_in_a_browser().await, world.alice_in_an_app().await);
    let (mut seen, mut unseen) = (browser.clone(), world.alice_in_a_browser().await);
    seen.get("/accounts/profile").await.expect(StatusCode::OK);
    world.clock.turn(60);
    world.countersign.service().close().await;
    are_unavailable(everything(&world, &browser, &app).await);
    // A token seen before fares no better than one at its first sight: the news of ended sessions are stale.
    are_unavailable(vec![
        seen.get("/accounts/profile").await,
        unseen.get("/accounts/profile").await,
        unseen.get("/accounts/csrf").await,
        world.anonymous().get("/readyz").await,
    ]);
    world.anonymous().get("/healthz").await.expect(StatusCode::OK);
    let memory = browser.memory();
    // All stands as before, once there is a store again.
    let world = world.restart_with(|_| {}).await;
    let mut browser = world.browser_with(&memory);
    assert_eq!(world.session(browser.session()).await.generation, Generation::FIRST);
    browser.refresh().await.expect(StatusCode::OK);
    browser.get("/accounts/profile").await.expect(StatusCode::OK);
}

// attack 102, attack 104, attack 105
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_stuck_is_told_in_time_and_needs_no_restart() {
    let world = World::new().await;
    let (browser, app) = (world.alice_in_a_browser().await, world.alice_in_an_app().await);
    world.at_rest().await;
    world.clock.turn(60);
    let hog = Connection::open(world.data_dir().join(DATABASE_FILE)).unwrap();
    hog.execute_batch("BEGIN IMMEDIATE").unwrap();
    let started = Instant::now();
    are_unavailable(everything(&world, &browser, &app).await);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    // Reading goes on meanwhile.
    browser.clone().get("/accounts/profile").await.expect(StatusCode::OK);
    hog.execute_batch("ROLLBACK").unwrap();
    // What was refused has not happened, and what is asked now happens.
    let mut browser = browser;
    browser.refresh().await.expect(StatusCode::OK);
    app.clone().refresh().await.expect(StatusCode::OK);
    world.browser().login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
    browser.post("/accounts/logout", json!({})).await.expect(StatusCode::NO_CONTENT);
    browser.get("/accounts/profile").await.refused(401, "session_ended");
}
