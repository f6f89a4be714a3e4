//! The settings, as typed values: parsed once, at the edge (the server's configuration, or an embedder's builder).
//!
//! A [`Settings`] that exists can be served: what can't be right in any deployment is refused by
//! [`Settings::validate`], and what is merely unwise is a warning of `countersign check --deploy`.

use std::fmt;
use std::path::PathBuf;

use countersign_core::fields::UserFields;
use countersign_core::jwt::Algorithm;
use countersign_core::origin::{Origin, PublicUrl};
use countersign_core::session::RotationPolicy;
use countersign_core::{Seconds, Secret};
use ipnet::IpNet;

/// The fewest bytes a secret may have.
pub const SECRET_MIN_BYTES: usize = 32;

/// Everything that can be set, with the names of the contract.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where browsers reach the server; also the `iss`.
    pub public_url: PublicUrl,
    /// The `aud` of access tokens; the public URL if none is given.
    pub audience: Option<String>,
    /// What access tokens are signed with.
    pub access_algorithm: Algorithm,
    /// The life of an access token.
    pub access_token_lifetime: Seconds,
    /// The life of a refresh token, renewed at each rotation.
    pub refresh_token_lifetime: Seconds,
    /// The life of a session, however often it is rotated.
    pub session_lifetime: Seconds,
    /// How long a rotation is answered again.
    pub rotation_grace: Seconds,
    /// The clock skew that is allowed when a token's times are checked.
    pub leeway: Seconds,
    /// How old a node's news of ended sessions may be.
    pub liveness_max_age: Seconds,
    /// Whether `username` also takes the e-mail address.
    pub login_with_email: bool,
    /// What access tokens carry besides.
    pub claims_include: Vec<ExtraClaim>,
    /// Custom fields that users have.
    pub user_fields: UserFields,
    /// Origins of browser apps that may call.
    pub allowed_origins: Vec<Origin>,
    /// Origins of native shells, which may also ask for body delivery.
    pub native_origins: Vec<Origin>,
    /// More request headers that listed origins may send.
    pub cors_allow_headers: Vec<String>,
    /// Allows plain http on a host that is not loopback.
    pub insecure_http: bool,
    /// How the cookies look.
    pub cookies: CookieSettings,
    /// The time in which a body must have been read.
    pub request_timeout: Seconds,
    /// The largest body, in bytes.
    pub max_body: usize,
    /// The shortest password, in characters; at least 8.
    pub password_min_length: usize,
    /// How many threads hash passwords.
    pub hashing_threads: usize,
    /// How many logins may wait for each of them.
    pub hashing_queue: usize,
    /// How many failed passwords are too many.
    pub throttle: ThrottleSettings,
    /// Networks whose `X-Forwarded-For` and `Forwarded` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How long the audit is kept.
    pub audit_retention: Seconds,
    /// The database.
    pub database: Database,
    /// The secrets.
    pub secrets: Secrets,
}

/// What `claims_include` may name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExtraClaim {
    /// The names of the user's groups.
    Groups,
    /// The user's permissions.
    Permissions,
}

/// The numbers of guessing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ThrottleSettings {
    /// Failures per account name and network in a window.
    pub name_limit: u16,
    /// Failures per network over all names in a window.
    pub network_limit: u16,
    /// The window.
    pub window: Seconds,
    /// Failures in a row per account over all networks.
    pub ceiling: u32,
}

/// Where users, sessions and keys are kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Database {
    /// An SQLite file; its folder is made if it is missing.
    Sqlite(PathBuf),
    /// A PostgreSQL server, for more than one node. All secrets must be given then: the nodes share them.
    #[cfg(feature = "postgres")]
    Postgres(Box<countersign_store::postgres::Config>),
}

/// As `database_url` names it, without a password.
impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            #[cfg(feature = "postgres")]
            Self::Postgres(config) => config.fmt(f),
        }
    }
}

/// The secrets. `Debug` shows none.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// Encrypts stored keys; the CSRF key is derived from it.
    pub root: SecretWithFallbacks,
    /// Signs refresh tokens.
    pub refresh_token: SecretWithFallbacks,
    /// Signs access tokens with `HS256`; not needed otherwise.
    pub access: Option<SecretWithFallbacks>,
}

/// A secret, and older ones that are still accepted.
#[derive(Clone, Debug)]
pub struct SecretWithFallbacks {
    /// The one in use.
    pub current: Secret,
    /// Accepted, but not used for anything new.
    pub fallbacks: Vec<Secret>,
}

/// How the cookies look.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CookieSettings {
    /// `SameSite` of both.
    pub same_site: SameSite,
    /// The domain of the CSRF cookie alone.
    pub domain: Option<String>,
    /// Which prefix their names get on https.
    pub prefix: CookiePrefix,
    /// `Partitioned`, beside `SameSite=None`.
    pub partitioned: bool,
    /// The CSRF cookie's name, before its prefix.
    pub csrf_name: String,
}

/// When a browser sends a cookie along with a request from another site.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SameSite {
    /// Never.
    Strict,
    /// When the user follows a link.
    Lax,
    /// Always.
    None,
}

/// Which prefix the cookies' names get.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CookiePrefix {
    /// `__Host-` on https (`__Secure-` for a CSRF cookie with a domain).
    Auto,
    /// None, for clients that read the CSRF cookie by its plain name.
    Plain,
}

/// A setting that can't be right, by its name, and what to write instead.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct SettingError {
    /// The setting's name.
    pub setting: &'static str,
    /// A clause that says what is wrong and what to write instead.
    pub problem: String,
}

impl Settings {
    /// The defaults of the contract, for a public URL, a database and secrets.
    pub fn new(public_url: PublicUrl, database: Database, secrets: Secrets) -> Self {
        Self {
            public_url,
            audience: None,
            access_algorithm: Algorithm::EdDsa,
            access_token_lifetime: Seconds(300),
            refresh_token_lifetime: Seconds(604_800),
            session_lifetime: Seconds(2_592_000),
            rotation_grace: Seconds(10),
            leeway: Seconds(10),
            liveness_max_age: Seconds(1),
            login_with_email: true,
            claims_include: Vec::new(),
            user_fields: UserFields::default(),
            allowed_origins: Vec::new(),
            native_origins: Vec::new(),
            cors_allow_headers: Vec::new(),
            insecure_http: false,
            cookies: CookieSettings {
                same_site: SameSite::Lax,
                domain: None,
                prefix: CookiePrefix::Auto,
                partitioned: false,
                csrf_name: "csrftoken".into(),
            },
            request_timeout: Seconds(30),
            max_body: 65_536,
            password_min_length: 15,
            hashing_threads: std::thread::available_parallelism().map_or(1, usize::from),
            hashing_queue: 64,
            throttle: ThrottleSettings {
                name_limit: 10,
                network_limit: 100,
                window: Seconds(300),
                ceiling: 100,
            },
            trusted_proxies: Vec::new(),
            audit_retention: Seconds(31_536_000),
            database,
            secrets,
        }
    }

    /// The `aud` of access tokens.
    pub fn audience(&self) -> &str {
        self.audience.as_deref().unwrap_or_else(|| self.public_url.as_str())
    }

    /// The spans that rotation goes by.
    pub fn rotation_policy(&self) -> RotationPolicy {
        RotationPolicy {
            grace: self.rotation_grace,
            refresh_lifetime: self.refresh_token_lifetime,
            leeway: self.leeway,
        }
    }

    /// Refuses what can't be right in any deployment. The first thing found is told.
    pub fn validate(&self) -> Result<(), SettingError> {
        self.validate_transport()?;
        self.validate_cookies()?;
        self.validate_numbers()?;
        self.secrets.validate(self.access_algorithm)
    }

    fn validate_transport(&self) -> Result<(), SettingError> {
        let url = &self.public_url;
        if url.is_https() || url.is_loopback() || self.insecure_http {
            return Ok(());
        }
        refuse(
            "public_url",
            format!(
                "{} is plain http on a host that is not loopback, where anyone on the way can read the tokens; \
                 write the https address that browsers use (a proxy in front ends the TLS), or set \
                 insecure_http = true if you accept that",
                url.as_str()
            ),
        )
    }

    fn validate_cookies(&self) -> Result<(), SettingError> {
        let cookies = &self.cookies;
        let https = self.public_url.is_https();
        if cookies.same_site == SameSite::None && !https {
            return refuse(
                "cookie_samesite",
                "None needs an https public_url: browsers drop such cookies otherwise",
            );
        }
        if cookies.partitioned && cookies.same_site != SameSite::None {
            return refuse(
                "cookie_partitioned",
                "is for cookie_samesite = \"None\"; set that too, or leave it false",
            );
        }
        let token = |c: u8| c.is_ascii_alphanumeric() || b"-_.".contains(&c);
        if cookies.csrf_name.is_empty()
            || cookies.csrf_name.len() > 64
            || !cookies.csrf_name.bytes().all(token)
        {
            return refuse(
                "csrf_cookie_name",
                "takes letters, digits, - _ and . (64 at most), such as XSRF-TOKEN",
            );
        }
        if cookies.csrf_name == crate::REFRESH_COOKIE || cookies.csrf_name.starts_with("__") {
            return refuse(
                "csrf_cookie_name",
                "must differ from the refresh cookie's name and have no prefix of its own",
            );
        }
        let Some(domain) = &cookies.domain else { return Ok(()) };
        let host = self.public_url.host();
        let bare = domain.trim_start_matches('.');
        let covers = host == bare || host.strip_suffix(bare).is_some_and(|rest| rest.ends_with('.'));
        if bare.contains('.') && covers && !bare.bytes().all(|c| c.is_ascii_digit() || c == b'.') {
            return Ok(());
        }
        refuse(
            "cookie_domain",
            format!(
                "{domain} must be the public URL's host ({host}) or a parent of it, of two labels or more"
            ),
        )
    }

    fn validate_numbers(&self) -> Result<(), SettingError> {
        for (setting, value) in [
            ("access_token_lifetime", self.access_token_lifetime),
            ("refresh_token_lifetime", self.refresh_token_lifetime),
            ("session_lifetime", self.session_lifetime),
            ("request_timeout", self.request_timeout),
            ("throttle_window", self.throttle.window),
            ("audit_retention", self.audit_retention),
        ] {
            if value.0 == 0 {
                return refuse(setting, "must be at least 1 second");
            }
        }
        for (setting, value) in [
            ("throttle_name_limit", u32::from(self.throttle.name_limit)),
            ("throttle_network_limit", u32::from(self.throttle.network_limit)),
            ("throttle_ceiling", self.throttle.ceiling),
        ] {
            if value == 0 {
                return refuse(setting, "must be at least 1, or nobody could log in");
            }
        }
        if self.access_token_lifetime > Seconds(86_400) {
            return refuse(
                "access_token_lifetime",
                "must be at most 86400 (a day): servers that only verify tokens can't take one back earlier",
            );
        }
        if self.access_token_lifetime > self.refresh_token_lifetime {
            return refuse("access_token_lifetime", "must not be longer than refresh_token_lifetime");
        }
        if self.rotation_grace > Seconds(300) {
            return refuse(
                "rotation_grace",
                "must be at most 300: within it a stolen refresh token goes unnoticed",
            );
        }
        if self.leeway > Seconds(300) {
            return refuse("leeway", "must be at most 300: keep the clocks in step instead");
        }
        if !(1..=60).contains(&self.liveness_max_age.0) {
            return refuse("liveness_max_age", "must be from 1 to 60");
        }
        if !(8..=1024).contains(&self.password_min_length) {
            return refuse("password_min_length", "must be from 8 to 1024 (15 is what NIST asks for)");
        }
        if !(1..=1024).contains(&self.hashing_threads) {
            return refuse("hashing_threads", "must be from 1 to 1024; one a core is right");
        }
        if !(1..=100_000).contains(&self.hashing_queue) {
            return refuse("hashing_queue", "must be from 1 to 100000");
        }
        if !(1024..=16 * 1024 * 1024).contains(&self.max_body) {
            return refuse("max_body", "must be from 1024 to 16777216 bytes");
        }
        Ok(())
    }
}

impl Secrets {
    /// All of them, by the names of their settings.
    fn named(&self) -> impl Iterator<Item = (&'static str, &Secret)> {
        let access = self.access.iter().flat_map(|access| access.named("secret_key", "secret_key_fallbacks"));
        self.root
            .named("root_secret", "root_secret_fallbacks")
            .chain(self.refresh_token.named("refresh_token_secret", "refresh_token_secret_fallbacks"))
            .chain(access)
    }

    /// The settings whose secret was typed rather than made: a warning of `countersign check --deploy`.
    pub fn guessable(&self) -> Vec<&'static str> {
        self.named().filter(|(_, secret)| is_guessable(secret)).map(|(setting, _)| setting).collect()
    }

    fn validate(&self, algorithm: Algorithm) -> Result<(), SettingError> {
        if algorithm == Algorithm::Hs256 && self.access.is_none() {
            return refuse(
                "secret_key",
                format!("is needed with access_algorithm = \"HS256\"; {HOW_TO_MAKE}"),
            );
        }
        let all: Vec<_> = self.named().collect();
        for (i, (setting, secret)) in all.iter().enumerate() {
            if secret.len() < SECRET_MIN_BYTES {
                let has = secret.len();
                return refuse(setting, format!("has {has} bytes and needs at least 32; {HOW_TO_MAKE}"));
            }
            if let Some((other, _)) = all.iter().take(i).find(|(_, earlier)| earlier == secret) {
                return refuse(
                    setting,
                    format!("is the same as {other}, and no two may be equal; {HOW_TO_MAKE}"),
                );
            }
        }
        Ok(())
    }
}

impl SecretWithFallbacks {
    /// A secret without fallbacks.
    pub fn new(current: Secret) -> Self {
        Self { current, fallbacks: Vec::new() }
    }

    /// The current one, then the fallbacks.
    pub fn all(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.current).chain(&self.fallbacks)
    }

    fn named(
        &self,
        current: &'static str,
        fallbacks: &'static str,
    ) -> impl Iterator<Item = (&'static str, &Secret)> {
        std::iter::once((current, &self.current))
            .chain(self.fallbacks.iter().map(move |old| (fallbacks, old)))
    }
}

/// How to make a secret, as every error about one ends.
pub const HOW_TO_MAKE: &str = "make one with: openssl rand -base64 48";

/// A secret of few different bytes was typed, not made.
fn is_guessable(secret: &Secret) -> bool {
    secret.expose().iter().collect::<std::collections::BTreeSet<_>>().len() < 8
}

fn refuse<T>(setting: &'static str, problem: impl Into<String>) -> Result<T, SettingError> {
    Err(SettingError { setting, problem: problem.into() })
}

impl SameSite {
    /// As it is written in the cookie and in the setting.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "Strict",
            Self::Lax => "Lax",
            Self::None => "None",
        }
    }
}
