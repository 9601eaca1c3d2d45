//! The dialect, rule by rule: each case in `cases/dialect/*.txt` is a template, its data and what
//! must come of it. A case begins with `=== name`; its parts with `--- template`, `--- data`
//! (JSON), `--- hl7v2`, `--- xml`, `--- file NAME`, and one of `--- text` (what is rendered),
//! `--- json` (what is converted), `--- error`; of compatible templates with Microsoft's code.

use std::fmt::Write;
use std::path::Path;

use convert::Processor;

use super::data;

#[derive(Default)]
struct Case {
    name: String,
    parts: Vec<(String, String)>,
}

impl Case {
    fn part(&self, name: &str) -> Option<&str> {
        let part = self.parts.iter().find(|(it, _)| it == name);
        part.map(|(_, text)| text.as_str())
    }

    /// What comes of the template, in the form that is expected.
    fn run(&self, mode: &str) -> String {
        let template = self.part("template").expect("a case has a template");
        let is_text = self.part("json").is_none() && self.part("hl7v2-out").is_none();
        let root = "{% capture out %}{% include 'case' %}{% endcapture %}{\"out\":[null,{{ out | to_json_string }}]}";
        let mut files = vec![("case.liquid", template)];
        files.push(("root.liquid", if is_text { root } else { template }));
        for (name, text) in &self.parts {
            if let Some(file) = name.strip_prefix("file ") {
                files.push((file, text));
            }
        }
        let (processor, input) = self.input();
        let kind = match processor {
            Processor::Hl7v2 => "hl7v2",
            _ => "json",
        };
        let metadata = format!("{{\"type\": \"{kind}\", \"mode\": \"{mode}\"}}");
        if !files.iter().any(|it| it.0 == "metadata.json") {
            files.push(("metadata.json", &metadata));
        }
        match data::convert(&data::library(&files), "root", processor, input) {
            Ok(output) if is_text => {
                let json: serde_json::Value = serde_json::from_str(&output.text).unwrap();
                json["out"][1].as_str().unwrap_or_default().to_owned()
            }
            // The segments of a strict message end in CR.
            Ok(output) => output.text.replace('\r', "\n"),
            Err(error) if mode == "compatible" => format!("{} {error}", error.kind.code()),
            Err(error) => error.to_string(),
        }
    }

    fn input(&self) -> (Processor, &str) {
        let kinds = [
            ("hl7v2", Processor::Hl7v2),
            ("xml", Processor::Ccda),
            ("data", Processor::Json),
        ];
        let mut given = kinds
            .iter()
            .filter_map(|(name, it)| Some((*it, self.part(name)?)));
        let (processor, input) = given.next().unwrap_or((Processor::Json, "{}"));
        match self.part("hl7v2-out") {
            Some(_) => (Processor::FhirToHl7v2, input),
            None => (processor, input),
        }
    }

    fn expected(&self) -> &str {
        let kinds = ["text", "json", "error", "hl7v2-out"];
        let mut expected = kinds.iter().filter_map(|it| self.part(it));
        expected.next().expect("a case says what is expected")
    }
}

fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("=== ") {
            cases.push(Case {
                name: name.to_owned(),
                parts: Vec::new(),
            });
            continue;
        }
        let Some(case) = cases.last_mut() else {
            continue;
        };
        if let Some(part) = line.strip_prefix("--- ") {
            case.parts.push((part.to_owned(), String::new()));
        } else if let Some((_, text)) = case.parts.last_mut() {
            writeln!(text, "{line}").unwrap();
        }
    }
    for case in &mut cases {
        for (_, text) in &mut case.parts {
            let trimmed = text.trim_end_matches('\n').len();
            text.truncate(trimmed);
        }
    }
    cases
}

#[test]
fn each_rule_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/dialect");
    let (mut count, mut failed) = (0, Vec::new());
    for file in data::files(&folder) {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        for case in cases(&std::fs::read_to_string(&file).unwrap()) {
            count += 1;
            let mode = if name.starts_with("strict") {
                "strict"
            } else {
                "compatible"
            };
            let (actual, expected) = (case.run(mode), case.expected());
            if actual.trim_end_matches('\n') != expected {
                failed.push(format!(
                    "{name}: {}\n  expected {expected:?}\n  actual   {actual:?}",
                    case.name
                ));
            }
        }
    }
    println!(
        "isthmus-suite: convert dialect: {count} cases, {} failed",
        failed.len()
    );
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
