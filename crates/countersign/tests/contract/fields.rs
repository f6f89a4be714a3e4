//! Accounts: custom fields, as they are declared in the settings.

use countersign::core::fields::{Declaration, Editor, FieldType, UserFields};
use countersign::service::fields::Misfit;
use countersign::service::password::Password;
use countersign::service::people::{self, UserFilter};
use countersign::service::users::UserToCreate;
use countersign::service::{Error, User};
use countersign::settings::Settings;
use countersign::store::{AuditEvent, EventKind, ProfileChange};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{ALICE, ALICE_PASSWORD, Actor, BOB, BOB_PASSWORD, World, members};

/// A phone number and a theme, which users write themselves; a badge and a level, which staff does.
fn people(settings: &mut Settings) {
    let mine = |field_type| Declaration { editable_by: Editor::User, ..Declaration::new(field_type) };
    let choices = Some(["light", "dark"].map(str::to_owned).to_vec());
    let theme = Declaration { choices, default: Some("light".into()), ..mine(FieldType::Enum) };
    declare(
        settings,
        [
            ("phone", Declaration { pattern: Some("\\+[0-9 ]+".into()), ..mine(FieldType::String) }),
            ("theme", Declaration { in_token: true, ..theme }),
            ("badge", Declaration { unique: true, in_token: true, ..Declaration::new(FieldType::String) }),
            ("level", Declaration { in_token: true, ..Declaration::new(FieldType::Integer) }),
        ],
    );
}

/// A handle that only one may have, which users write themselves.
fn handles(settings: &mut Settings) {
    let handle =
        Declaration { unique: true, editable_by: Editor::User, ..Declaration::new(FieldType::String) };
    declare(settings, [("handle", handle)]);
}

fn declare<const N: usize>(settings: &mut Settings, fields: [(&str, Declaration); N]) {
    let fields = fields.map(|(name, declaration)| (name.to_owned(), declaration));
    settings.user_fields = UserFields::declare(fields).unwrap();
}

/// A browser in which Bob has logged in.
async fn bob(world: &World) -> Actor<'_> {
    let mut browser = world.browser();
    browser.login(BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
    browser
}

async fn user(actor: &mut Actor<'_>) -> Value {
    actor.get("/accounts/profile").await.expect(StatusCode::OK).body["user"].clone()
}

async fn patch(actor: &mut Actor<'_>, body: Value) -> Value {
    actor.patch("/accounts/profile", body).await.expect(StatusCode::OK).body["user"].clone()
}

/// The fields that were refused.
async fn refused(actor: &mut Actor<'_>, body: Value) -> Vec<String> {
    let answer = actor.patch("/accounts/profile", body).await.refused(400, "invalid_fields");
    members(&answer.body["errors"]).into_iter().map(str::to_owned).collect()
}

async fn create(world: &World, username: &str, fields: Value) -> Result<User, Error> {
    let fields = fields.as_object().unwrap().clone();
    let password = Password::new(BOB_PASSWORD).unwrap();
    let (username, email) = (username.to_owned(), String::new());
    let new = UserToCreate { username, email, password, is_superuser: false, fields };
    world.countersign.service().create_user(new).await
}

async fn misfits(world: &World) -> Vec<Misfit> {
    let mut found = Vec::new();
    world.countersign.service().misfits(|misfit| found.push(misfit)).await.unwrap();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_with_a_user_has_the_declared_fields() {
    let world = World::with(people).await;
    let mut browser = world.browser();
    let login = browser.login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
    let shown = json!({"phone": null, "theme": "light", "badge": null, "level": null});
    for body in [
        login.body,
        browser.refresh().await.expect(StatusCode::OK).body,
        json!({"user": user(&mut browser).await}),
    ] {
        for (field, value) in shown.as_object().unwrap() {
            assert_eq!(&body["user"][field], value, "{field} of {body}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn users_change_the_fields_that_are_theirs() {
    let world = World::with(people).await;
    let mut browser = world.alice_in_a_browser().await;
    let after = patch(&mut browser, json!({"phone": " +1 555 0100 ", "first_name": "Alice"})).await;
    assert_eq!(
        (&after["phone"], &after["theme"], &after["first_name"]),
        (&json!("+1 555 0100"), &json!("light"), &json!("Alice"))
    );
    assert_eq!(patch(&mut browser, json!({"theme": "dark"})).await["phone"], "+1 555 0100");
    assert_eq!(user(&mut browser).await["theme"], "dark");
    let cleared = patch(&mut browser, json!({"phone": null, "theme": null})).await;
    assert_eq!((&cleared["phone"], &cleared["theme"]), (&json!(null), &json!("light")));

    let changes = world.audited(EventKind::ProfileChanged).await;
    let told: Vec<_> = changes.iter().rev().map(|row| row.event.detail["fields"].clone()).collect();
    assert_eq!(told, [json!(["first_name", "phone"]), json!(["theme"]), json!(["phone", "theme"])]);
}

// attack 95
#[tokio::test(flavor = "multi_thread")]
async fn a_field_of_staff_is_read_only_and_no_value_gets_past_its_rules() {
    let world = World::with(people).await;
    let mut browser = world.alice_in_a_browser().await;
    let before = user(&mut browser).await;
    for (field, value) in [
        ("level", json!(9)),
        ("badge", json!("b1")),
        ("badge", json!(null)),
        ("fields", json!({"level": 9})),
        ("fields.level", json!(9)),
        ("Level", json!(9)),
        ("is_staff", json!(true)),
        ("is_superuser", json!(true)),
        ("groups", json!(["admin"])),
        ("permissions", json!(["users.change"])),
        ("scope", json!("admin")),
        ("sub", json!("1")),
        ("phone", json!("call me")),
        ("phone", json!(1)),
        ("phone", json!({"$ne": ""})),
        ("phone", json!("+1\r\nBcc: all@example.com")),
        ("theme", json!("blue")),
        ("theme", json!(["dark"])),
    ] {
        let mut body = json!({"first_name": "Mallory", "theme": "dark"});
        body[field] = value.clone();
        assert_eq!(refused(&mut browser, body).await, [field], "{value}");
    }
    assert_eq!(user(&mut browser).await, before);
    let mut all =
        refused(&mut browser, json!({"level": 9, "phone": "x", "nope": 1, "first_name": "\n"})).await;
    all.sort();
    assert_eq!(all, ["first_name", "level", "nope", "phone"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_carry_the_fields_that_are_to_be_in_them() {
    let world = World::with(people).await;
    create(&world, "carol", json!({"badge": "b7", "level": 3, "phone": "+1"})).await.unwrap();
    let mut browser = world.browser();
    browser.login("carol", BOB_PASSWORD).await.expect(StatusCode::OK);
    let claims = browser.claims();
    assert_eq!(
        (&claims["badge"], &claims["level"], &claims["theme"]),
        (&json!("b7"), &json!(3), &json!("light"))
    );
    assert_eq!(claims.get("phone"), None);

    patch(&mut browser, json!({"theme": "dark"})).await;
    browser.refresh().await.expect(StatusCode::OK);
    assert_eq!(browser.claims()["theme"], "dark");
    let alice = world.alice_in_a_browser().await.claims();
    assert_eq!((alice.get("badge"), alice.get("level")), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_is_unique_is_one_users_alone() {
    let world = World::with(handles).await;
    let (mut alice, mut bob) = (world.alice_in_a_browser().await, bob(&world).await);
    patch(&mut alice, json!({"handle": "neo"})).await;
    let answer = bob.patch("/accounts/profile", json!({"handle": " neo", "first_name": "Bob"})).await;
    let answer = answer.refused(400, "invalid_fields");
    assert_eq!(answer.body["errors"], json!({"handle": ["Another user has this value already."]}));
    assert_eq!(user(&mut bob).await["first_name"], "");
    patch(&mut alice, json!({"handle": "neo", "first_name": "Alice"})).await;
    let error = create(&world, "carol", json!({"handle": "neo"})).await.unwrap_err();
    assert!(matches!(error, Error::InvalidFields(fields) if fields.contains_key("handle")));
    patch(&mut alice, json!({"handle": null})).await;
    assert_eq!(patch(&mut bob, json!({"handle": "neo"})).await["handle"], "neo");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_users_who_race_for_a_value_one_gets_it() {
    let world = World::with(handles).await;
    let (mut alice, mut bob) = (world.alice_in_a_browser().await, bob(&world).await);
    for round in 0..10 {
        let wish = json!({"handle": format!("neo{round}")});
        let (first, second) = tokio::join!(
            alice.patch("/accounts/profile", wish.clone()),
            bob.patch("/accounts/profile", wish)
        );
        let mut statuses = [first.status.as_u16(), second.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_required_is_asked_of_new_users_and_can_not_be_cleared() {
    let world = World::with(|settings| {
        let dept =
            Declaration { required: true, editable_by: Editor::User, ..Declaration::new(FieldType::String) };
        declare(settings, [("dept", dept)]);
    })
    .await;
    let error = create(&world, "carol", json!({})).await.unwrap_err();
    assert!(matches!(error, Error::InvalidFields(fields) if fields["dept"] == ["This field is required."]));
    create(&world, "carol", json!({"dept": "sales"})).await.unwrap();
    let mut browser = world.browser();
    browser.login("carol", BOB_PASSWORD).await.expect(StatusCode::OK);
    for nothing in [json!(null), json!(""), json!("  ")] {
        assert_eq!(refused(&mut browser, json!({"dept": nothing})).await, ["dept"]);
    }
    // Who was there before the field was asks for nothing until it is written.
    let mut alice = world.alice_in_a_browser().await;
    assert_eq!(patch(&mut alice, json!({"first_name": "Alice"})).await["dept"], json!(null));
    let found = misfits(&world).await;
    assert_eq!(found.iter().map(|misfit| &*misfit.username).collect::<Vec<_>>(), ["alice", "bob"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_is_removed_keeps_its_values_and_shows_none() {
    let world = World::with(people).await;
    create(&world, "carol", json!({"badge": "b7", "level": 3})).await.unwrap();
    let world = world.restart_with(|settings| settings.user_fields = UserFields::default()).await;
    let mut browser = world.browser();
    let login = browser.login("carol", BOB_PASSWORD).await.expect(StatusCode::OK);
    assert_eq!(login.body["user"].get("badge"), None);
    assert_eq!(browser.claims().get("level"), None);
    assert_eq!(refused(&mut browser, json!({"phone": "+1"})).await, ["phone"]);
    browser.patch("/accounts/profile", json!({"first_name": "Carol"})).await.expect(StatusCode::OK);
    assert_eq!(misfits(&world).await, []);

    let world = world.restart_with(people).await;
    let mut browser = world.browser();
    let login = browser.login("carol", BOB_PASSWORD).await.expect(StatusCode::OK);
    assert_eq!((&login.body["user"]["badge"], &login.body["user"]["level"]), (&json!("b7"), &json!(3)));
    let error = create(&world, "dora", json!({"badge": "b7"})).await.unwrap_err();
    assert!(matches!(error, Error::InvalidFields(fields) if fields.contains_key("badge")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_is_tightened_shows_what_it_had_until_it_is_written() {
    let world = World::with(people).await;
    create(&world, "carol", json!({"phone": "+1 555", "level": 3, "badge": "b1"})).await.unwrap();
    let world = world
        .restart_with(|settings| {
            let mine = |field_type| Declaration { editable_by: Editor::User, ..Declaration::new(field_type) };
            declare(
                settings,
                [
                    (
                        "phone",
                        Declaration {
                            pattern: Some("[0-9]+".into()),
                            in_token: true,
                            ..mine(FieldType::String)
                        },
                    ),
                    ("level", Declaration { in_token: true, ..mine(FieldType::Date) }),
                    ("badge", mine(FieldType::String)),
                ],
            );
        })
        .await;
    let mut browser = world.browser();
    browser.login("carol", BOB_PASSWORD).await.expect(StatusCode::OK);
    let after = patch(&mut browser, json!({"badge": "b2"})).await;
    assert_eq!(
        (&after["phone"], &after["level"], &after["badge"]),
        (&json!("+1 555"), &json!(3), &json!("b2"))
    );
    let after = patch(&mut browser, json!({"phone": "+1 555", "level": 3, "badge": "b3"})).await;
    assert_eq!((&after["phone"], &after["badge"]), (&json!("+1 555"), &json!("b3")));
    assert_eq!(refused(&mut browser, json!({"phone": "+2", "level": 4})).await, ["level", "phone"]);
    // A service that trusts the token may rely on the type that is declared.
    assert_eq!((browser.claims().get("phone"), browser.claims().get("level")), (None, None));

    let found = misfits(&world).await;
    assert_eq!(found.len(), 1);
    assert_eq!((&*found[0].username, found[0].errors.len()), ("carol", 2));
    patch(&mut browser, json!({"phone": "1555", "level": "2020-01-31"})).await;
    assert_eq!(misfits(&world).await, []);
    browser.refresh().await.expect(StatusCode::OK);
    assert_eq!(browser.claims()["level"], "2020-01-31");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_becomes_unique_loses_nothing_and_nobody_else_gets_its_values() {
    let free = |settings: &mut Settings| {
        declare(
            settings,
            [("handle", Declaration { editable_by: Editor::User, ..Declaration::new(FieldType::String) })],
        );
    };
    let world = World::with(free).await;
    for name in ["carol", "dora", "eve"] {
        create(&world, name, json!({"handle": if name == "eve" { "trin" } else { "neo" }})).await.unwrap();
    }
    let world = world.restart_with(handles).await;
    let found = misfits(&world).await;
    assert_eq!(found.iter().map(|misfit| &*misfit.username).collect::<Vec<_>>(), ["dora"]);
    assert!(found[0].errors["handle"][0].contains("has this value too"), "{:?}", found[0].errors);
    for name in ["carol", "dora"] {
        let mut browser = world.browser();
        let login = browser.login(name, BOB_PASSWORD).await.expect(StatusCode::OK);
        assert_eq!(login.body["user"]["handle"], "neo");
        assert_eq!(refused(&mut browser, json!({"handle": "trin"})).await, ["handle"]);
    }
    let mut browser = bob(&world).await;
    assert_eq!(refused(&mut browser, json!({"handle": "neo"})).await, ["handle"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_listed_by_what_a_form_says_of_a_field() {
    let world = World::with(people).await;
    create(&world, "carol", json!({"badge": "b7", "theme": "dark", "level": 3})).await.unwrap();
    create(&world, "dora", json!({"theme": "light"})).await.unwrap();
    let service = world.countersign.service();
    for (field, text, expected) in [
        ("badge", " b7 ", &["carol"][..]),
        ("badge", "b8", &[]),
        ("level", "3", &["carol"]),
        ("level", "", &["alice", "bob", "dora"]),
        ("theme", "dark", &["carol"]),
        ("theme", "light", &["alice", "bob", "dora"]),
        ("theme", "", &["alice", "bob"]),
    ] {
        let fields = vec![service.field_filter(field, text).unwrap()];
        let filter = UserFilter { fields, limit: 10, ..UserFilter::default() };
        let page = service.people(&people::Actor::Operator).users(filter).await.unwrap().page;
        let names: Vec<_> = page.rows.iter().map(|user| &*user.username).collect();
        assert_eq!(names, expected, "{field} {text}");
    }
    for (field, text) in
        [("phone", "+1"), ("level", "three"), ("theme", "blue"), ("nope", "1"), ("is_staff", "1")]
    {
        assert!(matches!(service.field_filter(field, text), Err(Error::InvalidFields(_))), "{field}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_with_other_declarations_wrote_is_mended_by_entering_it_again() {
    let world = World::with(handles).await;
    // A tool that knows nothing of the field writes it beside the server, as an old node would.
    let fields = json!({"handle": "neo"}).as_object().unwrap().clone();
    let change = ProfileChange { fields, ..ProfileChange::default() };
    let event = AuditEvent::new(EventKind::ProfileChanged, world.now());
    world.store().update_profile(world.alice.id, change, event).await.unwrap();
    world.countersign.service().enter_fields().await.unwrap();
    let mut browser = bob(&world).await;
    assert_eq!(refused(&mut browser, json!({"handle": "neo"})).await, ["handle"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_a_field_needs_the_csrf_token() {
    let world = World::with(people).await;
    let mut browser = world.alice_in_a_browser().await;
    let call = browser.request(Method::PATCH, "/accounts/profile").json(&json!({"phone": "+1"}));
    call.without("x-csrftoken").send().await.refused(403, "csrf_failed");
    assert_eq!(user(&mut browser).await["phone"], json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_tells_of_the_declared_fields() {
    let world = World::with(people).await;
    let document = world.anonymous().get("/openapi.json").await.expect(StatusCode::OK).body;
    let schemas = &document["components"]["schemas"];
    let (shown, taken) = (&schemas["User"], &schemas["ProfileChange"]);
    assert_eq!(shown["properties"]["level"]["type"], json!(["integer", "null"]));
    assert_eq!(shown["properties"]["theme"]["default"], "light");
    assert_eq!(taken["properties"]["theme"]["enum"], json!(["light", "dark", null]));
    assert_eq!(taken["properties"]["level"], json!(null), "staff alone writes it");
    let required = shown["required"].as_array().unwrap();
    for field in ["phone", "theme", "badge", "level", "username"] {
        assert!(required.contains(&json!(field)), "{field}");
    }
}
