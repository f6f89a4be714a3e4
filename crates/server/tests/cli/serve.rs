//! `countersign serve`: how it starts and how it ends.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::{PROGRAM, Scene, Server, mode};

#[test]
fn it_says_one_line_where_it_listens_and_answers_there() {
    let scene = Scene::new();
    let server = scene.serve(&["serve"]);
    assert!(server.address.starts_with("127.0.0.1:") && !server.address.ends_with(":0"));
    assert!(server.request("GET /healthz", &[], "").starts_with("HTTP/1.1 200"));
    let answer = server.stop();
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(answer.stdout.lines().count(), 2, "what it says of the first superuser: {answer:?}");
}

// attack 96
#[test]
fn a_link_for_the_first_superuser_is_printed_while_there_is_none_and_is_in_no_log() {
    let scene = Scene::new();
    let answer = scene.serve(&["serve"]).stop();
    let link =
        answer.stdout.split_whitespace().find(|word| word.contains("/admin/set-up/")).unwrap().to_owned();
    assert!(link.starts_with("http://localhost:"), "{link}");
    let token = link.rsplit('/').next().unwrap();
    assert_eq!(token.len(), 43);
    assert!(!answer.stderr.contains(token));

    let made = scene.run_in(
        &[("COUNTERSIGN_PASSWORD", "correct horse battery staple")],
        &["createsuperuser", "--noinput", "--username", "root"],
    );
    assert_eq!(made.code, 0, "{made:?}");
    assert_eq!(scene.serve(&["serve"]).stop().stdout, "");
}

#[test]
fn without_a_command_it_serves_too() {
    let scene = Scene::new();
    let server = scene.serve(&[]);
    assert!(server.request("GET /readyz", &[], "").starts_with("HTTP/1.1 200"));
}

#[test]
fn all_that_it_makes_is_its_owners_alone() {
    let scene = Scene::new();
    let server = scene.serve(&["serve"]);
    let folder = scene.path("countersign-data");
    assert_eq!(mode(&folder), 0o700);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(mode(&entry.path()), 0o600, "{:?}", entry.path());
        names.push(entry.file_name().into_string().unwrap());
    }
    for name in ["countersign.db", "root_secret", "refresh_token_secret"] {
        assert!(names.iter().any(|it| it == name), "{names:?}");
    }
    assert_eq!(server.stop().code, 0);
}

#[test]
fn the_default_public_url_has_the_port_that_was_bound() {
    let scene = Scene::new();
    let server = scene.serve(&["serve"]);
    let port = server.address.rsplit(':').next().unwrap().to_owned();
    let log = server.stop().stderr;
    assert!(log.contains(&format!("http://localhost:{port}")), "{log}");
}

#[test]
fn the_log_is_json_where_no_terminal_is() {
    let scene = Scene::new();
    let log = scene.serve(&["serve"]).stop().stderr;
    assert!(!log.is_empty());
    for line in log.lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(record["timestamp"].is_string() && record["level"].is_string(), "{line}");
    }
}

#[test]
fn the_log_is_for_people_where_that_is_set() {
    let scene = Scene::new();
    let log = scene.serve(&["serve", "--log-format", "pretty"]).stop().stderr;
    assert!(log.contains("INFO") && !log.starts_with('{') && !log.contains('\x1b'), "{log}");
}

#[test]
fn a_port_that_is_taken_is_told_with_its_setting() {
    let scene = Scene::new();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let answer = scene.run(&["serve", "--listen", &other.local_addr().unwrap().to_string()]);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.stderr.starts_with("error: listen: 127.0.0.1:"), "{answer:?}");
}

#[test]
fn metrics_have_a_listener_of_their_own() {
    let scene = Scene::new();
    let server = scene.serve(&["serve", "--metrics-listen", "127.0.0.1:0"]);
    assert!(server.request("GET /metrics", &[], "").starts_with("HTTP/1.1 404"));
    let log = server.stop().stderr;
    assert!(log.contains(r#""address":"127.0.0.1:"#), "{log}");
}

// attack 113
#[test]
fn a_second_server_on_one_database_is_refused() {
    let scene = Scene::new();
    let server = scene.serve(&["serve"]);
    let answer = scene.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(answer.code, 1, "{answer:?}");
    let sentence = answer.stderr.strip_prefix("error: database_url: ").unwrap();
    assert!(sentence.contains("in use") && sentence.lines().count() == 1, "{answer:?}");
    assert_eq!(server.stop().code, 0);
}

#[test]
fn a_root_secret_that_was_changed_is_a_clear_error() {
    let scene = Scene::new();
    scene.serve(&["serve"]).stop();
    let other = "b3RoZXIgcm9vdCBzZWNyZXQgb3RoZXIgcm9vdCBzZWNyZXQ=";
    let answer = scene.run_in(&[("COUNTERSIGN_ROOT_SECRET", other)], &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(answer.code, 2, "{answer:?}");
    assert!(answer.stderr.contains("error: root_secret: "), "{answer:?}");
    std::fs::remove_file(scene.path("countersign-data/root_secret")).unwrap();
    let answer = scene.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(answer.code, 2, "{answer:?}");
    assert!(answer.stderr.contains("error: root_secret (default): "), "{answer:?}");
}

// attack 109
#[test]
fn it_takes_more_connections_than_the_usual_limit_of_open_files() {
    let scene = Scene::new();
    let server = Server::start(scene.command_of("sh", &["-c", r#"ulimit -Sn 64 && exec "$0""#, PROGRAM]));
    let mut connections: Vec<_> = (0..100).map(|_| TcpStream::connect(&server.address).unwrap()).collect();
    for connection in connections.iter_mut().rev() {
        connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        connection.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = [0; 12];
        connection.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
    }
}

// attack 116
#[test]
fn no_secret_is_in_the_log_at_any_level() {
    const PASSWORD: &str = "a plum tree in autumn";
    const WRONG: &str = "an old pear in winter";
    let scene = Scene::new();
    let given = [("COUNTERSIGN_PASSWORD", PASSWORD)];
    assert_eq!(scene.run_in(&given, &["createuser", "--noinput", "--username", "ana"]).code, 0);
    let server = scene.serve(&["serve", "--log-level", "trace"]);
    let mut secrets = vec![PASSWORD.to_owned(), WRONG.to_owned()];
    for file in ["root_secret", "refresh_token_secret"] {
        secrets
            .push(std::fs::read_to_string(scene.path("countersign-data").join(file)).unwrap().trim().into());
    }

    assert!(server.login("ana", WRONG).starts_with("HTTP/1.1 401"));
    let answer = server.login("ana", PASSWORD);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    let (access, csrf) = (text("access_token"), text("csrf_token"));
    let refresh = head.split("refreshtoken=").nth(1).and_then(|rest| rest.split(';').next()).unwrap();
    let cookie = format!("Cookie: refreshtoken={refresh}; csrftoken={csrf}\r\n");
    let header = format!("X-CSRFTOKEN: {csrf}\r\n");
    let bearer = format!("Authorization: Bearer {access}\r\n");
    let json = "Content-Type: application/json\r\n";
    let ok =
        |answer: &str, status: &str| assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    ok(&server.request("POST /accounts/refresh_token", &[&cookie, &header], ""), "200");
    ok(&server.request("GET /accounts/profile", &[&bearer], ""), "200");
    ok(&server.request("GET /accounts/profile", &["Authorization: Bearer not.a.token\r\n"], ""), "401");
    let change = format!(r#"{{"old_password": "{WRONG}", "new_password": "{WRONG}"}}"#);
    ok(&server.request("POST /accounts/password", &[&bearer, &header, json], &change), "403");
    ok(&server.request("POST /accounts/logout", &[&cookie, &header], ""), "204");
    secrets.extend([access, csrf, refresh.to_owned(), "not.a.token".to_owned()]);

    let answer = server.stop();
    assert!(answer.stderr.lines().count() > 5, "{answer:?}");
    for secret in secrets {
        assert!(!answer.all().contains(&secret), "{secret} is in {}", answer.stderr);
    }
}

// attack 117
#[test]
fn a_name_that_forges_a_line_stays_in_its_own() {
    for format in ["json", "pretty"] {
        let scene = Scene::new();
        let server = scene.serve(&["serve", "--log-level", "trace", "--log-format", format]);
        server.login("ana\r\n2026 ERROR forged\u{1b}[31m\u{202e}", "a plum tree in autumn");
        let log = server.stop().stderr;
        assert!(!log.contains('\u{1b}') && !log.contains('\u{202e}'), "{log}");
        assert!(!log.lines().any(|line| line.starts_with("2026 ERROR")), "{log}");
    }
}

#[test]
fn what_is_logged_on_the_way_has_the_request_s_id() {
    let scene = Scene::new();
    let server = scene.serve(&["serve", "--log-format", "json"]);
    let headers = ["Content-Type: application/json\r\n", "X-Request-Id: r-1\r\n"];
    let login = r#"{"username": "ana", "password": "a plum tree in autumn"}"#;
    assert!(server.request("POST /accounts/login", &headers, login).starts_with("HTTP/1.1 401 "));
    let log = server.stop().stderr;
    let records: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let failed = records.iter().find(|it| it["event"] == "login_failed").unwrap();
    assert_eq!(failed["span"], serde_json::json!({"id": "r-1", "name": "request"}));
    let answered = records.iter().find(|it| it["target"] == "countersign::request").unwrap();
    assert_eq!((&answered["request_id"], &answered["status"]), (&"r-1".into(), &401.into()));
    let stopped = records.iter().find(|it| it["message"] == "stopped").unwrap();
    assert!(stopped.get("span").is_none(), "{stopped}");
}

// attack 52, attack 118
#[test]
fn each_security_event_is_a_line_with_its_time_its_user_and_its_network() {
    let scene = Scene::new();
    let given = [("COUNTERSIGN_PASSWORD", "a plum tree in autumn")];
    assert_eq!(scene.run_in(&given, &["createuser", "--noinput", "--username", "ana"]).code, 0);
    let server = scene.serve(&["serve", "--rotation-grace=0", "--throttle-name-limit=1"]);
    for _ in 0..2 {
        server.login("ben", "an old pear in winter");
    }
    let signed_in = server.login("ana", "a plum tree in autumn");
    let value = |name: &str| signed_in.split(name).nth(1).and_then(|rest| rest.split(';').next()).unwrap();
    let cookie = format!("Cookie: refreshtoken={}\r\n", value("refreshtoken="));
    let csrf = format!("X-CSRFTOKEN: {}\r\n", value("csrftoken="));
    let refresh = |headers: &[&str]| server.request("POST /accounts/refresh_token", headers, "");
    refresh(&[&cookie]); // without the CSRF header
    refresh(&[&cookie, &csrf]);
    refresh(&[&cookie, &csrf]); // twice: theft
    let log = server.stop().stderr;

    let records: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<_> = records.iter().filter(|it| it["target"] == "countersign::security").collect();
    for (event, who) in
        [("login_failed", false), ("login_throttled", false), ("login", true), ("theft", true)]
    {
        let found: Vec<_> = events.iter().filter(|it| it["event"] == event).collect();
        assert!(found.len() == 1, "{event}: {log}");
        assert_eq!(found[0]["ip"], "127.0.0.1");
        assert!(found[0]["timestamp"].as_str().unwrap().ends_with('Z'));
        assert_eq!(found[0]["user"].is_number(), who, "{event}");
    }
    let codes: Vec<_> = records.iter().filter_map(|it| it["code"].as_str()).collect();
    assert!(codes.contains(&"csrf_failed") && codes.contains(&"throttled"), "{codes:?}");
}
