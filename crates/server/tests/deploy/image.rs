//! `Dockerfile`.

use crate::support::Scene;
use crate::{Environment, assert_settings, assert_understood, file, words_after_the_program};

#[test]
fn the_image_runs_as_nobody_with_commands_and_settings_that_the_program_takes() {
    let text = file("Dockerfile");
    let last_stage = text.rsplit_once("\nFROM ").unwrap().1;
    let instruction = |name: &str| {
        last_stage.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).collect::<Vec<_>>()
    };
    let entrypoint: Vec<String> = serde_json::from_str(instruction("ENTRYPOINT")[0]).unwrap();
    assert!(words_after_the_program(&entrypoint).is_empty());
    assert_understood(&serde_json::from_str::<Vec<String>>(instruction("CMD")[0]).unwrap());
    let check = instruction("HEALTHCHECK")[0].split_once("CMD ").unwrap().1;
    let check: Vec<String> = serde_json::from_str(check).unwrap();
    assert_understood(words_after_the_program(&check));

    let settings: Environment = instruction("ENV")
        .iter()
        .map(|line| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap())
        .collect();
    assert!(settings.contains_key("COUNTERSIGN_LISTEN"));
    assert_settings(&settings);
    assert_eq!(instruction("USER"), ["65532:65532"]);
}

#[test]
fn the_image_is_built_with_the_rust_that_the_project_asks_for() {
    let manifest = include_str!("../../../../Cargo.toml");
    let version = manifest.split_once("rust-version = \"").unwrap().1.split('"').next().unwrap();
    assert!(file("Dockerfile").contains(&format!("FROM rust:{version}-")));
}

#[test]
fn healthcheck_tells_a_server_that_is_well_from_one_that_is_gone() {
    let scene = Scene::new();
    let server = scene.serve(&["serve"]);
    let listen = server.address.clone();
    let ask = |arguments: &[&str]| scene.run_in(&[("COUNTERSIGN_LISTEN", &listen)], arguments);
    for (arguments, path) in [(&["healthcheck"][..], "/readyz"), (&["healthcheck", "--live"], "/healthz")] {
        let answer = ask(arguments);
        assert_eq!((answer.code, answer.stdout), (0, format!("http://{listen}{path}: well\n")));
    }
    server.stop();
    let answer = ask(&["healthcheck"]);
    assert_eq!(answer.code, 1);
    assert!(answer.stderr.starts_with(&format!("error: http://{listen}/readyz: ")), "{answer:?}");
}
