use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const START: Timestamp = Timestamp::from_secs(1_800_000_000);
const MINUTE: u32 = 60;
const DAY: u32 = 24 * 60 * MINUTE;

/// A server with a clock that can be turned, and the ceilings that its store would keep.
struct Server {
    guesses: Guesses,
    now: Timestamp,
    /// Of each account, by any of its names.
    accounts: HashMap<&'static str, UserId>,
    stored: HashMap<UserId, Ceiling>,
    homes: HashMap<UserId, Network>,
}

impl Server {
    fn new() -> Self {
        Self::with_capacity(1000)
    }

    fn with_capacity(capacity: usize) -> Self {
        Self {
            guesses: Guesses::new(GuessPolicy::default(), capacity),
            now: START,
            accounts: HashMap::new(),
            stored: HashMap::new(),
            homes: HashMap::new(),
        }
    }

    fn with_account(mut self, id: i64, names: &[&'static str], home: Network) -> Self {
        self.accounts.extend(names.iter().map(|name| (*name, UserId(id))));
        self.homes.insert(UserId(id), home);
        self
    }

    fn wait(&mut self, seconds: u32) {
        self.now = self.now + Seconds(seconds);
    }

    fn standing(&self, name: &str, network: Network) -> Standing {
        match self.accounts.get(name) {
            None => Standing::NoAccount,
            Some(user) => Standing::Account {
                user: *user,
                ceiling: self.stored.get(user).copied().unwrap_or_default(),
                here_before: self.homes.get(user) == Some(&network),
            },
        }
    }

    fn admit(&self, name: &str, network: Network) -> Result<Ticket, Throttled> {
        let standing = self.standing(name, network);
        self.guesses.admit(&NameKey::of_any(name), network, standing, self.now)
    }

    fn settle(&mut self, name: &str, ticket: Ticket, outcome: Outcome) {
        if let Some(user) = self.accounts.get(name) {
            let stored = self.stored.entry(*user).or_default();
            match outcome {
                Outcome::Right => *stored = Ceiling::default(),
                Outcome::Wrong => *stored = stored.failed(self.now),
                Outcome::NotChecked => {}
            }
        }
        ticket.settle(outcome, self.now);
    }

    fn attempt(&mut self, name: &str, network: Network, outcome: Outcome) -> Result<(), Throttled> {
        let ticket = self.admit(name, network)?;
        self.settle(name, ticket, outcome);
        Ok(())
    }

    fn fail(&mut self, name: &str, network: Network) -> Result<(), Throttled> {
        self.attempt(name, network, Outcome::Wrong)
    }

    /// So many failures, all of which are let through.
    fn fail_times(&mut self, times: u32, name: &str, network: Network) {
        for n in 0..times {
            assert_eq!(self.fail(name, network), Ok(()), "failure {n} of {name} from {network}");
        }
    }

    /// So many failures from strange networks, each from another one.
    fn fail_from_everywhere(&mut self, times: u32, name: &str) {
        for n in 0..times {
            assert_eq!(self.fail(name, strange(n)), Ok(()), "failure {n} of {name}");
        }
    }

    fn entries(&self) -> [usize; 3] {
        let counts = self.guesses.counts();
        [counts.pairs.len(), counts.networks.len(), counts.runs.len()]
    }
}

fn network(n: u32) -> Network {
    Network::of(std::net::Ipv4Addr::from(0x0a00_0000 + n).into())
}

/// A network of which the tests use no other address.
fn strange(n: u32) -> Network {
    network(0x10_0000 + n)
}

fn throttled(by: Limit, seconds: u32) -> Result<(), Throttled> {
    Err(Throttled { retry_after: Seconds(seconds), by })
}

// attack 80
#[test]
fn ten_failures_of_a_name_on_a_network_are_followed_by_a_block() {
    let mut server = Server::new();
    server.fail_times(10, "ana", network(1));
    assert_eq!(server.fail("ana", network(1)), throttled(Limit::Name, 300));
    server.wait(299);
    assert_eq!(server.fail("ana", network(1)), throttled(Limit::Name, 1));
    server.wait(1);
    assert_eq!(server.fail("ana", network(1)), Ok(()));
}

#[test]
fn a_block_touches_neither_another_network_nor_another_name() {
    let mut server = Server::new();
    server.fail_times(10, "ana", network(1));
    assert_eq!(server.fail("ana", network(2)), Ok(()));
    assert_eq!(server.fail("ben", network(1)), Ok(()));
}

// attack 80: a right password is no way through, nor an oracle
#[test]
fn a_right_password_does_not_get_through_a_block() {
    let mut server = Server::new();
    server.fail_times(10, "ana", network(1));
    assert_eq!(server.attempt("ana", network(1), Outcome::Right), throttled(Limit::Name, 300));
}

#[test]
fn further_blocks_double_up_to_an_hour() {
    let mut server = Server::new();
    for block in [300, 600, 1200, 2400, 3600, 3600] {
        server.fail_times(10, "ana", network(1));
        assert_eq!(server.fail("ana", network(1)), throttled(Limit::Name, block));
        server.wait(block);
    }
    server.wait(3600);
    server.fail_times(10, "ana", network(1));
    assert_eq!(server.fail("ana", network(1)), throttled(Limit::Name, 300), "an hour later all is forgotten");
}

#[test]
fn failures_count_for_five_minutes_and_up_to_a_twentieth_longer() {
    let mut server = Server::new();
    server.fail_times(9, "ana", network(1));
    server.wait(300);
    server.fail_times(1, "ana", network(1));
    assert_eq!(server.fail("ana", network(1)), throttled(Limit::Name, 300));

    server.fail_times(9, "ben", network(2));
    server.wait(315);
    server.fail_times(9, "ben", network(2));
    assert_eq!(server.entries()[0], 2);
}

// attack 80
#[test]
fn a_hundred_failures_of_a_network_over_all_names_are_followed_by_a_block() {
    let mut server = Server::new();
    for name in 0..100 {
        server.fail_times(1, &format!("name {name}"), network(1));
    }
    assert_eq!(server.fail("another", network(1)), throttled(Limit::Network, 300));
    assert_eq!(server.fail("another", network(2)), Ok(()));
    server.wait(300);
    assert_eq!(server.fail("another", network(1)), Ok(()));
}

// attack 87
#[test]
fn a_success_resets_its_own_count_only() {
    let mut server = Server::new();
    server.fail_times(9, "ana", network(1));
    server.fail_times(9, "ben", network(1));
    server.fail_times(9, "ana", network(2));
    assert_eq!(server.attempt("ana", network(1), Outcome::Right), Ok(()));
    server.fail_times(10, "ana", network(1));
    server.fail_times(1, "ben", network(1));
    server.fail_times(1, "ana", network(2));
    for (name, network) in [("ana", network(1)), ("ben", network(1)), ("ana", network(2))] {
        assert_eq!(server.fail(name, network), throttled(Limit::Name, 300), "{name} from {network}");
    }
}

// attack 87: whoever has one account must not wipe a network's slate with it
#[test]
fn a_success_does_not_reset_its_network() {
    let mut server = Server::new();
    for name in 0..99 {
        server.fail_times(1, &format!("name {name}"), network(1));
    }
    assert_eq!(server.attempt("mine", network(1), Outcome::Right), Ok(()));
    server.fail_times(1, "victim", network(1));
    assert_eq!(server.fail("victim", network(1)), throttled(Limit::Network, 300));
}

#[test]
fn what_was_not_checked_does_not_count() {
    let mut server = Server::new();
    for _ in 0..1000 {
        assert_eq!(server.attempt("ana", network(1), Outcome::NotChecked), Ok(()));
    }
    assert_eq!(server.entries(), [0, 0, 0]);
    server.fail_times(10, "ana", network(1));
}

// attack 82
#[test]
fn parallel_guesses_do_not_outrun_the_count_of_a_name() {
    let mut server = Server::new();
    let tickets: Vec<_> = (0..200).filter_map(|_| server.admit("ana", network(1)).ok()).collect();
    assert_eq!(tickets.len(), 10);
    assert_eq!(server.fail("ana", network(1)), throttled(Limit::Name, 1), "until it is known how they went");
    for ticket in tickets {
        server.settle("ana", ticket, Outcome::Wrong);
    }
    assert_eq!(server.fail("ana", network(1)), throttled(Limit::Name, 300));
}

// attack 82
#[test]
fn parallel_guesses_do_not_outrun_the_count_of_a_network() {
    let server = Server::new();
    let names = (0..200).map(|name| format!("name {name}"));
    let tickets: Vec<_> = names.filter_map(|name| server.admit(&name, network(1)).ok()).collect();
    assert_eq!(tickets.len(), 100);
}

// attack 82
#[test]
fn parallel_guesses_from_everywhere_do_not_outrun_the_ceiling() {
    let server = Server::new().with_account(1, &["ana"], network(1));
    for name in ["ana", "nobody"] {
        let tickets: Vec<_> = (0..200).filter_map(|n| server.admit(name, strange(n)).ok()).collect();
        assert_eq!(tickets.len(), 100, "{name}");
    }
}

// attack 82: all of them loaded what was stored before any of them failed
#[test]
fn what_was_loaded_before_a_failure_does_not_hide_it() {
    let mut server = Server::new().with_account(1, &["ana"], network(1));
    server.fail_from_everywhere(99, "ana");
    let loaded_early = server.standing("ana", strange(500));
    let started = server.now;
    server.wait(1);
    server.fail_times(1, "ana", strange(99));
    let late = server.guesses.admit(&NameKey::of_any("ana"), strange(500), loaded_early, started);
    assert_eq!(late.unwrap_err().by, Limit::Ceiling);
}

#[test]
fn parallel_right_passwords_all_get_through() {
    let mut server = Server::new();
    let tickets: Vec<_> = (0..10).map(|_| server.admit("ana", network(1)).unwrap()).collect();
    for ticket in tickets {
        server.settle("ana", ticket, Outcome::Right);
    }
    assert_eq!(server.entries(), [0, 0, 0]);
}

#[test]
fn one_wrong_password_among_parallel_right_ones_blocks_nobody() {
    let mut server = Server::new();
    let names: Vec<_> = (0..100).map(|name| format!("name {name}")).collect();
    let mut tickets: Vec<_> = names.iter().map(|name| server.admit(name, network(1)).unwrap()).collect();
    server.settle("name 0", tickets.remove(0), Outcome::Wrong);
    for ticket in tickets {
        ticket.settle(Outcome::Right, server.now);
    }
    assert_eq!(server.fail("another", network(1)), Ok(()));
}

// attack 82: hanging up is no way to guess for nothing
#[test]
fn a_dropped_ticket_was_a_failure() {
    let mut server = Server::new();
    for _ in 0..10 {
        drop(server.admit("ana", network(1)).unwrap());
    }
    assert_eq!(server.fail("ana", network(1)), throttled(Limit::Name, 300));
}

// attack 79
#[test]
fn names_that_are_no_account_are_throttled_like_those_that_are() {
    let mut server = Server::new().with_account(1, &["ana"], network(1));
    let mut answers = |name: &str| -> Vec<Result<(), Throttled>> {
        server.now = START;
        let mut answers: Vec<_> = (0..12).map(|_| server.fail(name, strange(0))).collect();
        answers.extend((1..200).map(|n| server.fail(name, strange(n))));
        for wait in [59, 1, 30, 30, 59, 1, DAY - 1, 1, DAY] {
            server.wait(wait);
            answers.extend((200..203).map(|n| server.fail(name, strange(n))));
        }
        answers
    };
    let known = answers("ana");
    assert_eq!(known, answers("nobody"));
    assert!(known.contains(&throttled(Limit::Ceiling, 60)));
}

// attack 80
#[test]
fn past_the_ceiling_all_strange_networks_share_one_try_a_minute() {
    for name in ["ana", "nobody"] {
        let mut server = Server::new().with_account(1, &["ana"], network(1));
        server.fail_from_everywhere(100, name);
        assert_eq!(server.fail(name, strange(500)), throttled(Limit::Ceiling, 60));
        server.wait(59);
        assert_eq!(server.fail(name, strange(501)), throttled(Limit::Ceiling, 1));
        server.wait(1);
        assert_eq!(server.fail(name, strange(502)), Ok(()));
        assert_eq!(server.fail(name, strange(503)), throttled(Limit::Ceiling, 60));
    }
}

// attack 82
#[test]
fn past_the_ceiling_parallel_tries_share_the_one_too() {
    let mut server = Server::new().with_account(1, &["ana"], network(1));
    server.fail_from_everywhere(100, "ana");
    server.wait(MINUTE);
    let mut tickets: Vec<_> = (500..700).filter_map(|n| server.admit("ana", strange(n)).ok()).collect();
    assert_eq!(tickets.len(), 1);
    server.settle("ana", tickets.remove(0), Outcome::NotChecked);
    assert_eq!(server.fail("ana", strange(700)), Ok(()), "what wasn't checked was no try");
}

// attack 81
#[test]
fn past_the_ceiling_the_owner_comes_in_from_where_they_were_before() {
    let mut server = Server::new().with_account(1, &["ana"], network(1));
    server.fail_from_everywhere(100, "ana");
    assert_eq!(server.attempt("ana", network(1), Outcome::Right), Ok(()));
    assert_eq!(server.fail("ana", strange(500)), Ok(()), "a success ends it");
}

// attack 81
#[test]
fn past_the_ceiling_the_owner_comes_in_from_elsewhere_within_the_minute() {
    let mut server = Server::new().with_account(1, &["ana"], network(1));
    server.fail_from_everywhere(100, "ana");
    server.wait(MINUTE);
    assert_eq!(server.attempt("ana", strange(500), Outcome::Right), Ok(()));
    assert_eq!(server.fail("ana", strange(501)), Ok(()));
}

// attack 87
#[test]
fn the_ceiling_counts_failures_in_a_row() {
    let mut server =
        Server::new().with_account(1, &["ana"], network(1)).with_account(2, &["ben"], network(1));
    server.fail_from_everywhere(99, "ana");
    assert_eq!(server.attempt("ben", network(1), Outcome::Right), Ok(()));
    server.fail_times(1, "ana", strange(99));
    assert_eq!(
        server.fail("ana", strange(100)),
        throttled(Limit::Ceiling, 60),
        "another's success changes nothing"
    );

    let mut server = Server::new().with_account(1, &["ana"], network(1));
    server.fail_from_everywhere(99, "ana");
    assert_eq!(server.attempt("ana", network(1), Outcome::Right), Ok(()));
    server.fail_from_everywhere(100, "ana");
}

#[test]
fn the_ceiling_is_forgotten_after_a_day_without_a_failure() {
    for name in ["ana", "nobody"] {
        let mut server = Server::new().with_account(1, &["ana"], network(1));
        server.fail_from_everywhere(100, name);
        server.wait(DAY);
        server.fail_from_everywhere(100, name);
        assert_eq!(server.fail(name, strange(500)), throttled(Limit::Ceiling, 60));
    }
}

#[test]
fn an_unlocked_account_is_unlocked_at_once() {
    let mut server = Server::new().with_account(1, &["ana"], network(1));
    server.fail_from_everywhere(100, "ana");
    server.wait(1);
    server.stored.insert(UserId(1), Ceiling::default());
    server.fail_from_everywhere(100, "ana");
}

#[test]
fn the_ceiling_outlives_a_crash() {
    let mut server = Server::new().with_account(1, &["ana"], network(1));
    server.fail_from_everywhere(100, "ana");
    server.guesses = Guesses::new(GuessPolicy::default(), 1000);
    assert_eq!(server.fail("ana", strange(500)), throttled(Limit::Ceiling, 60));
}

// attack 85
#[test]
fn every_spelling_of_a_name_is_one_count() {
    let mut server = Server::new();
    for spelling in ["ana", "ANA", "Ana", " ana ", "ａｎａ", "ana\t", "ANa", "anA", "aNa", "AnA"] {
        server.fail_times(1, spelling, network(1));
    }
    assert_eq!(server.fail("ana", network(1)), throttled(Limit::Name, 300));
}

// attack 85
#[test]
fn the_ceiling_counts_the_account_by_whatever_name() {
    let mut server = Server::new().with_account(1, &["ana", "ana@example.com"], network(1));
    server.fail_from_everywhere(50, "ana");
    server.fail_from_everywhere(50, "ana@example.com");
    assert_eq!(server.fail("ana", strange(500)), throttled(Limit::Ceiling, 60));
}

// attack 84
#[test]
fn all_addresses_of_a_network_are_one_count() {
    let mut server = Server::new();
    for n in 0..10_u16 {
        let address = std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, n, 1, 2, 3);
        server.fail_times(1, "ana", Network::of(address.into()));
    }
    let address = std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 99, 0, 0, 1);
    assert_eq!(server.fail("ana", Network::of(address.into())), throttled(Limit::Name, 300));
}

// attack 80, attack 107: whatever is sent, memory is bounded, and no flood wipes a count
#[test]
fn a_flood_of_names_and_networks_neither_grows_nor_forgets() {
    let mut server = Server::with_capacity(64);
    server.fail_times(9, "ana", network(1));
    server.fail_times(10, "ben", network(2));
    for n in 0..20_000 {
        server.fail_times(1, &format!("name {n}"), strange(n));
    }
    assert_eq!(server.entries(), [64, 64, 64]);
    server.fail_times(1, "ana", network(1));
    assert_eq!(server.fail("ana", network(1)), throttled(Limit::Name, 300));
    assert_eq!(server.fail("ben", network(2)), throttled(Limit::Name, 300));
}

#[test]
fn entries_whose_time_is_over_make_room_first() {
    let mut server = Server::with_capacity(64);
    server.fail_times(9, "old", network(1));
    server.wait(400);
    for n in 0..63 {
        server.fail_times(1, &format!("name {n}"), strange(n));
    }
    server.fail_times(1, "new", network(2));
    for n in 0..63 {
        server.fail_times(9, &format!("name {n}"), strange(n));
        assert_eq!(server.fail(&format!("name {n}"), strange(n)).unwrap_err().by, Limit::Name);
    }
}

#[test]
fn entries_whose_time_is_over_are_swept_away_by_new_ones() {
    let mut server = Server::new();
    for n in 0..500 {
        server.fail_times(1, &format!("old {n}"), strange(n));
    }
    server.wait(400);
    for n in 500..1000 {
        server.fail_times(1, &format!("new {n}"), strange(n));
    }
    // About one went for each that came; a name's ceiling counts for a day.
    let [pairs, networks, runs] = server.entries();
    assert!((500..550).contains(&pairs) && (500..550).contains(&networks), "{pairs} and {networks}");
    assert_eq!(runs, 1000);
}

#[test]
fn a_block_is_not_swept_away_before_its_end() {
    let mut server = Server::new();
    server.fail_times(10, "ana", network(1));
    server.wait(300);
    server.fail_times(10, "ana", network(1));
    server.wait(400);
    for n in 0..100 {
        server.fail_times(1, &format!("name {n}"), strange(n));
    }
    assert_eq!(server.fail("ana", network(1)), throttled(Limit::Name, 200));
}

#[test]
fn a_name_of_any_length_takes_the_same_room() {
    let mut server = Server::new();
    let long = "x".repeat(1 << 20);
    server.fail_times(10, &long, network(1));
    assert_eq!(server.fail(&long, network(1)), throttled(Limit::Name, 300));
}

// attack 106
#[test]
fn a_clock_that_is_set_back_neither_ends_nor_prolongs_a_block() {
    for step in [1, 3600, DAY] {
        let mut server = Server::new();
        server.fail_times(10, "ana", network(1));
        server.fail_times(9, "ben", network(1));
        server.now = server.now - Seconds(step);
        let waiting = server.fail("ana", network(1)).unwrap_err();
        assert_eq!((waiting.by, waiting.retry_after), (Limit::Name, Seconds(300)), "set back {step} seconds");
        server.fail_times(1, "ben", network(1));
        assert_eq!(server.fail("ben", network(1)), throttled(Limit::Name, 300));
        server.wait(300 + STALE_MAX.0);
        assert_eq!(server.fail("ana", network(1)), Ok(()), "set back {step} seconds");
    }
}

// attack 106: requests whose clocks were read in another order than they arrive in
#[test]
fn requests_with_an_old_now_do_not_speed_time_up() {
    let mut server = Server::new();
    server.fail_times(10, "ana", network(1));
    for _ in 0..100 {
        server.now = server.now - Seconds(100);
        server.fail("other", network(1)).ok();
        server.wait(100);
        drop(server.admit("another", network(2)));
    }
    assert_eq!(server.fail("ana", network(1)), throttled(Limit::Name, 300));
}

// attack 106
#[test]
fn a_stored_ceiling_from_a_clock_ahead_does_not_lock_anyone_out() {
    let mut server = Server::new().with_account(1, &["ana"], network(1));
    let ahead = START + Seconds(30 * DAY);
    server.stored.insert(UserId(1), Ceiling { failures: 100, last_failure: ahead });
    assert_eq!(server.fail("ana", strange(1)), Ok(()));
}

#[test]
fn nothing_shown_for_debugging_holds_a_name() {
    let server = Server::new();
    let ticket = server.admit("ana", network(1)).unwrap();
    assert!(!format!("{:?} {ticket:?}", server.guesses).contains("ana"));
}

/// What a client may do in the property tests.
#[derive(Clone, Debug)]
enum Step {
    Ask {
        name: usize,
        network: u32,
    },
    /// Settle one of the tickets that are out.
    Settle {
        ticket: prop::sample::Index,
        outcome: Outcome,
    },
    Drop {
        ticket: prop::sample::Index,
    },
    Wait {
        millis: i64,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let outcome =
        prop_oneof![6 => Just(Outcome::Wrong), 1 => Just(Outcome::Right), 1 => Just(Outcome::NotChecked)];
    let step = prop_oneof![
        10 => (0..3_usize, 0..3_u32).prop_map(|(name, network)| Step::Ask { name, network }),
        8 => (any::<prop::sample::Index>(), outcome).prop_map(|(ticket, outcome)| Step::Settle { ticket, outcome }),
        1 => any::<prop::sample::Index>().prop_map(|ticket| Step::Drop { ticket }),
        2 => prop_oneof![0..2000_i64, 0..400_000_i64].prop_map(|millis| Step::Wait { millis }),
    ];
    prop::collection::vec(step, 0..400)
}

/// A guess that reached the hasher: when, whose, and whether it is known to have been anything but wrong.
struct Guess {
    at: Timestamp,
    pair: (usize, u32),
    ticket: Option<Ticket>,
    excused: bool,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    // attack 80, attack 82: whatever the order of asking, settling and hanging up
    #[test]
    fn never_more_than_the_limit_of_wrong_guesses_reach_the_hasher_in_a_window(steps in steps()) {
        let policy = GuessPolicy { name_limit: 4, network_limit: 7, window: Seconds(300), ceiling: 1_000_000 };
        let guesses = Guesses::new(policy, 1000);
        let names = ["ana", "ben", "nobody"].map(NameKey::of_any);
        let mut now = START;
        let mut asked: Vec<Guess> = Vec::new();
        for step in steps {
            let open: Vec<usize> = (0..asked.len()).filter(|i| asked[*i].ticket.is_some()).collect();
            match step {
                Step::Ask { name, network: n } => {
                    if let Ok(ticket) = guesses.admit(&names[name], network(n), Standing::NoAccount, now) {
                        asked.push(Guess { at: now, pair: (name, n), ticket: Some(ticket), excused: false });
                    }
                    let lately = || asked.iter().filter(|guess| !guess.excused && guess.at + policy.window > now);
                    prop_assert!(lately().filter(|guess| guess.pair.1 == n).count() <= 7);
                    prop_assert!(lately().filter(|guess| guess.pair == (name, n)).count() <= 4);
                }
                Step::Settle { ticket, outcome } if !open.is_empty() => {
                    let place = *ticket.get(&open);
                    let pair = asked[place].pair;
                    asked[place].ticket.take().unwrap().settle(outcome, now);
                    asked[place].excused = outcome != Outcome::Wrong;
                    if outcome == Outcome::Right {
                        // From here on the name's count on this network starts again.
                        let over = asked.iter_mut().filter(|guess| guess.pair == pair && guess.ticket.is_none());
                        over.for_each(|guess| guess.pair = (usize::MAX, guess.pair.1));
                    }
                }
                Step::Drop { ticket } if !open.is_empty() => asked[*ticket.get(&open)].ticket = None,
                Step::Settle { .. } | Step::Drop { .. } => {}
                Step::Wait { millis } => now = Timestamp::from_millis(now.millis() + millis),
            }
        }
        // Whatever happened, nothing is held for good.
        asked.clear();
        now = now + Seconds(3 * 3600);
        for name in &names {
            for n in 0..3 {
                let admitted = guesses.admit(name, network(n), Standing::NoAccount, now);
                prop_assert!(admitted.is_ok());
                admitted.unwrap().settle(Outcome::NotChecked, now);
            }
        }
    }

    // attack 80, attack 82
    #[test]
    fn past_the_ceiling_never_more_than_one_try_a_minute_reaches_the_hasher(
        steps in prop::collection::vec((0..2_u8, 0..90_000_i64, any::<prop::sample::Index>()), 0..300)
    ) {
        let policy = GuessPolicy { name_limit: 1000, network_limit: 1000, window: Seconds(300), ceiling: 5 };
        let guesses = Guesses::new(policy, 1000);
        let name = NameKey::of_any("ana");
        let (mut now, mut stored, mut tickets, mut times) = (START, Ceiling::default(), Vec::new(), Vec::new());
        for (n, (kind, millis, pick)) in (0..).zip(steps) {
            if kind == 0 {
                let standing =
                    Standing::Account { user: UserId(1), ceiling: stored, here_before: false };
                if let Ok(ticket) = guesses.admit(&name, strange(n), standing, now) {
                    tickets.push(ticket);
                    times.push(now);
                }
            } else if !tickets.is_empty() {
                now = Timestamp::from_millis(now.millis() + millis);
                stored = stored.failed(now);
                tickets.swap_remove(pick.index(tickets.len())).settle(Outcome::Wrong, now);
            }
        }
        for pair in times.get(4..).unwrap_or_default().windows(2) {
            prop_assert!(pair[1].millis_since(pair[0]) >= 60_000, "{times:?}");
        }
    }

    // attack 106
    #[test]
    fn the_steady_clock_never_goes_back_and_never_runs_ahead(
        steps in prop::collection::vec(prop_oneof![-400_000..400_000_i64, any::<i64>()], 0..100)
    ) {
        let mut steady = Steady::default();
        let mut wall = START.millis();
        let mut last = None;
        for step in steps {
            wall = wall.saturating_add(step);
            let read = steady.read(Some(Timestamp::from_millis(wall)));
            if let Some(last) = last {
                prop_assert!(read >= last);
                prop_assert!(read.millis_since(last) <= step.max(0).unsigned_abs());
            }
            last = Some(read);
        }
    }
}
