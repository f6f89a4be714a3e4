//! A node is killed while it serves, behind nginx.

use std::thread::sleep;
use std::time::{Duration, Instant};

use countersign_testing::{Cluster, free_port};

use crate::common::http::{Connection, Request, Site};
use crate::common::nginx::{Nginx, configuration};
use crate::common::user::User;
use crate::load::Load;
use crate::nodes::{Nodes, login};

/// Where nginx calls the nodes from. It differs from where its own clients come from, as it would elsewhere.
const PROXY: &str = "127.0.0.3";

// attack 33, attack 83, attack 113
#[test]
fn behind_nginx_a_node_that_is_killed_under_load_takes_nothing_along() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    let mut nodes = Nodes::start(&database, &[&format!("--trusted-proxies={PROXY}/32")]);
    let (nginx, site) = in_front_of(&nodes);
    let mut load = Load::new(4, 2);
    nodes.create(&load.users);

    for _ in 0..3 {
        let port = port_of(&nodes.each[0].address);
        load.through(&site, |busy| {
            busy.with(40);
            // Killed, and away for a while: the other one has all the work.
            drop(nodes.each.remove(0));
            busy.with(40);
            nodes.each.push(nodes.node(port));
            // As long as nginx leaves a node alone that it couldn't reach.
            sleep(Duration::from_millis(1100));
        });
    }
    load.check(&site);
    load.check(&nodes.site());
    assert_stored(cluster, &database, &load);
    let (acknowledged, _) = load.tally();
    assert!(acknowledged > 100, "{acknowledged}");

    // What a client says of its address counts for nothing; what nginx says does.
    let mut client = Connection::new(&site);
    let user = &load.users[0];
    let session = login(&mut client, user);
    let spoofed = Request::refresh(&session).header("X-Forwarded-For", "203.0.113.9");
    let session = session.after(client.call(&spoofed).unwrap());
    let list = client.call(&Request::new("GET /accounts/sessions").of(&session)).unwrap().expect(200).body;
    let listed =
        list["sessions"].as_array().unwrap().iter().find(|listed| listed["id"] == session.id).unwrap();
    assert_eq!(listed["ip"], "127.0.0.1");
    drop(nginx);
}

/// nginx with the file that is deployed: its nodes and its port are a test's.
fn in_front_of(nodes: &Nodes) -> (Nginx, Site) {
    let address = format!("127.0.0.1:{}", free_port());
    let own = format!("{address};\n    proxy_bind {PROXY}");
    let http = configuration(
        "localhost.conf",
        &[
            ("node1:8000", &nodes.each[0].address),
            ("node2:8000", &nodes.each[1].address),
            ("listen 8080", &format!("listen {own}")),
        ],
    );
    let nginx = Nginx::new(&http).start();
    let site = Site::many(vec![address]);
    let begun = Instant::now();
    while Connection::new(&site).call(&Request::new("GET /healthz")).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(10), "nginx doesn't answer");
        sleep(Duration::from_millis(20));
    }
    (nginx, site)
}

fn port_of(address: &str) -> u16 {
    address.rsplit_once(':').unwrap().1.parse().unwrap()
}

/// The store has what users hold: each live session at its generation, each dead one ended.
pub(crate) fn assert_stored(cluster: &Cluster, database: &str, load: &Load) {
    let name = database.split_once('?').map_or(database, |(url, _)| url).rsplit_once('/').unwrap().1;
    let rows = cluster.sql(name, "SELECT id, generation, ended_at IS NULL FROM sessions");
    let stored: std::collections::HashMap<_, _> =
        rows.lines().map(|row| row.split_once('|').unwrap()).collect();
    let mut compared = 0;
    for held in load.users.iter().flat_map(User::sessions) {
        let (generation, lives) = stored[&*held.session.id].split_once('|').unwrap();
        assert_eq!(lives == "t", held.lives, "{}", held.session.id);
        if held.lives {
            assert_eq!(generation.parse::<i64>().unwrap(), held.session.generation(), "{}", held.session.id);
        }
        compared += 1;
    }
    assert!(compared > 0);
}
