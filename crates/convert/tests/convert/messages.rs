//! Each row of the guide's tables of messages, on a message made for it: the segment stands in its
//! group, with what the row's condition wants. What the rows of its map say of it must be in a
//! resource of the target's type, and the references that the row names must lead to their types.
//! `message-deviations.tsv` has the rows that are not taken as they stand, with the clause.

use std::collections::{BTreeMap, BTreeSet};

use convert::{Processor, hl7v2_library, root_of};
use serde_json::Value;

use super::data;
use super::guide;
use super::rows::{self, Fields};

const ROWS: &str = include_str!("../../templates/messages.tsv");

/// What stands in a message so that its groups are there: the segment and its fields.
const ANCHORS: &[(&str, &str)] = &[
    ("EVN", "|20260102030405"),
    ("PID", "1||P1^^^A||Doe^Jane"),
    (
        "PV1",
        "1|I|||||||||||||||||V1|||||||||||||||||||||||||||||||||||EP1",
    ),
    ("ORC", "RE|O1|F1"),
    ("OBR", "1|O1|F1|T1^Test^L"),
    ("OBX", "1|NM|Q1^Question^L||5||||||F"),
    ("SPM", "1|S1^S2||BLD"),
    ("RXA", "0|1|20260102||90^Vaccine^CVX|1"),
    ("SCH", "A1|A2"),
    ("RGS", "1"),
    ("AIS", "1||S1^Service^L"),
    ("TXA", "1|DS||20260102||||||||D1"),
    ("TQ1", "1"),
    ("IN1", "1|PL^Plan|IC1|Insurer"),
];

/// Anchors that stand in every message that has them, whichever group the row is of.
const ALWAYS: &[&str] = &["EVN", "PID", "PV1", "ORC", "OBR", "RXA", "SCH", "TXA"];

/// What a map wants beside the row: a field of a segment with its text.
const BESIDE: &[(&str, &str, usize, &str)] = &[
    ("AIS[ServiceRequest]", "SCH", 26, "SO1"),
    ("IN1[Coverage]", "IN1", 17, "SEL"),
    ("MRG[Account]", "MRG", 1, "P0^^^A"),
    ("MSH[Provenance-Operator]", "MSH", 4, "FAC"),
    ("NK1[Patient]", "NK1", 3, "EMR"),
    ("OBR[Specimen]", "OBR", 14, "20260102030405"),
    ("ORC[Provenance]", "ORC", 10, "12^Enter^Eve"),
    ("PID[Provenance-Patient]", "PID", 33, "20260102"),
    ("PID[Provenance-Patient]", "PID", 34, "FAC"),
    ("PRT[PractitionerRole]", "OBR", 14, "20260102030405"),
    ("PRT[RelatedPerson]", "PRT", 4, "X^Other^L"),
    ("SCH[ServiceRequest]", "SCH", 26, "SO1"),
    ("TXA[Provenance]", "TXA", 8, "20260102030405"),
    ("TXA[Provenance]", "TXA", 9, "12^Write^Wes"),
    ("TXA[Provenance]", "TXA", 21, "Corrected"),
    ("TXA[Provenance]", "TXA", 23, "13^Read^Ron"),
];

/// Names of resources as the guide has them, and as they are.
const MISSPELLED: &[(&str, &str)] = &[("Immunzation", "Immunization")];

/// Segments of a message with what their fields are made to be.
type BySegment = BTreeMap<&'static str, Fields>;

/// How many rows of a map are looked for in a message.
const ROWS_MAX: usize = 3;

struct Row<'t> {
    message: &'t str,
    /// `ORU_R01.PATIENT_RESULT.PATIENT.PID`
    place: &'t str,
    segment: &'t str,
    target: &'t str,
    condition: &'t str,
    map: &'t str,
    references: &'t str,
    is_case: bool,
}

fn rows() -> Vec<Row<'static>> {
    let rows = ROWS.lines().skip(1).filter_map(|line| {
        let cells: Vec<&str> = line.split('\t').collect();
        let [
            message,
            place,
            segment,
            target,
            condition,
            map,
            references,
            result,
        ] = cells[..]
        else {
            return None;
        };
        let segment = segment.trim_matches(['[', ']', '{', '}', ' ']);
        let is_segment = segment.len() == 3 && !place.starts_with('/');
        is_segment.then_some(Row {
            message,
            place,
            segment,
            target,
            condition,
            map,
            references,
            is_case: result == "case",
        })
    });
    rows.collect()
}

impl Row<'_> {
    /// The groups around the segment.
    fn group(&self) -> &str {
        self.place.rsplit_once('.').map_or("", |it| it.0)
    }

    /// The type of the target: `Provenance[1].entity.what(Device)` is a Device.
    fn resource(&self) -> &str {
        let inside = self.map.split(['[', ']']).nth(1).unwrap_or_default();
        inside.split('-').next().unwrap_or_default()
    }

    fn key(&self) -> String {
        let (place, target, condition, map) = (self.place, self.target, self.condition, self.map);
        format!("{place}\t{target}\t{condition}\t{map}")
    }
}

/// The fields of a segment as text after its name.
fn fields_of(text: &str) -> Fields {
    let fields = (1..).zip(text.split('|'));
    fields
        .filter(|it| !it.1.is_empty())
        .map(|(number, text)| (number, text.to_owned()))
        .collect()
}

fn anchor(segment: &str) -> Option<Fields> {
    let found = ANCHORS.iter().find(|it| it.0 == segment);
    found.map(|it| fields_of(it.1))
}

/// The message of a row: the row's segment and the anchors around it, with these fields.
fn message(rows: &[Row<'_>], at: usize, fields: &BySegment) -> String {
    let row = &rows[at];
    let (code, event) = row.message.split_once('_').expect("a message has an event");
    let mut msh = fields_of(&format!(
        "|^~\\&|A|B|C|D|20260102030405+0000||{code}^{event}|1|P|2.8"
    ));
    msh.extend(fields.get("MSH").cloned().unwrap_or_default());
    msh.insert(9, format!("{code}^{event}"));
    let mut lines = vec![rows::segment_of("MSH", &msh)];
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut before = "";
    for (number, other) in rows.iter().enumerate() {
        if other.message != row.message || other.segment == "MSH" {
            continue;
        }
        // Rows of one segment in one place follow each other; a segment stands there once.
        let is_own = other.place == row.place && (number == at || is_same(rows, at, number));
        let is_first = other.place != before;
        before = other.place;
        let is_around = row.group().starts_with(other.group()) || ALWAYS.contains(&other.segment);
        let is_prior = other.place.contains("PRIOR") && !row.place.contains("PRIOR");
        let is_choice = row.place.contains(".CHOICE.") && other.place.contains(".CHOICE.");
        if !is_first || (!is_own && (!is_around || is_prior || is_choice)) {
            continue;
        }
        let mut own = match anchor(other.segment) {
            Some(own) => own,
            None if is_own => Fields::new(),
            None => continue,
        };
        let count = counts.entry(other.segment).or_default();
        *count += 1;
        match other.segment {
            "PID" => drop(own.insert(3, format!("P{count}^^^A"))),
            "PV1" => drop(own.insert(19, format!("V{count}"))),
            _ => {}
        }
        if is_own || other.segment != row.segment {
            own.extend(fields.get(other.segment).cloned().unwrap_or_default());
        }
        if other.segment == "SFT" {
            // The first is the source, others derive from it.
            lines.push("SFT|Vendor|1|Origin".to_owned());
        }
        lines.push(rows::segment_of(other.segment, &own));
    }
    lines.join("\r")
}

/// Whether both rows are of the same segment in the same place: nothing else stands between.
fn is_same(rows: &[Row<'_>], one: usize, other: usize) -> bool {
    let (from, to) = (one.min(other), one.max(other));
    rows[from..=to].iter().all(|it| it.place == rows[one].place)
}

/// What is wrong with a row; nothing if all is there.
fn faults(rows: &[Row<'static>], at: usize, guide: &rows::Guide) -> Vec<String> {
    let row = &rows[at];
    let mut faults = Vec::new();
    let mut wanted = BySegment::new();
    for (_, segment, field, text) in BESIDE.iter().filter(|it| it.0 == row.map) {
        wanted
            .entry(segment)
            .or_default()
            .insert(*field, (*text).to_owned());
    }
    // The fields that a candidate must leave as the condition wants them.
    let mut fixed = Fields::new();
    let condition = row.condition.replace(" OR OBX-2 IS \"NA\"", "");
    let condition = condition.replace(" AND OBX-2 IS NOT \"NA\"", "");
    for segment in [row.segment, "MSH"] {
        for demand in guide::demands(&condition, segment) {
            let text = wanted
                .entry(segment)
                .or_default()
                .entry(demand.number)
                .or_default();
            *text = rows::with_component(text, demand.component, &demand.value);
            if segment == row.segment && (demand.is_quoted() || demand.value.is_empty()) {
                fixed.insert(demand.number, text.clone());
            }
        }
    }
    if row.condition.contains("GREATER THAN 1") {
        wanted.entry("OBX").or_default().insert(5, "5".to_owned());
    }
    let candidates = guide.candidates(row.map, row.resource());
    if candidates.is_empty() && !row.map.is_empty() {
        faults.push("no row of the map says anything".to_owned());
    }
    let is_fit = |it: &rows::Candidate<'_>| {
        let own = it.fields();
        fixed
            .iter()
            .all(|(field, text)| own.get(field).is_none_or(|own| own == text))
    };
    let mut candidates: Vec<_> = candidates.into_iter().filter(is_fit).collect();
    candidates.truncate(ROWS_MAX);
    let of = |candidate: Option<&rows::Candidate<'_>>| {
        let mut fields = wanted.clone();
        let own = candidate.map(rows::Candidate::fields).unwrap_or_default();
        // A row may take the map of another segment: that of EVN takes MSH.
        let segment = row.map.get(..3).unwrap_or(row.segment);
        fields.entry(segment).or_default().extend(own);
        if row.condition.contains("GREATER THAN 1") {
            let repeats = fields.entry("OBX").or_default().entry(5).or_default();
            *repeats = format!("{repeats}~{repeats}");
        }
        message(rows, at, &fields)
    };
    for candidate in &candidates {
        let text = of(Some(candidate));
        let bundle = match converted(&text) {
            Ok(bundle) => bundle,
            Err(error) => return vec![format!("{error} in {text:?}")],
        };
        if let Some(missing) = candidate.missing(&bundle) {
            faults.push(format!("{missing} in {}", text.replace('\r', " ")));
        }
    }
    let text = of(candidates.first());
    if let Ok(bundle) = converted(&text) {
        faults.extend(unreferred(row.references, &bundle));
        // Without a map the target may be a constant.
        faults.extend(unreferred(row.target, &bundle));
    }
    faults
}

fn converted(message: &str) -> Result<Value, String> {
    let root = root_of(message, hl7v2_library()).map_err(|it| it.to_string())?;
    let output = data::convert(hl7v2_library(), &root, Processor::Hl7v2, message);
    let output = output.map_err(|it| it.to_string())?;
    Ok(serde_json::from_str(&output.text).expect("the output is JSON"))
}

/// References of a row that lead nowhere: `DiagnosticReport[1].encounter.reference=Encounter[1].id`.
fn unreferred(references: &str, bundle: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for reference in references.split([' ', ';']).filter(|it| it.contains('=')) {
        let (from, to) = reference.split_once('=').expect("it has one");
        // `Appointment[1..n].slot` is `Appointment.slot`.
        let words = from.split(['[', ']']).step_by(2).collect::<String>();
        let steps: Vec<&str> = words
            .split(['.', '(', ')'])
            .filter(|it| !it.is_empty())
            .collect();
        let at = steps
            .iter()
            .rposition(|it| it.starts_with(|c: char| c.is_ascii_uppercase()));
        let Some(at) = at else { continue };
        let (kind, path) = (steps[at], &steps[at + 1..]);
        let kind = MISSPELLED
            .iter()
            .find(|it| it.0 == kind)
            .map_or(kind, |it| it.1);
        let path: Vec<&str> = path
            .iter()
            .copied()
            .filter(|it| !matches!(*it, "reference" | "id"))
            .collect();
        // A bundle is no entry of itself.
        if to.starts_with("Bundle") {
            continue;
        }
        let wanted = to.split(['[', '.']).next().unwrap_or(to);
        let mut values = BTreeSet::new();
        for resource in rows::resources(bundle, kind) {
            rows::values(resource, &path, &mut values);
        }
        let is_there = match to.strip_prefix('"') {
            Some(constant) => {
                values.contains(&format!("\"{}\"", constant.trim_matches(['"', '\''])))
            }
            None => values
                .iter()
                .any(|it| it.starts_with(&format!("\"{wanted}/"))),
        };
        if !is_there {
            wrong.push(format!("{reference} is not there"));
        }
    }
    wrong
}

#[test]
fn each_row_of_a_message_is_mapped() {
    let rows = rows();
    let guide = rows::Guide::read();
    let (mut count, mut wrong) = (0, Vec::new());
    for at in (0..rows.len()).filter(|it| rows[*it].is_case) {
        count += 1;
        let faults = faults(&rows, at, &guide);
        if !faults.is_empty() {
            wrong.push(format!(
                "{}\n      {}",
                rows[at].key(),
                faults.join("\n      ")
            ));
        }
    }
    let mut results: BTreeMap<&str, usize> = BTreeMap::new();
    for line in ROWS.lines().skip(1) {
        let result = line.rsplit('\t').next().unwrap_or_default();
        let kind = match result {
            "case" | "the guide names no resource" => result,
            _ => "deviates",
        };
        *results.entry(kind).or_default() += 1;
    }
    println!("isthmus-suite: convert messages: {count} cases, {results:?}");
    assert!(
        wrong.is_empty(),
        "{} rows\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
