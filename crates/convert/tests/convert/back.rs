//! FHIR into HL7 v2 with our own library: every ADT and ORU message of the samples becomes a bundle
//! and comes back. What was valued in it is there again, or `official/back-known.tsv` says why not;
//! the segments stand where the structure of the message has them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use convert::{Library, Processor, Unread, hl7v2_library, own, root_of};

use super::data;
use super::er7::{Compared, Message, Part};

const SUITE: &str = "convert back";
const KNOWN: &str = include_str!("../official/back-known.tsv");

pub(crate) fn library() -> Library {
    Library::load(&own::sources("fhir-to-hl7v2").expect("the library is ours"))
}

/// The message again, by way of FHIR, and what of it did not come into FHIR.
pub(crate) fn there_and_back(message: &str, library: &Library) -> Result<Back, String> {
    let root = root_of(message, hl7v2_library()).map_err(|error| error.to_string())?;
    let bundle = data::convert(hl7v2_library(), &root, Processor::Hl7v2, message);
    let bundle = bundle.map_err(|error| error.to_string())?;
    let root = library.root_for(Processor::FhirToHl7v2, &bundle.text);
    let root = root.ok_or("the bundle names no root")?;
    let back = data::convert(library, &root, Processor::FhirToHl7v2, &bundle.text);
    let text = back.map(|it| it.text).map_err(|error| error.to_string())?;
    let unread = bundle.unread.iter().chain(&bundle.ignored);
    let unread = unread.filter_map(|it| match it {
        Unread::Component {
            segment,
            field,
            repeat,
            component,
            subcomponent,
        } => Some((segment.1, *field, *repeat, *component, *subcomponent)),
        Unread::Node { .. } => None,
    });
    Ok(Back {
        text,
        unread: unread.collect(),
    })
}

pub(crate) struct Back {
    pub(crate) text: String,
    /// Position of the segment, field, repeat, component and subcomponent, 0 for all.
    unread: BTreeSet<(usize, usize, usize, usize, usize)>,
}

impl Back {
    fn is_unread(&self, position: usize, part: &Part) -> bool {
        let has = |subcomponent| {
            let Part {
                field,
                repeat,
                component,
                ..
            } = *part;
            self.unread
                .contains(&(position, field, repeat, component, subcomponent))
        };
        has(0) || has(part.subcomponent)
    }
}

/// The messages of the samples and of the repository whose events the library writes.
pub(crate) fn messages(library: &Library) -> Vec<(String, String)> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/hl7v2");
    let folders = data::folder(SUITE, "15-hl7v2").into_iter().chain([own]);
    let roots = library.roots();
    let mut found = Vec::new();
    for folder in folders {
        for file in data::files(&folder) {
            let Some(text) = std::fs::read(&file)
                .ok()
                .and_then(|it| String::from_utf8(it).ok())
            else {
                continue;
            };
            let text = text.trim_start_matches('\u{feff}').trim_start();
            let extension = file.extension().and_then(|it| it.to_str());
            if !text.starts_with("MSH") || !matches!(extension, Some("hl7" | "txt" | "er7")) {
                continue;
            }
            let name = file.strip_prefix(&folder).unwrap().display().to_string();
            for text in text
                .split_inclusive(['\r', '\n'])
                .fold(Vec::new(), per_message)
            {
                let root = root_of(&text, hl7v2_library()).unwrap_or_default();
                if roots.contains(&root.as_str()) {
                    found.push((name.clone(), text));
                }
            }
        }
    }
    found
}

/// Some files have several messages.
fn per_message(mut found: Vec<String>, line: &str) -> Vec<String> {
    match found.last_mut() {
        Some(last) if !line.starts_with("MSH") => last.push_str(line),
        _ => found.push(line.to_owned()),
    }
    found
}

#[test]
fn the_library_is_sound() {
    let shown: Vec<String> = library().check().iter().map(ToString::to_string).collect();
    assert!(shown.is_empty(), "{}", shown.join("\n"));
}

/// The data types of the fields that the guide speaks of: `PID-3` has `CX`.
fn data_types() -> BTreeMap<&'static str, &'static str> {
    let rows = include_str!("../../templates/rows.tsv").lines().skip(1);
    let cells = rows.filter_map(|it| {
        let mut cells = it.split('\t').skip(1);
        Some((cells.next()?, cells.nth(1)?))
    });
    cells.filter(|it| !it.1.is_empty()).collect()
}

/// Why a part is not as it was, by the narrowest row: of the part itself (`PID-3.2`, `PID-3`), of
/// its data type (`CX.2`), or of the segment if it is not there at all.
fn reason<'k>(
    known: &BTreeMap<&'k str, &str>,
    types: &BTreeMap<&str, &str>,
    compared: &Compared<'_>,
) -> Option<&'k str> {
    let Part {
        segment,
        field,
        component,
        subcomponent,
        ..
    } = compared.part;
    let of_type = types
        .get(format!("{segment}-{field}").as_str())
        .unwrap_or(&"");
    let names = if compared.has_segment {
        vec![
            format!("{segment}-{field}.{component}.{subcomponent}"),
            format!("{segment}-{field}.{component}"),
            format!("{segment}-{field}"),
            format!("{of_type}.{component}.{subcomponent}"),
            format!("{of_type}.{component}"),
        ]
    } else {
        vec![segment.clone()]
    };
    names
        .iter()
        .find_map(|it| known.get_key_value(it.as_str()).map(|it| *it.0))
}

#[test]
fn messages_come_back() {
    let (library, types) = (library(), data_types());
    let known = KNOWN.lines().skip(1).filter_map(|it| it.split_once('\t'));
    let known: BTreeMap<&str, &str> = known.collect();
    let mut used: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut count, mut valued, mut equal, mut unread) = (0, 0, 0, 0);
    let mut wrong: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for (name, message) in messages(&library) {
        let back = match there_and_back(&message, &library) {
            Ok(back) => back,
            Err(error) => {
                wrong.insert(format!("{name}: {error}"), (1, String::new()));
                continue;
            }
        };
        count += 1;
        let (before, after) = (Message::read(&message), Message::read(&back.text));
        for compared in before.compared(&after) {
            let (part, text) = (compared.part, compared.text);
            valued += 1;
            if compared.there.as_ref().is_some_and(|it| is_same(text, it)) {
                equal += 1;
                continue;
            }
            if back.is_unread(compared.position, part) {
                unread += 1;
                continue;
            }
            if let Some(reason) = reason(&known, &types, &compared) {
                *used.entry(reason).or_default() += 1;
                continue;
            }
            let shown = format!("{text:?} in {name}");
            let place = if compared.has_segment {
                part.to_string()
            } else {
                part.segment.clone()
            };
            let entry = wrong.entry(place).or_insert((0, shown));
            entry.0 += 1;
        }
    }
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for (part, count) in &used {
        *reasons.entry(known[part]).or_default() += count;
    }
    println!(
        "isthmus-suite: {SUITE}: {count} messages, {equal} of {valued} parts equal, {unread} not read into FHIR"
    );
    for (reason, count) in reasons {
        println!("  {count} {reason}");
    }
    let idle: Vec<&str> = known
        .keys()
        .filter(|it| !used.contains_key(*it))
        .copied()
        .collect();
    let shown: Vec<String> = wrong
        .iter()
        .map(|(part, (count, example))| format!("{count} × {part}: {example}"))
        .collect();
    assert!(
        wrong.is_empty(),
        "{} parts\n{}",
        shown.len(),
        shown.join("\n")
    );
    if data::folder(SUITE, "15-hl7v2").is_some() {
        assert!(idle.is_empty(), "listed, but nothing is lost: {idle:?}");
    }
}

/// Whether a part came back: as it was, or as the same number or the same time, which FHIR writes
/// to the second and with a zone.
fn is_same(before: &str, after: &str) -> bool {
    let (before, after) = (before.trim(), after.trim());
    if before == after {
        return true;
    }
    if let (Ok(one), Ok(other)) = (
        before.parse::<fhir::Decimal>(),
        after.parse::<fhir::Decimal>(),
    ) && before.len() < 8
    {
        return one == other;
    }
    let digits = before.split(['+', '-']).next().unwrap_or(before);
    let is_time = digits.len() >= 8 && digits.bytes().all(|it| it.is_ascii_digit() || it == b'.');
    let zone = &before[digits.len()..];
    is_time && after.starts_with(digits) && after.ends_with(zone)
}

/// The structure has a place for every segment where it stands.
#[test]
fn segments_stand_where_the_structure_has_them() {
    let library = library();
    let names: BTreeSet<&str> = [
        "EVN", "PID", "PD1", "NK1", "PV1", "PV2", "OBX", "AL1", "DG1", "PR1", "GT1", "IN1", "MRG",
        "IAM", "ORC", "OBR", "NTE", "SPM",
    ]
    .into();
    let of_name = |name: &&str| {
        format!(
            "{{% for s in message.all.{name} %}}{{% if not s.is_expected %}}\"{name} {{{{ s.position }}}}\",{{% endif %}}{{% endfor %}}"
        )
    };
    let loops: String = names.iter().map(of_name).collect();
    let root = format!("{{\"structure\": \"{{{{ structure }}}}\", \"unexpected\": [{loops}]}}");
    let metadata = r#"{"type": "hl7v2", "mode": "strict"}"#;
    let checker = data::library(&[("metadata.json", metadata), ("Root.liquid", &root)]);
    let mut wrong = Vec::new();
    for (name, message) in messages(&library) {
        let Ok(back) = there_and_back(&message, &library) else {
            continue;
        };
        let back = back.text;
        assert!(back.ends_with('\r') && !back.contains('\n'), "{name}");
        let output = data::convert(&checker, "Root", Processor::Hl7v2, &back).unwrap();
        let json: serde_json::Value = serde_json::from_str(&output.text).unwrap();
        assert!(json["structure"].is_string(), "{name}: {back}");
        if json["unexpected"].is_array() {
            wrong.push(format!(
                "{name}: {} {}",
                json["structure"], json["unexpected"]
            ));
        }
        let unnamed = Message::read(&back).segments.into_iter().skip(1);
        let unnamed: Vec<String> = unnamed
            .map(|it| it.name)
            .filter(|it| !names.contains(it.as_str()))
            .collect();
        assert!(unnamed.is_empty(), "{name}: {unnamed:?}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Reads messages with the Python package `hl7`: of each the parts that say something, with the
/// sequences for separators undone.
const PARSER: &str = r#"
import hl7, json, sys

def level(item, kind):
    return list(item) if isinstance(item, kind) else [item]

read = []
for text in json.load(sys.stdin):
    message = hl7.parse(text)
    parts = []
    for position, segment in enumerate(message, 1):
        name = str(segment[0])
        for number in range(3 if name == "MSH" else 1, len(segment)):
            field = segment[number]
            for r, repeat in enumerate(level(field, hl7.Field), 1):
                for c, component in enumerate(level(repeat, hl7.Repetition), 1):
                    for s, part in enumerate(level(component, hl7.Component), 1):
                        if str(part).strip():
                            text = message.unescape(str(part)).replace("\r", "\n")
                            parts.append([position, name, number, r, c, s, text])
    read.append(parts)
json.dump(read, sys.stdout)
"#;

/// The place of the segment, its name, field, repeat, component, subcomponent and text.
type Read = (usize, String, usize, usize, usize, usize, String);

/// Another parser finds in what the library writes what is in it.
#[test]
fn an_independent_parser_reads_them() {
    let Some(set) = data::folder(SUITE, "pypi/hl7-0.4.5") else {
        return;
    };
    let library = library();
    let written: Vec<String> = messages(&library)
        .iter()
        .filter_map(|it| Some(there_and_back(&it.1, &library).ok()?.text))
        .collect();
    let mut python = Command::new(set.join("bin/python"))
        .args(["-c", PARSER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = python.stdin.take().unwrap();
    input
        .write_all(serde_json::to_string(&written).unwrap().as_bytes())
        .unwrap();
    drop(input);
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    let read: Vec<Vec<Read>> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(read.len(), written.len());
    let mut count = 0;
    for (text, parts) in written.iter().zip(read) {
        let mut own = Vec::new();
        for (position, segment) in (1..).zip(Message::read(text).segments) {
            own.extend(segment.parts.into_iter().map(|(part, text)| {
                let Part {
                    segment,
                    field,
                    repeat,
                    component,
                    subcomponent,
                } = part;
                (
                    position,
                    segment,
                    field,
                    repeat,
                    component,
                    subcomponent,
                    text,
                )
            }));
        }
        count += own.len();
        assert_eq!(parts, own, "{text}");
    }
    println!(
        "isthmus-suite: {SUITE}, read by another parser: {} messages, {count} parts",
        written.len()
    );
}
