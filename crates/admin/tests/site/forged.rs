//! Forged posts, and what every page has against being used by others.

use axum::body::Body;
use http::{Method, StatusCode, header};

use countersign_admin::routes::{Access, ROUTES};

use crate::support::{APP, OWN, PASSWORD, Site};

/// The rows of the table that change something, as paths that could be.
fn posts() -> impl Iterator<Item = (String, Access)> {
    let unsafe_rows = ROUTES.iter().filter(|route| route.method != Method::GET);
    unsafe_rows.map(|route| {
        let path = route.path.replace("{token}", "t").replace("{id}", "1").replace("{session}", "s");
        (path, route.access)
    })
}

// attack 51, attack 53
#[tokio::test]
async fn every_form_needs_the_token_of_this_very_session() {
    let site = Site::new().await;
    let other = site.signed_in("root").await;
    let mut root = site.signed_in("root").await;
    assert_ne!(other.csrf, root.csrf);
    for (path, access) in posts() {
        if access == Access::Public {
            continue;
        }
        let cut = &root.csrf.clone()[1..];
        let api_token = "A".repeat(43);
        for csrf in ["", "undefined", cut, &other.csrf, &api_token] {
            let page = root.send_form(&path, &[("csrf", csrf)]).await;
            page.expect(StatusCode::FORBIDDEN).says("another session");
        }
        root.send_form(&path, &[]).await.expect(StatusCode::FORBIDDEN);
    }
    root.get("/admin/").await.expect(StatusCode::OK);
}

// attack 58, attack 61, attack 63
#[tokio::test]
async fn no_other_origin_posts_here_not_even_one_that_may_call_the_api() {
    let site = Site::new().await;
    let root = site.signed_in("root").await;
    for (path, _) in posts() {
        for (origin, fetch_site) in [
            (Some(APP), Some("same-site")),
            (Some("null"), Some("same-origin")),
            (Some("https://evil.example"), Some("same-origin")),
            (Some("http://localhost:8001"), None),
            (None, Some("cross-site")),
            (None, Some("same-site")),
            (None, None),
        ] {
            let fields = [("csrf", &*root.csrf.clone()), ("username", "root"), ("password", PASSWORD)];
            let page = root.clone().from(origin, fetch_site).send_form(&path, &fields).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{path} {origin:?} {fetch_site:?}");
            assert_eq!(page.header("set-cookie"), "");
            assert_eq!(page.header("access-control-allow-origin"), "");
        }
    }
    root.clone().get("/admin/").await.expect(StatusCode::OK);
}

// attack 59
#[tokio::test]
async fn only_a_form_is_taken_for_one() {
    let site = Site::new().await;
    let root = site.signed_in("root").await;
    for kind in ["text/plain", "application/json", "multipart/form-data", ""] {
        let request = http::Request::post("/admin/sign-out")
            .header(header::ORIGIN, OWN)
            .header(header::CONTENT_TYPE, kind)
            .header(header::COOKIE, format!("countersign_admin={}", root.jar["countersign_admin"]))
            .body(Body::from(format!("csrf={}", root.csrf)))
            .unwrap();
        let answer = tower::ServiceExt::oneshot(site.router.clone(), request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{kind}");
    }
    root.clone().get("/admin/").await.expect(StatusCode::OK);
}

// attack 47, attack 60
#[tokio::test]
async fn nothing_changes_by_a_link() {
    let site = Site::new().await;
    let mut root = site.signed_in("root").await;
    root.get("/admin/sign-out").await.expect(StatusCode::METHOD_NOT_ALLOWED);
    for method in [Method::HEAD, Method::PUT, Method::DELETE, Method::PATCH] {
        let page = root.request(method, "/admin/sign-out", Body::empty()).await;
        page.expect(StatusCode::METHOD_NOT_ALLOWED);
    }
    root.get("/admin/").await.expect(StatusCode::OK);
}

// attack 72, attack 75
#[tokio::test]
async fn every_page_runs_our_script_alone_and_cannot_be_framed_or_kept() {
    let site = Site::new().await;
    let mut root = site.signed_in("root").await;
    for path in ["/admin/", "/admin/nothing", "/admin/set-up/t"] {
        let page = root.get(path).await;
        let policy = page.header("content-security-policy").to_owned();
        for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("cache-control"), "no-store");
        assert_eq!(page.header("x-frame-options"), "DENY");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert_eq!(page.header("cross-origin-opener-policy"), "same-origin");
        assert!(["same-origin", "strict-origin"].contains(&page.header("referrer-policy")));
        for inline in ["<script>", " style=", " onclick=", " onerror=", "javascript:"] {
            assert!(!page.text.contains(inline), "{path}: {inline}");
        }
        assert!(!page.text.contains("//"), "{path} names another host");
    }
}

#[tokio::test]
async fn what_a_page_loads_is_there_and_kept_for_good() {
    let site = Site::new().await;
    let mut browser = site.browser();
    let page = browser.get("/admin/sign-in").await;
    let assets: Vec<_> = page.text.split('"').filter(|part| part.starts_with("/admin/assets/")).collect();
    assert!(assets.len() >= 4);
    for asset in assets {
        let answer = browser.get(asset).await.expect(StatusCode::OK);
        assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
    }
    browser.get("/admin/assets/style.css").await.expect(StatusCode::NOT_FOUND);
}
