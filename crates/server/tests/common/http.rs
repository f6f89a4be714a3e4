//! HTTP/1.1 as a browser's page speaks it, over a connection that is kept.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// What the servers are reached at, whichever ports they got: their tokens outlive a restart.
pub(crate) const PUBLIC_URL: &str = "http://localhost:8000";

/// No answer takes so long.
const LONG: Duration = Duration::from_secs(30);

/// What browsers reach: one server, or several that are one to them.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    addresses: Vec<String>,
    /// Whether it may say that it can't, now. Then nobody knows whether it has done what was asked.
    may_be_away: bool,
    /// How long the end of a session may be news to one of them.
    pub(crate) news_take: Duration,
}

/// Connections to the servers of a site, each opened anew when an answer has closed it. Requests go round.
pub(crate) struct Connection {
    site: Site,
    streams: Vec<Option<BufReader<TcpStream>>>,
    /// Which one had the last request.
    at: usize,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    /// The body as JSON, or null.
    pub(crate) body: Value,
}

/// What a browser and its page hold of a session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    /// Its id.
    pub(crate) id: String,
    pub(crate) access: String,
    pub(crate) csrf: String,
    pub(crate) cookies: BTreeMap<String, String>,
}

/// A request in the making.
pub(crate) struct Request<'a> {
    line: &'a str,
    headers: String,
    body: String,
}

impl Site {
    /// One server, which is there whenever it is asked.
    pub(crate) fn one(address: &str) -> Self {
        Self { addresses: vec![address.to_owned()], may_be_away: false, news_take: Duration::ZERO }
    }

    /// Several nodes, or what stands in front of them.
    pub(crate) fn many(addresses: Vec<String>) -> Self {
        Self { addresses, may_be_away: true, news_take: Duration::from_secs(1) }
    }
}

impl Connection {
    pub(crate) fn new(site: &Site) -> Self {
        let streams = site.addresses.iter().map(|_| None).collect();
        Self { site: site.clone(), streams, at: 0 }
    }

    /// Sends it and waits for the answer. Fails where the server is gone, or goes before it has answered, or can't.
    pub(crate) fn call(&mut self, request: &Request<'_>) -> io::Result<Answer> {
        let answer = self.send(request).and_then(|()| self.receive());
        match answer {
            Ok(answer) if self.site.may_be_away && answer.is_away() => {
                Err(io::Error::other(answer.body.to_string()))
            }
            Ok(answer) => Ok(answer),
            Err(error) => {
                self.streams[self.at] = None;
                Err(error)
            }
        }
    }

    /// Asks until the answer is this, for as long as news take.
    pub(crate) fn refused_in_time(
        &mut self,
        request: &Request<'_>,
        status: u16,
        code: &str,
    ) -> io::Result<()> {
        let asked = Instant::now();
        loop {
            let answer = self.call(request)?;
            if answer.status == status || asked.elapsed() > self.site.news_take {
                answer.refused(status, code);
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Sends it, waits until the answer begins to arrive, and hangs up: the server has done it, and nobody knows.
    pub(crate) fn call_and_hang_up(&mut self, request: &Request<'_>) -> io::Result<()> {
        self.send(request)?;
        let Some(mut stream) = self.streams[self.at].take() else { return Ok(()) };
        stream.read_exact(&mut [0])
    }

    pub(crate) fn send(&mut self, request: &Request<'_>) -> io::Result<()> {
        let text = format!(
            "{} HTTP/1.1\r\nHost: localhost:8000\r\nOrigin: {PUBLIC_URL}\r\nSec-Fetch-Site: same-origin\r\n{}\
             Content-Length: {}\r\n\r\n{}",
            request.line,
            request.headers,
            request.body.len(),
            request.body
        );
        self.turn()?;
        self.write(text.as_bytes())
    }

    /// Goes on to the next server that takes a connection.
    fn turn(&mut self) -> io::Result<()> {
        let mut result = Ok(());
        for _ in 0..self.streams.len() {
            self.at = (self.at + 1) % self.streams.len();
            result = self.stream().map(drop);
            if result.is_ok() {
                break;
            }
        }
        result
    }

    fn stream(&mut self) -> io::Result<&mut BufReader<TcpStream>> {
        match &mut self.streams[self.at] {
            Some(stream) => Ok(stream),
            none => {
                let stream = TcpStream::connect(&self.site.addresses[self.at])?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(LONG))?;
                Ok(none.insert(BufReader::new(stream)))
            }
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream()?.get_mut().write_all(bytes)
    }

    pub(crate) fn receive(&mut self) -> io::Result<Answer> {
        let gone = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let stream = self.streams[self.at].as_mut().ok_or_else(gone)?;
        let mut line = || {
            let mut line = String::new();
            stream.read_line(&mut line)?;
            line.strip_suffix("\r\n").map(str::to_owned).ok_or_else(gone)
        };
        let status = line()?.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let line = line()?;
            let Some((name, value)) = line.split_once(": ") else { break };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let mut answer = Answer { status, headers, body: Value::Null };
        let mut body = vec![0; answer.header("content-length").map_or(0, |length| length.parse().unwrap())];
        stream.read_exact(&mut body)?;
        answer.body = serde_json::from_slice(&body).unwrap_or_default();
        if answer.header("connection") == Some("close") {
            self.streams[self.at] = None;
        }
        Ok(answer)
    }
}

impl<'a> Request<'a> {
    pub(crate) fn new(line: &'a str) -> Self {
        Self { line, headers: String::new(), body: String::new() }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers += &[name, ": ", value, "\r\n"].concat();
        self
    }

    pub(crate) fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string();
        self.header("Content-Type", "application/json")
    }

    /// With all that the page and its browser hold.
    pub(crate) fn of(self, session: &Session) -> Self {
        let cookies: Vec<_> = session.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.header("Authorization", &format!("Bearer {}", session.access))
            .header("Cookie", &cookies.join("; "))
            .header("X-CSRFTOKEN", &session.csrf)
    }

    pub(crate) fn login(username: &str, password: &str) -> Self {
        let body = serde_json::json!({ "username": username, "password": password });
        Self::new("POST /accounts/login").json(&body)
    }

    pub(crate) fn refresh(session: &Session) -> Self {
        Self::new("POST /accounts/refresh_token").of(session)
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| &**value)
    }

    /// Whether it says that it can't now, as it has to: when to come back, and no cookie touched. What stands in front
    /// of nodes says so in its own words.
    fn is_away(&self) -> bool {
        if self.status == 503 && !self.body.is_null() {
            let code = self.body["code"].as_str().unwrap();
            assert!(["unavailable", "overloaded"].contains(&code), "{self:?}");
            assert!(self.header("retry-after").is_some() && self.header("set-cookie").is_none(), "{self:?}");
        }
        matches!(self.status, 502..=504)
    }

    /// Asserts the status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    /// Asserts a refusal, by its code.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{}", self.body);
    }
}

impl Session {
    /// The new one of a login or a change of password.
    #[track_caller]
    pub(crate) fn begun(answer: Answer) -> Self {
        Self::default().after(answer)
    }

    /// The session after an answer with tokens.
    #[track_caller]
    pub(crate) fn after(&self, answer: Answer) -> Self {
        let answer = answer.expect(200);
        let mut cookies = self.cookies.clone();
        for (name, value) in &answer.headers {
            let pair = value.split(';').next().and_then(|pair| pair.split_once('='));
            if let ("set-cookie", Some((name, value))) = (&**name, pair) {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let text = |name: &str| answer.body[name].as_str().unwrap().to_owned();
        let access = text("access_token");
        let id = claims(&access)["sid"].as_str().unwrap().to_owned();
        Self { id, access, csrf: text("csrf_token"), cookies }
    }

    /// Which generation its refresh token is of.
    pub(crate) fn generation(&self) -> i64 {
        claims(&self.cookies["refreshtoken"])["gen"].as_i64().unwrap()
    }
}

fn claims(token: &str) -> Value {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&claims).unwrap()
}
