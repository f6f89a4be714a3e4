//! How much of a request is taken, and how long it is waited for. No request can hang, or fill the memory.
//!
//! 1. The head: too many headers, or too large ones, are `431`; a `Host` that is none is `400`. (Nothing here goes by
//!    `Host`: our own origin is in the settings. But a proxy that reads it another way might.)
//! 2. The body is read whole before a route sees the request: `413` over the size, `408` over the time, `400` where it
//!    breaks off. What is over the size is thrown away and yet read on, up to a bound, so that the client comes to
//!    read its answer: closing on one who still writes would take the answer from it.
//! 3. The answer: a handler that hasn't answered in the end is given up, `503`.

use std::future::{Ready, ready};
use std::net::Ipv6Addr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use countersign_core::Seconds;
use countersign_verify::Problem;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Version, header};
use http_body_util::BodyExt;
use tokio::time::{Instant, Sleep, sleep, timeout_at};
use tower_layer::Layer;
use tower_service::Service;

use super::body::malformed_body;
use super::code::Code;
use crate::settings::Settings;

/// How many headers a request may have, and how long names and values may be together, in bytes.
const HEADERS_MAX: usize = 100;
const HEADER_BYTES_MAX: usize = 32 * 1024;

/// How much of a body over the limit is read on for the sake of the answer, in bytes.
const DRAIN_MAX: usize = 1024 * 1024;

/// How long a handler may take. Everything that it waits for has a shorter limit of its own.
const ANSWER_TIME: Duration = Duration::from_mins(1);

/// Limits the requests to the routes under it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestLimits {
    pub(super) body_bytes: usize,
    pub(super) body_time: Duration,
    pub(super) answer_time: Duration,
}

/// A service behind [`RequestLimits`].
#[derive(Clone, Debug)]
pub(crate) struct Limited<S> {
    limits: RequestLimits,
    inner: S,
}

/// A request that isn't taken.
struct Refused {
    problem: Problem,
    /// Whether there may be more of the request to come, so that no other can follow it on its connection.
    cut_off: bool,
}

impl RequestLimits {
    /// The limits of these settings.
    pub(crate) fn new(settings: &Settings) -> Self {
        let body_time = Duration::from_secs(settings.request_timeout.0.into());
        Self { body_bytes: settings.max_body, body_time, answer_time: ANSWER_TIME }
    }

    /// Looks at the head of a request.
    fn admit(self, request: &Request) -> Result<(), Refused> {
        check_head(request)?;
        // Whoever asks before sending is told at once.
        if expects_continue(request.headers()) && request.body().size_hint().lower() > self.body_bytes as u64
        {
            return Err(Refused { problem: body_too_large(self.body_bytes), cut_off: true });
        }
        Ok(())
    }

    /// The request with its whole body in memory.
    async fn read(self, request: Request) -> Result<Request, Refused> {
        let (head, body) = request.into_parts();
        let body = self.read_whole(body).await?;
        Ok(Request::from_parts(head, Body::from(body)))
    }

    /// An answer that is given up in the end.
    const fn in_time<F>(self, answer: F) -> InTime<F> {
        InTime { answer, time: self.answer_time, timer: None }
    }

    async fn read_whole(self, mut body: Body) -> Result<Bytes, Refused> {
        let deadline = Instant::now() + self.body_time;
        let mut kept = Vec::new();
        let mut length = 0_usize;
        loop {
            let too_large = length > self.body_bytes;
            let refused = |problem, cut_off| Err(Refused { problem, cut_off });
            match timeout_at(deadline, body.frame()).await {
                Ok(None) if too_large => return refused(body_too_large(self.body_bytes), false),
                Ok(None) => return Ok(kept.into()),
                Ok(Some(Ok(_))) if length > self.body_bytes.saturating_add(DRAIN_MAX) => {
                    return refused(body_too_large(self.body_bytes), true);
                }
                Ok(Some(Ok(frame))) => {
                    let data = frame.into_data().unwrap_or_default();
                    length = length.saturating_add(data.len());
                    if length > self.body_bytes {
                        kept = Vec::new();
                    } else {
                        kept.extend_from_slice(&data);
                    }
                }
                Ok(Some(Err(_))) | Err(_) if too_large => {
                    return refused(body_too_large(self.body_bytes), true);
                }
                Ok(Some(Err(_))) => return refused(malformed_body("The body breaks off."), true),
                Err(_) => return refused(request_timeout(), true),
            }
        }
    }
}

fn check_head(request: &Request) -> Result<(), Refused> {
    let refused = |problem| Err(Refused { problem, cut_off: false });
    let headers = request.headers();
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers.len() > HEADERS_MAX || bytes > HEADER_BYTES_MAX {
        return refused(headers_too_large());
    }
    if !host_is_fine(request) {
        return refused(malformed_host());
    }
    Ok(())
}

/// RFC 9112, section 3.2: there is one `Host` at most, it is an authority, and a target with an authority of its own
/// says the same.
fn host_is_fine(request: &Request) -> bool {
    let mut sent = request.headers().get_all(header::HOST).iter();
    let host = match (sent.next(), sent.next()) {
        (None, _) => return true,
        (Some(host), None) => host.as_bytes(),
        (Some(_), Some(_)) => return false,
    };
    let same = |target: &Authority| target.as_str().as_bytes().eq_ignore_ascii_case(host);
    is_host_and_port(host) && request.uri().authority().is_none_or(same)
}

/// `uri-host [":" port]` (RFC 9110, section 7.2); `http::uri::Authority` takes more than that.
fn is_host_and_port(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return false };
    let (host_is_fine, rest) = match text.strip_prefix('[').map(|ip| ip.split_once(']')) {
        Some(Some((ip, rest))) => (ip.parse::<Ipv6Addr>().is_ok(), rest),
        Some(None) => return false,
        None => {
            let (host, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
            let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&byte);
            (!host.is_empty() && host.bytes().all(fine), rest)
        }
    };
    let is_port = |port: &str| {
        port.is_empty() || (port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok())
    };
    host_is_fine && (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
}

fn expects_continue(headers: &HeaderMap) -> bool {
    headers.get(header::EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

fn headers_too_large() -> Problem {
    let detail = "The headers of this request are too many, or too large.";
    Code::HeadersTooLarge.problem(detail)
}

fn malformed_host() -> Problem {
    let detail = "The Host header is missing its one host, or names another than the request's target.";
    Code::MalformedRequest.problem(detail)
}

fn body_too_large(max: usize) -> Problem {
    let detail = format!("The body is larger than the {max} bytes that are taken (max_body).");
    Code::BodyTooLarge.problem(detail)
}

fn request_timeout() -> Problem {
    let detail = "The body did not come in time.";
    Code::RequestTimeout.problem(detail)
}

fn unavailable() -> Problem {
    let detail = "The answer took too long; try again shortly.";
    Code::Unavailable.problem(detail).with_retry_after(Seconds(1))
}

impl Refused {
    fn into_response(self, version: Version) -> Response {
        let mut response = self.problem.into_response();
        // From HTTP/2 on, a request is a stream of its own, and the header is forbidden.
        if self.cut_off && version <= Version::HTTP_11 {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl<S> Layer<S> for RequestLimits {
    type Service = Limited<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Limited { limits: *self, inner }
    }
}

impl<S> Service<Request> for Limited<S>
where
    S: Service<Request, Response: IntoResponse, Error: Send, Future: Send> + Clone + Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Admitting<S::Future, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let version = request.version();
        let limits = self.limits;
        if let Err(refused) = limits.admit(&request) {
            return Admitting::Refused { answer: ready(Ok(refused.into_response(version))) };
        }
        if request.body().is_end_stream() {
            return Admitting::Inside { answer: limits.in_time(self.inner.call(request)) };
        }
        // The service that is ready goes along, its clone stays (tower's rule for `poll_ready`).
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let answer = async move {
            match limits.read(request).await {
                Ok(request) => limits.in_time(inner.call(request)).await,
                Err(refused) => Ok(refused.into_response(version)),
            }
        };
        Admitting::Reading { answer: Box::pin(answer) }
    }
}

pin_project_lite::pin_project! {
    /// The answer to come of a [`Limited`] service. Only where there is a body to be read does it lie in a box.
    #[project = ProjectedAdmitting]
    pub(crate) enum Admitting<F, E> {
        Inside { #[pin] answer: InTime<F> },
        Reading { answer: Pin<Box<dyn Future<Output = Result<Response, E>> + Send>> },
        Refused { answer: Ready<Result<Response, E>> },
    }
}

impl<F, R, E> Future for Admitting<F, E>
where
    F: Future<Output = Result<R, E>>,
    R: IntoResponse,
{
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            ProjectedAdmitting::Inside { answer } => answer.poll(cx),
            ProjectedAdmitting::Reading { answer } => answer.as_mut().poll(cx),
            ProjectedAdmitting::Refused { answer } => Pin::new(answer).poll(cx),
        }
    }
}

pin_project_lite::pin_project! {
    /// An answer that is waited for no longer than this. Most are there at once: the timer is set when one isn't.
    pub(crate) struct InTime<F> {
        #[pin]
        answer: F,
        time: Duration,
        #[pin]
        timer: Option<Sleep>,
    }
}

impl<F, R, E> Future for InTime<F>
where
    F: Future<Output = Result<R, E>>,
    R: IntoResponse,
{
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(answer) = this.answer.poll(cx) {
            return Poll::Ready(answer.map(IntoResponse::into_response));
        }
        if this.timer.is_none() {
            this.timer.set(Some(sleep(*this.time)));
        }
        match this.timer.as_pin_mut() {
            Some(timer) => timer.poll(cx).map(|()| Ok(unavailable().into_response())),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::io;

    use axum::body::to_bytes;
    use http::StatusCode;
    use http_body::Frame;
    use tower::ServiceExt;

    use super::*;

    const LIMITS: RequestLimits = RequestLimits {
        body_bytes: 10,
        body_time: Duration::from_millis(30),
        answer_time: Duration::from_millis(30),
    };

    /// A body that comes in these pieces, or breaks off, or stops without an end.
    struct Pieces {
        pieces: VecDeque<Result<Bytes, io::Error>>,
        ends: bool,
    }

    impl HttpBody for Pieces {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
            match self.pieces.pop_front() {
                Some(piece) => Poll::Ready(Some(piece.map(Frame::data))),
                None if self.ends => Poll::Ready(None),
                None => Poll::Pending,
            }
        }
    }

    fn pieces(pieces: &[&str], ends: bool) -> Body {
        let pieces = pieces.iter().map(|piece| Ok(Bytes::from((*piece).to_owned()))).collect();
        Body::new(Pieces { pieces, ends })
    }

    async fn echo(request: Request) -> Result<Response, Infallible> {
        Ok(Body::new(request.into_body()).into_response())
    }

    async fn answer(request: Request) -> (u16, String, bool) {
        let response = LIMITS.layer(tower::service_fn(echo)).oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let closes = response.headers().get(header::CONNECTION).is_some_and(|value| value == "close");
        let body = to_bytes(response.into_body(), 4096).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap(), closes)
    }

    fn refused((status, body, closes): (u16, String, bool)) -> (u16, String, bool) {
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        (status, body["code"].as_str().unwrap().to_owned(), closes)
    }

    fn refusal(status: u16, code: &str, closes: bool) -> (u16, String, bool) {
        (status, code.to_owned(), closes)
    }

    async fn send(body: Body) -> (u16, String, bool) {
        answer(Request::new(body)).await
    }

    #[tokio::test]
    async fn a_body_up_to_the_limit_reaches_the_route_whole() {
        for sent in [&[][..], &["1234567890"], &["12345", "67890"], &["12345", "", "6"]] {
            let (status, body, closes) = send(pieces(sent, true)).await;
            assert_eq!((status, body, closes), (200, sent.concat(), false));
        }
    }

    // attack 111
    #[tokio::test]
    async fn a_larger_body_is_413_after_it_has_been_read_to_its_end() {
        let large = refusal(413, "body_too_large", false);
        let half = "x".repeat(500_000);
        for sent in [&["12345678901"][..], &["1234567890", "1"], &[&half, &half]] {
            assert_eq!(refused(send(pieces(sent, true)).await), large);
        }
        let declared = Request::new(Body::from("12345678901"));
        assert_eq!(refused(answer(declared).await), large);
    }

    // attack 111
    #[tokio::test]
    async fn a_body_without_an_end_is_413_and_its_connection_is_closed() {
        let piece = "x".repeat(100_000);
        let endless = [piece.as_str(); 20];
        assert_eq!(refused(send(pieces(&endless, false)).await), refusal(413, "body_too_large", true));
        assert_eq!(
            refused(send(pieces(&["12345678901"], false)).await),
            refusal(413, "body_too_large", true)
        );
    }

    // attack 109
    #[tokio::test]
    async fn a_body_that_does_not_come_in_time_is_408() {
        for sent in [&[][..], &["12345"]] {
            assert_eq!(refused(send(pieces(sent, false)).await), refusal(408, "request_timeout", true));
        }
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_400() {
        let broken = Pieces { pieces: [Ok("123".into()), Err(io::Error::other("reset"))].into(), ends: true };
        assert_eq!(refused(send(Body::new(broken)).await), refusal(400, "malformed_body", true));
    }

    #[tokio::test]
    async fn whoever_asks_before_sending_too_much_is_refused_unread() {
        let ask = |body: &'static str| {
            answer(Request::builder().header("expect", "100-Continue").body(Body::from(body)).unwrap())
        };
        assert_eq!(refused(ask("12345678901").await), refusal(413, "body_too_large", true));
        assert_eq!(ask("1234567890").await.0, 200);
    }

    // attack 69
    #[tokio::test]
    async fn headers_over_a_limit_are_431() {
        let with = |count: usize, length: usize| {
            let mut request = Request::new(Body::empty());
            for _ in 0..count {
                request.headers_mut().append("x", "v".repeat(length).parse().unwrap());
            }
            answer(request)
        };
        assert_eq!(with(100, 1).await.0, 200);
        assert_eq!(refused(with(101, 1).await), refusal(431, "headers_too_large", false));
        assert_eq!(with(1, 32 * 1024 - 1).await.0, 200);
        assert_eq!(refused(with(1, 32 * 1024).await), refusal(431, "headers_too_large", false));
    }

    // attack 73
    #[tokio::test]
    async fn a_host_that_is_none_is_400() {
        let host = async |uri: &str, hosts: &[&str]| {
            let mut request = Request::builder().uri(uri);
            for host in hosts {
                request = request.header("host", HeaderValue::from_bytes(host.as_bytes()).unwrap());
            }
            answer(request.body(Body::empty()).unwrap()).await
        };
        for fine in ["auth.example.com", "localhost:8000", "[::1]:8000", "192.0.2.7", "evil.example"] {
            assert_eq!(host("/", &[fine]).await.0, 200, "{fine}");
        }
        assert_eq!(host("http://a.example/x", &["A.example"]).await.0, 200);
        assert_eq!(host("http://a.example/x", &[]).await.0, 200);
        for bad in [
            "",
            " ",
            "a b",
            "a/b",
            "user@a.example",
            "user@",
            "@",
            "@a",
            ":80",
            "[::1",
            "[a]",
            "[::1]x",
            "[",
            "[]",
            "a:b",
            "a:80:80",
            "a:65536",
            "a:+80",
            "ä.example",
            "a.example\t",
        ] {
            assert_eq!(refused(host("/", &[bad]).await), refusal(400, "malformed_request", false), "{bad}");
        }
        assert_eq!(host("/", &["a.example", "a.example"]).await.0, 400);
        assert_eq!(host("http://a.example/x", &["b.example"]).await.0, 400);
    }

    #[tokio::test]
    async fn a_handler_that_never_answers_is_given_up() {
        let stuck = tower::service_fn(|_: Request| std::future::pending::<Result<Response, Infallible>>());
        let response = LIMITS.layer(stuck).oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    }
}
