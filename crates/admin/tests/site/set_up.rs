//! The link that makes the first superuser.

use http::StatusCode;

use crate::support::{Browser, PASSWORD, Page, Site, together};

async fn link(site: &Site) -> String {
    let token = site.countersign.service().new_setup_token().await.unwrap().unwrap();
    let public_url = &site.countersign.service().settings().public_url;
    let link = countersign_admin::set_up_link(public_url, &token);
    link.strip_prefix("http://localhost:8000").unwrap().to_owned()
}

async fn make(browser: &mut Browser<'_>, link: &str, name: &str, password: &str) -> Page {
    browser.send_form(link, &[("username", name), ("password", password), ("again", password)]).await
}

// attack 96
#[tokio::test]
async fn the_link_makes_the_first_superuser_once() {
    let site = Site::empty().await;
    let link = link(&site).await;
    let mut browser = site.browser();
    browser.get(&link).await.expect(StatusCode::OK).says("Make the first superuser");
    make(&mut browser, &link, "root", PASSWORD).await.leads_to("/admin/sign-in");
    let root = site.user("root").await;
    assert!(root.is_superuser && root.is_staff && root.is_active);
    let told = "SELECT detail ->> 'by', detail ->> 'username', actor_id FROM audit WHERE kind = 'user_created' AND user_id = $1";
    let told: (String, String, Option<i64>) = site
        .database()
        .query_row(told, [root.id.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap();
    assert_eq!(told, ("setup_link".to_owned(), "root".to_owned(), None));
    make(&mut browser, &link, "other", PASSWORD).await.expect(StatusCode::NOT_FOUND).says("doesn't count");
    browser.get(&link).await.expect(StatusCode::NOT_FOUND);
    browser.sign_in("root", PASSWORD).await.leads_to("/admin/");
}

// attack 96
#[tokio::test]
async fn of_many_who_use_it_at_once_one_makes_the_superuser() {
    let site = Site::empty().await;
    let link = link(&site).await;
    let names: Vec<String> = (0..8).map(|n| format!("root{n}")).collect();
    let tries = names.iter().map(|name| {
        let link = link.clone();
        let mut browser = site.browser();
        async move { make(&mut browser, &link, name, PASSWORD).await.status }
    });
    let made = together(tries).await.into_iter().filter(|status| *status == StatusCode::SEE_OTHER).count();
    assert_eq!(made, 1);
    let count: i64 = site.database().query_row("SELECT count(*) FROM users", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 1);
}

#[tokio::test]
async fn it_counts_for_a_quarter_of_an_hour_and_until_the_next_one_is_made() {
    let site = Site::empty().await;
    let first = link(&site).await;
    let second = link(&site).await;
    let mut browser = site.browser();
    browser.get(&first).await.expect(StatusCode::NOT_FOUND);
    site.turn(15 * 60 - 1);
    browser.get(&second).await.expect(StatusCode::OK);
    site.turn(1);
    browser.get(&second).await.expect(StatusCode::NOT_FOUND);
    make(&mut browser, &second, "root", PASSWORD).await.expect(StatusCode::NOT_FOUND);
}

// attack 96
#[tokio::test]
async fn beside_a_superuser_there_is_none_and_none_counts() {
    let site = Site::new().await;
    assert!(site.countersign.service().new_setup_token().await.unwrap().is_none());
    let root = site.user("root").await.id;
    let database = site.database();
    let active =
        |on: i64| database.execute("UPDATE users SET is_active = $1 WHERE id = $2", (on, root.0)).unwrap();
    active(0);
    let link = link(&site).await;
    active(1);
    let mut browser = site.browser();
    browser.get(&link).await.expect(StatusCode::NOT_FOUND);
    make(&mut browser, &link, "other", PASSWORD).await.expect(StatusCode::NOT_FOUND);
}

// attack 90
#[tokio::test]
async fn what_is_wrong_is_told_and_the_link_counts_on() {
    let site = Site::empty().await;
    let link = link(&site).await;
    let mut browser = site.browser();
    make(&mut browser, &link, "root", "short").await.expect(StatusCode::BAD_REQUEST).says("at least 15");
    make(&mut browser, &link, "", PASSWORD).await.expect(StatusCode::BAD_REQUEST).says("username-errors");
    let differs = [("username", "root"), ("password", PASSWORD), ("again", "another")];
    browser.send_form(&link, &differs).await.expect(StatusCode::BAD_REQUEST).says("differ");
    make(&mut browser, &link, "root", PASSWORD).await.leads_to("/admin/sign-in");
}

#[tokio::test]
async fn a_name_that_is_taken_costs_no_link() {
    let site = Site::empty().await;
    let new = countersign::service::users::UserToCreate {
        username: "ana".to_owned(),
        email: String::new(),
        password: countersign::service::password::Password::new(PASSWORD).unwrap(),
        is_superuser: false,
        fields: serde_json::Map::new(),
    };
    site.countersign.service().create_user(new).await.unwrap();
    let link = link(&site).await;
    let mut browser = site.browser();
    make(&mut browser, &link, "Ana", PASSWORD).await.expect(StatusCode::BAD_REQUEST).says("exists already");
    make(&mut browser, &link, "root", PASSWORD).await.leads_to("/admin/sign-in");
}

#[tokio::test]
async fn the_link_is_told_to_no_other_page() {
    let site = Site::empty().await;
    let link = link(&site).await;
    let page = site.browser().get(&link).await;
    assert_eq!(page.header("referrer-policy"), "strict-origin");
    assert_eq!(page.header("cache-control"), "no-store");
}
