//! Python with Django, and the projects that it makes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

const PROJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/django/project");
const REQUIREMENTS: &str = include_str!("project/requirements.txt");

/// A Django project that was made.
pub(crate) struct Project {
    kind: &'static str,
    /// As Django is given it.
    pub(crate) url: String,
}

/// A user of a Django project, as Django tells of them.
pub(crate) struct Known {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) password: String,
}

impl Project {
    /// Django's own users, in an SQLite file: one under each of its hashers, and some that are trouble.
    pub(crate) fn plain(file: &Path) -> Self {
        Self::copy("plain", file)
    }

    /// A custom user model, in an SQLite file.
    pub(crate) fn custom(file: &Path) -> Self {
        Self::copy("custom", file)
    }

    /// The same, in an empty database of whatever kind.
    pub(crate) fn make(kind: &'static str, url: &str) -> Self {
        let project = Self { kind, url: url.to_owned() };
        project.run("make");
        project
    }

    fn copy(kind: &'static str, file: &Path) -> Self {
        fs::copy(place().join(kind), file).unwrap();
        Self { kind, url: sqlite(file) }
    }

    /// What happens there after the first import.
    pub(crate) fn change(&self) {
        self.run("change");
    }

    /// The users.
    pub(crate) fn users(&self) -> Vec<Known> {
        let told: Value = serde_json::from_slice(&self.run("tell")).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let known = |user: &Value| Known {
            id: user["id"].as_i64().unwrap(),
            name: text(&user["name"]),
            password: text(&user["password"]),
        };
        told.as_array().unwrap().iter().map(known).collect()
    }

    fn run(&self, act: &str) -> Vec<u8> {
        done(script("project.py").args([self.kind, act, &self.url]))
    }
}

/// One of the project's scripts, to be run.
pub(crate) fn script(name: &str) -> Command {
    script_by(&place().join("bin/python"), name)
}

fn script_by(python: &Path, name: &str) -> Command {
    let mut command = command(python);
    command.arg(Path::new(PROJECT).join(name));
    command
}

/// Where a Python with Django is, and both projects, as they are before a test works on a copy. It is made by whoever
/// needs it first, and again when the requirements or the project have changed.
fn place() -> &'static Path {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    PLACE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("django");
        let (python, ready) = (folder.join("bin/python"), folder.join("ready"));
        let wanted =
            [REQUIREMENTS, include_str!("project/project.py"), include_str!("project/accounts/models.py")];
        let wanted = wanted.concat();
        // Another process may be at it.
        let lock = fs::File::create(Path::new(env!("CARGO_TARGET_TMPDIR")).join("django.lock")).unwrap();
        lock.lock().unwrap();
        if fs::read_to_string(&ready).is_ok_and(|made| made == wanted) {
            return folder;
        }
        let _ = fs::remove_dir_all(&folder);
        done(command("python3").args(["-m", "venv"]).arg(&folder));
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
        done(command(&python).args(install).arg(Path::new(PROJECT).join("requirements.txt")));
        for kind in ["plain", "custom"] {
            done(script_by(&python, "project.py").args([kind, "make", &sqlite(&folder.join(kind))]));
        }
        fs::write(&ready, wanted).unwrap();
        folder
    })
}

fn sqlite(file: &Path) -> String {
    format!("sqlite:{}", file.display())
}

fn command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    command.env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null());
    command
}

/// What a command that ended well has said.
fn done(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
