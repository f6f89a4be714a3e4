//! What the first page, the sessions and the audit show of what went on.

use countersign::core::BuiltIn::{AuditView, SessionsView};
use countersign_admin::{AdminSite, Warning};
use http::StatusCode;

use crate::support::{Page, Site};

/// A day in 2026, before the site's clock, and the next.
const DAY: i64 = 1_794_700_800_000;
const NEXT_DAY: i64 = DAY + 24 * 3600 * 1000;

/// Something that happened to Ana.
fn happened(site: &Site, kind: &str, at: i64, count: i64) {
    let insert = "INSERT INTO audit (at, kind, user_id, ip, detail, count) VALUES ($1, $2, $3, '198.51.100.7', '{}', $4)";
    site.database().execute(insert, (at, kind, site.ana(), count)).unwrap();
}

/// How many rows a table has.
fn rows(page: &Page) -> usize {
    page.text.matches("<th scope=\"row\">").count()
}

#[tokio::test]
async fn the_first_page_counts_and_draws_what_each_may_see() {
    let mut site = Site::new().await;
    let warning = Warning {
        setting: "public_url".into(),
        problem: "it is <http>".into(),
        remedy: "put a proxy in front".into(),
    };
    let pages = AdminSite::new().warning_of([warning]).router(&site.countersign);
    site.router = site.countersign.whole().merge(pages);
    site.fill();
    let now = countersign::core::Clock::now(&*site.clock).millis();
    happened(&site, "login", now - 3_600_000, 7);
    happened(&site, "login_failed", now - 3_600_000, 3);
    happened(&site, "login_throttled", now - 2 * 3_600_000, 2);
    happened(&site, "login", now - 3 * 24 * 3_600_000, 90);

    let mut root = site.planted("root").await;
    let page = root.get("/admin/").await.expect(StatusCode::OK).says("<b>1</b><span>live sessions");
    let page = page.says("<b>7</b><span>logins in 24 hours").says("<b>5</b><span>refusals in 24 hours");
    assert_eq!(page.text.matches("<rect class=\"right\"").count(), 1);
    assert_eq!(page.text.matches("<rect class=\"wrong\"").count(), 2);
    page.says("public_url").says("It is &#60;http&#62;").says("Put a proxy in front");
    root.get("/admin/?span=week").await.says("<b>97</b><span>logins in seven days");

    site.give("helper", &[SessionsView, AuditView]);
    let mut helper = site.planted("helper").await;
    let page = helper.get("/admin/").await.says("live sessions").says("<svg class=\"chart\"");
    page.says_nothing_of("public_url");
    site.take_all("helper");
    let page = helper.get("/admin/").await.says("have no rights on this site yet");
    page.says_nothing_of("live sessions").says_nothing_of("<svg class=\"chart\"");
}

#[tokio::test]
async fn the_audit_is_asked_by_kind_person_and_days_also_for_the_export() {
    let site = Site::new().await;
    happened(&site, "password_changed", DAY - 1, 1);
    happened(&site, "password_changed", DAY, 1);
    happened(&site, "login_failed", NEXT_DAY - 1, 4);
    happened(&site, "password_changed", NEXT_DAY, 1);
    let mut root = site.planted("root").await;
    let ana = site.ana();
    for (query, expected) in [
        // With the making of Ana, days later.
        (format!("user={ana}"), 5),
        (format!("user={ana}&kind=password_changed"), 3),
        (format!("user={ana}&from=2026-11-15&until=2026-11-15"), 2),
        (format!("user={ana}&from=2026-11-16"), 2),
        (format!("user={ana}&until=2026-11-14"), 1),
        (format!("user={ana}&actor={ana}"), 0),
    ] {
        let page = root.get(&format!("/admin/audit?{query}")).await.expect(StatusCode::OK);
        assert_eq!(rows(&page), expected, "{query}");
        let csv = root.get(&format!("/admin/audit.csv?{query}")).await.expect(StatusCode::OK);
        assert_eq!(csv.text.lines().count(), expected + 1, "{query}");
    }
    // What is asked for and can't be meant is told, and isn't everything.
    for query in ["kind=dinner", "user=ana", "from=15.11.2026"] {
        root.get(&format!("/admin/audit?{query}")).await.expect(StatusCode::BAD_REQUEST);
        root.get(&format!("/admin/audit.csv?{query}")).await.expect(StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn the_export_is_whole_however_many_pages_it_takes() {
    let site = Site::new().await;
    let insert = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 2500)
        INSERT INTO audit (at, kind, user_id, detail) SELECT $1 + n, 'login', $2, '{}' FROM n";
    site.database().execute(insert, (DAY, site.ana())).unwrap();
    let mut root = site.planted("root").await;
    let csv = root.get("/admin/audit.csv?kind=login").await.expect(StatusCode::OK);
    let times: std::collections::BTreeSet<_> = csv.text.lines().skip(1).collect();
    assert_eq!((csv.text.lines().count(), times.len()), (2501, 2500));
}

#[tokio::test]
async fn sessions_are_asked_by_person_and_whether_they_live() {
    let site = Site::new().await;
    site.fill();
    let mut root = site.planted("root").await;
    let (ana, other) = (site.ana(), site.user("root").await.id);
    let count = async |root: &mut crate::support::Browser<'_>, query: &str| {
        rows(&root.get(&format!("/admin/sessions{query}")).await.expect(StatusCode::OK))
    };
    assert_eq!(count(&mut root, "").await, 1);
    assert_eq!(count(&mut root, &format!("?user={ana}")).await, 1);
    assert_eq!(count(&mut root, &format!("?user={other}")).await, 0);
    site.turn(25 * 60);
    root.get("/admin/").await.expect(StatusCode::OK);
    site.database().execute("UPDATE sessions SET refresh_expires_at = created_at", []).unwrap();
    assert_eq!(count(&mut root, "").await, 0, "its time is over");
    assert_eq!(count(&mut root, "?state=all").await, 1);
}
