//! The database is killed under load, and comes back.

use std::thread::sleep;
use std::time::Duration;

use countersign_testing::Cluster;

use crate::load::Load;
use crate::node_dies::assert_stored;
use crate::nodes::Nodes;

// attack 33, attack 100, attack 102
#[test]
fn what_was_acknowledged_survives_a_database_that_is_killed_under_load() {
    let cluster = Cluster::start();
    let database = cluster.database();
    let nodes = Nodes::start(&database, &[]);
    let site = nodes.site();
    let mut load = Load::new(4, 3);
    nodes.create(&load.users);

    for round in 0..2 {
        load.through(&site, |busy| {
            busy.with(100);
            cluster.kill();
            sleep(Duration::from_millis(500 * round));
            cluster.start_again();
            // Nodes find it again by themselves.
            nodes.wait_until_ready(true);
            busy.with(20);
        });
        load.check(&site);
    }
    assert_stored(&cluster, &database, &load);
    let (acknowledged, repeated) = load.tally();
    println!("{acknowledged} acknowledged, {repeated} repeated");
    assert!(acknowledged > 100 && repeated > 0);
}
