//! Web origins, and who may call from which.
//!
//! An [`Origin`] is written exactly as a browser sends it, so that the check is one comparison of bytes: nothing in a
//! request is parsed, folded or matched by its ending. What a person may have meant otherwise is refused when the
//! configuration is read, with what to write instead.
//!
//! [`OriginPolicy::judge`] is the check against forged requests that goes before all others. Its rules, in order:
//!
//! 1. Only a *guarded* request is judged: one with an unsafe method, and `GET /accounts/csrf`.
//! 2. An `Origin` that is there decides alone: it is allowed, or the request is refused, whatever else it says. Two
//!    of them are none of ours; `null` is never allowed.
//! 3. Without one, a `Sec-Fetch-Site` other than `same-origin` or `none` is refused. (A browser that sends one
//!    sends the other; a `Referer` is never looked at, neither to excuse nor to refuse.)
//! 4. With neither, it is no browser, or an old one: the request goes on to the token checks.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The longest host name (RFC 1035), and the longest of its labels.
const HOST_MAX: usize = 253;
const LABEL_MAX: usize = 63;

/// An origin (RFC 6454): `scheme://host[:port]`, in the one spelling that browsers send.
///
/// Scheme and host are lower case, a default port is left out, an international name is in punycode, an IP address in
/// its canonical form. Apps have schemes of their own (`capacitor://localhost`, `tauri://localhost`, `app://-`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    text: String,
    scheme_len: usize,
    /// None where it is the scheme's own.
    port: Option<u16>,
}

/// Why a text is no origin, as a sentence that goes on from the name of the setting.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OriginError {
    /// It can be told what was meant.
    #[error("must be written exactly as a browser sends it: write `{0}`")]
    WriteInstead(Origin),
    /// It has a `*`.
    #[error("can't hold a wildcard: list each origin by itself, like `https://app.example.com`")]
    Wildcard,
    /// It is `null`, which every sandboxed frame and local file sends.
    #[error(
        "can't be `null`, which any page can send: serve the page from an origin of its own and list that"
    )]
    Null,
    /// It has no `scheme://`.
    #[error("has no scheme: write it like `https://app.example.com`")]
    NoScheme,
    /// Its host is missing or not one that a browser sends.
    #[error(
        "has no proper host: write it like `https://app.example.com`, an IPv6 address as `http://[::1]:8000`"
    )]
    BadHost,
    /// Its host has letters beyond ASCII.
    #[error(
        "has letters beyond ASCII in its host: write the host in punycode, like `https://xn--bcher-kva.example`"
    )]
    NotAscii,
    /// Its port is not a number from 1 to 65535.
    #[error("has a bad port: write a number from 1 to 65535 after the host, like `http://localhost:8000`")]
    BadPort,
    /// A public URL that is not on the web.
    #[error("must start with `https://`, or with `http://` on a loopback host")]
    NotWeb,
}

/// Where browsers reach this server: an `http` or `https` origin. It is also the tokens' `iss`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicUrl(Origin);

/// Which origins may call.
#[derive(Clone, Debug)]
pub struct OriginPolicy {
    /// The public URL's own, and what counts as it.
    own: Vec<Origin>,
    allowed: Vec<Origin>,
    native: Vec<Origin>,
}

/// What a request says about where it comes from.
#[derive(Clone, Copy, Debug)]
pub struct CrossSite<'a> {
    /// Whether the request is one that is judged: an unsafe method, or `GET /accounts/csrf`.
    pub guarded: bool,
    /// Its `Origin`.
    pub origin: Sent<'a>,
    /// Its `Sec-Fetch-Site`.
    pub fetch_site: Sent<'a>,
}

/// A header that should come once at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sent<'a> {
    /// It isn't there.
    Absent,
    /// Its one value, whatever its bytes.
    Once(&'a [u8]),
    /// It came more than once.
    Repeated,
}

/// The request comes from an origin that isn't allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("origin not allowed")]
pub struct OriginRefused;

impl OriginPolicy {
    /// The public URL's own origin is always allowed, native origins are allowed too.
    ///
    /// Where the public URL is `http://localhost:<port>`, `127.0.0.1` and `[::1]` at its port count as `localhost`.
    pub fn new(public: &PublicUrl, allowed: Vec<Origin>, native: Vec<Origin>) -> Self {
        let mut own = vec![public.origin().clone()];
        if !public.is_https() && public.host() == "localhost" {
            let port = public.origin().port;
            own.extend(["127.0.0.1", "[::1]"].map(|host| Origin::new("http", host, port)));
        }
        Self { own, allowed, native }
    }

    /// Whether this `Origin` header is one of ours, to the byte.
    pub fn is_allowed(&self, header: &[u8]) -> bool {
        self.own.iter().chain(&self.allowed).chain(&self.native).any(|origin| origin == header)
    }

    /// Whether this `Origin` header is an app's, which may have its tokens in the body.
    pub fn is_native(&self, header: &[u8]) -> bool {
        self.native.iter().any(|origin| origin == header)
    }

    /// Whether a request may go on, by the rules above.
    pub fn judge(&self, request: CrossSite<'_>) -> Result<(), OriginRefused> {
        let fine = match (request.guarded, request.origin, request.fetch_site) {
            (false, _, _) | (true, Sent::Absent, Sent::Absent) => true,
            (true, Sent::Once(origin), _) => self.is_allowed(origin),
            (true, Sent::Absent, Sent::Once(site)) => matches!(site, b"same-origin" | b"none"),
            (true, Sent::Repeated, _) | (true, Sent::Absent, Sent::Repeated) => false,
        };
        if fine { Ok(()) } else { Err(OriginRefused) }
    }
}

impl<'a> Sent<'a> {
    /// From all values of the header.
    pub fn of(values: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut values = values.into_iter();
        match (values.next(), values.next()) {
            (None, _) => Self::Absent,
            (Some(value), None) => Self::Once(value),
            (Some(_), Some(_)) => Self::Repeated,
        }
    }
}

impl Origin {
    /// Reads an origin of the configuration. Only the one spelling that browsers send is taken.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        if text.contains('*') {
            return Err(OriginError::Wildcard);
        }
        if text.trim().eq_ignore_ascii_case("null") {
            return Err(OriginError::Null);
        }
        let meant = Self::read(text.trim())?;
        if meant.text == text { Ok(meant) } else { Err(OriginError::WriteInstead(meant)) }
    }

    /// The origin that a person means by a URL: in lower case, without user, path, default port and final dot.
    pub(crate) fn read(url: &str) -> Result<Self, OriginError> {
        let (scheme, rest) = url.split_once("://").ok_or(OriginError::NoScheme)?;
        let scheme = scheme.to_ascii_lowercase();
        if !is_scheme(&scheme) {
            return Err(OriginError::NoScheme);
        }
        let authority = rest.split(['/', '\\', '?', '#']).next().unwrap_or_default();
        let after_user = authority.rsplit('@').next().unwrap_or_default();
        let (host, port) = match after_user.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(read_port(port)?)),
            _ => (after_user, None),
        };
        let host = read_host(host)?;
        Ok(Self::new(&scheme, &host, port.filter(|port| Some(*port) != default_port(&scheme))))
    }

    /// From canonical parts; the port only where it isn't the scheme's own.
    fn new(scheme: &str, host: &str, port: Option<u16>) -> Self {
        let text = match port {
            Some(port) => format!("{scheme}://{host}:{port}"),
            None => format!("{scheme}://{host}"),
        };
        Self { text, scheme_len: scheme.len(), port }
    }

    /// As it stands in the `Origin` header.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The scheme: `https`.
    pub fn scheme(&self) -> &str {
        &self.text[..self.scheme_len]
    }

    /// The host, an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        let host = &self.text[self.scheme_len + "://".len()..];
        match self.port {
            Some(_) => host.rsplit_once(':').map_or(host, |(host, _)| host),
            None => host,
        }
    }

    /// The port, if it isn't the scheme's own.
    pub const fn port(&self) -> Option<u16> {
        self.port
    }
}

impl PublicUrl {
    /// Reads the setting: an `http` or `https` origin, and nothing behind it.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let origin = Origin::parse(text)?;
        if matches!(origin.scheme(), "http" | "https") { Ok(Self(origin)) } else { Err(OriginError::NotWeb) }
    }

    /// `http://localhost:<port>`: where browsers on this machine reach a server without a name of its own.
    pub fn localhost(port: u16) -> Self {
        Self(Origin::new("http", "localhost", Some(port).filter(|port| Some(*port) != default_port("http"))))
    }

    /// As browsers spell it, without a final slash: the tokens' `iss`.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Its origin.
    pub const fn origin(&self) -> &Origin {
        &self.0
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &str {
        self.0.scheme()
    }

    /// Its host, an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        self.0.host()
    }

    /// Its port, the scheme's own if none is written.
    pub fn port(&self) -> u16 {
        self.0.port.or(default_port(self.scheme())).unwrap_or_default()
    }

    /// Whether browsers reach us by TLS.
    pub fn is_https(&self) -> bool {
        self.scheme() == "https"
    }

    /// Whether only this machine can reach us there: `localhost`, `*.localhost` (RFC 6761), 127.0.0.0/8, `::1`.
    pub fn is_loopback(&self) -> bool {
        let host = self.host();
        let ipv4 = || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
        host == "localhost" || host.ends_with(".localhost") || host == "[::1]" || ipv4()
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b))
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

fn read_port(text: &str) -> Result<u16, OriginError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let port = text.parse().ok().filter(|port| digits && *port != 0);
    port.ok_or(OriginError::BadPort)
}

/// The host as browsers spell it (WHATWG URL, "host serializing").
fn read_host(text: &str) -> Result<String, OriginError> {
    if !text.is_ascii() {
        return Err(OriginError::NotAscii);
    }
    if let Some(ip) = text.strip_prefix('[') {
        let ip = ip.strip_suffix(']').and_then(|ip| ip.parse::<Ipv6Addr>().ok());
        return ip.map(serialise_ipv6).ok_or(OriginError::BadHost);
    }
    let host = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    if host.len() > HOST_MAX || !host.split('.').all(is_label) {
        return Err(OriginError::BadHost);
    }
    // What ends in a number is an IPv4 address to browsers, in whatever form; only the usual one is taken here.
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x");
    if is_number && host.parse::<Ipv4Addr>().is_err() { Err(OriginError::BadHost) } else { Ok(host) }
}

fn is_label(label: &str) -> bool {
    (1..=LABEL_MAX).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b))
}

/// Browsers write an IPv4-mapped address in hexadecimal too, where Rust writes the IPv4 form.
fn serialise_ipv6(ip: Ipv6Addr) -> String {
    match (ip.to_ipv4_mapped(), ip.segments()) {
        (Some(_), [.., high, low]) => format!("[::ffff:{high:x}:{low:x}]"),
        (None, _) => format!("[{ip}]"),
    }
}

impl PartialEq<[u8]> for Origin {
    fn eq(&self, header: &[u8]) -> bool {
        self.text.as_bytes() == header
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn origin(text: &str) -> Origin {
        Origin::parse(text).unwrap()
    }

    fn public(text: &str) -> PublicUrl {
        PublicUrl::parse(text).unwrap()
    }

    /// A server at `https://auth.example.com` with one page on a sibling host and one app.
    fn policy() -> OriginPolicy {
        OriginPolicy::new(
            &public("https://auth.example.com"),
            vec![origin("https://app.example.com"), origin("http://localhost:3000")],
            vec![origin("capacitor://localhost")],
        )
    }

    fn judge(origin: Sent<'_>, fetch_site: Sent<'_>) -> Result<(), OriginRefused> {
        policy().judge(CrossSite { guarded: true, origin, fetch_site })
    }

    fn once(value: &str) -> Sent<'_> {
        Sent::Once(value.as_bytes())
    }

    /// What nobody may pass for an allowed origin.
    const FOREIGN: [&str; 36] = [
        "",
        " ",
        "null",
        "NULL",
        "*",
        "file://",
        "http://app.example.com",
        "https://app.example.com:443",
        "https://app.example.com:8443",
        "https://app.example.com.",
        "https://app.example.com/",
        "https://app.example.com\0",
        " https://app.example.com",
        "https://app.example.com ",
        "https://app.example.com,https://app.example.com",
        "https://app.example.com https://evil.example",
        "HTTPS://app.example.com",
        "https://APP.example.com",
        "https://app.example.com.evil.example",
        "https://app.example.evil",
        "https://app.example",
        "https://evilapp.example.com",
        "https://x.app.example.com",
        "https://example.com",
        "https://app.example.com@evil.example",
        "https://evil.example@app.example.com",
        "https://user:pw@app.example.com",
        "https://app.example.com%2eevil.example",
        "https://аpp.example.com",
        "https://[",
        "https://",
        "//app.example.com",
        "app.example.com",
        "http://localhost",
        "http://127.0.0.1:3000",
        "capacitor://localhost/",
    ];

    // attack 61
    #[test]
    fn an_origin_that_is_not_listed_to_the_byte_is_refused_whatever_else_is_sent() {
        for foreign in FOREIGN {
            for site in [Sent::Absent, once("same-origin"), once("none"), once("same-site"), Sent::Repeated] {
                assert_eq!(judge(once(foreign), site), Err(OriginRefused), "{foreign:?} with {site:?}");
            }
        }
    }

    // attack 61
    #[test]
    fn two_origins_are_refused_even_if_both_are_allowed() {
        let ours: &[u8] = b"https://app.example.com";
        assert_eq!(Sent::of([ours, ours]), Sent::Repeated);
        assert_eq!(judge(Sent::of([ours, ours]), once("same-origin")), Err(OriginRefused));
        assert_eq!(judge(Sent::of([ours]), Sent::Absent), Ok(()));
        assert_eq!(judge(Sent::of([]), Sent::Absent), Ok(()));
    }

    #[test]
    fn an_allowed_origin_goes_on_from_any_site() {
        for ours in [
            "https://auth.example.com",
            "https://app.example.com",
            "http://localhost:3000",
            "capacitor://localhost",
        ] {
            for site in [Sent::Absent, once("cross-site"), once("same-site"), once("rubbish"), Sent::Repeated]
            {
                assert_eq!(judge(once(ours), site), Ok(()), "{ours} with {site:?}");
            }
        }
    }

    // attack 62, attack 63: no `Referer` can excuse what these two headers say, since it isn't asked
    #[test]
    fn without_an_origin_the_fetch_site_decides() {
        for (site, verdict) in [
            (Sent::Absent, Ok(())),
            (once("same-origin"), Ok(())),
            (once("none"), Ok(())),
            (once("same-site"), Err(OriginRefused)),
            (once("cross-site"), Err(OriginRefused)),
            (once("Same-Origin"), Err(OriginRefused)),
            (once("same-origin "), Err(OriginRefused)),
            (once("same-origin, cross-site"), Err(OriginRefused)),
            (once(""), Err(OriginRefused)),
            (once("top-secret"), Err(OriginRefused)),
            (Sent::Once(b"\xff"), Err(OriginRefused)),
            (Sent::Repeated, Err(OriginRefused)),
        ] {
            assert_eq!(judge(Sent::Absent, site), verdict, "{site:?}");
        }
    }

    #[test]
    fn a_request_that_is_not_guarded_is_not_judged() {
        let request = CrossSite { guarded: false, origin: once("null"), fetch_site: once("cross-site") };
        assert_eq!(policy().judge(request), Ok(()));
    }

    // attack 64
    #[test]
    fn no_trick_makes_a_foreign_origin_allowed_for_cors() {
        for foreign in FOREIGN {
            assert!(!policy().is_allowed(foreign.as_bytes()), "{foreign:?}");
        }
        assert!(policy().is_allowed(b"https://app.example.com"));
    }

    #[test]
    fn only_native_origins_are_native() {
        assert!(policy().is_native(b"capacitor://localhost"));
        assert!(!policy().is_native(b"https://app.example.com"));
        assert!(!policy().is_native(b"https://auth.example.com"));
    }

    #[test]
    fn the_default_public_url_has_its_loopback_aliases() {
        let allowed = |url: &str, header: &str| {
            OriginPolicy::new(&public(url), vec![], vec![]).is_allowed(header.as_bytes())
        };
        for alias in ["http://localhost:8000", "http://127.0.0.1:8000", "http://[::1]:8000"] {
            assert!(allowed("http://localhost:8000", alias), "{alias}");
        }
        assert!(!allowed("http://localhost:8000", "http://127.0.0.1:8001"));
        assert!(!allowed("http://localhost:8000", "http://127.0.0.2:8000"));
        assert!(!allowed("http://localhost:8000", "https://127.0.0.1:8000"));
        assert!(allowed("http://localhost", "http://127.0.0.1"));
        assert!(!allowed("https://localhost:8000", "https://127.0.0.1:8000"));
        assert!(!allowed("http://127.0.0.1:8000", "http://localhost:8000"));
        assert!(!allowed("http://app.localhost:8000", "http://127.0.0.1:8000"));
    }

    #[test]
    fn origins_are_read_as_browsers_send_them() {
        for text in [
            "https://app.example.com",
            "http://localhost:3000",
            "http://localhost:443",
            "https://xn--bcher-kva.example",
            "https://under_score.example",
            "http://127.0.0.1:8000",
            "http://[::1]:8000",
            "http://[2001:db8::1]",
            "http://[::ffff:c000:207]",
            "capacitor://localhost",
            "tauri://localhost",
            "app://-",
            "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
            "https://1password.example",
        ] {
            assert_eq!(Origin::parse(text).map(|origin| origin.to_string()), Ok(text.to_owned()));
        }
    }

    // attack 64: what can't work, or allows more than it seems to, stops the start
    #[test]
    fn a_near_miss_in_the_configuration_is_told_what_to_write() {
        for (text, write) in [
            ("https://app.example.com/", "https://app.example.com"),
            ("https://app.example.com/login?next=/#top", "https://app.example.com"),
            ("https://app.example.com?x", "https://app.example.com"),
            ("https://app.example.com\\x", "https://app.example.com"),
            ("https://app.example.com:443", "https://app.example.com"),
            ("http://app.example.com:80/", "http://app.example.com"),
            ("http://app.example.com:08080", "http://app.example.com:8080"),
            ("HTTPS://App.Example.com", "https://app.example.com"),
            ("https://app.example.com.", "https://app.example.com"),
            ("https://user:secret@app.example.com", "https://app.example.com"),
            (" https://app.example.com\n", "https://app.example.com"),
            ("http://[0:0:0:0:0:0:0:1]:8000", "http://[::1]:8000"),
            ("http://[2001:DB8::1]", "http://[2001:db8::1]"),
            ("http://[::ffff:192.0.2.7]", "http://[::ffff:c000:207]"),
            ("capacitor://localhost/", "capacitor://localhost"),
        ] {
            assert_eq!(Origin::parse(text), Err(OriginError::WriteInstead(origin(write))), "{text}");
            assert!(Origin::parse(text).unwrap_err().to_string().ends_with(&format!("write `{write}`")));
        }
    }

    // attack 64
    #[test]
    fn what_is_no_origin_stops_the_start() {
        for (text, error) in [
            ("*", OriginError::Wildcard),
            ("https://*.example.com", OriginError::Wildcard),
            ("null", OriginError::Null),
            ("Null ", OriginError::Null),
            ("", OriginError::NoScheme),
            ("app.example.com", OriginError::NoScheme),
            ("localhost:3000", OriginError::NoScheme),
            ("//app.example.com", OriginError::NoScheme),
            ("://app.example.com", OriginError::NoScheme),
            ("1http://app.example.com", OriginError::NoScheme),
            ("file://", OriginError::BadHost),
            ("https://", OriginError::BadHost),
            ("https:///path", OriginError::BadHost),
            ("https://.", OriginError::BadHost),
            ("https://..", OriginError::BadHost),
            ("https://app..example.com", OriginError::BadHost),
            ("https://.example.com", OriginError::BadHost),
            ("https://app.example.com..", OriginError::BadHost),
            ("https://app example.com", OriginError::BadHost),
            ("https://app%2eexample.com", OriginError::BadHost),
            ("https://[", OriginError::BadHost),
            ("https://[::1", OriginError::BadHost),
            ("https://[::1]x", OriginError::BadHost),
            ("https://::1", OriginError::BadHost),
            ("http://127.1", OriginError::BadHost),
            ("http://0x7f.0.0.0x1", OriginError::BadHost),
            ("http://2130706433", OriginError::BadHost),
            ("http://1.2.3.256", OriginError::BadHost),
            ("https://bücher.example", OriginError::NotAscii),
            ("https://app.example.com:", OriginError::BadPort),
            ("https://app.example.com:0", OriginError::BadPort),
            ("https://app.example.com:65536", OriginError::BadPort),
            ("https://app.example.com:+443", OriginError::BadPort),
            ("https://app.example.com:https", OriginError::BadPort),
        ] {
            assert_eq!(Origin::parse(text), Err(error), "{text}");
        }
        let long = format!("https://{}.example", "a".repeat(64));
        assert_eq!(Origin::parse(&long), Err(OriginError::BadHost));
        let long = format!("https://{}example", "a.".repeat(124));
        assert_eq!(Origin::parse(&long), Err(OriginError::BadHost));
    }

    #[test]
    fn a_public_url_tells_its_parts() {
        let url = public("https://auth.example.com");
        assert_eq!((url.scheme(), url.host(), url.port()), ("https", "auth.example.com", 443));
        assert!(url.is_https() && !url.is_loopback());
        let url = public("http://[::1]:8000");
        assert_eq!((url.scheme(), url.host(), url.port()), ("http", "[::1]", 8000));
        assert_eq!(url.to_string(), "http://[::1]:8000");
        assert_eq!(public("http://localhost").port(), 80);
        assert_eq!(PublicUrl::localhost(80), public("http://localhost"));
        assert_eq!(PublicUrl::localhost(8000), public("http://localhost:8000"));
        assert_eq!(PublicUrl::parse("capacitor://localhost"), Err(OriginError::NotWeb));
        assert!(matches!(PublicUrl::parse("https://example.com/auth"), Err(OriginError::WriteInstead(_))));
    }

    #[test]
    fn only_what_stays_on_this_machine_is_loopback() {
        for host in ["localhost", "app.localhost", "127.0.0.1", "127.255.0.9", "[::1]"] {
            assert!(public(&format!("http://{host}:8000")).is_loopback(), "{host}");
        }
        for host in ["notlocalhost", "localhost.example", "128.0.0.1", "0.0.0.0", "[::]", "[::ffff:7f00:1]"] {
            assert!(!public(&format!("http://{host}:8000")).is_loopback(), "{host}");
        }
    }

    proptest! {
        // attack 61, attack 64
        #[test]
        fn arbitrary_bytes_are_allowed_only_if_they_are_listed(bytes: Vec<u8>) {
            prop_assert!(!policy().is_allowed(&bytes));
        }

        // attack 61, attack 64
        #[test]
        fn an_allowed_origin_with_anything_changed_is_another(
            at in 0..24_usize, drop in 0..3_usize, insert in prop::collection::vec(any::<u8>(), 0..3)
        ) {
            let ours = b"https://app.example.com".to_vec();
            let mut header = ours.clone();
            let at = at.min(header.len());
            let end = (at + drop).min(header.len());
            header.splice(at..end, insert);
            prop_assert_eq!(policy().is_allowed(&header), header == ours);
        }

        // attack 99
        #[test]
        fn any_text_is_read_or_refused(text: String) {
            if let Ok(origin) = Origin::parse(&text) {
                prop_assert_eq!(origin.as_str(), text);
            }
        }

        #[test]
        fn what_to_write_instead_is_an_origin(text in "[a-zA-Z+]{1,4}://[a-zA-Z0-9.:@/\\[\\]_-]{0,16}") {
            match Origin::parse(&text) {
                Ok(origin) => prop_assert_eq!(origin.as_str(), text),
                Err(OriginError::WriteInstead(meant)) => {
                    prop_assert_eq!(Origin::parse(meant.as_str()), Ok(meant.clone()));
                    let rebuilt = Origin::new(meant.scheme(), meant.host(), meant.port());
                    prop_assert_eq!(rebuilt, meant);
                }
                Err(_) => {}
            }
        }
    }
}
