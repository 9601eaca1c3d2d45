//! The workshop of the repository: testing, tidiness, generated tables and benchmarks, as
//! `cargo xtask COMMAND`. It is compiled before everything else and so stays light; the load
//! generator of the benchmarks is a binary of its own (`xtask/bench`). Nothing here is shipped.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line talks to its user"
)]

use std::process::ExitCode;

mod bench;
mod codegen;
mod library;
mod test;
mod tidy;
mod workspace;

/// One subcommand: its name, what `cargo xtask` says about it, and the function that runs it.
struct Command {
    name: &'static str,
    about: &'static str,
    run: fn(&[String]) -> anyhow::Result<ExitCode>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "test",
        about: "everything that must hold; --long for long sweeps",
        run: test::run,
    },
    Command {
        name: "tidy",
        about: "the rules of the house",
        run: tidy::run,
    },
    Command {
        name: "codegen",
        about: "makes the definition tables; --from DIR instead of fetching",
        run: codegen::run,
    },
    Command {
        name: "library",
        about: "makes the HL7 v2 templates; --from DIR, the guide's mapping tables",
        run: library::run,
    },
    Command {
        name: "bench",
        about: "measures [WORKLOAD…] and the limits of each",
        run: bench::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let chosen = arguments
        .first()
        .and_then(|name| COMMANDS.iter().find(|it| it.name == name));
    let Some(command) = chosen else {
        eprintln!("usage: cargo xtask COMMAND");
        for command in COMMANDS {
            eprintln!("  {:<8} {}", command.name, command.about);
        }
        return ExitCode::from(2);
    };
    (command.run)(&arguments[1..]).unwrap_or_else(|fault| {
        eprintln!("xtask {}: {fault:#}", command.name);
        ExitCode::FAILURE
    })
}
