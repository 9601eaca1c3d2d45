//! Random queries: every kind of parameter with every modifier and comparator.

use fhir::FhirVersion;
use search::query::{ParameterKind as Kind, rules};

use super::world::{DATES, Dice, NAMES};

/// What queries of a small world have to know of it.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) version: FhirVersion,
    /// When its resources were written.
    pub(super) instants: &'a [String],
}

/// A place in the table of what is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cell {
    pub(super) kind: Kind,
    pub(super) modifier: &'static str,
    pub(super) prefix: &'static str,
}

pub(super) const PREFIXES: &[&str] = &["", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"];

/// What is searched, by kind: a type, a parameter.
const PARAMETERS: &[(Kind, &[(&str, &str)])] = &[
    (Kind::Id, &[("Patient", "_id"), ("Observation", "_id")]),
    (
        Kind::Updated,
        &[("Patient", "_lastUpdated"), ("Observation", "_lastUpdated")],
    ),
    (
        Kind::String,
        &[
            ("Patient", "name"),
            ("Patient", "family"),
            ("Organization", "name"),
        ],
    ),
    (
        Kind::Token,
        &[
            ("Observation", "code"),
            ("Observation", "combo-code"),
            ("Medication", "code"),
            ("Patient", "identifier"),
        ],
    ),
    (
        Kind::Reference,
        &[
            ("Observation", "subject"),
            ("RiskAssessment", "subject"),
            ("Patient", "organization"),
            ("QuestionnaireResponse", "questionnaire"),
        ],
    ),
    (Kind::Uri, &[("ValueSet", "url"), ("Questionnaire", "url")]),
    (
        Kind::Date,
        &[("Observation", "date"), ("Patient", "birthdate")],
    ),
    (Kind::Number, &[("RiskAssessment", "probability")]),
    (
        Kind::Quantity,
        &[
            ("Observation", "value-quantity"),
            ("Observation", "combo-value-quantity"),
        ],
    ),
    (Kind::Place, &[("Location", "near")]),
    (
        Kind::Words,
        &[("Patient", "_text"), ("Patient", "_content")],
    ),
    (
        Kind::Composite,
        &[
            ("Observation", "code-value-quantity"),
            ("Observation", "component-code-value-quantity"),
        ],
    ),
];

/// Every cell that the parser allows.
pub(super) fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for (kind, _) in PARAMETERS {
        let is_ordered = matches!(
            kind,
            Kind::Updated | Kind::Date | Kind::Number | Kind::Quantity | Kind::Composite
        );
        let prefixes = if is_ordered { PREFIXES } else { &PREFIXES[..1] };
        cells.extend(prefixes.iter().map(|prefix| Cell {
            kind: *kind,
            modifier: "",
            prefix,
        }));
        let own = rules().iter().filter(|it| it.kinds.contains(kind));
        cells.extend(own.map(|it| Cell {
            kind: *kind,
            modifier: it.name,
            prefix: "",
        }));
    }
    cells.push(Cell {
        kind: Kind::Reference,
        modifier: "Patient",
        prefix: "",
    });
    cells
}

/// A type and a query of that cell.
pub(super) fn query(cell: Cell, about: About<'_>, dice: &mut Dice) -> (&'static str, String) {
    let of_kind = PARAMETERS.iter().find(|it| it.0 == cell.kind).unwrap().1;
    let (kind, code) = match cell.modifier {
        "of-type" => ("Patient", "identifier"),
        "above" | "below" if cell.kind == Kind::Reference => {
            of_kind[of_kind.len() - 1 - dice.below(2)]
        }
        "above" | "below" | "in" | "not-in" if cell.kind == Kind::Token => {
            of_kind[2 * dice.below(2)]
        }
        "above" | "below" => of_kind[0],
        "Patient" | "identifier" => ("Observation", "subject"),
        _ => of_kind[dice.below(of_kind.len())],
    };
    let modifier = if cell.modifier.is_empty() {
        String::new()
    } else {
        format!(":{}", cell.modifier)
    };
    let value = value(cell, code, about, dice);
    let mut criterion = format!("{code}{modifier}={value}");
    let or = dice.below(4) == 0 && cell.modifier != "missing";
    if or {
        criterion += ",";
        criterion += &self::value(cell, code, about, dice);
    }
    (kind, criterion)
}

/// The query of a criterion, perhaps from further away, in an order, with what is included.
pub(super) fn dressed(
    kind: &'static str,
    criterion: &str,
    dice: &mut Dice,
) -> (&'static str, String) {
    let (kind, mut query) = match (kind, dice.below(3)) {
        ("Patient", 0) => ("Observation", format!("subject:Patient.{criterion}")),
        ("Observation", 0) => ("Patient", format!("_has:Observation:subject:{criterion}")),
        ("Medication", 0) => ("MedicationRequest", format!("medication.{criterion}")),
        ("Medication", 1) => (kind, format!("{criterion}&_contained=true")),
        ("Medication", 2) => (kind, format!("{criterion}&_contained=both")),
        ("Questionnaire", 0) => (
            "QuestionnaireResponse",
            format!("questionnaire.{criterion}"),
        ),
        ("QuestionnaireResponse", 0) => (
            "Questionnaire",
            format!("_has:QuestionnaireResponse:questionnaire:{criterion}"),
        ),
        _ => (kind, criterion.to_owned()),
    };
    query += match (kind, dice.below(5)) {
        ("Patient", 0) => "&_sort=family,-birthdate",
        ("Patient", 1) => "&_sort=-organization,gender&_include=Patient:organization",
        ("Patient", 2) => {
            "&_include=Patient:organization&_include:iterate=Organization:partof&_revinclude=Observation:subject"
        }
        ("Observation", 0) => "&_sort=-date,code",
        ("Observation", 1) => "&_sort=value-quantity,-_id&_include=Observation:subject:Patient",
        ("Observation", 2) => "&_include=Observation:*",
        ("RiskAssessment", 0) => "&_sort=-probability",
        ("QuestionnaireResponse", 0..3) => "&_include=QuestionnaireResponse:questionnaire",
        ("Questionnaire", 0..3) => "&_revinclude=QuestionnaireResponse:questionnaire",
        _ => "",
    };
    (kind, query)
}

fn value(cell: Cell, code: &str, about: About<'_>, dice: &mut Dice) -> String {
    let prefix = cell.prefix;
    let numbers = ["80", "80.0", "81.5", "60", "5"];
    let units = [
        "",
        "||kg",
        "||kilos",
        "|http://unitsofmeasure.org|kg",
        "|http://unitsofmeasure.org|g",
    ];
    match (cell.kind, cell.modifier) {
        (_, "missing") => dice.pick(&["true", "false"]).to_owned(),
        (Kind::Id, _) => dice.pick(&["p0", "p1", "w0", "w1", "gone"]).to_owned(),
        (Kind::Updated, _) => updated(prefix, about, dice),
        (Kind::String, "contains") => dice.pick(&["ull", "ana", "brien"]).to_owned(),
        (Kind::String, _) => dice
            .pick(&[NAMES, &["m", "Ana", "clinic"]].concat())
            .replace(' ', "+"),
        (Kind::Token, "in" | "not-in") => dice
            .pick(&["http://sets/x", "http://sets/x/y", "ValueSet/v0"])
            .to_owned(),
        (Kind::Token, "text" | "code-text") => dice.pick(&["weight", "body", "hohe"]).to_owned(),
        (Kind::Token, "text-advanced") => dice.pick(&["body+weight", "weight", "note"]).to_owned(),
        (Kind::Token, "of-type") => dice
            .pick(&["http://codes|a|1", "http://codes|a|2"])
            .to_owned(),
        (Kind::Token, "above" | "below") => {
            dice.pick(&["http://codes|a", "http://codes|a1"]).to_owned()
        }
        (Kind::Token, _) if code == "identifier" => dice
            .pick(&["1", "http://mrn|1", "|1", "http://mrn|"])
            .to_owned(),
        (Kind::Token, _) => dice
            .pick(&["a", "http://codes|a", "|a", "http://codes|", "b"])
            .to_owned(),
        (Kind::Reference, modifier) => reference(modifier, code, dice),
        (Kind::Uri, _) => dice
            .pick(&[
                "http://sets/x",
                "http://sets/x/y",
                "http://sets",
                "http://forms/b",
            ])
            .to_owned(),
        (Kind::Date, _) => format!("{prefix}{}", dice.pick(DATES)),
        (Kind::Number, _) => format!("{prefix}{}", dice.pick(&["0.1", "0.25", "0.2", "0.3"])),
        (Kind::Quantity, _) => format!("{prefix}{}{}", dice.pick(&numbers), dice.pick(&units)),
        (Kind::Place, _) if about.version == FhirVersion::R4 => {
            dice.pick(&["46.2|6.1|10|km", "46.2|6.1|500|km"]).to_owned()
        }
        (Kind::Place, _) => "46.2:6.1".to_owned(),
        (Kind::Words, _) => dice
            .pick(&["weight", "hohe", "body+weight", "not+body"])
            .to_owned(),
        (Kind::Composite, _) => format!(
            "{}${prefix}{}{}",
            dice.pick(&["a", "http://codes|a1", "b"]),
            dice.pick(&numbers),
            dice.pick(&units)
        ),
        _ => "1".to_owned(),
    }
}

/// An instant at which something was written. What is about now reaches further the later it is
/// asked for: of that, the day.
fn updated(prefix: &str, about: About<'_>, dice: &mut Dice) -> String {
    let instant = &about.instants[dice.below(about.instants.len())];
    let length = if prefix == "ap" { 10 } else { instant.len() };
    let instant = dice.pick(&[&instant[..length], &instant[..length], "2020-05"]);
    format!("{prefix}{instant}")
}

fn reference(modifier: &str, code: &str, dice: &mut Dice) -> String {
    let pool: &[&str] = match (modifier, code) {
        ("identifier", _) => &["1", "http://mrn|1", "http://mrn|2"],
        ("Patient", _) => &["p0", "p1", "gone"],
        ("above" | "below", "questionnaire") => {
            &["http://forms/a|1", "http://forms/b|1.5.1", "http://forms"]
        }
        (_, "questionnaire") => &["http://forms/a", "http://forms/a|1.0", "Questionnaire/q0"],
        (_, "organization") => &["Organization/o0", "Organization/o1"],
        _ => &[
            "Patient/p0",
            "p1",
            "Patient/gone",
            "http://there/Patient/p0",
        ],
    };
    dice.pick(pool).to_owned()
}
