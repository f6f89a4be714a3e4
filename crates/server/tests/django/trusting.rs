//! Django afterwards: REST framework trusts our tokens, by the class that the guide shows.

use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::python::Project;
use crate::support::{Scene, Server};

const GUIDE: &str = include_str!("../../../../docs/coming-from-django.md");
const CLASS: &str = "countersign_auth.py";
const PASSWORD: &str = "a plum tree in autumn";

/// The code that the guide shows under this name.
fn shown(name: &str) -> &'static str {
    let (_, rest) = GUIDE.split_once(&format!("```py {name}\n")).unwrap();
    rest.split_once("\n```").unwrap().0
}

/// The access token and the CSRF token of a login.
fn sign_in(server: &Server, name: &str) -> (String, String) {
    let answer = server.login(name, PASSWORD);
    let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    let text = |member: &str| body[member].as_str().unwrap().to_owned();
    (text("access_token"), text("csrf_token"))
}

// attack 22
#[test]
fn rest_framework_trusts_our_tokens_and_no_others() {
    let scene = Scene::new();
    let project = Project::plain(&scene.path("django.sqlite3"));
    scene.run(&["import", "django", "--database", &project.url, "--yes"]);
    let server = scene.serve(&["serve"]);
    let (access, csrf) = sign_in(&server, "ana.argon2");
    let (_, others) = sign_in(&server, "ana.bcrypt");
    let port = server.address.rsplit(':').next().unwrap();
    let refresh = server.login("ana.argon2", PASSWORD);
    let refresh = refresh.split("refreshtoken=").nth(1).unwrap().split(';').next().unwrap();
    let bearer = format!("Bearer {access}");
    let mut forged = access.clone().into_bytes();
    let middle = access.find('.').unwrap() + 20;
    forged[middle] = if forged[middle] == b'A' { b'B' } else { b'A' };
    let forged = format!("Bearer {}", String::from_utf8(forged).unwrap());
    let cases = [
        ("GET", &*bearer, "", "200 24"),
        ("GET", &format!("token {access}"), "", "200 24"),
        ("POST", &bearer, &csrf, "200 24"),
        ("POST", &bearer, "", "403 csrf_failed"),
        ("POST", &bearer, &others, "403 csrf_failed"),
        ("GET", "", "", "401 not_authenticated"),
        ("GET", &format!("Bearer {refresh}"), "", "401 token_invalid"),
        ("GET", &forged, "", "401 token_invalid"),
        ("GET", "Bearer nonsense", "", "401 token_invalid"),
        ("GET", "Bearer", "", "401 token_invalid"),
        ("GET", &access, "", "401 token_prefix_missing"),
    ];
    scene.write(CLASS, shown(CLASS));
    let url = format!("http://localhost:{port}");
    let folder = scene.path("");
    let mut django = crate::python::script("trusting.py");
    django
        .arg(&folder)
        .args([&url, &project.url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut django = django.spawn().unwrap();
    let mut requests = django.stdin.take().unwrap();
    for (method, authorization, csrf, _) in &cases {
        writeln!(requests, "{method}\t{authorization}\t{csrf}").unwrap();
    }
    drop(requests);
    let output = django.wait_with_output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let told: Vec<_> = told.lines().collect();
    assert_eq!(told.len(), cases.len());
    for ((method, authorization, csrf, expected), answer) in cases.iter().zip(told) {
        assert_eq!(answer, *expected, "{method} {authorization} {csrf}");
    }
}
