//! `cargo xtask bench`: builds the release binary and the load generator (`xtask/bench`) and runs
//! the second on the first. Separate, so that `cargo xtask test` need not compile the generator.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::workspace;

/// Builds both binaries in release mode; the arguments are the generator's.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let mut build = workspace::cargo();
    build.args([
        "build",
        "--release",
        "--package",
        "isthmus",
        "--bin",
        "isthmus",
    ]);
    if !build.status().context("cannot start cargo")?.success() {
        return Ok(ExitCode::FAILURE);
    }
    let mut bench = workspace::cargo();
    bench.args([
        "run",
        "--release",
        "--package",
        "xtask",
        "--features",
        "bench",
    ]);
    bench.args(["--bin", "bench", "--"]).args(arguments);
    let status = bench.status().context("cannot start cargo")?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
