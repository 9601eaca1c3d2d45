//! `isthmus fhirpath EXPR FILE…`: what an expression gives on each resource of files.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use agents::load::source::{self, Form, Source};
use bytes::Bytes;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use fhir::fhirpath::{Environment, FhirPath, Item, Lookup, Node, check};
use fhir::json::Document;
use fhir::{Definitions, FhirVersion, Instant};
use serde_json::{Value, json};
use store::{Clock, SystemClock};

use super::print;
use crate::config::Config;

pub(crate) fn arguments(command: Command) -> Command {
    command
        .arg(
            Arg::new("expression")
                .value_name("EXPR")
                .required(true)
                .help("the expression, e.g. \"Patient.name.where(use = 'official').given\""),
        )
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
                .value_parser(["r4", "stu3", "none"])
                .default_value("r4")
                .help("`none` walks JSON as a tree without types"),
        )
        .arg(
            Arg::new("strict")
                .long("strict")
                .action(ArgAction::SetTrue)
                .help("refuse elements that the resource's type does not have"),
        )
        .arg(super::load::json_switch())
}

/// What is asked, and how it is answered.
struct Question {
    path: FhirPath,
    version: Option<FhirVersion>,
    is_strict: bool,
    as_json: bool,
    /// Whether answers say which file they are from.
    names_files: bool,
    now: Instant,
}

/// Evaluates; exit code 1 if that failed for any resource, 2 if the expression is none.
pub(crate) fn run(_: &Config, arguments: &ArgMatches) -> anyhow::Result<u8> {
    let text: &String = arguments.get_one("expression").expect("required");
    let slug: &String = arguments.get_one("fhir-version").expect("it has a default");
    let version = FhirVersion::from_slug(slug);
    let path = match FhirPath::compile(text, version) {
        Ok(path) => path,
        Err(error) => {
            crate::say(&error.render());
            return Ok(crate::USAGE);
        }
    };
    let paths: Vec<PathBuf> = arguments
        .get_many("files")
        .expect("required")
        .cloned()
        .collect();
    let sources = source::find(&paths)?;
    let question = Question {
        path,
        version,
        is_strict: arguments.get_flag("strict"),
        as_json: arguments.get_flag("json"),
        names_files: sources.len() > 1 || sources.iter().any(|it| it.form == Form::Ndjson),
        now: Instant::from_micros(SystemClock.now().0),
    };
    let mut faulty = 0_u64;
    for source in &sources {
        for piece in source.pieces()? {
            for (line, text) in piece?.texts {
                let answer = question.answer(source, text);
                faulty += u64::from(answer.is_err());
                question.show(&source.path, line, answer);
            }
        }
    }
    Ok(if faulty == 0 {
        crate::DONE
    } else {
        crate::FOUND_FAULTS
    })
}

/// Items and traces, ready to be shown.
struct Answer {
    items: Vec<(String, Value)>,
    traces: Vec<(String, Vec<Value>)>,
}

/// Keeps what `trace()` tells.
#[derive(Default)]
struct Traces(RefCell<Vec<(String, Vec<Value>)>>);

impl Lookup for Traces {
    fn trace(&self, name: &str, items: &[Item<'_>]) {
        let items = items.iter().filter_map(value).collect();
        self.0.borrow_mut().push((name.to_owned(), items));
    }
}

/// An item as JSON; nothing for a primitive that has no value.
fn value(item: &Item<'_>) -> Option<Value> {
    serde_json::from_str(&item.to_json()?).ok()
}

impl Question {
    fn answer(&self, source: &Source, text: Bytes) -> Result<Answer, String> {
        let version = self.version.unwrap_or(FhirVersion::R4);
        let document = agents::load::parse(source.form, version, text).map_err(|issues| {
            let what = issues.first().map_or("", |it| it.what.as_str());
            format!("cannot be read: {what}")
        })?;
        self.evaluate(&document)
    }

    fn evaluate(&self, document: &Document) -> Result<Answer, String> {
        let node = match self.version {
            Some(version) => Node::resource(Definitions::of(version), document.root()),
            None => Node::untyped(document.root()),
        };
        if self.is_strict
            && let Some(name) = node.type_name()
        {
            check::check(&self.path, &name).map_err(|error| error.render())?;
        }
        let traces = Traces::default();
        let environment = Environment::with_lookup(self.now, &traces);
        let items = self.path.evaluate(Item::Node(node), &environment);
        let items = items.map_err(|error| error.render())?;
        let shown = |it: &Item<'_>| Some((it.type_name().into_owned(), value(it)?));
        let items = items.iter().filter_map(shown).collect();
        let traces = traces.0.take();
        Ok(Answer { items, traces })
    }

    fn show(&self, file: &Path, line: u64, answer: Result<Answer, String>) {
        if self.as_json {
            print(&as_json(file, line, &answer).to_string());
            return;
        }
        let place = match line {
            0 => format!("{}: ", file.display()),
            line => format!("{}:{line}: ", file.display()),
        };
        match answer {
            Err(fault) => crate::say(&format!("{place}{fault}")),
            Ok(answer) => {
                for (name, items) in answer.traces {
                    crate::say(&format!("{place}trace {name}: {}", Value::Array(items)));
                }
                let place = if self.names_files { &place } else { "" };
                for (_, value) in &answer.items {
                    print(&format!("{place}{}", line_of(value)));
                }
            }
        }
    }
}

fn as_json(file: &Path, line: u64, answer: &Result<Answer, String>) -> Value {
    let file = file.display().to_string();
    match answer {
        Err(fault) => json!({ "file": file, "line": line, "error": fault }),
        Ok(Answer { items, traces }) => {
            let items = items
                .iter()
                .map(|(name, value)| json!({ "type": name, "value": value }));
            let traces = traces
                .iter()
                .map(|(name, items)| json!({ "name": name, "items": items }));
            json!({
                "file": file, "line": line,
                "items": items.collect::<Vec<_>>(), "traces": traces.collect::<Vec<_>>(),
            })
        }
    }
}

/// A value on one line: text without quotes, unless it has line breaks.
fn line_of(value: &Value) -> String {
    match value {
        Value::String(text) if !text.contains(['\n', '\r']) => text.clone(),
        other => other.to_string(),
    }
}
