//! Guesses over two nodes.

use std::thread;

use countersign_testing::Cluster;

use crate::common::http::Request;
use crate::common::user::User;
use crate::nodes::{Nodes, login};

// attack 82, attack 113
#[test]
fn of_two_hundred_parallel_guesses_over_two_nodes_no_more_than_the_limit_reach_the_hasher() {
    let nodes = Nodes::start(&Cluster::shared().database(), &[]);
    let users = [User::new(0), User::new(1)];
    nodes.create(&users);

    let answers = thread::scope(|scope| {
        let guess = |number: usize| {
            let (nodes, name) = (&nodes, &users[0].name);
            scope.spawn(move || {
                let guess = Request::login(name, "not the right password");
                nodes.to(number % 2).call(&guess).unwrap()
            })
        };
        let guesses: Vec<_> = (0..200).map(guess).collect();
        guesses.into_iter().map(|guess| guess.join().unwrap()).collect::<Vec<_>>()
    });
    let of = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((of(401), of(429)), (10, 190));

    for node in [0, 1] {
        // Nor does the right one get through, anywhere.
        let right = Request::login(&users[0].name, &users[0].password);
        nodes.to(node).call(&right).unwrap().refused(429, "throttled");
        login(&mut nodes.to(node), &users[1]);
    }
}

#[test]
fn a_right_password_at_one_node_clears_what_failed_at_both() {
    let nodes = Nodes::start(&Cluster::shared().database(), &["--throttle-name-limit=3"]);
    let users = [User::new(0)];
    nodes.create(&users);
    let fail = |node: usize| {
        let wrong = Request::login(&users[0].name, "not the right password");
        nodes.to(node).call(&wrong).unwrap()
    };
    for node in [0, 1] {
        fail(node).refused(401, "invalid_credentials");
    }
    login(&mut nodes.to(0), &users[0]);
    for node in [1, 0, 1] {
        fail(node).refused(401, "invalid_credentials");
    }
    let refused = fail(0);
    refused.refused(429, "throttled");
    let seconds: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    // The nodes agree on the time to within a fraction of a second, and what is left of the last one is rounded up.
    assert!((200..=301).contains(&seconds), "{seconds}");
}
