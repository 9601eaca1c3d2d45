//! `cargo xtask tidy`: the rules of the house that no compiler knows. Each rule is a function from
//! a file, or from what cargo knows, to findings; a finding says where, what, and how to mend it.
//! Lints that clippy has are clippy's. The rules run inside `cargo test` too.
//!
//! A line may break a rule where it says why: `// tidy: <rule>: <reason>` on it or above it.

mod banned;
mod dependencies;
mod documents;
mod generated;
mod licences;
mod purity;
mod rust;
mod shape;

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::workspace::{self, TextFile};
use rust::RustFile;

/// One broken rule.
#[derive(Debug)]
pub(crate) struct Finding {
    path: String,
    /// Counted from one; zero when the finding is about the file as a whole.
    line: usize,
    rule: &'static str,
    what: String,
    remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line.max(1);
        write!(
            f,
            "{}:{line}: {}: {} – {}",
            self.path, self.rule, self.what, self.remedy
        )
    }
}

/// What all rules together have to say about a repository.
pub(crate) struct Report {
    pub(crate) findings: Vec<Finding>,
    files: usize,
    /// Lengths of all functions of the product, ascending.
    function_lengths: Vec<usize>,
}

/// Runs the command and prints the report.
pub(crate) fn run(_arguments: &[String]) -> Result<ExitCode> {
    let report = inspect(&workspace::root())?;
    for finding in &report.findings {
        println!("{finding}");
    }
    println!("{}", summary(&report));
    Ok(if report.findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Applies all rules to the repository at `root`.
pub(crate) fn inspect(root: &Path) -> Result<Report> {
    let files = workspace::text_files(root)?;
    let metadata = workspace::metadata()?;
    let architecture = files.iter().find(|it| it.path == dependencies::DOCUMENT);
    let table = dependencies::Table::parse(architecture.map_or("", |it| it.text.as_str()));
    let mut findings = dependencies::check(&table, &metadata);
    findings.extend(licences::check(root, &metadata)?);
    findings.extend(generated::check(root, &files)?);
    findings.extend(documents::check_presence(&files));
    let mut function_lengths = Vec::new();
    for file in &files {
        if is_rust(file) {
            let rust = RustFile::read(&file.path, &file.text);
            findings.extend(excused(file, check_rust(file, &rust, &table)));
            function_lengths.extend(rust.function_lengths());
        } else {
            findings.extend(documents::check(root, file));
        }
    }
    function_lengths.sort_unstable();
    findings.extend(shape::check_ninetieth(&function_lengths));
    Ok(Report {
        findings,
        files: files.len(),
        function_lengths,
    })
}

fn is_rust(file: &TextFile) -> bool {
    Path::new(&file.path)
        .extension()
        .is_some_and(|it| it == "rs")
}

fn check_rust(file: &TextFile, rust: &RustFile, table: &dependencies::Table) -> Vec<Finding> {
    let mut findings = shape::check(file, rust);
    findings.extend(banned::check(file, rust));
    findings.extend(purity::check(file, rust, table));
    findings
}

/// Leaves out the findings that the text itself gives a reason for.
fn excused(file: &TextFile, findings: Vec<Finding>) -> Vec<Finding> {
    let lines: Vec<&str> = file.text.lines().collect();
    let gives_reason = |number: usize, rule: &str| {
        let line = number
            .checked_sub(1)
            .and_then(|it| lines.get(it))
            .copied()
            .unwrap_or("");
        let reason = line
            .split_once("// tidy: ")
            .and_then(|(_, text)| text.strip_prefix(rule));
        reason
            .and_then(|it| it.strip_prefix(": "))
            .is_some_and(|it| !it.trim().is_empty())
    };
    let is_excused = |it: &Finding| {
        it.line > 0 && (gives_reason(it.line, it.rule) || gives_reason(it.line - 1, it.rule))
    };
    findings.into_iter().filter(|it| !is_excused(it)).collect()
}

fn summary(report: &Report) -> String {
    let lengths = &report.function_lengths;
    format!(
        "tidy: {} files, {} functions (p50 {} lines, p90 {}, longest {}), {} findings",
        report.files,
        lengths.len(),
        shape::percentile(lengths, 50),
        shape::percentile(lengths, 90),
        lengths.last().copied().unwrap_or(0),
        report.findings.len(),
    )
}

/// The crate a path belongs to, if any: the folder below `crates`, or `e2e`, or `xtask`.
fn crate_of(path: &str) -> Option<&str> {
    let mut parts = path.split('/');
    match parts.next()? {
        "crates" => parts.next(),
        first @ ("e2e" | "xtask") => Some(first),
        _ => None,
    }
}

/// Whether a path lies in a folder of generated code.
fn is_generated(path: &str) -> bool {
    path.contains("/src/generated/")
}

/// Whether `word` occurs in the line without being part of a longer word.
fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        let open_start = !word.starts_with(is_part) || !before.is_some_and(is_part);
        let open_end = !word.ends_with(is_part) || !after.is_some_and(is_part);
        open_start && open_end
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::{Finding, TextFile, excused, has_word, inspect};
    use crate::workspace;

    /// Compares findings, one a line, with what is expected of them.
    pub(super) fn check_findings(findings: &[Finding], expected: &Expect) {
        let shown: Vec<String> = findings.iter().map(ToString::to_string).collect();
        expected.assert_eq(&shown.join("\n"));
    }

    /// A file as the rules see it.
    pub(super) fn file(path: &str, text: &str) -> TextFile {
        TextFile {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn the_repository_is_tidy() {
        let report = inspect(&workspace::root()).expect("the repository can be read");
        let shown: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
        assert!(shown.is_empty(), "{}", shown.join("\n"));
    }

    #[test]
    fn a_reason_excuses_its_own_rule_and_line_only() {
        let text = "// tidy: sleep: the signal has no event\nx\n// tidy: sleep: \nx\nx";
        let finding = |line, rule| Finding {
            path: "a.rs".into(),
            line,
            rule,
            what: "x".into(),
            remedy: "y".into(),
        };
        let found = vec![
            finding(2, "sleep"),
            finding(2, "todo"),
            finding(4, "sleep"),
            finding(5, "sleep"),
        ];
        check_findings(
            &excused(&file("a.rs", text), found),
            &expect![[r#"
            a.rs:2: todo: x – y
            a.rs:4: sleep: x – y
            a.rs:5: sleep: x – y"#]],
        );
    }

    #[test]
    fn words_have_borders() {
        let hits = ["fhir::x", "a.fhir", "fhirpath", "my_fhir", "(fhir)"];
        let found: Vec<_> = hits.iter().filter(|it| has_word(it, "fhir")).collect();
        assert_eq!(found, [&"fhir::x", &"a.fhir", &"(fhir)"]);
        assert!(has_word("x.unwrap()", ".unwrap()") && has_word("x.unwrap().y", ".unwrap()"));
    }
}
