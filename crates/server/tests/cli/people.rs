//! `users`, `groups`, `permissions` and `audit`: the operator's admin site.

use serde_json::Value;

use crate::support::{Answer, Scene};

const PASSWORD: &str = "correct horse battery staple";

/// A place with the superuser ana.
fn scene() -> Scene {
    let scene = Scene::new();
    let arguments = ["createsuperuser", "--noinput", "--username", "ana", "--email", "ana@example.com"];
    let made = scene.run_in(&[("COUNTERSIGN_PASSWORD", PASSWORD)], &arguments);
    assert_eq!(made.code, 0, "{made:?}");
    scene
}

fn done(scene: &Scene, line: &str) -> Answer {
    let answer = scene.run(&line.split(' ').collect::<Vec<_>>());
    assert_eq!(answer.code, 0, "{line}: {answer:?}");
    answer
}

fn refused(scene: &Scene, line: &str, code: i32, sentence: &str) {
    let answer = scene.run(&line.split(' ').collect::<Vec<_>>());
    assert_eq!(answer.code, code, "{line}: {answer:?}");
    assert!(answer.stderr.contains(sentence), "{line}: {answer:?}");
}

fn lines(answer: &Answer) -> Vec<Value> {
    answer.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn shown(scene: &Scene, user: &str) -> Value {
    lines(&done(scene, &format!("users show {user} --json"))).remove(0)
}

#[test]
fn a_user_is_made_found_changed_and_deleted() {
    let scene = scene();
    let made = done(&scene, "users create ben --email ben@example.com --first-name Ben");
    let link = made.stdout.trim();
    assert!(link.starts_with("http://localhost:8000/accounts/set-password"), "{made:?}");
    assert_eq!(made.stdout.lines().count(), 1, "the link alone can be piped: {made:?}");
    let ben = shown(&scene, "ben");
    assert_eq!(
        (&ben["first_name"], &ben["has_password"], &ben["is_active"]),
        (&"Ben".into(), &false.into(), &true.into())
    );
    assert!(ben["link_expires_at"].is_string());

    let listed = lines(&done(&scene, "users list --search be --json"));
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["username"], "ben");
    let table = done(&scene, "users list");
    assert_eq!(table.line("1")[1..], ["ana", "ana@example.com", "superuser", table.line("1")[4], "never"]);
    let short = done(&scene, "users list --limit 1");
    assert!(short.stderr.contains("--limit 0 lists all"), "{short:?}");

    done(&scene, "users set ben --username benedict --email b@example.org --staff true");
    let ben = shown(&scene, "benedict");
    assert_eq!((&ben["email"], &ben["is_staff"]), (&"b@example.org".into(), &true.into()));
    let by_id = format!("id:{}", ben["id"]);
    done(&scene, &format!("users deactivate {by_id}"));
    assert_eq!(shown(&scene, &by_id)["is_active"], false);
    refused(&scene, "users link benedict", 1, "switched off");
    done(&scene, "users activate benedict");
    done(&scene, "users unlock benedict");

    refused(&scene, "users delete benedict", 2, "--yes deletes without asking");
    done(&scene, "users delete benedict --yes");
    refused(&scene, "users show benedict", 1, "there is no user benedict");
    refused(&scene, &format!("users show {by_id}"), 1, "there is no user with the id");
    refused(&scene, "users show id:x", 2, "write it as id:42");

    let deleted = lines(&done(&scene, "audit list --kind user_deleted --json"));
    assert_eq!(deleted.len(), 1);
    assert_eq!((&deleted[0]["detail"]["username"], &deleted[0]["actor"]), (&"benedict".into(), &Value::Null));
}

#[test]
fn the_last_superuser_stays_and_wrong_words_are_explained() {
    let scene = scene();
    for line in ["users deactivate ana", "users delete ana --yes", "users set ana --superuser false"] {
        refused(&scene, line, 1, "last active superuser");
    }
    refused(&scene, "users create ana", 1, "exists already");
    refused(&scene, "users create ben --email nowhere", 1, "like name@example.com");
    refused(&scene, "users create ben --group editors", 1, "there is no group editors");
    refused(&scene, "users grant ana --permission Reports", 2, "Reports: ");
    refused(&scene, "users grant ana --permission reports.view", 1, "make it first");
    refused(&scene, "users grant ana", 2, "--permission");
    refused(&scene, "users set ana --field shoe=42", 1, "shoe");
    refused(&scene, "audit list --kind dinner", 2, "countersign audit kinds lists them");
    refused(&scene, "audit list --since yesterday", 2, "write a day as 2026-11-24");
}

#[test]
fn permissions_reach_users_directly_and_through_groups() {
    let scene = scene();
    done(&scene, "users create ben --no-link");
    let create = ["permissions", "create", "reports.view", "See the reports"];
    assert_eq!(scene.run(&create).code, 0);
    assert_eq!(scene.run(&create).code, 1, "there is one already");
    done(&scene, "permissions create articles.publish");
    let listed = done(&scene, "permissions list");
    assert_eq!(listed.line("reports.view"), ["reports.view", "See", "the", "reports"]);
    assert_eq!(listed.line("users.view")[1..3], ["built", "in"]);
    refused(&scene, "permissions delete users.view", 1, "built in");

    done(&scene, "groups create editors --permission articles.publish");
    done(&scene, "users grant ben --permission reports.view --group Editors");
    let ben = shown(&scene, "ben");
    assert_eq!(ben["permissions"], serde_json::json!(["reports.view"]));
    assert_eq!(ben["permissions_of_groups"], serde_json::json!(["articles.publish"]));
    assert_eq!(lines(&done(&scene, "users list --group editors --json")).len(), 1);
    done(&scene, "groups grant editors reports.view");
    let group = lines(&done(&scene, "groups show editors --json")).remove(0);
    assert_eq!((&group["members"], group["permissions"].as_array().unwrap().len()), (&1.into(), 2));
    done(&scene, "groups revoke editors articles.publish");
    done(&scene, "groups rename editors writers");
    assert_eq!(done(&scene, "groups list").line("writers"), ["writers", "1", "reports.view"]);
    done(&scene, "users revoke ben --permission reports.view --group writers");
    assert_eq!(shown(&scene, "ben")["groups"], serde_json::json!([]));
    done(&scene, "groups delete writers");
    refused(&scene, "groups show writers", 1, "there is no group writers");

    let granted = lines(&done(&scene, "audit list --user ben --kind user_changed --json"));
    assert_eq!(granted.len(), 2, "a grant and a revocation: {granted:?}");
    let given = &granted[1]["detail"]["changes"]["permissions.added"];
    assert_eq!(*given, serde_json::json!(["reports.view"]), "{granted:?}");
    assert!(done(&scene, "audit kinds").stdout.lines().any(|kind| kind == "user_changed"));
    assert!(done(&scene, "audit list --limit 2").stderr.contains("--limit 0 lists all"));
}

// attack 117
#[test]
fn what_could_fool_a_terminal_is_shown_escaped() {
    let scene = scene();
    let new = ["users", "create", "ben", "--first-name", "a\u{202e}b", "--no-link"];
    let made = scene.run(&new);
    if made.code == 0 {
        assert!(done(&scene, "users list").stdout.contains(r"a\u{202e}b"));
    } else {
        assert!(!made.stderr.contains('\u{202e}'), "{made:?}");
    }
}
