//! `countersign demo`: ready to be tried, and gone without a trace.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use crate::support::{Scene, mode, request, signal};

/// A demo under way, and what its banner says.
struct Demo {
    process: Child,
    banner: String,
}

impl Demo {
    fn start(scene: &Scene, arguments: &[&str]) -> Self {
        let arguments: Vec<_> = ["demo", "--page-port=0"].iter().chain(arguments).copied().collect();
        let mut command = scene.command(&arguments);
        command.env("TMPDIR", scene.path("")).env("COUNTERSIGN_PUBLIC_URL", "https://elsewhere.example");
        command.env("COUNTERSIGN_NONSENSE", "1");
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut banner = String::new();
        let mut reader = BufReader::new(process.stdout.as_mut().unwrap());
        while !banner.contains("countersign serve") {
            assert_ne!(reader.read_line(&mut banner).unwrap(), 0, "{banner}");
        }
        Self { process, banner }
    }

    /// What stands behind this word in the banner.
    fn said(&self, word: &str) -> &str {
        let line = self.banner.lines().find(|line| line.split_whitespace().next() == Some(word)).unwrap();
        line.split_whitespace().nth(1).unwrap()
    }

    fn address(&self, word: &str) -> &str {
        self.said(word).strip_prefix("http://").unwrap()
    }

    fn login(&self, username: &str, password: &str) -> String {
        let origin = format!("Origin: {}\r\n", self.said("page"));
        let body = serde_json::json!({ "username": username, "password": password }).to_string();
        let headers = ["Content-Type: application/json\r\n", &origin];
        request(self.address("API"), "POST /accounts/login", &headers, &body)
    }

    fn stop(mut self) -> i32 {
        signal(self.process.id(), "INT");
        self.process.wait().unwrap().code().unwrap()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn throw_away_folders(scene: &Scene) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(scene.path("")).unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("countersign-demo-"))
        .collect()
}

// attack 96
#[test]
fn the_page_on_the_second_origin_can_log_in_with_the_password_that_was_printed() {
    let scene = Scene::new();
    let demo = Demo::start(&scene, &["--port=0"]);
    for user in ["demo", "admin"] {
        let answer = demo.login(user, demo.said(user));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains(&format!("access-control-allow-origin: {}\r\n", demo.said("page"))));
    }
    let config = request(demo.address("page"), "GET /config.json", &[], "");
    assert!(config.ends_with(&format!(r#"{{"api":"{}","username":"demo"}}"#, demo.said("API"))), "{config}");
}

// attack 72
#[test]
fn the_page_runs_under_a_strict_policy() {
    let scene = Scene::new();
    let demo = Demo::start(&scene, &["--port=0"]);
    for (path, kind) in [("/", "text/html"), ("/app.js", "text/javascript"), ("/style.css", "text/css")] {
        let answer = request(demo.address("page"), &format!("GET {path}"), &[], "");
        let (head, _) = answer.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.1 200") && head.contains(&format!("content-type: {kind}")),
            "{head}"
        );
        assert!(head.contains("content-security-policy: default-src 'none'; script-src 'self';"), "{head}");
        assert!(head.contains(&format!("connect-src 'self' {};", demo.said("API"))), "{head}");
        assert!(head.contains("x-content-type-options: nosniff"), "{head}");
    }
    assert!(request(demo.address("page"), "GET /../Cargo.toml", &[], "").starts_with("HTTP/1.1 404"));
}

#[test]
fn nothing_is_left_of_it() {
    let scene = Scene::new();
    let demo = Demo::start(&scene, &["--port=0"]);
    let folders = throw_away_folders(&scene);
    assert_eq!(folders.len(), 1);
    assert_eq!(mode(&folders[0]), 0o700);
    assert_eq!(demo.stop(), 0);
    assert_eq!(throw_away_folders(&scene), Vec::<PathBuf>::new());
}

#[test]
fn with_a_data_dir_its_users_stay() {
    let scene = Scene::new();
    let demo = Demo::start(&scene, &["--port=0", "--data-dir=kept"]);
    let password = demo.said("demo").to_owned();
    assert_eq!(throw_away_folders(&scene), Vec::<PathBuf>::new());
    assert_eq!((demo.stop(), mode(&scene.path("kept"))), (0, 0o700));
    let demo = Demo::start(&scene, &["--port=0", "--data-dir=kept"]);
    assert!(demo.banner.contains("demo   has the password of the first time"), "{}", demo.banner);
    assert!(demo.login("demo", &password).starts_with("HTTP/1.1 200"));
}

#[test]
fn a_port_that_is_taken_is_told_and_the_next_one_is_used() {
    let scene = Scene::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let demo = Demo::start(&scene, &["--port", &port.to_string()]);
    assert!(demo.banner.contains(&format!("Port {port} is taken, so the API is at ")), "{}", demo.banner);
    assert!(demo.login("demo", demo.said("demo")).starts_with("HTTP/1.1 200"));
}
