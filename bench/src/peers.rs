//! The peers: what others run today. Each is set up from its registry, at the versions of its lock file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::Value;

use crate::api::{Accounts, Api, BetterAuth, Fastify, PASSWORD, Session, SimpleJwt};
use crate::http::Connection;
use crate::machine::{Cores, Machine};
use crate::server::{Recipe, Server};
use crate::{Result, say};

/// What a peer is, as data.
pub(crate) struct Peer {
    /// Its folder in `bench/peers`, and what `--peer` calls it.
    pub(crate) name: &'static str,
    /// What the report calls it.
    pub(crate) title: &'static str,
    kind: Kind,
    /// Has refreshes, and so a life as in the mix.
    pub(crate) refreshes: bool,
    api: fn() -> Arc<dyn Api>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A Django project, with its WSGI application, under gunicorn.
    Python(&'static str),
    Node,
}

pub(crate) const PEERS: [Peer; 4] = [
    Peer {
        name: "fastify",
        title: "Fastify, @fastify/jwt, better-sqlite3",
        kind: Kind::Node,
        refreshes: true,
        api: || Arc::new(Fastify),
    },
    Peer {
        name: "better-auth",
        title: "better-auth",
        kind: Kind::Node,
        refreshes: false,
        api: || Arc::new(BetterAuth),
    },
    Peer {
        name: "article-django",
        title: "the article: Django, DRF, PyJWT",
        kind: Kind::Python("article.wsgi"),
        refreshes: true,
        api: || Arc::new(Accounts { rotates: false }),
    },
    Peer {
        name: "simplejwt",
        title: "Django, SimpleJWT with blacklist",
        kind: Kind::Python("simple.wsgi"),
        refreshes: true,
        api: || Arc::new(SimpleJwt),
    },
];

/// Users that a peer has, and sessions that its seed prints.
const USERS: usize = 64;
const SEEDED: usize = 128;

/// A peer that is installed, with users.
pub(crate) struct Ready {
    pub(crate) peer: &'static Peer,
    pub(crate) api: Arc<dyn Api>,
    recipe: Recipe,
    /// Sessions that nobody has used so far.
    seeded: Vec<Session>,
}

impl Peer {
    /// Installs it if it isn't yet, and gives it a new database.
    pub(crate) fn ready(&'static self, work: &Path) -> Result<Ready> {
        let folder = install(self.name, work, self.kind == Kind::Node)?;
        let data = folder.join("data");
        if data.exists() {
            fs::remove_dir_all(&data)?;
        }
        fs::create_dir_all(&data)?;
        let environment = vec![
            ("PEER_DATA".to_owned(), data.to_string_lossy().into_owned()),
            ("PORT".into(), "{port}".into()),
        ];
        let (program, seed) = match self.kind {
            Kind::Python(_) => ("venv/bin/python", "seed.py"),
            Kind::Node => ("node", "seed.js"),
        };
        let count = if self.kind == Kind::Node { USERS } else { SEEDED };
        let mut command = Command::new(program_in(&folder, program));
        command.args([seed, PASSWORD, &count.to_string()]).envs(environment.clone());
        let said = output(command.current_dir(&folder))?;
        let command = match self.kind {
            // Threads keep connections alive, which gunicorn's plain workers don't; two processes, as it has two cores
            // at the logins.
            Kind::Python(application) => format!(
                "venv/bin/gunicorn --workers 2 --worker-class gthread --threads 4 --keep-alive 75 \
                 --bind 127.0.0.1:{{port}} {application}"
            ),
            Kind::Node => "node server.js".to_owned(),
        };
        let mut words: Vec<String> = command.split_whitespace().map(String::from).collect();
        if let Some(program) = words.first_mut() {
            *program = program_in(&folder, program).to_string_lossy().into_owned();
        }
        let environment = [environment, vec![("NODE_ENV".into(), "production".into())]].concat();
        let recipe = Recipe {
            command: words,
            environment,
            log: work.join(format!("{}.log", self.name)),
            folder,
            cores: Cores::Server,
        };
        Ok(Ready {
            peer: self,
            api: (self.api)(),
            recipe,
            seeded: said.lines().filter_map(session).collect(),
        })
    }
}

impl Ready {
    pub(crate) fn start(&self, machine: Machine, cores: Cores) -> Result<Server> {
        let mut first = Vec::new();
        self.api.profile(&Session::default(), &mut first);
        Server::start(machine, &Recipe { cores, ..self.recipe.clone() }, &first)
    }

    /// So many sessions that nobody has used: seeded ones, or by logging in.
    pub(crate) fn sessions(&mut self, server: &Server, count: usize) -> Result<Vec<Session>> {
        if self.seeded.len() >= count {
            return Ok(self.seeded.drain(..count).collect());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut connection = Connection::new(server.address);
            let mut sessions = Vec::new();
            for user in users().iter().cycle().take(count) {
                let mut request = Vec::new();
                self.api.login(user, PASSWORD, &mut request);
                sessions.push(self.api.logged_in(user, &connection.ask(&request).await?)?);
            }
            Ok(sessions)
        })
    }
}

/// The users that every peer has.
pub(crate) fn users() -> Vec<String> {
    (1..=USERS).map(|number| format!("user-{number}")).collect()
}

/// A command that prints the rate of Argon2id in C.
pub(crate) fn argon2_in_c(work: &Path) -> Result<(PathBuf, PathBuf)> {
    let folder = install("argon2-c", work, false)?;
    Ok((folder.join("venv/bin/python"), folder.join("rate.py")))
}

/// Copies a peer's files beside what is built, and installs what its lock file names, unless that is there.
fn install(name: &str, work: &Path, is_node: bool) -> Result<PathBuf> {
    let source = Path::new("bench/peers").join(name);
    let folder = work.join("peers").join(name);
    copy(&source, &folder)?;
    let lock =
        fs::read_to_string(source.join(if is_node { "package-lock.json" } else { "requirements.txt" }))?;
    let mark = folder.join("installed");
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == lock) {
        return Ok(folder);
    }
    say(&format!("installing {name}"));
    if is_node {
        output(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder))?;
    } else {
        output(Command::new("python3").args(["-m", "venv", "--clear", "venv"]).current_dir(&folder))?;
        let pip =
            ["-m", "pip", "install", "--quiet", "--require-hashes", "--requirement", "requirements.txt"];
        output(Command::new(folder.join("venv/bin/python")).args(pip).current_dir(&folder))?;
    }
    fs::write(mark, lock)?;
    Ok(folder)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        // What somebody installed by hand in the source is theirs.
        if entry.file_name() == "node_modules" || entry.file_name() == "__pycache__" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// A program of the folder, by its whole path, or one of the system's.
fn program_in(folder: &Path, program: &str) -> PathBuf {
    if program.contains('/') { folder.join(program) } else { PathBuf::from(program) }
}

/// What a command says. Where it fails, the end of what it complains of.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{} can't be started: {error}", command.get_program().to_string_lossy()))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> =
        complaint.lines().chain(said.lines()).filter(|line| !line.trim().is_empty()).collect();
    let last = lines.get(lines.len().saturating_sub(4)..).unwrap_or_default();
    Err(format!("{} failed: {}", command.get_program().to_string_lossy(), last.join(" / ")).into())
}

/// A session as a seed prints it.
fn session(line: &str) -> Option<Session> {
    let members: Value = serde_json::from_str(line).ok()?;
    let member = |name: &str| Some(members.get(name)?.as_str()?.to_owned());
    Some(Session {
        user: member("user")?,
        access: member("access")?,
        refresh: member("refresh")?,
        csrf: member("csrf")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_has_a_lock_file_that_names_hashes() {
        let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        for entry in fs::read_dir(peers).unwrap() {
            let folder = entry.unwrap().path();
            let locks =
                ["requirements.txt", "package-lock.json"].map(|lock| fs::read_to_string(folder.join(lock)));
            let lock = locks.into_iter().find_map(Result::ok).unwrap();
            assert!(
                lock.contains("--hash=sha256:") || lock.contains("\"integrity\": \"sha512-"),
                "{}",
                folder.display()
            );
        }
    }

    #[test]
    fn a_seeds_line_is_a_session() {
        let found = session(r#"{"user": "user-1", "access": "a", "refresh": "r", "csrf": ""}"#).unwrap();
        assert_eq!((&*found.user, &*found.refresh), ("user-1", "r"));
        assert!(session("Applying migrations").is_none());
    }
}
