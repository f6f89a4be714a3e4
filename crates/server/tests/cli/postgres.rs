//! The program over PostgreSQL: two nodes, two roles, as `docs/postgresql.md` sets them up.

use std::thread::sleep;
use std::time::{Duration, Instant};

use countersign_testing::Cluster;

use crate::support::{Answer, Scene, Server};

const ROOT: &str = "cm9vdCBzZWNyZXQgcm9vdCBzZWNyZXQgcm9vdCBzZWNyZXQ=";
const REFRESH: &str = "cmVmcmVzaCBzZWNyZXQgcmVmcmVzaCBzZWNyZXQgcmVm";
const PASSWORD: &str = "correct horse battery staple";

/// The blocks of SQL that the page has its readers run.
fn sql_of_the_page() -> Vec<&'static str> {
    let page = include_str!("../../../../docs/postgresql.md");
    page.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

fn with_url<'a>(url: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&[("COUNTERSIGN_DATABASE_URL", url)][..], more].concat()
}

const SECRETS: [(&str, &str); 2] =
    [("COUNTERSIGN_ROOT_SECRET", ROOT), ("COUNTERSIGN_REFRESH_TOKEN_SECRET", REFRESH)];

fn node(scene: &Scene, url: &str) -> Server {
    let mut command = scene.command(&[]);
    command.envs(with_url(url, &SECRETS)).env("COUNTERSIGN_PUBLIC_URL", "http://localhost:8000");
    Server::start(command)
}

/// The tokens of a login: the access token and the CSRF token.
fn tokens(answer: &str) -> (String, String) {
    let body = answer.split("\r\n\r\n").nth(1).unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"));
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    (text("access_token"), text("csrf_token"))
}

// attack 113
#[test]
fn nodes_that_share_a_database_share_users_keys_and_ends_and_need_no_right_to_change_tables() {
    let cluster = Cluster::start();
    let url = |role: &str| cluster.url("countersign").replace("postgres@", &format!("{role}@"));
    let (owner, app) = (url("countersign_owner"), url("countersign_app"));
    let [make_roles, grant, restrict] = sql_of_the_page()[..] else { panic!("the page has changed") };
    // One by one: a database isn't made in a transaction.
    for statement in make_roles.split(';').filter(|statement| !statement.trim().is_empty()) {
        cluster.sql("postgres", statement);
    }
    cluster.sql("countersign", grant);
    let scene = Scene::new();

    let early = scene.run_in(&with_url(&app, &SECRETS), &["serve"]);
    assert_eq!(early.code, 1, "{early:?}");
    assert!(early.stderr.contains("version 0") && early.stderr.contains("countersign migrate"), "{early:?}");

    let migrated = scene.run_in(&with_url(&owner, &[]), &["migrate"]);
    assert_eq!((migrated.code, &*migrated.stdout), (0, "The database is up to date.\n"), "{migrated:?}");
    assert!(!scene.path("countersign-data").exists(), "it needs no secret");
    cluster.sql("countersign", restrict);

    let environment = with_url(&app, &[&SECRETS[..], &[("COUNTERSIGN_PASSWORD", PASSWORD)]].concat());
    let made = scene.run_in(
        &environment,
        &["createsuperuser", "--noinput", "--username", "ana", "--email", "ana@example.com"],
    );
    assert_eq!(made.code, 0, "{made:?}");

    let nodes = [node(&scene, &app), node(&scene, &app)];
    let (access, csrf) = tokens(&nodes[0].login("ana", PASSWORD));
    let authorization = format!("Authorization: Bearer {access}\r\n");
    let profile = |node: &Server| node.request("GET /accounts/profile", &[&authorization], "");
    for node in &nodes {
        assert!(profile(node).contains("\"username\":\"ana\""), "{}", profile(node));
        assert!(node.request("GET /readyz", &[], "").starts_with("HTTP/1.1 200"));
    }
    let logout =
        nodes[1].request("POST /accounts/logout", &[&authorization, &format!("X-CSRFTOKEN: {csrf}\r\n")], "");
    assert!(logout.starts_with("HTTP/1.1 204"), "{logout}");
    let ended = Instant::now();
    assert!(profile(&nodes[1]).contains("session_ended"), "{}", profile(&nodes[1]));
    while !profile(&nodes[0]).contains("session_ended") {
        assert!(ended.elapsed() < Duration::from_secs(1), "not known at the other node within a second");
        sleep(Duration::from_millis(20));
    }
    for node in nodes {
        assert_eq!(node.stop().code, 0);
    }

    cluster.sql("countersign", "UPDATE countersign_schema SET version = 99");
    let newer = scene.run_in(&with_url(&app, &SECRETS), &["serve"]);
    assert_eq!(newer.code, 1);
    assert!(newer.stderr.contains("made by a newer Countersign (it is at version 99"), "{newer:?}");
}

// attack 116
#[test]
fn the_password_of_a_database_is_shown_nowhere() {
    let scene = Scene::new();
    let url = "postgres://ana:hunter2@127.0.0.1:1,127.0.0.1:1/auth?sslmode=require";
    let is_told = |answer: &Answer, code, what: &str| {
        assert_eq!(answer.code, code, "{answer:?}");
        assert!(answer.all().contains(what), "{answer:?}");
        assert!(!answer.all().contains("hunter2"), "{answer:?}");
    };
    let check = scene.run_in(&with_url(url, &SECRETS), &["check", "--deploy"]);
    let shown = ["database_url", "postgres://ana@127.0.0.1:1,127.0.0.1:1/auth", "COUNTERSIGN_DATABASE_URL"];
    assert_eq!(check.line("database_url"), shown);
    is_told(&check, 1, "not fit for production");
    is_told(&scene.run_in(&with_url(url, &SECRETS), &["serve"]), 1, "can't be opened");
    is_told(&scene.run_in(&with_url(url, &[]), &["migrate"]), 1, "can't be opened");
    is_told(&scene.run_in(&with_url(url, &[]), &["--help"]), 0, "Usage");
    let missing = scene.run_in(&with_url(url, &SECRETS[..1]), &["check"]);
    is_told(&missing, 2, "refresh_token_secret (default): is needed with a PostgreSQL database");
    is_told(&missing, 2, "openssl rand -base64 48");
}

#[test]
fn a_copy_to_postgresql_says_what_came_along_and_keeps_a_login_alive() {
    let scene = Scene::new();
    let password = [("COUNTERSIGN_PASSWORD", PASSWORD)];
    let arguments = ["createsuperuser", "--noinput", "--username", "ana", "--email", "ana@example.com"];
    let made = scene.run_in(&[&password[..], &SECRETS].concat(), &arguments);
    assert_eq!(made.code, 0, "{made:?}");
    let mut command = scene.command(&[]);
    command.envs(SECRETS).env("COUNTERSIGN_PUBLIC_URL", "http://localhost:8000");
    let server = Server::start(command);
    let (access, _) = tokens(&server.login("ana", PASSWORD));
    let (from, to) = ("sqlite:countersign-data/countersign.db", Cluster::shared().database());
    let copy = |from: &str, to: &str| scene.run(&["copy", "--from", from, "--to", to]);
    let served = copy(from, &to);
    assert_eq!(served.code, 1, "{served:?}");
    assert!(served.stderr.starts_with("error: --from: "), "{served:?}");
    assert_eq!(server.stop().code, 0);

    for (from, to, complaint) in [
        ("sqlite:nowhere.db", &*to, "there is no database nowhere.db"),
        ("mysql://localhost", &to, "--from names no database that is known"),
        (from, from, "the same database"),
    ] {
        let refused = copy(from, to);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.stderr.contains(complaint), "{refused:?}");
    }
    let copied = copy(from, &to);
    assert_eq!(copied.code, 0, "{copied:?}");
    assert_eq!(copied.line("users"), ["users", "1"]);
    assert_eq!(copied.line("sessions"), ["sessions", "1"]);
    let node = node(&scene, &to);
    let authorization = format!("Authorization: Bearer {access}\r\n");
    let profile = node.request("GET /accounts/profile", &[&authorization], "");
    assert!(profile.contains("\"username\":\"ana\""), "{profile}");
}
