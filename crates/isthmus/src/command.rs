//! The subcommands, one file each; this table is what the command line is made of.

mod backup;
mod check;
pub(crate) mod convert;
mod fhirpath;
mod hl7v2;
mod load;
mod serve;
mod settings;
mod tenant;
mod validate;

use clap::{ArgMatches, Command};

use crate::config::Config;

/// A subcommand.
pub(crate) struct Subcommand {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it does, in a line.
    pub(crate) about: &'static str,
    /// Adds its arguments.
    pub(crate) arguments: fn(Command) -> Command,
    /// Runs it; gives the exit code.
    pub(crate) run: fn(&Config, &ArgMatches) -> anyhow::Result<u8>,
}

/// Settings that `--help` shows; the others are listed by `isthmus config`.
pub(crate) const SHOWN_SETTINGS: &[&str] =
    &["data", "listen", "allow_unauthenticated", "log.level"];

/// Every subcommand.
pub(crate) const COMMANDS: &[Subcommand] = &[
    Subcommand {
        name: "serve",
        about: "Serve FHIR over HTTP",
        arguments: serve::arguments,
        run: serve::run,
    },
    Subcommand {
        name: "load",
        about: "Load files of bundles and resources, into a server or a data directory",
        arguments: load::arguments,
        run: load::run,
    },
    Subcommand {
        name: "validate",
        about: "Check files of resources and show every fault",
        arguments: validate::arguments,
        run: validate::run,
    },
    Subcommand {
        name: "fhirpath",
        about: "Evaluate a FHIRPath expression on the resources of files",
        arguments: fhirpath::arguments,
        run: fhirpath::run,
    },
    Subcommand {
        name: "convert",
        about: "Convert HL7 v2, C-CDA, JSON and FHIR with a library of templates, or check one",
        arguments: convert::arguments,
        run: convert::run,
    },
    Subcommand {
        name: "hl7v2",
        about: "Send HL7 v2 messages by MLLP, or listen for them",
        arguments: hl7v2::arguments,
        run: hl7v2::run,
    },
    Subcommand {
        name: "tenant",
        about: "Create, list and delete tenants",
        arguments: tenant::arguments,
        run: tenant::run,
    },
    Subcommand {
        name: "backup",
        about: "Write a backup of a tenant, of a running server or a data directory",
        arguments: backup::backup_arguments,
        run: backup::backup,
    },
    Subcommand {
        name: "restore",
        about: "Restore a backup into an empty tenant of a data directory",
        arguments: backup::restore_arguments,
        run: backup::restore,
    },
    Subcommand {
        name: "check",
        about: "Read everything stored and name what is damaged",
        arguments: check::arguments,
        run: check::run,
    },
    Subcommand {
        name: "config",
        about: "Print the effective configuration with the source of each value",
        arguments: |command| command,
        run: settings::run,
    },
];

/// Prints a line of a command's result.
#[expect(
    clippy::print_stdout,
    reason = "a command's result goes to standard output"
)]
pub(crate) fn print(line: &str) {
    println!("{line}");
}
