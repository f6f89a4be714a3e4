//! `systemd/countersign.service`.

use crate::support::Scene;
use crate::{Environment, assert_settings, assert_understood, file, split, words_after_the_program};

#[test]
fn the_unit_starts_the_program_with_flags_and_settings_that_it_takes() {
    let text = file("systemd/countersign.service");
    let values = |key: &str| {
        text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect::<Vec<_>>()
    };
    for key in ["ExecStart", "ExecStartPre"] {
        let [line] = values(key)[..] else { panic!("one {key} and no more") };
        assert_understood(words_after_the_program(&split(line)));
    }
    let settings: Environment = values("Environment")
        .iter()
        .map(|pair| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap())
        .collect();
    assert_settings(&settings);
}

#[test]
fn the_configuration_is_read_from_the_file_that_systemd_hands_in() {
    let text = file("systemd/countersign.service");
    let (name, _) = text.split_once("LoadCredential=").unwrap().1.split_once(':').unwrap();
    assert!(text.contains(&format!("serve --config ${{CREDENTIALS_DIRECTORY}}/{name}\n")));

    let scene = Scene::new();
    let path = scene.write(name, "leeway = 7");
    let answer = scene.run(&["check", "--config", path.to_str().unwrap()]);
    assert_eq!(answer.line("leeway")[1], "7");
}
