//! `isthmus convert FILE…`: inputs through the templates of a folder, to standard output or into
//! files; `isthmus convert check DIR`: everything that is wrong with such a folder.

mod cases;
mod inputs;
mod library;
mod listing;
mod run;
mod scaffold;
mod sources;

use std::collections::HashSet;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::{Arg, ArgMatches, Command, value_parser};
use convert::{Level, Library, Processor};
use indicatif::ProgressBar;
use inputs::Found;
use interactions::Salt;
use listing::Listing;
use run::Run;
use serde_json::json;
use store::TenantId;

use super::print;
use crate::config::Config;

pub(crate) fn arguments(command: Command) -> Command {
    command
        .args_conflicts_with_subcommands(true)
        .subcommand_negates_reqs(true)
        .subcommand(
            Command::new("check")
                .about("Show everything that is wrong with a library of templates")
                .arg(folder("library").required(true))
                .arg(super::load::json_switch()),
        )
        .subcommand(cases::arguments())
        .subcommand(scaffold::arguments())
        .subcommand(library::arguments())
        .arg(
            Arg::new("files")
                .value_name("FILE")
                .required(true)
                .num_args(1..)
                .value_parser(value_parser!(PathBuf))
                .help(
                    "files and folders of messages and documents, or `-` for standard input; a file \
                     may hold several messages, .ndjson has one on each line, and .gz, .bz2 and .zst \
                     are unpacked",
                ),
        )
        .arg(folder("templates").long("templates").help(
            "a folder, a .tar.gz or an OCI image layout of templates, or one of ours by \
                     name [default: ours for the kind of input: HL7 v2 and C-CDA into FHIR, FHIR \
                     into HL7 v2]",
        ))
        .arg(Arg::new("root").long("root").value_name("NAME").help(
            "template to begin with, such as CCD [default: by the type of the message or document]",
        ))
        .arg(
            Arg::new("input")
                .long("input")
                .value_parser(Processor::names().collect::<Vec<_>>())
                .help("what the files are [default: what the library's metadata.json says, or how the first begins]"),
        )
        .args(output_arguments())
}

fn output_arguments() -> [Arg; 6] {
    [
        folder("out")
            .long("out")
            .help("write a file for each input here [default: standard output, one per line]"),
        Arg::new("rejects")
            .long("rejects")
            .value_name("FILE")
            .default_value("rejects.ndjson")
            .value_parser(value_parser!(PathBuf))
            .help("where inputs that fail are listed with their errors"),
        Arg::new("coverage")
            .long("coverage")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help("list here what of each input was left away, and why"),
        Arg::new("zone")
            .long("zone")
            .value_name("MINUTES")
            .allow_negative_numbers(true)
            .value_parser(value_parser!(i32).range(-840..=840))
            .help("zone of times that name none, in minutes east of UTC [default: the library's or UTC]"),
        Arg::new("tenant")
            .long("tenant")
            .value_name("NAME")
            .help("make ids as for this tenant: with its ids_salt [default: without a salt]"),
        Arg::new("timeout")
            .long("timeout")
            .value_name("SECONDS")
            .default_value("30")
            .value_parser(value_parser!(u64))
            .help("how long one conversion may take"),
    ]
}

fn folder(name: &'static str) -> Arg {
    Arg::new(name)
        .value_name("DIR")
        .value_parser(value_parser!(PathBuf))
}

/// Converts or checks; exit code 1 if an input or the library has a fault.
pub(crate) fn run(config: &Config, arguments: &ArgMatches) -> anyhow::Result<u8> {
    match arguments.subcommand() {
        Some(("test", inner)) => cases::run(inner),
        Some(("new", inner)) => scaffold::run(inner),
        Some(("library", inner)) => library::run(config, inner),
        Some((_, check)) => check_library(check),
        None => convert_files(config, arguments),
    }
}

fn path<'m>(arguments: &'m ArgMatches, name: &str) -> Option<&'m PathBuf> {
    arguments.get_one(name)
}

/// The library at that path, over its bases.
pub(crate) fn load(path: &Path) -> anyhow::Result<Library> {
    let library = Library::load_layers(&sources::layers(path)?);
    let shown = path.display();
    anyhow::ensure!(
        library.template_count() > 0,
        "{shown}: no .liquid file found"
    );
    Ok(library)
}

/// All files below a path, in order.
pub(crate) fn files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let (mut found, mut open) = (Vec::new(), vec![path.to_owned()]);
    while let Some(path) = open.pop() {
        if !path.is_dir() {
            found.push(path);
            continue;
        }
        for entry in std::fs::read_dir(&path).with_context(|| path.display().to_string())? {
            open.push(entry?.path());
        }
    }
    found.sort();
    Ok(found)
}

fn check_library(arguments: &ArgMatches) -> anyhow::Result<u8> {
    let library = load(path(arguments, "library").expect("required"))?;
    let findings = library.check();
    let errors = findings
        .iter()
        .filter(|it| it.level == Level::Error)
        .count();
    if arguments.get_flag("json") {
        for it in &findings {
            let level = if it.level == Level::Error {
                "error"
            } else {
                "warning"
            };
            let line = json!({
                "level": level, "file": it.file, "line": it.line, "column": it.column,
                "what": it.what,
            });
            print(&line.to_string());
        }
    } else {
        for finding in &findings {
            print(&finding.to_string());
        }
        let (templates, warnings) = (library.template_count(), findings.len() - errors);
        print(&format!(
            "{templates} templates, {errors} errors, {warnings} warnings"
        ));
    }
    Ok(if errors == 0 {
        crate::DONE
    } else {
        crate::FOUND_FAULTS
    })
}

fn convert_files(config: &Config, arguments: &ArgMatches) -> anyhow::Result<u8> {
    let tenant = arguments.get_one::<String>("tenant");
    let salt = tenant.map(|it| salt_of(config, it)).transpose()?;
    let input = arguments.get_one::<String>("input");
    let named = input.and_then(|name| Processor::from_name(name));
    let found = inputs::find(arguments.get_many("files").expect("required"))?;
    let library = match path(arguments, "templates") {
        Some(path) => load(path)?,
        None => ours(named, &found)?,
    };
    let library = &library;
    let own = library.processor();
    let processor = match named {
        // FHIR is what a library into HL7 v2 takes.
        Some(Processor::Fhir) if own == Some(Processor::FhirToHl7v2) => own,
        named => named.or(own),
    };
    let processor = processor
        .context("the library's metadata.json names no kind of input; name it with --input")?;
    let root = arguments.get_one::<String>("root");
    let mut run = Run {
        library,
        processor,
        root,
        zone_offset_minutes: arguments.get_one("zone").copied(),
        salt,
        timeout: Duration::from_secs(*arguments.get_one("timeout").expect("it has a default")),
        out: path(arguments, "out"),
        rejects: Listing::new(path(arguments, "rejects").expect("it has a default")),
        coverage: path(arguments, "coverage").map(|it| Listing::new(it)),
        unread: 0,
        converted: 0,
        written: HashSet::new(),
        bar: super::load::bar(found.iter().map(|it| it.bytes).sum()),
    };
    if let Some(folder) = run.out {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    for it in &found {
        run.file(it)
            .with_context(|| it.file.display().to_string())?;
    }
    run.finish()
}

/// The salt of a tenant. One that has none is refused: it may be misspelled, and its ids would be others.
pub(crate) fn salt_of(config: &Config, name: &str) -> anyhow::Result<Salt> {
    let tenant = TenantId::parse(name).context("--tenant")?;
    let salt = config.ids_salts().of(&tenant).cloned();
    salt.with_context(|| {
        format!("no salt in `[convert.tenants.{tenant}]` of the configuration file")
    })
}

/// Our library for the kind of input: as it is named, or as the first file begins.
fn ours(named: Option<Processor>, found: &[Found]) -> anyhow::Result<Library> {
    let name = match named {
        Some(Processor::Hl7v2) => "hl7v2",
        Some(Processor::Ccda) => "ccda",
        Some(Processor::Fhir | Processor::FhirToHl7v2) => "fhir-to-hl7v2",
        Some(Processor::Json) => anyhow::bail!("name a library of templates with --templates"),
        None => first_kind(found)?,
    };
    let sources = convert::own::sources(name).context("the library is not part of this build")?;
    Ok(Library::load(&sources))
}

fn first_kind(found: &[Found]) -> anyhow::Result<&'static str> {
    let Some(first) = found.first() else {
        return Ok("hl7v2");
    };
    anyhow::ensure!(
        !first.is_standard_input(),
        "say with --input what comes from standard input"
    );
    let shown = || first.file.display().to_string();
    let mut stream = first.open(&ProgressBar::hidden()).with_context(shown)?;
    let start = stream.fill_buf().with_context(shown)?;
    let start = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start);
    Ok(match start.trim_ascii_start().first() {
        Some(b'<') => "ccda",
        Some(b'{') => "fhir-to-hl7v2",
        _ => "hl7v2",
    })
}
