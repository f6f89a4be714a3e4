//! Accounts and guessing: when more passwords come than can be hashed.

use http::{Method, StatusCode};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::support::{ALICE, ALICE_PASSWORD, Answer, World};

/// A stored hash that keeps a hashing thread busy for a second or so.
const SLOW: &str = "pbkdf2_sha256$2000000$salt$hCV212Nsi0sKxLwzvdipI4YQirFy3Ak1XfYGsHhTIkI=";

/// Guesses at the slow user's password; the answer comes later.
fn slow_guess(world: &World, network: &str) -> JoinHandle<Answer> {
    let body = json!({"username": "slow", "password": "not the right password"});
    let mut client = world.browser().at(network);
    client.request(Method::POST, "/accounts/login").json(&body).spawn()
}

/// Waits until so many guesses are being hashed, and so many wait for that.
async fn until_hashing(world: &World, busy: u32, waiting: u32) {
    let wanted =
        [format!("countersign_hashing_busy {busy}\n"), format!("countersign_hashing_waiting {waiting}\n")];
    loop {
        let metrics = world.countersign.service().render_metrics();
        if wanted.iter().all(|line| metrics.contains(line)) {
            return;
        }
        tokio::task::yield_now().await;
    }
}

// attack 107
#[tokio::test(flavor = "multi_thread")]
async fn when_the_hashing_queue_is_full_logins_are_refused_and_no_other_route_is_slow() {
    let world = World::with(|settings| {
        settings.hashing_threads = 1;
        settings.hashing_queue = 1;
    })
    .await;
    world.at_rest().await;
    world.import_user("slow", SLOW).await;
    let mut browser = world.alice_in_a_browser().await;
    world.clock.turn(60);

    let first = slow_guess(&world, "198.51.100.1");
    until_hashing(&world, 1, 0).await;
    let second = slow_guess(&world, "198.51.100.2");
    until_hashing(&world, 1, 1).await;
    let mut other = world.browser().at("198.51.100.3");
    for _ in 0..12 {
        let answer = other.login(ALICE, ALICE_PASSWORD).await.refused(503, "overloaded");
        assert!(answer.retry_after() >= 1);
        assert!(answer.set_cookies().is_empty());
    }
    let change = json!({"old_password": ALICE_PASSWORD, "new_password": "a new phrase, quite unlike it"});
    browser.post("/accounts/password", change).await.refused(503, "overloaded");
    world.anonymous().get("/healthz").await.expect(StatusCode::OK);
    world.anonymous().get("/readyz").await.expect(StatusCode::OK);
    browser.refresh().await.expect(StatusCode::OK);
    browser.get("/accounts/profile").await.expect(StatusCode::OK);
    browser.patch("/accounts/profile", json!({"first_name": "Alice"})).await.expect(StatusCode::OK);
    assert!(!second.is_finished(), "all of that took less time than the hashes before it");

    first.await.unwrap().refused(401, "invalid_credentials");
    second.await.unwrap().refused(401, "invalid_credentials");
    // None of the refused ones was a guess.
    other.login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_network_cannot_fill_the_hashing_queue() {
    let world = World::with(|settings| {
        settings.hashing_threads = 1;
        settings.hashing_queue = 7;
    })
    .await;
    world.at_rest().await;
    world.import_user("slow", SLOW).await;
    let flood = "2001:db8::";
    let first = slow_guess(&world, flood);
    let second = slow_guess(&world, flood);
    until_hashing(&world, 1, 1).await;
    // It holds a quarter of the places now. Its neighbour in the same network gets none, everyone else does.
    let mut neighbour = world.browser().at("2001:db8::1");
    neighbour.login(ALICE, ALICE_PASSWORD).await.refused(503, "overloaded");
    world.browser().login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
    for guess in [first, second] {
        guess.await.unwrap().refused(401, "invalid_credentials");
    }
}
