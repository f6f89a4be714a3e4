//! Rotation: what a use of a refresh token does to its session. Grace, lost answers, theft, parallel tabs, restored
//! backups.

use countersign::core::session::EndReason;
use countersign::core::{Generation, Timestamp};
use countersign::store::EventKind;
use http::{Method, StatusCode};

use crate::support::{ALICE, ALICE_PASSWORD, Actor, Answer, World, claims, seconds};

const ROUTE: &str = "/accounts/refresh_token";

/// The generation of the refresh token in an answer's cookie.
#[track_caller]
fn generation(answer: &Answer) -> i64 {
    claims(&answer.set_cookie("refreshtoken").value)["gen"].as_i64().unwrap()
}

/// Refreshes with this token instead of the actor's own, whose memory stays as it is.
async fn refresh_with(actor: &Actor<'_>, token: &str) -> Answer {
    actor.with_refresh_cookie(token).refresh().await
}

/// Refreshes with the actor's token and an `Idempotency-Key`, and forgets the answer.
async fn lost(actor: &Actor<'_>, key: &str) -> Answer {
    let mut actor = actor.clone();
    actor.request(Method::POST, ROUTE).header("idempotency-key", key).send().await
}

const KEY: &str = "PZ2n3yPBFSRSUOyQk5Smkw";

// attack 27
#[tokio::test(flavor = "multi_thread")]
async fn a_use_of_the_current_generation_moves_the_session_on_unless_the_last_rotation_is_younger_than_the_grace()
 {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    // A login counts as a rotation.
    world.clock.turn(9);
    let first = browser.refresh_token();
    assert_eq!(generation(&browser.refresh().await.expect(StatusCode::OK)), 1);
    assert_eq!(browser.refresh_token(), first, "the same token, byte for byte");
    world.clock.turn(1);
    assert_eq!(generation(&browser.refresh().await.expect(StatusCode::OK)), 2);
    world.clock.turn(9);
    assert_eq!(generation(&browser.refresh().await.expect(StatusCode::OK)), 2);
    world.clock.turn(1);
    assert_eq!(generation(&browser.refresh().await.expect(StatusCode::OK)), 3);
}

// attack 31
#[tokio::test(flavor = "multi_thread")]
async fn the_generation_just_before_gets_the_current_one_any_number_of_times_within_the_grace() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let old = browser.refresh_token();
    world.clock.turn(60);
    browser.refresh().await.expect(StatusCode::OK);
    let current = browser.refresh_token();
    for _ in 0..3 {
        world.clock.turn(3);
        let answer = refresh_with(&browser, &old).await.expect(StatusCode::OK);
        assert_eq!(answer.set_cookie("refreshtoken").value, current);
    }
    assert_eq!(world.session(browser.session()).await.generation, Generation(2));
    world.clock.turn(1);
    refresh_with(&browser, &old).await.refused(401, "refresh_token_reused");
}

// attack 32
#[tokio::test(flavor = "multi_thread")]
async fn there_is_never_a_grandparent_within_the_grace() {
    let world = World::with(|settings| settings.rotation_grace = seconds(30)).await;
    let mut browser = world.alice_in_a_browser().await;
    let grandparent = browser.refresh_token();
    world.clock.turn(30);
    browser.refresh().await.expect(StatusCode::OK);
    let parent = browser.refresh_token();
    // However often parent and child come, the next rotation waits until the grandparent's grace is over.
    for _ in 0..29 {
        world.clock.turn(1);
        for token in [&parent, &grandparent] {
            assert_eq!(generation(&refresh_with(&browser, token).await.expect(StatusCode::OK)), 2);
        }
    }
    world.clock.turn(1);
    assert_eq!(generation(&browser.refresh().await.expect(StatusCode::OK)), 3);
    refresh_with(&browser, &grandparent).await.refused(401, "refresh_token_reused");
}

// attack 32
#[tokio::test(flavor = "multi_thread")]
async fn no_grace_outlives_the_end_of_the_session() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let old = browser.refresh_token();
    world.clock.turn(60);
    browser.refresh().await.expect(StatusCode::OK);
    let current = browser.refresh_token();
    let memory = browser.clone();
    browser.post("/accounts/logout", serde_json::json!({})).await.expect(StatusCode::NO_CONTENT);
    for token in [old, current] {
        refresh_with(&memory, &token).await.refused(401, "session_ended");
    }
    assert!(world.audited(EventKind::Theft).await.is_empty());
}

/// A page that was signed in, and a thief with a copy of its cookies and of its memory.
async fn robbed(world: &World) -> (Actor<'_>, Actor<'_>) {
    let owner = world.alice_in_a_browser().await;
    let thief = owner.clone().at("198.51.100.66");
    world.clock.turn(60);
    (owner, thief)
}

/// The one who comes too late is found out, and nobody goes on.
async fn found_out<'w>(world: &World, mut late: Actor<'w>, mut early: Actor<'w>) {
    late.refresh().await.refused(401, "refresh_token_reused");
    early.refresh().await.refused(401, "session_ended");
    late.refresh().await.refused(401, "session_ended");
    for actor in [&mut early, &mut late] {
        actor.get("/accounts/profile").await.refused(401, "session_ended");
    }
    let session = world.session(early.session()).await;
    assert_eq!(session.ended.unwrap().reason, EndReason::Theft);
    let audited = world.audited(EventKind::Theft).await;
    assert_eq!(audited.len(), 1, "one theft, one row");
    let event = &audited[0].event;
    assert_eq!((event.user, event.session), (Some(world.alice.id), Some(session.id)));
    assert_eq!(event.ip, Some(late.address.ip()));
}

// attack 28: the thief comes second (S1 R1, S2 R1)
#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_token_that_the_owner_has_used_ends_the_session() {
    let world = World::new().await;
    let (mut owner, thief) = robbed(&world).await;
    owner.refresh().await.expect(StatusCode::OK);
    world.clock.turn(60);
    found_out(&world, thief, owner).await;
}

// attack 28: the thief comes first, and goes on
#[tokio::test(flavor = "multi_thread")]
async fn an_owner_whose_token_was_used_by_a_thief_ends_the_session() {
    let world = World::new().await;
    let (owner, mut thief) = robbed(&world).await;
    for _ in 0..3 {
        thief.refresh().await.expect(StatusCode::OK);
        world.clock.turn(60);
    }
    found_out(&world, owner, thief).await;
}

// attack 28: both within the grace, then apart
#[tokio::test(flavor = "multi_thread")]
async fn a_thief_who_hides_in_the_grace_is_found_out_at_the_next_rotation() {
    let world = World::new().await;
    let (mut owner, mut thief) = robbed(&world).await;
    owner.refresh().await.expect(StatusCode::OK);
    thief.refresh().await.expect(StatusCode::OK);
    world.clock.turn(60);
    thief.refresh().await.expect(StatusCode::OK);
    world.clock.turn(60);
    found_out(&world, owner, thief).await;
}

// attack 28: with body delivery there is no countersignature, and the rule is the same
#[tokio::test(flavor = "multi_thread")]
async fn a_theft_from_an_app_ends_its_session_too() {
    let world = World::new().await;
    let mut owner = world.alice_in_an_app().await;
    let thief = owner.clone();
    world.clock.turn(60);
    owner.refresh().await.expect(StatusCode::OK);
    world.clock.turn(60);
    found_out(&world, thief, owner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_theft_ends_that_session_and_no_other() {
    let world = World::new().await;
    let mut other = world.alice_in_a_browser().await;
    let (mut owner, mut thief) = robbed(&world).await;
    owner.refresh().await.expect(StatusCode::OK);
    world.clock.turn(60);
    thief.refresh().await.refused(401, "refresh_token_reused");
    other.get("/accounts/profile").await.expect(StatusCode::OK);
    other.refresh().await.expect(StatusCode::OK);
}

// attack 29
#[tokio::test(flavor = "multi_thread")]
async fn fifty_refreshes_at_once_with_one_token_are_one_rotation_and_get_one_successor() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    world.clock.turn(60);
    let calls: Vec<_> = (0..50).map(|_| browser.clone().request(Method::POST, ROUTE).spawn()).collect();
    let mut successors = std::collections::BTreeSet::new();
    for call in calls {
        let answer = call.await.unwrap().expect(StatusCode::OK);
        successors.insert(answer.set_cookie("refreshtoken").value);
    }
    assert_eq!(successors.len(), 1);
    assert_eq!(world.session(browser.session()).await.generation, Generation(2));
    assert!(world.audited(EventKind::Theft).await.is_empty());
    world.clock.turn(60);
    refresh_with(&browser, successors.first().unwrap()).await.expect(StatusCode::OK);
}

// attack 31, attack 33: the answer to a rotation is lost after it was written down
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_lost_an_answer_gets_it_again_within_the_grace_also_from_a_server_that_was_restarted() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    world.clock.turn(60);
    let lost = browser.clone().refresh().await.expect(StatusCode::OK);
    let memory = browser.memory();
    let world = world.restart_with(|_| {}).await;
    world.clock.turn(5);
    let mut browser = world.browser_with(&memory);
    let again = browser.refresh().await.expect(StatusCode::OK);
    assert_eq!(again.set_cookie("refreshtoken"), lost.set_cookie("refreshtoken"));
}

// attack 33: a client hangs up at any moment of its request
#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_that_is_given_up_at_any_moment_leaves_the_client_with_a_token_that_works() {
    let world = World::new().await;
    for microseconds in [0, 50, 100, 200, 400, 800, 1600] {
        // A session each: what was given up is carried out all the same, maybe when the clock has been turned again.
        let mut browser = world.alice_in_a_browser().await;
        world.clock.turn(60);
        let call = browser.clone().request(Method::POST, ROUTE).spawn();
        tokio::time::sleep(std::time::Duration::from_micros(microseconds)).await;
        call.abort();
        let _ = call.await;
        browser.refresh().await.expect(StatusCode::OK);
    }
}

// attack 38
#[tokio::test(flavor = "multi_thread")]
async fn ends_and_graces_are_remembered_over_a_restart() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let mut ended = world.alice_in_a_browser().await;
    let (old, of_ended) = (browser.refresh_token(), ended.memory());
    world.clock.turn(60);
    browser.refresh().await.expect(StatusCode::OK);
    ended.post("/accounts/logout", serde_json::json!({})).await.expect(StatusCode::NO_CONTENT);
    let of_browser = browser.memory();
    let world = world.restart_with(|_| {}).await;
    let mut ended = world.browser_with(&of_ended);
    ended.get("/accounts/profile").await.refused(401, "session_ended");
    ended.refresh().await.refused(401, "session_ended");
    let browser = world.browser_with(&of_browser);
    refresh_with(&browser, &old).await.expect(StatusCode::OK);
    world.clock.turn(11);
    refresh_with(&browser, &old).await.refused(401, "refresh_token_reused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_repeats_its_key_gets_the_current_generation_at_any_time_within_the_token_s_life() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    world.clock.turn(60);
    let rotated = lost(&browser, KEY).await.expect(StatusCode::OK);
    for days in [0, 1, 5] {
        world.clock.turn(60 + 86_400 * days);
        let again = lost(&browser, KEY).await.expect(StatusCode::OK);
        assert_eq!(again.set_cookie("refreshtoken").value, rotated.set_cookie("refreshtoken").value);
    }
    assert_eq!(world.session(browser.session()).await.generation, Generation(2));
    world.clock.turn(86_400);
    lost(&browser, KEY).await.refused(401, "refresh_token_expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn past_the_grace_another_key_or_none_or_a_key_of_an_earlier_rotation_is_theft() {
    for attempt in ["none", "another", "earlier"] {
        let world = World::new().await;
        let mut browser = world.alice_in_a_browser().await;
        world.clock.turn(60);
        lost(&browser, "the-key-of-the-first-rotation").await.expect(StatusCode::OK);
        let first = browser.clone();
        browser.refresh().await.expect(StatusCode::OK);
        world.clock.turn(60);
        lost(&browser, "the-key-of-the-second-rotation").await.expect(StatusCode::OK);
        world.clock.turn(60);
        let answer = match attempt {
            "none" => browser.clone().refresh().await,
            "another" => lost(&browser, "a-key-that-was-never-sent").await,
            // Two generations back by now.
            _ => lost(&first, "the-key-of-the-first-rotation").await,
        };
        answer.refused(401, "refresh_token_reused");
        lost(&browser, "the-key-of-the-second-rotation").await.refused(401, "session_ended");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn up_to_four_keys_of_one_rotation_are_remembered_as_hashes() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    world.clock.turn(60);
    let key = |n: u8| format!("a-key-of-one-of-the-tabs-{n}");
    // The one that rotates, then those that come within the grace; one that comes twice counts once.
    for n in [1, 2, 2, 1, 3, 4, 5] {
        lost(&browser, &key(n)).await.expect(StatusCode::OK);
    }
    world.clock.turn(60);
    for n in 1..=4 {
        assert_eq!(generation(&lost(&browser, &key(n)).await.expect(StatusCode::OK)), 2);
    }
    assert_eq!(world.session(browser.session()).await.replay_keys.len(), 4);
    for entry in std::fs::read_dir(world.data_dir()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(
            !bytes.windows(24).any(|window| window == b"a-key-of-one-of-the-tabs"),
            "keys are kept as hashes"
        );
    }
    lost(&browser, &key(5)).await.refused(401, "refresh_token_reused");
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_the_current_generation_a_key_changes_nothing() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    // Too young to rotate, and the key is not remembered.
    assert_eq!(generation(&lost(&browser, KEY).await.expect(StatusCode::OK)), 1);
    assert!(world.session(browser.session()).await.replay_keys.is_empty());
    // It rotates with a key as without, each time.
    for expected in 2..5 {
        world.clock.turn(60);
        let answer = browser.request(Method::POST, ROUTE).header("idempotency-key", KEY).send().await;
        assert_eq!(generation(&answer.expect(StatusCode::OK)), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_has_22_to_128_printable_ascii_characters() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    world.clock.turn(60);
    for bad in [
        &"k".repeat(21),
        &"k".repeat(129),
        "",
        "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkké",
        "kkkkkkkkkkkkkkk\tkkkkkkkkkkkk",
    ] {
        let refused = lost(&browser, bad).await.refused(400, "invalid_idempotency_key");
        assert_eq!(refused.set_cookies(), []);
    }
    let mut twice = browser.clone();
    let twice =
        twice.request(Method::POST, ROUTE).header("idempotency-key", KEY).also("idempotency-key", KEY);
    twice.send().await.refused(400, "invalid_idempotency_key");
    assert_eq!(world.session(browser.session()).await.generation, Generation::FIRST);
    for good in [&"k".repeat(22), &"~".repeat(128), "a key with blanks, \"quotes\"; etc."] {
        lost(&browser, good).await.expect(StatusCode::OK);
    }
}

// attack 114
#[tokio::test(flavor = "multi_thread")]
async fn a_generation_that_a_restored_backup_has_not_reached_is_invalid_and_no_theft() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    let (id, first) = (browser.session(), browser.memory());
    let stopped = world.stop().await;
    let backup = stopped.back_up();
    let world = stopped.start().await;
    world.clock.turn(60);
    let mut browser = world.browser_with(&first);
    browser.refresh().await.expect(StatusCode::OK);
    let second = browser.memory();
    let mut stopped = world.stop().await;
    stopped.restore(&backup);
    let world = stopped.start().await;
    let refused = world.browser_with(&second).refresh().await.refused(401, "refresh_token_invalid");
    assert_eq!(refused.set_cookies(), []);
    assert!(world.audited(EventKind::Theft).await.is_empty());
    assert_eq!(world.session(id).await.ended, None);
    // Whoever still has the old one goes on.
    world.browser_with(&first).refresh().await.expect(StatusCode::OK);
}

// The token's own life is never longer than the session's, but a restored backup may know of an earlier end.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ended_by_itself_has_ended_and_was_not_stolen() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    let (id, first) = (browser.session(), browser.memory());
    let stopped = world.stop().await;
    let backup = stopped.back_up();
    let world = stopped.start().await;
    world.clock.turn(6 * 86_400);
    let mut browser = world.browser_with(&first);
    browser.refresh().await.expect(StatusCode::OK);
    let second = browser.refresh_token();
    let mut stopped = world.stop().await;
    stopped.restore(&backup);
    let world = stopped.start().await;
    world.clock.turn(2 * 86_400);
    let browser = world.browser_with(&first);
    refresh_with(&browser, &second).await.refused(401, "session_ended");
    assert!(world.audited(EventKind::Theft).await.is_empty());
    assert_eq!(world.session(id).await.ended, None, "nobody ended it");
}

// attack 39
#[tokio::test(flavor = "multi_thread")]
async fn rotation_renews_the_token_s_life_and_never_the_session_s() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let start = world.now();
    for day in [6, 12, 18, 24] {
        world.clock.turn(6 * 86_400);
        let answer = browser.refresh().await.expect(StatusCode::OK);
        let says = claims(&browser.refresh_token());
        let expected = (start.secs() + 2_592_000).min(world.now().secs() + 604_800);
        assert_eq!(says["exp"], expected, "day {day}");
        let life = expected - world.now().secs();
        assert!(answer.set_cookie("refreshtoken").has(&format!("Max-Age={life}")));
    }
    // The last access token ends with its session.
    world.clock.turn(6 * 86_400 - 60);
    let answer = browser.refresh().await.expect(StatusCode::OK);
    assert_eq!(answer.body["expires_in"], 60);
    let end = Timestamp::from_secs(start.secs() + 2_592_000);
    assert_eq!(browser.claims()["exp"], end.secs());
    assert_eq!(world.session(browser.session()).await.ends_at, end);
    world.clock.turn(60 + 10);
    browser.get("/accounts/profile").await.refused(401, "token_expired");
    browser.refresh().await.refused(401, "refresh_token_expired");
    browser.login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_within_the_grace_to_another_network_and_user_agent_is_audited() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let old = browser.refresh_token();
    world.clock.turn(60);
    browser.refresh().await.expect(StatusCode::OK);
    let stranger = |ip: &str, agent: &str| {
        let mut stranger = browser.with_refresh_cookie(&old).at(ip);
        stranger.headers.insert("user-agent", agent.parse().unwrap());
        stranger
    };
    for (ip, agent) in [("192.0.2.1", "Browser/1"), ("198.51.100.66", "Browser/1"), ("192.0.2.1", "Other/2")]
    {
        stranger(ip, agent).refresh().await.expect(StatusCode::OK);
    }
    assert!(
        world.audited(EventKind::GraceElsewhere).await.is_empty(),
        "a phone that changes networks is no stranger"
    );
    for _ in 0..3 {
        stranger("198.51.100.66", "Other/2").refresh().await.expect(StatusCode::OK);
    }
    let rows = world.audited(EventKind::GraceElsewhere).await;
    assert_eq!(rows.len(), 1, "one row, however often");
    assert_eq!(rows[0].event.count, 3);
    assert_eq!(rows[0].event.ip, Some("198.51.100.66".parse().unwrap()));
    assert_eq!(rows[0].event.detail["user_agent"], "Other/2");
}
