//! PostgreSQL's programs on this machine, and the user that they run as.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where Debian and its kin keep them, one folder a version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The programs, and who runs them: root may not, so that for root it is the user `postgres`.
#[derive(Clone, Debug)]
pub struct Programs {
    /// None: they are found in the `PATH`.
    folder: Option<PathBuf>,
    run_as: Option<(u32, u32)>,
}

impl Programs {
    /// The newest version that is installed.
    pub fn find() -> Self {
        let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
        let versions = fs::read_dir(DEBIAN).into_iter().flatten().flatten().map(|entry| entry.path());
        let newest = versions.filter(|path| path.join("bin/postgres").exists()).max_by_key(version);
        let run_as = rustix::process::getuid().is_root().then(postgres_user);
        Self { folder: newest.map(|path| path.join("bin")), run_as }
    }

    /// A command that runs one of them. It is in a process group of its own, so that Ctrl-C in a terminal leaves it to
    /// whoever ends it in good order.
    pub fn command(&self, program: &str) -> Command {
        self.run(self.folder.as_ref().map_or_else(|| program.into(), |folder| folder.join(program)))
    }

    /// A command that runs another program as the same user: this one of the `PATH`, if it isn't where Debian has it.
    pub fn command_in_path(&self, program: &str, in_debian: &str) -> Command {
        self.run(if Path::new(in_debian).exists() { in_debian } else { program }.into())
    }

    fn run(&self, program: PathBuf) -> Command {
        let mut command = Command::new(program);
        command.process_group(0).env("LC_ALL", "C").env_remove("PGPASSWORD").current_dir("/");
        if let Some((user, group)) = self.run_as {
            command.uid(user).gid(group);
        }
        command
    }

    /// Gives a folder, or a file such as a private key, to the user that they run as.
    pub fn own(&self, path: &Path) {
        if let Some((user, group)) = self.run_as {
            std::os::unix::fs::chown(path, Some(user), Some(group)).expect("can't chown");
        }
    }
}

/// The user and group that Debian's packages make.
fn postgres_user() -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").expect("no /etc/passwd");
    let line = users.lines().find_map(|line| line.strip_prefix("postgres:")).expect(
        "PostgreSQL refuses to run as root, and there is no user `postgres`: `apt-get install postgresql` makes one",
    );
    let mut numbers = line.split(':').skip(1).map_while(|field| field.parse().ok());
    numbers.next().zip(numbers.next()).expect("the user `postgres` has no number")
}
