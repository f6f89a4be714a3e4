//! What is asked of each server, and what the right answer is.
//!
//! One trait, one implementation for each way to speak: the same clients (see `clients`) drive all of them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::http::Answer;

/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// What a client holds of a session. What a server doesn't give stays empty.
#[derive(Clone, Default, Debug)]
pub(crate) struct Session {
    pub(crate) user: String,
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) csrf: String,
}

/// How a server is spoken to.
pub(crate) trait Api: Send + Sync {
    /// Writes a login's request.
    fn login(&self, user: &str, password: &str, request: &mut Vec<u8>);
    /// Reads a login's answer.
    fn logged_in(&self, user: &str, answer: &Answer<'_>) -> Result<Session, String>;
    /// Writes a request for the user's profile.
    fn profile(&self, session: &Session, request: &mut Vec<u8>);
    /// Writes a refresh's request.
    fn refresh(&self, session: &Session, request: &mut Vec<u8>);
    /// Reads a refresh's answer: the session has new tokens.
    fn refreshed(&self, session: &mut Session, answer: &Answer<'_>) -> Result<(), String>;

    /// Whether this is the profile of the session's user.
    fn is_profile(&self, session: &Session, answer: &Answer<'_>) -> Result<(), String> {
        let name = session.user.as_bytes();
        // Quoted, so that user-1 isn't taken for user-10.
        let quoted = |window: &[u8]| {
            window.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) == Some(name)
        };
        if answer.status == 200 && answer.body.windows(name.len() + 2).any(quoted) {
            return Ok(());
        }
        Err(format!("no profile of {}: {}", session.user, answer.told()))
    }
}

/// Countersign, and the article's design, which has the same routes.
pub(crate) struct Accounts {
    /// Whether a refresh makes a new refresh token.
    pub(crate) rotates: bool,
}

/// SimpleJWT behind Django REST framework: all tokens in bodies.
pub(crate) struct SimpleJwt;

/// The Fastify service of `peers/fastify`: the access token in the body, the refresh token in a cookie.
pub(crate) struct Fastify;

/// better-auth: one session cookie, looked up at each request; there is nothing to refresh.
pub(crate) struct BetterAuth;

/// Bare servers of `floors`, which answer whoever asks.
pub(crate) struct Bare;

impl Api for Accounts {
    fn login(&self, user: &str, password: &str, request: &mut Vec<u8>) {
        post(request, "/accounts/login", "", &json(&[("username", user), ("password", password)]));
    }

    fn logged_in(&self, user: &str, answer: &Answer<'_>) -> Result<Session, String> {
        let body = ok(answer)?;
        let cookie = answer.cookie("refreshtoken").ok_or("no refresh cookie")?;
        let csrf = answer.cookie("csrftoken").ok_or("no CSRF cookie")?;
        Ok(Session {
            user: user.to_owned(),
            access: member(&body, "access_token")?,
            refresh: cookie.to_owned(),
            csrf: csrf.to_owned(),
        })
    }

    fn profile(&self, session: &Session, request: &mut Vec<u8>) {
        get(request, "/accounts/profile", &[("Authorization: Bearer ", &session.access)]);
    }

    fn refresh(&self, session: &Session, request: &mut Vec<u8>) {
        let Session { refresh, csrf, .. } = session;
        let headers = format!("X-CSRFTOKEN: {csrf}\r\nCookie: refreshtoken={refresh}; csrftoken={csrf}\r\n");
        post(request, "/accounts/refresh_token", &headers, "");
    }

    fn refreshed(&self, session: &mut Session, answer: &Answer<'_>) -> Result<(), String> {
        let body = ok(answer)?;
        session.access = member(&body, "access_token")?;
        if self.rotates {
            let next = answer.cookie("refreshtoken").ok_or("no refresh cookie")?;
            let (before, after) = (claim(&session.refresh, "gen")?, claim(next, "gen")?);
            if before.as_i64().zip(after.as_i64()).is_none_or(|(before, after)| after != before + 1) {
                return Err(format!("generation {before} was followed by {after}"));
            }
            next.clone_into(&mut session.refresh);
        }
        Ok(())
    }
}

impl Api for SimpleJwt {
    fn login(&self, user: &str, password: &str, request: &mut Vec<u8>) {
        post(request, "/api/token/", "", &json(&[("username", user), ("password", password)]));
    }

    fn logged_in(&self, user: &str, answer: &Answer<'_>) -> Result<Session, String> {
        let body = ok(answer)?;
        let (access, refresh) = (member(&body, "access")?, member(&body, "refresh")?);
        Ok(Session { user: user.to_owned(), access, refresh, csrf: String::new() })
    }

    fn profile(&self, session: &Session, request: &mut Vec<u8>) {
        get(request, "/api/profile/", &[("Authorization: Bearer ", &session.access)]);
    }

    fn refresh(&self, session: &Session, request: &mut Vec<u8>) {
        post(request, "/api/token/refresh/", "", &json(&[("refresh", &session.refresh)]));
    }

    fn refreshed(&self, session: &mut Session, answer: &Answer<'_>) -> Result<(), String> {
        let body = ok(answer)?;
        let next = member(&body, "refresh")?;
        if claim(&next, "jti")? == claim(&session.refresh, "jti")? {
            return Err("the refresh token did not rotate".to_owned());
        }
        session.refresh = next;
        session.access = member(&body, "access")?;
        Ok(())
    }
}

impl Api for Fastify {
    fn login(&self, user: &str, password: &str, request: &mut Vec<u8>) {
        post(request, "/login", "", &json(&[("username", user), ("password", password)]));
    }

    fn logged_in(&self, user: &str, answer: &Answer<'_>) -> Result<Session, String> {
        let access = member(&ok(answer)?, "access_token")?;
        let refresh = answer.cookie("refresh").ok_or("no refresh cookie")?.to_owned();
        Ok(Session { user: user.to_owned(), access, refresh, csrf: String::new() })
    }

    fn profile(&self, session: &Session, request: &mut Vec<u8>) {
        get(request, "/profile", &[("Authorization: Bearer ", &session.access)]);
    }

    fn refresh(&self, session: &Session, request: &mut Vec<u8>) {
        post(request, "/refresh", &format!("Cookie: refresh={}\r\n", session.refresh), "");
    }

    fn refreshed(&self, session: &mut Session, answer: &Answer<'_>) -> Result<(), String> {
        session.access = member(&ok(answer)?, "access_token")?;
        let next = answer.cookie("refresh").ok_or("no refresh cookie")?;
        let (before, after) = (claim(&session.refresh, "gen")?, claim(next, "gen")?);
        if before.as_i64().zip(after.as_i64()).is_none_or(|(before, after)| after != before + 1) {
            return Err(format!("generation {before} was followed by {after}"));
        }
        next.clone_into(&mut session.refresh);
        Ok(())
    }
}

const BETTER_AUTH_COOKIE: &str = "better-auth.session_token";

impl Api for BetterAuth {
    fn login(&self, user: &str, password: &str, request: &mut Vec<u8>) {
        let email = format!("{user}@example.com");
        let body = json(&[("email", &email), ("password", password)]);
        // It refuses sign-ins without an origin of its own.
        post(request, "/api/auth/sign-in/email", "Origin: http://localhost\r\n", &body);
    }

    fn logged_in(&self, user: &str, answer: &Answer<'_>) -> Result<Session, String> {
        ok(answer)?;
        let cookie = answer.cookie(BETTER_AUTH_COOKIE).ok_or("no session cookie")?.to_owned();
        Ok(Session { user: user.to_owned(), access: cookie, ..Session::default() })
    }

    fn profile(&self, session: &Session, request: &mut Vec<u8>) {
        get(request, "/api/auth/get-session", &[("Cookie: better-auth.session_token=", &session.access)]);
    }

    fn refresh(&self, session: &Session, request: &mut Vec<u8>) {
        self.profile(session, request);
    }

    fn refreshed(&self, session: &mut Session, answer: &Answer<'_>) -> Result<(), String> {
        self.is_profile(session, answer)
    }
}

impl Api for Bare {
    fn login(&self, _: &str, _: &str, request: &mut Vec<u8>) {
        get(request, "/", &[]);
    }

    fn logged_in(&self, user: &str, answer: &Answer<'_>) -> Result<Session, String> {
        ok(answer).map(|_| Session { user: user.to_owned(), ..Session::default() })
    }

    fn profile(&self, session: &Session, request: &mut Vec<u8>) {
        get(request, "/accounts/profile", &[("Authorization: Bearer ", &session.access)]);
    }

    fn refresh(&self, session: &Session, request: &mut Vec<u8>) {
        self.profile(session, request);
    }

    fn refreshed(&self, session: &mut Session, answer: &Answer<'_>) -> Result<(), String> {
        self.is_profile(session, answer)
    }

    fn is_profile(&self, _: &Session, answer: &Answer<'_>) -> Result<(), String> {
        ok_bytes(answer, b"{\"user\":{\"id\":")
    }
}

const HOST: &str = "Host: localhost\r\nUser-Agent: bench\r\nAccept: application/json\r\n";

/// A `GET` with headers whose names come with their colon.
fn get(request: &mut Vec<u8>, path: &str, headers: &[(&str, &str)]) {
    for part in ["GET ", path, " HTTP/1.1\r\n", HOST] {
        request.extend_from_slice(part.as_bytes());
    }
    for (name, value) in headers {
        for part in [name, value, "\r\n"] {
            request.extend_from_slice(part.as_bytes());
        }
    }
    request.extend_from_slice(b"\r\n");
}

fn post(request: &mut Vec<u8>, path: &str, headers: &str, body: &str) {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    let length = body.len();
    let text = format!("POST {path} HTTP/1.1\r\n{HOST}{headers}{kind}Content-Length: {length}\r\n\r\n{body}");
    request.extend_from_slice(text.as_bytes());
}

fn json(members: &[(&str, &str)]) -> String {
    let members = members.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value)));
    Value::Object(members.collect()).to_string()
}

/// The body of a good answer.
fn ok(answer: &Answer<'_>) -> Result<Value, String> {
    if answer.status != 200 {
        return Err(answer.told());
    }
    serde_json::from_slice(answer.body).map_err(|_| answer.told())
}

fn ok_bytes(answer: &Answer<'_>, start: &[u8]) -> Result<(), String> {
    if answer.status == 200 && answer.body.starts_with(start) { Ok(()) } else { Err(answer.told()) }
}

fn member(body: &Value, name: &str) -> Result<String, String> {
    let text = body.get(name).and_then(Value::as_str);
    text.map(String::from).ok_or_else(|| format!("no {name} in the answer"))
}

/// A claim of a token, unverified: the loader only wants to know whether it moved on.
fn claim(token: &str, name: &str) -> Result<Value, String> {
    let claims = token.split('.').nth(1).and_then(|claims| URL_SAFE_NO_PAD.decode(claims).ok());
    let claims: Option<Value> = claims.and_then(|claims| serde_json::from_slice(&claims).ok());
    claims.and_then(|claims| claims.get(name).cloned()).ok_or_else(|| format!("the token has no {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_the_right_users_alone() {
        let api = Accounts { rotates: true };
        let session = Session { user: "user-1".into(), ..Session::default() };
        let says = |status, body: &str| {
            let answer = Answer::new(status, "HTTP/1.1 200 OK\r\n\r\n", body.as_bytes());
            api.is_profile(&session, &answer).is_ok()
        };
        assert!(says(200, r#"{"user":{"username":"user-1"}}"#));
        assert!(!says(200, r#"{"user":{"username":"user-10"}}"#));
        assert!(!says(401, r#"{"user":{"username":"user-1"}}"#));
    }

    #[test]
    fn a_refresh_that_does_not_rotate_is_an_error() {
        let token =
            |generation| format!("h.{}.s", URL_SAFE_NO_PAD.encode(format!("{{\"gen\":{generation}}}")));
        let refresh = |next: &str| {
            let mut session = Session { refresh: token(4), ..Session::default() };
            let head = format!("HTTP/1.1 200 OK\r\nSet-Cookie: refreshtoken={next}; Path=/\r\n\r\n");
            let answer = Answer::new(200, &head, br#"{"access_token": "a"}"#);
            Accounts { rotates: true }.refreshed(&mut session, &answer).map(|()| session.refresh)
        };
        assert_eq!(refresh(&token(5)), Ok(token(5)));
        assert_eq!(refresh(&token(4)), Err("generation 4 was followed by 4".into()));
        assert!(refresh("nothing").is_err());
    }
}
