//! The tools, alone and beside a running server.

use std::time::{Duration, Instant};

use crate::support::{Scene, Server};

const PASSWORD: &str = "a plum tree in autumn";
const NEXT: &str = "an old pear in winter";
const GIVEN: &[(&str, &str)] = &[("COUNTERSIGN_PASSWORD", PASSWORD)];

fn with_ana() -> Scene {
    let scene = Scene::new();
    let answer =
        scene.run_in(GIVEN, &["createuser", "--noinput", "--username", "ana", "--email", "a@b.example"]);
    assert_eq!((answer.code, &*answer.stdout, &*answer.stderr), (0, "The user ana was created.\n", ""));
    scene
}

/// The access token and the CSRF token of a login.
fn tokens(answer: &str) -> (String, String) {
    let body = answer.split("\r\n\r\n").nth(1).unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    (text("access_token"), text("csrf_token"))
}

fn profile(server: &Server, access: &str) -> String {
    server.request("GET /accounts/profile", &[&format!("Authorization: Bearer {access}\r\n")], "")
}

/// Tries until it holds; the contract gives it a second, a busy machine some more.
fn soon(holds: impl Fn() -> bool) -> Duration {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(10), "it never held");
        std::thread::sleep(Duration::from_millis(20));
    }
    start.elapsed()
}

#[test]
fn a_user_is_made_without_being_asked() {
    let scene = with_ana();
    let answer = scene.run_in(GIVEN, &["createsuperuser", "--noinput", "--username", "root", "--email", ""]);
    assert_eq!((answer.code, &*answer.stdout), (0, "The superuser root was created.\n"));
    let server = scene.serve(&["serve"]);
    assert!(server.login("ana", PASSWORD).starts_with("HTTP/1.1 200"));
    assert!(server.login("root", PASSWORD).starts_with("HTTP/1.1 200"));
}

// attack 96
#[test]
fn a_fresh_server_has_no_account() {
    let scene = Scene::new();
    let server = scene.serve(&["serve"]);
    let unknown = scene.run(&["sessions", "list", "admin"]);
    assert_eq!((unknown.code, &*unknown.stderr), (1, "error: there is no user admin\n"));
    for (username, password) in
        [("admin", "admin"), ("root", "root"), ("demo", "demo"), ("admin", "password")]
    {
        let answer = server.login(username, password);
        assert!(answer.contains("invalid_credentials"), "{answer}");
    }
}

#[test]
fn refusals_exit_1_and_say_why() {
    let scene = with_ana();
    let short = [("COUNTERSIGN_PASSWORD", "short")];
    for (environment, arguments, reason) in [
        (GIVEN, &["createuser", "--noinput", "--username", "ANA"][..], "exists already"),
        (GIVEN, &["createuser", "--noinput", "--username", "a b"], "only letters, digits"),
        (GIVEN, &["createuser", "--noinput", "--username", "ben", "--email", "ben"], "name@example.com"),
        (&short, &["createuser", "--noinput", "--username", "ben"], "characters"),
        (&short, &["changepassword", "ana"], "characters"),
        (GIVEN, &["changepassword", "ben"], "there is no user ben"),
        (&[], &["sessions", "list", "ben"], "there is no user ben"),
        (&[], &["sessions", "end", "--user", "ben"], "there is no user ben"),
        (&[], &["sessions", "end", "01890000-0000-7000-8000-000000000000"], "there is no session 01890000-"),
        (&[], &["keys", "prune", "--kid", "none"], "there is no key none"),
        (&[], &["keys", "prune", "--kid", "-one"], "there is no key -one"),
    ] {
        let answer = scene.run_in(environment, arguments);
        assert_eq!((answer.code, &*answer.stdout), (1, ""), "{arguments:?}: {answer:?}");
        assert!(answer.stderr.starts_with("error: ") && answer.stderr.contains(reason), "{answer:?}");
        assert!(!answer.stderr.contains(PASSWORD));
    }
}

#[test]
fn wrong_use_exits_2_and_says_what_to_do() {
    let scene = Scene::new();
    for (environment, arguments, advice) in [
        (GIVEN, &["createuser", "--noinput"][..], "--username"),
        (&[], &["createuser", "--noinput", "--username", "ana"], "COUNTERSIGN_PASSWORD"),
        (&[], &["changepassword", "ana", "--noinput"], "COUNTERSIGN_PASSWORD"),
        (&[], &["createuser", "--username", "ana"], "--noinput"),
        (&[], &["changepassword", "ana"], "COUNTERSIGN_PASSWORD"),
        (&[], &["changepassword"], "<USERNAME>"),
        (&[], &["sessions", "end"], "SESSION"),
        (&[], &["sessions", "end", "not-an-id"], "not a session id"),
        (&[], &["keys", "list", "--leeway", "x"], "leeway (from --leeway)"),
    ] {
        let answer = scene.run_in(environment, arguments);
        assert_eq!((answer.code, &*answer.stdout), (2, ""), "{arguments:?}: {answer:?}");
        assert!(answer.stderr.contains(advice), "{arguments:?}: {answer:?}");
    }
}

// attack 37, attack 44
#[test]
fn a_password_changed_beside_a_server_ends_the_sessions_there() {
    let scene = with_ana();
    let server = scene.serve(&["serve"]);
    let (access, _) = tokens(&server.login("ana", PASSWORD));
    assert!(profile(&server, &access).starts_with("HTTP/1.1 200"));
    let answer = scene.run_in(&[("COUNTERSIGN_PASSWORD", NEXT)], &["changepassword", "ana"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    soon(|| profile(&server, &access).contains("session_ended"));
    assert!(server.login("ana", PASSWORD).starts_with("HTTP/1.1 401"));
    assert!(server.login("ana", NEXT).starts_with("HTTP/1.1 200"));
}

// attack 44
#[test]
fn sessions_are_listed_and_ended_beside_a_server() {
    let scene = with_ana();
    let server = scene.serve(&["serve"]);
    let answer = scene.run(&["sessions", "list", "ana"]);
    assert_eq!((answer.code, &*answer.stdout), (0, "ana is not signed in anywhere.\n"));
    let (first, _) = tokens(&server.login("ana", PASSWORD));
    let (second, _) = tokens(&server.login("ana", PASSWORD));
    let answer = scene.run(&["sessions", "list", "ana"]);
    let ids: Vec<_> = answer.stdout.lines().skip(1).filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(ids.len(), 2, "{answer:?}");
    assert!(answer.stdout.contains("127.0.0.1"), "{answer:?}");

    // The newest first.
    assert_eq!(scene.run(&["sessions", "end", ids[0]]).code, 0);
    soon(|| profile(&server, &second).contains("session_ended"));
    assert!(profile(&server, &first).starts_with("HTTP/1.1 200"));
    let answer = scene.run(&["sessions", "end", "--user", "ana"]);
    assert_eq!((answer.code, &*answer.stdout), (0, "The session of ana has ended.\n"));
    soon(|| profile(&server, &first).contains("session_ended"));
}

// attack 24
#[test]
fn keys_are_rotated_beside_a_server_and_nobody_is_logged_out() {
    let scene = with_ana();
    let server = scene.serve(&["serve"]);
    let (access, _) = tokens(&server.login("ana", PASSWORD));
    let keys = || server.request("GET /.well-known/jwks.json", &[], "").matches("\"kid\"").count();
    assert_eq!(keys(), 1);
    let answer = scene.run(&["keys", "rotate"]);
    assert!(answer.stdout.contains("signs in 10 minutes"), "{answer:?}");
    soon(|| keys() == 2);
    let answer = scene.run(&["keys", "rotate", "--now"]);
    assert!(answer.stdout.contains("signs from now on"), "{answer:?}");
    soon(|| keys() == 3);
    let listed = scene.run(&["keys", "list"]).stdout;
    for state in ["retiring", "active", "upcoming"] {
        assert_eq!(listed.matches(state).count(), 1, "{listed}");
    }
    assert!(profile(&server, &access).starts_with("HTTP/1.1 200"));

    // A key that leaked goes, and its tokens with it.
    let leaked = listed.lines().find(|line| line.contains("retiring")).unwrap();
    let leaked = leaked.split(' ').next().unwrap();
    assert_eq!(scene.run(&["keys", "prune", "--kid", leaked]).code, 0);
    soon(|| profile(&server, &access).contains("token_invalid"));
    let answer = scene.run(&["keys", "prune"]);
    assert_eq!((answer.code, &*answer.stdout), (0, "No key is dead, so none was removed.\n"));
}

#[test]
fn a_root_secret_is_changed_without_losing_the_keys() {
    let scene = with_ana();
    // The server makes the first key.
    drop(scene.serve(&["serve"]));
    let old = std::fs::read_to_string(scene.path("countersign-data/root_secret")).unwrap();
    let new = "bmV3IHJvb3Qgc2VjcmV0IG5ldyByb290IHNlY3JldCBuZXc=";
    let both = [("COUNTERSIGN_ROOT_SECRET", new), ("COUNTERSIGN_ROOT_SECRET_FALLBACKS", old.trim())];
    for lost in [&["serve", "--listen", "127.0.0.1:0"][..], &["keys", "rewrap"], &["keys", "rotate"]] {
        let answer = scene.run_in(&both[..1], lost);
        assert!(answer.code == 2 && answer.stderr.contains("root_secret"), "{answer:?}");
    }
    let answer = scene.run_in(&both, &["keys", "rewrap"]);
    assert!(answer.code == 0 && answer.stdout.starts_with("1 stored key"), "{answer:?}");
    let answer = scene.run_in(&both[..1], &["keys", "rotate"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(!answer.all().contains(new));
}

#[test]
fn migrate_says_that_the_database_is_up_to_date() {
    let scene = Scene::new();
    for _ in 0..2 {
        let answer = scene.run(&["migrate"]);
        assert_eq!((answer.code, &*answer.stdout, &*answer.stderr), (0, "The database is up to date.\n", ""));
    }
}

#[test]
fn the_log_of_a_tool_is_quiet_unless_more_is_asked_for() {
    let scene = with_ana();
    assert_eq!(scene.run(&["keys", "list"]).stderr, "");
    let answer = scene.run(&["keys", "rotate", "--log-level", "info"]);
    assert!(answer.stderr.contains("key_created"), "{answer:?}");
}

#[test]
fn a_tool_in_the_wrong_folder_makes_nothing_there() {
    let scene = Scene::new();
    for arguments in [&["keys", "list"][..], &["sessions", "list", "ana"], &["changepassword", "ana"]] {
        let answer = scene.run_in(GIVEN, arguments);
        assert_eq!((answer.code, &*answer.stdout), (2, ""), "{answer:?}");
        assert!(
            answer.stderr.contains("there is no database") && answer.stderr.contains("--data-dir"),
            "{answer:?}"
        );
    }
    assert!(!scene.path("countersign-data").exists());
}

#[test]
fn every_command_has_a_help() {
    let scene = Scene::new();
    for command in [
        "serve",
        "demo",
        "createuser",
        "createsuperuser",
        "changepassword",
        "check",
        "migrate",
        "keys",
        "keys list",
        "keys rotate",
        "keys prune",
        "keys rewrap",
        "sessions",
        "sessions list",
        "sessions end",
        "import",
        "import django",
        "export",
        "export users",
    ] {
        let arguments: Vec<_> = command.split(' ').chain(["--help"]).collect();
        let answer = scene.run(&arguments);
        assert!(answer.code == 0 && answer.stdout.contains("Usage: countersign"), "{answer:?}");
    }
}
