//! Where the database is and how it is reached: a `postgres://` URL, read once.
//!
//! It is what `libpq` takes, with `sslmode` and `sslrootcert` meaning what they mean there, and `pool_size` besides.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use super::tls::{Tls, Trust};

/// Connections that a node keeps at most, where the URL says nothing of it. More than a few a core of the database make
/// it slower, and its own limit (100, as it comes) is shared by all nodes.
const POOL_SIZE: usize = 16;
/// More than any database takes.
const POOL_SIZE_MAX: usize = 1000;

/// How long one host may take to answer a knock, to shake hands and to let us in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long what was sent may stay unacknowledged until a connection counts as lost.
const USER_TIMEOUT: Duration = Duration::from_secs(10);
const KEEPALIVES_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVES_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVES_RETRIES: u32 = 3;

/// A PostgreSQL database, as its URL names it. Neither `Debug` nor `Display` shows the password.
#[derive(Clone)]
pub struct Config {
    /// One for each host, in the order in which they are tried.
    hosts: Vec<tokio_postgres::Config>,
    ssl: SslChoice,
    pool_size: usize,
    prepares: bool,
    shown: String,
}

/// `sslmode`, and what `sslrootcert` names.
#[derive(Clone, PartialEq, Eq, Debug)]
struct SslChoice {
    mode: Mode,
    root: Option<Root>,
}

/// `sslmode`, as libpq knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Root {
    /// The authorities that this machine trusts.
    System,
    File(PathBuf),
}

/// Why a text names no database: a clause that never shows the text, which may hold a password.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConfigError {
    /// It isn't written like one.
    #[error(
        "is no PostgreSQL URL; write postgres://USER:PASSWORD@HOST:5432/DATABASE, with % for what is special in the \
         password"
    )]
    NotAUrl,
    /// It names no host.
    #[error(
        "names no host; write postgres://USER@HOST/DATABASE, or ?host=/var/run/postgresql for a Unix socket"
    )]
    NoHost,
    /// A parameter has a value that it can't have.
    #[error("has a parameter {0} whose value is not known; {1}")]
    Value(&'static str, &'static str),
    /// A parameter that isn't known, or whose value isn't.
    #[error("has parameters that can't be used: {0}")]
    Parameter(String),
}

impl Config {
    /// How many connections a node keeps at most.
    pub fn pool_size(&self) -> usize {
        self.pool_size
    }

    /// Whether the connection proves that it is to the right server, or can't be listened to.
    pub fn is_verified(&self) -> bool {
        self.ssl.mode == Mode::VerifyFull || self.hosts.iter().all(is_local)
    }

    /// Whether the server may know statements by name: not behind a pooler in transaction mode.
    pub(super) const fn prepares(&self) -> bool {
        self.prepares
    }

    pub(super) fn hosts(&self) -> &[tokio_postgres::Config] {
        &self.hosts
    }

    /// What speaks TLS as `sslmode` asks for it.
    pub(super) fn tls(&self) -> Result<Tls, rustls::Error> {
        let trust = match (self.ssl.mode, &self.ssl.root) {
            (Mode::Disable | Mode::Prefer, _) | (Mode::Require, None) => Trust::Anyone,
            // As libpq does: whoever names an authority wants it asked.
            (Mode::Require | Mode::VerifyCa, Some(Root::File(file))) => {
                Trust::Authority(file.as_path().into())
            }
            (Mode::Require | Mode::VerifyCa, Some(Root::System) | None) => Trust::AuthorityAndName(None),
            (Mode::VerifyFull, root) => Trust::AuthorityAndName(root.as_ref().and_then(Root::file)),
        };
        Tls::new(&trust)
    }
}

impl FromStr for Config {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let scheme = text.starts_with("postgres://") || text.starts_with("postgresql://");
        if !scheme || text.contains(['\0', '\n']) {
            return Err(ConfigError::NotAUrl);
        }
        let (address, query) = text.split_once('?').unwrap_or((text, ""));
        // A question mark that belongs to a password: what follows it must not be taken for names, and told.
        if query.contains('@') {
            return Err(ConfigError::NotAUrl);
        }
        let (mut mode, mut root, mut pool_size, mut prepares) = (None, None, POOL_SIZE, false);
        let mut passed_on = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or(ConfigError::NotAUrl)?;
            let value = || percent_decode_str(value).decode_utf8().map_err(|_| ConfigError::NotAUrl);
            match name {
                "sslmode" => mode = Some(Mode::parse(&value()?)?),
                "sslrootcert" => root = Some(Root::parse(&value()?)),
                "pool_size" => pool_size = parse_pool_size(&value()?)?,
                "prepared_statements" => prepares = parse_switch(&value()?)?,
                _ => passed_on.push(pair),
            }
        }
        let url = format!("{address}?{}", passed_on.join("&"));
        // Whatever it says is about names and forms; it never repeats a password.
        let refused = |error: tokio_postgres::Error| match error.into_source() {
            Some(source) if !passed_on.is_empty() => ConfigError::Parameter(source.to_string()),
            _ => ConfigError::NotAUrl,
        };
        let parsed = tokio_postgres::Config::from_str(&url).map_err(refused)?;
        let given = |name: &str| passed_on.iter().any(|pair| pair.split('=').next() == Some(name));
        let mode = mode.unwrap_or(if root.is_some() { Mode::VerifyFull } else { Mode::Prefer });
        let asks_less = matches!(mode, Mode::Require) && root == Some(Root::System)
            || mode == Mode::VerifyCa && !matches!(root, Some(Root::File(_)));
        if asks_less {
            let public = "write verify-full: with the machine's authorities, anyone's public certificate would do for \
                less; or name your own authority with sslrootcert=FILE";
            return Err(ConfigError::Value("sslmode", public));
        }
        let hosts = hosts(&parsed, mode, given)?;
        let shown = shown(&hosts, &parsed);
        Ok(Self { hosts, ssl: SslChoice { mode, root }, pool_size, prepares, shown })
    }
}

/// One configuration for each host: with a limit on all of a connection's making, a host that is there and doesn't
/// answer can't keep us from the next.
fn hosts(
    parsed: &tokio_postgres::Config,
    mode: Mode,
    given: impl Fn(&str) -> bool,
) -> Result<Vec<tokio_postgres::Config>, ConfigError> {
    let ports = parsed.get_ports();
    if parsed.get_hosts().is_empty() {
        return Err(ConfigError::NoHost);
    }
    if given("hostaddr") {
        return Err(ConfigError::Parameter("hostaddr (write the address as the host)".to_owned()));
    }
    if ports.len() > 1 && ports.len() != parsed.get_hosts().len() {
        return Err(ConfigError::Parameter("port (one for each host, or one for all)".to_owned()));
    }
    let of = |(index, host): (usize, &Host)| {
        let mut config = tokio_postgres::Config::new();
        match host {
            Host::Tcp(name) => config.host(name).ssl_mode(mode.on_the_wire()),
            #[cfg(unix)]
            Host::Unix(path) => config.host_path(path).ssl_mode(SslMode::Disable),
        };
        config.port(ports.get(index).or(ports.first()).copied().unwrap_or(5432));
        if let Some(user) = parsed.get_user() {
            config.user(user);
        }
        if let Some(password) = parsed.get_password() {
            config.password(password);
        }
        if let Some(name) = parsed.get_dbname() {
            config.dbname(name);
        }
        if let Some(options) = parsed.get_options() {
            config.options(options);
        }
        config.application_name(parsed.get_application_name().unwrap_or("countersign"));
        config.connect_timeout(parsed.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT));
        config.tcp_user_timeout(parsed.get_tcp_user_timeout().copied().unwrap_or(USER_TIMEOUT));
        config.keepalives(parsed.get_keepalives());
        let idle = if given("keepalives_idle") { parsed.get_keepalives_idle() } else { KEEPALIVES_IDLE };
        config.keepalives_idle(idle);
        config.keepalives_interval(parsed.get_keepalives_interval().unwrap_or(KEEPALIVES_INTERVAL));
        config.keepalives_retries(parsed.get_keepalives_retries().unwrap_or(KEEPALIVES_RETRIES));
        config.channel_binding(parsed.get_channel_binding());
        // A standby can't keep anything: whatever the URL says, a server that takes no writes is none of ours.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        config
    };
    Ok(parsed.get_hosts().iter().enumerate().map(of).collect())
}

fn shown(hosts: &[tokio_postgres::Config], parsed: &tokio_postgres::Config) -> String {
    let host = |config: &tokio_postgres::Config| {
        let host = match config.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            #[cfg(unix)]
            Some(Host::Unix(path)) => path.display().to_string(),
            None => String::new(),
        };
        format!("{host}:{}", config.get_ports().first().copied().unwrap_or(5432))
    };
    let user = parsed.get_user().map(|user| format!("{user}@")).unwrap_or_default();
    let hosts: Vec<_> = hosts.iter().map(host).collect();
    let database = parsed.get_dbname().or(parsed.get_user()).unwrap_or_default();
    format!("postgres://{user}{}/{database}", hosts.join(","))
}

fn is_local(config: &tokio_postgres::Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    })
}

fn parse_pool_size(text: &str) -> Result<usize, ConfigError> {
    let size = text.parse().ok().filter(|size| (1..=POOL_SIZE_MAX).contains(size));
    size.ok_or(ConfigError::Value("pool_size", "write a number from 1 to 1000, such as 16"))
}

fn parse_switch(text: &str) -> Result<bool, ConfigError> {
    text.parse().map_err(|_| ConfigError::Value("prepared_statements", "write true or false"))
}

impl Mode {
    fn parse(text: &str) -> Result<Self, ConfigError> {
        match text {
            "disable" => Ok(Self::Disable),
            "prefer" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            "verify-ca" => Ok(Self::VerifyCa),
            "verify-full" => Ok(Self::VerifyFull),
            _ => {
                Err(ConfigError::Value("sslmode", "write disable, prefer, require, verify-ca or verify-full"))
            }
        }
    }

    fn on_the_wire(self) -> SslMode {
        match self {
            Self::Disable => SslMode::Disable,
            Self::Prefer => SslMode::Prefer,
            Self::Require | Self::VerifyCa | Self::VerifyFull => SslMode::Require,
        }
    }
}

impl Root {
    fn parse(text: &str) -> Self {
        if text == "system" { Self::System } else { Self::File(text.into()) }
    }

    fn file(&self) -> Option<Arc<std::path::Path>> {
        match self {
            Self::System => None,
            Self::File(path) => Some(path.as_path().into()),
        }
    }
}

impl PartialEq for Config {
    fn eq(&self, other: &Self) -> bool {
        self.hosts == other.hosts
            && self.ssl == other.ssl
            && self.pool_size == other.pool_size
            && self.prepares == other.prepares
    }
}

impl Eq for Config {}

/// As a URL, without the password and parameters.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Config({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        text.parse().unwrap()
    }

    fn refusal(text: &str) -> String {
        text.parse::<Config>().unwrap_err().to_string()
    }

    // attack 116
    #[test]
    fn a_password_is_shown_nowhere() {
        let url = "postgres://ana:hu%2Fnter2@db.example:6432,[::1]/auth?sslmode=verify-full&pool_size=7";
        let config = config(url);
        assert_eq!(config.hosts[0].get_password(), Some(&b"hu/nter2"[..]));
        for shown in [config.to_string(), format!("{config:?}")] {
            assert!(shown.contains("postgres://ana@db.example:6432"), "{shown}");
            assert!(!shown.contains("nter2"), "{shown}");
        }
        for broken in [
            "postgres://ana:hunter2@db.example/auth?sslmode=hunter2",
            "postgres://ana:hunter2@db.example:hunter2/auth",
            "postgres://ana:hunter2@db.example/auth?connect_timeout=hunter2",
            "postgres://ana:hunter2",
            "postgres://ana:1?hunter2=3@db.example/auth",
            "postgres://ana:hunter2@db.example/auth?hunter2",
            "hunter2",
        ] {
            let shown = broken.parse::<Config>().map_or_else(|error| error.to_string(), |ok| ok.to_string());
            assert!(!shown.contains("hunter2"), "{broken}: {shown}");
        }
    }

    #[test]
    fn every_host_is_a_way_to_one_database_that_takes_writes() {
        let config = config("postgresql://u:p@one,two:5433/auth?target_session_attrs=read-write");
        let ports: Vec<_> = config.hosts.iter().map(|host| host.get_ports().to_vec()).collect();
        assert_eq!(ports, [[5432], [5433]]);
        for host in &config.hosts {
            assert_eq!(host.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
            assert_eq!(host.get_connect_timeout(), Some(&CONNECT_TIMEOUT));
            assert_eq!((host.get_user(), host.get_dbname()), (Some("u"), Some("auth")));
        }
        let socket = self::config("postgres:///auth?host=/var/run/postgresql&user=u&sslmode=verify-full");
        assert_eq!(socket.hosts[0].get_ssl_mode(), SslMode::Disable, "there is no TLS on a Unix socket");
        assert_eq!(socket.to_string(), "postgres://u@/var/run/postgresql:5432/auth");
    }

    #[test]
    fn what_can_not_be_used_is_refused_with_what_to_write() {
        for (url, says) in [
            ("mysql://u@h/d", "write postgres://USER"),
            ("postgres:///auth", "names no host"),
            ("postgres://u@h/d?sslmode=always", "write disable, prefer"),
            ("postgres://u@h/d?sslmode=verify-ca", "write verify-full"),
            ("postgres://u@h/d?sslmode=verify-ca&sslrootcert=system", "write verify-full"),
            ("postgres://u@h/d?sslmode=require&sslrootcert=system", "write verify-full"),
            ("postgres://u@h/d?pool_size=0", "from 1 to 1000"),
            ("postgres://u@h/d?prepared_statements=maybe", "write true or false"),
            ("postgres://u@h/d?colour=red", "colour"),
        ] {
            assert!(refusal(url).contains(says), "{url}: {}", refusal(url));
        }
    }

    #[test]
    fn a_connection_is_verified_when_the_name_is_or_when_it_never_leaves_the_machine() {
        for (url, verified) in [
            ("postgres://u@db/d", false),
            ("postgres://u@db/d?sslmode=require", false),
            ("postgres://u@db/d?sslmode=verify-ca&sslrootcert=/ca.pem", false),
            ("postgres://u@db/d?sslmode=verify-full", true),
            ("postgres://u@db/d?sslrootcert=/ca.pem", true),
            ("postgres://u@127.0.0.1,localhost/d", true),
            ("postgres:///d?host=/run/postgresql", true),
        ] {
            assert_eq!(config(url).is_verified(), verified, "{url}");
        }
    }
}
