//! Many clients with one session, at two nodes.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use countersign_testing::Cluster;

use crate::common::dice::Dice;
use crate::common::http::{Request, Session};
use crate::common::user::User;
use crate::nodes::{Nodes, login, profile};

const CLIENTS: usize = 16;

// attack 29
#[test]
fn sixteen_clients_that_race_one_session_through_two_nodes_all_go_on_with_one_successor() {
    let nodes = Nodes::start(&Cluster::shared().database(), &["--rotation-grace=1"]);
    let users = [User::new(0)];
    nodes.create(&users);
    let mut session = login(&mut nodes.to(0), &users[0]);
    for _ in 0..4 {
        // Past the grace of the last rotation, so that the next use rotates.
        thread::sleep(Duration::from_millis(1050));
        let answers = race(&nodes, |_| Request::refresh(&session), &session);
        let generations: Vec<_> = answers.iter().map(Session::generation).collect();
        assert_eq!(generations, vec![session.generation() + 1; CLIENTS]);
        session = answers.into_iter().next().unwrap();
    }
    profile(&mut nodes.to(1), &session).expect(200);
}

// attack 29, attack 31
#[test]
fn sixteen_repeats_of_one_request_at_two_nodes_are_one_rotation_without_any_grace() {
    let nodes = Nodes::start(&Cluster::shared().database(), &[]);
    let users = [User::new(0)];
    nodes.create(&users);
    let mut session = login(&mut nodes.to(0), &users[0]);
    let mut dice = Dice::new(1);
    for _ in 0..20 {
        let key = dice.key();
        let answers = race(&nodes, |_| Request::refresh(&session).header("Idempotency-Key", &key), &session);
        let generations: Vec<_> = answers.iter().map(Session::generation).collect();
        assert_eq!(generations, vec![session.generation() + 1; CLIENTS]);
        session = answers.into_iter().next().unwrap();
    }
}

/// Lets all clients do this at once, each other one at the other node; what each of them holds then.
fn race<'a>(nodes: &Nodes, request: impl Fn(usize) -> Request<'a> + Sync, session: &Session) -> Vec<Session> {
    let start = Barrier::new(CLIENTS);
    thread::scope(|scope| {
        let client = |number: usize| {
            let (start, request) = (&start, &request);
            scope.spawn(move || {
                let mut server = nodes.to(number % 2);
                // The connection is there already.
                server.call(&Request::new("GET /healthz")).unwrap();
                start.wait();
                session.after(server.call(&request(number)).unwrap())
            })
        };
        let clients: Vec<_> = (0..CLIENTS).map(client).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    })
}
