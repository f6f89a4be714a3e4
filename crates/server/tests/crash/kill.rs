//! The server is killed in the middle of its work, again and again.

use std::hash::{BuildHasher, RandomState};
use std::thread;
use std::time::Duration;

use crate::common::dice::Dice;
use crate::common::http::Site;
use crate::common::server::Server;
use crate::common::user::User;
use crate::scene_with;

/// How often it is killed.
const ROUNDS: usize = 20;

const USERS: usize = 5;

const SEED: &str = "COUNTERSIGN_TEST_SEED";

// attack 33, attack 38, attack 100
#[test]
fn what_was_acknowledged_survives_sigkill_at_any_moment() {
    let seed = seed();
    println!("the seed is {seed}; to throw the same dice again, put it into {SEED}");
    let mut dice = Dice::new(seed);
    let mut users: Vec<_> = (0..USERS).map(User::new).collect();
    let scene = scene_with(&users);
    for _ in 0..ROUNDS {
        let server = Server::start(&scene);
        let site = Site::one(&server.address);
        together(&mut users, &mut dice, |user, dice| user.check(&site, dice));
        let moment = Duration::from_millis(50 + dice.below(400) as u64);
        let killer = thread::spawn(move || {
            thread::sleep(moment);
            drop(server);
        });
        together(&mut users, &mut dice, |user, dice| user.live(&site, dice, || true));
        killer.join().unwrap();
    }
    let server = Server::start(&scene);
    together(&mut users, &mut dice, |user, dice| user.check(&Site::one(&server.address), dice));
    server.terminate();
    assert!(server.wait().success());

    let sum = |count: fn(&User) -> usize| users.iter().map(count).sum::<usize>();
    let acknowledged = sum(|user| user.tally.acknowledged);
    let (repeated, thefts) = (sum(|user| user.tally.repeated), sum(|user| user.tally.thefts));
    println!("{acknowledged} acknowledged, {repeated} repeated, {thefts} thefts");
    assert!(acknowledged > ROUNDS * USERS && repeated > ROUNDS && thefts > 0);
}

/// Lets each user do this, all at the same time.
fn together(users: &mut [User], dice: &mut Dice, work: impl Fn(&mut User, &mut Dice) + Sync) {
    let work = &work;
    thread::scope(|scope| {
        for user in users {
            let mut dice = dice.split();
            scope.spawn(move || work(user, &mut dice));
        }
    });
}

/// The seed that was given, or any.
#[expect(clippy::disallowed_methods, reason = "a test has no other way to be told a seed")]
fn seed() -> u64 {
    std::env::var(SEED).map_or_else(|_| RandomState::new().hash_one(0), |seed| seed.parse().unwrap())
}
