//! `countersign check`, and how a wrong configuration is told.

use std::os::unix::fs::PermissionsExt;

use crate::support::Scene;

const ROOT: &str = "cm9vdCBzZWNyZXQgcm9vdCBzZWNyZXQgcm9vdCBzZWNyZXQ=";
const REFRESH: &str = "cmVmcmVzaCBzZWNyZXQgcmVmcmVzaCBzZWNyZXQgcmVm";

#[test]
fn check_shows_each_setting_and_where_it_was_read() {
    let scene = Scene::new();
    scene.write(
        "countersign.toml",
        "leeway = 5\nmax_body = 2048\nallowed_origins = ['http://localhost:3000']",
    );
    let answer = scene
        .run_in(&[("COUNTERSIGN_MAX_BODY", "4096")], &["check", "--rotation-grace", "20", "--insecure-http"]);
    assert_eq!((answer.code, &*answer.stderr), (0, ""));
    assert_eq!(answer.line("leeway"), ["leeway", "5", "countersign.toml"]);
    assert_eq!(answer.line("max_body"), ["max_body", "4096", "COUNTERSIGN_MAX_BODY"]);
    assert_eq!(answer.line("rotation_grace"), ["rotation_grace", "20", "--rotation-grace"]);
    assert_eq!(answer.line("insecure_http"), ["insecure_http", "true", "--insecure-http"]);
    assert_eq!(
        answer.line("allowed_origins"),
        ["allowed_origins", "http://localhost:3000", "countersign.toml"]
    );
    assert_eq!(answer.line("session_lifetime"), ["session_lifetime", "2592000", "default"]);
    assert_eq!(answer.line("public_url"), ["public_url", "http://localhost:8000", "default"]);
}

// attack 116
#[test]
fn check_shows_secrets_only_as_set_and_makes_nothing() {
    let scene = Scene::new();
    scene.write("countersign.toml", &format!("refresh_token_secret = \"{REFRESH}\""));
    let answer = scene.run_in(&[("COUNTERSIGN_ROOT_SECRET", ROOT)], &["check"]);
    assert_eq!(answer.code, 0);
    assert_eq!(answer.line("root_secret"), ["root_secret", "set", "COUNTERSIGN_ROOT_SECRET"]);
    assert_eq!(answer.line("refresh_token_secret"), ["refresh_token_secret", "set", "countersign.toml"]);
    assert!(!answer.all().contains(ROOT) && !answer.all().contains(REFRESH));
    assert!(!scene.path("countersign-data").exists());
}

// attack 116
#[test]
fn a_secret_of_the_environment_is_not_in_any_help() {
    let scene = Scene::new();
    for command in [&["--help"][..], &["check", "--help"], &["check", "-h"]] {
        let answer = scene.run_in(&[("COUNTERSIGN_ROOT_SECRET", ROOT)], command);
        assert_eq!(answer.code, 0);
        assert!(!answer.all().contains(ROOT));
    }
}

// attack 116
#[test]
fn a_secret_of_the_command_line_is_not_in_any_error() {
    let scene = Scene::new();
    for arguments in [
        &["check", "--root-secret=hunter2"][..],
        &["check", "--root-secrt=hunter2"],
        &["check", "--root-secret", "hunter2", "--nothing"],
        &["check", "--root-secret=hunter2", "--root-secret=hunter2"],
        &["--root-secret=hunter2", "check"],
        &["check", "--secret-key", "hunter2", "--leeway=x"],
    ] {
        let answer = scene.run(arguments);
        assert_eq!(answer.code, 2, "{answer:?}");
        assert!(!answer.all().contains("hunter2"), "{answer:?}");
    }
}

// attack 5
#[test]
fn a_wrong_configuration_is_one_sentence_and_exit_code_2() {
    let scene = Scene::new();
    for (environment, arguments, sentence) in [
        (
            &[("COUNTERSIGN_LEEWAY", "5m")][..],
            &["check"][..],
            "error: leeway (from COUNTERSIGN_LEEWAY): \"5m\" is not a whole number of seconds in range; write digits \
             alone, such as 300 for five minutes\n",
        ),
        (
            &[("COUNTERSIGN_PORT", "tcp://10.0.0.1:80")],
            &["check"],
            "error: COUNTERSIGN_PORT (from the environment) is not a setting; if Kubernetes added it, write \
             enableServiceLinks: false in the pod's spec; else take it out\n",
        ),
        (
            &[],
            &["check", "--root-secret", "short"],
            "error: root_secret (from --root-secret): has 5 bytes and needs at least 32; make one with: openssl rand \
             -base64 48\n",
        ),
        (
            &[("COUNTERSIGN_ROOT_SECRET", ROOT), ("COUNTERSIGN_REFRESH_TOKEN_SECRET", ROOT)],
            &["check"],
            "error: refresh_token_secret (from COUNTERSIGN_REFRESH_TOKEN_SECRET): is the same as root_secret, and no \
             two may be equal; make one with: openssl rand -base64 48\n",
        ),
        (
            &[],
            &["check", "--config", "none.toml"],
            "error: none.toml: isn't there; --config takes a file that is\n",
        ),
    ] {
        let answer = scene.run_in(environment, arguments);
        assert_eq!((answer.code, &*answer.stderr, &*answer.stdout), (2, sentence, ""));
    }
}

#[test]
fn an_unknown_command_or_flag_is_exit_code_2() {
    let scene = Scene::new();
    for arguments in [&["chek"][..], &["check", "--lisen=x"], &["check", "extra"]] {
        assert_eq!(scene.run(arguments).code, 2);
    }
}

#[test]
fn an_origin_on_another_site_is_warned_of_by_name() {
    let scene = Scene::new();
    let answer = scene.run(&["check", "--allowed-origins", "http://localhost:3000,https://app.example.com"]);
    assert_eq!(answer.code, 0);
    assert!(answer.stdout.contains("warning: allowed_origins: https://app.example.com is on another site"));
    assert!(!answer.stdout.contains("http://localhost:3000 is on another site"));
}

const FIT: &str = "
public_url = 'https://auth.example.com'
allowed_origins = ['https://app.example.com']
trusted_proxies = ['10.0.0.0/8']
";

fn deploy(settings: &str) -> (i32, String) {
    let scene = Scene::new();
    scene.write("countersign.toml", &format!("{FIT}{settings}"));
    let secrets = [("COUNTERSIGN_ROOT_SECRET", ROOT), ("COUNTERSIGN_REFRESH_TOKEN_SECRET", REFRESH)];
    let answer = scene.run_in(&secrets, &["check", "--deploy"]);
    (answer.code, answer.all())
}

#[test]
fn what_is_fit_for_production_exits_0() {
    let (code, said) = deploy("");
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("Nothing here is unfit for production."));
}

// attack 5: a secret that was typed
#[test]
fn what_is_not_fit_for_production_is_listed_with_its_remedy_and_exits_1() {
    for (settings, finding) in [
        ("insecure_http = true", "insecure_http: "),
        ("password_min_length = 8", "password_min_length: 8 is unusual"),
        ("leeway = 120", "leeway: 120 is unusual"),
        ("access_token_lifetime = 3600", "access_token_lifetime: 3600 is unusual"),
        ("rotation_grace = 0", "rotation_grace: 0 is unusual"),
        ("log_level = 'debug'", "log_level: "),
        ("log_level = 'info,countersign=trace'", "log_level: "),
        ("cookie_prefix = 'none'", "cookie_prefix: "),
        ("native_origins = []\nsecret_key_fallbacks = []\nthrottle_ceiling = 1000", "throttle_ceiling: 1000"),
        ("secret_key = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'", "secret_key: it was typed"),
        ("audit_retention = 3600", "audit_retention: 3600 is unusual"),
    ] {
        let (code, said) = deploy(settings);
        assert_eq!(code, 1, "{settings}: {said}");
        assert!(said.contains(finding), "{settings}: {said}");
        assert!(said.contains("not fit for production"), "{said}");
    }
}

#[test]
fn what_someone_who_tries_it_out_has_is_not_fit_for_production() {
    let scene = Scene::new();
    let answer = scene.run(&["check", "--deploy", "--secret-key", ROOT]);
    assert_eq!(answer.code, 1);
    for finding in [
        "public_url: http://localhost:8000 ",
        "root_secret: it would be generated",
        "refresh_token_secret: it would be generated",
        "secret_key: it stands on the command line",
    ] {
        assert!(answer.stdout.contains(finding), "{finding}: {}", answer.stdout);
    }
    assert!(!answer.all().contains(ROOT));
}

#[test]
fn proxies_are_to_be_listed_and_not_everyone() {
    let scene = Scene::new();
    let answer = scene.run(&["check", "--deploy", "--public-url", "https://auth.example.com"]);
    assert!(answer.stdout.contains("trusted_proxies: something in front ends the TLS"));
    let answer = scene.run(&[
        "check",
        "--deploy",
        "--public-url=https://auth.example.com",
        "--trusted-proxies=10.0.0.0/8,0.0.0.0/0",
    ]);
    assert!(answer.stdout.contains("trusted_proxies: 0.0.0.0/0 is everyone"), "{}", answer.stdout);
}

#[test]
fn a_file_with_secrets_that_others_can_read_is_not_fit() {
    let scene = Scene::new();
    let file = scene.write("countersign.toml", &format!("root_secret = '{ROOT}'"));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let answer = scene.run(&["check", "--deploy"]);
    assert!(answer.stdout.contains("run: chmod 600 countersign.toml"), "{}", answer.stdout);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let answer = scene.run(&["check", "--deploy"]);
    assert!(!answer.stdout.contains("chmod 600"), "{}", answer.stdout);
}
