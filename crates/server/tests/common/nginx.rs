//! nginx, with the configuration of `deploy/nginx`: its nodes, ports and certificate replaced by a test's.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// The folder of the configurations.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/nginx")
}

/// A file of that folder, with these texts replaced: each must be there.
pub(crate) fn configuration(file: &str, replaced: &[(&str, &str)]) -> String {
    let mut text = fs::read_to_string(folder().join(file)).unwrap();
    for (from, to) in replaced {
        assert!(text.contains(from), "{file} has no {from}");
        text = text.replace(from, to);
    }
    text
}

/// An nginx with a folder of its own.
pub(crate) struct Nginx {
    folder: tempfile::TempDir,
    process: Option<Child>,
}

impl Nginx {
    /// With what goes inside `http { … }`.
    pub(crate) fn new(http: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let http = http.replace("/etc/nginx/countersign/", &format!("{}/", self::folder().display()));
        let mut text = String::from("worker_processes 2;\npid nginx.pid;\nerror_log error.log warn;\n");
        if is_root() {
            // Its workers have to reach this folder.
            text += "user root;\n";
        }
        text += "events { worker_connections 1024; }\nhttp {\naccess_log off;\n";
        for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
            writeln!(text, "{kind}_temp_path {kind};").unwrap();
        }
        writeln!(text, "{http}\n}}").unwrap();
        fs::write(folder.path().join("nginx.conf"), text).unwrap();
        Self { folder, process: None }
    }

    /// Whether nginx takes the configuration; what it says else.
    pub(crate) fn check(&self) -> Result<(), String> {
        let Output { status, stderr, .. } = self.command().arg("-t").output().unwrap();
        if status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&stderr).into_owned()) }
    }

    /// Starts it. A connection to its port is answered once this returns, or soon after.
    pub(crate) fn start(mut self) -> Self {
        self.check().unwrap();
        self.process = Some(self.command().args(["-g", "daemon off;"]).spawn().unwrap());
        self
    }

    fn command(&self) -> Command {
        // Debian keeps it where only root looks for programs.
        let program =
            ["/usr/sbin/nginx", "/usr/local/sbin/nginx"].iter().find(|path| Path::new(path).exists());
        let mut command = Command::new(program.unwrap_or(&"nginx"));
        let folder = self.folder.path();
        command.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf")).args(["-e", "stderr"]);
        command.stdin(Stdio::null());
        command
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let Some(process) = &mut self.process else { return };
        // Told to stop, the master ends its workers; killed, it would leave them behind.
        let _ = Command::new("kill").arg(process.id().to_string()).status();
        let _ = process.wait();
    }
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().unwrap().stdout == b"0\n"
}
