//! Counts of guesses that several nodes share. An engine with one server has none.

use countersign_core::Seconds;
use countersign_core::guess::{GuessPolicy, Guesses, Outcome, SharedCounts, SharedTry, Standing};
use countersign_store::{CountKey, Store};

use crate::support::{START, at, key, laptop, stores, stranger};

const POLICY: GuessPolicy =
    GuessPolicy { name_limit: 10, network_limit: 100, window: Seconds(300), ceiling: 1000 };

// attack 82
#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_tries_at_once_as_many_are_let_in_as_may_be() {
    for store in stores() {
        let guess = of("ana");
        if !is_shared(&store, guess).await {
            continue;
        }
        let tries = (0..200).map(|_| {
            let store = store.handle();
            tokio::spawn(async move { admit(&store, guess).await })
        });
        let mut admitted = 0;
        for let_in in tries.collect::<Vec<_>>() {
            admitted += u32::from(let_in.await.unwrap());
        }
        assert_eq!(admitted, 10);
        // Whoever is right starts from the beginning; others aren't concerned.
        assert!(admit(&store, of("ben")).await);
        settle(&store, guess, Outcome::Right).await;
        assert!(admit(&store, guess).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_that_share_counts_in_any_order_never_wait_in_a_circle() {
    for store in stores() {
        if !is_shared(&store, of("ana")).await {
            continue;
        }
        let tries = (0..120).map(|number| {
            let store = store.handle();
            tokio::spawn(async move { admit(&store, of(["ana", "ben", "eve"][number % 3])).await })
        });
        let mut admitted = 0;
        for let_in in tries.collect::<Vec<_>>() {
            admitted += u32::from(let_in.await.unwrap());
        }
        // As many as the three names may have; their network's limit is higher.
        assert_eq!(admitted, 30);
    }
}

#[tokio::test]
async fn what_is_over_is_cleaned_up_and_what_counts_stays() {
    for store in stores() {
        if !is_shared(&store, of("ana")).await {
            continue;
        }
        for _ in 0..10 {
            assert!(admit(&store, of("ana")).await);
        }
        // Its counts are worth nothing any more; ana's are.
        assert!(admit(&store, of("ben")).await);
        settle(&store, of("ben"), Outcome::Right).await;
        let then = at(1);
        assert_eq!(store.clean_up(then, then, then).await.unwrap(), 2);
        assert_eq!(store.clean_up(then, then, then).await.unwrap(), 0);
        assert!(!admit(&store, of("ana")).await);
    }
}

/// A try at a name that is nobody's, from the laptop.
fn of(name: &str) -> SharedTry {
    Guesses::new(POLICY, 1).shared(&key(name), laptop().network(), Standing::NoAccount)
}

/// Whether the engine has counts that nodes share. It is asked about somebody who is nowhere else.
async fn is_shared(store: &Store, guess: SharedTry) -> bool {
    let other = Guesses::new(POLICY, 1).shared(&key("x"), stranger().network(), Standing::NoAccount);
    let looked = store.change_counts(keys(other), |_| (), START).await.unwrap();
    assert_ne!(keys(other), keys(guess));
    // Nothing was counted.
    let then = at(1);
    store.clean_up(then, then, then).await.unwrap();
    looked.is_some()
}

async fn admit(store: &Store, guess: SharedTry) -> bool {
    let answer = store.change_counts(keys(guess), move |counts| guess.admit(counts, START), START).await;
    answer.unwrap().unwrap().0.is_ok()
}

async fn settle(store: &Store, guess: SharedTry, outcome: Outcome) {
    let settle = move |counts: &mut SharedCounts| guess.settle(counts, outcome, START);
    store.change_counts(keys(guess), settle, START).await.unwrap();
}

fn keys(guess: SharedTry) -> [CountKey; 3] {
    guess.keys().map(CountKey)
}
