//! `postgres/countersign_app.sh`.

use std::process::Stdio;

use countersign_testing::Cluster;

use crate::common::nginx::folder;
use crate::support::Scene;

#[test]
fn nodes_serve_with_the_role_that_the_script_makes_and_may_change_no_table() {
    let cluster = Cluster::shared();
    // PostgreSQL's image makes its user a superuser.
    cluster.sql("postgres", "CREATE ROLE deployed SUPERUSER LOGIN");
    cluster.sql("postgres", "CREATE DATABASE deployed OWNER deployed");
    let scene = Scene::new();
    let script = folder().join("../postgres/countersign_app.sh");
    let mut command = scene.command_of("sh", &[script.to_str().unwrap()]);
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("PGHOST", "127.0.0.1");
    command
        .env("PGPORT", cluster.port().to_string())
        .env("POSTGRES_USER", "deployed")
        .env("POSTGRES_DB", "deployed");
    command.env("COUNTERSIGN_APP_PASSWORD", "it's a \"password\"");
    let made = command.stdin(Stdio::null()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

    let environment = |role: &str| {
        vec![
            ("COUNTERSIGN_DATABASE_URL", format!("postgres://{role}@127.0.0.1:{}/deployed", cluster.port())),
            ("COUNTERSIGN_ROOT_SECRET", "cm9vdCBzZWNyZXQgcm9vdCBzZWNyZXQgcm9vdCBzZWNyZXQ=".to_owned()),
            ("COUNTERSIGN_REFRESH_TOKEN_SECRET", "cmVmcmVzaCBzZWNyZXQgcmVmcmVzaCBzZWNyZXQgcmVm".to_owned()),
            ("COUNTERSIGN_PASSWORD", "a plum tree in autumn".to_owned()),
        ]
    };
    let run = |role: &str, arguments: &[&str]| {
        let environment = environment(role);
        let pairs: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        scene.run_in(&pairs, arguments)
    };
    // The tables are the owner's to make.
    assert_ne!(run("countersign_app", &["migrate"]).code, 0);
    assert_eq!(run("deployed", &["migrate"]).code, 0);
    let created = run("countersign_app", &["createuser", "--noinput", "--username", "ana"]);
    assert_eq!(created.code, 0, "{created:?}");

    let mut serve = scene.command(&["serve"]);
    serve
        .envs(environment("countersign_app").into_iter().filter(|(name, _)| *name != "COUNTERSIGN_PASSWORD"));
    let server = crate::support::Server::start(serve);
    assert!(server.login("ana", "not the right password").starts_with("HTTP/1.1 401"));
    assert!(server.login("ana", "a plum tree in autumn").starts_with("HTTP/1.1 200"));
    assert_eq!(server.stop().code, 0);
}
