//! `isthmus check`: read everything that is stored and name what is damaged.

use clap::{ArgMatches, Command};
use serde_json::json;

use super::print;
use crate::config::Config;
use crate::wire;

pub(crate) fn arguments(command: Command) -> Command {
    command.arg(super::load::json_switch())
}

/// Checks a data directory that no other process holds; exit code 1 if anything is damaged.
pub(crate) fn run(config: &Config, arguments: &ArgMatches) -> anyhow::Result<u8> {
    let findings = wire::check(config)?;
    if arguments.get_flag("json") {
        let list: Vec<_> = findings
            .iter()
            .map(|it| json!({"place": it.place, "what": it.what}))
            .collect();
        print(&json!({ "findings": list }).to_string());
    } else {
        for finding in &findings {
            print(&format!("{}: {}", finding.place, finding.what));
        }
        print(&format!("{} findings", findings.len()));
    }
    Ok(if findings.is_empty() {
        crate::DONE
    } else {
        crate::FOUND_FAULTS
    })
}
