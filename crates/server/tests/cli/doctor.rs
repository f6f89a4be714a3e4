//! `countersign doctor`: what a browser will do, told beside a running server, behind a proxy that meddles, and alone.

use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::proxy::Port;
use crate::support::{Answer, Scene, Server};

const PAGE: &str = "http://localhost:3000";

/// A server that takes calls from the page.
fn served(scene: &Scene) -> Server {
    scene.serve(&["serve", "--allowed-origins", PAGE])
}

/// Doctor with these arguments, about the server here.
fn doctor(scene: &Scene, server: &Server, arguments: &[&str]) -> Answer {
    let here = ["doctor", "--listen", &server.address];
    scene.run(&[&here, arguments].concat())
}

/// An address where nobody listens.
fn closed() -> String {
    Port::free().address().to_string()
}

/// What doctor found, by its JSON.
struct Found(Value);

impl Found {
    fn of(answer: &Answer) -> Self {
        let found: Value = serde_json::from_str(&answer.stdout).unwrap_or_else(|_| panic!("{answer:?}"));
        assert_eq!(found["works"], answer.code == 0, "{answer:?}");
        Self(found)
    }

    fn problems(&self) -> Vec<&Value> {
        let findings = self.0["findings"].as_array().unwrap();
        findings.iter().filter(|finding| finding["level"] == "problem").collect()
    }

    fn one_problem(&self) -> &Value {
        let problems = self.problems();
        assert_eq!(problems.len(), 1, "{problems:#?}");
        problems[0]
    }

    fn says(&self, about: &str) -> &str {
        let findings = self.0["findings"].as_array().unwrap();
        let found = findings.iter().find(|finding| finding["about"] == about);
        found.unwrap_or_else(|| panic!("{:#}", self.0))["says"].as_str().unwrap()
    }
}

#[test]
fn a_page_that_the_server_takes_works() {
    let scene = Scene::new();
    let server = served(&scene);
    let answer = doctor(&scene, &server, &["--spa", PAGE, "--allowed-origins", PAGE]);
    assert_eq!((answer.code, &*answer.stderr), (0, ""), "{}", answer.stdout);
    for line in [
        "ok       Same site (localhost), two origins",
        "ok       refreshtoken comes along",
        "ok       At http://localhost:",
        "ok       Each preflight is passed (login, refresh,",
        "ok       Calls of this page arrive",
        "ok       The cookies arrive with the names",
        "A browser app at http://localhost:3000 will work.",
    ] {
        assert!(answer.stdout.contains(line), "{line}: {}", answer.stdout);
    }
    assert!(!answer.stdout.contains("PROBLEM"));
}

#[test]
fn the_server_s_own_page_needs_no_cors() {
    let scene = Scene::new();
    let server = scene.serve(&["serve"]);
    let port = server.address.rsplit(':').next().unwrap();
    let found =
        Found::of(&doctor(&scene, &server, &["--spa", &format!("http://localhost:{port}"), "--json"]));
    assert!(found.says("relation").starts_with("Same origin"));
    assert!(found.says("requests").starts_with("Calls of this page arrive"));
}

#[test]
fn a_page_that_is_not_listed_is_a_problem_with_the_line_to_copy() {
    let scene = Scene::new();
    let server = scene.serve(&["serve"]);
    let answer = doctor(&scene, &server, &["--spa", PAGE]);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert_eq!(answer.stderr, "error: 1 problem: a browser app at http://localhost:3000 won't work\n");
    assert!(
        answer.stdout.contains("PROBLEM  http://localhost:3000 is not in allowed_origins"),
        "{}",
        answer.stdout
    );
    assert!(
        answer.stdout.contains("    allowed_origins = [\"http://localhost:3000\"]\n"),
        "{}",
        answer.stdout
    );
    let line = answer.stdout.lines().find(|line| line.contains("allowed_origins = ")).unwrap();
    scene.write("countersign.toml", line.trim());
    server.stop();
    let server = scene.serve(&["serve"]);
    assert_eq!(doctor(&scene, &server, &["--spa", PAGE]).code, 0);
}

#[test]
fn two_names_of_this_machine_are_two_sites() {
    let scene = Scene::new();
    let server = served(&scene);
    let answer =
        doctor(&scene, &server, &["--spa", "http://127.0.0.1:3000", "--allowed-origins", PAGE, "--json"]);
    let found = Found::of(&answer);
    assert_eq!(found.one_problem()["about"], "refresh-cookie");
    assert_eq!(
        found.one_problem()["advice"],
        "Open the page as http://localhost:3000, with the host that the API has."
    );
}

#[test]
fn the_docs_page_shows_what_it_says() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/works-in-postman-not-in-axios.md");
    let page = std::fs::read_to_string(page).unwrap();
    let sample = page.split("```console\n$ countersign ").nth(1).unwrap();
    let (command, shown) = sample.split_once("```").unwrap().0.split_once('\n').unwrap();
    let nowhere = [("COUNTERSIGN_LISTEN", &*closed())];
    let answer = Scene::new().run_in(&nowhere, &command.split(' ').collect::<Vec<_>>());
    assert!(answer.stdout.contains(shown), "{}", answer.stdout);
}

#[test]
fn without_a_running_server_the_settings_alone_are_judged_and_nothing_is_made() {
    let scene = Scene::new();
    let address = closed();
    for (page, code) in [(PAGE, 0), ("https://app.example.com", 1)] {
        let answer = scene.run(&["doctor", "--spa", page, "--listen", &address, "--allowed-origins", PAGE]);
        assert_eq!(answer.code, code, "{answer:?}");
        assert!(answer.stdout.contains("The live part was skipped: http://localhost:"), "{}", answer.stdout);
        assert!(answer.stdout.contains("nobody listens there"), "{}", answer.stdout);
    }
    assert!(!scene.path("countersign-data").exists());
}

#[test]
fn the_settings_are_read_as_serve_reads_them_and_where_they_stand_is_told() {
    let scene = Scene::new();
    scene.write(
        "countersign.toml",
        "public_url = 'https://auth.example.com'\ntrusted_proxies = ['10.0.0.0/8']",
    );
    let environment = [("COUNTERSIGN_ALLOWED_ORIGINS", "https://other.example.com")];
    let nowhere = format!("http://{}", closed());
    let offline = ["doctor", "--spa", "https://app.example.com", "--api", &nowhere];
    let answer = scene.run_in(&environment, &offline);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(
        answer.stdout.contains(
            "allowed_origins = [\"https://other.example.com\", \"https://app.example.com\"]  # now given by \
             COUNTERSIGN_ALLOWED_ORIGINS, which wins over the file\n"
        ),
        "{}",
        answer.stdout
    );
    assert!(answer.stdout.contains("__Host-refreshtoken"), "{}", answer.stdout);
    let answer = scene.run(&[&offline[..], &["--allowed-origins", "https://app.example.com"]].concat());
    assert_eq!(answer.code, 0, "{answer:?}");
}

#[test]
fn wrong_use_exits_2_and_says_what_to_write() {
    let scene = Scene::new();
    for (arguments, advice) in [
        (&["doctor"][..], "--spa <ORIGIN>"),
        (
            &["doctor", "--spa", "http://localhost:3000/"],
            "--spa: \"http://localhost:3000/\" must be written exactly",
        ),
        (&["doctor", "--spa", "app.example.com"], "--spa: \"app.example.com\" has no scheme"),
        (&["doctor", "--spa", "null"], "--spa: \"null\" can't be `null`"),
        (
            &["doctor", "--spa", PAGE, "--api", "localhost:8000"],
            "--api: \"localhost:8000\" is not the address",
        ),
        (&["doctor", "--spa", PAGE, "--api", ""], "--api: \"\" is no URL"),
        (&["doctor", "--spa", PAGE, "--leeway", "x"], "leeway (from --leeway)"),
        (&["doctor", "--spa", PAGE, "--config", "none.toml"], "none.toml: isn't there"),
    ] {
        let answer = scene.run(arguments);
        assert_eq!((answer.code, &*answer.stdout), (2, ""), "{arguments:?}: {answer:?}");
        assert!(answer.stderr.contains(advice), "{arguments:?}: {answer:?}");
    }
}

#[test]
fn the_help_teaches() {
    let answer = Scene::new().run(&["doctor", "--help"]);
    assert_eq!(answer.code, 0);
    for text in ["countersign doctor --spa http://localhost:3000", "preflight", "Exit codes: 0 a browser app"]
    {
        assert!(answer.stdout.contains(text), "{}", answer.stdout);
    }
}

#[test]
fn a_server_that_runs_with_other_settings_is_noticed() {
    let scene = Scene::new();
    let server = scene.serve(&["serve"]);
    let listed = ["--spa", PAGE, "--allowed-origins", PAGE, "--json"];
    let found = Found::of(&doctor(&scene, &server, &listed));
    let restart = "The answer to the preflight of login, refresh, profile, change of profile, end of sessions, logout has no \
                   Access-Control-Allow-Origin.";
    assert_eq!(found.says("preflight"), restart);
    server.stop();
    let server = scene.serve(&["serve", "--cookie-samesite", "Strict", "--allowed-origins", PAGE]);
    let found = Found::of(&doctor(&scene, &server, &listed));
    assert!(found.says("cookies-seen").contains("refreshtoken comes with SameSite=Strict"), "{:#}", found.0);
    let elsewhere = format!("http://{}", server.address);
    let found = Found::of(&scene.run(&[&["doctor", "--api", &elsewhere], &listed[..]].concat()));
    assert!(
        found.says("server").contains("and the settings read here say http://localhost:8000"),
        "{:#}",
        found.0
    );
}

#[test]
fn to_what_is_no_countersign_no_more_is_sent_than_two_harmless_requests() {
    let scene = Scene::new();
    let port = Port::free();
    let address = port.address().to_string();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    port.open(move |request| {
        log.lock().unwrap().push(request.lines().next().unwrap().to_owned());
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}".to_owned()
    });
    let found = Found::of(&scene.run(&[
        "doctor",
        "--spa",
        PAGE,
        "--listen",
        &address,
        "--allowed-origins",
        PAGE,
        "--json",
    ]));
    assert!(found.one_problem()["says"].as_str().unwrap().contains("is no Countersign"));
    assert_eq!(*seen.lock().unwrap(), ["GET /openapi.json HTTP/1.1", "GET /accounts/profile HTTP/1.1"]);
}

/// A page, a proxy that does this to requests and answers, a server behind it.
fn behind(meddle: impl Fn(&str, &dyn Fn(&str) -> String) -> String + Send + Sync + 'static) -> Found {
    let scene = Scene::new();
    let port = Port::free();
    let public_url = format!("http://localhost:{}", port.address().port());
    let settings = ["--public-url", &public_url, "--allowed-origins", PAGE];
    let server = scene.serve(&[&["serve"], &settings[..]].concat());
    let handle = server.handle();
    port.open(move |request| meddle(request, &handle));
    Found::of(&scene.run(&[&["doctor", "--spa", PAGE, "--json"], &settings[..]].concat()))
}

fn bare(status: &str) -> String {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
}

/// An answer without the lines that begin like this.
fn without(answer: &str, header: &str) -> String {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let kept: Vec<_> =
        head.split("\r\n").filter(|line| !line.to_ascii_lowercase().starts_with(header)).collect();
    format!("{}\r\n\r\n{body}", kept.join("\r\n"))
}

/// An answer with one more line.
fn with(answer: &str, header: &str) -> String {
    answer.replacen("\r\n", &format!("\r\n{header}\r\n"), 1)
}

#[test]
fn a_proxy_that_passes_all_on_is_no_problem() {
    let found = behind(|request, server| server(request));
    assert_eq!(found.problems(), Vec::<&Value>::new());
}

#[test]
fn a_proxy_that_answers_preflights_itself_is_a_problem() {
    let found =
        behind(
            |request, server| {
                if request.starts_with("OPTIONS") { bare("405 Method Not Allowed") } else { server(request) }
            },
        );
    let says = found.one_problem()["says"].as_str().unwrap();
    assert!(says.starts_with("The answer to the preflight of login, refresh,"), "{says}");
    assert!(found.one_problem()["advice"].as_str().unwrap().contains("pass OPTIONS"));
}

#[test]
fn a_proxy_that_adds_cors_headers_of_its_own_is_a_problem() {
    let found = behind(|request, server| with(&server(request), "Access-Control-Allow-Origin: *"));
    for problem in found.problems() {
        let says = problem["says"].as_str().unwrap();
        assert!(
            says.contains("Access-Control-Allow-Origin: *, http://localhost:3000, which is not"),
            "{says}"
        );
    }
    assert_eq!(found.problems().len(), 2);
}

#[test]
fn a_proxy_that_takes_cors_headers_away_is_a_problem() {
    for (header, fault) in [
        ("access-control-allow-credentials", "has no Access-Control-Allow-Credentials: true"),
        (
            "access-control-allow-methods",
            "change of profile doesn't name PATCH in Access-Control-Allow-Methods",
        ),
        ("access-control-allow-headers", "doesn't name content-type in Access-Control-Allow-Headers"),
    ] {
        let found = behind(move |request, server| without(&server(request), header));
        let problems = found.problems();
        let told = |problem: &&Value| problem["says"].as_str().unwrap().contains(fault);
        assert!(problems.iter().any(told), "{problems:#?}");
    }
}

#[test]
fn a_proxy_that_takes_the_origin_away_is_a_problem() {
    let found = behind(|request, server| server(&without(&without(request, "origin:"), "sec-fetch-site:")));
    let abouts: Vec<_> = found.problems().iter().map(|problem| problem["about"].clone()).collect();
    assert!(abouts.contains(&"origin-header".into()), "{abouts:?}");
}

#[test]
fn a_proxy_that_lets_no_patch_through_is_a_problem() {
    let found = behind(|request, server| {
        let answer = server(request);
        if request.starts_with("PATCH") {
            answer.replacen("401 Unauthorized", "405 Method Not Allowed", 1)
        } else {
            answer
        }
    });
    let says = found.one_problem()["says"].as_str().unwrap();
    assert!(says.starts_with("PATCH /accounts/profile is answered with 405, where Countersign"), "{says}");
}

#[test]
fn a_proxy_that_rewrites_cookies_is_a_problem() {
    let found = behind(|request, server| server(request).replace("Path=/", "Path=/auth"));
    for problem in found.problems() {
        assert_eq!(problem["about"], "cookies-seen");
        assert!(
            problem["says"].as_str().unwrap().contains("comes with Path=/auth and should come with Path=/.")
        );
    }
    assert_eq!(found.problems().len(), 2);
}

#[test]
fn a_proxy_that_redirects_is_a_problem() {
    let found = behind(|_, _| {
        let to = "Location: https://auth.example.com/openapi.json";
        with(&bare("301 Moved Permanently"), to)
    });
    assert!(found.one_problem()["says"].as_str().unwrap().contains("redirects to https://auth.example.com/"));
    assert_eq!(found.one_problem()["settings"][0], "public_url = \"https://auth.example.com\"");
}

#[test]
fn a_proxy_without_a_server_behind_it_is_a_problem() {
    let found = behind(|_, _| bare("502 Bad Gateway"));
    assert!(found.one_problem()["says"].as_str().unwrap().contains("doesn't reach Countersign behind it"));
}

#[test]
fn a_proxy_that_breaks_off_is_a_problem() {
    let found =
        behind(|request, server| if request.starts_with("POST") { String::new() } else { server(request) });
    let says = found.one_problem()["says"].as_str().unwrap();
    assert!(says.contains("answered at first, and then no more"), "{says}");
}

#[test]
fn what_a_proxy_does_by_halves_is_noted() {
    let found = behind(|request, server| {
        let answer = without(&without(&server(request), "vary"), "access-control-max-age");
        if request.starts_with("GET /openapi.json") { bare("404 Not Found") } else { answer }
    });
    assert_eq!(found.problems(), Vec::<&Value>::new());
    assert!(found.says("server").contains("but not at /openapi.json"));
    assert!(found.says("preflight").contains("none is remembered"));
    assert!(found.0["findings"].to_string().contains("Vary: Origin is missing"));
}

#[test]
fn by_https_its_certificate_is_judged_as_this_machine_judges_it() {
    let scene = Scene::new();
    let port = Port::free();
    let public_url = format!("https://localhost:{}", port.address().port());
    let page = "https://localhost:3000";
    let settings = ["--public-url", &public_url, "--allowed-origins", page];
    let server = scene.serve(&[&["serve"], &settings[..]].concat());
    port.open_tls(server.handle());
    let doctor = [&["doctor", "--spa", page, "--json"], &settings[..]].concat();
    let authority = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/tls/ca.pem");
    let found = Found::of(&scene.run_in(&[("SSL_CERT_FILE", authority)], &doctor));
    assert_eq!(found.problems(), Vec::<&Value>::new());
    assert!(found.says("server").starts_with(&format!("At {public_url} answers")), "{:#}", found.0);
    assert!(found.says("refresh-cookie").contains("__Host-refreshtoken"));
    assert!(found.says("cookies-seen").starts_with("The cookies arrive"));
    let found = Found::of(&scene.run(&doctor));
    assert!(found.one_problem()["says"].as_str().unwrap().contains("a bare Network Error"), "{:#}", found.0);
    let none = scene.write("none.pem", "");
    let found = Found::of(&scene.run_in(&[("SSL_CERT_FILE", none.to_str().unwrap())], &doctor));
    assert!(found.says("server").contains("trusts no authority"), "{:#}", found.0);
}

#[test]
fn past_the_proxy_the_server_is_asked_as_what_browsers_see() {
    let scene = Scene::new();
    let settings = ["--public-url=https://auth.example.com", "--allowed-origins=https://app.example.com"];
    let server = scene.serve(&[&["serve"], &settings[..]].concat());
    let api = format!("http://{}", server.address);
    let found = Found::of(&scene.run(
        &[&["doctor", "--spa=https://app.example.com", "--json", "--api", &api], &settings[..]].concat(),
    ));
    assert_eq!(found.problems(), Vec::<&Value>::new());
    assert!(found.says("public-url").contains("is taken for the server behind the proxy"));
    assert!(found.says("cookies-seen").starts_with("The cookies arrive"));
}
