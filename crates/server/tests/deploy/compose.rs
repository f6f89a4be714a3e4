//! `compose.yaml` and `.env.example`.

use crate::yaml::{Node, documents};
use crate::{Environment, assert_settings, assert_understood, file, words_after_the_program};

#[test]
fn each_container_of_the_program_has_settings_and_a_command_that_it_takes() {
    let yaml = documents(&file("compose.yaml"));
    let services = Node(&yaml[0]).at("services");
    let wanted = env_file();
    for name in ["node1", "node2", "migrate"] {
        let service = services.at(name);
        let environment = service.at("environment").members();
        assert_settings(
            &environment
                .iter()
                .map(|(name, value)| (name.clone(), filled_in(&value.text(), &wanted)))
                .collect(),
        );
        if !service.at("command").0.is_badvalue() {
            assert_understood(&service.at("command").texts());
        }
    }
    let check = services.at("node1.healthcheck.test").texts();
    let (how, words) = check.split_first().unwrap();
    assert_eq!(how, "CMD");
    assert_understood(words_after_the_program(words));
}

#[test]
fn each_variable_that_compose_asks_for_stands_in_the_example_and_no_other() {
    let text = file("compose.yaml");
    let mut asked: Vec<_> =
        text.split("${").skip(1).map(|rest| rest.split([':', '-', '}']).next().unwrap().to_owned()).collect();
    asked.sort();
    asked.dedup();
    assert_eq!(asked, env_file().into_keys().collect::<Vec<_>>());
}

#[test]
fn no_secret_has_a_value_that_everybody_knows() {
    for line in
        file(".env.example").lines().filter(|line| line.contains("SECRET=") || line.contains("PASSWORD="))
    {
        assert!(line.ends_with('='), "{line}");
    }
}

/// `.env.example`, filled in.
fn env_file() -> Environment {
    let text = file(".env.example");
    let lines = text.lines().filter_map(|line| line.split_once('=').filter(|_| !line.starts_with('#')));
    lines
        .map(|(name, value)| match value {
            "" => (name.to_owned(), format!("{name}-0123456789abcdef0123456789abcdef")),
            value => (name.to_owned(), value.to_owned()),
        })
        .collect()
}

/// A text with its `${NAME…}` replaced.
fn filled_in(text: &str, values: &Environment) -> String {
    let mut parts = text.split("${");
    let mut filled = parts.next().unwrap().to_owned();
    for part in parts {
        let (variable, rest) = part.split_once('}').unwrap();
        filled += &values[variable.split([':', '-']).next().unwrap()];
        filled += rest;
    }
    filled
}
