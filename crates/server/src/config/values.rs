//! How a text becomes a value. Each function refuses with a clause that says what is wrong and what to write instead;
//! it goes on from the name of the setting, as in "leeway (from COUNTERSIGN_LEEWAY): …".

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use countersign::core::fields::{Declaration, UserFields};
use countersign::core::jwt::Algorithm;
use countersign::core::origin::{Origin, PublicUrl};
use countersign::core::{Seconds, Secret};
use countersign::settings::{CookiePrefix, Database, ExtraClaim, HOW_TO_MAKE, SameSite};
use countersign::store::postgres;
use ipnet::IpNet;
use toml::{Table, Value};
use tracing_subscriber::filter::{LevelFilter, Targets};

use super::program::LogFormat;

/// The clause.
pub(super) type Problem = String;

pub(super) fn text(text: &str) -> Result<String, Problem> {
    if text.is_empty() { Err("is empty; write a value or leave it out".into()) } else { Ok(text.to_owned()) }
}

pub(super) fn number<T: FromStr>(text: &str) -> Result<T, Problem> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or_else(|| {
        let shown = quoted(text);
        format!("{shown} is not a whole number in range; write digits alone, such as 20")
    })
}

pub(super) fn seconds(text: &str) -> Result<Seconds, Problem> {
    number(text).map(Seconds).map_err(|_| {
        let shown = quoted(text);
        format!("{shown} is not a whole number of seconds in range; write digits alone, such as 300 for five minutes")
    })
}

pub(super) fn switch(text: &str) -> Result<bool, Problem> {
    one_of(text, &[("true", true), ("false", false)])
}

pub(super) fn address(text: &str) -> Result<SocketAddr, Problem> {
    let localhost =
        || text.strip_prefix("localhost:")?.parse().ok().map(|port: u16| (Ipv4Addr::LOCALHOST, port).into());
    text.parse().ok().or_else(localhost).ok_or_else(|| {
        let shown = quoted(text);
        format!(
            "{shown} is not an address and a port; write 127.0.0.1:8000 (this machine alone), 0.0.0.0:8000 (every \
             IPv4 address) or [::]:8000"
        )
    })
}

/// The database lies in it by default, so its URL must be able to name it.
pub(super) fn folder(text: &str) -> Result<PathBuf, Problem> {
    let folder = path(text)?;
    if text.starts_with("//") || text.contains('?') {
        return Err(
            "is a path that no sqlite:PATH can name; write one without // in front and without ?".into()
        );
    }
    Ok(folder)
}

fn path(text: &str) -> Result<PathBuf, Problem> {
    if text.is_empty() || text.contains('\0') {
        return Err("is empty or no path; write one such as ./countersign-data".into());
    }
    if text.starts_with('~') {
        return Err("starts with ~, which only a shell knows; write the whole path".into());
    }
    Ok(PathBuf::from(text))
}

/// The text is never shown: it may hold a password.
pub(super) fn database(text: &str) -> Result<Database, Problem> {
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        let config = text.parse().map_err(|error: postgres::ConfigError| error.to_string())?;
        return Ok(Database::Postgres(Box::new(config)));
    }
    let wrong = || {
        "names no database that is known; write sqlite:PATH, such as sqlite:./countersign-data/countersign.db, or \
         postgres://USER:PASSWORD@HOST:5432/DATABASE"
            .to_owned()
    };
    let file = text.strip_prefix("sqlite:").ok_or_else(wrong)?;
    if file.starts_with("//") {
        return Err("has two slashes after sqlite:; write sqlite:PATH, such as sqlite:/var/lib/countersign/\
                    countersign.db"
            .into());
    }
    if file.contains('?') || file == ":memory:" {
        return Err("is to be a file, without parameters; write sqlite:PATH, such as \
                    sqlite:./countersign-data/countersign.db"
            .into());
    }
    Ok(Database::Sqlite(path(file)?))
}

/// A secret is taken as it stands, and never shown.
pub(super) fn secret(text: &str) -> Result<Secret, Problem> {
    if text.is_empty() {
        return Err(format!("is empty; leave it out, or {HOW_TO_MAKE}"));
    }
    Ok(Secret::new(text))
}

pub(super) fn public_url(text: &str) -> Result<PublicUrl, Problem> {
    PublicUrl::parse(text).map_err(|error| error.to_string())
}

pub(super) fn origin(text: &str) -> Result<Origin, Problem> {
    Origin::parse(text).map_err(|error| format!("{} {error}", quoted(text)))
}

/// A single address is a network of one.
pub(super) fn network(text: &str) -> Result<IpNet, Problem> {
    let single = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse().ok().or_else(single).ok_or_else(|| {
        let shown = quoted(text);
        format!("{shown} is not a network; write one such as 10.0.0.0/8 or fd00::/8, or a single address")
    })
}

pub(super) fn header_name(text: &str) -> Result<String, Problem> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'+-.^_`|~".contains(&b);
    if !text.is_empty() && text.len() <= 64 && text.bytes().all(token) {
        return Ok(text.to_owned());
    }
    let shown = quoted(text);
    Err(format!(
        "{shown} is not a header's name; write each by itself, such as X-Trace-Id (there is no wildcard)"
    ))
}

pub(super) fn algorithm(text: &str) -> Result<Algorithm, Problem> {
    use Algorithm::{EdDsa, Es256, Hs256, Rs256};
    one_of(text, &[EdDsa, Es256, Rs256, Hs256].map(|algorithm| (algorithm.as_str(), algorithm)))
}

pub(super) fn claim(text: &str) -> Result<ExtraClaim, Problem> {
    one_of(text, &[("groups", ExtraClaim::Groups), ("permissions", ExtraClaim::Permissions)])
}

pub(super) fn same_site(text: &str) -> Result<SameSite, Problem> {
    one_of(text, &[SameSite::Strict, SameSite::Lax, SameSite::None].map(|mode| (mode.as_str(), mode)))
}

pub(super) fn cookie_prefix(text: &str) -> Result<CookiePrefix, Problem> {
    one_of(text, &[("auto", CookiePrefix::Auto), ("none", CookiePrefix::Plain)])
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, Problem> {
    one_of(text, &[("pretty", LogFormat::Pretty), ("json", LogFormat::Json)])
}

/// A level for all, and others for parts of the program: `info,countersign::http=debug`.
pub(super) fn log_filter(text: &str) -> Result<Targets, Problem> {
    let mut filter = Targets::new().with_default(LevelFilter::INFO);
    for item in text.split(',').map(str::trim) {
        filter = match item.split_once('=') {
            Some((part, of)) if !part.is_empty() => filter.with_target(part, level(of)?),
            Some(_) | None => filter.with_default(level(item)?),
        };
    }
    Ok(filter)
}

fn level(text: &str) -> Result<LevelFilter, Problem> {
    let levels = [
        ("error", LevelFilter::ERROR),
        ("warn", LevelFilter::WARN),
        ("info", LevelFilter::INFO),
        ("debug", LevelFilter::DEBUG),
        ("trace", LevelFilter::TRACE),
    ];
    one_of(text, &levels)
}

/// Declarations of custom fields, as TOML writes a table in one line.
pub(super) fn user_fields(text: &str) -> Result<UserFields, Problem> {
    if text.trim().is_empty() {
        return Ok(UserFields::default());
    }
    let example = "write { phone = { type = \"string\" } }, or in the file a table [user_fields.phone]";
    let wrong = || format!("can't be read as a table of TOML; {example}");
    let read: Table = toml::from_str(&format!("it = {text}")).map_err(|_| wrong())?;
    let (1, Some((_, Value::Table(fields)))) = (read.len(), read.into_iter().next()) else {
        return Err(wrong());
    };
    let declarations = fields.into_iter().map(|(name, options)| match options {
        Value::Table(_) => match options.try_into::<Declaration>() {
            Ok(declaration) => Ok((name, declaration)),
            Err(error) => Err(format!("{name}: {}; {example}", error.message())),
        },
        _ => Err(format!("{name} is to be a table; {example}")),
    });
    let declarations: Vec<_> = declarations.collect::<Result<_, _>>()?;
    UserFields::declare(declarations).map_err(|error| error.to_string())
}

fn one_of<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, Problem> {
    if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
        return Ok(*value);
    }
    let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
    let (last, rest) = names.split_last().unwrap_or((&"", &[]));
    Err(format!("{} is not known; write {} or {last}", quoted(text), rest.join(", ")))
}

/// A value in an error: escaped, and not at any length.
fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    if text.chars().count() <= SHOWN {
        return format!("{text:?}");
    }
    let start: String = text.chars().take(SHOWN).collect();
    format!("{start:?}…")
}
