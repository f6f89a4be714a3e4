//! A whole Countersign with its admin site, on a real SQLite file with a clock that we turn, and people with browsers.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::DirBuilder;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::Poll;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use countersign::Countersign;
use countersign::builder::DATABASE_FILE;
use countersign::core::{Clock, Timestamp};
use countersign::service::User;
use countersign::service::password::Password;
use countersign::service::users::UserToCreate;
use countersign::settings::Settings;
use countersign_admin::AdminSite;
use http::{HeaderMap, Method, Request, StatusCode, header};
use rusqlite::Connection;
use tempfile::TempDir;
use tower::ServiceExt;

/// Where the site is.
pub(crate) const OWN: &str = "http://localhost:8000";
/// A browser app that may call the API, and nothing here.
pub(crate) const APP: &str = "https://app.example.com";
/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A clock that tests turn.
pub(crate) struct HandClock(AtomicI64);

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// A server.
pub(crate) struct Site {
    pub(crate) clock: Arc<HandClock>,
    pub(crate) countersign: Countersign,
    pub(crate) router: Router,
    directory: TempDir,
}

/// What every site starts from: made once, since passwords take long to hash.
static TEMPLATE: LazyLock<TempDir> = LazyLock::new(|| {
    let make = async {
        let directory = tempfile::tempdir().unwrap();
        let builder = Countersign::builder().data_dir(directory.path().join("data")).beside_a_server();
        let countersign = builder.clock(clock()).build().await.unwrap();
        for (name, is_superuser) in [("root", true), ("helper", false), ("ana", false)] {
            let new = UserToCreate {
                username: name.to_owned(),
                email: format!("{name}@example.com"),
                password: Password::new(PASSWORD).unwrap(),
                is_superuser,
                fields: serde_json::Map::new(),
            };
            countersign.service().create_user(new).await.unwrap();
        }
        countersign.shutdown().await;
        let database = Connection::open(directory.path().join("data").join(DATABASE_FILE)).unwrap();
        database.execute("UPDATE users SET is_staff = 1 WHERE username = 'helper'", []).unwrap();
        database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        directory
    };
    std::thread::spawn(|| tokio::runtime::Runtime::new().unwrap().block_on(make)).join().unwrap()
});

fn clock() -> Arc<HandClock> {
    Arc::new(HandClock(AtomicI64::new(1_795_000_000_000)))
}

impl Site {
    /// With `root`, a superuser, `helper`, who is staff without rights, and `ana`, a user like others.
    pub(crate) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    /// The same, with other settings.
    pub(crate) async fn with(change: impl FnOnce(&mut Settings) + Send + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        DirBuilder::new().mode(0o700).create(&data).unwrap();
        for file in std::fs::read_dir(TEMPLATE.path().join("data")).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), data.join(file.file_name())).unwrap();
        }
        Self::open(directory, change).await
    }

    /// With nobody.
    pub(crate) async fn empty() -> Self {
        Self::empty_with(|_| ()).await
    }

    /// The same, with other settings.
    pub(crate) async fn empty_with(change: impl FnOnce(&mut Settings) + Send + 'static) -> Self {
        Self::open(tempfile::tempdir().unwrap(), change).await
    }

    async fn open(directory: TempDir, change: impl FnOnce(&mut Settings) + Send + 'static) -> Self {
        let clock = clock();
        let countersign = Countersign::builder()
            .data_dir(directory.path().join("data"))
            .allowed_origin(APP)
            .unwrap()
            .configure(|settings| settings.hashing_threads = 2)
            .configure(change)
            .clock(clock.clone())
            .build()
            .await
            .unwrap();
        let router = countersign.whole().merge(AdminSite::new().router(&countersign));
        Self { clock, countersign, router, directory }
    }

    pub(crate) fn turn(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    /// The database itself, for what no page can do or show.
    pub(crate) fn database(&self) -> Connection {
        Connection::open(self.data().join(DATABASE_FILE)).unwrap()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// How many passwords have been hashed since the start.
    pub(crate) fn hashes(&self) -> u64 {
        let metrics = self.countersign.service().render_metrics();
        let count = metrics.lines().find_map(|line| line.strip_prefix("countersign_hashing_hashes "));
        count.unwrap().parse().unwrap()
    }

    pub(crate) async fn user(&self, name: &str) -> User {
        self.countersign.service().find_user(name).await.unwrap()
    }

    /// Ana's id.
    pub(crate) fn ana(&self) -> i64 {
        self.id_of("ana")
    }

    fn id_of(&self, name: &str) -> i64 {
        self.database()
            .query_row("SELECT id FROM users WHERE username_key = $1", [name], |row| row.get(0))
            .unwrap()
    }

    /// A group `shop` (1) with a permission of its own, and a session of Ana's.
    pub(crate) fn fill(&self) {
        let now = self.clock.now().millis();
        let database = self.database();
        database
            .execute_batch(
                "INSERT INTO permissions (name, description, built_in) VALUES ('shop.see', 'See the shop', 0);
                INSERT INTO groups (id, name, name_key) VALUES (1, 'shop', 'shop');
                INSERT INTO group_permissions (group_id, permission_id) SELECT 1, id FROM permissions WHERE name = 'shop.see';",
            )
            .unwrap();
        let insert = "INSERT INTO sessions (id, user_id, delivery, remember, created_at, ends_at, generation,
            rotated_at, refresh_expires_at, ip, user_agent, replay_keys)
            VALUES ($1, $2, 'cookie', 1, $3, $4, 1, $3, $4, '198.51.100.7', 'Browser/1', x'')";
        let id = countersign::core::SessionId::new(self.clock.now(), [7; 10]);
        database.execute(insert, (id.as_bytes(), self.ana(), now, now + 3_600_000)).unwrap();
    }

    pub(crate) fn session_of_ana(&self) -> String {
        let id = "SELECT id FROM sessions WHERE user_id = $1";
        let id = self.database().query_row(id, [self.ana()], |row| row.get(0)).unwrap();
        countersign::core::SessionId::from_bytes(id).to_string()
    }

    /// Gives rights directly, past the site.
    pub(crate) fn give(&self, name: &str, rights: &[countersign::core::BuiltIn]) {
        for right in rights {
            let insert = "INSERT INTO user_permissions (user_id, permission_id)
                SELECT $1, id FROM permissions WHERE name = $2";
            self.database().execute(insert, (self.id_of(name), right.as_str())).unwrap();
        }
    }

    pub(crate) fn take_all(&self, name: &str) {
        self.database()
            .execute("DELETE FROM user_permissions WHERE user_id = $1", [self.id_of(name)])
            .unwrap();
    }

    /// What a user may do, directly and through groups.
    pub(crate) fn rights_of(&self, name: &str) -> Vec<String> {
        let query = "SELECT name FROM permissions WHERE id IN (
                SELECT permission_id FROM user_permissions WHERE user_id = $1
                UNION SELECT permission_id FROM group_permissions JOIN user_groups USING (group_id) WHERE user_id = $1
            ) ORDER BY name";
        let database = self.database();
        let mut statement = database.prepare(query).unwrap();
        let rows = statement.query_map([self.id_of(name)], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    /// Everything that a form could change, as one text.
    pub(crate) fn state(&self) -> String {
        let database = self.database();
        let tables = [
            "SELECT id, username, email, first_name, last_name, is_active, is_staff, is_superuser, password FROM users",
            "SELECT user_id, permission_id FROM user_permissions",
            "SELECT user_id, group_id FROM user_groups",
            "SELECT id, name FROM groups",
            "SELECT group_id, permission_id FROM group_permissions",
            "SELECT name FROM permissions",
            "SELECT hex(id), ended_at FROM sessions",
            "SELECT kid FROM signing_keys",
        ];
        let mut text = String::new();
        for query in tables {
            let mut statement = database.prepare(query).unwrap();
            let columns = statement.column_count();
            let mut rows = statement.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                for column in 0..columns {
                    let value: rusqlite::types::Value = row.get(column).unwrap();
                    write!(text, "{value:?} ").unwrap();
                }
                text.push('\n');
            }
        }
        text
    }

    /// More users.
    pub(crate) fn crowd(&self, many: u32) {
        let database = self.database();
        for n in 0..many {
            let insert = "INSERT INTO users (username, username_key, email, email_key, first_name, last_name, password,
                password_cost, is_active, is_staff, is_superuser, joined_at, fields)
                VALUES ($1, $1, '', '', '', '', '!', 'none', 1, 0, 0, $2, '{}')";
            database.execute(insert, (format!("crowd-{n:03}"), n)).unwrap();
        }
    }

    /// Writes this into everything that somebody else may write, past all checks.
    pub(crate) fn vandalise(&self, text: &str) {
        let database = self.database();
        let update =
            "UPDATE users SET username = $1, email = $1, first_name = $1, last_name = $1 WHERE id = $2";
        database.execute(update, (text, self.ana())).unwrap();
        database.execute("UPDATE sessions SET user_agent = $1", [text]).unwrap();
        database.execute("UPDATE groups SET name = $1", [text]).unwrap();
        database.execute("UPDATE permissions SET description = $1 WHERE built_in = 0", [text]).unwrap();
        let detail = serde_json::json!({ "username": text }).to_string();
        let insert = "INSERT INTO audit (at, kind, user_id, detail) VALUES ($1, 'user_created', $2, $3)";
        database.execute(insert, (self.clock.now().millis(), self.ana(), detail)).unwrap();
    }

    /// Somebody with a browser.
    pub(crate) fn browser(&self) -> Browser<'_> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, OWN.parse().unwrap());
        headers.insert("sec-fetch-site", "same-origin".parse().unwrap());
        let address = "192.0.2.1:40000".parse().unwrap();
        Browser { site: self, headers, jar: BTreeMap::new(), csrf: String::new(), address }
    }

    /// Somebody with a session that the database has, without the sign-in that takes so long.
    pub(crate) async fn planted(&self, name: &str) -> Browser<'_> {
        let token = format!("the-token-of-{name}-planted-for-this-test");
        let insert = "INSERT INTO admin_sessions (id, user_id, created_at, used_at, proved_at) VALUES ($1, $2, $3, $3, $3)";
        let id = countersign::core::admin::AdminSessionId::of(token.as_bytes());
        let now = self.clock.now().millis();
        self.database().execute(insert, (id.as_bytes(), self.id_of(name), now)).unwrap();
        let mut browser = self.browser();
        browser.jar.insert("countersign_admin".into(), token);
        browser.get("/admin/").await;
        browser
    }

    /// Somebody who is signed in here.
    pub(crate) async fn signed_in(&self, name: &str) -> Browser<'_> {
        let mut browser = self.browser();
        browser.sign_in(name, PASSWORD).await.leads_to("/admin/");
        browser.get("/admin/").await.expect(StatusCode::OK);
        browser
    }
}

/// A browser: it keeps cookies, and the CSRF token of the last page that had one.
#[derive(Clone)]
pub(crate) struct Browser<'s> {
    pub(crate) site: &'s Site,
    pub(crate) headers: HeaderMap,
    pub(crate) jar: BTreeMap<String, String>,
    pub(crate) csrf: String,
    pub(crate) address: SocketAddr,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Browser<'_> {
    /// The same one, elsewhere.
    pub(crate) fn at(mut self, ip: &str) -> Self {
        self.address = SocketAddr::new(ip.parse().unwrap(), 40000);
        self
    }

    /// The same one, on a page of another origin, or of none.
    pub(crate) fn from(mut self, origin: Option<&str>, fetch_site: Option<&str>) -> Self {
        self.headers.clear();
        if let Some(origin) = origin {
            self.headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        if let Some(site) = fetch_site {
            self.headers.insert("sec-fetch-site", site.parse().unwrap());
        }
        self
    }

    pub(crate) async fn sign_in(&mut self, username: &str, password: &str) -> Page {
        self.send_form("/admin/sign-in", &[("username", username), ("password", password)]).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Page {
        self.request(Method::GET, path, Body::empty()).await
    }

    /// Sends a form of a page, with its CSRF token.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let csrf = self.csrf.clone();
        self.send_form(path, &[&[("csrf", &*csrf)], fields].concat()).await
    }

    /// Sends these fields and no others.
    pub(crate) async fn send_form(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.request(Method::POST, path, Body::from(form)).await
    }

    pub(crate) async fn request(&mut self, method: Method, path: &str, body: Body) -> Page {
        let mut request = Request::builder().method(method.clone()).uri(path);
        if method == Method::POST {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        let cookies: Vec<_> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        let mut request = request.extension(ConnectInfo(self.address)).body(body).unwrap();
        request.headers_mut().extend(self.headers.clone());
        let answer = self.site.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        for set in parts.headers.get_all(header::SET_COOKIE) {
            let set = set.to_str().unwrap();
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            if set.contains("Max-Age=0") {
                self.jar.remove(name);
            } else {
                self.jar.insert(name.to_owned(), value.to_owned());
            }
        }
        let text = String::from_utf8(to_bytes(body, 1 << 24).await.unwrap().to_vec()).unwrap();
        if let Some(csrf) = text.split("name=\"csrf\" value=\"").nth(1) {
            self.csrf = csrf.chars().take_while(|char| *char != '"').collect();
        }
        Page { status: parts.status, headers: parts.headers, text }
    }
}

impl Page {
    #[track_caller]
    pub(crate) fn expect(self, status: StatusCode) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    #[track_caller]
    pub(crate) fn leads_to(self, path: &str) -> Self {
        assert_eq!((self.status, self.header("location")), (StatusCode::SEE_OTHER, path), "{}", self.text);
        self
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.text.contains(text), "no {text} in {}", self.text);
        self
    }

    #[track_caller]
    pub(crate) fn says_nothing_of(self, text: &str) -> Self {
        assert!(!self.text.contains(text), "{text} in {}", self.text);
        self
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Carries out all of this at the same time.
pub(crate) async fn together<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut open: Vec<_> = futures.into_iter().map(Box::pin).map(Some).collect();
    let mut done: Vec<Option<F::Output>> = open.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, done) in open.iter_mut().zip(&mut done) {
            if let Some(Poll::Ready(output)) = future.as_mut().map(|future| future.as_mut().poll(context)) {
                *done = Some(output);
                *future = None;
            }
        }
        if open.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done.into_iter().map(Option::unwrap).collect()
}
