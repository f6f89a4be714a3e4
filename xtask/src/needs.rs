//! What a check needs on the machine: how one sees that it is there, and how it gets there.

use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};

/// A program that a check can't do without.
pub(crate) struct Need {
    pub(crate) name: &'static str,
    /// It is there when one of these commands succeeds.
    pub(crate) probes: &'static [&'static str],
    pub(crate) install: Install,
}

/// How a missing program is installed.
#[derive(Clone, Copy)]
pub(crate) enum Install {
    /// A package of Debian and its kin, installed without asking where we are root.
    Debian(&'static str),
    /// A component of the Rust toolchain, installed where rustup is.
    Rustup(&'static str),
    /// A crate's program, at the version that `Cargo.lock` has: it has to fit the library of that version. So it is
    /// there when it tells that version, whatever the probes say.
    Cargo(&'static str),
}

impl Need {
    /// Sees to it that the program is there, or says in one sentence why it isn't.
    pub(crate) fn provide(&self) -> Result<(), String> {
        if self.is_met() {
            return Ok(());
        }
        if self.install.is_possible() {
            println!("installing {}: {}", self.name, self.install);
            self.install.run();
            if self.is_met() {
                return Ok(());
            }
        }
        Err(format!("{} is missing (`{}` installs it)", self.name, self.install))
    }

    fn is_met(&self) -> bool {
        match self.install {
            Install::Cargo(program) => tells_locked_version(program),
            Install::Debian(_) | Install::Rustup(_) => self.probes.iter().any(|probe| succeeds(probe)),
        }
    }
}

impl Install {
    fn is_possible(self) -> bool {
        match self {
            Self::Debian(_) => Path::new("/etc/debian_version").exists() && is_root(),
            Self::Rustup(_) => succeeds("rustup --version"),
            Self::Cargo(_) => true,
        }
    }

    /// Whether it worked is seen by asking for the program again.
    fn run(self) {
        let line = self.to_string();
        for step in line.split(" && ") {
            if let Err(error) = command(step).env("DEBIAN_FRONTEND", "noninteractive").status() {
                eprintln!("{step}: {error}");
            }
        }
    }
}

/// The commands that one would type.
impl fmt::Display for Install {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Debian(package) => write!(f, "apt-get update && apt-get install --yes {package}"),
            Self::Rustup(component) => write!(f, "rustup component add {component}"),
            Self::Cargo(program) => {
                let version = locked_version(program).unwrap_or_default();
                write!(f, "cargo install {program} --locked --version {version}")
            }
        }
    }
}

/// The version that `Cargo.lock` has of a crate.
fn locked_version(name: &str) -> Option<String> {
    let lock = std::fs::read_to_string(crate::root().join("Cargo.lock")).ok()?;
    let (_, package) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    package.split_once('"').map(|(version, _)| version.to_owned())
}

fn tells_locked_version(program: &str) -> bool {
    let told = command(&format!("{program} --version")).output();
    let told = told.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    locked_version(program)
        .is_some_and(|version| told.is_ok_and(|told| told == format!("{program} {version}")))
}

/// A command from the words of a line (no quoting), to be run in the root of the repository.
pub(crate) fn command(line: &str) -> Command {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).current_dir(crate::root());
    command
}

/// Whether a command is there and ends well, without a word.
pub(crate) fn succeeds(line: &str) -> bool {
    let status = command(line).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Whether a command is there and ends well. What it says is shown.
pub(crate) fn succeeds_aloud(line: &str) -> bool {
    command(line).stdin(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn is_root() -> bool {
    command("id -u").output().is_ok_and(|output| output.stdout == b"0\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(probes: &'static [&'static str]) -> Need {
        Need { name: "a thing", probes, install: Install::Rustup("no-such-component") }
    }

    #[test]
    fn a_program_that_is_there_is_not_installed() {
        assert_eq!(need(&["no-such-program --version", "cargo --version"]).provide(), Ok(()));
    }

    #[test]
    fn a_crate_of_the_lock_file_has_a_version_and_no_other_has() {
        assert!(locked_version("gungraun-runner").is_some_and(|version| version.split('.').count() == 3));
        assert_eq!(locked_version("no-such-crate"), None);
        assert!(!tells_locked_version("cargo"));
    }

    #[test]
    fn a_command_that_fails_is_no_sign_of_a_program() {
        assert!(!need(&["cargo no-such-command"]).is_met());
    }
}
