//! `countersign export users`: everything that is kept of people, a line of JSON each.

use serde_json::Value;

use crate::support::{Scene, mode};

const PASSWORD: &str = "a plum tree in autumn";

fn with_three() -> Scene {
    let scene = Scene::new();
    for name in ["ana", "ben", "cleo"] {
        let arguments =
            ["createuser", "--noinput", "--username", name, "--email", &format!("{name}@example.com")];
        assert_eq!(scene.run_in(&[("COUNTERSIGN_PASSWORD", PASSWORD)], &arguments).code, 0);
    }
    scene
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

// attack 41
#[test]
fn people_are_written_out_and_their_hashes_only_where_that_is_asked_for() {
    let scene = with_three();
    let answer = scene.run(&["export", "users"]);
    assert_eq!((answer.code, &*answer.stderr), (0, ""));
    let users = lines(&answer.stdout);
    assert_eq!(users.len(), 3);
    let mut members: Vec<_> = users[0].as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(
        members,
        [
            "email",
            "fields",
            "first_name",
            "groups",
            "id",
            "is_active",
            "is_staff",
            "is_superuser",
            "joined_at",
            "last_login_at",
            "last_name",
            "permissions",
            "username"
        ]
    );
    assert_eq!((&users[1]["id"], &users[1]["username"]), (&2.into(), &"ben".into()));
    assert!(!answer.stdout.contains("$argon2id$"), "{answer:?}");
    let with_hashes = scene.run(&["export", "users", "--with-password-hashes"]);
    assert!(
        lines(&with_hashes.stdout)
            .iter()
            .all(|user| user["password"].as_str().unwrap().starts_with("$argon2id$"))
    );
}

#[test]
fn an_export_goes_on_after_the_last_user_that_it_wrote() {
    let scene = with_three();
    let rest = lines(&scene.run(&["export", "users", "--after", "1"]).stdout);
    assert_eq!(rest.iter().map(|user| user["id"].as_i64().unwrap()).collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn a_file_is_its_owners_alone_and_there_when_it_is_whole() {
    let scene = with_three();
    let file = scene.write("users.jsonl", "what was there before");
    // What an export that broke off has left.
    scene.write("users.jsonl.part", "half a line");
    let answer = scene.run(&["export", "users", "--output", file.to_str().unwrap()]);
    assert_eq!((answer.code, &*answer.stdout), (0, ""), "{answer:?}");
    assert_eq!((mode(&file), lines(&std::fs::read_to_string(&file).unwrap()).len()), (0o600, 3));
    assert!(!scene.path("users.jsonl.part").exists());
    let answer = scene.run(&["export", "users", "--output", "/no/such/folder/users.jsonl"]);
    assert!(answer.code == 1 && answer.stderr.contains("can't be written"), "{answer:?}");
}
