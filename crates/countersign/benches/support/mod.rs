//! What both kinds of benchmarks run: a whole Countersign on a real SQLite file, one user, and their requests.

#![allow(unreachable_pub, reason = "a module of programs")]
#![allow(dead_code, reason = "each program uses a part of it")]

pub mod sessions;
pub mod tokens;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use countersign::Countersign;
use countersign::core::{Clock, Seconds, Timestamp};
use countersign::service::password::Password;
use countersign::service::users::UserToCreate;
use http::{Method, Request, Response, StatusCode, header};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tower_service::Service;

const PASSWORD: &str = "correct horse battery staple";

/// A server whose handlers run in the thread that asks.
pub struct Server {
    pub runtime: Runtime,
    router: Router,
    _folder: TempDir,
}

/// A clock that stands, so that the news of ended sessions stay fresh, however slow the machine.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_795_000_000)
    }
}

/// What a client holds after its login.
#[derive(Clone)]
pub struct Client {
    access: String,
    csrf: String,
    cookies: String,
}

impl Server {
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let router = runtime.block_on(async {
            let builder = Countersign::builder().data_dir(folder.path().join("data"));
            let builder =
                builder.clock(Arc::new(Still)).configure(|settings| settings.rotation_grace = Seconds(0));
            let countersign = builder.build().await.unwrap();
            let user = UserToCreate {
                username: "alice".to_owned(),
                email: "alice@example.com".to_owned(),
                password: Password::new(PASSWORD).unwrap(),
                is_superuser: false,
                fields: serde_json::Map::new(),
            };
            countersign.service().create_user(user).await.unwrap();
            countersign.whole()
        });
        Self { runtime, router, _folder: folder }
    }

    /// Sends a request, and waits for the whole answer.
    pub fn send(&mut self, request: Request<Body>) -> Response<Vec<u8>> {
        let Self { runtime, router, .. } = self;
        runtime.block_on(async {
            let Ok(answer) = router.call(request).await;
            let (head, body) = answer.into_parts();
            let body = to_bytes(body, 65_536).await.unwrap();
            Response::from_parts(head, body.into())
        })
    }

    /// Moves the client's session one generation on.
    pub fn refresh(&mut self, client: &Client) -> Client {
        Client::of(&self.send(client.refresh()))
    }

    pub fn log_in(&mut self) -> Client {
        let body = json!({ "username": "alice", "password": PASSWORD });
        let request = request(Method::POST, "/accounts/login");
        let answer = self
            .send(request.header("content-type", "application/json").body(body.to_string().into()).unwrap());
        Client::of(&answer)
    }
}

impl Client {
    pub fn of(answer: &Response<Vec<u8>>) -> Self {
        assert_eq!(answer.status(), StatusCode::OK, "{}", String::from_utf8_lossy(answer.body()));
        let cookies = answer.headers().get_all(header::SET_COOKIE).iter();
        let cookies: Vec<&str> =
            cookies.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap()).collect();
        let body: Value = serde_json::from_slice(answer.body()).unwrap();
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap().to_owned();
        Self { access: text("access_token"), csrf: text("csrf_token"), cookies: cookies.join("; ") }
    }

    pub fn profile(&self) -> Request<Body> {
        let request = request(Method::GET, "/accounts/profile");
        request.header("authorization", format!("Bearer {}", self.access)).body(Body::empty()).unwrap()
    }

    pub fn refresh(&self) -> Request<Body> {
        let request = request(Method::POST, "/accounts/refresh_token");
        request.header("cookie", &self.cookies).header("x-csrftoken", &self.csrf).body(Body::empty()).unwrap()
    }
}

fn request(method: Method, path: &str) -> http::request::Builder {
    let peer = ConnectInfo(SocketAddr::from((Ipv4Addr::LOCALHOST, 50_000)));
    Request::builder().method(method).uri(path).header("host", "localhost:8000").extension(peer)
}
