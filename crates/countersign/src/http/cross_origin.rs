//! Requests from other origins: the check against forged ones, and CORS for the listed ones.
//!
//! One layer around all routes, an embedder's own too. In order:
//!
//! 1. A preflight is answered here: what it asks about never reaches a route. Any other `OPTIONS` goes on.
//! 2. A request that may change something, and the one that hands out the CSRF token again, is judged by
//!    [`OriginPolicy::judge`] before anything else of it is looked at: `403 origin_not_allowed`.
//! 3. A listed origin may read the answer, whatever it is (an error that a page can't read helps nobody).
//! 4. Every answer says that it depends on `Origin`, and that no other origin may embed it.
//!
//! It is our own because tower-http's CORS layer sends `Access-Control-Allow-Credentials` to every origin, and its
//! CSRF layer lets a `Sec-Fetch-Site` or a matching `Host` excuse a bad `Origin`.

use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::response::{IntoResponse, Response};
use countersign_core::origin::{CrossSite, Origin, OriginPolicy, Sent};
use countersign_verify::{Problem, is_unsafe};
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use tower_layer::Layer;
use tower_service::Service;

use super::code::Code;
use crate::settings::Settings;

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The route that hands out the CSRF token again, so it is guarded though it is a `GET`.
const CSRF_ROUTE: &str = "/accounts/csrf";

/// The methods of our routes, for preflights.
const METHODS: &str = "GET, POST, PATCH, DELETE";

/// The request headers that a listed origin may send, before those of `cors_allow_headers`.
const REQUEST_HEADERS: &str = "Authorization, Content-Type, Idempotency-Key, X-CSRFTOKEN, X-CSRF-Token, X-XSRF-TOKEN, \
                               X-Request-Id, X-Requested-With, traceparent";

/// The response headers that a listed origin may read, beyond those that every origin may.
const RESPONSE_HEADERS: HeaderValue = HeaderValue::from_static("X-Request-Id, Retry-After, WWW-Authenticate");

/// How long a browser may remember a preflight's answer: two hours, which is the most that Chromium takes.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

/// The longest piece of an `Origin` that a refusal repeats, in characters.
const NAMED_MAX: usize = 128;

/// Guards and opens the routes under it. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct CrossOrigin(Arc<Rules>);

/// A service behind a [`CrossOrigin`].
#[derive(Clone, Debug)]
pub struct CrossOriginService<S> {
    rules: Arc<Rules>,
    inner: S,
}

#[derive(Clone, Debug)]
struct Rules {
    policy: OriginPolicy,
    methods: HeaderValue,
    request_headers: HeaderValue,
}

impl CrossOrigin {
    /// The rules of these settings.
    pub(crate) fn new(settings: &Settings) -> Self {
        let policy = OriginPolicy::new(
            &settings.public_url,
            settings.allowed_origins.clone(),
            settings.native_origins.clone(),
        );
        let more = &settings.cors_allow_headers;
        let more = more.iter().filter(|name| HeaderName::try_from(*name).is_ok());
        let request_headers = more.fold(REQUEST_HEADERS.to_owned(), |all, name| all + ", " + name);
        Self(Arc::new(Rules {
            policy,
            methods: HeaderValue::from_static(METHODS),
            request_headers: HeaderValue::try_from(request_headers)
                .unwrap_or(HeaderValue::from_static(REQUEST_HEADERS)),
        }))
    }

    /// The rules of pages that are for our own origin alone, whatever `allowed_origins` says.
    pub(crate) fn own(settings: &Settings) -> Self {
        let policy = OriginPolicy::new(&settings.public_url, Vec::new(), Vec::new());
        Self(Arc::new(Rules {
            policy,
            methods: HeaderValue::from_static(METHODS),
            request_headers: HeaderValue::from_static(REQUEST_HEADERS),
        }))
    }

    /// Lets preflights ask for these methods too: an embedder's own routes may have a `PUT`.
    #[must_use]
    pub(crate) fn with_methods(mut self, more: impl IntoIterator<Item = Method>) -> Self {
        let rules = Arc::make_mut(&mut self.0);
        let all = more.into_iter().fold(METHODS.to_owned(), |all, method| all + ", " + method.as_str());
        rules.methods = HeaderValue::try_from(all).unwrap_or(HeaderValue::from_static(METHODS));
        self
    }

    /// Which origins may call.
    pub(crate) fn policy(&self) -> &OriginPolicy {
        &self.0.policy
    }
}

impl Rules {
    /// The answer that is given in the routes' stead, if there is one.
    fn answer<B>(&self, request: &Request<B>) -> Option<Response> {
        let headers = request.headers();
        if is_preflight(request) {
            let mut response = StatusCode::NO_CONTENT.into_response();
            if self.listed(headers).is_some() {
                let answer = response.headers_mut();
                answer.insert(ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
                answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, self.request_headers.clone());
                answer.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
            }
            return Some(response);
        }
        let guarded = is_guarded(request.method(), request.uri().path());
        // They are looked up only where they count.
        let [origin, fetch_site] =
            [&ORIGIN, &SEC_FETCH_SITE].map(|name| if guarded { sent(headers, name) } else { Sent::Absent });
        let verdict = self.policy.judge(CrossSite { guarded, origin, fetch_site });
        verdict.err().map(|_| origin_not_allowed(origin).into_response())
    }

    /// The request's origin, if it is a listed one.
    fn listed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        match sent(headers, &ORIGIN) {
            Sent::Once(origin) if self.policy.is_allowed(origin) => headers.get(ORIGIN).cloned(),
            _ => None,
        }
    }
}

/// Adds what every answer carries, and what only a listed origin gets.
fn mark(headers: &mut HeaderMap, listed: Option<HeaderValue>) {
    if let Some(origin) = listed {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
    }
    if !varies_by_origin(headers) {
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
    headers.entry(CROSS_ORIGIN_RESOURCE_POLICY).or_insert(HeaderValue::from_static("same-origin"));
}

fn varies_by_origin(headers: &HeaderMap) -> bool {
    let values = headers.get_all(VARY).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|name| name.trim().eq_ignore_ascii_case("origin"))
}

fn sent<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Sent<'a> {
    Sent::of(headers.get_all(name).into_iter().map(HeaderValue::as_bytes))
}

/// A browser's question before a request (the Fetch standard, "CORS-preflight request").
fn is_preflight<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    request.method() == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Whether a request is judged. `HEAD` goes with its `GET`, and a route under a prefix with the route.
pub(super) fn is_guarded(method: &Method, path: &str) -> bool {
    match *method {
        Method::GET | Method::HEAD => path.trim_end_matches('/').ends_with(CSRF_ROUTE),
        ref method => is_unsafe(method),
    }
}

/// Names the origin and the setting. The setting's line is written out only for what it could hold.
fn origin_not_allowed(origin: Sent<'_>) -> Problem {
    let detail = match origin {
        Sent::Once(b"null") => "The origin is null, which any page can send, so it is never allowed: it comes from a \
                                sandboxed frame, a local file or a redirect; serve the page from an origin of its own \
                                and list that in allowed_origins."
            .to_owned(),
        Sent::Once(origin) => match listable(origin) {
            Some(origin) => format!(
                "The origin {origin} is not in this server's allowed_origins, which count to the byte (scheme, host and \
                 port); if the page is yours, add it there: allowed_origins = [\"{origin}\"]"
            ),
            None => format!("The Origin {} is none that a server could list in allowed_origins.", named(origin)),
        },
        Sent::Repeated => "The request has more than one Origin header, and none of them counts.".to_owned(),
        Sent::Absent => "The request comes from another site and does not say from which origin; \
                         a server takes the origins that are listed in allowed_origins."
            .to_owned(),
    };
    Code::OriginNotAllowed.problem(detail)
}

/// The origin, if it is one that `allowed_origins` takes, and short enough for a sentence.
fn listable(origin: &[u8]) -> Option<Origin> {
    let text = std::str::from_utf8(origin).ok().filter(|text| text.len() <= NAMED_MAX)?;
    Origin::parse(text).ok()
}

/// An origin as it may stand in a sentence: short, and without anything that isn't a plain character.
fn named(origin: &[u8]) -> String {
    let plain = |byte: &u8| if byte.is_ascii_graphic() { char::from(*byte) } else { '?' };
    let text: String = origin.iter().take(NAMED_MAX).map(plain).collect();
    let cut = if origin.len() > NAMED_MAX { "…" } else { "" };
    format!("\"{text}{cut}\"")
}

impl<S> Layer<S> for CrossOrigin {
    type Service = CrossOriginService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CrossOriginService { rules: Arc::clone(&self.0), inner }
    }
}

impl<S, B> Service<Request<B>> for CrossOriginService<S>
where
    S: Service<Request<B>, Response: IntoResponse>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Judging<S::Future, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let listed = self.rules.listed(request.headers());
        match self.rules.answer(&request) {
            Some(mut answer) => {
                mark(answer.headers_mut(), listed);
                Judging::Answered { answer: ready(Ok(answer)) }
            }
            None => Judging::Inside { answer: self.inner.call(request), listed },
        }
    }
}

pin_project_lite::pin_project! {
    /// The answer to come of a [`CrossOriginService`].
    #[project = Projected]
    pub enum Judging<F, E> {
        #[doc(hidden)]
        Answered { answer: Ready<Result<Response, E>> },
        #[doc(hidden)]
        Inside { #[pin] answer: F, listed: Option<HeaderValue> },
    }
}

impl<F, R, E> Future for Judging<F, E>
where
    F: Future<Output = Result<R, E>>,
    R: IntoResponse,
{
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            Projected::Answered { answer } => Pin::new(answer).poll(cx),
            Projected::Inside { answer, listed } => {
                let mut answer = ready!(answer.poll(cx))?.into_response();
                mark(answer.headers_mut(), listed.take());
                Poll::Ready(Ok(answer))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::Router;
    use axum::body::Body;
    use axum::routing::{any, get};
    use countersign_core::origin::Origin;
    use tower::ServiceExt;

    use super::*;
    use crate::http::testing::settings_at;

    const OURS: &str = "https://app.example.com";
    const FOREIGN: &str = "https://app.example.com.evil.example";

    /// A router whose every path answers, and how often it did.
    struct Site {
        router: Router,
        reached: Arc<AtomicUsize>,
    }

    impl Site {
        fn new(cross_origin: &CrossOrigin) -> Self {
            let reached = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&reached);
            let answer = move || {
                count.fetch_add(1, Ordering::Relaxed);
                async { StatusCode::UNAUTHORIZED }
            };
            let router = Router::new()
                .route("/varied", get(|| async { ([(VARY, "Accept, origin")], "") }))
                .route("/accept", get(|| async { ([(VARY, "Accept")], "") }))
                .route("/shared", get(|| async { ([(CROSS_ORIGIN_RESOURCE_POLICY, "cross-origin")], "") }))
                .route("/{*path}", any(answer))
                .layer(cross_origin.clone());
            Self { router, reached }
        }

        async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
            let mut request = Request::builder().method(method).uri(path);
            for (name, value) in headers {
                request = request.header(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
        }

        fn reached(&self) -> usize {
            self.reached.swap(0, Ordering::Relaxed)
        }
    }

    fn cross_origin() -> CrossOrigin {
        let mut settings = settings_at("https://auth.example.com");
        settings.allowed_origins = vec![Origin::parse(OURS).unwrap()];
        settings.native_origins = vec![Origin::parse("capacitor://localhost").unwrap()];
        settings.cors_allow_headers = vec!["X-Tenant".into(), "no header".into()];
        CrossOrigin::new(&settings)
    }

    fn site() -> Site {
        Site::new(&cross_origin())
    }

    fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
        response.headers().get(name).map(|value| value.to_str().unwrap())
    }

    fn cors_headers(response: &Response) -> Vec<&str> {
        let names = response.headers().keys().map(HeaderName::as_str);
        names.filter(|name| name.starts_with("access-control-")).collect()
    }

    async fn detail(response: Response) -> String {
        let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["code"], "origin_not_allowed");
        body["detail"].as_str().unwrap().to_owned()
    }

    // attack 58, attack 61, attack 68
    #[tokio::test]
    async fn an_unsafe_request_from_a_foreign_origin_never_reaches_a_route() {
        let site = site();
        for origin in [FOREIGN, "null", "http://app.example.com", "https://app.example.com.", "https://[", ""]
        {
            for method in ["POST", "PUT", "PATCH", "DELETE", "TRACE", "NONSENSE"] {
                let sent = [("origin", origin), ("sec-fetch-site", "same-origin"), ("authorization", "x")];
                let response = site.send(method, "/accounts/login", &sent).await;
                assert_eq!(response.status(), StatusCode::FORBIDDEN, "{method} {origin}");
                assert_eq!(cors_headers(&response), Vec::<&str>::new());
            }
        }
        let twice = [("origin", OURS), ("origin", OURS)];
        assert_eq!(site.send("POST", "/x", &twice).await.status(), StatusCode::FORBIDDEN);
        assert_eq!(site.reached(), 0);
    }

    // attack 62, attack 63
    #[tokio::test]
    async fn without_an_origin_only_what_a_browser_calls_cross_site_is_refused() {
        let site = site();
        for (fetch_site, reached) in [("cross-site", 0), ("same-site", 0), ("same-origin", 1), ("none", 1)] {
            let sent = [("sec-fetch-site", fetch_site), ("referer", "https://[")];
            let response = site.send("POST", "/x", &sent).await;
            assert_eq!((response.status() == StatusCode::FORBIDDEN, site.reached()), (reached == 0, reached));
        }
        site.send("POST", "/x", &[]).await;
        site.send("POST", "/x", &[("origin", OURS), ("sec-fetch-site", "cross-site")]).await;
        assert_eq!(site.reached(), 2);
    }

    #[tokio::test]
    async fn of_the_safe_requests_only_the_one_for_the_csrf_token_is_guarded() {
        let site = site();
        for path in ["/accounts/csrf", "/accounts/csrf/", "/accounts/csrf?x", "/auth/accounts/csrf//"] {
            for method in ["GET", "HEAD"] {
                let response = site.send(method, path, &[("origin", FOREIGN)]).await;
                assert_eq!(
                    (response.status(), site.reached()),
                    (StatusCode::FORBIDDEN, 0),
                    "{method} {path}"
                );
            }
        }
        for path in ["/accounts/profile", "/accounts/csrf/x", "/accounts/csrfs"] {
            site.send("GET", path, &[("origin", FOREIGN), ("sec-fetch-site", "cross-site")]).await;
            assert_eq!(site.reached(), 1, "{path}");
        }
        site.send("GET", "/accounts/csrf", &[("origin", OURS)]).await;
        assert_eq!(site.reached(), 1);
    }

    #[tokio::test]
    async fn a_refusal_names_the_origin_and_the_setting() {
        let site = site();
        let refused = site.send("POST", "/x", &[("origin", FOREIGN)]).await;
        let line = format!("allowed_origins = [\"{FOREIGN}\"]");
        assert!(detail(refused).await.ends_with(&line));
        let absent = site.send("POST", "/x", &[("sec-fetch-site", "cross-site")]).await;
        assert!(detail(absent).await.contains("allowed_origins"));
    }

    #[tokio::test]
    async fn what_could_not_be_listed_is_not_offered_as_a_line_to_copy() {
        for origin in
            ["null", "https://app.example.com/", "https://*.example.com", "HTTPS://APP.EXAMPLE.COM", "x\"]"]
        {
            let detail = detail(site().send("POST", "/x", &[("origin", origin)]).await).await;
            assert!(detail.contains("allowed_origins") && !detail.contains("allowed_origins = "), "{detail}");
        }
    }

    // attack 117
    #[tokio::test]
    async fn a_refusal_repeats_nothing_that_could_break_a_page_or_a_log() {
        let hostile = format!("\u{202e}\t<b>{}", "x".repeat(10_000));
        let detail = detail(site().send("POST", "/x", &[("origin", &hostile)]).await).await;
        assert!(detail.chars().count() < 256 && detail.contains("\"????<b>xxx"), "{detail}");
    }

    // attack 66
    #[tokio::test]
    async fn a_listed_origin_may_read_every_answer() {
        for origin in [OURS, "https://auth.example.com", "capacitor://localhost"] {
            let response = site().send("GET", "/accounts/profile", &[("origin", origin)]).await;
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
            assert_eq!(header(&response, "access-control-allow-origin"), Some(origin));
            assert_eq!(header(&response, "access-control-allow-credentials"), Some("true"));
            assert_eq!(
                header(&response, "access-control-expose-headers"),
                Some("X-Request-Id, Retry-After, WWW-Authenticate")
            );
        }
    }

    // attack 64
    #[tokio::test]
    async fn any_other_origin_gets_no_cors_header() {
        for origin in [FOREIGN, "null", "https://evilapp.example.com", "https://example.com", "*"] {
            let preflight = [("origin", origin), ("access-control-request-method", "POST")];
            for (method, sent) in
                [("GET", &preflight[..1]), ("POST", &preflight[..1]), ("OPTIONS", &preflight)]
            {
                let response = site().send(method, "/x", sent).await;
                assert_eq!(cors_headers(&response), Vec::<&str>::new(), "{method} {origin}");
            }
        }
        let twice = [("origin", OURS), ("origin", OURS)];
        assert_eq!(cors_headers(&site().send("GET", "/x", &twice).await), Vec::<&str>::new());
        assert_eq!(cors_headers(&site().send("GET", "/x", &[]).await), Vec::<&str>::new());
    }

    // attack 65
    #[tokio::test]
    async fn a_preflight_is_answered_with_exact_lists_and_without_asking_a_route() {
        let site = site();
        let sent = [
            ("origin", OURS),
            ("access-control-request-method", "PUT"),
            ("access-control-request-headers", "x-evil"),
        ];
        let response = site.send("OPTIONS", "/accounts/profile", &sent).await;
        assert_eq!((response.status(), site.reached()), (StatusCode::NO_CONTENT, 0));
        assert_eq!(header(&response, "access-control-allow-origin"), Some(OURS));
        assert_eq!(header(&response, "access-control-allow-credentials"), Some("true"));
        assert_eq!(header(&response, "access-control-allow-methods"), Some("GET, POST, PATCH, DELETE"));
        assert_eq!(
            header(&response, "access-control-allow-headers"),
            Some(
                "Authorization, Content-Type, Idempotency-Key, X-CSRFTOKEN, X-CSRF-Token, X-XSRF-TOKEN, \
                 X-Request-Id, X-Requested-With, traceparent, X-Tenant"
            )
        );
        assert_eq!(header(&response, "access-control-max-age"), Some("7200"));
        assert_eq!(header(&response, "vary"), Some("Origin"));
    }

    #[tokio::test]
    async fn an_options_that_is_no_preflight_goes_on() {
        let site = site();
        site.send("OPTIONS", "/x", &[("origin", FOREIGN)]).await;
        site.send("OPTIONS", "/x", &[("access-control-request-method", "POST")]).await;
        assert_eq!(site.reached(), 2);
    }

    #[tokio::test]
    async fn an_embedder_s_methods_are_allowed_beside_ours() {
        let site = Site::new(&cross_origin().with_methods([Method::PUT]));
        let sent = [("origin", OURS), ("access-control-request-method", "PUT")];
        let response = site.send("OPTIONS", "/x", &sent).await;
        assert_eq!(header(&response, "access-control-allow-methods"), Some("GET, POST, PATCH, DELETE, PUT"));
    }

    // attack 64
    #[tokio::test]
    async fn every_answer_varies_by_origin_and_may_not_be_embedded() {
        let site = site();
        for (method, path, sent) in [
            ("GET", "/x", vec![]),
            ("GET", "/x", vec![("origin", OURS)]),
            ("POST", "/x", vec![("origin", FOREIGN)]),
            ("OPTIONS", "/x", vec![("origin", FOREIGN), ("access-control-request-method", "POST")]),
        ] {
            let response = site.send(method, path, &sent).await;
            assert_eq!(header(&response, "vary"), Some("Origin"), "{method} {path}");
            assert_eq!(header(&response, "cross-origin-resource-policy"), Some("same-origin"));
        }
    }

    #[tokio::test]
    async fn what_a_route_says_about_caching_and_embedding_is_kept() {
        let site = site();
        let vary = async |path| {
            let response = site.send("GET", path, &[]).await;
            let values = response.headers().get_all(VARY).iter();
            values.map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(vary("/varied").await, ["Accept, origin"]);
        assert_eq!(vary("/accept").await, ["Accept", "Origin"]);
        let shared = site.send("GET", "/shared", &[]).await;
        assert_eq!(header(&shared, "cross-origin-resource-policy"), Some("cross-origin"));
    }
}
