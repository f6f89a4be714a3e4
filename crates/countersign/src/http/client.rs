//! Who is at the other end: the peer, or the one for whom a proxy of ours speaks.
//!
//! A header is only as good as whoever wrote it. The rules, in order:
//!
//! 1. A peer that isn't listed in `trusted_proxies` is the client, whatever its headers say.
//! 2. A listed one names its own peer last, so the names are walked from the right: each listed address vouches for
//!    the name before it, and the first one that isn't listed is the client.
//! 3. What is no address (`unknown`, `_hidden`, rubbish) ends the walk at the last good one: a client gets no network
//!    of its own by sending it.
//! 4. `Forwarded` (RFC 7239) and `X-Forwarded-For` are both taken, but where they name different clients neither
//!    counts, and the peer it is: a proxy writes one of them and hands on the other as the client sent it.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{ConnectInfo, FromRef, FromRequestParts};
use countersign_core::Client;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use ipnet::IpNet;

use crate::settings::Settings;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client of a request, as an extractor.
///
/// The peer's address comes from axum's `ConnectInfo<SocketAddr>`; without that there is no address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ClientOf(pub Client);

/// The networks whose word is taken, as the state of [`ClientOf`]. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct TrustedProxies(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    networks: Vec<IpNet>,
    /// Whether it has been said, once per process, what these headers are missing.
    warned_of_stranger: AtomicBool,
    warned_of_contradiction: AtomicBool,
}

impl TrustedProxies {
    /// Those of these settings.
    pub(crate) fn new(settings: &Settings) -> Self {
        Self(Arc::new(Inner {
            networks: settings.trusted_proxies.clone(),
            warned_of_stranger: AtomicBool::new(false),
            warned_of_contradiction: AtomicBool::new(false),
        }))
    }

    /// The client behind a peer.
    pub(crate) fn client(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Client {
        let address = peer.map(|peer| self.behind(peer.to_canonical(), headers));
        let user_agent = headers.get(header::USER_AGENT);
        let user_agent = user_agent.map(|value| String::from_utf8_lossy(value.as_bytes()));
        Client::new(address, user_agent.as_deref())
    }

    fn behind(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let forwarded = headers.contains_key(header::FORWARDED);
        let x_forwarded_for = headers.contains_key(X_FORWARDED_FOR);
        if (forwarded || x_forwarded_for) && !self.trusts(peer) {
            self.warn_of_stranger(peer);
            return peer;
        }
        let by_x_forwarded_for = || self.walk(peer, names_of_x_forwarded_for(headers));
        let by_forwarded = || self.walk(peer, names_of_forwarded(headers));
        match (x_forwarded_for, forwarded) {
            (false, false) => peer,
            (true, false) => by_x_forwarded_for(),
            (false, true) => by_forwarded(),
            (true, true) if by_x_forwarded_for() == by_forwarded() => by_forwarded(),
            (true, true) => {
                self.warn_of_contradiction(peer);
                peer
            }
        }
    }

    /// Walks the names, the last one first; `None` is one that can't be read.
    fn walk(&self, peer: IpAddr, names: impl Iterator<Item = Option<IpAddr>>) -> IpAddr {
        let mut client = peer;
        for name in names {
            match name {
                Some(address) if self.trusts(client) => client = address,
                _ => break,
            }
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.networks.iter().any(|network| network.contains(&address))
    }

    fn warn_of_stranger(&self, peer: IpAddr) {
        if !self.0.warned_of_stranger.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                %peer,
                "a forwarding header came from an address that is not in trusted_proxies, and is not believed; if this \
                 is your proxy, list it, or all users behind it share one network and each other's failed logins"
            );
        }
    }

    fn warn_of_contradiction(&self, peer: IpAddr) {
        if !self.0.warned_of_contradiction.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                %peer,
                "a proxy sent Forwarded and X-Forwarded-For that name different clients, and neither is believed; let \
                 it remove the one that it doesn't write itself"
            );
        }
    }
}

/// The addresses of `X-Forwarded-For`, from the right.
fn names_of_x_forwarded_for(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let lines = headers.get_all(X_FORWARDED_FOR).into_iter().rev().map(HeaderValue::as_bytes);
    lines.flat_map(|line| line.rsplit(|&byte| byte == b',')).map(|name| address(name.trim_ascii()))
}

/// The addresses of `Forwarded`, from the right. A line that breaks the grammar counts as one that can't be read.
fn names_of_forwarded(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let lines = headers.get_all(header::FORWARDED).into_iter().rev().map(HeaderValue::as_bytes);
    lines.flat_map(|line| {
        let names = forwarded_elements(line).unwrap_or_else(|| vec![None]);
        names.into_iter().rev()
    })
}

/// What each element of a line says in `for=`.
///
/// From the left, since a comma may stand in quotes. So an unclosed quote spoils the whole line, with what a proxy
/// added behind it; the walk then ends before the line, never at an address of the client's choice.
fn forwarded_elements(line: &[u8]) -> Option<Vec<Option<IpAddr>>> {
    let mut elements = Vec::new();
    for element in split_outside_quotes(line, b',')? {
        let mut named = None;
        for pair in split_outside_quotes(element, b';')? {
            let pair = pair.trim_ascii();
            if pair.is_empty() {
                continue;
            }
            let equals = pair.iter().position(|&byte| byte == b'=')?;
            let (name, value) = pair.split_at_checked(equals)?;
            if name.eq_ignore_ascii_case(b"for") && named.replace(unquoted(value.get(1..)?)).is_some() {
                return None;
            }
        }
        elements.push(named.flatten().and_then(address));
    }
    Some(elements)
}

/// `None` where a quote isn't closed.
fn split_outside_quotes(text: &[u8], separator: u8) -> Option<Vec<&[u8]>> {
    let mut quoted = false;
    let mut escaped = false;
    let parts = text
        .split(|&byte| {
            let inside = quoted;
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                _ => {}
            }
            byte == separator && !inside
        })
        .collect();
    if quoted { None } else { Some(parts) }
}

/// A value without its quotes. An address has nothing that must be escaped, so an escape makes it none.
fn unquoted(value: &[u8]) -> Option<&[u8]> {
    let inner = match value.strip_prefix(b"\"") {
        Some(rest) => rest.strip_suffix(b"\"")?,
        None => value,
    };
    if inner.contains(&b'"') { None } else { Some(inner) }
}

/// An address, with a port or without: `192.0.2.7`, `192.0.2.7:80`, `2001:db8::7`, `[2001:db8::7]`, `[2001:db8::7]:80`.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let bare = || text.parse::<IpAddr>().ok();
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare().or_else(bracketed).or_else(with_port).map(|address| address.to_canonical())
}

impl<S> FromRequestParts<S> for ClientOf
where
    S: Send + Sync,
    TrustedProxies: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
        Ok(Self(TrustedProxies::from_ref(state).client(peer, &parts.headers)))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use proptest::prelude::*;

    use super::*;
    use crate::http::testing::settings_at;

    const PROXY: &str = "10.0.0.1";

    fn proxies() -> TrustedProxies {
        let mut settings = settings_at("https://auth.example.com");
        settings.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap(), "2001:db8:ffff::/48".parse().unwrap()];
        TrustedProxies::new(&settings)
    }

    fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
        let value = |text: &str| HeaderValue::from_bytes(text.as_bytes()).unwrap();
        lines.iter().map(|(name, text)| (name.clone(), value(text))).collect()
    }

    fn behind(peer: &str, lines: &[(HeaderName, &str)]) -> String {
        let client = proxies().client(Some(peer.parse().unwrap()), &headers(lines));
        client.ip.unwrap().to_string()
    }

    fn x_forwarded_for(text: &str) -> String {
        behind(PROXY, &[(X_FORWARDED_FOR, text)])
    }

    fn forwarded(text: &str) -> String {
        behind(PROXY, &[(header::FORWARDED, text)])
    }

    // attack 83
    #[test]
    fn a_stranger_s_headers_change_nothing() {
        for (name, text) in [
            (X_FORWARDED_FOR, "198.51.100.9"),
            (header::FORWARDED, "for=198.51.100.9"),
            (X_FORWARDED_FOR, PROXY),
        ] {
            assert_eq!(behind("192.0.2.7", &[(name, text)]), "192.0.2.7");
        }
        let real_ip = HeaderName::from_static("x-real-ip");
        assert_eq!(behind(PROXY, &[(real_ip, "198.51.100.9")]), PROXY);
        assert_eq!(behind(PROXY, &[]), PROXY);
    }

    // attack 83
    #[test]
    fn the_walk_goes_from_the_right_to_the_first_address_that_is_not_listed() {
        assert_eq!(x_forwarded_for("192.0.2.7"), "192.0.2.7");
        assert_eq!(x_forwarded_for("198.51.100.9, 192.0.2.7"), "192.0.2.7");
        assert_eq!(x_forwarded_for("198.51.100.9, 192.0.2.7,10.1.1.1 ,10.2.2.2"), "192.0.2.7");
        assert_eq!(x_forwarded_for("10.1.1.1, 10.2.2.2"), "10.1.1.1");
        assert_eq!(forwarded("for=198.51.100.9, for=192.0.2.7;proto=https, for=10.2.2.2"), "192.0.2.7");
        let lines = [(X_FORWARDED_FOR, "198.51.100.9, 192.0.2.7"), (X_FORWARDED_FOR, "10.2.2.2")];
        assert_eq!(behind(PROXY, &lines), "192.0.2.7");
        let lines = [(header::FORWARDED, "for=192.0.2.7"), (header::FORWARDED, "for=10.2.2.2")];
        assert_eq!(behind(PROXY, &lines), "192.0.2.7");
    }

    // attack 83
    #[test]
    fn what_is_no_address_ends_the_walk_at_the_last_good_one() {
        for rubbish in [
            "",
            " ",
            "unknown",
            "_hidden",
            "localhost",
            "192.0.2",
            "192.0.2.256",
            "010.0.0.1",
            "192.0.2.7:port",
            "192.0.2.7:65536",
            "[192.0.2.7]",
            "[::1",
            "::1]",
            "fe80::1%eth0",
            "192.0.2.7 192.0.2.8",
            "ä",
            "0x7f000001",
        ] {
            assert_eq!(x_forwarded_for(rubbish), PROXY, "{rubbish}");
            assert_eq!(x_forwarded_for(&format!("192.0.2.7, {rubbish}, 10.2.2.2")), "10.2.2.2", "{rubbish}");
            assert_eq!(forwarded(&format!("for=\"{rubbish}\"")), PROXY, "{rubbish}");
            assert_eq!(forwarded(&format!("for=192.0.2.7, for=\"{rubbish}\", for=10.2.2.2")), "10.2.2.2");
        }
    }

    // attack 84
    #[test]
    fn every_spelling_of_an_address_is_read() {
        for (text, address) in [
            ("192.0.2.7:4711", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("[::ffff:c000:207]:80", "192.0.2.7"),
            ("2001:DB8:0:0::7", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:4711", "2001:db8::7"),
        ] {
            assert_eq!(x_forwarded_for(text), address);
            assert_eq!(forwarded(&format!("For=\"{text}\"")), address);
        }
        assert_eq!(behind("::ffff:10.0.0.1", &[(X_FORWARDED_FOR, "192.0.2.7")]), "192.0.2.7");
        assert_eq!(behind("2001:db8:ffff::1", &[(X_FORWARDED_FOR, "2001:db8::7")]), "2001:db8::7");
    }

    #[test]
    fn forwarded_is_read_by_its_grammar() {
        for text in [
            "for=192.0.2.7",
            "FOR=\"192.0.2.7\"",
            ";for=192.0.2.7 ;",
            "proto=https;for=192.0.2.7;by=203.0.113.43",
            "host=\"a,b;for=198.51.100.9\";for=192.0.2.7",
            "by=\"\\\",for=198.51.100.9\" ; for=192.0.2.7",
        ] {
            assert_eq!(forwarded(text), "192.0.2.7", "{text}");
        }
    }

    // attack 83: what a client sends must not swallow, or pass for, what the proxy adds behind it
    #[test]
    fn a_line_that_breaks_the_grammar_names_nobody() {
        for text in [
            "for=\"198.51.100.9, for=192.0.2.7",
            "for=198.51.100.9;x=\", for=\"192.0.2.7\"",
            "for=\"198.51.100.9\"x",
            "for=\"198.51.100.9\\\"",
            "for=198.51.100.9;for=192.0.2.7",
            "for",
            "198.51.100.9",
            "for =198.51.100.9",
            "x=198.51.100.9",
            "",
        ] {
            assert_eq!(forwarded(text), PROXY, "{text}");
        }
        let lines = [(header::FORWARDED, "for=\"198.51.100.9"), (header::FORWARDED, "for=192.0.2.7")];
        assert_eq!(behind(PROXY, &lines), "192.0.2.7");
    }

    // attack 83: nginx hands on a client's `Forwarded`, while it writes the other header itself
    #[test]
    fn two_headers_that_name_different_clients_name_nobody() {
        let both =
            |x: &str, forwarded: &str| behind(PROXY, &[(X_FORWARDED_FOR, x), (header::FORWARDED, forwarded)]);
        assert_eq!(both("192.0.2.7", "for=198.51.100.9"), PROXY);
        assert_eq!(both("198.51.100.9", "for=192.0.2.7"), PROXY);
        assert_eq!(both("192.0.2.7", "rubbish"), PROXY);
        assert_eq!(both("192.0.2.7", "for=\"192.0.2.7:80\""), "192.0.2.7");
        assert_eq!(both("192.0.2.7, 10.2.2.2", "for=192.0.2.7"), "192.0.2.7");
    }

    #[test]
    fn it_is_warned_once_per_process() {
        let proxies = proxies();
        let headers = headers(&[(X_FORWARDED_FOR, "198.51.100.9")]);
        let warned = || proxies.0.warned_of_stranger.load(Ordering::Relaxed);
        proxies.client(Some(PROXY.parse().unwrap()), &headers);
        assert!(!warned());
        for _ in 0..2 {
            proxies.clone().client(Some("192.0.2.7".parse().unwrap()), &headers);
            assert!(warned());
        }
    }

    #[tokio::test]
    async fn the_extractor_takes_the_peer_of_the_connection() {
        let request = || {
            let request =
                Request::builder().header(X_FORWARDED_FOR, "192.0.2.7").header("user-agent", "curl/8");
            request.body(()).unwrap().into_parts().0
        };
        let mut parts = request();
        parts.extensions.insert(ConnectInfo(SocketAddr::new(PROXY.parse().unwrap(), 4711)));
        let ClientOf(client) = ClientOf::from_request_parts(&mut parts, &proxies()).await.unwrap();
        assert_eq!(client, Client::new(Some("192.0.2.7".parse().unwrap()), Some("curl/8")));
        let ClientOf(client) = ClientOf::from_request_parts(&mut request(), &proxies()).await.unwrap();
        assert_eq!(client, Client::new(None, Some("curl/8")));
    }

    proptest! {
        // attack 83, attack 99
        #[test]
        fn whatever_a_client_sends_the_address_that_the_proxy_adds_is_taken_or_the_proxy_s(sent in "[ -~]{0,40}") {
            prop_assert_eq!(x_forwarded_for(&format!("{sent}, 192.0.2.7")), "192.0.2.7");
            for added in ["for=192.0.2.7", "for=\"192.0.2.7:80\""] {
                let client = forwarded(&format!("{sent}, {added}"));
                prop_assert!(matches!(&*client, "192.0.2.7" | PROXY), "{}", client);
            }
        }

        // attack 83
        #[test]
        fn no_quoting_lets_a_client_choose_its_address(sent in "[\",;=\\\\]{0,8}(for=)?[\",;\\\\]{0,3}198\\.51\\.100\\.9[\",;=\\\\x]{0,8}") {
            for added in ["for=192.0.2.7", "for=\"192.0.2.7:80\"", "by=\"x\";for=\"192.0.2.7\";proto=https"] {
                let client = forwarded(&format!("{sent}, {added}"));
                prop_assert!(matches!(&*client, "192.0.2.7" | PROXY), "{}", client);
            }
        }
    }
}
