//! A server process: started on a free port, watched through `/proc`, killed when dropped.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::client::Client;

/// How long a server may take until it is ready.
const START_MAX: Duration = Duration::from_mins(1);

/// How often we look for the first answer.
const POLL: Duration = Duration::from_millis(1);

/// Clock ticks in a second, as Linux reports them in `/proc` on every platform.
const TICKS_PER_SECOND: f64 = 100.0;

/// A running server.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From the start of the process to the first answer.
    pub(crate) started_in: Duration,
}

impl Server {
    /// Starts isthmus on a data directory. Its output goes to a file beside that directory.
    pub(crate) async fn isthmus(binary: &Path, data: &Path) -> Result<Server> {
        let address = free_address()?;
        let mut command = Command::new(binary);
        command.arg("serve").arg("--data").arg(data);
        command.arg("--listen").arg(address.to_string());
        let log = data.with_extension("log");
        Server::start(command, address, log, "/health/ready").await
    }

    /// Starts a command that will answer on an address, and waits for its first success.
    pub(crate) async fn start(
        mut command: Command,
        address: SocketAddr,
        log: PathBuf,
        path: &str,
    ) -> Result<Server> {
        let output = File::create(&log)?;
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        let start = Instant::now();
        let child = command.spawn().context("cannot start the server")?;
        let mut server = Server {
            child,
            address,
            started_in: Duration::ZERO,
        };
        let mut client = Client::new(address);
        while !client
            .get(path)
            .await
            .is_ok_and(|it| it.status.is_success())
        {
            if start.elapsed() > START_MAX || server.child.try_wait()?.is_some() {
                let log = std::fs::read_to_string(&log).unwrap_or_default();
                bail!("the server did not become ready; it said: {log}");
            }
            tokio::time::sleep(POLL).await;
        }
        server.started_in = start.elapsed();
        Ok(server)
    }

    /// Kills the process without a chance to tidy up.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Processor time used so far by all threads, in microseconds.
    pub(crate) fn cpu_us(&self) -> Result<f64> {
        Ok(cpu_seconds(self.child.id())? * 1e6)
    }

    /// Memory in use, in megabytes.
    pub(crate) fn memory_mb(&self) -> Result<f64> {
        status_mb(self.child.id(), "VmRSS:")
    }

    /// The most memory that was ever in use, in megabytes.
    pub(crate) fn memory_peak_mb(&self) -> Result<f64> {
        status_mb(self.child.id(), "VmHWM:")
    }
}

/// Processor time that a process has used so far with all its threads.
pub(crate) fn cpu_seconds(process: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name in brackets may hold blanks; user and system time are the 14th and 15th field.
    let (_, fields) = stat
        .rsplit_once(')')
        .context("/proc/PID/stat has no name")?;
    let ticks = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / TICKS_PER_SECOND)
}

/// A line of what Linux says of a process, in megabytes.
pub(crate) fn status_mb(process: u32, key: &str) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let number = line.and_then(|it| it.split_whitespace().next());
    let kilobytes: f64 = number
        .with_context(|| format!("no `{key}` in /proc"))?
        .parse()?;
    Ok(kilobytes / 1024.0)
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be dead already, which is what we want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address of the loopback that nobody listens on now.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Bytes that a folder takes on disk, counted in blocks.
pub(crate) fn disk_bytes(folder: &Path) -> Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // A file may go away between listing and asking while the server tidies up.
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        bytes += if metadata.is_dir() {
            disk_bytes(&entry.path()).unwrap_or(0)
        } else {
            metadata.blocks() * 512
        };
    }
    Ok(bytes)
}
