//! The `isthmus` program: command line, configuration, wiring. Nothing else lives here.

mod command;
mod config;
mod wire;

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use config::{Config, KEYS, Sources};

/// The command did what it was asked to.
const DONE: u8 = 0;
/// It worked, and found faults: invalid resources, rejects, damage.
const FOUND_FAULTS: u8 = 1;
/// The command line or the configuration is wrong.
const USAGE: u8 = 2;
/// It could not do its work.
const FAILED: u8 = 3;

fn main() -> ExitCode {
    let matches = program().get_matches();
    let config = match configuration(&matches) {
        Ok(config) => config,
        Err(faults) => {
            for fault in faults {
                say(&format!("isthmus: {fault}"));
            }
            return USAGE.into();
        }
    };
    let (name, arguments) = matches.subcommand().expect("clap demands one");
    let command = command::COMMANDS
        .iter()
        .find(|it| it.name == name)
        .expect("clap knows the same");
    match (command.run)(&config, arguments) {
        Ok(code) => code.into(),
        Err(error) => {
            say(&format!("isthmus {name}: {error:#}"));
            FAILED.into()
        }
    }
}

#[expect(clippy::print_stderr, reason = "a command line speaks to its user")]
fn say(text: &str) {
    eprintln!("{text}");
}

fn program() -> Command {
    let settings = KEYS.iter().map(|key| {
        Arg::new(key.name)
            .long(key.flag())
            .help(key.doc)
            .global(true)
            .hide(!command::SHOWN_SETTINGS.contains(&key.name))
            .value_name("VALUE")
            .num_args(0..=1)
            .require_equals(false)
            .default_missing_value("true")
            .action(ArgAction::Set)
    });
    Command::new("isthmus")
        .about("Joins health-data systems: a FHIR server and what surrounds it, in one program")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(
            Arg::new("config-file")
                .long("config")
                .global(true)
                .value_name("FILE")
                .help("configuration as TOML; `isthmus config` lists every setting"),
        )
        .args(settings)
        .subcommands(
            command::COMMANDS.iter().map(|command| {
                (command.arguments)(Command::new(command.name).about(command.about))
            }),
        )
}

fn configuration(matches: &ArgMatches) -> Result<Config, Vec<config::ConfigFault>> {
    let arguments = matches
        .subcommand()
        .map_or(matches, |(_, arguments)| arguments);
    let file = match arguments.get_one::<String>("config-file") {
        None => None,
        Some(path) => Some((path.into(), read_configuration(path)?)),
    };
    let environment = std::env::vars()
        .filter(|(name, _)| name.starts_with("ISTHMUS_") && !NOT_SETTINGS.contains(&name.as_str()));
    let flags = KEYS
        .iter()
        .filter_map(|key| Some((key.name, arguments.get_one::<String>(key.name)?.clone())));
    Config::load(&Sources {
        file,
        environment: environment.collect(),
        flags: flags.collect(),
    })
}

/// Variables of our tests that are no settings.
const NOT_SETTINGS: &[&str] = &["ISTHMUS_DATA", "ISTHMUS_BIN", "ISTHMUS_LONG"];

fn read_configuration(path: &str) -> Result<String, Vec<config::ConfigFault>> {
    std::fs::read_to_string(path).map_err(|error| {
        let what = format!("cannot be read: {error}");
        vec![config::ConfigFault {
            source: path.to_owned(),
            key: "(file)".to_owned(),
            what,
        }]
    })
}
