//! `nginx/`.

use crate::common::nginx::{Nginx, configuration};

/// In place of names that only compose's network knows.
const NODES: [(&str, &str); 2] = [("node1:8000", "127.0.0.1:8001"), ("node2:8000", "127.0.0.1:8002")];

#[test]
fn nginx_takes_the_configuration_with_tls() {
    let tls = format!("{}/tests/cli/tls", env!("CARGO_MANIFEST_DIR"));
    let nginx = Nginx::new(&configuration(
        "countersign.conf",
        &[
            ("/etc/ssl/countersign/fullchain.pem", &format!("{tls}/localhost.pem")),
            ("/etc/ssl/countersign/key.pem", &format!("{tls}/localhost.key")),
        ],
    ));
    nginx.check().unwrap();
}

#[test]
fn nginx_takes_the_configuration_of_compose() {
    Nginx::new(&configuration("localhost.conf", &NODES)).check().unwrap();
}

#[test]
fn a_mistake_in_the_configuration_would_be_seen() {
    let mistaken = configuration("localhost.conf", &NODES).replace("proxy.conf;", "proxi.conf;");
    assert!(Nginx::new(&mistaken).check().unwrap_err().contains("proxi.conf"));
}

#[test]
fn both_configurations_treat_the_nodes_alike() {
    let upstream = |file| {
        let text = configuration(file, &[]);
        let block =
            text.split_once("upstream countersign {").unwrap().1.split_once('}').unwrap().0.to_owned();
        let kept = |line: &&str| !line.trim().starts_with('#') && !line.trim().is_empty();
        let lines: Vec<_> = block.lines().filter(kept).map(|line| line.trim().to_owned()).collect();
        lines
    };
    let without_address = |lines: Vec<String>| {
        let address = |line: String| match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["server", _, rest @ ..] => format!("server {}", rest.join(" ")),
            _ => line,
        };
        lines.into_iter().map(address).collect::<Vec<_>>()
    };
    assert_eq!(without_address(upstream("countersign.conf")), without_address(upstream("localhost.conf")));
}
