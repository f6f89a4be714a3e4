//! What forms do, and what they don't, whatever is put into them.

use countersign::core::BuiltIn::{GroupsChange, GroupsView, UsersChange, UsersLink, UsersView};
use http::StatusCode;

use crate::support::{PASSWORD, Site};

#[tokio::test]
async fn a_user_is_made_sets_a_password_by_the_link_and_logs_in() {
    let site = Site::new().await;
    let mut root = site.signed_in("root").await;
    let page = root.post("/admin/users/new", &[("username", "grace"), ("first_name", "Grace")]).await;
    let grace = site.user("grace").await;
    let page = page.leads_to(&format!("/admin/users/{}", grace.id));
    root.get(page.header("location")).await.says("The user is made.").says("none that could be right");
    let page = root.post(&format!("/admin/users/{}/link", grace.id), &[]).await.expect(StatusCode::OK);
    let link = page.text.split('"').find(|part| part.contains("/accounts/set-password/")).unwrap().to_owned();
    let path = link.strip_prefix("http://localhost:8000").unwrap();

    let mut visitor = site.browser();
    visitor.get(path).await.expect(StatusCode::OK).says("grace");
    let new = "a compiler for everyone";
    visitor
        .send_form(path, &[("password", "short"), ("again", "short")])
        .await
        .expect(StatusCode::BAD_REQUEST)
        .says("too short");
    visitor
        .send_form(path, &[("password", new), ("again", "other")])
        .await
        .expect(StatusCode::BAD_REQUEST)
        .says("differ");
    visitor
        .send_form(path, &[("password", new), ("again", new)])
        .await
        .expect(StatusCode::OK)
        .says("Your password is set");
    visitor.send_form(path, &[("password", new), ("again", new)]).await.expect(StatusCode::NOT_FOUND);
    visitor.get(path).await.expect(StatusCode::NOT_FOUND).says_nothing_of("grace");
    visitor.sign_in("grace", new).await.expect(StatusCode::UNAUTHORIZED);
}

// attack 93
#[tokio::test]
async fn the_link_leads_to_the_configured_address_whatever_the_request_says_of_the_host() {
    let site = Site::new().await;
    let mut root = site.signed_in("root").await;
    root.headers.insert("host", "evil.example".parse().unwrap());
    root.headers.insert("x-forwarded-host", "evil.example".parse().unwrap());
    root.headers.insert("x-forwarded-proto", "https".parse().unwrap());
    let page = root.post(&format!("/admin/users/{}/link", site.ana()), &[]).await.expect(StatusCode::OK);
    page.says("http://localhost:8000/accounts/set-password/").says_nothing_of("evil");
}

// attack 94
#[tokio::test]
async fn of_fifty_uses_of_a_link_at_once_one_sets_the_password() {
    let site = Site::new().await;
    let mut root = site.signed_in("root").await;
    let page = root.post(&format!("/admin/users/{}/link", site.ana()), &[]).await;
    let link = page.text.split('"').find(|part| part.contains("/accounts/set-password/")).unwrap().to_owned();
    let path = link.strip_prefix("http://localhost:8000").unwrap();
    let tries = (0..50).map(|n| {
        let password = format!("another long password {n}");
        let mut visitor = site.browser().at(&format!("198.51.100.{n}"));
        async move { visitor.send_form(path, &[("password", &*password), ("again", &*password)]).await.status }
    });
    let statuses = crate::support::together(tries).await;
    assert_eq!(statuses.iter().filter(|status| **status == StatusCode::OK).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| *status != StatusCode::INTERNAL_SERVER_ERROR));
}

// attack 97
#[tokio::test]
async fn no_form_of_the_site_takes_a_password_for_another() {
    let site = Site::new().await;
    let hash = |site: &Site| -> String {
        site.database()
            .query_row("SELECT password FROM users WHERE username = 'ana'", [], |row| row.get(0))
            .unwrap()
    };
    let before = hash(&site);
    let mut root = site.signed_in("root").await;
    let ana = format!("/admin/users/{}", site.ana());
    let fields = [
        ("username", "ana"),
        ("email", ""),
        ("password", "chosen by the admin"),
        ("new_password", "chosen by the admin"),
    ];
    root.post(&ana, &fields).await.leads_to(&ana);
    root.post(&format!("{ana}/rights"), &fields).await.leads_to(&ana);
    assert_eq!(hash(&site), before);
    let fields = [("username", "new"), ("password", "chosen by the admin")];
    root.post("/admin/users/new", &fields).await.expect(StatusCode::SEE_OTHER);
    site.browser().sign_in("new", "chosen by the admin").await.expect(StatusCode::UNAUTHORIZED);
}

// attack 95
#[tokio::test]
async fn a_form_changes_what_it_is_for_and_nothing_else() {
    let site = Site::new().await;
    site.fill();
    let mut root = site.signed_in("root").await;
    let id = site.ana();
    let ana = format!("/admin/users/{id}");
    let smuggled = [
        ("username", "ana"),
        ("email", "ana@example.com"),
        ("first_name", "Ana"),
        ("id", "1"),
        ("is_superuser", "on"),
        ("is_staff", "on"),
        ("flags", "shown"),
        ("is_active", "off"),
        ("active", "off"),
        ("group", "1"),
        ("permission", "users.view"),
        ("joined_at", "0"),
    ];
    root.post(&ana, &smuggled).await.leads_to(&ana);
    let user = site.user("ana").await;
    assert_eq!((user.id.0, user.first_name.as_str()), (id, "Ana"));
    assert!(!user.is_superuser && !user.is_staff && user.is_active);
    assert_eq!(site.rights_of("ana"), Vec::<String>::new());
    root.post(
        "/admin/users/new",
        &[("username", "eve"), ("is_superuser", "on"), ("is_staff", "on"), ("flags", "shown"), ("id", "1")],
    )
    .await;
    let eve = site.user("eve").await;
    assert!(!eve.is_superuser && !eve.is_staff && eve.id.0 != 1);
}

#[tokio::test]
async fn groups_and_permissions_come_and_go_as_they_are_ticked() {
    let site = Site::new().await;
    site.fill();
    let mut root = site.signed_in("root").await;
    let ana = format!("/admin/users/{}", site.ana());
    let tick = [
        ("shown_group", "1"),
        ("group", "1"),
        ("shown_permission", "audit.view"),
        ("permission", "audit.view"),
    ];
    root.post(&format!("{ana}/rights"), &tick).await.leads_to(&ana);
    assert_eq!(site.rights_of("ana"), ["audit.view", "shop.see"]);
    // What wasn't shown stays.
    root.post(&format!("{ana}/rights"), &[("shown_group", "1")]).await.leads_to(&ana);
    assert_eq!(site.rights_of("ana"), ["audit.view"]);
    root.post(&format!("{ana}/rights"), &[("flags", "shown"), ("is_staff", "on")]).await.leads_to(&ana);
    assert!(site.user("ana").await.is_staff);
    root.post(&format!("{ana}/rights"), &[("flags", "shown"), ("was", "is_staff")]).await.leads_to(&ana);
    assert!(!site.user("ana").await.is_staff);
    // A page from before says that she is, as she was: that promotes nobody.
    let stale = [("flags", "shown"), ("was", "is_staff"), ("is_staff", "on")];
    root.post(&format!("{ana}/rights"), &stale).await.leads_to(&ana);
    assert!(!site.user("ana").await.is_staff);
}

// attack 95
#[tokio::test]
async fn staff_take_nothing_from_others_that_they_could_not_give() {
    let site = Site::new().await;
    site.fill();
    let mut root = site.signed_in("root").await;
    let ana = format!("/admin/users/{}", site.ana());
    root.post(&format!("{ana}/rights"), &[("group", "1")]).await.leads_to(&ana);
    site.give("helper", &[UsersView, UsersChange, UsersLink, GroupsView, GroupsChange]);
    let mut helper = site.signed_in("helper").await;
    helper
        .get("/admin/groups/1")
        .await
        .says("value=\"shop.see\" checked disabled")
        .says_nothing_of("/delete");
    helper.get("/admin/groups").await.says_nothing_of("/admin/permissions/delete");
    let before = site.state();
    for (path, fields) in [
        ("/admin/groups/1", &[("shown_permission", "shop.see")][..]),
        ("/admin/groups/1/delete", &[]),
        ("/admin/permissions/delete", &[("name", "shop.see")]),
        (&format!("{ana}/link"), &[]),
    ] {
        helper.post(path, fields).await.expect(StatusCode::FORBIDDEN);
    }
    assert_eq!(site.state(), before);
    root.post("/admin/groups/1/delete", &[]).await.leads_to("/admin/groups");
}

// attack 95
#[tokio::test]
async fn staff_lift_neither_themselves_nor_others() {
    let site = Site::new().await;
    site.fill();
    site.give("helper", &[UsersView, UsersChange, UsersLink, GroupsView, GroupsChange]);
    let mut helper = site.signed_in("helper").await;
    let before = site.state();
    let (own, ana, root) = (site.user("helper").await.id, site.ana(), site.user("root").await.id);
    for (path, fields) in [
        (format!("/admin/users/{own}/rights"), &[("flags", "shown"), ("is_superuser", "on")][..]),
        (format!("/admin/users/{own}/rights"), &[("permission", "users.delete")]),
        (format!("/admin/users/{own}/rights"), &[("group", "1")]),
        (format!("/admin/users/{ana}/rights"), &[("flags", "shown"), ("is_staff", "on")]),
        (format!("/admin/users/{ana}/rights"), &[("permission", "keys.change")]),
        (format!("/admin/users/{ana}/rights"), &[("group", "1")]),
        (format!("/admin/users/{root}"), &[("username", "root"), ("email", "helper@example.com")]),
        (format!("/admin/users/{root}/rights"), &[("flags", "shown")]),
        (format!("/admin/users/{root}/active"), &[("active", "off")]),
        (format!("/admin/users/{root}/link"), &[]),
        ("/admin/groups/1".to_owned(), &[("permission", "users.delete")]),
        ("/admin/groups/new".to_owned(), &[("name", "mine"), ("permission", "users.delete")]),
    ] {
        let page = helper.post(&path, fields).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{path} {fields:?}");
        assert!(!page.text.contains("/accounts/set-password/"));
    }
    assert_eq!(site.state(), before);
}

#[tokio::test]
async fn the_last_superuser_stays_one() {
    let site = Site::new().await;
    let mut root = site.signed_in("root").await;
    let id = site.user("root").await.id;
    for (path, fields) in [
        (format!("/admin/users/{id}/active"), &[("active", "off")][..]),
        (
            format!("/admin/users/{id}/rights"),
            &[("flags", "shown"), ("was", "is_staff"), ("was", "is_superuser"), ("is_staff", "on")],
        ),
        (format!("/admin/users/{id}/delete"), &[]),
    ] {
        root.post(&path, fields).await.expect(StatusCode::CONFLICT).says("last active superuser");
    }
    root.get("/admin/").await.expect(StatusCode::OK);
}

// attack 43
#[tokio::test]
async fn ids_of_nobody_and_of_nothing_are_not_found() {
    let site = Site::new().await;
    let mut root = site.signed_in("root").await;
    for path in [
        "/admin/users/999",
        "/admin/users/-1",
        "/admin/users/x",
        "/admin/users/1e3",
        "/admin/users/99999999999999999999",
        "/admin/groups/999",
        "/admin/groups/..",
        "/admin/users/999/delete",
    ] {
        root.get(path).await.expect(StatusCode::NOT_FOUND);
    }
    for path in [
        "/admin/users/999",
        "/admin/users/999/rights",
        "/admin/users/999/link",
        "/admin/users/999/delete",
        "/admin/users/x/active",
        "/admin/sessions/x/end",
        "/admin/sessions/00000000-0000-7000-8000-000000000000/end",
        "/admin/groups/999/delete",
    ] {
        root.post(path, &[("username", "x")]).await.expect(StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn what_cannot_be_undone_asks_for_the_password_again_and_then_does_it() {
    let site = Site::new().await;
    let mut root = site.signed_in("root").await;
    let delete = format!("/admin/users/{}/delete", site.ana());
    site.turn(10 * 60);
    let page = root.post(&delete, &[("note", "kept <as> it \"was\"")]).await.expect(StatusCode::OK);
    let page = page.says("Your password again").says("kept &#60;as&#62; it");
    assert!(!page.text.contains("kept <as>"));
    root.post(&delete, &[("proof", "wrong")]).await.expect(StatusCode::FORBIDDEN).says("wrong");
    site.user("ana").await;
    root.post(&delete, &[("proof", PASSWORD)]).await.leads_to("/admin/users");
    assert!(site.countersign.service().find_user("ana").await.is_err());
    // Now it is proved for a while.
    let id = site.user("helper").await.id;
    root.post(&format!("/admin/users/{id}/link"), &[]).await.expect(StatusCode::OK).says("Password link");
}

// attack 86
#[tokio::test]
async fn the_password_that_is_given_again_is_guessed_no_more_often_than_any_other() {
    let site = Site::new().await;
    let mut root = site.signed_in("root").await;
    let link = format!("/admin/users/{}/link", site.ana());
    site.turn(10 * 60);
    for _ in 0..10 {
        root.post(&link, &[("proof", "wrong")]).await.expect(StatusCode::FORBIDDEN);
    }
    let page = root.post(&link, &[("proof", PASSWORD)]).await.expect(StatusCode::TOO_MANY_REQUESTS);
    assert!(page.header("retry-after").parse::<u32>().unwrap() > 0);
    root.get("/admin/").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_bulk_act_tells_how_each_went() {
    let site = Site::new().await;
    site.give("helper", &[UsersView, UsersChange]);
    let mut helper = site.signed_in("helper").await;
    let (ana, root) = (site.ana().to_string(), site.user("root").await.id.to_string());
    let page = helper
        .post("/admin/users/bulk", &[("action", "off"), ("user", &ana), ("user", &root), ("user", "999")])
        .await;
    page.expect(StatusCode::OK).says("Done for 1 of 3 users.");
    assert!(!site.user("ana").await.is_active && site.user("root").await.is_active);
    helper.post("/admin/users/bulk", &[("action", "off")]).await.expect(StatusCode::BAD_REQUEST);
    helper
        .post("/admin/users/bulk", &[("action", "delete"), ("user", &ana)])
        .await
        .expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn each_bulk_act_does_to_every_chosen_user_what_it_says() {
    let site = Site::new().await;
    site.fill();
    let mut root = site.signed_in("root").await;
    let (ana, helper) = (site.ana().to_string(), site.user("helper").await.id.to_string());
    let database = site.database();
    let number = |query: &str| database.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap();
    database.execute("UPDATE users SET failures = 7", []).unwrap();
    for action in ["unlock", "sessions", "off", "on"] {
        let form = [("action", action), ("user", &*ana), ("user", &*helper)];
        let page = root.post("/admin/users/bulk", &form).await.expect(StatusCode::OK);
        page.says("Done for 2 of 2 users.");
        for name in ["ana", "helper"] {
            assert_eq!(site.user(name).await.is_active, action != "off", "{action} {name}");
        }
        assert_eq!(number("SELECT sum(failures) FROM users"), 7, "those of root stay");
        let ended = number("SELECT count(*) FROM sessions WHERE end_reason = 'ended_by_staff'");
        assert_eq!(ended, i64::from(action != "unlock"), "{action}");
    }
}

// attack 86
#[tokio::test]
async fn each_act_that_lifts_somebody_or_can_not_be_undone_asks_for_the_password_again() {
    use countersign_admin::routes::{Access, ROUTES};

    // What can be undone by whoever did it, and lifts nobody.
    let at_once = [
        "/admin/sign-out",
        "/admin/users/new",
        "/admin/users/{id}",
        "/admin/users/{id}/active",
        "/admin/users/{id}/unlock",
        "/admin/users/{id}/sessions",
        "/admin/permissions/new",
        "/admin/sessions/{id}/end",
    ];
    let site = Site::new().await;
    site.fill();
    let mut root = site.signed_in("root").await;
    site.turn(10 * 60);
    root.get("/admin/").await.expect(StatusCode::OK);
    let before = site.state();
    let mut asked = 0;
    for route in ROUTES.iter().filter(|it| it.method == http::Method::POST && it.access != Access::Public) {
        if at_once.contains(&route.path) {
            continue;
        }
        let id = if route.path.starts_with("/admin/users") { site.ana().to_string() } else { "1".to_owned() };
        let path = route.path.replace("{id}", &id);
        root.post(&path, &[("name", "shop.see")]).await.expect(StatusCode::OK).says("Your password again");
        asked += 1;
    }
    assert_eq!(asked, 10);
    assert!(site.state() == before, "something was changed");
}

#[tokio::test]
async fn every_act_is_in_the_audit_with_before_and_after() {
    let site = Site::new().await;
    let mut root = site.signed_in("root").await;
    let ana = format!("/admin/users/{}", site.ana());
    root.post(&ana, &[("username", "ana"), ("email", "new@example.com")]).await.leads_to(&ana);
    root.post(&format!("{ana}/rights"), &[("permission", "audit.view")]).await.leads_to(&ana);
    let page = root.get(&format!("/admin/audit?user={}", site.ana())).await.expect(StatusCode::OK);
    let page = page.says("user changed").says("new@example.com").says("ana@example.com").says("audit.view");
    assert!(page.text.contains("192.0.2.1") && page.text.contains(">root<"));
    let csv = root.get("/admin/audit.csv").await.expect(StatusCode::OK);
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert!(csv.header("content-disposition").contains("audit.csv"));
    assert!(csv.text.starts_with("time,event,count,by_user,to_user,address,detail\r\n"));
    assert!(csv.text.contains("\"user_changed\""));
}

#[tokio::test]
async fn users_are_found_sorted_and_paged() {
    let site = Site::new().await;
    site.crowd(120);
    let mut root = site.signed_in("root").await;
    let first = root.get("/admin/users").await.expect(StatusCode::OK).says("Next page");
    let next = first.text.split("href=\"").find(|part| part.contains("after=")).unwrap();
    let next = next.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
    root.get(&next).await.expect(StatusCode::OK).says("First page").says_nothing_of(">ana<");
    root.get("/admin/users?q=crowd-07").await.says("crowd-077").says_nothing_of("crowd-080");
    root.get("/admin/users?role=superuser").await.says(">root<").says_nothing_of(">ana<");
    root.get("/admin/users?sort=joined&order=down")
        .await
        .expect(StatusCode::OK)
        .says("aria-sort=\"descending\"");
    root.get("/admin/users?q=nobody-at-all").await.says("Nobody fits this");
    root.get("/admin/users?after=rubbish").await.expect(StatusCode::NOT_FOUND);
}

// attack 99
#[tokio::test]
async fn no_query_makes_a_500() {
    let site = Site::new().await;
    let mut root = site.signed_in("root").await;
    for path in
        ["/admin/users", "/admin/groups", "/admin/sessions", "/admin/audit", "/admin/audit.csv", "/admin/"]
    {
        for query in [
            "q=%00",
            "q=%ff%fe",
            "after=%00",
            "after=1:%00",
            "user=x",
            "user=99999999999999999999",
            "from=2026-99-99",
            "until=%00",
            "kind=%00",
            "group=x",
            "sort=%27;--",
            &format!("q={}", "%25".repeat(2000)),
            "state=%f0%9f%98%80",
            "from=9999-12-31&until=0000-01-01",
        ] {
            let page = root.get(&format!("{path}?{query}")).await;
            assert!(page.status.as_u16() < 500, "{path}?{query}: {}", page.status);
        }
    }
}

#[tokio::test]
async fn keys_are_listed_and_made() {
    let site = Site::new().await;
    let mut root = site.signed_in("root").await;
    root.get("/admin/keys").await.expect(StatusCode::OK).says("signs</span>");
    root.post("/admin/keys/rotate", &[]).await.leads_to("/admin/keys");
    root.get("/admin/keys").await.says("signs later").says("The new key is made.");
    root.post("/admin/keys/prune", &[]).await.leads_to("/admin/keys");
    root.get("/admin/keys").await.says("There was no key to remove.");
}

#[tokio::test]
async fn a_group_is_made_renamed_and_deleted() {
    let site = Site::new().await;
    let mut root = site.signed_in("root").await;
    root.post("/admin/permissions/new", &[("name", "reports.view"), ("description", "Read reports")])
        .await
        .leads_to("/admin/groups");
    root.post("/admin/permissions/new", &[("name", "no dot")])
        .await
        .expect(StatusCode::BAD_REQUEST)
        .says("scope.action");
    let page = root
        .post("/admin/groups/new", &[("name", "Editors"), ("permission", "reports.view")])
        .await
        .expect(StatusCode::SEE_OTHER);
    let group = page.header("location").to_owned();
    root.get(&group).await.says("Editors").says("value=\"reports.view\" checked");
    root.post("/admin/groups/new", &[("name", "editors")])
        .await
        .expect(StatusCode::BAD_REQUEST)
        .says("exists already");
    root.post(&group, &[("name", "Writers"), ("shown_permission", "reports.view")]).await.leads_to(&group);
    root.get("/admin/groups").await.says("Writers").says_nothing_of("Editors");
    root.post(&format!("{group}/delete"), &[]).await.leads_to("/admin/groups");
    root.get("/admin/groups").await.says_nothing_of("Writers");
}

// attack 44
#[tokio::test]
async fn a_session_is_seen_and_ended() {
    let site = Site::new().await;
    site.fill();
    let mut root = site.signed_in("root").await;
    let session = site.session_of_ana();
    root.get("/admin/sessions").await.says(">ana<").says(&session);
    let end = format!("/admin/sessions/{session}/end");
    root.post(&end, &[("back", "//evil.example")]).await.leads_to("/admin/");
    root.get("/admin/sessions").await.says_nothing_of(&session);
    root.get("/admin/sessions?state=all").await.says("ended by staff");
    root.post(&end, &[]).await.leads_to("/admin/sessions");
}
