//! A query's pairs of names and values, each read by what its name says; all faults are collected.

use std::collections::{BTreeMap, BTreeSet};

use fhir::{Definitions, Fault, Issue, Severity};

use super::criterion::{Reader, not_referenced, partition};
use super::fault::{Refused, faulty, location, not_offered, over, shown, unknown};
use super::result::RESULT_PARAMETERS;
use super::{Condition, Context, Criterion, Handling, PAGE, Query, include, result, value};
use crate::text::{append_pair, pairs};

/// Parameters of the standard that are not offered.
const LATER: &[&str] = &["_filter", "_query"];

type ReadWhole = fn(&Context<'_>, &str) -> Result<Condition, Refused>;

/// Parameters that are criteria on the resource as a whole, of any type.
const WHOLE: &[(&str, ReadWhole)] = &[
    ("_not-referenced", not_referenced),
    ("_partition", partition),
];

impl Query {
    /// Reads raw query text. All faults are reported; with [`Handling::Lenient`] unknown names are
    /// kept in `ignored` instead.
    pub fn parse(text: &str, context: &Context<'_>) -> Result<Self, Vec<Issue>> {
        let mut faults = Vec::new();
        let pairs = read_pairs(text, context, &mut faults)?;
        let mut parser = Parser::new(context, &pairs);
        for (name, value) in &pairs {
            match parser.read(name, value) {
                Ok(()) if name == PAGE => {}
                Ok(()) => append_pair(&mut parser.query.understood, name, value),
                Err(Refused::Unknown(issue)) if context.handling == Handling::Lenient => {
                    let severity = Severity::Warning;
                    parser.query.ignored.push(Issue { severity, ..issue });
                }
                Err(Refused::Unknown(issue) | Refused::Faulty(issue)) => faults.push(issue),
            }
        }
        if faults.is_empty() {
            Ok(parser.query)
        } else {
            Err(faults)
        }
    }
}

/// The value of `_type` in a query, before the rest can be understood.
pub fn types_wanted(text: &str) -> Option<Vec<String>> {
    let value = pairs(text).find_map(|it| match it {
        (Some(name), value) if name == "_type" => value,
        _ => None,
    })?;
    Some(value.split(',').map(str::to_owned).collect())
}

fn read_pairs(
    text: &str,
    context: &Context<'_>,
    faults: &mut Vec<Issue>,
) -> Result<Vec<(String, String)>, Vec<Issue>> {
    let max = context.limits.criteria_max;
    if text
        .split('&')
        .filter(|it| !it.is_empty())
        .nth(max)
        .is_some()
    {
        let what = format!("the query has more than `criteria_max` ({max}) parameters");
        return Err(vec![Issue::error(Fault::TooLarge, what)]);
    }
    let mut read = Vec::new();
    for pair in pairs(text) {
        match pair {
            (Some(name), Some(value)) => read.push((name, value)),
            _ => faults.push(malformed()),
        }
    }
    Ok(read)
}

struct Parser<'p> {
    context: &'p Context<'p>,
    reader: Reader<'p>,
    query: Query,
    /// The result parameters that were given.
    seen: BTreeSet<&'static str>,
}

impl<'p> Parser<'p> {
    fn new(context: &'p Context<'p>, pairs: &'p [(String, String)]) -> Self {
        let mut reader = Reader::new(context);
        reader.distances = distances(pairs);
        Self {
            context,
            reader,
            query: Query::default(),
            seen: BTreeSet::new(),
        }
    }

    fn read(&mut self, name: &str, text: &str) -> Result<(), Refused> {
        self.check_size(name, text)?;
        if LATER.contains(&name) {
            return Err(not_offered(name, &format!("the search parameter `{name}`")));
        }
        if include::is_include(name) {
            let include = include::include(self.context, name, text)?;
            return self.push_include(name, include);
        }
        if name == "_sort" || name.starts_with("_sort:") {
            return result::sort(
                self.context,
                &self.reader.types,
                name,
                text,
                &mut self.query.result,
            );
        }
        if name == "_type" {
            self.check_types(name, text)?;
        }
        if let Some(parameter) = RESULT_PARAMETERS.iter().find(|it| it.name == name) {
            if !self.seen.insert(parameter.name) {
                return Err(faulty(name, "more than one value", "give it once"));
            }
            let read = (parameter.read)(self.context, &mut self.query.result, text);
            return read
                .ok_or_else(|| faulty(name, "a value that it does not allow", parameter.form));
        }
        if self.is_distance(name) {
            return self.distance(name, text);
        }
        let whole = WHOLE.iter().find(|it| it.0 == name);
        let condition = match whole {
            Some((_, read)) => read(self.context, text)?,
            None => self.reader.condition(name, text)?,
        };
        self.query.criteria.push(Criterion {
            name: name.into(),
            condition,
        });
        Ok(())
    }

    /// To ignore an unknown type would give more than was asked for.
    fn check_types(&self, name: &str, text: &str) -> Result<(), Refused> {
        for it in text.split(',') {
            include::resource_type(self.context, name, it).map_err(Refused::lasting)?;
        }
        Ok(())
    }

    fn check_size(&self, name: &str, text: &str) -> Result<(), Refused> {
        let limits = &self.context.limits;
        if name.len() > limits.name_bytes_max {
            return Err(over(
                name,
                "name_bytes_max",
                limits.name_bytes_max,
                "bytes in its name",
            ));
        }
        if text.len() > limits.value_bytes_max {
            return Err(over(
                name,
                "value_bytes_max",
                limits.value_bytes_max,
                "bytes",
            ));
        }
        if text.is_empty() {
            return Err(faulty(name, "no value", "give it a value, or leave it out"));
        }
        Ok(())
    }

    fn push_include(&mut self, name: &str, include: super::Include) -> Result<(), Refused> {
        let max = self.context.limits.includes_max;
        if self.query.includes.len() >= max {
            let what = format!("the query has more than `includes_max` ({max}) includes");
            return Err(Refused::Faulty(
                Issue::error(Fault::TooLarge, what).at(location(name)),
            ));
        }
        self.query.includes.push(include);
        Ok(())
    }

    /// `near-distance` is STU3's, and only says how far its `near` reaches.
    fn is_distance(&self, name: &str) -> bool {
        let of = name.strip_suffix(DISTANCE);
        of.is_some() && self.context.version == fhir::FhirVersion::Stu3
    }

    fn distance(&self, name: &str, text: &str) -> Result<(), Refused> {
        let before = name.strip_suffix(DISTANCE).unwrap_or_default();
        if !self.has_near(before) {
            let what = format!("the search parameter `{}` without `near`", shown(name));
            return Err(unknown(name, &what, Some("near")));
        }
        value::near::distance(name, text).map(|_| ())
    }

    fn has_near(&self, before: &str) -> bool {
        self.reader
            .distances
            .get(before)
            .is_some_and(|it| it.has_near)
    }
}

const NEAR: &str = "near";
const DISTANCE: &str = "near-distance";

/// What is said of `near` at one place of a chain.
#[derive(Default)]
pub(super) struct Distance<'q> {
    /// The value of `near-distance`.
    pub(super) text: Option<&'q str>,
    has_near: bool,
}

/// By what stands before `near` in its name.
fn distances(pairs: &[(String, String)]) -> BTreeMap<&str, Distance<'_>> {
    let mut distances: BTreeMap<&str, Distance<'_>> = BTreeMap::new();
    for (name, value) in pairs {
        if let Some(before) = name.strip_suffix(DISTANCE) {
            distances.entry(before).or_default().text = Some(value);
        } else if let Some(before) = name.strip_suffix(NEAR) {
            distances.entry(before).or_default().has_near = true;
        }
    }
    distances
}

fn malformed() -> Issue {
    let issue = Issue::error(Fault::Invalid, "the query is not percent-encoded UTF-8");
    issue.mend("write a `%` as `%25`, and other characters as the bytes of their UTF-8 form")
}

/// The types searched, as the definitions name them.
pub(super) fn static_types(context: &Context<'_>) -> Vec<&'static str> {
    let definitions = Definitions::of(context.version);
    let named = context
        .types
        .iter()
        .filter_map(|it| definitions.resource(it));
    named.map(|it| it.name).collect()
}
