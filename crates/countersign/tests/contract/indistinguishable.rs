//! Accounts, login: one answer for every login that fails, after the same work; and the stored hashes of other
//! programs, which stand out in neither.

use std::time::{Duration, Instant};

use countersign::core::Network;
use countersign::core::name::NameKey;
use countersign::service::password::{Hasher, Password, StoredHash};
use countersign::store::UserSelector;
use http::StatusCode;

use crate::support::{ALICE, ALICE_PASSWORD, Answer, BOB, BOB_PASSWORD, World, add_user, together};

/// What all the imported hashes were made of.
const IMPORTED_PASSWORD: &str = "pässwörd with spaces ";

/// By Django 5.2: its four formats with parameters that cost little, an older `argon2`, an older `pbkdf2`.
const IMPORTED: [(&str, &str); 6] = [
    ("pbkdf2", "pbkdf2_sha256$1000$hGWZcVsh3p1r242Fa3gi8t$hCV212Nsi0sKxLwzvdipI4YQirFy3Ak1XfYGsHhTIkI="),
    (
        "argon2",
        "argon2$argon2id$v=19$m=512,t=2,p=2$MVhmblJvS0ZHcWozbFVWU05MeTdrOA$OoCTJ0EvxWbyLFM9aFC3boxt21X7acgXm6gGmcwjvEg",
    ),
    ("bcrypt", "bcrypt_sha256$$2b$04$BGj9lF4xO8uXQ1msIjaXWux1euTfKxDgsaVyLD0KXRYZUNMlQbE.6"),
    (
        "scrypt",
        "scrypt$1024$C4CitWNpnPVPN9HYmKlvHt$8$1$OI1QKQzcMQ5w5xIcLnQWNAgTOo2sbl+o7ki+4eB5Vv/JzefIjZST8AD58ou+YPLyQgITx+xItNlxJW9G4PEKLA==",
    ),
    (
        "argon2i",
        "argon2$argon2i$v=19$m=512,t=2,p=2$FsI4Z6wVglBKSUnpXesdYw$UYH3YMgyMxmyN4svmyGuOM1P8jErNyC9/ZCQ+3OAqUo",
    ),
    ("pbkdf2_sha1", "pbkdf2_sha1$1000$56J7xiSZnof25HaslBJuIC$hiFNgcp9v3wz9l2eyJ60MaKM+Ig="),
];

/// Logs in from a network of its own, so that nobody's count is in the way.
async fn login(world: &World, nth: usize, username: &str, password: &str) -> Answer {
    world.browser().at(&format!("198.51.100.{nth}")).login(username, password).await
}

/// The hash that the store has of a user.
async fn stored_hash(world: &World, username: &str) -> String {
    let who = UserSelector::Name(NameKey::of_any(username));
    let network = Network::of("192.0.2.1".parse().unwrap());
    let user = world.store().user_for_login(who, false, network).await.unwrap().unwrap();
    user.hash.expose().to_owned()
}

// attacks 77, 78: the same status, headers, body and work
#[tokio::test(flavor = "multi_thread")]
async fn every_failed_login_gets_the_same_answer_after_the_same_work() {
    let world = World::new().await;
    let carol = add_user(&world.countersign, "carol", "a passphrase that carol made up").await;
    world.countersign.service().deactivate_user(carol.id).await.unwrap();
    let dave = add_user(&world.countersign, "dave", "a passphrase that dave made up").await;
    world.countersign.service().delete_user(dave.id).await.unwrap();
    for (name, hash) in IMPORTED {
        world.import_user(name, hash).await;
    }
    for (name, hash) in [
        ("unusable", "!sZzE1KtmIrTCYJjb8P9lyBOAp7v0mL6La0V99GCc"),
        ("without", ""),
        ("unreadable", "md5$salt$5f4dcc3b5aa765d61d8327deb882cf99"),
        ("absurd", "pbkdf2_sha256$2000000000$salt$hCV212Nsi0sKxLwzvdipI4YQirFy3Ak1XfYGsHhTIkI="),
    ] {
        world.import_user(name, hash).await;
    }
    world.at_rest().await;

    let wrong = login(&world, 0, ALICE, "not the right password").await.refused(401, "invalid_credentials");
    assert!(wrong.set_cookies().is_empty());
    let long = "x".repeat(10_000);
    let others = [
        ("nobody", "not the right password"),
        ("nobody@example.com", "not the right password"),
        ("alice@example.com", "not the right password"),
        ("carol", "not the right password"),
        ("carol", "a passphrase that carol made up"), // inactive, and right
        ("dave", "a passphrase that dave made up"),   // deleted
        (BOB, ALICE_PASSWORD),
        (ALICE, "CORRECT HORSE BATTERY STAPLE"),
        ("unusable", "!sZzE1KtmIrTCYJjb8P9lyBOAp7v0mL6La0V99GCc"),
        ("unusable", "!"),
        ("without", "not the right password"),
        ("unreadable", "password"),
        ("absurd", "not the right password"),
        ("pbkdf2", "not the right password"),
        ("argon2", "not the right password"),
        ("bcrypt", "not the right password"),
        ("scrypt", "not the right password"),
        ("argon2i", "not the right password"),
        ("pbkdf2_sha1", "not the right password"),
        ("alice\0", ALICE_PASSWORD),
        ("' OR 1=1 --", "' OR 1=1 --"),
        (&long, "not the right password"),
    ];
    for (nth, (username, password)) in others.into_iter().enumerate() {
        let before = world.hashes();
        let answer = login(&world, 1 + nth, username, password).await;
        assert_eq!(answer.all_there_is(), wrong.all_there_is(), "{username}");
        assert_eq!(world.hashes() - before, 1, "{username}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_hash_logs_in_and_is_upgraded_by_that() {
    let world = World::new().await;
    world.at_rest().await;
    for (name, hash) in IMPORTED {
        world.import_user(name, hash).await;
        // The last character counts, a space: nothing trims a password.
        login(&world, 1, name, IMPORTED_PASSWORD.trim_end()).await.refused(401, "invalid_credentials");
        assert_eq!(stored_hash(&world, name).await, hash, "a failed login upgrades nothing");

        let before = world.hashes();
        let answer = login(&world, 1, name, IMPORTED_PASSWORD).await.expect(StatusCode::OK);
        assert_eq!(answer.body["user"]["username"], name);
        assert_eq!(world.hashes() - before, 2, "{name}: the check, and the new hash");
        let upgraded = stored_hash(&world, name).await;
        assert!(upgraded.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{name}: {upgraded}"); // attack 89

        let before = world.hashes();
        login(&world, 1, name, IMPORTED_PASSWORD).await.expect(StatusCode::OK);
        assert_eq!(world.hashes() - before, 1, "{name}: by now it is as any other");
        assert_eq!(stored_hash(&world, name).await, upgraded);
        login(&world, 1, name, "not the right password").await.refused(401, "invalid_credentials");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_that_race_for_the_upgrade_of_a_hash_all_succeed() {
    let world = World::new().await;
    for (name, hash) in IMPORTED {
        world.import_user(name, hash).await;
        let racing = (0..4).map(|network| login(&world, network, name, IMPORTED_PASSWORD));
        for answer in together(racing).await {
            answer.expect(StatusCode::OK);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_password_of_an_inactive_import_is_refused_and_upgrades_nothing() {
    let world = World::new().await;
    let (name, hash) = IMPORTED[0];
    let user = world.import_user(name, hash).await;
    world.countersign.service().deactivate_user(user.id).await.unwrap();
    login(&world, 1, name, IMPORTED_PASSWORD).await.refused(401, "invalid_credentials");
    assert_eq!(stored_hash(&world, name).await, hash);
}

// attack 78: an imported account is slower to check than the others, and must not stand out by that.
#[tokio::test(flavor = "multi_thread")]
async fn no_failed_login_is_answered_sooner_than_the_slowest_hash_takes() {
    let slow = "pbkdf2_sha256$300000$salt$hCV212Nsi0sKxLwzvdipI4YQirFy3Ak1XfYGsHhTIkI=";
    let world = World::new().await;
    world.import_user("slow", slow).await;
    let world = world.restart_with(|_| {}).await;
    let (cost, of_a_new_one) = (cost(Some(slow)), cost(None));
    assert!(cost > of_a_new_one, "{cost:?} {of_a_new_one:?}");

    let carol = add_user(&world.countersign, "carol", "a passphrase that carol made up").await;
    world.countersign.service().deactivate_user(carol.id).await.unwrap();
    for (nth, (username, password)) in [
        ("nobody", "not the right password"),
        (ALICE, "not the right password"),
        ("carol", "a passphrase that carol made up"),
        ("slow", "not the right password"),
    ]
    .into_iter()
    .enumerate()
    {
        let started = Instant::now();
        login(&world, nth, username, password).await.refused(401, "invalid_credentials");
        let took = started.elapsed();
        assert!(took >= cost, "{username}: {took:?}, where the slowest hash takes {cost:?}");
    }
    login(&world, 9, BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
}

/// The least time that a check of this stored hash takes here; of none, the time that it takes in its place.
fn cost(stored: Option<&str>) -> Duration {
    let (mut hasher, stored) = (Hasher::new(), stored.map(StoredHash::new));
    let password = Password::new("not the right password").unwrap();
    let mut check = || {
        let started = Instant::now();
        assert!(!hasher.verify(stored.as_ref(), &password));
        started.elapsed()
    };
    check().min(check()).min(check())
}
