//! Asking the running server, with the headers that a browser would send, and no more.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use rustls::crypto::aws_lc_rs;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Error, Timeout};

use crate::doctor::pair::Api;
use crate::text::escape;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest body that is read, in bytes.
const BODY_MAX: u64 = 1024 * 1024;

/// The longest piece of a stranger's text that is shown, in characters.
const SHOWN_MAX: usize = 200;

/// Asks an API.
pub(super) struct Asker {
    agent: Agent,
    api: Api,
    /// Whether this machine trusts any authority at all; a small container may not.
    trusts_someone: bool,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Why nothing came back.
#[derive(Debug)]
pub(super) enum Silence {
    /// Nobody listens there, or not in time.
    Nobody(String),
    /// Its certificate is not one that this machine trusts, or TLS failed otherwise.
    Untrusted(String),
    /// The same, where this machine has no authorities to trust.
    NoAuthorities,
    /// What came is no HTTP.
    NotHttp(String),
}

impl Asker {
    /// Trusts the certificates that this machine trusts, as its browsers do. Redirects are not followed, and no proxy
    /// is used.
    pub(super) fn new(api: &Api) -> Self {
        let trusted = rustls_native_certs::load_native_certs().certs;
        let trusted: Vec<_> = trusted.iter().map(|it| Certificate::from_der(it).to_owned()).collect();
        let trusts_someone = !trusted.is_empty();
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::from(trusted))
            .unversioned_rustls_crypto_provider(Arc::new(aws_lc_rs::default_provider()))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .proxy(None)
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .user_agent(concat!("countersign-doctor/", env!("CARGO_PKG_VERSION")));
        Self { agent: config.build().new_agent(), api: api.clone(), trusts_someone }
    }

    /// Sends a request with these headers, and with a body where the method has one.
    pub(super) fn ask(
        &self,
        method: &Method,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: &'static str,
    ) -> Result<Answer, Silence> {
        let mut request = Request::builder().method(method).uri(self.api.url(path));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let answer = match *method {
            Method::GET | Method::OPTIONS => self.agent.run(request.body(()).map_err(Error::from)?),
            _ => self.agent.run(request.body(body).map_err(Error::from)?),
        };
        let answer = answer.map_err(|error| match Silence::from(error) {
            Silence::Untrusted(_) if !self.trusts_someone => Silence::NoAuthorities,
            silence => silence,
        });
        let (parts, mut body) = answer?.into_parts();
        let body = match body.with_config().limit(BODY_MAX).read_to_vec() {
            // None of ours is so long.
            Err(Error::BodyExceedsLimit(_)) => Vec::new(),
            body => body?,
        };
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }
}

impl Answer {
    /// All values of a header, joined as a browser joins them.
    pub(super) fn header(&self, name: &HeaderName) -> Option<String> {
        let mut values = self.headers.get_all(name).iter().peekable();
        values.peek()?;
        let texts: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        Some(texts.join(", "))
    }

    /// The text at a place of a body of JSON, such as `/info/title`.
    pub(super) fn text(&self, pointer: &str) -> Option<String> {
        let body: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        body.pointer(pointer)?.as_str().map(str::to_owned)
    }

    /// The `code` of a problem of ours.
    pub(super) fn code(&self) -> Option<String> {
        self.text("/code")
    }

    pub(super) const fn is_redirect(&self) -> bool {
        matches!(self.status, 301..=303 | 307 | 308)
    }
}

/// A stranger's text, as it may stand in a sentence: short, and harmless to a terminal.
pub(super) fn shown(text: &str) -> String {
    let cut = if text.chars().count() > SHOWN_MAX { "…" } else { "" };
    escape(&text.chars().take(SHOWN_MAX).collect::<String>()) + cut
}

impl From<Error> for Silence {
    fn from(error: Error) -> Self {
        match error {
            Error::HostNotFound => Self::Nobody("there is no such host".into()),
            Error::ConnectionFailed => Self::Nobody("the connection failed".into()),
            Error::Timeout(Timeout::Resolve) => {
                Self::Nobody("its name could not be looked up in time".into())
            }
            Error::Timeout(_) => Self::Nobody("it didn't answer in time".into()),
            Error::Rustls(error) => Self::Untrusted(error.to_string()),
            Error::Tls(error) => Self::Untrusted(error.into()),
            Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                Self::Nobody("nobody listens there".into())
            }
            // rustls wraps its own in an `InvalidData`.
            Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
                Self::Untrusted(error.to_string())
            }
            Error::Io(error) => Self::Nobody(error.to_string()),
            error => Self::NotHttp(error.to_string()),
        }
    }
}
