//! What a criterion is asked with: a modifier, a comparator, values that occur.

use std::fmt::Write as _;

use fhir::FhirVersion;
use search::query::{HIERARCHIES, ParameterKind as Kind, rules};
use search::registry::{Facets, Parameter};

use super::super::everything;
use super::super::queries::{Cell, PREFIXES};
use super::super::samples::{Sample, escaped};
use super::super::world::DATES;
use super::Asker;

impl Asker<'_> {
    /// A criterion on a parameter: its name, its value and what it is about.
    pub(super) fn criterion(
        &mut self,
        kind: &'static str,
        parameter: &Parameter,
    ) -> Option<(String, String, Cell)> {
        let modifier = self.modifier(kind, parameter);
        let prefix = match modifier {
            "" if is_ordered(parameter) => self.next_prefix(),
            _ => "",
        };
        let cell = Cell {
            kind: Kind::of(&parameter.facets),
            modifier,
            prefix,
        };
        let (name, value) = self.criterion_of(kind, parameter, cell)?;
        Some((name, value, cell))
    }

    /// The same of a place in the table.
    pub(super) fn criterion_of(
        &mut self,
        kind: &'static str,
        parameter: &Parameter,
        cell: Cell,
    ) -> Option<(String, String)> {
        let code = parameter.definition.code;
        let mut values = vec![self.value(kind, parameter, cell)?];
        while self.dice.below(5) == 0 && cell.modifier != "missing" {
            values.push(self.value(kind, parameter, cell)?);
        }
        let separator = if cell.kind == Kind::Words {
            "+or+"
        } else {
            ","
        };
        let values = values.join(separator);
        let name = match cell.modifier {
            "" => code.to_owned(),
            "Patient" => {
                let targets = parameter.definition.targets;
                let target = *targets.get(self.dice.below(targets.len().max(1)))?;
                format!("{code}:{target}")
            }
            other => format!("{code}:{other}"),
        };
        Some((name, values))
    }

    /// All of them in turn.
    fn next_prefix(&mut self) -> &'static str {
        self.turn += 1;
        PREFIXES[self.turn % PREFIXES.len()]
    }

    fn modifier(&mut self, kind: &'static str, parameter: &Parameter) -> &'static str {
        let of = Kind::of(&parameter.facets);
        if self.dice.below(2) == 0 {
            return "";
        }
        let mut own: Vec<&str> = rules()
            .iter()
            .filter(|it| it.kinds.contains(&of))
            .map(|it| it.name)
            .collect();
        if of == Kind::Reference {
            own.push("Patient");
        }
        let samples = self.samples.of(kind, parameter);
        if !samples.iter().any(|it| matches!(it, Sample::OfType(_))) {
            own.retain(|it| *it != "of-type");
        }
        let targets = parameter.definition.targets;
        let has_hierarchy = HIERARCHIES.iter().any(|it| targets.contains(&it.0));
        if of == Kind::Reference && !has_hierarchy && !samples.iter().any(is_url) {
            own.retain(|it| !matches!(*it, "above" | "below"));
        }
        match own.len() {
            0 => "",
            count => own[self.dice.below(count)],
        }
    }

    fn value(&mut self, kind: &'static str, parameter: &Parameter, cell: Cell) -> Option<String> {
        let prefix = cell.prefix;
        match (cell.kind, cell.modifier) {
            (_, "missing") => return Some(self.dice.pick(&["true", "false"]).to_owned()),
            (Kind::Elsewhere, _) => return None,
            (Kind::Id, _) => return Some(everything::id(self.dice.below(self.of_each))),
            (Kind::Updated, _) => return Some(self.instant(prefix)),
            (Kind::Words, _) => {
                return Some(self.dice.pick(&["weight", "hohe", "ana"]).to_owned());
            }
            (Kind::Token, "in" | "not-in") => {
                let sets = ["http://sets/x", "http://sets/x/y", "ValueSet/v0"];
                return Some(self.dice.pick(&sets).to_owned());
            }
            (Kind::Token, "above" | "below") => {
                let codes = ["http://codes%7Ca", "http://codes%7Ca1", "http://codes%7Cb"];
                return Some(self.dice.pick(&codes).to_owned());
            }
            (Kind::Reference, "above" | "below") => {
                if let Some(of) = self.in_hierarchy(parameter) {
                    return Some(of);
                }
            }
            _ => {}
        }
        let samples = self.samples.of(kind, parameter);
        let fitting: Vec<&Sample> = samples.iter().filter(|it| fits(cell, it)).collect();
        let is_ordered = matches!(cell.kind, Kind::Number | Kind::Quantity);
        let text = match fitting.len() {
            0 => self.made_up(cell)?,
            // Some number, so that whatever is compared lies on either side of one.
            _ if is_ordered && self.dice.below(3) == 0 => {
                format!(
                    "{prefix}{}",
                    self.dice.pick(&["0", "0.2", "5", "70", "1000"])
                )
            }
            count => {
                let sample = fitting[self.dice.below(count)].clone();
                self.written(cell, &sample)
            }
        };
        Some(encoded(&text))
    }

    fn in_hierarchy(&mut self, parameter: &Parameter) -> Option<String> {
        let targets = parameter.definition.targets;
        let has = |it: &&(&str, &str)| targets.contains(&it.0);
        let (of, _) = HIERARCHIES.iter().find(has)?;
        Some(format!(
            "{of}/{}",
            everything::id(self.dice.below(self.of_each))
        ))
    }

    /// For what does not occur in this world.
    fn made_up(&mut self, cell: Cell) -> Option<String> {
        let prefix = cell.prefix;
        Some(match (cell.kind, cell.modifier) {
            (Kind::Date, _) => format!("{prefix}{}", self.dice.pick(DATES)),
            (Kind::Number | Kind::Quantity, _) => format!("{prefix}5"),
            (Kind::Token, "of-type") => "http://codes|a|1".to_owned(),
            (Kind::Uri, _) => "http://uris/a".to_owned(),
            (Kind::String | Kind::Token, _) => "a".to_owned(),
            (Kind::Reference, "identifier") => "1".to_owned(),
            (Kind::Reference, _) => "r0".to_owned(),
            _ => return None,
        })
    }

    fn written(&mut self, cell: Cell, sample: &Sample) -> String {
        let prefix = cell.prefix;
        match (sample, cell.kind) {
            (Sample::Plain(text), Kind::String) => self.part(cell.modifier, text),
            (Sample::Plain(text), Kind::Date) => format!("{prefix}{}", self.coarser(text)),
            (Sample::Plain(text), Kind::Number | Kind::Quantity) => format!("{prefix}{text}"),
            (Sample::Plain(text), Kind::Uri) => self.step(cell.modifier, text),
            (Sample::Plain(text), Kind::Token) | (Sample::OfType(text), _) => text.clone(),
            (Sample::Plain(text), _) => escaped(text),
            (Sample::Coded(system, code) | Sample::Logical(system, code), _) => {
                self.code(system.as_deref(), code)
            }
            (Sample::Display(text), _) => self.part("", text),
            (Sample::Reference(text), _) => self.reference(cell.modifier, text),
            (Sample::Quantity(number, units), Kind::Quantity) => {
                let unit = &units[self.dice.below(units.len())];
                format!("{prefix}{number}{unit}")
            }
            (Sample::Quantity(number, _), _) => format!("{prefix}{number}"),
            (Sample::Place(latitude, longitude), _) => match self.version {
                FhirVersion::R4 => format!("{latitude}|{longitude}|20|km"),
                FhirVersion::Stu3 => format!("{latitude}:{longitude}"),
            },
            (Sample::Composite(parts), _) => {
                let count = parts.len();
                let parts = parts.iter().enumerate().map(|(place, it)| {
                    let of = match it {
                        Sample::Quantity(..) => Kind::Quantity,
                        Sample::Coded(..) => Kind::Token,
                        Sample::Reference(_) => Kind::Reference,
                        Sample::Plain(text) if is_date(text) => Kind::Date,
                        _ => Kind::String,
                    };
                    let is_ordered = matches!(of, Kind::Quantity | Kind::Date);
                    let prefix = if is_ordered && place + 1 == count {
                        prefix
                    } else {
                        ""
                    };
                    let cell = Cell {
                        kind: of,
                        modifier: "",
                        prefix,
                    };
                    self.written(cell, it)
                });
                parts.collect::<Vec<_>>().join("$")
            }
        }
    }

    /// The beginning of a text, its middle or the whole, in some spelling.
    fn part(&mut self, modifier: &str, text: &str) -> String {
        let letters: Vec<char> = text.chars().collect();
        let count = letters.len();
        let cut: String = match (modifier, self.dice.below(3)) {
            ("exact", _) | (_, 0) => text.to_owned(),
            ("contains", _) => letters[count / 3..].iter().collect(),
            _ => letters[..count.min(3)].iter().collect(),
        };
        let spelled = match (modifier, self.dice.below(3)) {
            ("exact", _) | (_, 0) => cut,
            (_, 1) => cut.to_uppercase(),
            _ => cut.to_lowercase(),
        };
        match spelled.trim() {
            "" => escaped(text),
            it => escaped(it),
        }
    }

    /// A date with fewer digits, or as it is.
    fn coarser(&mut self, text: &str) -> String {
        let length = [4, 7, 10, text.len()][self.dice.below(4)];
        text.get(..length).unwrap_or(text).to_owned()
    }

    /// A URI, or a step above or below it.
    fn step(&mut self, modifier: &str, text: &str) -> String {
        let is_path = text.starts_with("http");
        match (modifier, self.dice.below(2)) {
            ("below", 0) if is_path => {
                let above = text.rsplit_once('/').map_or(text, |it| it.0);
                escaped(above)
            }
            ("above", 0) if is_path && !text.contains('|') => escaped(&format!("{text}/b")),
            _ => escaped(text),
        }
    }

    fn code(&mut self, system: Option<&str>, code: &str) -> String {
        let code = escaped(code);
        match (self.dice.below(5), system) {
            (0 | 1, Some(system)) => format!("{}|{code}", escaped(system)),
            (2, Some(system)) => format!("{}|", escaped(system)),
            (0..=2, None) => format!("|{code}"),
            _ => code,
        }
    }

    fn reference(&mut self, modifier: &str, text: &str) -> String {
        let id = text.rsplit('/').next().unwrap_or_default();
        let is_relative = !text.contains(':') && !text.contains("_history");
        match (modifier, self.dice.below(3)) {
            ("Patient", _) | (_, 0) if is_relative => id.to_owned(),
            ("Patient", _) => "r0".to_owned(),
            _ => escaped(text),
        }
    }
}

fn is_date(text: &str) -> bool {
    text.len() >= 4 && text.starts_with(|it: char| it.is_ascii_digit()) && !text.contains('.')
}

fn is_ordered(parameter: &Parameter) -> bool {
    let of = |it: &Facets| {
        matches!(
            it,
            Facets::Date(_) | Facets::Number(_) | Facets::Quantity(_) | Facets::Updated
        )
    };
    match &parameter.facets {
        Facets::Composite(components) => components.last().is_some_and(|it| of(&it.facets)),
        facets => of(facets),
    }
}

/// Whether a query of that cell can ask for the sample.
fn fits(cell: Cell, sample: &Sample) -> bool {
    match (cell.kind, cell.modifier) {
        (Kind::Token, "text" | "code-text" | "text-advanced") => {
            matches!(sample, Sample::Display(_))
        }
        (Kind::Token, "of-type") => matches!(sample, Sample::OfType(_)),
        (Kind::Token, _) => matches!(sample, Sample::Coded(..)),
        (Kind::Reference, "identifier") => matches!(sample, Sample::Logical(..)),
        (Kind::Date, _) => matches!(sample, Sample::Plain(text) if is_date(text)),
        (Kind::Reference, "Patient") => {
            matches!(sample, Sample::Reference(text) if !text.starts_with('#'))
        }
        (Kind::Reference, "above" | "below") => is_url(sample),
        (Kind::Reference, _) => match sample {
            Sample::Reference(text) => !text.contains("_history") && !text.starts_with('#'),
            other => matches!(other, Sample::Plain(_)),
        },
        (Kind::Uri, "above" | "below") => match sample {
            Sample::Plain(text) => text.starts_with("http"),
            _ => false,
        },
        (Kind::Uri, _) => matches!(sample, Sample::Plain(_)),
        _ => true,
    }
}

fn is_url(sample: &Sample) -> bool {
    matches!(sample, Sample::Reference(text) | Sample::Plain(text) if text.starts_with("http"))
}

/// Percent-encoded, for a query.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b':' | b'/' => {
                encoded.push(char::from(byte));
            }
            _ => {
                encoded.push('%');
                write!(encoded, "{byte:02X}").unwrap();
            }
        }
    }
    encoded
}
