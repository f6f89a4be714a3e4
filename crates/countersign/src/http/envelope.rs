//! What every request and every answer have around them: an id, a log line, the headers that each answer carries.
//!
//! This is the outermost layer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SecureRandom;
use axum::extract::MatchedPath;
use axum::response::{IntoResponse, Response};
use countersign_core::origin::PublicUrl;
use countersign_verify::ProblemCode;
use http::header::{REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, Method, Request};
use tower_layer::Layer;
use tower_service::Service;
use tracing::Instrument;
use tracing::instrument::Instrumented;

use super::request_id::{Ids, RequestId, X_REQUEST_ID, work_at};

/// How a request is counted whose client went away before the answer; the number is nginx's.
const CLIENT_GONE: u16 = 499;

/// Puts requests and answers in their envelope. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Envelope(Arc<Shared>);

/// A service in an [`Envelope`].
#[derive(Clone)]
pub(crate) struct Enveloped<S> {
    shared: Arc<Shared>,
    inner: S,
}

/// A request that is over, for whoever counts them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answered<'a> {
    /// The method; `OTHER` for what is none of HTTP's own.
    pub(crate) method: &'static str,
    /// The route as the router has it (`/accounts/sessions/{id}`), `-` where none matched. Never the path itself,
    /// which may hold an id, or anything that a stranger wrote.
    pub(crate) route: &'a str,
    /// The status; 499 where the client went away before.
    pub(crate) status: u16,
    /// How long the answer took.
    pub(crate) took: Duration,
}

struct Shared {
    ids: Ids,
    transport_security: Option<HeaderValue>,
    observer: Box<dyn Fn(&Answered<'_>) + Send + Sync>,
}

impl Envelope {
    /// Draws ids from `random`, and tells `observer` of every request that is over.
    pub(crate) fn new(
        public_url: &PublicUrl,
        random: Arc<dyn SecureRandom + Send + Sync>,
        observer: impl Fn(&Answered<'_>) + Send + Sync + 'static,
    ) -> Self {
        let transport_security = transport_security(public_url);
        Self(Arc::new(Shared { ids: Ids::new(random), transport_security, observer: Box::new(observer) }))
    }
}

/// HSTS (RFC 6797): a year, on https. `localhost` is left out, since HSTS ignores ports and would close every
/// developer's plain-http server there.
///
/// Subdomains go with a host of three labels or more (`auth.example.com`), where they are ours. An apex
/// (`example.com`) has all of somebody's other hosts under it; those are not for us to close for a year.
fn transport_security(public_url: &PublicUrl) -> Option<HeaderValue> {
    if !public_url.is_https() || public_url.is_loopback() {
        return None;
    }
    let value = match public_url.host().split('.').count() {
        0..=2 => "max-age=31536000",
        3.. => "max-age=31536000; includeSubDomains",
    };
    Some(HeaderValue::from_static(value))
}

impl Shared {
    fn mark(&self, headers: &mut HeaderMap, id: RequestId) {
        headers.insert(X_REQUEST_ID, id.to_header());
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.entry(REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
        if let Some(value) = &self.transport_security {
            headers.insert(STRICT_TRANSPORT_SECURITY, value.clone());
        }
    }
}

/// A log line in the making. It is written when the request is over, also when its client has gone.
struct Entry {
    shared: Arc<Shared>,
    id: RequestId,
    method: &'static str,
    route: Option<MatchedPath>,
    started: Instant,
    status: u16,
    /// Why it was refused, if it was.
    code: Option<&'static str>,
}

impl Entry {
    fn finish(mut self, answer: &mut Response) {
        self.shared.mark(answer.headers_mut(), self.id);
        self.status = answer.status().as_u16();
        self.code = answer.extensions().get().map(|ProblemCode(code)| *code);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let route = self.route.as_ref().map_or("-", MatchedPath::as_str);
        let took = self.started.elapsed();
        let answered = Answered { method: self.method, route, status: self.status, took };
        (self.shared.observer)(&answered);
        tracing::info!(
            target: "countersign::request",
            method = self.method,
            route,
            status = self.status,
            code = self.code,
            ms = (took.as_secs_f64() * 10_000.0).round() / 10.0,
            request_id = self.id.as_str(),
        );
    }
}

fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "OTHER",
    }
}

impl<S> Layer<S> for Envelope {
    type Service = Enveloped<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Enveloped { shared: Arc::clone(&self.0), inner }
    }
}

impl<S, B> Service<Request<B>> for Enveloped<S>
where
    S: Service<Request<B>, Response: IntoResponse>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Enveloping<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        let id = RequestId::sent(request.headers()).unwrap_or_else(|| shared.ids.next());
        // At the level of errors, so that whatever is logged on the way has the id beside it.
        let span = tracing::error_span!("request", id = id.as_str());
        let entry = Entry {
            shared,
            id,
            method: method_name(request.method()),
            route: request.extensions().get().cloned(),
            started: Instant::now(),
            status: CLIENT_GONE,
            code: None,
        };
        let answer = work_at(Some(entry.id), || span.in_scope(|| self.inner.call(request)));
        Enveloping { answer: answer.instrument(span), entry: Some(entry) }
    }
}

pin_project_lite::pin_project! {
    /// An answer to come, and the envelope for it.
    pub(crate) struct Enveloping<F> {
        #[pin]
        answer: Instrumented<F>,
        entry: Option<Entry>,
    }
}

impl<F, R, E> Future for Enveloping<F>
where
    F: Future<Output = Result<R, E>>,
    R: IntoResponse,
{
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let id = this.entry.as_ref().map(|entry| entry.id);
        let mut answer = ready!(work_at(id, || this.answer.poll(cx)))?.into_response();
        if let Some(entry) = this.entry.take() {
            entry.finish(&mut answer);
        }
        Poll::Ready(Ok(answer))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::sync::Mutex;

    use aws_lc_rs::test::rand::FixedByteRandom;
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::routing::{any, get};
    use http::StatusCode;
    use tower::ServiceExt;
    use tracing::field::{Field, Visit};
    use tracing::{Event, Metadata, Subscriber, span};

    use super::*;
    use crate::http::request_id::request_id;

    type Seen = Arc<Mutex<Vec<(String, String, u16)>>>;

    fn envelope(url: &str, seen: &Seen) -> Envelope {
        let seen = Arc::clone(seen);
        let observer = move |answered: &Answered<'_>| {
            let Answered { method, route, status, .. } = *answered;
            seen.lock().unwrap().push((method.to_owned(), route.to_owned(), status));
        };
        let random = Arc::new(FixedByteRandom { byte: 0 });
        Envelope::new(&PublicUrl::parse(url).unwrap(), random, observer)
    }

    fn router(envelope: Envelope) -> Router {
        Router::new()
            .route("/id", any(async || request_id().unwrap().as_str().to_owned()))
            .route("/things/{id}", get(|| async { StatusCode::NO_CONTENT }))
            .route("/slow", get(std::future::pending::<()>))
            .layer(envelope)
    }

    async fn send(url: &str, request: http::request::Builder) -> (Response, Vec<(String, String, u16)>) {
        let seen = Seen::default();
        let router = router(envelope(url, &seen));
        let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let seen = std::mem::take(&mut *seen.lock().unwrap());
        (response, seen)
    }

    async fn get_with(url: &str, path: &str) -> Response {
        send(url, Request::get(path)).await.0
    }

    async fn text(response: Response) -> String {
        let bytes = to_bytes(response.into_body(), 4096).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
        response.headers().get(name).map(|value| value.to_str().unwrap())
    }

    const LOCAL: &str = "http://localhost:8000";

    #[tokio::test]
    async fn a_well_formed_id_is_kept() {
        for id in ["a", "0190d0a4-7c1e-7000-8000-000000000000", "A.b_c-9", &"x".repeat(128)] {
            let (response, _) = send(LOCAL, Request::get("/id").header(X_REQUEST_ID, id)).await;
            assert_eq!(header(&response, "x-request-id"), Some(id));
            assert_eq!(text(response).await, id);
        }
    }

    // attack 117
    #[tokio::test]
    async fn any_other_id_is_replaced() {
        let fresh = "AAAAAAAAAAAAAAAAAAAAAA";
        for id in ["", " ", "a b", "a\tb", "a\"b", "<b>", "ä", "a/b", "a\u{1b}b", &"x".repeat(129)] {
            let Ok(value) = HeaderValue::from_bytes(id.as_bytes()) else { continue };
            let (response, _) = send(LOCAL, Request::get("/id").header(X_REQUEST_ID, value)).await;
            assert_eq!(header(&response, "x-request-id"), Some(fresh), "{id}");
            assert_eq!(text(response).await, fresh);
        }
        let twice = Request::get("/id").header(X_REQUEST_ID, "a").header(X_REQUEST_ID, "a");
        assert_eq!(header(&send(LOCAL, twice).await.0, "x-request-id"), Some(fresh));
    }

    // attack 72
    #[tokio::test]
    async fn every_answer_carries_the_security_headers() {
        for path in ["/id", "/nowhere"] {
            let response = get_with("https://auth.example.com", path).await;
            assert_eq!(header(&response, "x-content-type-options"), Some("nosniff"), "{path}");
            assert_eq!(header(&response, "referrer-policy"), Some("no-referrer"));
            assert!(header(&response, "x-request-id").is_some());
        }
    }

    // attack 72
    #[tokio::test]
    async fn https_is_demanded_for_a_year_where_that_closes_nobody_else_s_host() {
        for (url, expected) in [
            ("https://auth.example.com", Some("max-age=31536000; includeSubDomains")),
            ("https://example.com", Some("max-age=31536000")),
            ("https://localhost:8443", None),
            ("http://localhost:8000", None),
            ("http://auth.example.com", None),
        ] {
            let response = get_with(url, "/id").await;
            assert_eq!(header(&response, "strict-transport-security"), expected, "{url}");
        }
    }

    #[tokio::test]
    async fn a_request_is_counted_by_its_route_and_never_by_its_path() {
        for (method, path, expected) in [
            ("GET", "/things/42?token=x", ("GET", "/things/{id}", 204)),
            ("DELETE", "/things/42", ("DELETE", "/things/{id}", 405)),
            ("GET", "/nowhere/42", ("GET", "-", 404)),
            ("BREW", "/id", ("OTHER", "/id", 200)),
        ] {
            let (_, seen) = send(LOCAL, Request::builder().method(method).uri(path)).await;
            let expected = (expected.0.to_owned(), expected.1.to_owned(), expected.2);
            assert_eq!(seen, [expected]);
        }
    }

    #[tokio::test]
    async fn a_client_that_goes_away_is_counted_too() {
        let seen = Seen::default();
        let slow = Request::get("/slow").body(Body::empty()).unwrap();
        let answer = router(envelope(LOCAL, &seen)).oneshot(slow);
        assert!(tokio::time::timeout(Duration::from_millis(5), answer).await.is_err());
        assert_eq!(*seen.lock().unwrap(), [("GET".to_owned(), "/slow".to_owned(), 499)]);
    }

    /// Keeps the fields of every event, and of every span.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<String>>);

    impl Visit for Log {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            let mut log = self.0.lock().unwrap();
            fmt::Write::write_fmt(&mut *log, format_args!("{field}={value:?} ")).unwrap();
        }
    }

    impl Subscriber for Log {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
            span.record(&mut self.clone());
            span::Id::from_u64(1)
        }
        fn record(&self, _: &span::Id, values: &span::Record<'_>) {
            values.record(&mut self.clone());
        }
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn event(&self, event: &Event<'_>) {
            event.record(&mut self.clone());
        }
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }

    // attack 116, attack 117
    #[tokio::test]
    async fn the_log_line_has_method_route_status_time_and_id_and_nothing_that_was_sent() {
        let log = Log::default();
        let guard = tracing::subscriber::set_default(log.clone());
        let request = Request::get("/things/s3cret-id?token=s3cret-token")
            .header(X_REQUEST_ID, "s3cret id")
            .header("authorization", "Bearer s3cret")
            .header("cookie", "refreshtoken=s3cret")
            .header("user-agent", "s3cret");
        send(LOCAL, request).await;
        drop(guard);
        let log = log.0.lock().unwrap();
        for part in ["method=\"GET\"", "route=\"/things/{id}\"", "status=204", "ms=", "request_id=\"AAAA"] {
            assert!(log.contains(part), "{part} in {log}");
        }
        assert!(!log.contains("s3cret"), "{log}");
    }
}
