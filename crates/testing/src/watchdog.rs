//! Ends a cluster with the test that started it, however that ends: even one that is killed leaves nothing behind.
//!
//! A shell waits for the end of its standard input, whose other end this process alone holds: the kernel closes it
//! with the process. Then the shell ends what runs in the cluster's folder, and removes it.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const SCRIPT: &str = r#"
folder=$0
trap '' INT TERM HUP
read -r _
running() {
    for process in /proc/[0-9]*; do
        [ "$(readlink "$process/cwd")" = "$folder/data" ] && echo "${process#/proc/}"
    done 2>/dev/null
}
[ -f "$folder/data/postmaster.pid" ] && kill -QUIT "$(head -n 1 "$folder/data/postmaster.pid")" 2>/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ -z "$(running)" ] && break
    sleep 0.1
done
for process in $(running); do kill -KILL "$process" 2>/dev/null; done
rm -rf "$folder"
"#;

pub(crate) struct Watchdog(Child);

impl Watchdog {
    /// Watches over this folder, which it removes.
    pub(crate) fn over(folder: &Path) -> Self {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(SCRIPT).arg(folder).current_dir("/").process_group(0);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(shell.spawn().expect("no shell"))
    }
}

/// Waits until nothing is left.
impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
