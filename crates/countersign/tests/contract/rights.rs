//! "Who may call a private route", where it asks for a right: an embedder's own routes, and what tokens say of rights.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use countersign::core::{BuiltIn, PermissionName, UserId};
use countersign::service::people::{Actor as Acting, Edit, PersonChange, Wanted};
use countersign::settings::ExtraClaim;
use countersign::{
    Allowed, Caller, Countersign, Permission, Staff, require, require_permission, require_staff,
};
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{ALICE, ALICE_PASSWORD, Actor, BOB, BOB_PASSWORD, World};

const GUARDED: [&str; 5] = ["/reports", "/reports-too", "/reports-by-hand", "/staff", "/staff-too"];

struct ReportsView;

impl Permission for ReportsView {
    const NAME: &'static str = "reports.view";
}

/// Routes of one's own, each with a right to ask for.
fn routes(countersign: &Countersign) -> Router {
    let by_hand = |caller: &Caller| caller.user.is_active && caller.allows("reports.view");
    Router::new()
        .route("/reports", get("in").layer(require_permission("reports.view")))
        .route("/reports-too", get(async |_: Allowed<ReportsView>| "in"))
        .route("/reports-by-hand", get("in").layer(require(by_hand)))
        .route("/staff", get("in").layer(require_staff()))
        .route("/staff-too", get(async |_: Staff| "in"))
        .layer(countersign.layer())
}

async fn call(routes: &Router, path: &str, actor: &Actor<'_>) -> (StatusCode, Value) {
    let mut request = Request::get(path);
    if let Some(token) = &actor.access {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let answer = routes.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

/// What each of the guarded routes answers.
async fn answers(routes: &Router, actor: &Actor<'_>) -> Vec<String> {
    let mut answers = Vec::new();
    for path in GUARDED {
        let (status, body) = call(routes, path, actor).await;
        answers.push(if status == StatusCode::OK { "in" } else { body["code"].as_str().unwrap() }.to_owned());
    }
    answers
}

async fn change(countersign: &Countersign, user: UserId, change: PersonChange) {
    countersign.service().people(&Acting::Operator).change_user(user, change).await.unwrap();
}

fn given(permission: &str) -> PersonChange {
    let add = [permission.parse::<PermissionName>().unwrap()].into();
    PersonChange { permissions: Wanted::Edit(Edit { add, ..Edit::default() }), ..PersonChange::default() }
}

async fn make_permission(countersign: &Countersign, name: &str) {
    countersign.service().people(&Acting::Operator).create_permission(name, "").await.unwrap();
}

const DENIED: &str = "permission_denied";

#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_asks_for_a_right_lets_in_who_has_it() {
    let world = World::new().await;
    let routes = routes(&world.countersign);
    make_permission(&world.countersign, "reports.view").await;
    let alice = world.alice_in_a_browser().await;
    assert_eq!(answers(&routes, &alice).await, [DENIED; 5]);
    let (status, body) = call(&routes, "/reports", &alice).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(body["detail"], "You do not have permission to perform this action.");

    change(&world.countersign, world.alice.id, given("reports.view")).await;
    assert_eq!(
        answers(&routes, &alice).await,
        ["in", "in", "in", DENIED, DENIED],
        "from the next request on"
    );
    let staff = PersonChange { is_staff: Some(true), ..PersonChange::default() };
    change(&world.countersign, world.alice.id, staff).await;
    assert_eq!(answers(&routes, &alice).await, ["in"; 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_superuser_has_every_permission_also_those_that_nobody_made() {
    let world = World::new().await;
    let root = PersonChange { is_superuser: Some(true), ..PersonChange::default() };
    change(&world.countersign, world.alice.id, root).await;
    let alice = world.alice_in_a_browser().await;
    assert_eq!(answers(&routes(&world.countersign), &alice).await, ["in", "in", "in", DENIED, DENIED]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_calls_comes_before_what_they_may() {
    let world = World::new().await;
    let routes = routes(&world.countersign);
    let (mut bob, alice) = (world.browser(), world.alice_in_a_browser().await);
    assert_eq!(answers(&routes, &bob).await, ["not_authenticated"; 5]);
    bob.login(BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
    let service = world.countersign.service();
    service.end_session(alice.session()).await.unwrap();
    assert_eq!(answers(&routes, &alice).await, ["session_ended"; 5]);
    service.deactivate_user(world.bob.id).await.unwrap();
    assert_eq!(answers(&routes, &bob).await, ["user_inactive"; 5]);
    let spoilt = Actor { access: Some(format!("{}x", alice.access.clone().unwrap())), ..alice };
    assert_eq!(answers(&routes, &spoilt).await, ["token_invalid"; 5]);
}

// attack 113
#[tokio::test(flavor = "multi_thread")]
async fn rights_that_another_node_changed_count_here_within_a_second() {
    let world = World::new().await;
    let routes = routes(&world.countersign);
    let tool = world.tool().await;
    let alice = world.alice_in_a_browser().await;
    make_permission(&tool, "reports.view").await;
    assert_eq!(answers(&routes, &alice).await, [DENIED; 5]);
    change(&tool, world.alice.id, given("reports.view")).await;
    // What the server does a few times a second.
    world.turn(0).await;
    assert_eq!(answers(&routes, &alice).await, ["in", "in", "in", DENIED, DENIED]);

    // A group's permission is everybody's in it at once, and goes at once.
    let people = tool.service().people(&Acting::Operator);
    people.delete_permission(&"reports.view".parse().unwrap()).await.unwrap();
    // News that are too old are not trusted: the store is asked.
    world.clock.turn(2);
    assert_eq!(answers(&routes, &alice).await, [DENIED; 5]);
    tool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_group_may_its_members_may_from_the_next_request_on() {
    let world = World::new().await;
    let routes = routes(&world.countersign);
    make_permission(&world.countersign, "reports.view").await;
    let operator = Acting::Operator;
    let people = world.countersign.service().people(&operator);
    let readers = people.create_group("readers", [].into()).await.unwrap();
    let member = PersonChange { groups: Wanted::Set([readers.id].into()), ..PersonChange::default() };
    change(&world.countersign, world.alice.id, member).await;
    let alice = world.alice_in_a_browser().await;
    assert_eq!(answers(&routes, &alice).await, [DENIED; 5]);
    let permissions = Wanted::Set(["reports.view".parse().unwrap()].into());
    let edit = countersign::service::people::GroupEdit { permissions, ..Default::default() };
    people.change_group(readers.id, edit).await.unwrap();
    assert_eq!(answers(&routes, &alice).await, ["in", "in", "in", DENIED, DENIED]);
    people.delete_group(readers.id).await.unwrap();
    assert_eq!(answers(&routes, &alice).await, [DENIED; 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_outside_of_the_layer_that_asks_for_a_right_lets_nobody_in() {
    let world = World::new().await;
    let alice = world.alice_in_a_browser().await;
    let bare = Router::new().route("/reports", get("in").layer(require_permission("reports.view")));
    let (status, body) = call(&bare, "/reports", &alice).await;
    assert_eq!((status.as_u16(), body["code"].as_str()), (500, Some("internal_error")));
}

// The tokens

fn with_claims(settings: &mut countersign::settings::Settings) {
    settings.claims_include = vec![ExtraClaim::Groups, ExtraClaim::Permissions];
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_says_what_its_user_may_and_a_refresh_says_it_anew() {
    let world = World::with(with_claims).await;
    let mut alice = world.alice_in_a_browser().await;
    assert_eq!((&alice.claims()["groups"], &alice.claims()["permissions"]), (&json!([]), &json!([])));
    assert_eq!(alice.claims().get("is_staff"), None);

    let operator = Acting::Operator;
    let people = world.countersign.service().people(&operator);
    let group = people.create_group("Night shift", ["users.view".parse().unwrap()].into()).await.unwrap();
    let mut more = given("audit.view");
    more.groups = Wanted::Set([group.id].into());
    more.is_staff = Some(true);
    change(&world.countersign, world.alice.id, more).await;
    alice.refresh().await.expect(StatusCode::OK);
    let claims = alice.claims();
    assert_eq!(claims["groups"], json!(["Night shift"]));
    assert_eq!(claims["permissions"], json!(["audit.view", "users.view"]));
    assert_eq!(claims["is_staff"], json!(true));

    let root = PersonChange { is_superuser: Some(true), ..PersonChange::default() };
    change(&world.countersign, world.alice.id, root).await;
    world.turn(20).await;
    alice.refresh().await.expect(StatusCode::OK);
    let claims = alice.claims();
    assert_eq!((&claims["is_superuser"], claims.get("permissions")), (&json!(true), None));
}

/// Gives a user so many permissions with long names that no token holds them.
async fn give_too_much(world: &World, user: UserId) {
    let service = world.countersign.service();
    let operator = Acting::Operator;
    let people = service.people(&operator);
    let names: Vec<PermissionName> =
        (0..60).map(|n| format!("archive.{}_{n}", "x".repeat(80)).parse().unwrap()).collect();
    for name in &names {
        people.create_permission(name.as_str(), "").await.unwrap();
    }
    let permissions = Wanted::Set(names.into_iter().collect());
    change(&world.countersign, user, PersonChange { permissions, ..PersonChange::default() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_no_token_holds_refuse_the_login_and_change_nothing() {
    let world = World::with(with_claims).await;
    let mut alice = world.alice_in_a_browser().await;
    let session = alice.session();
    give_too_much(&world, world.alice.id).await;

    let refused = world.browser().login(ALICE, ALICE_PASSWORD).await.refused(403, "too_many_rights");
    assert!(refused.body["detail"].as_str().unwrap().contains("claims_include"));
    assert!(refused.set_cookies().is_empty());
    // A refresh is refused likewise, for as long as it is so: no theft, and the session stays.
    for _ in 0..3 {
        world.turn(30).await;
        let refused = alice.refresh().await.refused(403, "too_many_rights");
        assert!(refused.set_cookies().is_empty());
    }
    assert!(world.session(session).await.ended.is_none());
    let password = json!({"old_password": ALICE_PASSWORD, "new_password": "another long pass phrase"});
    alice.post("/accounts/password", password).await.refused(403, "too_many_rights");

    let fewer = PersonChange { permissions: Wanted::Set([].into()), ..PersonChange::default() };
    change(&world.countersign, world.alice.id, fewer).await;
    alice.refresh().await.expect(StatusCode::OK);
    world.browser().login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_made_is_never_over_6_kib() {
    for algorithm in crate::tokens::ALGORITHMS {
        let world = World::with(move |settings| {
            crate::tokens::with_algorithm(algorithm)(settings);
            with_claims(settings);
        })
        .await;
        let operator = Acting::Operator;
        let people = world.countersign.service().people(&operator);
        let mut longest = 0;
        for n in 0..80 {
            // Of some, the names have quotes, which take two bytes each in a token.
            let name = format!("\"{}\" {n}", "ü".repeat(20));
            let group = people.create_group(&name, [].into()).await.unwrap();
            let add = [group.id].into();
            let joins = PersonChange {
                groups: Wanted::Edit(Edit { add, ..Edit::default() }),
                ..PersonChange::default()
            };
            change(&world.countersign, world.alice.id, joins).await;
            if n < 50 {
                continue;
            }
            let mut browser = world.browser();
            let answer = browser.login(ALICE, ALICE_PASSWORD).await;
            if answer.status != StatusCode::OK {
                answer.refused(403, "too_many_rights");
                break;
            }
            longest = browser.access.unwrap().len();
        }
        assert!((5000..=6144).contains(&longest), "{algorithm:?}: {longest}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_superuser_s_token_is_short_however_many_permissions_there_are() {
    let world = World::with(with_claims).await;
    give_too_much(&world, world.alice.id).await;
    let root = PersonChange { is_superuser: Some(true), ..PersonChange::default() };
    change(&world.countersign, world.alice.id, root).await;
    let browser = world.alice_in_a_browser().await;
    assert!(browser.access.unwrap().len() < 1000);
    assert!(BuiltIn::ALL.len() > 10);
}
