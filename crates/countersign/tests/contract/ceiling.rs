//! Guessing: the ceiling, which counts an account's failures in a row over all networks.

use std::time::Duration;

use countersign::core::Network;
use countersign::service::password::Password;
use countersign::store::{Batch, BatchId, Failures, UserSelector};
use http::StatusCode;
use serde_json::json;

use crate::support::{ALICE, ALICE_PASSWORD, Answer, BOB, BOB_PASSWORD, World, add_user, together};

const WRONG: &str = "not the right password";
/// Where Alice has logged in before, in each of these stories.
const HOME: &str = "192.0.2.1";
const DAY: i64 = 24 * 60 * 60;

async fn login(world: &World, network: &str, name: &str, password: &str) -> Answer {
    world.browser().at(network).login(name, password).await
}

/// The nth of the attacker's many networks.
fn strange(nth: usize) -> String {
    format!("198.51.{}.{}", 100 + nth / 256, nth % 256)
}

/// Fails once from each of so many networks, starting with the nth, and waits until that is written down.
async fn fail_from_many(world: &World, nth: usize, name: &str, networks: usize) {
    fail_just_now(world, nth, name, networks).await;
    world.countersign.service().write_outbox().await;
}

/// The same, while the failures may still wait to be written down.
async fn fail_just_now(world: &World, nth: usize, name: &str, networks: usize) {
    // One after the other: where nodes share counts, of several at once right below the ceiling one may be refused that
    // one after the other is let in, since its node counts those that are on their way to the store.
    for nth in nth..nth + networks {
        login(world, &strange(nth), name, WRONG).await.refused(401, "invalid_credentials");
    }
}

#[track_caller]
fn throttled(answer: Answer, retry_after: i64) {
    assert_eq!(answer.refused(429, "throttled").retry_after(), retry_after);
}

/// A world with a low ceiling, where Alice is known at home.
async fn world_with_ceiling(ceiling: u32) -> World {
    let world = World::with(move |settings| settings.throttle.ceiling = ceiling).await;
    login(&world, HOME, ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
    world
}

// attacks 80, 81
#[tokio::test(flavor = "multi_thread")]
async fn past_a_hundred_failures_in_a_row_strange_networks_share_one_try_a_minute() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let (user, last_at) = (world.alice.id, world.now());
    let before = Failures { user, count: 97, last_at, forget_before: last_at };
    let before = Batch { id: BatchId([0; 16]), at: last_at, events: Vec::new(), failures: vec![before] };
    world.store().write_batch(before).await.unwrap();
    fail_from_many(&world, 0, ALICE, 3).await;
    let before = world.hashes();
    throttled(login(&world, &strange(100), ALICE, WRONG).await, 60);
    throttled(login(&world, &strange(101), ALICE, ALICE_PASSWORD).await, 60); // a right one doesn't get through
    world.clock.turn(59);
    throttled(login(&world, &strange(102), ALICE, ALICE_PASSWORD).await, 1);
    assert_eq!(world.hashes(), before);

    // One try a minute, whoever comes first.
    world.clock.turn(1);
    let tries = (103..110).map(async |nth| login(&world, &strange(nth), ALICE, WRONG).await);
    let tries = together(tries).await;
    let checked = tries.iter().filter(|answer| answer.code() == "invalid_credentials").count();
    let refused = tries.iter().filter(|answer| answer.code() == "throttled").count();
    assert_eq!((checked, refused), (1, tries.len() - 1));
    throttled(login(&world, &strange(110), ALICE, ALICE_PASSWORD).await, 60);

    // The owner isn't locked out: not where she is signed in, not where she was before.
    browser.refresh().await.expect(StatusCode::OK);
    login(&world, HOME, ALICE, WRONG).await.refused(401, "invalid_credentials");
    login(&world, HOME, ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
    // And her success ends it for all.
    login(&world, &strange(111), ALICE, WRONG).await.refused(401, "invalid_credentials");
    login(&world, &strange(112), ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_one_try_a_minute_may_be_the_right_one() {
    let world = world_with_ceiling(3).await;
    fail_from_many(&world, 0, ALICE, 3).await;
    throttled(login(&world, &strange(3), ALICE, ALICE_PASSWORD).await, 60);
    world.clock.turn(60);
    login(&world, &strange(3), ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
    login(&world, &strange(4), ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_network_has_its_own_ten_tries_all_the_same() {
    let world = world_with_ceiling(3).await;
    fail_from_many(&world, 0, ALICE, 3).await;
    for _ in 0..10 {
        login(&world, HOME, ALICE, WRONG).await.refused(401, "invalid_credentials");
    }
    throttled(login(&world, HOME, ALICE, ALICE_PASSWORD).await, 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_another_account_is_known_on_is_strange_to_this_one() {
    let world = world_with_ceiling(3).await;
    login(&world, &strange(9), BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
    fail_from_many(&world, 0, ALICE, 3).await;
    throttled(login(&world, &strange(9), ALICE, ALICE_PASSWORD).await, 60);
    login(&world, &strange(9), BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_day_without_a_failure_it_is_forgotten() {
    let world = world_with_ceiling(3).await;
    fail_from_many(&world, 0, ALICE, 3).await;
    world.clock.turn(DAY + 1);
    fail_from_many(&world, 10, ALICE, 2).await;
    login(&world, &strange(20), ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_within_the_day_keeps_it_up() {
    let world = world_with_ceiling(3).await;
    fail_from_many(&world, 0, ALICE, 3).await;
    world.clock.turn(DAY - 60);
    fail_from_many(&world, 10, ALICE, 1).await;
    world.clock.turn(DAY - 60);
    fail_from_many(&world, 11, ALICE, 1).await;
    throttled(login(&world, &strange(12), ALICE, ALICE_PASSWORD).await, 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn unlocking_a_user_ends_it() {
    let world = world_with_ceiling(3).await;
    let service = world.countersign.service();
    for written in [true, false] {
        fail_just_now(&world, 0, ALICE, 3).await;
        if written {
            service.write_outbox().await;
        }
        throttled(login(&world, &strange(3), ALICE, ALICE_PASSWORD).await, 60);
        world.clock.turn(1);
        service.unlock_user(world.alice.id).await.unwrap();
        service.write_outbox().await;
        fail_from_many(&world, 4, ALICE, 2).await;
        login(&world, &strange(6), ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_set_ends_it() {
    const NEW: &str = "a pear tree in winter";
    let world = world_with_ceiling(3).await;
    fail_just_now(&world, 0, ALICE, 3).await;
    throttled(login(&world, &strange(3), ALICE, ALICE_PASSWORD).await, 60);
    world.clock.turn(1);
    world.countersign.service().set_password(&world.alice, Password::new(NEW).unwrap()).await.unwrap();
    login(&world, &strange(4), ALICE, NEW).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_ends_the_failures_in_a_row() {
    let world = world_with_ceiling(4).await;
    for nth in [0, 10, 20] {
        fail_just_now(&world, nth, ALICE, 3).await;
        login(&world, &strange(nth + 5), ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
        world.countersign.service().write_outbox().await;
        world.clock.turn(1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_counts_the_account_by_whatever_name_and_on_whatever_path() {
    let world = world_with_ceiling(6).await;
    let mut browser = world.alice_in_a_browser().await;
    fail_from_many(&world, 0, ALICE, 1).await;
    fail_from_many(&world, 1, "ＡＬＩＣＥ", 1).await;
    fail_from_many(&world, 2, "alice@example.com", 1).await;
    fail_from_many(&world, 3, "Alice@Example.COM", 1).await;
    let change = json!({"old_password": WRONG, "new_password": "a new phrase, quite unlike it"});
    browser.post("/accounts/password", change).await.refused(403, "wrong_password");
    let rename = json!({"email": "alice@new.example", "password": WRONG});
    browser.patch("/accounts/profile", rename).await.refused(403, "wrong_password");
    for name in [ALICE, "alice@example.com"] {
        throttled(login(&world, &strange(9), name, ALICE_PASSWORD).await, 60);
    }
    login(&world, &strange(9), BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
}

// attack 79
#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_nobodys_have_a_ceiling_too() {
    let world = world_with_ceiling(3).await;
    let carol = add_user(&world.countersign, "carol", "a passphrase that carol made up").await;
    world.countersign.service().deactivate_user(carol.id).await.unwrap();
    for name in [ALICE, "nobody", "nobody@example.com", "carol"] {
        fail_from_many(&world, 0, name, 3).await;
    }
    let alice = login(&world, &strange(3), ALICE, WRONG).await;
    throttled(login(&world, &strange(3), ALICE, WRONG).await, 60);
    for name in ["nobody", "nobody@example.com", "carol"] {
        let answer = login(&world, &strange(3), name, WRONG).await;
        assert_eq!(answer.all_there_is(), alice.all_there_is(), "{name}");
    }
    world.clock.turn(60);
    for name in [ALICE, "nobody", "nobody@example.com", "carol"] {
        fail_from_many(&world, 4, name, 1).await;
        throttled(login(&world, &strange(5), name, WRONG).await, 60);
    }
}

// attack 82
#[tokio::test(flavor = "multi_thread")]
async fn parallel_guesses_from_many_networks_cannot_outrun_it() {
    let world = world_with_ceiling(20).await;
    world.at_rest().await;
    let before = world.hashes();
    let guesses = (0..100).map(async |nth| login(&world, &strange(nth), ALICE, WRONG).await);
    let answers = together(guesses).await;
    let checked = answers.iter().filter(|answer| answer.code() == "invalid_credentials").count();
    assert_eq!((checked, world.hashes() - before), (20, 20));
    throttled(login(&world, &strange(100), ALICE, ALICE_PASSWORD).await, 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_in_the_store_within_moments_so_that_it_outlives_a_crash() {
    let world = world_with_ceiling(3).await;
    fail_just_now(&world, 0, ALICE, 3).await;
    let (store, home) = (world.store(), Network::of(HOME.parse().unwrap()));
    let stored = async || {
        let alice = UserSelector::Id(world.alice.id);
        store.user_for_login(alice, false, home).await.unwrap().expect("a user")
    };
    assert!(stored().await.network_known);
    while stored().await.ceiling.failures < 3 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_and_the_known_networks_survive_a_restart() {
    let world = world_with_ceiling(3).await;
    fail_from_many(&world, 0, ALICE, 3).await;
    let world = world.restart_with(|settings| settings.throttle.ceiling = 3).await;
    throttled(login(&world, &strange(3), ALICE, ALICE_PASSWORD).await, 60);
    login(&world, HOME, ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
    let world = world.restart_with(|settings| settings.throttle.ceiling = 3).await;
    login(&world, &strange(5), ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
}
