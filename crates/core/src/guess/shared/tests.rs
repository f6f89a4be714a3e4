use std::collections::HashMap;
use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::super::{Ceiling, Ticket};
use super::*;
use crate::id::UserId;
use crate::time::Seconds;

const START: Timestamp = Timestamp::from_secs(1_800_000_000);
const SMALL: GuessPolicy = GuessPolicy { name_limit: 3, network_limit: 7, window: Seconds(300), ceiling: 5 };

/// Nodes over one store, and a clock that all of them have.
struct Nodes {
    each: Vec<Guesses>,
    store: HashMap<[u8; 16], Vec<u8>>,
    now: Timestamp,
    /// The only account there is: its name, its home and its ceiling as the store has it.
    account: (&'static str, Network, Ceiling),
}

/// Leave to check a password.
struct Leave {
    node: u32,
    shared: SharedTry,
    counts: SharedCounts,
}

impl Nodes {
    fn new(count: u32, policy: GuessPolicy) -> Self {
        Self {
            each: (0..count).map(|_| Guesses::new(policy, 1000)).collect(),
            store: HashMap::new(),
            now: START,
            account: ("ana", network(1), Ceiling::default()),
        }
    }

    fn standing(&self, name: &str, network: Network) -> Standing {
        let (account, home, ceiling) = self.account;
        if name != account {
            return Standing::NoAccount;
        }
        Standing::Account { user: UserId(1), ceiling, here_before: network == home }
    }

    /// The transaction of a store.
    fn change<T>(
        &mut self,
        shared: SharedTry,
        change: impl FnOnce(&mut SharedCounts) -> T,
    ) -> (T, SharedCounts) {
        let kept = shared.keys().map(|key| self.store.get(&key).cloned().unwrap_or_default());
        let mut counts = SharedCounts::read(kept.each_ref().map(Vec::as_slice));
        let result = change(&mut counts);
        self.store.extend(shared.keys().into_iter().zip(counts.stored(self.now).map(|count| count.bytes)));
        (result, counts)
    }

    fn admit(&mut self, node: u32, name: &str, network: Network) -> Result<Leave, Throttled> {
        let (standing, now) = (self.standing(name, network), self.now);
        let name = NameKey::of_any(name);
        let own = self.each[node as usize].clone();
        let ticket: Ticket = own.admit(&name, network, standing, now)?;
        let shared = own.shared(&name, network, standing);
        let (result, counts) = self.change(shared, |counts| shared.admit(counts, now));
        ticket.settle(Outcome::NotChecked, now);
        own.learn(&shared, &counts, now);
        result.map(|()| Leave { node, shared, counts })
    }

    fn settle(&mut self, name: &str, leave: &Leave, outcome: Outcome) {
        let now = self.now;
        if name == self.account.0 {
            match outcome {
                Outcome::Right => self.account.2 = Ceiling::default(),
                Outcome::Wrong => self.account.2 = self.account.2.failed(now),
                Outcome::NotChecked => {}
            }
        }
        if leave.shared.must_tell(outcome, &leave.counts) {
            let ((), counts) = self.change(leave.shared, |counts| leave.shared.settle(counts, outcome, now));
            self.each[leave.node as usize].learn(&leave.shared, &counts, now);
        }
    }

    fn attempt(
        &mut self,
        node: u32,
        name: &str,
        network: Network,
        outcome: Outcome,
    ) -> Result<(), Throttled> {
        let leave = self.admit(node, name, network)?;
        self.settle(name, &leave, outcome);
        Ok(())
    }

    fn fail(&mut self, node: u32, name: &str, network: Network) -> Result<(), Throttled> {
        self.attempt(node, name, network, Outcome::Wrong)
    }

    fn wait(&mut self, seconds: u32) {
        self.now = self.now + Seconds(seconds);
    }
}

fn network(n: u32) -> Network {
    Network::of(Ipv4Addr::from(0x0a00_0000 + n).into())
}

fn throttled(by: Limit, seconds: u32) -> Result<(), Throttled> {
    Err(Throttled { retry_after: Seconds(seconds), by })
}

// attack 82, attack 113
#[test]
fn two_hundred_parallel_guesses_over_two_nodes_get_no_more_leaves_than_over_one() {
    let mut nodes = Nodes::new(2, GuessPolicy::default());
    let leaves: Vec<_> = (0..200).filter_map(|n| nodes.admit(n % 2, "ana", network(1)).ok()).collect();
    assert_eq!(leaves.len(), 10);
    for leave in leaves {
        nodes.settle("ana", &leave, Outcome::Wrong);
    }
    assert_eq!(nodes.fail(0, "ana", network(1)), throttled(Limit::Name, 300));
    assert_eq!(nodes.fail(1, "ana", network(1)), throttled(Limit::Name, 300));
}

// attack 82
#[test]
fn what_nobody_hears_of_any_more_has_failed() {
    let mut nodes = Nodes::new(2, SMALL);
    for n in 0..3 {
        let _ = nodes.admit(n % 2, "ana", network(1)).unwrap();
    }
    // No block has begun, since nobody was there to begin it; but there is no place either, until they are old.
    assert_eq!(nodes.fail(0, "ana", network(1)), throttled(Limit::Name, 1));
    nodes.wait(316);
    assert_eq!(nodes.fail(1, "ana", network(1)), Ok(()));
}

#[test]
fn whoever_is_refused_by_all_nodes_is_refused_by_the_next_one_alone() {
    let mut nodes = Nodes::new(2, SMALL);
    for _ in 0..3 {
        nodes.fail(0, "ana", network(1)).unwrap();
    }
    assert_eq!(nodes.fail(1, "ana", network(1)), throttled(Limit::Name, 300));
    nodes.store.clear();
    for node in [0, 1] {
        assert_eq!(nodes.fail(node, "ana", network(1)), throttled(Limit::Name, 300));
    }
}

// attack 106
#[test]
fn nodes_whose_clocks_differ_do_not_make_failures_age() {
    let mut nodes = Nodes::new(2, SMALL);
    let mut admitted = 0;
    for n in 0..20 {
        // The second one's clock is two minutes ahead. Each name fails once, so that only their network's count is met.
        admitted += u32::from(nodes.admit(0, &format!("a{n}"), network(1)).is_ok());
        nodes.now = nodes.now + Seconds(120);
        admitted += u32::from(nodes.admit(1, &format!("b{n}"), network(1)).is_ok());
        nodes.now = nodes.now - Seconds(120);
    }
    assert_eq!(admitted, 7);
}

#[test]
fn a_right_password_at_one_node_clears_the_count_at_the_others() {
    let mut nodes = Nodes::new(2, SMALL);
    nodes.fail(1, "ana", network(1)).unwrap();
    nodes.fail(1, "ana", network(1)).unwrap();
    nodes.attempt(0, "ana", network(1), Outcome::Right).unwrap();
    for _ in 0..3 {
        nodes.fail(1, "ana", network(1)).unwrap();
    }
    assert_eq!(nodes.fail(1, "ana", network(1)), throttled(Limit::Name, 300));
}

// attack 79, attack 113: a name that is no account is treated as if it were one, at every node
#[test]
fn past_the_ceiling_all_nodes_share_one_try_a_minute_whether_the_account_exists_or_not() {
    for name in ["ana", "nobody"] {
        let mut nodes = Nodes::new(2, SMALL);
        for n in 0..5 {
            nodes.fail(n % 2, name, network(10 + n)).unwrap();
        }
        assert_eq!(nodes.fail(0, name, network(20)), throttled(Limit::Ceiling, 60), "{name}");
        nodes.wait(60);
        let leave = nodes.admit(1, name, network(21)).unwrap();
        assert_eq!(nodes.fail(0, name, network(22)), throttled(Limit::Ceiling, 60), "{name}");
        nodes.settle(name, &leave, Outcome::Wrong);
        nodes.wait(59);
        assert_eq!(nodes.fail(0, name, network(23)), throttled(Limit::Ceiling, 1), "{name}");
    }
}

// attack 82
#[test]
fn parallel_guesses_from_everywhere_do_not_outrun_the_ceiling_before_they_are_stored() {
    let mut nodes = Nodes::new(2, SMALL);
    let leaves: Vec<_> = (0..50).filter_map(|n| nodes.admit(n % 2, "ana", network(10 + n)).ok()).collect();
    assert_eq!(leaves.len(), 5);
}

#[test]
fn an_unlocked_account_is_open_once_no_failure_can_still_be_unwritten() {
    let mut nodes = Nodes::new(2, SMALL);
    for n in 0..5 {
        nodes.fail(n % 2, "ana", network(10 + n)).unwrap();
    }
    nodes.account.2 = Ceiling::default();
    assert_eq!(nodes.fail(1, "ana", network(20)), throttled(Limit::Ceiling, 60));
    nodes.wait(5);
    assert_eq!(nodes.fail(1, "ana", network(20)), Ok(()));
}

#[test]
fn an_account_that_is_unlocked_in_the_shared_counts_too_is_open_at_once() {
    let mut nodes = Nodes::new(2, SMALL);
    for n in 0..5 {
        nodes.fail(n % 2, "ana", network(10 + n)).unwrap();
    }
    nodes.account.2 = Ceiling::default();
    // Whoever unlocks it is on no network that has failed, and needn't know the name.
    let standing = nodes.standing("ana", network(30));
    let shared = nodes.each[0].shared(&NameKey::of_any("1"), network(30), standing);
    nodes.change(shared, |counts| shared.unlock(counts));
    nodes.wait(1);
    for node in [0, 1] {
        assert_eq!(nodes.fail(node, "ana", network(20)), Ok(()));
    }
}

#[test]
fn what_is_no_count_counts_nothing() {
    let shared = Guesses::new(SMALL, 10).shared(&NameKey::of_any("ana"), network(1), Standing::NoAccount);
    let mut good = SharedCounts::default();
    shared.admit(&mut good, START).unwrap();
    let [pair, _, run] = good.stored(START).map(|count| count.bytes);
    for bytes in [&[][..], &[0], &[255; 68], &[1; 67], &[1; 69], &[2; 68], &run, &pair[..67]] {
        let read = SharedCounts::read([bytes, bytes, &[9]]);
        assert_eq!(read.stored(START).map(|count| count.worth), [0; 3], "{bytes:?}");
    }
}

proptest! {
    // What decides is the same: only the place where it is counted differs.
    #[test]
    fn one_after_the_other_many_nodes_answer_as_one_server_does(
        acts in prop::collection::vec((0..3_u32, 0..3_usize, 0..3_u32, 0..4_usize, 0..200_u32), 0..120),
    ) {
        let policy = GuessPolicy { ceiling: 1000, ..SMALL };
        let mut nodes = Nodes::new(3, policy);
        let one = Guesses::new(policy, 1000);
        for (node, name, place, outcome, wait) in acts {
            let name = ["ana", "ben", "eve"][name];
            let outcome = [Outcome::Wrong, Outcome::Wrong, Outcome::Right, Outcome::NotChecked][outcome];
            let standing = nodes.standing(name, network(place));
            let expected = one.admit(&NameKey::of_any(name), network(place), standing, nodes.now);
            let expected = expected.map(|ticket| ticket.settle(outcome, nodes.now));
            prop_assert_eq!(nodes.attempt(node, name, network(place), outcome), expected);
            nodes.wait(wait);
        }
    }

    #[test]
    fn one_after_the_other_many_nodes_keep_the_ceiling_of_one(
        acts in prop::collection::vec((0..3_u32, 0..2_usize, 0..40_u32, 0..12_usize, 0..90_u32), 0..120),
    ) {
        let policy = GuessPolicy { network_limit: 1000, name_limit: 1000, ..SMALL };
        let mut nodes = Nodes::new(3, policy);
        let one = Guesses::new(policy, 1000);
        for (node, name, place, outcome, wait) in acts {
            let name = ["ana", "ben"][name];
            let outcome = if outcome == 0 { Outcome::Right } else { Outcome::Wrong };
            let standing = nodes.standing(name, network(place));
            let expected = one.admit(&NameKey::of_any(name), network(place), standing, nodes.now);
            let expected = expected.map(|ticket| ticket.settle(outcome, nodes.now));
            prop_assert_eq!(nodes.attempt(node, name, network(place), outcome), expected);
            nodes.wait(wait);
        }
    }

    #[test]
    fn a_count_survives_the_store(
        failures in prop::collection::vec(0..400_u32, 0..40), blocks in 0..4_u16,
    ) {
        let shared = Guesses::new(SMALL, 10).shared(&NameKey::of_any("a"), network(1), Standing::NoAccount);
        let mut counts = SharedCounts::default();
        let mut now = START;
        for wait in failures {
            now = now + Seconds(wait);
            let _ = shared.admit(&mut counts, now);
            if wait % 4 < blocks.into() {
                shared.settle(&mut counts, Outcome::Wrong, now);
            }
        }
        let stored = counts.stored(now);
        let read = SharedCounts::read(stored.each_ref().map(|count| &*count.bytes));
        prop_assert_eq!(read.stored(now), stored);
        let admitted = shared.admit(&mut { read }, now);
        prop_assert_eq!(admitted, shared.admit(&mut { counts }, now));
    }
}
