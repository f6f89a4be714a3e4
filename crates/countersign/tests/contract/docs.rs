//! `GET /docs` and its assets: a page that needs no other host, no inline script, and no right to anything.

use http::{Method, StatusCode};

use crate::support::{Answer, World};

/// What a page names: the values of `href` and `src`, and the modules that a script imports.
fn named(text: &str) -> Vec<String> {
    let after = |mark: &'static str, end: char| {
        let pieces: Vec<&str> = text.split(mark).skip(1).collect();
        pieces.into_iter().map(move |rest| rest.split(end).next().unwrap().to_owned())
    };
    after(" href=\"", '"')
        .chain(after(" src=\"", '"'))
        .chain(after(" from '", '\''))
        .chain(after("url('", '\''))
        .collect()
}

/// Where a browser that is at `base` goes for `relative`.
fn resolve(base: &str, relative: &str) -> String {
    let base = url::Url::parse(&format!("http://localhost{base}")).unwrap();
    let url = base.join(relative).unwrap();
    assert_eq!(url.host_str(), Some("localhost"), "{relative}");
    url.path().to_owned()
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.bytes.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_works_with_and_without_a_slash_and_all_that_it_names_is_there() {
    let world = World::new().await;
    let mut anyone = world.anonymous();
    for page in ["/docs", "/docs/"] {
        let mut seen = vec![page.to_owned()];
        let mut at = 0;
        while let Some(path) = seen.get(at).cloned() {
            at += 1;
            let answer = anyone.get(&path).await.expect(StatusCode::OK);
            if path == "/openapi.json" {
                continue;
            }
            for name in named(&text(&answer)).iter().filter(|name| !name.starts_with('#')) {
                let target = resolve(&path, name);
                if !seen.contains(&target) {
                    seen.push(target);
                }
            }
        }
        for part in
            ["/openapi.json", "/docs/style.css", "/docs/page.js", "/docs/wire.js", "/docs/strands.svg"]
        {
            assert!(seen.iter().any(|path| path == part), "{page} never comes to {part}: {seen:?}");
        }
    }
}

// attack 72, attack 75
#[tokio::test(flavor = "multi_thread")]
async fn the_page_may_do_nothing_but_show_our_own_files() {
    let world = World::new().await;
    let mut anyone = world.anonymous();
    for path in ["/docs", "/docs/", "/docs/style.css", "/docs/page.js", "/docs/icon.svg"] {
        let answer = anyone.get(path).await.expect(StatusCode::OK);
        assert_eq!(
            answer.header("content-security-policy"),
            Some(
                "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                 base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            )
        );
        assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
        assert_eq!(answer.header("set-cookie"), None);
        let tag = answer.header("etag").unwrap().to_owned();
        let again = anyone.request(Method::GET, path).header("if-none-match", &tag).send().await;
        assert_eq!((again.status.as_u16(), again.bytes.len()), (304, 0), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_page_does_not_have_is_not_found() {
    let world = World::new().await;
    let mut anyone = world.anonymous();
    for name in [
        "nothing.js",
        "index.html",
        "..%2fopenapi.json",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "STYLE.CSS",
        "%00",
        "%ff",
    ] {
        anyone.get(&format!("/docs/{name}")).await.refused(404, "not_found");
    }
}
