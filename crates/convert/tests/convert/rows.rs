//! Each row of the guide's tables that our library maps, on a segment made for it: the field has a
//! value of its type, and what the row's condition speaks of is as the condition wants it. The
//! element must be there. Rows for which that is not enough are listed with the reason.

use std::collections::{BTreeMap, BTreeSet};

use convert::{Library, Processor, hl7v2_sources};
use serde_json::Value;

use super::data;

const ROWS: &str = include_str!("../../templates/rows.tsv");
const KNOWN: &str = include_str!("../official/rows-known.txt");

/// Values of data types; of others any word does.
const SAMPLES: &[(&str, &str)] = &[
    ("CQ", "5^mg"),
    ("CX", "ID1^1^M10^AUTH^MR"),
    ("DR", "20260102^20260103"),
    ("DT", "20260102"),
    ("DTM", "20260102030405"),
    ("ED", "A^application^pdf^Base64^JVBERi0="),
    ("EI", "E1^NS"),
    ("EIP", "E1^F1"),
    ("MSG", "ADT^A01^ADT_A01"),
    ("NM", "5"),
    ("NR", "1^2"),
    ("PL", "W^1^B^H"),
    ("RP", "http://example.org/a^B^application^pdf"),
    ("SI", "5"),
    ("SN", ">^5^^7"),
    ("TM", "0304"),
    ("TS", "20260102030405"),
    ("XAD", "1 Main St^^Springfield"),
    ("XCN", "11^Doctor^Dee"),
    ("XON", "Org^^7"),
    ("XPN", "Doe^Jane"),
    ("XTN", "5550100^PRN^PH"),
];

struct Row<'t> {
    map: &'t str,
    field: &'t str,
    data_type: &'t str,
    attribute: &'t str,
    condition: &'t str,
    vocabulary: &'t str,
}

fn rows() -> Vec<Row<'static>> {
    let rows = ROWS.lines().skip(1).filter_map(|line| {
        let cells: Vec<&str> = line.split('\t').collect();
        let [
            map,
            field,
            _,
            data_type,
            attribute,
            condition,
            vocabulary,
            "mapped",
        ] = cells[..]
        else {
            return None;
        };
        Some(Row {
            map,
            field,
            data_type,
            attribute,
            condition,
            vocabulary,
        })
    });
    rows.collect()
}

/// A value of the type; where codes are mapped, one that is.
fn sample(row: &Row<'_>, maps: &Value) -> String {
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
fn fields(row: &Row<'_>, maps: &Value) -> BTreeMap<usize, String> {
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
    let dotted = format!("{}.", &row.map[..3]);
    let condition = row.condition.replace(['(', ')', ',', '='], " ");
    let condition = condition.replace(&dotted, &format!("{}-", &row.map[..3]));
    let words: Vec<&str> = condition.split_whitespace().collect();
    for (at, word) in words.iter().enumerate() {
        let segment = &row.map[..3];
        let Some(field) = word.starts_with(segment).then(|| number(word)).flatten() else {
            continue;
        };
        let rest = &words[at + 1..];
        let end = rest
            .iter()
            .position(|it| it.starts_with(&format!("{segment}-")));
        let rest = &rest[..end.unwrap_or(rest.len())];
        let quoted = rest
            .iter()
            .find_map(|it| it.strip_prefix('"')?.split('"').next());
        let is_not = rest.contains(&"NOT") || rest.contains(&"EMPTY");
        let value = match (quoted, is_not) {
            (Some(text), false) => text.to_owned(),
            (Some(_), true) => "ZZ9".to_owned(),
            (None, true) => String::new(),
            (None, false) => "5".to_owned(),
        };
        let component: usize = word
            .split('.')
            .nth(1)
            .and_then(|it| it.parse().ok())
            .unwrap_or(1);
        let is_part = word.contains('.') && (quoted.is_none() || !is_not);
        if field != own || is_part || (quoted.is_some() && !is_not) {
            let text = fields.entry(field).or_default();
            *text = with_component(text, component, &value);
        }
    }
    fields
}

/// A field with another component.
fn with_component(field: &str, component: usize, value: &str) -> String {
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

fn has(value: &Value, steps: &[&str]) -> bool {
    let Some((step, rest)) = steps.split_first() else {
        return true;
    };
    match value {
        Value::Array(items) => items.iter().any(|it| has(it, steps)),
        Value::Object(members) => {
            let beside = format!("_{step}");
            let mut found = [members.get(*step), members.get(&beside)]
                .into_iter()
                .flatten();
            found.any(|it| has(it, rest))
        }
        _ => false,
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

#[test]
fn each_row_is_mapped() {
    let rows = rows();
    let maps: BTreeSet<&str> = rows.iter().map(|it| it.map).collect();
    let library = library(&maps);
    let codes = include_str!("../../templates/hl7v2/CodeSystem/CodeSystem.json");
    let codes: Value = serde_json::from_str(codes).unwrap();
    let known: BTreeSet<&str> = KNOWN
        .lines()
        .filter_map(|it| it.split('\t').next())
        .collect();
    let (mut mapped, mut wrong) = (0, Vec::new());
    for row in &rows {
        let fields = fields(row, &codes);
        let count = fields.keys().max().copied().unwrap_or(0);
        let texts = (1..=count).map(|it| fields.get(&it).map_or("", String::as_str));
        let texts: Vec<&str> = texts.collect();
        let segment = &row.map[..3];
        let header = "MSH|^~\\&|A|B|C|D|20260102030405+0000||ADT^A01|1|P|2.5";
        let message = match segment {
            "MSH" => format!("MSH|^~\\&|{}", texts.get(2..).unwrap_or_default().join("|")),
            _ => format!("{header}\r{segment}|{}", texts.join("|")),
        };
        let root = format!("Row{}", file(row.map));
        let output = data::convert(&library, &root, Processor::Hl7v2, &message);
        let bundle: Value = match &output {
            Ok(output) => serde_json::from_str(&output.text).unwrap(),
            Err(error) => panic!("{} {}: {error}", row.map, row.field),
        };
        let (resource, steps) = target(row);
        let entries = bundle["entry"].as_array().map_or(&[][..], Vec::as_slice);
        let mut resources = entries.iter().map(|it| &it["resource"]);
        let found = resources.any(|it| it["resourceType"] == resource && has(it, &steps));
        let key = format!(
            "{} {} {} {}",
            row.map, row.field, row.attribute, row.condition
        );
        mapped += usize::from(found);
        if found == known.contains(key.as_str()) {
            wrong.push(key);
        }
    }
    println!(
        "isthmus-suite: convert rows: {mapped} of {} mapped, {} listed",
        rows.len(),
        known.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
