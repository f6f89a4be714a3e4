//! Custom user fields, from the file to the wire.

use serde_json::Value;

use crate::support::{Answer, Scene};

const GIVEN: &[(&str, &str)] = &[("COUNTERSIGN_PASSWORD", "a plum tree in autumn")];

const DECLARED: &str = r#"
[user_fields.department]
type = "enum"
choices = ["sales", "support"]
required = true
in_token = true

[user_fields.phone]
type = "string"
max_length = 20
editable_by = "user"
help = "With the \"+\" in front."
"#;

fn create(scene: &Scene, username: &str, fields: &[&str]) -> (i32, String) {
    let fields = fields.iter().flat_map(|field| ["--field", field]);
    let arguments: Vec<_> =
        ["createuser", "--noinput", "--username", username].into_iter().chain(fields).collect();
    let answer = scene.run_in(GIVEN, &arguments);
    (answer.code, answer.all())
}

#[test]
fn a_declared_field_is_asked_for_kept_shown_and_checked() {
    let scene = Scene::new();
    scene.write("countersign.toml", DECLARED);
    let (code, said) = create(&scene, "ana", &[]);
    assert_eq!((code, &*said), (1, "error: department: This field is required.\n"));
    let (code, said) = create(&scene, "ana", &["department"]);
    assert!(code == 2 && said.contains("phone=555-0100"), "{said}");
    assert_eq!(create(&scene, "ana", &["department=sales", "phone=+1 2=3"]).0, 0);

    let server = scene.serve(&["serve"]);
    let login = server.login("ana", "a plum tree in autumn");
    assert!(login.contains(r#""department":"sales""#) && login.contains(r#""phone":"+1 2=3""#), "{login}");
    let document = server.request("GET /openapi.json", &[], "");
    assert!(document.contains(r#"With the \"+\" in front."#) && document.contains("department"));

    let answer = scene.run(&["check"]);
    assert_eq!(
        answer.line("department"),
        "department enum, one of sales / support, required, in tokens, written by staff"
            .split(' ')
            .collect::<Vec<_>>()
    );
    assert!(answer.code == 0 && !answer.all().contains("warning"), "{answer:?}");
    server.stop();
}

#[test]
fn a_field_is_set_cleared_shown_and_listed_by() {
    let scene = Scene::new();
    scene.write("countersign.toml", DECLARED);
    let answer = scene.run(&["users", "create", "ana", "--no-link"]);
    assert!(answer.code == 1 && answer.stderr.contains("department: This field is required."), "{answer:?}");
    for (name, department) in [("ana", "sales"), ("ben", "support")] {
        let department = format!("department={department}");
        let answer = scene.run(&["users", "create", name, "--no-link", "--field", &department]);
        assert_eq!(answer.code, 0, "{answer:?}");
    }
    let set = |field: &str| scene.run(&["users", "set", "ben", "--field", field]);
    let shown = || scene.run(&["users", "show", "ben"]).line("phone")[1..].join(" ");
    assert_eq!((set("phone=555-0100").code, &*shown()), (0, "555-0100"));
    assert_eq!((set("phone=").code, &*shown()), (0, "-"));
    let refused = set("department=cellar");
    assert!(refused.code == 1 && refused.stderr.contains("Choose one of these"), "{refused:?}");

    let listed = |field: &str| scene.run(&["users", "list", "--json", "--field", field]);
    let names = |answer: &Answer| {
        let rows = answer.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.map(|row| format!("{} of {}", row["username"], row["department"])).collect::<Vec<_>>()
    };
    assert_eq!(names(&listed("department=support")), [r#""ben" of "support""#]);
    assert_eq!(set("department=sales").code, 0);
    assert_eq!(names(&listed("department=support")), Vec::<String>::new());
    assert_eq!(names(&listed("department=sales")).len(), 2);
    assert_eq!(names(&listed("department=")), Vec::<String>::new());
    let refused = listed("phone=555-0100");
    assert!(refused.code == 1 && refused.stderr.contains("can't be listed by this field"), "{refused:?}");
}

#[test]
fn check_lists_the_users_whose_values_no_longer_fit() {
    let scene = Scene::new();
    scene.write("countersign.toml", DECLARED);
    for n in 0..22 {
        assert_eq!(create(&scene, &format!("user{n}"), &["department=sales"]).0, 0);
    }
    assert_eq!(create(&scene, "ana", &["department=support"]).0, 0);
    let tightened =
        [("COUNTERSIGN_USER_FIELDS", "{ department = { type = 'enum', choices = ['support'] } }")];
    let answer = scene.run_in(&tightened, &["check"]);
    assert_eq!((answer.code, &*answer.stderr), (0, ""));
    assert!(
        answer.stdout.contains("  user19 (20): department: Choose one of these: support.\n"),
        "{answer:?}"
    );
    assert!(!answer.stdout.contains("user20") && !answer.stdout.contains("ana"), "{answer:?}");
    assert!(answer.stdout.contains("and 2 more; countersign check --all lists them"), "{answer:?}");
    assert!(
        answer.stdout.contains("warning: user_fields: 22 users have values that don't fit"),
        "{answer:?}"
    );
    let answer = scene.run_in(&tightened, &["check", "--all", "--deploy"]);
    assert!(answer.code == 1 && answer.stdout.contains("user21"), "{answer:?}");
    assert!(answer.stdout.contains("user_fields: 22 users"), "{answer:?}");

    // It goes on: nothing was lost, and nobody is kept out.
    assert!(!scene.run(&["check"]).all().contains("warning"));
    let server = scene.serve(&["serve", "--user-fields", ""]);
    let login = server.login("ana", "a plum tree in autumn");
    assert!(login.starts_with("HTTP/1.1 200") && !login.contains("department"), "{login}");
    server.stop();
    let server = scene.serve(&["serve"]);
    assert!(server.login("ana", "a plum tree in autumn").contains(r#""department":"support""#));
}
