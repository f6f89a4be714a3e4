//! `countersign healthcheck`: asks the server that runs with the same settings how it is. For a container that holds the
//! program and nothing else: no shell, no curl.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ureq::Agent;

use crate::config::Config;
use crate::outcome::{Failure, say};

/// How long an answer is waited for: less than Docker and Kubernetes give a check.
const PATIENCE: Duration = Duration::from_secs(4);

/// What is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Question {
    /// Whether the process lives.
    Lives,
    /// Whether it can serve: its database answers, and the news of ended sessions are fresh.
    IsReady,
}

/// Asks, and fails where the answer isn't yes.
pub(crate) fn run(config: &Config, question: Question) -> Result<(), Failure> {
    let path = match question {
        Question::Lives => "/healthz",
        Question::IsReady => "/readyz",
    };
    let url = format!("http://{}{path}", reachable(config.program.listen));
    let agent: Agent = Agent::config_builder()
        .proxy(None)
        .max_redirects(0)
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .build()
        .into();
    match agent.get(&url).call() {
        Ok(answer) if answer.status() == 200 => {
            say(&format!("{url}: well"));
            Ok(())
        }
        Ok(answer) => Err(Failure::Refused(format!("{url} answered {}", answer.status()))),
        Err(error) => Err(Failure::Refused(format!("{url}: {error}"))),
    }
}

/// Where a server that listens here is reached from its own machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_all_addresses_is_asked_on_this_machine() {
        for (listen, asked) in
            [("0.0.0.0:8000", "127.0.0.1:8000"), ("[::]:80", "[::1]:80"), ("10.1.2.3:8000", "10.1.2.3:8000")]
        {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), asked);
        }
    }
}
