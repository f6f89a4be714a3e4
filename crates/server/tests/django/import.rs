//! Everyone comes with the old id and the old password.

use countersign_testing::Cluster;
use serde_json::Value;

use crate::python::Project;
use crate::support::{Answer, Scene, Server, mode};

/// What every user of both projects has (`project.py`).
const PASSWORD: &str = "a plum tree in autumn";
const LATER: &str = "a plum tree in autumn, later";
const MINE: &str = "an old pear in winter";

/// What stays behind of the plain project, whatever database it is in.
const LEFT_BEHIND: usize = 2;

fn plain() -> (Scene, Project) {
    let scene = Scene::new();
    let project = Project::plain(&scene.path("django.sqlite3"));
    (scene, project)
}

fn import(scene: &Scene, project: &Project, more: &[&str]) -> Answer {
    let arguments = [&["import", "django", "--database", &project.url], more].concat();
    scene.run(&arguments)
}

/// The users here, by id.
fn export(scene: &Scene) -> Vec<Value> {
    let answer = scene.run(&["export", "users", "--with-password-hashes"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    answer.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn user(scene: &Scene, id: i64) -> Value {
    export(scene).into_iter().find(|user| user["id"] == id).unwrap_or_else(|| panic!("no user {id}"))
}

/// The id of who is signed in now; `None` if nobody is.
fn signs_in(server: &Server, name: &str, password: &str) -> Option<i64> {
    let answer = server.login(name, password);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    if head.starts_with("HTTP/1.1 401") {
        return None;
    }
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    serde_json::from_str::<Value>(body).unwrap()["user"]["id"].as_i64()
}

// attack 89
#[test]
fn everyone_logs_in_with_the_old_password_which_is_hashed_anew() {
    let (scene, project) = plain();
    let known = project.users();
    let answer = import(&scene, &project, &["--yes"]);
    assert_eq!(answer.code, 1, "some stay behind: {answer:?}");
    let server = scene.serve(&["serve"]);
    let mut upgraded = 0;
    for user in known.iter().filter(|user| user.name.starts_with("Ana.")) {
        assert_eq!(signs_in(&server, &user.name.to_uppercase(), PASSWORD), Some(user.id), "{}", user.name);
        upgraded += 1;
    }
    assert_eq!(upgraded, 6);
    // By an address that is one user's alone, not by one that two have; nobody without a usable password.
    assert_eq!(signs_in(&server, "argon2@example.com", PASSWORD), Some(24));
    assert_eq!(signs_in(&server, "ana.scrypt", MINE), None);
    for name in ["shared@example.com", "weak", "nopassword", "gone", "two words"] {
        assert_eq!(signs_in(&server, name, PASSWORD), None, "{name}");
    }
    assert_eq!(signs_in(&server, "twin", PASSWORD), Some(103));
    assert_eq!(server.stop().code, 0);

    for user in export(&scene) {
        let (id, hash) = (user["id"].as_i64().unwrap(), user["password"].as_str().unwrap());
        let before = known.iter().find(|it| it.id == id).unwrap();
        match id {
            10..=45 | 103 => assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{user}"),
            100 | 101 => assert_eq!(hash, "!", "a weak hash is not kept"),
            _ => assert_eq!(hash, before.password, "{user}"),
        }
    }
}

#[test]
fn what_people_have_comes_along() {
    let (scene, project) = plain();
    let answer = import(&scene, &project, &["--yes"]);
    assert_eq!(answer.code, 1, "{answer:?}");
    let one = user(&scene, 10);
    for (member, expected) in [
        ("username", "Ana.pbkdf2_sha256"),
        ("email", "pbkdf2_sha256@example.com"),
        ("first_name", "Ána"),
        ("last_name", "O'Neil 0"),
        // Django kept them in UTC, though the project is at home in India.
        ("joined_at", "2021-02-03T04:05:06.789Z"),
        ("last_login_at", "2024-05-06T07:08:09.000Z"),
    ] {
        assert_eq!(one[member], expected, "{member}");
    }
    assert_eq!(one["groups"], serde_json::json!(["Editors"]));
    assert_eq!(one["permissions"], serde_json::json!(["auth.delete_group"]));
    let flags =
        |id: i64| ["is_active", "is_staff", "is_superuser"].map(|flag| user(&scene, id)[flag] == true);
    assert_eq!(flags(10), [true, false, false]);
    assert_eq!(flags(17), [true, true, false]);
    assert_eq!(flags(24), [true, false, true]);
    assert_eq!(flags(102), [false, false, false]);
    // Ids go on after the highest there.
    let created = scene.run_in(
        &[("COUNTERSIGN_PASSWORD", MINE)],
        &["createuser", "--noinput", "--username", "new", "--email", ""],
    );
    assert_eq!(created.code, 0, "{created:?}");
    assert_eq!(export(&scene).last().unwrap()["id"], 107);
}

#[test]
fn it_says_what_it_will_do_and_what_stays_behind() {
    let (scene, project) = plain();
    let rehearsed = import(&scene, &project, &["--dry-run"]);
    assert_eq!(rehearsed.code, 1, "{rehearsed:?}");
    assert!(rehearsed.stdout.contains("Nothing was changed."), "{rehearsed:?}");
    assert_eq!(export(&scene).len(), 0);
    // Without a terminal nobody can be asked.
    let unasked = import(&scene, &project, &[]);
    assert!(unasked.code == 2 && unasked.stderr.contains("--yes"), "{unasked:?}");
    assert_eq!(export(&scene).len(), 0);
    let done = import(&scene, &project, &["--yes"]);
    for answer in [&rehearsed, &done] {
        for sentence in [
            "Found 13 users in the table auth_user; the highest id is 106.",
            "Groups: 2.",
            "shared@example.com: users 103, 106",
            "user 104, TWIN: the user name differs from that of user 103 only in case",
            "user 105, two words: the user name won't do: A user name has only letters",
            "user 100, weak: needs a link to set a password: the hash (md5)",
            "permission users.change: guards Countersign's own admin site",
            "1 pbkdf2_sha256,1000000",
            "1 bcrypt,12",
            "1 no password",
        ] {
            assert!(answer.stdout.contains(sentence), "{sentence}: {}", answer.stdout);
        }
    }
    assert!(rehearsed.stdout.contains("To come: 11 new users"), "{rehearsed:?}");
    assert!(done.stdout.contains("11 new users came"), "{done:?}");
    assert!(done.stderr.contains("3 things stay behind"), "{done:?}");
    assert_eq!(export(&scene).len(), 13 - LEFT_BEHIND);
    for answer in [rehearsed, done] {
        for user in project.users() {
            assert!(user.password.len() < 10 || !answer.all().contains(&user.password), "a hash is told");
        }
    }
}

#[test]
fn who_has_a_hash_that_cannot_be_used_gets_a_link() {
    let (scene, project) = plain();
    let file = scene.path("links.jsonl");
    let answer = import(&scene, &project, &["--yes", "--links", file.to_str().unwrap()]);
    assert!(answer.stdout.contains("Links to set a password: 1, good for a day."), "{answer:?}");
    assert_eq!(mode(&file), 0o600);
    let link: Value = serde_json::from_str(std::fs::read_to_string(&file).unwrap().trim()).unwrap();
    assert_eq!((&link["id"], &link["username"]), (&100.into(), &"weak".into()));
    let url = link["link"].as_str().unwrap();
    assert!(url.starts_with("http://localhost:8000/accounts/set-password/"), "{url}");
    assert!(!answer.all().contains(url), "a link is told to its owner alone");
    // Nobody needs one any more, and the file isn't overwritten.
    let again = import(&scene, &project, &["--yes", "--links", file.to_str().unwrap()]);
    assert!(again.code == 2 && again.stderr.contains("is there already"), "{again:?}");
}

#[test]
fn a_second_run_changes_nothing() {
    let (scene, project) = plain();
    import(&scene, &project, &["--yes"]);
    let server = scene.serve(&["serve"]);
    assert_eq!(signs_in(&server, "ana.argon2", PASSWORD), Some(24));
    assert_eq!(server.stop().code, 0);
    let before = export(&scene);
    let again = import(&scene, &project, &["--yes"]);
    assert!(
        again.stdout.contains("0 new users came; 0 who came before were brought up to date; 11 had not"),
        "{again:?}"
    );
    assert_eq!(export(&scene), before);
}

#[test]
fn a_later_run_brings_what_changed_there_and_keeps_what_changed_here() {
    let (scene, project) = plain();
    import(&scene, &project, &["--yes"]);
    // Here: 17 gets a new password, 24 logs in, so that the hash is another.
    let mine = [("COUNTERSIGN_PASSWORD", MINE)];
    assert_eq!(scene.run_in(&mine, &["changepassword", "ana.pbkdf2_sha1"]).code, 0);
    let server = scene.serve(&["serve"]);
    assert_eq!(signs_in(&server, "ana.argon2", PASSWORD), Some(24));
    assert_eq!(signs_in(&server, "ana.pbkdf2_sha256", PASSWORD), Some(10));
    // There: 10 and 17 get a new password, 24 another name and address, 31 is switched off, and one joins.
    project.change();
    let answer = import(&scene, &project, &["--yes"]);
    assert!(answer.stdout.contains("1 new users came; 4 who came before"), "{answer:?}");
    assert!(answer.stdout.contains("user 17, Ana.pbkdf2_sha1: has another password there now"), "{answer:?}");
    assert_eq!(signs_in(&server, "ana.pbkdf2_sha256", LATER), Some(10), "changed there, used here");
    assert_eq!(signs_in(&server, "ana.pbkdf2_sha256", PASSWORD), None);
    assert_eq!(signs_in(&server, "ana.pbkdf2_sha1", MINE), Some(17), "changed here, and there too");
    assert_eq!(signs_in(&server, "ana.pbkdf2_sha1", LATER), None);
    assert_eq!(signs_in(&server, "later@example.com", PASSWORD), Some(24));
    assert_eq!(signs_in(&server, "ana.bcrypt_sha256", PASSWORD), None, "switched off there");
    assert_eq!(signs_in(&server, "joined.later", PASSWORD), Some(500));
    assert_eq!(server.stop().code, 0);
    assert_eq!(user(&scene, 24)["last_name"], "Later");
    assert_eq!(user(&scene, 10)["groups"], serde_json::json!(["Empty"]));
}

#[test]
fn an_id_that_is_taken_here_is_told_and_the_others_come() {
    let scene = Scene::new();
    let given = [("COUNTERSIGN_PASSWORD", MINE)];
    let created =
        scene.run_in(&given, &["createsuperuser", "--noinput", "--username", "root", "--email", ""]);
    assert_eq!(created.code, 0);
    let project = Project::custom(&scene.path("django.sqlite3"));
    let answer = import(&scene, &project, &["--yes"]);
    assert_eq!(answer.code, 1, "{answer:?}");
    let taken = "user 1, member1@example.com: the id belongs to a user who was made here";
    assert!(answer.stdout.contains(taken), "{answer:?}");
    assert_eq!(user(&scene, 1)["username"], "root");
    assert_eq!(user(&scene, 1000)["username"], "member1000@example.com");
    // Who is deleted here stays so.
    assert_eq!(scene.run(&["users", "delete", "member2@example.com", "--yes"]).code, 0);
    let answer = import(&scene, &project, &["--yes"]);
    assert!(
        answer.stdout.contains("user 2, member2@example.com: a user of this id was deleted here"),
        "{answer:?}"
    );
}

#[test]
fn a_custom_user_model_comes_with_its_fields() {
    let scene = Scene::new();
    scene.write(
        "countersign.toml",
        "[user_fields.phone]\ntype = \"string\"\npattern = \"[+0-9 ]*\"\n\n[user_fields.birthday]\ntype = \"date\"\n",
    );
    let project = Project::custom(&scene.path("django.sqlite3"));
    let answer = import(&scene, &project, &["--yes"]);
    for sentence in [
        "Found 3 users in the table accounts_member",
        "There is no user name but the address (email)",
        "Columns that come into custom fields: phone, birthday.",
        "user 1000, member1000@example.com: comes without phone:",
        "3 new users came",
    ] {
        assert!(answer.stdout.contains(sentence), "{sentence}: {answer:?}");
    }
    assert_eq!(answer.code, 1, "a value stays behind");
    let one = user(&scene, 1);
    assert_eq!(one["fields"], serde_json::json!({"phone": "+41 44 000 00 00", "birthday": "1990-02-28"}));
    assert_eq!(
        (&one["groups"], &one["username"]),
        (&serde_json::json!(["Writers"]), &"member1@example.com".into())
    );
    assert_eq!(user(&scene, 1000)["fields"], serde_json::json!({"birthday": "2001-01-01"}));
    assert_eq!(user(&scene, 2)["is_superuser"], true);
    let server = scene.serve(&["serve"]);
    assert_eq!(signs_in(&server, "member1000@example.com", PASSWORD), Some(1000));
}

/// A folder whose settings name a PostgreSQL database.
fn on_postgresql() -> Scene {
    let scene = Scene::new();
    let settings = format!(
        "database_url = '{}'\npublic_url = 'http://localhost:8000'\nroot_secret = '{}'\nrefresh_token_secret = '{}'\n",
        Cluster::shared().database(),
        "cm9vdCByb290IHJvb3Qgcm9vdCByb290IHJvb3Qgcm9v",
        "cmVmcmVzaCByZWZyZXNoIHJlZnJlc2ggcmVmcmVzaCBy",
    );
    scene.write("countersign.toml", &settings);
    scene
}

#[test]
fn a_project_on_postgresql_comes_into_postgresql() {
    let scene = on_postgresql();
    let project = Project::make("plain", &Cluster::shared().database());
    let known = project.users();
    let rehearsed = import(&scene, &project, &["--dry-run"]);
    assert!(
        rehearsed.stdout.contains("Found 13 users in the table auth_user; the highest id is 106."),
        "{rehearsed:?}"
    );
    assert_eq!(export(&scene).len(), 0);
    let answer = import(&scene, &project, &["--yes"]);
    assert!(answer.stdout.contains("11 new users came"), "{answer:?}");
    let server = scene.serve(&["serve"]);
    for user in known.iter().filter(|user| user.name.starts_with("Ana.")) {
        assert_eq!(signs_in(&server, &user.name, PASSWORD), Some(user.id), "{}", user.name);
    }
    assert_eq!(server.stop().code, 0);
    let one = user(&scene, 10);
    assert_eq!(
        (&one["joined_at"], &one["groups"]),
        (&"2021-02-03T04:05:06.789Z".into(), &serde_json::json!(["Editors"]))
    );
    let before = export(&scene);
    let again = import(&scene, &project, &["--yes"]);
    assert!(
        again.stdout.contains("0 new users came; 0 who came before were brought up to date; 11"),
        "{again:?}"
    );
    assert_eq!(export(&scene), before);
    project.change();
    let later = import(&scene, &project, &["--yes"]);
    assert!(later.stdout.contains("1 new users came; 4 who came before"), "{later:?}");
    let created = scene.run_in(
        &[("COUNTERSIGN_PASSWORD", MINE)],
        &["createuser", "--noinput", "--username", "new", "--email", ""],
    );
    assert_eq!(created.code, 0, "{created:?}");
    assert_eq!(export(&scene).last().unwrap()["id"], 501);
}

#[test]
fn a_custom_user_model_on_postgresql_comes_as_well() {
    let scene = Scene::new();
    scene.write("countersign.toml", "[user_fields.birthday]\ntype = \"date\"\n");
    let project = Project::make("custom", &Cluster::shared().database());
    let answer = import(&scene, &project, &["--yes"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(answer.stdout.contains("no custom field has their name: phone."), "{answer:?}");
    let one = user(&scene, 1);
    assert_eq!(
        (&one["fields"], &one["groups"]),
        (&serde_json::json!({"birthday": "1990-02-28"}), &serde_json::json!(["Writers"]))
    );
}
