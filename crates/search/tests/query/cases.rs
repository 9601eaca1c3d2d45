//! Every file below `cases/query` holds cases, a query per line, behind the types or the
//! compartment searched. The lines indented below it are the outcome in both versions, or with
//! `STU3` or `R4` before it in one: the plan, what is needed for it, or what is wrong.
//! `UPDATE_EXPECT=1` writes outcomes anew; lines with `#` are kept.

use std::collections::BTreeSet;
use std::path::Path;

use expect_test::expect_file;
use fhir::terminology::{CodeSet, Codes};
use fhir::{Definitions, FhirVersion, Instant, Issue};
use search::compile::{Answer, Answers, Builder, Built, Need, Visibility};
use search::entry::Space;
use search::name::ResourceName;
use search::query::{Context, Handling, Query, QueryLimits, ResultParameters};
use search::reference::Bases;

use crate::printer::Printer;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/query");
const CASES_MIN: usize = 300;
const NOW: &str = "2020-06-01T00:00:00Z";

/// What is searched.
pub(crate) struct Searched {
    pub(crate) types: Vec<&'static str>,
    pub(crate) compartment: Option<ResourceName>,
}

impl Searched {
    /// `Type`, `Type,Type`, `*` or `Patient/1/Type`; `None` if a version lacks a type.
    pub(crate) fn parse(version: FhirVersion, text: &str) -> Option<Self> {
        let definitions = Definitions::of(version);
        let named = |it: &str| Some(definitions.resource(it)?.name);
        let (compartment, types) = match text.rsplit_once('/') {
            Some((of, types)) => {
                let (kind, id) = of.split_once('/').unwrap();
                (
                    Some(ResourceName {
                        kind: named(kind)?,
                        id: id.into(),
                    }),
                    types,
                )
            }
            None => (None, text),
        };
        let types = match types {
            "*" => definitions.resources().map(|it| it.name).collect(),
            types => types.split(',').map(named).collect::<Option<_>>()?,
        };
        Some(Self { types, compartment })
    }
}

pub(crate) fn bases() -> Bases {
    Bases::new(["http://here/fhir"])
}

pub(crate) fn parse(
    version: FhirVersion,
    types: &[&'static str],
    text: &str,
    handling: Handling,
) -> Result<Query, Vec<Issue>> {
    let bases = bases();
    let limits = QueryLimits::default();
    Query::parse(
        text,
        &Context {
            version,
            types,
            bases: &bases,
            handling,
            limits,
        },
    )
}

pub(crate) fn build(
    version: FhirVersion,
    searched: &Searched,
    query: &Query,
    visibility: &Visibility,
    answers: &Answers,
) -> Result<Built, Vec<Issue>> {
    let bases = bases();
    let builder = Builder {
        version,
        space: Space(1),
        bases: &bases,
        visibility,
        answers,
        now: Instant::parse(NOW).unwrap(),
        limits: QueryLimits::default(),
    };
    builder.plan(&searched.types, searched.compartment.as_ref(), query)
}

/// Answers of a made-up world.
fn answer(need: &Need) -> Answer {
    let codes = |codes: &[&str]| Codes::Listed(codes.iter().map(|it| (*it).into()).collect());
    let resources = |kind, ids: &[&str]| {
        let named = ids.iter().map(|id| ResourceName {
            kind,
            id: (*id).into(),
        });
        Answer::Resources(named.collect::<BTreeSet<_>>())
    };
    match need {
        Need::ValueSet(url) if url.ends_with("all") => {
            Answer::Codes(CodeSet::of("http://s", Codes::AllExcept(BTreeSet::new())).into())
        }
        Need::ValueSet(url) if url.ends_with("but") => {
            let but = Codes::AllExcept(["x".into()].into());
            Answer::Codes(CodeSet::of("http://s", but).into())
        }
        Need::ValueSet(_) => Answer::Codes(CodeSet::of("http://s", codes(&["a", "b"])).into()),
        Need::Subsumed { system, code, .. } => {
            Answer::Codes(CodeSet::of(system, codes(&[code, "another"])).into())
        }
        Need::List(_) => resources("Patient", &["in", "list"]),
        Need::Hierarchy { kind, id, .. } => resources(kind, &[id, "other"]),
    }
}

fn told(issues: &[Issue], before: &str) -> Vec<String> {
    let told = issues.iter().map(|it| {
        let remedy = it.remedy.as_deref().unwrap_or_default();
        let place = it.expression.join(", ");
        format!("{before}{:?} {place}: {} ({remedy})", it.fault, it.what)
    });
    told.collect()
}

fn planned(
    version: FhirVersion,
    printer: &Printer,
    searched: &Searched,
    query: &Query,
) -> Vec<String> {
    let mut answers = Answers::default();
    let mut lines = Vec::new();
    for _ in 0..3 {
        match build(
            version,
            searched,
            query,
            &Visibility::everything(),
            &answers,
        ) {
            Err(issues) => {
                lines.extend(told(&issues, ""));
                break;
            }
            Ok(Built::Plan(plan)) => {
                lines.extend(printer.plan(&plan));
                break;
            }
            Ok(Built::Needs(needs)) => {
                lines.push(format!("needs {needs:?}"));
                for need in needs {
                    let found = answer(&need);
                    answers.insert(need, found);
                }
            }
        }
    }
    lines
}

fn outcome(version: FhirVersion, printer: &Printer, case: &str) -> Vec<String> {
    let (scope, text) = case.split_once('?').unwrap();
    let Some(searched) = Searched::parse(version, scope) else {
        return Vec::new();
    };
    let (handling, text) = match text.strip_prefix("lenient ") {
        Some(text) => (Handling::Lenient, text),
        None => (Handling::Strict, text),
    };
    let query = match parse(version, &searched.types, text, handling) {
        Err(issues) => return told(&issues, ""),
        Ok(query) => query,
    };
    let again = parse(version, &searched.types, &query.understood, handling);
    let again = again.unwrap_or_else(|it| panic!("{case}: {it:?}"));
    assert!(
        again.criteria == query.criteria,
        "{case}: {}",
        query.understood
    );
    assert_eq!(again.includes, query.includes, "{case}");
    let mut lines = planned(version, printer, &searched, &query);
    let result = ResultParameters {
        sort: Vec::new(),
        ..query.result.clone()
    };
    if result != ResultParameters::default() {
        lines.push(changed(&result));
    }
    lines.extend(query.includes.iter().map(|it| format!("{it:?}")));
    if handling == Handling::Lenient {
        lines.extend(told(&query.ignored, "ignored: "));
        lines.push(format!("understood: {}", query.understood));
    }
    lines
}

/// The fields that are not as they are by default.
fn changed(result: &ResultParameters) -> String {
    let fields = |it: &ResultParameters| -> Vec<String> {
        format!("{it:#?}")
            .lines()
            .map(|it| it.trim().to_owned())
            .collect()
    };
    let default = fields(&ResultParameters::default());
    let own = fields(result);
    own.into_iter()
        .filter(|it| !default.contains(it))
        .collect::<Vec<_>>()
        .join(" ")
}

fn case_with_outcome(printers: &[Printer], case: &str) -> String {
    let outcomes: Vec<_> = FhirVersion::ALL
        .into_iter()
        .zip(printers)
        .map(|(version, printer)| (version, outcome(version, printer, case)))
        .filter(|it| !it.1.is_empty())
        .collect();
    let is_same = outcomes.len() > 1 && outcomes.iter().all(|it| it.1 == outcomes[0].1);
    let mut text = format!("{case}\n");
    for (version, lines) in outcomes.iter().take(if is_same { 1 } else { 2 }) {
        for line in lines {
            let before = if is_same {
                String::new()
            } else {
                format!("{version} ")
            };
            text.extend(["    ", &before, line, "\n"]);
        }
    }
    text
}

#[test]
fn queries_are_understood_or_refused() {
    let printers = FhirVersion::ALL.map(Printer::new);
    let mut cases = 0;
    let mut files: Vec<_> = std::fs::read_dir(FOLDER)
        .unwrap()
        .map(|it| it.unwrap().path())
        .collect();
    files.sort();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let mut actual = String::new();
        for line in text.lines().filter(|it| !it.starts_with("    ")) {
            if line.is_empty() || line.starts_with('#') {
                actual.extend([line, "\n"]);
            } else {
                cases += 1;
                actual.push_str(&case_with_outcome(&printers, line));
            }
        }
        expect_file![Path::new(&file)].assert_eq(&actual);
    }
    assert!(cases >= CASES_MIN, "only {cases} cases");
}
