//! `cargo xtask test`: the one test command. Formatting, lints, tidiness, a build of everything,
//! then all tests with plain `cargo test`. It goes on after a fault where it can, and its last
//! lines say how many cases each suite ran, what was skipped and why.
//!
//! The binary that the end-to-end tests drive is built in the dev profile: our own crates without
//! optimisation, what they are built from with it. A release build costs more than it would save.

mod tally;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{tidy, workspace};
use tally::Tally;

/// The load generator as well, so that it is linted and tested with everything else.
const EVERYTHING: [&str; 3] = ["--workspace", "--features", "xtask/bench"];

#[derive(Clone, Copy, PartialEq)]
enum Sweeps {
    Short,
    Long,
}

/// Runs all steps. The exit code says whether all of them succeeded.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let sweeps = match arguments {
        [] => Sweeps::Short,
        [flag] if flag == "--long" => Sweeps::Long,
        _ => bail!("usage: cargo xtask test [--long]"),
    };
    print_data_folder();
    let mut tally = Tally::default();
    check(&mut tally, "format", || {
        cargo(&["fmt", "--all", "--check"], &[])
    });
    check(&mut tally, "clippy", || {
        cargo(&["clippy", "--all-targets"], &["--", "-D", "warnings"])
    });
    check(&mut tally, "tidy", || {
        Ok(tidy::run(&[])? == ExitCode::SUCCESS)
    });
    let mut binary = None;
    check(&mut tally, "build", || {
        binary = build()?;
        Ok(true)
    });
    if tally.holds("build") {
        let succeeded = timed("tests", || tests(binary, sweeps, &mut tally));
        tally.add_tests(succeeded);
    }
    print!("{tally}");
    Ok(if tally.failed() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn print_data_folder() {
    match workspace::data_folder() {
        Some(folder) if folder.is_dir() => println!("data sets: {}", folder.display()),
        Some(folder) => println!("data sets: none ({} is not there)", folder.display()),
        None => println!("data sets: none (neither ISTHMUS_DATA nor a home folder is set)"),
    }
}

fn check(tally: &mut Tally, name: &'static str, run: impl FnOnce() -> Result<bool>) {
    let succeeded = timed(name, run);
    tally.add_step(name, succeeded);
}

/// Runs a step and says how long it took. A step that cannot run has failed.
fn timed(name: &str, run: impl FnOnce() -> Result<bool>) -> bool {
    println!("== {name}");
    let start = Instant::now();
    let succeeded = run().unwrap_or_else(|fault| {
        eprintln!("{fault:#}");
        false
    });
    let outcome = if succeeded { "ok" } else { "FAILED" };
    println!(
        "== {name}: {outcome}, {:.1} s",
        start.elapsed().as_secs_f64()
    );
    succeeded
}

/// Runs a cargo command on the whole workspace; `last` comes after what selects it.
fn cargo(first: &[&str], last: &[&str]) -> Result<bool> {
    let everything: &[&str] = if first[0] == "fmt" { &[] } else { &EVERYTHING };
    let mut command = workspace::cargo();
    command.args(first).args(everything).args(last);
    Ok(command.status().context("cannot start cargo")?.success())
}

/// Builds all targets and returns the binary of the crate `isthmus`, if there is one.
fn build() -> Result<Option<PathBuf>> {
    let mut command = workspace::cargo();
    command.args([
        "build",
        "--all-targets",
        "--message-format",
        "json-render-diagnostics",
    ]);
    let mut child = command.args(EVERYTHING).stdout(Stdio::piped()).spawn()?;
    let stdout = child.stdout.take().expect("stdout is piped");
    let mut binary = None;
    for line in BufReader::new(stdout).lines() {
        let message: Value = serde_json::from_str(&line?)?;
        binary = executable(&message).or(binary);
    }
    if !child.wait()?.success() {
        bail!("it does not compile");
    }
    Ok(binary)
}

fn executable(message: &Value) -> Option<PathBuf> {
    let target = &message["target"];
    let is_binary = target["name"] == "isthmus"
        && target["kind"][0] == "bin"
        && message["profile"]["test"] == false;
    is_binary
        .then(|| message["executable"].as_str().map(PathBuf::from))
        .flatten()
}

/// Runs all tests; prints results, failures and suites as they come, not the rest.
fn tests(binary: Option<PathBuf>, sweeps: Sweeps, tally: &mut Tally) -> Result<bool> {
    let mut command = workspace::cargo();
    command
        .arg("test")
        .args(EVERYTHING)
        .args(["--no-fail-fast", "--", "--show-output"]);
    environment(&mut command, binary, sweeps);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    let stdout = child.stdout.take().expect("stdout is piped");
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        if tally.read_line(&line) {
            println!("{line}");
        }
    }
    Ok(child.wait()?.success())
}

/// What tests are told: where the binary is, and whether to take their time.
fn environment(command: &mut Command, binary: Option<PathBuf>, sweeps: Sweeps) {
    if let Some(binary) = binary {
        command.env("ISTHMUS_BIN", binary);
    }
    match sweeps {
        Sweeps::Short => command.env_remove("ISTHMUS_LONG"),
        Sweeps::Long => command.env("ISTHMUS_LONG", "1"),
    };
}
