//! Guessing: the counts of failed passwords by name and network, and by network alone.

use countersign::settings::Settings;
use http::StatusCode;
use serde_json::json;

use crate::support::{
    ALICE, ALICE_PASSWORD, Actor, Answer, BOB, BOB_PASSWORD, World, add_user, seconds, together,
};

const WRONG: &str = "not the right password";
const HERE: &str = "198.51.100.1";
const ELSEWHERE: &str = "203.0.113.1";

async fn login(world: &World, network: &str, name: &str, password: &str) -> Answer {
    world.browser().at(network).login(name, password).await
}

/// Fails so many times at once.
async fn fail(world: &World, network: &str, name: &str, times: usize) {
    for answer in together((0..times).map(|_| login(world, network, name, WRONG))).await {
        answer.refused(401, "invalid_credentials");
    }
}

#[track_caller]
fn throttled(answer: Answer, retry_after: i64) {
    let answer = answer.refused(429, "throttled");
    assert_eq!(answer.retry_after(), retry_after);
    assert!(answer.set_cookies().is_empty());
}

// By name and network

// attack 80
#[tokio::test(flavor = "multi_thread")]
async fn after_ten_failures_a_name_is_throttled_on_that_network() {
    let world = World::new().await;
    world.at_rest().await;
    fail(&world, HERE, ALICE, 10).await;

    let before = world.hashes();
    throttled(login(&world, HERE, ALICE, WRONG).await, 300);
    throttled(login(&world, HERE, ALICE, ALICE_PASSWORD).await, 300); // nor does the right one get through
    assert_eq!(world.hashes(), before, "a throttled login isn't hashed");

    // Others aren't concerned, and nor is she elsewhere.
    login(&world, HERE, BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
    login(&world, ELSEWHERE, ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);

    world.clock.turn(299);
    throttled(login(&world, HERE, ALICE, ALICE_PASSWORD).await, 1);
    world.clock.turn(1);
    login(&world, HERE, ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_throttling_is_twice_as_long_as_the_last_up_to_an_hour() {
    let world = World::with(|settings| settings.throttle.name_limit = 2).await;
    for wait in [300, 600, 1200, 2400, 3600, 3600] {
        fail(&world, HERE, ALICE, 2).await;
        throttled(login(&world, HERE, ALICE, ALICE_PASSWORD).await, wait);
        world.clock.turn(wait);
    }
    login(&world, HERE, ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
    // A success starts from the beginning.
    fail(&world, HERE, ALICE, 2).await;
    throttled(login(&world, HERE, ALICE, ALICE_PASSWORD).await, 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_that_are_five_minutes_old_count_no_more() {
    let world = World::with(|settings| settings.throttle.name_limit = 3).await;
    for _ in 0..2 {
        fail(&world, HERE, ALICE, 2).await;
        world.clock.turn(5 * 60 + 15);
    }
    fail(&world, HERE, ALICE, 2).await;
    world.clock.turn(4 * 60);
    fail(&world, HERE, ALICE, 1).await;
    throttled(login(&world, HERE, ALICE, WRONG).await, 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_failed_checks_count() {
    let world = World::with(|settings| settings.throttle.name_limit = 3).await;
    for _ in 0..5 {
        login(&world, HERE, ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
        login(&world, HERE, ALICE, "").await.refused(400, "missing_credentials");
    }
    fail(&world, HERE, ALICE, 3).await;
    // What is throttled isn't checked: it makes the wait no longer.
    for _ in 0..5 {
        throttled(login(&world, HERE, ALICE, WRONG).await, 300);
    }
    world.clock.turn(300);
    login(&world, HERE, ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
}

// attack 87
#[tokio::test(flavor = "multi_thread")]
async fn a_success_clears_the_count_of_its_own_name_on_its_own_network_alone() {
    let world = World::with(|settings| settings.throttle.name_limit = 3).await;
    fail(&world, HERE, ALICE, 2).await;
    login(&world, HERE, ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
    fail(&world, HERE, ALICE, 2).await;
    login(&world, HERE, BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
    login(&world, ELSEWHERE, ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
    fail(&world, HERE, ALICE, 1).await;
    throttled(login(&world, HERE, ALICE, ALICE_PASSWORD).await, 300);
}

// attack 85
#[tokio::test(flavor = "multi_thread")]
async fn every_spelling_of_a_name_makes_one_count() {
    let world = World::with(|settings| settings.throttle.name_limit = 7).await;
    add_user(&world.countersign, "straße", "a passphrase of the third one").await;
    for spelling in ["straße", "STRASSE", "Strasse", "straſſe", " straße ", "ｓｔｒａßｅ", "STRAẞE"]
    {
        fail(&world, HERE, spelling, 1).await;
    }
    throttled(login(&world, HERE, "straße", "a passphrase of the third one").await, 300);
    throttled(login(&world, HERE, "sTRAẞE", WRONG).await, 300);
}

async fn change(actor: &mut Actor<'_>, old: &str, new: &str) -> Answer {
    actor.post("/accounts/password", json!({"old_password": old, "new_password": new})).await
}

async fn rename(actor: &mut Actor<'_>, password: &str) -> Answer {
    actor.patch("/accounts/profile", json!({"email": "alice@new.example", "password": password})).await
}

// attack 86
#[tokio::test(flavor = "multi_thread")]
async fn every_path_that_checks_a_password_counts_and_is_throttled() {
    let world = World::with(|settings| settings.throttle.name_limit = 6).await;
    world.at_rest().await;
    let mut browser = world.browser().at(HERE);
    browser.login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
    let new = "a new phrase, quite unlike it";
    for _ in 0..2 {
        change(&mut browser, WRONG, new).await.refused(403, "wrong_password");
        rename(&mut browser, WRONG).await.refused(403, "wrong_password");
        fail(&world, HERE, ALICE, 1).await;
    }
    let before = world.hashes();
    throttled(change(&mut browser, ALICE_PASSWORD, new).await, 300);
    throttled(rename(&mut browser, ALICE_PASSWORD).await, 300);
    throttled(login(&world, HERE, ALICE, ALICE_PASSWORD).await, 300);
    assert_eq!(world.hashes(), before);

    // Whoever is signed in stays so, and does all else.
    browser.patch("/accounts/profile", json!({"first_name": "Alice"})).await.expect(StatusCode::OK);
    browser.refresh().await.expect(StatusCode::OK);
    world.clock.turn(300);
    browser.refresh().await.expect(StatusCode::OK);
    rename(&mut browser, ALICE_PASSWORD).await.expect(StatusCode::OK);
    change(&mut browser, ALICE_PASSWORD, new).await.expect(StatusCode::OK);
}

// attack 79
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_nobodys_is_throttled_like_any_other() {
    let world = World::with(|settings| settings.throttle.name_limit = 2).await;
    let carol = add_user(&world.countersign, "carol", "a passphrase that carol made up").await;
    world.countersign.service().deactivate_user(carol.id).await.unwrap();
    for wait in [300, 600] {
        let mut first: Option<Answer> = None;
        for name in [ALICE, "nobody", "nobody@example.com", "carol"] {
            fail(&world, HERE, name, 2).await;
            let answer = login(&world, HERE, name, WRONG).await;
            assert_eq!(answer.retry_after(), wait);
            if let Some(first) = &first {
                assert_eq!(answer.all_there_is(), first.all_there_is(), "{name}");
            }
            first.get_or_insert(answer);
        }
        world.clock.turn(wait);
    }
}

// attack 82
#[tokio::test(flavor = "multi_thread")]
async fn parallel_guesses_cannot_outrun_the_count() {
    let world = World::new().await;
    world.at_rest().await;
    let before = world.hashes();
    let answers = together((0..200).map(|_| login(&world, HERE, ALICE, WRONG))).await;
    let checked = answers.iter().filter(|answer| answer.code() == "invalid_credentials").count();
    assert_eq!((checked, world.hashes() - before), (10, 10));
    assert!(answers.iter().all(|answer| matches!(answer.code(), "invalid_credentials" | "throttled")));
    assert!(answers.iter().filter(|answer| answer.code() == "throttled").all(|one| one.retry_after() >= 1));
    throttled(login(&world, HERE, ALICE, ALICE_PASSWORD).await, 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_numbers_are_settings() {
    let world = World::with(|settings| {
        settings.throttle.name_limit = 1;
        settings.throttle.network_limit = 2;
        settings.throttle.window = seconds(60);
    })
    .await;
    fail(&world, HERE, ALICE, 1).await;
    throttled(login(&world, HERE, ALICE, ALICE_PASSWORD).await, 60);
    fail(&world, HERE, BOB, 1).await;
    throttled(login(&world, HERE, "carol", WRONG).await, 60);
    world.clock.turn(60);
    login(&world, HERE, ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
}

// By network

// attack 80
#[tokio::test(flavor = "multi_thread")]
async fn after_a_hundred_failures_over_all_names_a_network_is_throttled() {
    let world = World::new().await;
    world.at_rest().await;
    let names: Vec<String> = (0..100).map(|nth| format!("somebody{nth}")).collect();
    for names in names.chunks(25) {
        for answer in together(names.iter().map(|name| login(&world, HERE, name, WRONG))).await {
            answer.refused(401, "invalid_credentials");
        }
    }
    let before = world.hashes();
    throttled(login(&world, HERE, "somebody else", WRONG).await, 300);
    throttled(login(&world, HERE, ALICE, ALICE_PASSWORD).await, 300);
    assert_eq!(world.hashes(), before);
    login(&world, ELSEWHERE, ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
    world.clock.turn(300);
    login(&world, HERE, ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_of_ones_own_does_not_wipe_a_networks_slate() {
    let world = World::with(|settings| settings.throttle.network_limit = 4).await;
    for name in ["one", "two", "three"] {
        fail(&world, HERE, name, 1).await;
        login(&world, HERE, BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
    }
    fail(&world, HERE, "four", 1).await;
    throttled(login(&world, HERE, "five", WRONG).await, 300);
}

// attack 84
#[tokio::test(flavor = "multi_thread")]
async fn a_network_is_an_ipv4_address_or_the_64_bits_that_an_ipv6_household_has() {
    let world = World::with(|settings| settings.throttle.name_limit = 3).await;
    fail(&world, "2001:db8:0:1::1", ALICE, 1).await;
    fail(&world, "2001:db8:0:1:ffff:ffff:ffff:ffff", ALICE, 1).await;
    fail(&world, "2001:db8:0:1::2", ALICE, 1).await;
    throttled(login(&world, "2001:db8:0:1:8000::", ALICE, ALICE_PASSWORD).await, 300);
    login(&world, "2001:db8:0:2::1", ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);

    fail(&world, "192.0.2.77", ALICE, 2).await;
    fail(&world, "::ffff:192.0.2.77", ALICE, 1).await;
    throttled(login(&world, "192.0.2.77", ALICE, ALICE_PASSWORD).await, 300);
    login(&world, "192.0.2.78", ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
}

async fn login_for(world: &World, peer: &str, headers: &[(&'static str, String)], password: &str) -> Answer {
    let mut client = world.anonymous().at(peer);
    for (name, value) in headers {
        client.headers.insert(*name, value.parse().unwrap());
    }
    client.login(ALICE, password).await
}

// attack 83
#[tokio::test(flavor = "multi_thread")]
async fn a_forwarding_header_of_a_stranger_makes_no_network() {
    let world = World::with(|settings| settings.throttle.name_limit = 6).await;
    for nth in 0..2 {
        for name in ["x-forwarded-for", "x-real-ip", "forwarded"] {
            let value =
                if name == "forwarded" { format!("for=10.0.0.{nth}") } else { format!("10.0.0.{nth}") };
            let answer = login_for(&world, HERE, &[(name, value)], WRONG).await;
            answer.refused(401, "invalid_credentials");
        }
    }
    let spoofed = [("x-forwarded-for", "10.9.9.9".to_owned())];
    throttled(login_for(&world, HERE, &spoofed, ALICE_PASSWORD).await, 300);
    // Nor does it lock out whoever has that address.
    login(&world, "10.0.0.0", ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
}

// attack 83
#[tokio::test(flavor = "multi_thread")]
async fn a_listed_proxy_is_believed_from_the_right_and_no_further_than_the_first_stranger() {
    let proxy = "192.0.2.10";
    let world = World::with(|settings: &mut Settings| {
        settings.throttle.name_limit = 3;
        settings.trusted_proxies = vec!["192.0.2.10/32".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
    })
    .await;
    for nth in 0..3 {
        // What the client itself wrote stands on the left, and changes with every guess.
        let names = [("x-forwarded-for", format!("203.0.113.{nth}, {HERE}, 10.1.2.3"))];
        login_for(&world, proxy, &names, WRONG).await.refused(401, "invalid_credentials");
    }
    let of_the_same = [("x-forwarded-for", format!("203.0.113.99, {HERE}"))];
    throttled(login_for(&world, proxy, &of_the_same, ALICE_PASSWORD).await, 300);
    let of_another = [("x-forwarded-for", format!("{HERE}, {ELSEWHERE}"))];
    login_for(&world, proxy, &of_another, ALICE_PASSWORD).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_windows_live_in_memory_or_where_all_nodes_meet() {
    let world = World::with(|settings| settings.throttle.name_limit = 2).await;
    fail(&world, HERE, ALICE, 2).await;
    throttled(login(&world, HERE, ALICE, ALICE_PASSWORD).await, 300);
    let world = world.restart_with(|_| {}).await;
    let again = login(&world, HERE, ALICE, ALICE_PASSWORD).await;
    if world.has_nodes() {
        throttled(again, 300);
    } else {
        again.expect(StatusCode::OK);
    }
}
