//! Accounts: changing one's password, and what a password may be.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    ALICE, ALICE_PASSWORD, Actor, Answer, BOB, BOB_PASSWORD, World, claims, members, together,
};

const NEW: &str = "a new phrase, quite unlike it";

async fn change(actor: &mut Actor<'_>, old: &str, new: &str) -> Answer {
    actor.post("/accounts/password", json!({"old_password": old, "new_password": new})).await
}

async fn login_at(world: &World, network: usize, password: &str) -> Answer {
    world.browser().at(&format!("198.51.100.{network}")).login(ALICE, password).await
}

// The change

#[tokio::test(flavor = "multi_thread")]
async fn a_change_ends_every_session_and_gives_this_client_a_new_one() {
    let world = World::new().await;
    let mut bob = world.browser();
    bob.login(BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
    let mut app = world.alice_in_an_app().await;
    let mut other = world.alice_in_a_browser().await;
    let mut browser = world.alice_in_a_browser().await;
    let mut stolen = browser.clone();

    let answer = change(&mut browser, ALICE_PASSWORD, NEW).await.expect(StatusCode::OK);
    assert_eq!(members(&answer.body), ["access_token", "csrf_token", "expires_in", "token_type", "user"]);
    assert_eq!(answer.body["token_type"], "Bearer");
    assert_eq!(answer.body["expires_in"], 300);
    assert_eq!(answer.body["user"]["username"], ALICE);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(answer.set_cookie("refreshtoken").has("HttpOnly"));
    assert_eq!(answer.set_cookie("csrftoken").value, answer.body["csrf_token"]);
    assert!(answer.set_cookies().iter().all(|cookie| cookie.has("Max-Age=604800")));
    assert_ne!(browser.claims()["sid"], stolen.claims()["sid"]);
    assert_ne!(browser.csrf, stolen.csrf);

    for gone in [&mut app, &mut other, &mut stolen] {
        gone.get("/accounts/profile").await.refused(401, "session_ended");
        gone.refresh().await.refused(401, "session_ended"); // attack 37
    }
    bob.get("/accounts/profile").await.expect(StatusCode::OK);
    browser.get("/accounts/profile").await.expect(StatusCode::OK);
    let list = browser.get("/accounts/sessions").await.expect(StatusCode::OK);
    assert_eq!(list.body["sessions"].as_array().unwrap().len(), 1);
    browser.refresh().await.expect(StatusCode::OK);

    world.browser().login(ALICE, ALICE_PASSWORD).await.refused(401, "invalid_credentials");
    world.browser().login(ALICE, NEW).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_holds_across_a_restart() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    change(&mut browser, ALICE_PASSWORD, NEW).await.expect(StatusCode::OK);
    let memory = browser.memory();

    let world = world.restart_with(|_| {}).await;
    world.browser_with(&memory).get("/accounts/profile").await.expect(StatusCode::OK);
    world.browser().login(ALICE, ALICE_PASSWORD).await.refused(401, "invalid_credentials");
    world.browser().login(ALICE, NEW).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_keeps_its_body_delivery_through_a_change() {
    let world = World::new().await;
    let mut app = world.alice_in_an_app().await;
    let old = app.clone();
    let answer = change(&mut app, ALICE_PASSWORD, NEW).await.expect(StatusCode::OK);
    assert_eq!(members(&answer.body), ["access_token", "expires_in", "refresh_token", "token_type", "user"]);
    assert!(answer.set_cookies().is_empty());
    assert_ne!(app.claims()["sid"], old.claims()["sid"]);
    app.refresh().await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_not_to_be_remembered_is_not_after_a_change_either() {
    let world = World::new().await;
    let mut browser = world.browser();
    let body = json!({"username": ALICE, "password": ALICE_PASSWORD, "remember": false});
    browser.post("/accounts/login", body).await.expect(StatusCode::OK);
    let answer = change(&mut browser, ALICE_PASSWORD, NEW).await.expect(StatusCode::OK);
    for cookie in answer.set_cookies() {
        assert!(!cookie.attributes.iter().any(|one| one.starts_with("Max-Age")), "{cookie:?}");
    }
    let refresh = claims(&browser.jar["refreshtoken"]);
    assert_eq!(refresh["exp"].as_i64().unwrap() - refresh["iat"].as_i64().unwrap(), 12 * 60 * 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_needs_the_old_password_and_otherwise_changes_nothing() {
    let world = World::new().await;
    let mut app = world.alice_in_an_app().await;
    let mut browser = world.alice_in_a_browser().await;
    for old in ["not the right password", BOB_PASSWORD, NEW, "CORRECT HORSE BATTERY STAPLE"] {
        let answer = change(&mut browser, old, NEW).await.refused(403, "wrong_password");
        assert!(answer.set_cookies().is_empty());
    }
    for (body, field) in [
        (json!({"new_password": NEW}), "old_password"),
        (json!({"old_password": "", "new_password": NEW}), "old_password"),
        (json!({"old_password": ALICE_PASSWORD}), "new_password"),
    ] {
        let answer = browser.post("/accounts/password", body).await;
        assert_eq!(members(&answer.refused(400, "invalid_fields").body["errors"]), [field]);
    }
    for body in [
        json!({"old_password": ALICE_PASSWORD, "new_password": 1}),
        json!({"old_password": ALICE_PASSWORD, "new_password": null}),
        json!({"old_password": [ALICE_PASSWORD], "new_password": NEW}),
        json!(["old_password"]),
    ] {
        browser.post("/accounts/password", body).await.refused(400, "malformed_body");
    }
    app.get("/accounts/profile").await.expect(StatusCode::OK);
    browser.get("/accounts/profile").await.expect(StatusCode::OK);
    world.browser().login(ALICE, NEW).await.refused(401, "invalid_credentials");
    world.browser().login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_needs_the_csrf_token() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let body = json!({"old_password": ALICE_PASSWORD, "new_password": NEW});
    let call = browser.request(Method::POST, "/accounts/password").json(&body).without("x-csrftoken");
    call.send().await.refused(403, "csrf_failed");
    world.browser().login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_changes_at_once_one_wins_and_leaves_one_session() {
    let world = World::new().await;
    let mut clients = [world.alice_in_a_browser().await, world.alice_in_a_browser().await];
    let news = ["the phrase of the first tab", "the phrase of the second tab"];
    let racing = clients.iter_mut().zip(news).map(|(client, new)| change(client, ALICE_PASSWORD, new));
    let answers = together(racing).await;
    let won: Vec<bool> = answers.iter().map(|answer| answer.status == StatusCode::OK).collect();
    assert_eq!(won.iter().filter(|won| **won).count(), 1, "{answers:?}");

    for ((client, new), won) in clients.iter_mut().zip(news).zip(won) {
        let profile = client.get("/accounts/profile").await;
        let login = world.browser().login(ALICE, new).await;
        if won {
            profile.expect(StatusCode::OK);
            login.expect(StatusCode::OK);
        } else {
            profile.refused(401, "session_ended");
            login.refused(401, "invalid_credentials");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_with_the_old_password_that_races_the_change_is_left_with_nothing() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let mut others: Vec<_> =
        (0..6).map(|network| world.native().at(&format!("198.51.100.{network}"))).collect();
    let app_login = json!({"username": ALICE, "password": ALICE_PASSWORD, "token_delivery": "body"});
    let racing: Vec<std::pin::Pin<Box<dyn Future<Output = Answer>>>> = others
        .iter_mut()
        .map(|other| Box::pin(other.post("/accounts/login", app_login.clone())) as _)
        .chain([Box::pin(change(&mut browser, ALICE_PASSWORD, NEW)) as _])
        .collect();
    assert_eq!(together(racing).await.pop().unwrap().status, StatusCode::OK);

    for other in others.iter_mut().filter(|other| other.access.is_some()) {
        other.get("/accounts/profile").await.refused(401, "session_ended");
    }
    let list = browser.get("/accounts/sessions").await.expect(StatusCode::OK);
    assert_eq!(list.body["sessions"].as_array().unwrap().len(), 1);
}

// What may be chosen

async fn reasons(actor: &mut Actor<'_>, new: &str) -> Vec<Value> {
    let answer = change(actor, ALICE_PASSWORD, new).await.refused(400, "invalid_password");
    assert_eq!(members(&answer.body["errors"]), ["new_password"]);
    answer.body["errors"]["new_password"].as_array().unwrap().clone()
}

// attack 90
#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_will_not_do_is_refused_with_every_reason() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let names = json!({"first_name": "Wilhelmina", "last_name": "Quackenbosch"});
    browser.patch("/accounts/profile", names).await.expect(StatusCode::OK);

    let short = "This password is too short: it needs at least 15 characters.";
    let common = "This password is too common: attackers try it first.";
    let like = "This password is too much like your user name, e-mail address or name.";
    for (new, because) in [
        ("fourteen chars", &[short][..]),
        ("password", &[short, common]),
        ("password123456789", &[common]),
        ("aaaaaaaaaaaaaaaaaaaa", &[common]),
        ("alice@example.com", &[like]),
        ("ALICE@EXAMPLE.COM", &[like]),
        ("quackenbosch", &[short, like]),
        ("quackenbosch quackenbosch", &[like]),
    ] {
        assert_eq!(json!(reasons(&mut browser, new).await), json!(because), "{new}");
    }
    world.browser().login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
    // No digit, sign or capital is asked for; a name may be in it.
    change(&mut browser, ALICE_PASSWORD, "only letters and alice").await.expect(StatusCode::OK);
}

// attack 88
#[tokio::test(flavor = "multi_thread")]
async fn a_password_has_15_to_1024_characters_and_one_over_that_is_refused_before_any_hashing() {
    let world = World::new().await;
    world.at_rest().await;
    let mut browser = world.alice_in_a_browser().await;
    let of = |characters: usize| text().take(characters).collect::<String>();

    let before = world.hashes();
    for new in [of(1025), of(20_000), "\u{1f409}".repeat(1025)] {
        let told = reasons(&mut browser, &new).await;
        assert_eq!(told, [json!("This password is too long: it can have at most 1024 characters.")]);
        change(&mut browser, &new, NEW).await.refused(403, "wrong_password");
        login_at(&world, 0, &new).await.refused(400, "malformed_body");
    }
    assert_eq!(world.hashes(), before);

    let mut old = ALICE_PASSWORD.to_owned();
    for new in [of(15), of(64), of(1024)] {
        change(&mut browser, &old, &new).await.expect(StatusCode::OK);
        old = new;
    }
    assert!(old.len() > 2000, "characters are counted, and not bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_may_ask_for_fewer_characters_or_more() {
    let world = World::with(|settings| settings.password_min_length = 8).await;
    let mut browser = world.alice_in_a_browser().await;
    assert_eq!(
        reasons(&mut browser, "qzjxkvw").await,
        [json!("This password is too short: it needs at least 8 characters.")]
    );
    change(&mut browser, ALICE_PASSWORD, "qzjxkvwy").await.expect(StatusCode::OK);
}

/// Text in which nothing repeats itself, of characters of one to four bytes.
fn text() -> impl Iterator<Item = char> {
    (0_u32..).flat_map(|number| format!("{number:x}é한\u{1f409}").chars().collect::<Vec<_>>())
}

// As received

// attacks 88, 91
#[tokio::test(flavor = "multi_thread")]
async fn a_password_counts_exactly_as_it_was_received() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let long: String = text().take(1024).collect();
    let (all_but_one, last) = long.split_at(long.char_indices().last().unwrap().0);
    let other_last = format!("{all_but_one}{}", if last == "x" { "y" } else { "x" });
    let beyond_bcrypt = "seventy-two bytes are all that bcrypt looks at, and there it stops; but we read on";
    let cut = beyond_bcrypt.get(..72).unwrap();
    let passwords: [(&str, &[&str]); 9] = [
        ("a space at the end counts ", &["a space at the end counts", "a space at the end counts  "]),
        ("\tand one at the beginning", &["and one at the beginning", " and one at the beginning"]),
        (
            "caf\u{e9} au lait, deux sucres",
            &["cafe\u{301} au lait, deux sucres", "cafe au lait, deux sucres"],
        ),
        ("cafe\u{301} au lait, deux sucres", &["caf\u{e9} au lait, deux sucres"]),
        ("\u{fb01}ne ligatures and \u{ff21}", &["fine ligatures and A"]),
        ("a nul\0 is no end of it", &["a nul", "a nul\0", "a nul is no end of it", "a nul\0 is no end of"]),
        (
            "\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467} is one family",
            &["\u{1f469}\u{1f469}\u{1f467} is one family", "\u{1f469} is one family"],
        ),
        (
            beyond_bcrypt,
            &[cut, "Seventy-two bytes are all that bcrypt looks at, and there it stops; but we read on"],
        ),
        (&long, &[all_but_one, &other_last]),
    ];
    let mut old = ALICE_PASSWORD;
    for (new, near_misses) in passwords {
        change(&mut browser, old, new).await.expect(StatusCode::OK);
        for (network, near_miss) in near_misses.iter().enumerate() {
            login_at(&world, network, near_miss).await.refused(401, "invalid_credentials");
        }
        login_at(&world, 0, new).await.expect(StatusCode::OK);
        old = new;
    }
}
