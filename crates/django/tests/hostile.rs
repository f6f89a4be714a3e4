//! Databases that no Django made: each row is read or told of, and nothing panics.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy.toml exempts #[test] functions only, not the helpers beside them"
)]

use std::path::{Path, PathBuf};

use countersign_django::{Django, Location, Named, Row, SourceError};
use proptest::prelude::*;
use rusqlite::Connection;
use rusqlite::types::Value;

const TABLES: &str = "
    CREATE TABLE auth_user (id INTEGER PRIMARY KEY, password, last_login, is_superuser, username, first_name,
        last_name, email, is_staff, is_active, date_joined, \"a \"\"quoted\"\" column\");
    CREATE TABLE auth_user_groups (id INTEGER PRIMARY KEY, user_id, group_id);
    CREATE TABLE auth_group (id INTEGER PRIMARY KEY, name);
    CREATE TABLE auth_group_permissions (id INTEGER PRIMARY KEY, group_id, permission_id);
    CREATE TABLE auth_permission (id INTEGER PRIMARY KEY, name, content_type_id, codename);
    CREATE TABLE django_content_type (id INTEGER PRIMARY KEY, app_label, model);";
const INSERT: &str = "INSERT INTO auth_user VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

struct Scene(tempfile::TempDir);

impl Scene {
    fn new(sql: &str) -> Self {
        let scene = Self(tempfile::tempdir().unwrap());
        scene.db().execute_batch(sql).unwrap();
        scene
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("db.sqlite3")
    }

    fn db(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    fn add(&self, id: i64, values: Vec<Value>) {
        let values = std::iter::once(Value::Integer(id)).chain(values);
        self.db().execute(INSERT, rusqlite::params_from_iter(values)).unwrap();
    }

    fn open(&self) -> Result<Django, SourceError> {
        open(&self.path(), &Named::default())
    }

    fn rows(&self) -> Vec<Row> {
        let django = self.open().unwrap();
        wait(django.page(i64::MIN, 1000)).unwrap().rows
    }
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

fn open(path: &Path, named: &Named) -> Result<Django, SourceError> {
    wait(Django::open(&Location::Sqlite(path.to_owned()), named))
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// Password, last login, superuser, user name, names, address, staff, active, joined, and one more.
fn ana() -> Vec<Value> {
    let (no, yes) = (Value::Integer(0), Value::Integer(1));
    let (hash, joined) = (text("!"), text("2024-05-06 07:08:09.123456"));
    vec![
        hash,
        Value::Null,
        no.clone(),
        text("ana"),
        text("Ana"),
        text(""),
        text("a@b.example"),
        no,
        yes,
        joined,
        text("x"),
    ]
}

fn with(place: usize, value: Value) -> Vec<Value> {
    let mut values = ana();
    values[place] = value;
    values
}

#[test]
fn a_row_is_read_with_its_memberships_and_its_other_columns() {
    let scene = Scene::new(TABLES);
    scene.add(7, ana());
    scene
        .db()
        .execute_batch(
            "INSERT INTO auth_group VALUES (3, 'Editors'); INSERT INTO auth_user_groups VALUES (1, 7, 3)",
        )
        .unwrap();
    let [row] = &*scene.rows() else { panic!("one row") };
    let user = row.user.as_ref().unwrap();
    assert_eq!((row.id, user.username.as_deref(), &*user.email), (7, Some("ana"), "a@b.example"));
    assert_eq!(user.groups, [3]);
    assert_eq!(user.date_joined.unwrap().to_string(), "2024-05-06T07:08:09.123Z");
    assert_eq!(user.extra["a \"quoted\" column"], Ok(Some("x".into())));
    assert!(!format!("{user:?}").contains('!'), "no hash in {user:?}");
}

#[test]
fn a_row_that_cannot_be_read_is_told_of_and_the_others_come() {
    let scene = Scene::new(TABLES);
    scene.add(1, ana());
    for (id, place, value) in [
        (2, 3, Value::Null),
        (3, 3, Value::Blob(vec![255])),
        (4, 8, text("perhaps")),
        (5, 6, text(&"x".repeat(70_000))),
        (6, 0, Value::Null),
    ] {
        scene.add(id, with(place, value));
    }
    scene.add(9, ana());
    let told: Vec<_> =
        scene.rows().into_iter().map(|row| row.user.map(|_| ()).err().unwrap_or_default()).collect();
    let expected = [
        "",
        "username is empty",
        "username is no text",
        "is_active is neither true nor false",
        "email is longer than 65536 bytes",
        "password is empty",
        "",
    ];
    assert_eq!(told, expected);
}

#[test]
fn pages_go_on_where_the_last_one_ended() {
    let scene = Scene::new(TABLES);
    for id in [-5, 0, 3, 1_000_000] {
        scene.add(id, ana());
    }
    let django = scene.open().unwrap();
    let ids = |after| wait(django.page(after, 2)).unwrap().rows.iter().map(|row| row.id).collect::<Vec<_>>();
    assert_eq!(ids(i64::MIN), [-5, 0]);
    assert_eq!(ids(0), [3, 1_000_000]);
    assert_eq!(ids(1_000_000), [0; 0]);
    let totals = wait(django.totals()).unwrap();
    assert_eq!((totals.users, totals.highest), (4, 1_000_000));
}

#[test]
fn all_is_read_as_it_was_at_the_opening() {
    let scene = Scene::new(TABLES);
    scene.db().execute_batch("PRAGMA journal_mode = WAL").unwrap();
    scene.add(1, ana());
    let django = scene.open().unwrap();
    scene.add(2, ana());
    assert_eq!(wait(django.page(i64::MIN, 10)).unwrap().rows.len(), 1);
}

#[test]
fn the_database_is_not_changed_and_nothing_in_it_runs() {
    let scene = Scene::new(TABLES);
    scene.add(1, ana());
    let before = std::fs::read(scene.path()).unwrap();
    assert_eq!(scene.rows().len(), 1);
    assert_eq!(std::fs::read(scene.path()).unwrap(), before);
    // A view isn't looked at: what it would run is its maker's.
    let view = Scene::new(
        "CREATE TABLE t (a); CREATE VIEW auth_user AS SELECT a AS id, a AS password, a AS last_login FROM t",
    );
    assert!(matches!(view.open(), Err(SourceError::NoUsers)));
}

#[test]
fn what_is_no_database_is_told() {
    let scene = Scene::new("CREATE TABLE t (a)");
    assert!(matches!(scene.open(), Err(SourceError::NoUsers)));
    std::fs::write(
        scene.path(),
        "no database at all, and long enough for a header of one hundred bytes, as it should be",
    )
    .unwrap();
    assert!(matches!(scene.open(), Err(SourceError::Database(_))));
    let error = open(Path::new("/no/such/file"), &Named::default()).map(drop).unwrap_err();
    assert!(error.to_string().contains("there is no file /no/such/file"), "{error}");
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::Integer),
        any::<f64>().prop_map(Value::Real),
        r"(\PC|[\x00-\x1f]){0,40}".prop_map(Value::Text),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::Blob),
        (60_000_usize..70_000).prop_map(|length| Value::Text("x".repeat(length))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    // attack 99
    #[test]
    fn whatever_stands_in_a_row_it_is_read_or_told_of(rows in proptest::collection::vec(proptest::collection::vec(any_value(), 11), 1..5)) {
        let scene = Scene::new(TABLES);
        let count = rows.len();
        for (id, values) in (1..).zip(rows) {
            scene.add(id, values);
        }
        prop_assert_eq!(scene.rows().len(), count);
    }

    // attack 99
    #[test]
    fn whatever_stands_beside_the_users_it_is_read_or_told_of(values in proptest::collection::vec(any_value(), 9)) {
        let scene = Scene::new(TABLES);
        scene.add(1, ana());
        let db = scene.db();
        for (insert, from) in [
            ("INSERT INTO auth_user_groups VALUES (1, ?, ?)", 0),
            ("INSERT INTO auth_group_permissions VALUES (1, ?, ?)", 2),
            ("INSERT INTO auth_permission VALUES (1, 'x', ?, ?)", 4),
            ("INSERT INTO django_content_type VALUES (1, ?, ?)", 6),
        ] {
            db.execute(insert, rusqlite::params_from_iter(&values[from..from + 2])).unwrap();
        }
        db.execute("INSERT INTO auth_group VALUES (1, ?)", [&values[8]]).unwrap();
        drop(db);
        let django = scene.open().unwrap();
        wait(async {
            let _ = (django.page(i64::MIN, 10).await, django.groups().await, django.permissions().await);
        });
    }
}
