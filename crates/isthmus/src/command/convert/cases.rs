//! `isthmus convert test DIR`: inputs beside what they must become. `tests/ADT_A01/a.hl7` begins with
//! the template `ADT_A01` and becomes `a.expected.json` (or `.hl7`); `a.case.json` may say more:
//! `instants` compares moments instead of texts, `ignore` lists paths that may differ, `zone` is the
//! zone of times that name none in minutes, `error` the code with which the conversion must fail.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use convert::{Library, Processor, Settings};
use serde_json::Value;

use super::{folder, load, path};
use crate::command::print;

/// How many differences of a case are shown.
const DIFFERENCES_MAX: usize = 20;

/// When the cases are converted: always at one time.
const NOW: &str = "2026-01-01T00:00:00Z";

pub(super) fn arguments() -> Command {
    Command::new("test")
        .about("Convert the cases of a library and compare them with what is expected")
        .arg(folder("library").required(true))
        .arg(
            Arg::new("cases")
                .long("cases")
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .help("folder of the cases [default: tests/ in the library]"),
        )
        .arg(
            Arg::new("update")
                .long("update")
                .action(ArgAction::SetTrue)
                .help("write what is expected anew where it differs or is missing"),
        )
}

/// Runs all cases; exit code 1 if one fails.
pub(super) fn run(arguments: &ArgMatches) -> anyhow::Result<u8> {
    let at = path(arguments, "library").expect("required");
    let cases = path(arguments, "cases")
        .cloned()
        .unwrap_or_else(|| at.join("tests"));
    let suite = Suite {
        library: load(at)?,
        is_updating: arguments.get_flag("update"),
        cases,
    };
    let (mut passed, mut failed, mut written) = (0, 0, 0);
    for input in inputs(&suite.cases)? {
        let shown = input.strip_prefix(&suite.cases).unwrap_or(&input).display();
        match suite.run(&input).with_context(|| shown.to_string())? {
            Outcome::Passed => passed += 1,
            Outcome::Written => {
                written += 1;
                print(&format!("{shown}: written"));
            }
            Outcome::Failed(differences) => {
                failed += 1;
                print(&format!("{shown}: differs"));
                for it in differences {
                    print(&format!("  {it}"));
                }
            }
        }
    }
    print(&format!(
        "{passed} passed, {failed} failed, {written} written"
    ));
    Ok(if failed == 0 {
        crate::DONE
    } else {
        crate::FOUND_FAULTS
    })
}

/// The inputs: what is neither an expectation nor a description.
fn inputs(cases: &Path) -> anyhow::Result<Vec<PathBuf>> {
    anyhow::ensure!(cases.is_dir(), "{}: no folder of cases", cases.display());
    let is_input = |it: &PathBuf| {
        let name = it.file_name().unwrap_or_default().to_string_lossy();
        !name.contains(".expected.") && !name.ends_with(".case.json") && !name.starts_with('.')
    };
    Ok(super::files(cases)?.into_iter().filter(is_input).collect())
}

struct Suite {
    library: Library,
    cases: PathBuf,
    is_updating: bool,
}

enum Outcome {
    Passed,
    Failed(Vec<String>),
    Written,
}

impl Suite {
    fn run(&self, input: &Path) -> anyhow::Result<Outcome> {
        let below = input.strip_prefix(&self.cases).unwrap_or(input);
        let root = below.parent().unwrap_or(Path::new(""));
        let root = root.to_string_lossy().replace('\\', "/");
        anyhow::ensure!(
            !root.is_empty(),
            "a case lies in the folder of its template"
        );
        let case = Case::read(&input.with_extension("case.json"))?;
        let processor = self.library.processor();
        let processor = processor.context("the library's metadata.json names no kind of input")?;
        let text = std::fs::read_to_string(input)?;
        let now = fhir::Instant::parse(NOW).context("the time of cases")?;
        let never = || false;
        let settings = Settings {
            zone_offset_minutes: case.zone_offset_minutes,
            ..Settings::new(now, &never)
        };
        let output = self.library.convert(&root, processor, &text, &settings);
        match (output, case.error) {
            (Ok(output), None) => self.compare(input, &case, processor, &output.text),
            (Ok(_), Some(code)) => {
                let what = format!("converted, where error {code} was expected");
                Ok(Outcome::Failed(vec![what]))
            }
            (Err(error), Some(code)) if error.kind.code() == code => Ok(Outcome::Passed),
            (Err(error), _) => {
                let what = format!("error {}: {error}", error.kind.code());
                Ok(Outcome::Failed(vec![what]))
            }
        }
    }

    fn compare(
        &self,
        input: &Path,
        case: &Case,
        processor: Processor,
        actual: &str,
    ) -> anyhow::Result<Outcome> {
        let is_message = processor == Processor::FhirToHl7v2;
        let ending = if is_message {
            "expected.hl7"
        } else {
            "expected.json"
        };
        let file = input.with_extension(ending);
        let expected = std::fs::read_to_string(&file).ok();
        let mut differences = Vec::new();
        match &expected {
            None => differences.push(format!("{} is missing", file.display())),
            Some(expected) if is_message => {
                if expected != actual {
                    differences.push("the message is another".to_owned());
                }
            }
            Some(expected) => {
                let (actual, expected) = (
                    serde_json::from_str(actual)?,
                    serde_json::from_str(expected)?,
                );
                case.differences(&actual, &expected, "", &mut differences);
            }
        }
        if differences.is_empty() {
            return Ok(Outcome::Passed);
        }
        if !self.is_updating {
            differences.truncate(DIFFERENCES_MAX);
            return Ok(Outcome::Failed(differences));
        }
        let text = if is_message {
            actual.to_owned()
        } else {
            serde_json::to_string_pretty(&serde_json::from_str::<Value>(actual)?)? + "\n"
        };
        std::fs::write(&file, text)?;
        Ok(Outcome::Written)
    }
}

/// What a case says besides its input and its expectation.
#[derive(Default)]
struct Case {
    instants: bool,
    ignore: Vec<String>,
    zone_offset_minutes: Option<i32>,
    error: Option<u16>,
}

/// What a description may say.
const KNOWN: [&str; 4] = ["instants", "ignore", "zone", "error"];

impl Case {
    fn read(file: &Path) -> anyhow::Result<Self> {
        let Ok(text) = std::fs::read_to_string(file) else {
            return Ok(Self::default());
        };
        let shown = || file.display().to_string();
        let json: Value = serde_json::from_str(&text).with_context(shown)?;
        for name in json.as_object().into_iter().flat_map(|it| it.keys()) {
            anyhow::ensure!(
                KNOWN.contains(&name.as_str()),
                "{}: `{name}` is none of {}",
                shown(),
                KNOWN.join(", ")
            );
        }
        let ignore = json["ignore"].as_array().into_iter().flatten();
        Ok(Self {
            instants: json["instants"] == true,
            ignore: ignore
                .filter_map(|it| Some(it.as_str()?.to_owned()))
                .collect(),
            zone_offset_minutes: json["zone"].as_i64().and_then(|it| i32::try_from(it).ok()),
            error: json["error"].as_u64().and_then(|it| u16::try_from(it).ok()),
        })
    }

    /// Every place where both differ.
    fn differences(&self, actual: &Value, expected: &Value, at: &str, found: &mut Vec<String>) {
        if self.is_ignored(at) || self.is_same(actual, expected) {
            return;
        }
        match (actual, expected) {
            (Value::Object(one), Value::Object(other)) => {
                let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
                for name in names {
                    let dot = if at.is_empty() { "" } else { "." };
                    let at = format!("{at}{dot}{name}");
                    self.differences(&actual[name], &expected[name], &at, found);
                }
            }
            (Value::Array(one), Value::Array(other)) => {
                for number in 0..one.len().max(other.len()) {
                    let (one, other) = (&actual[number], &expected[number]);
                    self.differences(one, other, &format!("{at}[{number}]"), found);
                }
            }
            (_, Value::Null) => found.push(format!("{at}: {} is not expected", brief(actual))),
            (Value::Null, _) => found.push(format!("{at}: {} is missing", brief(expected))),
            _ => found.push(format!(
                "{at}: {} instead of {}",
                brief(actual),
                brief(expected)
            )),
        }
    }

    fn is_same(&self, actual: &Value, expected: &Value) -> bool {
        if actual == expected {
            return true;
        }
        let instant = |it: &Value| it.as_str().and_then(fhir::Instant::parse);
        self.instants && instant(actual).is_some() && instant(actual) == instant(expected)
    }

    /// `entry[*].resource.text` stands for every number.
    fn is_ignored(&self, at: &str) -> bool {
        self.ignore.iter().any(|pattern| {
            let (mut parts, mut given) = (pattern.split(['.', '[']), at.split(['.', '[']));
            loop {
                match (parts.next(), given.next()) {
                    (None, None) => return true,
                    (Some("*]"), Some(it)) if it.ends_with(']') => {}
                    (Some(one), Some(other)) if one == other => {}
                    _ => return false,
                }
            }
        })
    }
}

/// A value in a few characters.
fn brief(value: &Value) -> String {
    const CHARACTERS_MAX: usize = 80;
    let text = value.to_string();
    if text.chars().count() <= CHARACTERS_MAX {
        return text;
    }
    text.chars().take(CHARACTERS_MAX).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::run as run_cases;
    use super::*;

    #[test]
    fn differences_are_told_by_path() {
        let case = Case {
            instants: true,
            ignore: vec!["entry[*].text".into()],
            ..Case::default()
        };
        let actual = json!({"entry": [{"text": 1, "a": "2020-01-01T00:00:00Z"}, {"b": 1}], "c": 1});
        let expected = json!({"entry": [{"text": 2, "a": "2020-01-01T01:00:00+01:00"}], "c": 2});
        let mut found = Vec::new();
        case.differences(&actual, &expected, "", &mut found);
        let expected = ["c: 1 instead of 2", "entry[1]: {\"b\":1} is not expected"];
        assert_eq!(found, expected);
    }

    #[test]
    fn cases_are_run_and_updated() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("metadata.json", r#"{"type":"json"}"#);
        write("R.liquid", r#"{"a":"{{ msg.a }}"}"#);
        write("tests/R/good.json", r#"{"a":"1"}"#);
        write("tests/R/good.expected.json", r#"{"a":"1"}"#);
        write("tests/R/bad.json", "{");
        write("tests/R/bad.case.json", r#"{"error":1201}"#);
        write("tests/R/other.json", r#"{"a":"2"}"#);
        let run = |more: &[&str]| {
            let line = ["test", folder.path().to_str().unwrap()];
            let line = line.iter().chain(more);
            run_cases(&arguments().try_get_matches_from(line).unwrap()).unwrap()
        };
        assert_eq!(run(&[]), crate::FOUND_FAULTS);
        assert_eq!(run(&["--update"]), crate::DONE);
        assert_eq!(run(&[]), crate::DONE);
        write("tests/R/other.expected.json", r#"{"a":"3"}"#);
        assert_eq!(run(&[]), crate::FOUND_FAULTS);
    }
}
