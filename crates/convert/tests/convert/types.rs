//! Each row of the guide's tables of data types, on a field made for it: the part has a value, and
//! what the row's condition speaks of is as it wants. The element must be there, with that value, the
//! constant or the code that it is mapped to. `type-deviations.tsv` has the rows that are not taken
//! as they stand, with the clause.

use std::collections::BTreeMap;

use convert::{Library, Processor, hl7v2_sources};
use serde_json::Value;

use super::data;
use super::guide::{self, SAMPLES, has};

const ROWS: &str = include_str!("../../templates/types.tsv");
const CODES: &str = include_str!("../../templates/hl7v2/CodeSystem/CodeSystem.json");

/// Types whose parts are never divided further: they are read as components too.
const INNER: &[&str] = &["CWE", "DR", "EI", "FN", "HD", "SAD"];

/// What a part says nothing without: prefix, part and the part that must be there too.
const COMPANIONS: &[(&str, usize, usize)] = &[
    ("CE", 3, 1),
    ("CE", 6, 4),
    ("CF", 3, 1),
    ("CF", 6, 4),
    ("CF", 7, 1),
    ("CF", 8, 4),
    ("CF", 12, 10),
    ("CF", 13, 10),
    ("CNE", 3, 1),
    ("CNE", 6, 4),
    ("CNE", 7, 1),
    ("CNE", 8, 4),
    ("CNE", 12, 10),
    ("CNE", 13, 10),
    ("CWE", 3, 1),
    ("CWE", 6, 4),
    ("CWE", 7, 1),
    ("CWE", 8, 4),
    ("CWE", 12, 10),
    ("CWE", 13, 10),
    ("DLN", 2, 1),
    ("DLN", 3, 1),
    ("ED", 5, 4),
    ("EI", 2, 1),
    ("EI", 3, 1),
    ("EI", 4, 3),
    ("HD", 3, 2),
    ("PLN", 2, 1),
    ("PLN", 4, 1),
    ("NDL", 4, 7),
    ("NDL", 5, 4),
    ("NDL", 6, 5),
    ("NDL", 10, 7),
    ("NDL", 11, 4),
    ("PL", 1, 4),
    ("PL", 2, 1),
    ("PL", 3, 2),
    ("PL", 7, 4),
    ("PL", 8, 1),
    ("PL", 9, 3),
    ("PL", 11, 3),
    ("RP", 3, 4),
    ("XON", 4, 10),
    ("XON", 5, 10),
    ("XON", 6, 10),
    ("XON", 7, 10),
    ("XCN", 9, 1),
    ("XCN", 10, 2),
    ("XCN", 11, 1),
    ("XCN", 12, 1),
    ("XCN", 13, 1),
    ("XCN", 17, 2),
    ("XCN", 18, 2),
    ("XCN", 19, 2),
    ("XCN", 20, 2),
    ("XCN", 21, 2),
    ("XPN", 7, 1),
    ("XPN", 10, 1),
    ("XPN", 11, 1),
    ("XPN", 12, 1),
    ("XPN", 13, 1),
    ("XPN", 14, 1),
];

/// Elements that take only some values: a sample, and what the element has for it.
const OF_ELEMENTS: &[(&str, &str, &str)] = &[
    ("comparator", "<", "<"),
    ("periodUnit", "h", "h"),
    ("repeat.timeOfDay", "0830", "08:30:00"),
];

struct Row<'t> {
    map: &'t str,
    part: &'t str,
    data_type: &'t str,
    attribute: &'t str,
    condition: &'t str,
    vocabulary: &'t str,
    assignment: &'t str,
}

fn rows() -> Vec<Row<'static>> {
    let rows = ROWS.lines().skip(1).filter_map(|line| {
        let cells: Vec<&str> = line.split('\t').collect();
        let [
            map,
            part,
            data_type,
            attribute,
            condition,
            _,
            vocabulary,
            assignment,
            "case",
        ] = cells[..]
        else {
            return None;
        };
        Some(Row {
            map,
            part,
            data_type,
            attribute,
            condition,
            vocabulary,
            assignment,
        })
    });
    let mut rows: Vec<Row<'static>> = rows.collect();
    // A constant stands beside a code that is mapped in another row of the part.
    let of_parts: BTreeMap<(&str, &str), &str> = rows
        .iter()
        .filter(|it| !it.vocabulary.is_empty())
        .map(|it| ((it.map, it.part), it.vocabulary))
        .collect();
    for row in rows.iter_mut().filter(|it| it.vocabulary.is_empty()) {
        row.vocabulary = of_parts
            .get(&(row.map, row.part))
            .copied()
            .unwrap_or_default();
    }
    rows
}

impl Row<'_> {
    /// `CX` of `CX[Identifier]`.
    fn prefix(&self) -> &str {
        self.map.split('[').next().unwrap_or_default()
    }

    /// `Identifier` of `CX[Identifier]`, `MessageHeader` of `MSG[MessageHeader]`.
    fn target(&self) -> &str {
        let inside = self.map.split(['[', ']']).nth(1).unwrap_or_default();
        inside.split(['-', '.']).next().unwrap_or_default()
    }

    fn number(&self) -> usize {
        let number = self.part.split(['.', '-']).nth(1);
        number.and_then(|it| it.parse().ok()).unwrap_or(1)
    }

    fn mapped<'m>(&self, maps: &'m Value) -> Option<(&'m str, &'m str)> {
        let letters = |c: &char| c.is_ascii_alphanumeric();
        let name: String = self.vocabulary.chars().filter(letters).collect();
        let map = maps["Mapping"][name.as_str()].as_object()?;
        // A code of several words of the table is none of a message.
        let (code, entry) = map.iter().find(|it| !it.0.contains([' ', '<', '"', '&']))?;
        Some((code, entry["code"].as_str()?))
    }

    /// A value of the part, and what the element has for it; none if it only must be there.
    fn sample(&self, maps: &Value) -> (String, Option<String>) {
        if let Some((code, mapped)) = self.mapped(maps) {
            return (code.to_owned(), Some(mapped.to_owned()));
        }
        let of_element = OF_ELEMENTS.iter().find(|it| self.attribute.ends_with(it.0));
        if let Some((_, sample, expected)) = of_element {
            return ((*sample).to_owned(), Some((*expected).to_owned()));
        }
        let of_type = SAMPLES.iter().find(|it| it.0 == self.data_type);
        let is_date = self.target() == "dateTime" || self.attribute.contains("eriod");
        let is_date = is_date && !self.attribute.contains("repeat.period");
        match of_type.map(|it| it.1) {
            _ if is_date && !self.data_type.starts_with("DR") => {
                ("20260102".to_owned(), Some("2026-01-02".to_owned()))
            }
            Some(sample) if sample.contains('^') => (sample.replace('^', "&"), None),
            Some(sample) if sample.len() > 6 && self.data_type != "RP" => (sample.to_owned(), None),
            Some(sample) => (sample.to_owned(), Some(sample.to_owned())),
            None if matches!(self.data_type, "CWE" | "CE" | "FN" | "XCN" | "CNN") => {
                ("C1&Text&L".to_owned(), None)
            }
            None if self.part == "ED.5" => ("JVBERi0=".to_owned(), Some("JVBERi0=".to_owned())),
            None if self.prefix() == "NM" => ("5".to_owned(), Some("5".to_owned())),
            None if self.target() == "boolean" => ("Y".to_owned(), Some("true".to_owned())),
            None if matches!(self.target(), "positiveInt" | "unsignedInt" | "decimal") => {
                ("5".to_owned(), Some("5".to_owned()))
            }
            None => ("C1".to_owned(), Some("C1".to_owned())),
        }
    }

    /// The parts of the field.
    fn parts(&self, sample: &str) -> BTreeMap<usize, String> {
        let own = self.number();
        let mut parts = BTreeMap::from([(own, sample.to_owned())]);
        for demand in guide::demands(self.condition, self.prefix()) {
            if demand.number != own || demand.is_quoted() {
                parts.insert(demand.number, demand.value);
            }
        }
        for (prefix, part, companion) in COMPANIONS {
            if (*prefix, *part) == (self.prefix(), own) {
                let value = if *prefix == "ED" { "Base64" } else { "K1" };
                parts.entry(*companion).or_insert_with(|| value.to_owned());
            }
        }
        for text in self.assignment.split('+') {
            // The parts that a text is put together of.
            let part = text.trim().strip_prefix(self.prefix());
            let number = part.and_then(|it| it.trim_start_matches(['.', '-']).parse().ok());
            if let Some(number) = number {
                parts.entry(number).or_insert_with(|| "5".to_owned());
            }
        }
        parts
    }

    /// The way to the element, without places in lists and without resources.
    fn steps(&self) -> Vec<&str> {
        let (outer, inner) = self
            .attribute
            .split_once('(')
            .unwrap_or((self.attribute, ""));
        let inner = inner
            .trim_end_matches(')')
            .rsplit('(')
            .next()
            .unwrap_or_default();
        // What is inside of the brackets is said of a resource, or of a type; or it only names one.
        let is_of_type = inner.starts_with("Annotation");
        let named = match inner.split_once('.') {
            Some(_) if !is_of_type => "",
            _ => outer,
        };
        let steps = named.split('.').chain(inner.split('.'));
        let steps = steps.map(|it| it.split(['[', ':']).next().unwrap_or(it).trim());
        let steps = steps.filter(|it| !it.is_empty() && !it.starts_with('$'));
        let is_resource = |it: &&str| it.starts_with(|c: char| c.is_ascii_uppercase());
        let steps = steps.filter(|it| !is_resource(it));
        steps.filter(|it| *it != "reference").collect()
    }

    /// The constant, if the element has one.
    fn constant(&self) -> Option<&str> {
        let text = self.assignment.strip_prefix('"')?.strip_suffix('"')?;
        (!text.contains('"')).then_some(text)
    }
}

/// How the template of a map is included, if the library has one or it is of a primitive.
fn include(row: &Row<'_>, files: &[(String, String)]) -> Option<String> {
    let name = row.map.replace('[', "_").replace([']', '-', ' ', '.'], "");
    for (folder, more) in [("DataType", ""), ("Resource", ", id: 'x'")] {
        let wanted = format!("{folder}/_{name}.liquid");
        let found = files.iter().find(|it| it.0.eq_ignore_ascii_case(&wanted));
        if let Some((path, _)) = found {
            let path = path.replace("/_", "/").replace(".liquid", "");
            return Some(format!("{{% include '{path}', v: v{more} %}}"));
        }
    }
    let is_primitive = row.target().starts_with(|c: char| c.is_ascii_lowercase());
    let target = row.target();
    is_primitive.then(|| format!("{{{{ v | as: '{target}' }}}}"))
}

/// A template that writes the element in an object, a resource or alone.
fn root(row: &Row<'_>, include: &str, is_component: bool) -> String {
    let v = if is_component {
        "message.ZDT.1.1"
    } else {
        "message.ZDT.1"
    };
    let is_text = row.target().starts_with(|c: char| c.is_ascii_lowercase());
    let body = match include {
        it if it.contains("'Resource/") => format!("\"entry\": [{it}]"),
        it if is_text => format!("\"value\": \"{it}\""),
        it if row.target() == "Extension" => format!("\"value\": {{\"extension\": [{{ {it} }}]}}"),
        it => format!("\"value\": {{ {it} }}"),
    };
    format!("{{% assign v = {v} %}}{{{body}}}")
}

/// The name of the root that a map has in the test.
fn root_name(map: &str, is_component: bool) -> String {
    let name = map.replace(['[', ']', '-', '.'], "");
    if is_component {
        format!("{name}Inner")
    } else {
        name
    }
}

/// Our library with roots for each map that it has a template of.
fn library(rows: &[Row<'_>]) -> Library {
    let mut files = hl7v2_sources().files;
    let mut roots = BTreeMap::new();
    for row in rows {
        for is_component in [false, true] {
            if let Some(include) = include(row, &files) {
                let name = format!("{}.liquid", root_name(row.map, is_component));
                roots.insert(name, root(row, &include, is_component));
            }
        }
    }
    files.extend(roots);
    Library::load(&convert::Sources { files })
}

fn text_of(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether the value is at that path, in whatever item.
fn has_value(value: &Value, steps: &[&str], wanted: &str) -> bool {
    match (value, steps.split_first()) {
        (Value::Array(items), _) => items.iter().any(|it| has_value(it, steps, wanted)),
        (Value::Object(members), Some((step, rest))) => {
            let beside = format!("_{step}");
            let mut found = [members.get(*step), members.get(&beside)]
                .into_iter()
                .flatten();
            found.any(|it| has_value(it, rest, wanted))
        }
        // Of what has parts, one of them.
        (Value::Object(members), None) => members.values().any(|it| has_value(it, &[], wanted)),
        (value, None) => {
            let text = text_of(value);
            text == wanted || text.ends_with(&format!(":{wanted}"))
        }
        _ => false,
    }
}

/// What is wrong with a row at that level; nothing if the element is as the row says.
fn fault(row: &Row<'_>, maps: &Value, library: &Library, is_component: bool) -> Option<String> {
    if !library
        .roots()
        .contains(&root_name(row.map, is_component).as_str())
    {
        return Some("no template".to_owned());
    }
    let (sample, expected) = row.sample(maps);
    let parts = row.parts(&sample);
    let last = *parts.keys().last().expect("a row has a part");
    let separator = if is_component { "&" } else { "^" };
    let texts: Vec<&str> = (1..=last)
        .map(|it| parts.get(&it).map_or("", String::as_str))
        .collect();
    if is_component && texts.iter().any(|it| it.contains('&')) {
        return None;
    }
    let field = texts.join(separator);
    let message = format!("MSH|^~\\&|A|B|C|D|20260102||ADT^A01|1|P|2.8\rZDT|{field}");
    let output = match data::convert(
        library,
        &root_name(row.map, is_component),
        Processor::Hl7v2,
        &message,
    ) {
        Ok(output) => output.text,
        Err(error) => return Some(format!("{field}: {error}")),
    };
    let json: Value = serde_json::from_str(&output).expect("the output is JSON");
    let steps = row.steps();
    let elements: Vec<&Value> = match json["entry"].as_array() {
        Some(entries) => entries.iter().map(|it| &it["resource"]).collect(),
        None => vec![&json["value"]],
    };
    let is_reference = steps.last() == Some(&"partOf");
    let wanted = match row.constant() {
        Some(constant) => Some(constant.to_owned()),
        None if row.assignment.is_empty() && !is_reference => expected,
        None => None,
    };
    let found = elements.iter().any(|it| match &wanted {
        Some(wanted) => has_value(it, &steps, wanted),
        None => !it.is_null() && has(it, &steps),
    });
    (!found).then(|| {
        format!(
            "{field}: wanted {wanted:?} at {} in {output}",
            steps.join(".")
        )
    })
}

#[test]
fn each_row_of_a_data_type_is_mapped() {
    let maps: Value = serde_json::from_str(CODES).unwrap();
    let rows = rows();
    let library = library(&rows);
    let (mut count, mut wrong) = (0, Vec::new());
    for row in rows {
        count += 1;
        let is_inner = INNER.contains(&row.prefix());
        let levels: &[bool] = if is_inner { &[false, true] } else { &[false] };
        for is_component in levels {
            if let Some(fault) = fault(&row, &maps, &library, *is_component) {
                let Row {
                    map,
                    part,
                    attribute,
                    condition,
                    ..
                } = row;
                wrong.push(format!(
                    "{map}\t{part}\t{attribute}\t{condition}\n      {fault}"
                ));
            }
        }
    }
    let all = ROWS.lines().count() - 1;
    let unnamed = ROWS
        .lines()
        .filter(|it| it.ends_with("the guide names no element"))
        .count();
    println!(
        "isthmus-suite: convert data types: {count} cases, {unnamed} of {all} rows name no element, {} deviate",
        all - unnamed - count
    );
    assert!(
        wrong.is_empty(),
        "{} rows\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
