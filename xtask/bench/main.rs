//! The load generator of the benchmarks. Its workloads follow.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(2)
}
