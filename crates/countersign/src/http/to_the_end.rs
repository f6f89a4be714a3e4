//! Work that isn't given up halfway.
//!
//! When a client hangs up, its handler is dropped wherever it waits. One that ends sessions may be waiting for the store
//! then: the sessions end, but the log doesn't say so, and this node lets their access tokens through until it next
//! reads the news. So whatever ends sessions is carried out in a task of its own.

use countersign_verify::Problem;
use tracing::Instrument;

use super::error::Refusal;
use super::request_id::carry;

/// Carries this out, whether or not anyone waits for the answer.
pub(crate) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
) -> Result<T, Refusal> {
    match tokio::spawn(carry(work.in_current_span())).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is going down, and nobody gets an answer any more.
            Err(_) => Err(Problem::unavailable().into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Poll;
    use std::time::Duration;

    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::response::Response;
    use http::{Method, Request, StatusCode, header};
    use serde_json::{Value, json};
    use tower::ServiceExt;

    use crate::http::testing::{PASSWORD, USER, app};
    use crate::http::whole;

    /// No test gets here: it is how long a failing one takes.
    const LONG: Duration = Duration::from_secs(20);

    /// What a client holds after its login.
    struct SignedIn {
        access: String,
        csrf: String,
        cookies: String,
    }

    impl SignedIn {
        async fn new(router: &Router, password: &str) -> Self {
            let body = json!({ "username": USER, "password": password }).to_string();
            let request = Request::post("/accounts/login").header(header::CONTENT_TYPE, "application/json");
            let answer = router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
            let set =
                answer.headers().get_all(header::SET_COOKIE).iter().map(|value| value.to_str().unwrap());
            let cookies: Vec<_> =
                set.filter_map(|cookie| cookie.split(';').next()).map(String::from).collect();
            let body = json_of(answer).await;
            let text = |name: &str| body[name].as_str().unwrap().to_owned();
            Self { access: text("access_token"), csrf: text("csrf_token"), cookies: cookies.join("; ") }
        }

        fn request(&self, method: &Method, path: &str, body: &Value) -> Request<Body> {
            Request::builder()
                .method(method)
                .uri(path)
                .header(header::AUTHORIZATION, format!("Bearer {}", self.access))
                .header(header::CONTENT_TYPE, "application/json")
                .header(header::COOKIE, &self.cookies)
                .header("x-csrftoken", &self.csrf)
                .body(if body.is_null() { Body::empty() } else { Body::from(body.to_string()) })
                .unwrap()
        }

        async fn profile(&self, router: &Router) -> StatusCode {
            let request = self.request(&Method::GET, "/accounts/profile", &Value::Null);
            router.clone().oneshot(request).await.unwrap().status()
        }

        async fn own_session(&self, router: &Router) -> String {
            let request = self.request(&Method::GET, "/accounts/sessions", &Value::Null);
            let body = json_of(router.clone().oneshot(request).await.unwrap()).await;
            let session =
                body["sessions"].as_array().unwrap().iter().find(|session| session["current"] == true);
            session.unwrap()["id"].as_str().unwrap().to_owned()
        }
    }

    async fn json_of(answer: Response) -> Value {
        serde_json::from_slice(&to_bytes(answer.into_body(), 65536).await.unwrap()).unwrap()
    }

    /// Sends a request, and hangs up at once: the handler is dropped where it waits for the first time.
    async fn send_and_hang_up(router: &Router, request: Request<Body>) {
        let mut answer = pin!(router.clone().oneshot(request));
        let waits = std::future::poll_fn(|context| Poll::Ready(answer.as_mut().poll(context).is_pending()));
        assert!(waits.await);
    }

    // attack 34
    #[tokio::test]
    async fn what_ends_sessions_counts_here_even_if_its_client_hangs_up() {
        // There is no background, so nothing but the handler itself tells this node.
        let (app, _folder) = app().await;
        let router = whole(&app);
        let new = "an entirely different pass phrase";
        let change = json!({ "old_password": PASSWORD, "new_password": new });
        for (method, path, body) in [
            (Method::POST, "/accounts/logout", Value::Null),
            (Method::DELETE, "/accounts/sessions?all=true", Value::Null),
            (Method::DELETE, "/accounts/sessions/{own}", Value::Null),
            (Method::POST, "/accounts/password", change),
        ] {
            let client = SignedIn::new(&router, PASSWORD).await;
            let path = path.replace("{own}", &client.own_session(&router).await);
            // From here on its token is known, and no question to the store could find out.
            assert_eq!(client.profile(&router).await, StatusCode::OK);
            send_and_hang_up(&router, client.request(&method, &path, &body)).await;
            let ended = async {
                while client.profile(&router).await != StatusCode::UNAUTHORIZED {
                    // A profile waits for nothing, and what ends the session has its turn on this thread too.
                    tokio::task::yield_now().await;
                }
            };
            assert!(tokio::time::timeout(LONG, ended).await.is_ok(), "{path}");
        }
        SignedIn::new(&router, new).await;
    }
}
