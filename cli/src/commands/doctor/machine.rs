//! What the machine gives: room on the disk, descriptors, memory.

use std::fs;
use std::path::Path;

use rustix::process::{Resource, getrlimit};

use super::Installation;
use super::finding::Finding;

/// Descriptors beside those of clients and their calls: databases, files, probes.
const BESIDE: u64 = 256;

/// Looks at all of it.
pub(super) fn examine(of: &Installation) -> Vec<Finding> {
    let mut findings = vec![disk(of)];
    if of.has_gateway() {
        findings.push(descriptors(of));
    }
    if of.has("users") {
        findings.push(memory(of));
    }
    findings
}

fn disk(of: &Installation) -> Finding {
    const CHECK: &str = "disk";
    let folder = of.settings.data_dir.as_path();
    let nearest = folder.ancestors().find(|ancestor| ancestor.is_dir()).unwrap_or(Path::new("."));
    // What is no disk has no blocks.
    let Some(room) = rustix::fs::statvfs(nearest).ok().filter(|room| room.f_blocks > 0) else {
        return Finding::skipped(
            CHECK,
            format!("how full the disk of {} is can't be told", folder.display()),
        );
    };
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    if free < of.free_bytes {
        return Finding::fault(
            CHECK,
            format!("{} MiB are free where {} is", free / MIB, folder.display()),
            "On a full disk every change is refused with 503, and so is signing in.",
            "Make room there, or move the folder (data_dir) to a larger disk.",
        );
    }
    Finding::good(CHECK, format!("{} MiB are free where {} is", free / MIB, folder.display()))
}

const MIB: u64 = 1024 * 1024;

/// A client that is being answered costs a second one, to the service; most only hold their connection.
fn descriptors(of: &Installation) -> Finding {
    const CHECK: &str = "descriptors";
    let connections = of.settings.gateway.max_connections as u64;
    let needed = connections + connections / 4 + BESIDE;
    let limit = of
        .running
        .as_ref()
        .and_then(|run| limit_of(run.pid))
        // `serve` raises its own as far as it may.
        .or_else(|| getrlimit(Resource::Nofile).maximum);
    match limit {
        Some(limit) if limit < needed => Finding::fault(
            CHECK,
            format!("a process may have {limit} open files, and gateway.max_connections is {connections}"),
            "Past the limit connections are refused before the gateway can say anything.",
            format!(
                "Raise it to {needed} (`ulimit -Hn`, LimitNOFILE= of systemd, ulimits.nofile of Compose), or set \
                 gateway.max_connections to {} at most.",
                limit.saturating_sub(BESIDE) * 4 / 5
            ),
        ),
        Some(limit) => Finding::good(CHECK, format!("{limit} open files are enough")),
        None => Finding::good(CHECK, "there is no limit on open files"),
    }
}

/// How many files a process that runs may have open.
pub(in crate::commands) fn limit_of(pid: u32) -> Option<u64> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find(|line| line.starts_with("Max open files"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

/// All workers hash at once when many sign in.
fn memory(of: &Installation) -> Finding {
    const CHECK: &str = "memory";
    let workers = of.settings.hash_workers() as u64;
    let needed = u64::from(of.settings.users.argon2_memory_kib) * workers / 1024;
    let Some(given) = memory_mib() else {
        return Finding::skipped(CHECK, "how much memory there is can't be told");
    };
    if needed > given / 2 {
        return Finding::fault(
            CHECK,
            format!("hashing passwords can take {needed} MiB, and {given} MiB are all there is"),
            format!(
                "{workers} workers take users.argon2_memory_kib each; past the memory the process is killed."
            ),
            "Lower users.hash_workers or users.argon2_memory_kib (19456 is enough), or give it more memory.",
        );
    }
    Finding::good(CHECK, format!("hashing passwords takes {needed} of {given} MiB at most"))
}

/// Of the machine, or of the group that this process is in, in MiB.
fn memory_mib() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let machine = line.split_whitespace().next()?.parse::<u64>().ok()? / 1024;
    let group = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let group = group.and_then(|text| text.trim().parse::<u64>().ok()).map(|bytes| bytes / MIB);
    Some(group.map_or(machine, |group| group.min(machine)))
}
