//! A handler's panic is stopped here: its client gets a `500` that says nothing of it, the log has it under the
//! answer's request id, and the process lives.
//!
//! This layer lies inside of those that mark every answer (the envelope, the check of origins), so that its `500`
//! carries what any answer carries, and a page of an allowed origin can read it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::error::internal_error;
use super::request_id::{RequestId, request_id};

/// Stops the panics of the routes under it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StopPanics;

/// A service under [`StopPanics`].
#[derive(Clone, Debug)]
pub(crate) struct Stopped<S>(S);

/// Runs it. After a panic what it left behind is dropped, and never looked at again: hence the unwind safety. Nor is
/// the panic's message looked at: it went to the panic hook, and it may hold anything.
fn caught<T>(run: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(run))
}

impl<S> Layer<S> for StopPanics {
    type Service = Stopped<S>;

    fn layer(&self, inner: S) -> Stopped<S> {
        Stopped(inner)
    }
}

impl<S> Service<Request> for Stopped<S>
where
    S: Service<Request, Response: IntoResponse>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Stopping<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        Stopping { answer: caught(|| self.0.call(request)).ok() }
    }
}

pin_project_lite::pin_project! {
    /// The answer to come of a [`Stopped`] service; none where it panicked before there was one to wait for.
    pub(crate) struct Stopping<F> {
        #[pin]
        answer: Option<F>,
    }
}

impl<F, R, E> Future for Stopping<F>
where
    F: Future<Output = Result<R, E>>,
    R: IntoResponse,
{
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some(answer) = this.answer.as_pin_mut()
            && let Ok(answer) = caught(|| answer.poll(cx))
        {
            return Poll::Ready(Ok(ready!(answer)?.into_response()));
        }
        tracing::error!(request_id = request_id().as_ref().map(RequestId::as_str), "a handler panicked");
        Poll::Ready(Ok(internal_error().into_response()))
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::routing::get;
    use http::StatusCode;
    use tower::ServiceExt;

    use super::*;
    use crate::http::around;
    use crate::http::testing::{PAGE, app};

    async fn get_from(router: &Router, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let (head, body) = router.clone().oneshot(request).await.unwrap().into_parts();
        let body = to_bytes(body, 4096).await.unwrap();
        (head.status, String::from_utf8(body.to_vec()).unwrap())
    }

    // attack 119
    #[tokio::test]
    async fn a_panic_is_a_500_that_says_nothing_and_the_next_request_is_answered() {
        async fn at_once() {
            panic!("hunter2")
        }
        async fn later() {
            tokio::task::yield_now().await;
            panic!("hunter2")
        }
        let early =
            tower::service_fn(|_: Request| -> std::future::Ready<Result<Response, _>> { panic!("hunter2") });
        let router = Router::new()
            .route("/at-once", get(at_once))
            .route("/later", get(later))
            .route_service("/before-the-first-poll", early)
            .route("/fine", get(|| async {}))
            .layer(StopPanics);
        for path in ["/at-once", "/later", "/before-the-first-poll"] {
            let (status, body) = get_from(&router, path).await;
            assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
            assert!(body.contains("\"internal_error\"") && !body.contains("hunter2"), "{body}");
            assert_eq!(get_from(&router, "/fine").await.0, StatusCode::OK);
        }
    }

    // attack 66
    #[tokio::test]
    async fn its_500_carries_what_every_answer_carries() {
        async fn broken() {
            panic!("hunter2")
        }
        let (app, _folder) = app().await;
        let router =
            Router::new().route("/broken", get(broken)).layer(around(&app, app.cross_origin.clone()));
        let request = Request::get("/broken").header("origin", PAGE).header("x-request-id", "r-1");
        let answer = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in [
            ("x-request-id", "r-1"),
            ("x-content-type-options", "nosniff"),
            ("access-control-allow-origin", PAGE),
            ("access-control-allow-credentials", "true"),
            ("vary", "Origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("content-type", "application/problem+json"),
        ] {
            assert_eq!(
                answer.headers().get(name).map(|value| value.to_str().unwrap()),
                Some(value),
                "{name}"
            );
        }
    }
}
