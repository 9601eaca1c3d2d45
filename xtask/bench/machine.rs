//! Where it was measured: absolute figures mean nothing without it.

use std::fs::read_to_string;
use std::path::Path;
use std::process::Command;

/// Processor, memory, system, disk and compiler, one a line.
pub(crate) fn describe(scratch: &Path) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned());
    let memory = field("/proc/meminfo", "MemTotal").unwrap_or_default();
    let kernel = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let compiler = Command::new("rustc").arg("-V").output();
    let compiler = compiler.map_or(String::new(), |it| {
        String::from_utf8_lossy(&it.stdout).into()
    });
    [
        format!("processor  {processor}, {cores} cores"),
        format!("memory     {memory}"),
        format!("system     Linux {}", kernel.trim()),
        format!("disk       {}", filesystem(scratch)),
        format!("compiler   {}", str::trim(&compiler)),
    ]
    .join("\n")
}

/// The value of the first line `key : value`.
fn field(file: &str, key: &str) -> Option<String> {
    let text = read_to_string(file).ok()?;
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines
        .filter(|(name, _)| name.trim() == key)
        .map(|(_, value)| value.trim().to_owned())
        .next()
}

/// The kind of file system below a folder: the mount with the longest path that leads to it.
fn filesystem(folder: &Path) -> String {
    let mounts = read_to_string("/proc/mounts").unwrap_or_default();
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?, words.next()?, words.next()?))
    });
    let below = mounts.filter(|(_, mount, _)| folder.starts_with(mount));
    let nearest = below.max_by_key(|(_, mount, _)| mount.len());
    nearest.map_or("unknown".to_owned(), |(device, _, kind)| {
        format!("{kind} on {device}")
    })
}
