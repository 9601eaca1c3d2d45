//! The binary as a child process.

use std::fs::File;
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::http::Connection;

/// How long a server may take to answer after its start.
const START_PATIENCE: Duration = Duration::from_mins(1);

/// The binary under test: `ISTHMUS_BIN`, else the one that cargo built beside the tests.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("ISTHMUS_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().expect("a test knows its own path");
    let folder = test
        .parent()
        .and_then(Path::parent)
        .expect("tests lie in target/<profile>/deps");
    let path = folder.join("isthmus");
    assert!(
        path.exists(),
        "{} is missing: cargo build -p isthmus",
        path.display()
    );
    path
}

/// A command of the binary, without settings from the environment.
pub fn isthmus() -> Command {
    let mut command = Command::new(binary());
    let settings: Vec<_> = std::env::vars()
        .map(|(name, _)| name)
        .filter(|it| it.starts_with("ISTHMUS_"))
        .collect();
    for name in settings {
        command.env_remove(name);
    }
    command
}

/// Runs a command to its end.
pub fn run(arguments: &[&str]) -> Output {
    isthmus().args(arguments).output().expect("the binary runs")
}

/// Runs a command that must succeed; gives what it printed.
pub fn succeed(arguments: &[&str]) -> String {
    printed(arguments, run(arguments))
}

/// Runs a command that must succeed with that on its standard input; gives what it printed.
pub fn fed(arguments: &[&str], input: &[u8]) -> String {
    let mut command = isthmus();
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = pipes
        .stderr(Stdio::piped())
        .args(arguments)
        .spawn()
        .expect("the binary runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).expect("the command reads"));
        child.wait_with_output().expect("the binary ends")
    });
    printed(arguments, output)
}

fn printed(arguments: &[&str], output: Output) -> String {
    assert!(
        output.status.success(),
        "{arguments:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// A serving process; killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// What it logged.
    pub log: PathBuf,
}

impl Server {
    /// Serves this directory; waits until it is ready.
    pub fn start(data: &Path) -> Self {
        Self::start_with(isthmus(), data, &[])
    }

    /// Serves with a prepared command (an environment, a wrapper) and more arguments.
    pub fn start_with(command: Command, data: &Path, arguments: &[&str]) -> Self {
        Self::try_start(command, data, arguments).unwrap_or_else(|why| panic!("{why}"))
    }

    /// Serves again where a killed one did.
    pub fn start_at(data: &Path, address: &str) -> Self {
        let address = address.parse().expect("an address");
        Self::serve(isthmus(), data, &[], address).unwrap_or_else(|why| panic!("{why}"))
    }

    /// The same; gives what it logged if it ends instead of becoming ready.
    pub fn try_start(command: Command, data: &Path, arguments: &[&str]) -> Result<Self, String> {
        Self::serve(command, data, arguments, free_address())
    }

    fn serve(
        mut command: Command,
        data: &Path,
        arguments: &[&str],
        address: SocketAddr,
    ) -> Result<Self, String> {
        let log = data.with_extension("log");
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .expect("a log file");
        let child = command
            .arg("serve")
            .arg("--data")
            .arg(data)
            .args(["--listen", &address.to_string()])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a second handle"))
            .stderr(file)
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut server = Self {
            child,
            address,
            log,
        };
        server.wait_until_ready()?;
        Ok(server)
    }

    fn wait_until_ready(&mut self) -> Result<(), String> {
        let began = Instant::now();
        while began.elapsed() < START_PATIENCE {
            if let Some(status) = self.child.try_wait().map_err(|error| error.to_string())? {
                let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                return Err(format!("the server ended with {status}: {log}"));
            }
            if self
                .connect()
                .get("/health/ready")
                .is_ok_and(|answer| answer.status == 200)
            {
                return Ok(());
            }
            pause();
        }
        Err("the server did not become ready".to_owned())
    }

    /// A new connection.
    pub fn connect(&self) -> Connection {
        Connection::to(self.address)
    }

    /// A FHIR base of it.
    pub fn base(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`
    pub fn kill(mut self) {
        self.child.kill().expect("it is our child");
        self.child.wait().expect("it is our child");
    }

    /// Asks it to stop (`SIGTERM`) and waits for its end.
    pub fn stop(mut self) -> io::Result<std::process::ExitStatus> {
        // The shell has `kill` built in; a program of that name is not on every machine.
        Command::new("sh")
            .args(["-c", &format!("kill {}", self.pid())])
            .status()?;
        self.child.wait()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address on the loopback that nobody listens on.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound")
}

/// A short pause between two looks at something that another process does.
pub fn pause() {
    // tidy: sleep: waiting for another process, in a bounded loop
    std::thread::sleep(Duration::from_millis(5));
}
