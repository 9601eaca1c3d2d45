//! `isthmus validate FILE…`: every fault of every resource, with its place and remedy.

use std::path::{Path, PathBuf};

use agents::load::source::{self, Source};
use bytes::Bytes;
use clap::{Arg, ArgMatches, Command, value_parser};
use fhir::validate::Options;
use fhir::{Definitions, FhirVersion, Issue, Severity};
use serde_json::json;

use super::print;
use crate::config::Config;

pub(crate) fn arguments(command: Command) -> Command {
    command
        .arg(
            Arg::new("files")
                .value_name("FILE")
                .required(true)
                .num_args(1..)
                .value_parser(value_parser!(PathBuf))
                .help("files and folders: .json, .ndjson, .xml, also with .gz, .bz2, .zst"),
        )
        .arg(
            Arg::new("fhir-version")
                .long("fhir-version")
                .value_parser(["r4", "stu3"])
                .default_value("r4"),
        )
        .arg(super::load::json_switch())
}

/// Validates; exit code 1 if any resource has an error.
pub(crate) fn run(config: &Config, arguments: &ArgMatches) -> anyhow::Result<u8> {
    let paths: Vec<PathBuf> = arguments
        .get_many("files")
        .expect("required")
        .cloned()
        .collect();
    let slug = arguments
        .get_one::<String>("fhir-version")
        .expect("it has a default");
    let version = FhirVersion::from_slug(slug).expect("clap checked it");
    let issues_max = config.size("fhir.issues_max");
    let as_json = arguments.get_flag("json");
    let (mut resources, mut faulty) = (0_u64, 0_u64);
    for source in source::find(&paths)? {
        for piece in source.pieces()? {
            let piece = piece?;
            for (line, text) in piece.texts {
                let issues = issues(&source, version, text, issues_max);
                resources += 1;
                faulty += u64::from(issues.iter().any(|it| it.severity <= Severity::Error));
                show(&source.path, line, &issues, as_json);
            }
        }
    }
    print_total(resources, faulty, as_json);
    Ok(if faulty == 0 {
        crate::DONE
    } else {
        crate::FOUND_FAULTS
    })
}

fn issues(source: &Source, version: FhirVersion, text: Bytes, issues_max: usize) -> Vec<Issue> {
    let options = Options {
        issues_max,
        ..Options::default()
    };
    match agents::load::parse(source.form, version, text) {
        Ok(document) => fhir::validate::validate(&document, Definitions::of(version), options),
        Err(issues) => issues,
    }
}

fn show(path: &Path, line: u64, issues: &[Issue], as_json: bool) {
    for issue in issues {
        let severity = format!("{:?}", issue.severity).to_lowercase();
        let at = issue.expression.join(", ");
        let remedy = issue.remedy.as_deref().unwrap_or_default();
        if as_json {
            let line = json!({
                "file": path.display().to_string(), "line": line, "severity": severity,
                "expression": issue.expression, "what": issue.what, "remedy": issue.remedy,
            });
            print(&line.to_string());
        } else {
            let remedy = if remedy.is_empty() {
                String::new()
            } else {
                format!(" ({remedy})")
            };
            print(&format!(
                "{}:{line}: {severity}: {at}: {}{remedy}",
                path.display(),
                issue.what
            ));
        }
    }
}

fn print_total(resources: u64, faulty: u64, as_json: bool) {
    if as_json {
        print(&json!({ "resources": resources, "faulty": faulty }).to_string());
    } else {
        print(&format!("{resources} checked, {faulty} with errors"));
    }
}
