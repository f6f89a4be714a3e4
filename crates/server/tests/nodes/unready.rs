//! A database that is there and doesn't answer.

use countersign_testing::Cluster;

use crate::common::http::Request;
use crate::common::user::User;
use crate::nodes::{Nodes, login, profile, published_keys};

// attack 102
#[test]
fn a_node_that_hears_no_news_says_so_and_lets_nobody_in_until_it_does() {
    let cluster = Cluster::start();
    let nodes = Nodes::start(&cluster.database(), &[]);
    let users = [User::new(0)];
    nodes.create(&users);
    let session = login(&mut nodes.to(0), &users[0]);
    for node in [0, 1] {
        profile(&mut nodes.to(node), &session).expect(200);
    }
    let keys = published_keys(&mut nodes.to(0));

    let frozen = cluster.freeze();
    nodes.wait_until_ready(false);
    nodes.at_once(|node| {
        let server = &mut nodes.to(node);
        let refused = profile(server, &session);
        refused.refused(503, "unavailable");
        assert!(refused.header("retry-after").is_some());
        // What needs no database goes on: whoever verifies tokens by these keys notices nothing.
        assert_eq!(published_keys(server), keys);
        server.call(&Request::new("GET /healthz")).unwrap().expect(200);
    });
    drop(frozen);

    nodes.wait_until_ready(true);
    for node in [0, 1] {
        profile(&mut nodes.to(node), &session).expect(200);
    }
    let next = session.after(nodes.to(1).call(&Request::refresh(&session)).unwrap());
    assert_eq!(next.generation(), session.generation() + 1);
}
