//! Each row of the guide's tables that our library maps, on a segment made for it: the field has a
//! value of its type, and what the row's condition speaks of is as the condition wants it. The
//! element must be there. Rows for which that is not enough are listed with the reason.

use std::collections::{BTreeMap, BTreeSet};

use convert::{Library, Processor, hl7v2_sources};
use serde_json::Value;

use super::data;
use super::guide::{self, SAMPLES, has};

const ROWS: &str = include_str!("../../templates/rows.tsv");
const KNOWN: &str = include_str!("../official/rows-known.txt");
const REPEATS: &str = include_str!("../official/repeats-known.txt");

/// What a field says nothing without: segment, field and the field that must be there too.
const COMPANIONS: &[(&str, usize, usize)] = &[("NTE", 5, 3), ("NTE", 6, 3), ("PRT", 23, 15)];

struct Row<'t> {
    map: &'t str,
    field: &'t str,
    data_type: &'t str,
    repeats: bool,
    attribute: &'t str,
    condition: &'t str,
    vocabulary: &'t str,
}

fn rows() -> Vec<Row<'static>> {
    rows_with(|result| result == "mapped")
}

/// The rows with such a result.
fn rows_with(is_wanted: impl Fn(&str) -> bool) -> Vec<Row<'static>> {
    let rows = ROWS.lines().skip(1).filter_map(|line| {
        let cells: Vec<&str> = line.split('\t').collect();
        let [
            map,
            field,
            _,
            data_type,
            repeats,
            attribute,
            condition,
            vocabulary,
            result,
        ] = cells[..]
        else {
            return None;
        };
        is_wanted(result).then_some(Row {
            map,
            field,
            data_type,
            repeats: repeats == "*",
            attribute,
            condition,
            vocabulary,
        })
    });
    rows.collect()
}

/// A value of the type; where codes are mapped, one that is.
fn sample(row: &Row<'_>, maps: &Value) -> String {
    if row.data_type == "MSG" && row.map == "MSH[Encounter]" {
        // The event that cancels.
        return "ADT^A11^ADT_A11".to_owned();
    }
    let name: String = row
        .vocabulary
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let first = maps["Mapping"][name.as_str()].as_object();
    if let Some(code) = first.and_then(|it| it.keys().next()) {
        return code.clone();
    }
    let of_type = SAMPLES.iter().find(|it| it.0 == row.data_type);
    match (row.data_type, of_type) {
        (_, Some((_, sample))) => (*sample).to_owned(),
        ("ID", _) if row.attribute.to_lowercase().contains("boolean") => "Y".to_owned(),
        ("CWE" | "CE" | "CNE" | "CF", _) => "C1^Text^L".to_owned(),
        _ => "C1".to_owned(),
    }
}

/// The fields of the segment: that of the row, and those of its condition.
fn fields(row: &Row<'_>, maps: &Value) -> Fields {
    let number = |text: &str| text.split('-').nth(1)?.split('.').next()?.parse().ok();
    let own: usize = number(row.field).unwrap_or(0);
    // OBX-5 has the type that the condition wants of OBX-2.
    let of_type = row
        .condition
        .split("OBX-2")
        .nth(1)
        .and_then(|it| it.split('"').nth(1));
    let of_type = of_type.and_then(|it| SAMPLES.iter().find(|row| row.0 == it));
    let own_text = match of_type.filter(|_| row.field == "OBX-5") {
        Some((_, sample)) => (*sample).to_owned(),
        None => sample(row, maps),
    };
    let mut fields = BTreeMap::from([(own, own_text)]);
    for (segment, field, companion) in COMPANIONS {
        if row.map.starts_with(segment) && own == *field {
            fields.insert(*companion, "K1".to_owned());
        }
    }
    for demand in guide::demands(row.condition, &row.map[..3]) {
        let field = demand.number;
        if field != own || demand.is_part || demand.is_quoted() {
            let text = fields.entry(field).or_default();
            *text = with_component(text, demand.component, &demand.value);
        }
    }
    fields
}

/// A field with another component.
pub(crate) fn with_component(field: &str, component: usize, value: &str) -> String {
    let mut components: Vec<&str> = field.split('^').collect();
    components.resize(components.len().max(component), "");
    components[component - 1] = value;
    components.join("^")
}

/// The resource that the attribute ends in, and the way in it.
fn target<'t>(row: &Row<'t>) -> (&'t str, Vec<&'t str>) {
    let inside = row.map.split('[').nth(1).unwrap_or_default();
    let resource = inside.split(['-', ']']).next().unwrap_or_default();
    let last = row
        .attribute
        .trim()
        .trim_end_matches(')')
        .rsplit('(')
        .next();
    let last = last.unwrap_or_default();
    let steps = last.split('.').map(|it| it.split('[').next().unwrap_or(it));
    let steps: Vec<&str> = steps.filter(|it| !it.is_empty()).collect();
    match steps.split_first() {
        Some((first, rest)) if first.starts_with(|c: char| c.is_ascii_uppercase()) => {
            (first, rest.to_vec())
        }
        _ => (resource, steps),
    }
}

/// Our library with a root for each map.
fn library(maps: &BTreeSet<&str>) -> Library {
    let mut sources = hl7v2_sources();
    for map in maps {
        let name = file(map);
        let segment = &map[..3];
        let root = format!(
            "{{\"resourceType\": \"Bundle\", \"type\": \"transaction\", \"entry\": [\
             {{% for s in message.all.{segment} %}}{{% include 'Segment/{name}', s: s, id: 'x', \
             patient: 'p', encounter: 'e', order: 'o' %}}{{% endfor %}}]}}"
        );
        sources.files.push((format!("Row{name}.liquid"), root));
    }
    Library::load(&sources)
}

fn file(map: &str) -> String {
    map.replace('[', "_").replace([']', '-', ' ', '.'], "")
}

/// The fields of a segment by number.
pub(crate) type Fields = BTreeMap<usize, String>;

/// A segment with these fields.
pub(crate) fn segment_of(name: &str, fields: &Fields) -> String {
    let count = fields.keys().max().copied().unwrap_or(0);
    let texts = (1..=count).map(|it| fields.get(&it).map_or("", String::as_str));
    let texts: Vec<&str> = texts.collect();
    match name {
        "MSH" => format!("MSH|^~\\&|{}", texts.get(2..).unwrap_or_default().join("|")),
        _ => format!("{name}|{}", texts.join("|")),
    }
}

/// What becomes of the segment of a row with these fields.
fn converted(library: &Library, row: &Row<'_>, fields: &Fields) -> Value {
    let header = "MSH|^~\\&|A|B|C|D|20260102030405+0000||ADT^A01|1|P|2.5";
    let segment = segment_of(&row.map[..3], fields);
    let message = if segment.starts_with("MSH") {
        segment
    } else {
        format!("{header}\r{segment}")
    };
    let root = format!("Row{}", file(row.map));
    match data::convert(library, &root, Processor::Hl7v2, &message) {
        Ok(output) => serde_json::from_str(&output.text).unwrap(),
        Err(error) => panic!("{} {}: {error}", row.map, row.field),
    }
}

pub(crate) fn resources<'b>(bundle: &'b Value, kind: &str) -> Vec<&'b Value> {
    let entries = bundle["entry"].as_array().map_or(&[][..], Vec::as_slice);
    let resources = entries.iter().map(|it| &it["resource"]).chain([bundle]);
    resources.filter(|it| it["resourceType"] == kind).collect()
}

fn codes() -> Value {
    let codes = include_str!("../../templates/hl7v2/CodeSystem/CodeSystem.json");
    serde_json::from_str(codes).unwrap()
}

impl Row<'_> {
    fn key(&self) -> String {
        let (map, field) = (self.map, self.field);
        format!("{map} {field} {} {}", self.attribute, self.condition)
    }
}

#[test]
fn each_row_is_mapped() {
    let rows = rows();
    let maps: BTreeSet<&str> = rows.iter().map(|it| it.map).collect();
    let library = library(&maps);
    let codes = codes();
    let known = guide::listed(KNOWN);
    let (mut mapped, mut wrong) = (0, Vec::new());
    for row in &rows {
        let bundle = converted(&library, row, &fields(row, &codes));
        let (resource, steps) = target(row);
        let found = resources(&bundle, resource);
        let found = found.iter().any(|it| has(it, &steps));
        mapped += usize::from(found);
        if found == known.contains_key(row.key().as_str()) {
            wrong.push(row.key());
        }
    }
    println!(
        "isthmus-suite: convert rows: {mapped} of {} mapped, {} listed",
        rows.len(),
        known.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The rows of the guide's tables of segments, for the tables of messages.
pub(crate) struct Guide {
    rows: Vec<Row<'static>>,
    by_hand: Vec<Row<'static>>,
    library: Library,
    codes: Value,
    listed: BTreeMap<&'static str, &'static str>,
}

/// A row with what it makes of its fields.
pub(crate) struct Candidate<'g> {
    row: &'g Row<'static>,
    fields: Fields,
    /// What is at its element; of what is mapped by hand only that there is something.
    values: Option<BTreeSet<String>>,
}

impl Guide {
    pub(crate) fn read() -> Self {
        let rows = rows();
        let maps: BTreeSet<&str> = rows.iter().map(|it| it.map).collect();
        Self {
            library: library(&maps),
            codes: codes(),
            listed: guide::listed(KNOWN),
            by_hand: rows_with(|result| result.contains("see Group/")),
            rows,
        }
    }

    /// The rows of a map that say something of a type of resource, each of another field; of
    /// other types if they say nothing of that one.
    pub(crate) fn candidates(&self, map: &str, kind: &str) -> Vec<Candidate<'_>> {
        let mut found: Vec<Candidate<'_>> = Vec::new();
        // The type of a message is what the message is made for.
        let of_map =
            |it: &&Row<'static>| it.map == map && (it.field != "MSH-9" || map == "MSH[Encounter]");
        let is_path = |it: &&Row<'static>| !it.attribute.starts_with("$this");
        let is_of = |it: &&Row<'static>| target(it).0 == kind;
        let is_any = self.rows.iter().filter(of_map).any(|it| is_of(&it));
        for row in self
            .rows
            .iter()
            .filter(of_map)
            .filter(|it| is_of(it) || !is_any)
        {
            let kind = target(row).0;
            let is_new = !found.iter().any(|it| it.row.field == row.field);
            if !is_new || self.listed.contains_key(row.key().as_str()) {
                continue;
            }
            let fields = fields(row, &self.codes);
            let bundle = converted(&self.library, row, &fields);
            let mut made = BTreeSet::new();
            for resource in resources(&bundle, kind) {
                values(resource, &target(row).1, &mut made);
            }
            if !made.is_empty() {
                found.push(Candidate {
                    row,
                    fields,
                    values: Some(made),
                });
            }
        }
        for row in self
            .by_hand
            .iter()
            .filter(|it| it.map == map)
            .filter(is_path)
        {
            found.push(Candidate {
                row,
                fields: fields(row, &self.codes),
                values: None,
            });
        }
        found
    }
}

impl Candidate<'_> {
    pub(crate) fn fields(&self) -> Fields {
        self.fields.clone()
    }

    /// What a message's bundle has not of it.
    pub(crate) fn missing(&self, bundle: &Value) -> Option<String> {
        let (kind, steps) = target(self.row);
        let mut there = BTreeSet::new();
        for resource in resources(bundle, kind) {
            values(resource, &steps, &mut there);
        }
        let is_there = match &self.values {
            Some(values) => values.is_subset(&there),
            None => !there.is_empty(),
        };
        let (field, path) = (self.row.field, steps.join("."));
        (!is_there).then(|| format!("{field} {kind}.{path}: {:?}", self.values))
    }
}

/// All texts and numbers at that path.
pub(crate) fn values(value: &Value, steps: &[&str], into: &mut BTreeSet<String>) {
    match (value, steps.split_first()) {
        (Value::Array(items), _) => items.iter().for_each(|it| values(it, steps, into)),
        (Value::Object(members), Some((step, rest))) => {
            let beside = format!("_{step}");
            let found = [members.get(*step), members.get(&beside)];
            found
                .into_iter()
                .flatten()
                .for_each(|it| values(it, rest, into));
        }
        (Value::Object(members), None) => members.values().for_each(|it| values(it, &[], into)),
        (value, None) => {
            into.insert(value.to_string());
        }
        _ => {}
    }
}

/// Another value of the type that a sample is of.
fn other(sample: &str, row: &Row<'_>, maps: &Value) -> String {
    let name: String = row
        .vocabulary
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let map = maps["Mapping"][name.as_str()].as_object();
    let mapped = |code: &str| map.and_then(|it| it.get(code)).map(|it| &it["code"]);
    let differs = |code: &&String| mapped(code) != mapped(sample);
    match map.and_then(|it| it.keys().find(differs)) {
        Some(code) => code.clone(),
        None => sample
            .replace('1', "3")
            .replace('5', "6")
            .replace('D', "R")
            .replace("Org", "Orx"),
    }
}

/// Of a field that repeats, each repeat is there; where the element takes only one, the row is listed.
#[test]
fn each_repeat_is_mapped() {
    let rows = rows();
    let maps: BTreeSet<&str> = rows.iter().map(|it| it.map).collect();
    let library = library(&maps);
    let codes = codes();
    let (single, known) = (guide::listed(KNOWN), guide::listed(REPEATS));
    let (mut count, mut wrong) = (0, Vec::new());
    for row in rows
        .iter()
        .filter(|it| it.repeats && !single.contains_key(it.key().as_str()))
    {
        let one = fields(row, &codes);
        let own = row
            .field
            .split('-')
            .nth(1)
            .and_then(|it| it.parse().ok())
            .unwrap_or(0);
        let text = other(&one[&own], row, &codes);
        if text == one[&own] {
            continue;
        }
        count += 1;
        let (mut second, mut both) = (one.clone(), one.clone());
        both.insert(own, format!("{}~{text}", one[&own]));
        second.insert(own, text);
        let (resource, steps) = target(row);
        let found = |fields| {
            let bundle = converted(&library, row, fields);
            let mut found = BTreeSet::new();
            for it in resources(&bundle, resource) {
                values(it, &steps, &mut found);
            }
            found
        };
        let is_there = found(&second).is_subset(&found(&both));
        if is_there == known.contains_key(row.key().as_str()) {
            wrong.push(row.key());
        }
    }
    println!(
        "isthmus-suite: convert repeats: {count} rows, {} listed",
        known.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
