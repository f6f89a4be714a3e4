//! `countersign demo`: the API, and a page on a second origin that uses it, ready to be tried out.
//!
//! It reads neither environment nor file: what it shows doesn't depend on where it is started.

mod folder;
mod page;

use std::io::{ErrorKind, IsTerminal};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use aws_lc_rs::rand::SecureRandom;
use countersign::core::origin::PublicUrl;
use countersign::service::password::Password;
use countersign::service::users::UserToCreate;
use countersign::service::{Error, Service};
use countersign::{Countersign, http};
use tokio::net::TcpListener;

use self::folder::ThrowAway;
use crate::config::{Config, Flags, Missing, Surroundings};
use crate::outcome::{Failure, say};
use crate::serve;
use crate::stop::Stop;
use crate::telemetry;
use crate::text::escape;

/// What the demo is told.
pub(crate) struct Demo {
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) port: u16,
    pub(crate) page_port: u16,
}

/// How many ports after a taken one are tried.
const PORTS_TRIED: u16 = 100;

/// Serves the demo until it is told to stop.
pub(crate) async fn run(demo: Demo, random: &dyn SecureRandom) -> Result<(), Failure> {
    let stop = Stop::at_signals()?;
    let api = bind(demo.port).await?;
    let page = bind(demo.page_port).await?;
    let urls = Urls { api: url_of(&api)?, page: url_of(&page)? };
    let folder = match demo.data_dir.clone() {
        Some(folder) => Folder::Kept(folder),
        None => Folder::ThrowAway(ThrowAway::new(&letters(random, 12)?)?),
    };
    let config = configure(folder.path(), &urls, random)?;
    telemetry::start(&config.program.log, config.program.is_terminal);
    let countersign = Countersign::builder().settings(config.settings().clone()).build().await?;
    let user = make_user(countersign.service(), "demo", false, random).await?;
    let admin = make_user(countersign.service(), "admin", true, random).await?;

    say(&banner(&demo, &urls, &folder, [&user, &admin]));
    let page_router = page::router(urls.api.as_str(), "demo");
    let page = tokio::spawn(http::serve::serve(page, page_router, stop.clone().told()));
    let router = serve::whole(&countersign, serve::admin_site(&config));
    countersign.serve(api, router, stop.told()).await?;
    // It was told to stop too; how it ended doesn't matter any more.
    let _ = page.await;
    Ok(())
}

struct Urls {
    api: PublicUrl,
    page: PublicUrl,
}

enum Folder {
    ThrowAway(ThrowAway),
    Kept(PathBuf),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::ThrowAway(folder) => folder.path(),
            Self::Kept(path) => path,
        }
    }
}

/// The defaults, but for where it is.
fn configure(folder: &Path, urls: &Urls, random: &dyn SecureRandom) -> Result<Config, Failure> {
    let surroundings = Surroundings {
        environment: Vec::new(),
        // A countersign.toml in the current folder is another server's.
        folder: folder.to_owned(),
        is_terminal: std::io::stderr().is_terminal(),
    };
    let folder = folder.to_str().ok_or_else(|| Failure::Misused("--data-dir is to be UTF-8".into()))?;
    let flags = Flags::default()
        .with("data_dir", folder)
        .with("public_url", urls.api.as_str())
        .with("allowed_origins", urls.page.as_str())
        .with("log_format", "pretty");
    Ok(Config::load(&flags, &surroundings, Missing::Make, random)?)
}

/// The port, or the next one that is free. One that is taken on either loopback address is taken: browsers try both.
async fn bind(port: u16) -> Result<TcpListener, Failure> {
    for port in port..=port.saturating_add(PORTS_TRIED) {
        let other = TcpListener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).await;
        let taken = |error: &std::io::Error| error.kind() == ErrorKind::AddrInUse;
        if port != 0 && other.as_ref().is_err_and(taken) {
            continue;
        }
        match TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await {
            Ok(listener) => return Ok(listener),
            Err(error) if taken(&error) => {}
            Err(error) => return Err(Failure::Refused(format!("port {port} can't be listened on: {error}"))),
        }
    }
    Err(Failure::Refused(format!(
        "port {port} and the {PORTS_TRIED} after it are taken; name another with --port"
    )))
}

fn url_of(listener: &TcpListener) -> Result<PublicUrl, Failure> {
    Ok(PublicUrl::localhost(listener.local_addr()?.port()))
}

/// A user, and their password where they are new.
struct DemoUser {
    username: &'static str,
    password: Option<String>,
}

async fn make_user(
    service: &Service,
    username: &'static str,
    is_superuser: bool,
    random: &dyn SecureRandom,
) -> Result<DemoUser, Failure> {
    match service.find_user(username).await {
        Ok(_) => return Ok(DemoUser { username, password: None }),
        Err(Error::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    let text = password(random)?;
    let new = UserToCreate {
        username: username.to_owned(),
        email: format!("{username}@example.com"),
        password: Password::new(text.as_str()).map_err(|error| Failure::Refused(error.to_string()))?,
        is_superuser,
        fields: serde_json::Map::new(),
    };
    service.create_user(new).await?;
    Ok(DemoUser { username, password: Some(text) })
}

/// Twenty letters in groups, 100 bits: easy to copy, too long to guess.
fn password(random: &dyn SecureRandom) -> Result<String, Failure> {
    let letters = letters(random, 20)?;
    let mut password = String::new();
    for (i, letter) in letters.chars().enumerate() {
        if i > 0 && i % 5 == 0 {
            password.push('-');
        }
        password.push(letter);
    }
    Ok(password)
}

/// Letters and digits that can't be taken for one another, five bits each.
fn letters(random: &dyn SecureRandom, count: usize) -> Result<String, Failure> {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = vec![0; count];
    random.fill(&mut bytes).map_err(|_| Failure::Refused("the system gave no random bytes".into()))?;
    Ok(bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(byte % 32))).map(|b| char::from(*b)).collect())
}

/// What it is, where it is, and what to do next.
fn banner(demo: &Demo, urls: &Urls, folder: &Folder, users: [&DemoUser; 2]) -> String {
    let mut lines = vec![
        String::new(),
        "  Countersign demo".to_owned(),
        String::new(),
        format!("  page   {}   open this one", urls.page),
        format!("  API    {}   its routes: {}/docs", urls.api, urls.api),
        String::new(),
    ];
    let superuser = format!("a superuser, for {}/admin/", urls.api);
    for (user, role) in users.into_iter().zip(["to sign in with on the page", &*superuser]) {
        lines.push(match &user.password {
            Some(password) => format!("  {:<6} {password}   {role}; shown this once", user.username),
            None => format!("  {:<6} has the password of the first time   {role}", user.username),
        });
    }
    lines.push(String::new());
    for (what, wanted, url) in [("page", demo.page_port, &urls.page), ("API", demo.port, &urls.api)] {
        if wanted != 0 && wanted != url.port() {
            lines.push(format!("  Port {wanted} is taken, so the {what} is at {}.", url.port()));
        }
    }
    lines.push(match folder {
        Folder::ThrowAway(_) => "  Ctrl-C ends it, and nothing is kept.".to_owned(),
        Folder::Kept(path) => {
            format!("  Ctrl-C ends it; all is kept in {}.", escape(&path.display().to_string()))
        }
    });
    lines.push("  For a server of your own: countersign createsuperuser, then countersign serve.".to_owned());
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;

    use super::*;

    fn random() -> SystemRandom {
        #[expect(clippy::disallowed_methods, reason = "a test needs real randomness")]
        SystemRandom::new()
    }

    #[test]
    fn a_password_is_in_groups_and_never_the_same() {
        let (one, other) = (password(&random()).unwrap(), password(&random()).unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), 23);
        assert!(one.split('-').all(|group| group.len() == 5), "{one}");
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_left_for_the_next() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = taken.local_addr().unwrap().port();
        let bound = bind(port).await.unwrap().local_addr().unwrap().port();
        assert!(bound > port, "{bound} {port}");
    }

    #[test]
    fn a_throw_away_folder_is_its_owners_and_goes() {
        use std::os::unix::fs::PermissionsExt;
        let folder = ThrowAway::new(&letters(&random(), 12).unwrap()).unwrap();
        let path = folder.path().to_owned();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        std::fs::write(path.join("file"), "").unwrap();
        drop(folder);
        assert!(!path.exists());
    }
}
