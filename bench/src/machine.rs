//! The machine: which core does what, what processes cost, and what it is, for the report.

use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Result;

/// Where something runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cores {
    /// The core of what is measured.
    Server,
    /// The core of what measures.
    Loader,
    /// Both of these.
    Both,
}

/// The two cores of the benchmark: the first and the last that this process may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    server: usize,
    loader: usize,
}

impl Machine {
    pub(crate) fn new() -> Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
        match (cores.next(), cores.next_back()) {
            (Some(server), Some(loader)) => Ok(Self { server, loader }),
            _ => Err("the benchmarks need two cores: one for what is measured, one for what measures".into()),
        }
    }

    /// Runs `work` on these cores; whatever process it starts stays there.
    pub(crate) fn on<T>(self, cores: Cores, work: impl FnOnce() -> T) -> Result<T> {
        let before = sched_getaffinity(None)?;
        sched_setaffinity(None, &self.set(cores))?;
        let outcome = work();
        sched_setaffinity(None, &before)?;
        Ok(outcome)
    }

    fn set(self, cores: Cores) -> CpuSet {
        let mut set = CpuSet::new();
        if cores != Cores::Loader {
            set.set(self.server);
        }
        if cores != Cores::Server {
            set.set(self.loader);
        }
        set
    }
}

/// What the processes of a group have used of the processor so far.
pub(crate) fn cpu_time(group: u32) -> Duration {
    let ticks: u64 = stats(group).map(|stat| stat.ticks).sum();
    Duration::from_millis(ticks * 10) // USER_HZ is 100 wherever Linux runs
}

/// The memory of a group's processes, in KiB: the proportional set size, in which what several share counts once.
pub(crate) fn memory(group: u32) -> u64 {
    stats(group)
        .filter_map(|stat| fs::read_to_string(format!("/proc/{}/smaps_rollup", stat.process)).ok())
        .filter_map(|rollup| {
            let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        })
        .sum()
}

struct Stat {
    process: u32,
    ticks: u64,
}

/// The processes of a group, from `/proc/<pid>/stat`.
fn stats(group: u32) -> impl Iterator<Item = Stat> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter_map(move |entry| {
        let process: u32 = entry.file_name().to_str()?.parse().ok()?;
        let text = fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name, in parentheses, may hold anything.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
        // state ppid pgrp … utime stime: fields 3, 4, 5, 14, 15 of proc(5).
        (number(2)? == u64::from(group)).then_some(Stat { process, ticks: number(11)? + number(12)? })
    })
}

/// A port that nobody holds at this moment.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// The machine and its programs, for the report: a name and what it is.
pub(crate) fn described() -> Vec<(&'static str, String)> {
    let first = |path: &str, key: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.trim().strip_prefix([':', '=']));
        line.unwrap_or("unknown").trim().trim_matches('"').to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    vec![
        ("processor", format!("{}, {cores} cores", first("/proc/cpuinfo", "model name"))),
        ("memory", first("/proc/meminfo", "MemTotal")),
        ("kernel", said("uname -sr")),
        ("system", first("/etc/os-release", "PRETTY_NAME")),
        ("file system of the stores", said("stat --file-system --format %T target")),
        ("Rust", said("rustc --version")),
        ("Node.js", said("node --version")),
        ("Python", said("python3 --version")),
    ]
}

/// The commit that this was built from; marked where files that it is made of differ from it. What a run of the
/// benchmark writes is none of them.
pub(crate) fn built_from() -> String {
    let commit = said("git rev-parse --short HEAD");
    let changed = said(
        "git status --porcelain --untracked-files=no -- :/ :!/bench/RESULTS.md :!/bench/*.svg :!/README.md",
    );
    if changed == "none" { commit } else { format!("{commit}-dirty") }
}

/// The first line that a command says; `none` where there is no such command.
fn said(line: &str) -> String {
    let mut words = line.split_whitespace();
    let output = Command::new(words.next().unwrap_or_default()).args(words).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or("none").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_of_a_group_of_its_own_is_weighed() {
        use std::os::unix::process::CommandExt;
        let mut child = Command::new("sleep").arg("60").process_group(0).spawn().unwrap();
        let (memory, elsewhere) = (memory(child.id()), memory(u32::MAX));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(memory > 0);
        assert_eq!(elsewhere, 0);
    }
}
