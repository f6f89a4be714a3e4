//! Signing in, and how a session of the admin site ends.

use http::StatusCode;

use crate::support::{PASSWORD, Site};

#[tokio::test]
async fn staff_sign_in_and_see_the_first_page() {
    let site = Site::new().await;
    for name in ["root", "helper"] {
        let mut browser = site.signed_in(name).await;
        browser.get("/admin/").await.expect(StatusCode::OK).says(name).says("Overview");
    }
}

#[tokio::test]
async fn whoever_is_not_signed_in_is_led_to_the_page_they_asked_for_by_way_of_the_sign_in() {
    let site = Site::new().await;
    let mut browser = site.browser();
    let page = browser.get("/admin/?a=b").await.leads_to("/admin/sign-in?next=%2Fadmin%2F%3Fa%3Db");
    browser.get(page.header("location")).await.says("value=\"/admin/?a=b\"");
    let fields = [("username", "root"), ("password", PASSWORD), ("next", "/admin/?a=b")];
    browser.send_form("/admin/sign-in", &fields).await.leads_to("/admin/?a=b");
}

// attack 74
#[tokio::test]
async fn nobody_is_led_elsewhere() {
    let site = Site::new().await;
    for next in ["//evil.example", "https://evil.example/admin/", "/\\evil.example", "/accounts/csrf"] {
        let fields = [("username", "root"), ("password", PASSWORD), ("next", next)];
        site.browser().send_form("/admin/sign-in", &fields).await.leads_to("/admin/");
    }
}

// attack 77
#[tokio::test]
async fn all_failed_sign_ins_look_the_same_also_those_of_users_who_are_not_staff() {
    let site = Site::new().await;
    site.countersign.service().deactivate_user(site.user("helper").await.id).await.unwrap();
    let mut pages = Vec::new();
    for (name, password) in
        [("nobody", PASSWORD), ("root", "wrong"), ("ana", PASSWORD), ("ana", "wrong"), ("helper", PASSWORD)]
    {
        let page = site.browser().sign_in(name, password).await.expect(StatusCode::UNAUTHORIZED);
        assert_eq!(page.header("set-cookie"), "");
        pages.push(page.text.replace(name, "NAME"));
    }
    assert!(pages.iter().all(|page| *page == pages[0]));
}

// attack 78
#[tokio::test]
async fn every_failed_sign_in_costs_one_hash_whoever_is_meant() {
    let site = Site::new().await;
    // Django's, cheap, of the same password: a right one would be hashed anew, which is one hash more.
    let django = "pbkdf2_sha256$1000$salt$".to_owned() + &pbkdf2(PASSWORD);
    let update = "UPDATE users SET password = $1 WHERE username = 'ana'";
    site.database().execute(update, [django]).unwrap();
    site.browser().at("203.0.113.9").sign_in("nobody", "at rest").await.expect(StatusCode::UNAUTHORIZED);
    for (name, password) in [("nobody", PASSWORD), ("root", "wrong"), ("ana", PASSWORD), ("ana", "wrong")] {
        let before = site.hashes();
        site.browser().sign_in(name, password).await.expect(StatusCode::UNAUTHORIZED);
        assert_eq!(site.hashes() - before, 1, "{name} {password}");
    }
}

/// The hash of a password as Django's PBKDF2 writes it, with the salt `salt` and a thousand rounds.
fn pbkdf2(password: &str) -> String {
    use std::num::NonZeroU32;

    use aws_lc_rs::pbkdf2::{PBKDF2_HMAC_SHA256, derive};
    use base64::Engine;

    let mut hash = [0; 32];
    derive(PBKDF2_HMAC_SHA256, NonZeroU32::new(1000).unwrap(), b"salt", password.as_bytes(), &mut hash);
    base64::engine::general_purpose::STANDARD.encode(hash)
}

// attack 86
#[tokio::test]
async fn guesses_here_and_at_the_api_count_together() {
    let site = Site::new().await;
    for _ in 0..5 {
        site.browser().sign_in("root", "wrong").await.expect(StatusCode::UNAUTHORIZED);
    }
    let mut app = site.browser();
    for _ in 0..5 {
        app.headers.insert("content-type", "application/json".parse().unwrap());
        let body = r#"{"username":"root","password":"wrong"}"#;
        let login = app.request(http::Method::PUT, "/accounts/login", body.into()).await;
        assert_eq!(login.status, StatusCode::METHOD_NOT_ALLOWED);
        let request = http::Request::post("/accounts/login")
            .header("content-type", "application/json")
            .extension(axum::extract::ConnectInfo(app.address))
            .body(axum::body::Body::from(body))
            .unwrap();
        let answer = tower::ServiceExt::oneshot(site.router.clone(), request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    }
    let page = site.browser().sign_in("root", PASSWORD).await.expect(StatusCode::TOO_MANY_REQUESTS);
    assert!(page.header("retry-after").parse::<u32>().unwrap() > 0);
    site.browser().at("198.51.100.7").sign_in("root", PASSWORD).await.leads_to("/admin/");
}

// attack 80
#[tokio::test]
async fn the_right_password_of_a_user_who_is_not_staff_counts_as_a_wrong_one() {
    let site = Site::new().await;
    for _ in 0..10 {
        site.browser().sign_in("ana", PASSWORD).await.expect(StatusCode::UNAUTHORIZED);
    }
    site.browser().sign_in("ana", PASSWORD).await.expect(StatusCode::TOO_MANY_REQUESTS);
}

// attack 88
#[tokio::test]
async fn a_password_that_is_too_long_is_nobody_s() {
    let site = Site::new().await;
    let page = site.browser().sign_in("root", &"x".repeat(1025)).await;
    page.expect(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_sign_in_starts_a_new_session_and_ends_the_one_before() {
    let site = Site::new().await;
    let mut browser = site.signed_in("root").await;
    let before = browser.clone();
    browser.sign_in("root", PASSWORD).await.leads_to("/admin/");
    assert_ne!(browser.jar["countersign_admin"], before.jar["countersign_admin"]);
    before.clone().get("/admin/").await.leads_to("/admin/sign-in?next=%2Fadmin%2F");
    browser.get("/admin/").await.expect(StatusCode::OK);
}

// attack 40
#[tokio::test]
async fn a_session_that_someone_planted_is_not_taken_over() {
    let site = Site::new().await;
    let mut browser = site.browser();
    browser.jar.insert("countersign_admin".into(), "planted".into());
    browser.sign_in("root", PASSWORD).await.leads_to("/admin/");
    assert_ne!(browser.jar["countersign_admin"], "planted");
}

// attack 41
#[tokio::test]
async fn the_database_does_not_hold_what_the_cookie_does() {
    let site = Site::new().await;
    let browser = site.signed_in("root").await;
    let token = browser.jar["countersign_admin"].clone();
    assert_eq!(token.len(), 43);
    for file in std::fs::read_dir(site.data()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(token.len()).any(|window| window == token.as_bytes()));
    }
}

#[tokio::test]
async fn signing_out_ends_it_on_the_server() {
    let site = Site::new().await;
    let mut browser = site.signed_in("root").await;
    let copy = browser.clone();
    browser.post("/admin/sign-out", &[]).await.leads_to("/admin/sign-in");
    assert!(!browser.jar.contains_key("countersign_admin"));
    browser.get("/admin/sign-in").await.says("You are signed out.");
    browser.get("/admin/sign-in").await.says_nothing_of("You are signed out.");
    copy.clone().get("/admin/").await.expect(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn half_an_hour_without_use_ends_it() {
    let site = Site::new().await;
    let mut browser = site.signed_in("root").await;
    for _ in 0..3 {
        site.turn(29 * 60);
        browser.get("/admin/").await.expect(StatusCode::OK);
    }
    site.turn(30 * 60);
    browser.get("/admin/").await.expect(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn twelve_hours_end_it_whatever_its_use() {
    let site = Site::new().await;
    let mut browser = site.signed_in("root").await;
    for _ in 0..28 {
        site.turn(25 * 60);
        browser.get("/admin/").await.expect(StatusCode::OK);
    }
    site.turn(25 * 60);
    browser.get("/admin/").await.expect(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_form_that_is_sent_too_late_changes_nothing_and_says_so() {
    let site = Site::new().await;
    let mut browser = site.signed_in("root").await;
    site.turn(31 * 60);
    browser.post("/admin/sign-out", &[]).await.leads_to("/admin/sign-in");
    browser.get("/admin/sign-in").await.says("Your session is over, so nothing was changed.");
}

// attack 36
#[tokio::test]
async fn whoever_is_switched_off_deleted_or_no_longer_staff_is_out_at_the_next_request() {
    let site = Site::new().await;
    let service = site.countersign.service();
    let mut helper = site.signed_in("helper").await;
    site.database().execute("UPDATE users SET is_staff = 0 WHERE username = 'helper'", []).unwrap();
    helper.get("/admin/").await.expect(StatusCode::SEE_OTHER);
    site.database().execute("UPDATE users SET is_staff = 1 WHERE username = 'helper'", []).unwrap();

    let mut helper = site.signed_in("helper").await;
    let id = site.user("helper").await.id;
    service.deactivate_user(id).await.unwrap();
    helper.get("/admin/").await.expect(StatusCode::SEE_OTHER);
    service.activate_user(id).await.unwrap();
    helper.get("/admin/").await.expect(StatusCode::SEE_OTHER);

    let mut helper = site.signed_in("helper").await;
    service.delete_user(id).await.unwrap();
    helper.get("/admin/").await.expect(StatusCode::SEE_OTHER);
}

// attack 37
#[tokio::test]
async fn a_change_of_the_password_ends_it() {
    let site = Site::new().await;
    let mut helper = site.signed_in("helper").await;
    let mut root = site.signed_in("root").await;
    let new = countersign::service::password::Password::new("an entirely different phrase").unwrap();
    site.countersign.service().set_password(&site.user("helper").await, new).await.unwrap();
    helper.get("/admin/").await.expect(StatusCode::SEE_OTHER);
    root.get("/admin/").await.expect(StatusCode::OK);
}

// attack 118
#[tokio::test]
async fn signing_in_and_out_is_in_the_audit() {
    let site = Site::new().await;
    let mut browser = site.signed_in("root").await;
    browser.post("/admin/sign-out", &[]).await;
    let root = site.user("root").await.id.0;
    let database = site.database();
    for kind in ["admin_sign_in", "admin_sign_out"] {
        let query = "SELECT actor_id, user_id, ip FROM audit WHERE kind = $1";
        let row: (i64, i64, String) =
            database.query_row(query, [kind], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        assert_eq!(row, (root, root, "192.0.2.1".to_owned()), "{kind}");
    }
}

// attack 44, attack 118
#[tokio::test]
async fn all_sessions_of_a_user_are_also_those_of_this_site_where_they_have_no_others() {
    let site = Site::new().await;
    let mut helper = site.signed_in("helper").await;
    let mut root = site.signed_in("root").await;
    let id = site.user("helper").await.id;
    let page = format!("/admin/users/{id}");
    let shown = root.get(&page).await.expect(StatusCode::OK).says("They are signed in to no application.");
    shown.says("End all sessions").says(&format!("action=\"{page}/sessions\""));
    root.post(&format!("{page}/sessions"), &[]).await.leads_to(&page);
    helper.get("/admin/").await.expect(StatusCode::SEE_OTHER);
    root.get("/admin/").await.expect(StatusCode::OK);

    let query = "SELECT actor_id, user_id, detail FROM audit WHERE kind = 'session_ended'";
    let told: (i64, i64, String) =
        site.database().query_row(query, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    assert_eq!((told.0, told.1), (site.user("root").await.id.0, id.0));
    assert!(told.2.contains("ended_by_staff"), "{}", told.2);
}

// attack 55
#[tokio::test]
async fn the_cookie_is_kept_from_script_from_other_sites_and_from_the_api() {
    let site = Site::new().await;
    let set = site.browser().sign_in("root", PASSWORD).await;
    let set = set.header("set-cookie");
    assert!(set.ends_with("; Path=/admin; HttpOnly; SameSite=Strict"), "{set}");
}
