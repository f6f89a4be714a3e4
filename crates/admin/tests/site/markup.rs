//! Markup in everything that somebody else wrote, on every page that shows it.

use http::StatusCode;

use crate::support::{PASSWORD, Site};

const MARKUP: &str = "\"'><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}";

// attack 75
#[tokio::test]
async fn what_others_wrote_is_text_on_every_page() {
    let site = Site::new().await;
    site.fill();
    site.vandalise(MARKUP);
    let mut root = site.browser();
    root.sign_in("root", PASSWORD).await.expect(StatusCode::SEE_OTHER);
    let ana = format!("/admin/users/{}", site.ana());
    let mut seen = 0;
    let pages = [
        "/admin/".to_owned(),
        "/admin/users".to_owned(),
        ana.clone(),
        format!("{ana}/delete"),
        "/admin/users?q=%22%3E%3Cscript%3Ealert(2)%3C/script%3E".to_owned(),
        "/admin/groups".to_owned(),
        "/admin/groups?q=%22%3E%3Cscript%3Ealert(2)%3C/script%3E".to_owned(),
        "/admin/groups/1".to_owned(),
        "/admin/sessions".to_owned(),
        "/admin/sessions?state=all".to_owned(),
        "/admin/audit".to_owned(),
        "/admin/audit?from=%22%3E%3Cscript%3E".to_owned(),
        "/admin/keys".to_owned(),
        "/admin/sign-in?next=/admin/%22%3E%3Cscript%3E".to_owned(),
    ];
    for path in pages {
        let page = root.get(&path).await;
        check(&path, &page.text, &mut seen);
    }
    // And what a form sends back.
    let fields = [("username", MARKUP), ("email", MARKUP), ("first_name", MARKUP), ("name", MARKUP)];
    for path in ["/admin/users/new", &ana, "/admin/groups/new", "/admin/permissions/new"] {
        let page = root.post(path, &fields).await;
        check(path, &page.text, &mut seen);
    }
    let page = site.browser().sign_in(MARKUP, MARKUP).await;
    check("/admin/sign-in", &page.text, &mut seen);
    assert!(seen >= 10, "the pages show what was written: {seen}");
}

fn check(path: &str, html: &str, seen: &mut usize) {
    for bad in ["<img", "<script>alert", "onerror=alert(1)>", "\"'><"] {
        let ours = bad == "<img"
            && html.matches("<img").count() == html.matches("<img src=\"/admin/assets/icon").count();
        assert!(ours || !html.contains(bad), "{path}: {bad}");
    }
    *seen += usize::from(html.contains("onerror=alert(1)"));
}

// attack 75, attack 117
#[tokio::test]
async fn a_spreadsheet_finds_no_formula_and_no_line_of_its_own_in_the_export() {
    let site = Site::new().await;
    site.fill();
    site.vandalise("=cmd|' /C calc'!A0\r\nforged,line");
    let mut root = site.browser();
    root.sign_in("root", PASSWORD).await.expect(StatusCode::SEE_OTHER);
    let csv = root.get("/admin/audit.csv").await.expect(StatusCode::OK);
    for line in csv.text.lines().skip(1) {
        assert!(line.starts_with('"'), "{line}");
        assert!(!line.contains("\"=") || line.contains("\"\"="), "{line}");
    }
}
