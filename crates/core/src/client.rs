//! Who is at the other end, as far as a connection tells.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// The longest part of a `User-Agent` that is kept, in characters.
const USER_AGENT_MAX: usize = 256;

/// The client of a request: where from, and what it calls itself. Neither is proof of anything.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Client {
    /// The address, as the configured proxies tell it; none for the command line.
    pub ip: Option<IpAddr>,
    /// The first 256 characters of the `User-Agent`, without control characters.
    pub user_agent: Option<String>,
}

/// A client's network: an IPv4 address, or the /64 of an IPv6 address, which is what one household gets.
///
/// All spellings of one address are one network; an IPv4-mapped IPv6 address is the IPv4 address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Network(IpAddr);

impl Client {
    /// A client at this address, with this `User-Agent`.
    pub fn new(ip: Option<IpAddr>, user_agent: Option<&str>) -> Self {
        let clean = |text: &str| text.chars().filter(|c| !c.is_control()).take(USER_AGENT_MAX).collect();
        Self { ip: ip.map(|ip| ip.to_canonical()), user_agent: user_agent.map(clean) }
    }

    /// The network that this client is counted with; clients without an address share one.
    pub fn network(&self) -> Network {
        Network::of(self.ip.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED)))
    }

    /// Whether both the network and the user agent differ: a sign that two parties hold one session.
    pub fn differs_from(&self, other: &Self) -> bool {
        self.network() != other.network() && self.user_agent != other.user_agent
    }
}

impl Network {
    /// The network of an address.
    pub fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self(IpAddr::V4(ip)),
            IpAddr::V6(ip) => Self(IpAddr::V6(Ipv6Addr::from(u128::from(ip) & !u128::from(u64::MAX)))),
        }
    }
}

/// As people write it: `192.0.2.7`, `2001:db8::/64`.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(ip) => ip.fmt(f),
            IpAddr::V6(ip) => write!(f, "{ip}/64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(ip: &str) -> Network {
        Network::of(ip.parse().unwrap())
    }

    // attack 84
    #[test]
    fn all_spellings_of_an_address_are_one_network() {
        assert_eq!(network("::ffff:192.0.2.7"), network("192.0.2.7"));
        assert_eq!(network("2001:db8::1"), network("2001:0db8:0:0:ffff:ffff:ffff:ffff"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_ne!(network("192.0.2.7"), network("192.0.2.8"));
    }

    #[test]
    fn a_user_agent_is_kept_short_and_without_control_characters() {
        let client = Client::new(None, Some(&format!("a\r\n\u{1b}[31m{}", "x".repeat(1000))));
        let kept = client.user_agent.unwrap();
        assert_eq!(kept.chars().count(), 256);
        assert!(kept.starts_with("a[31mxxx"));
    }
}
