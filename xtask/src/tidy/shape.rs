//! The shape of files: a header, a bounded length, a name that says what is inside. The length of
//! single functions is clippy's (`too_many_lines`); here only their ninetieth percentile.

use std::path::Path;

use super::rust::RustFile;
use super::{Finding, is_generated};
use crate::workspace::TextFile;

/// Lines of a file without its tests.
const FILE_LINES_MAX: usize = 900;

/// Lines that nine of ten functions keep to.
const FUNCTION_LINES_P90_MAX: usize = 30;

/// Names of places where things end up that nobody wanted to name.
const BANNED_NAMES: &[&str] = &[
    "util", "utils", "common", "helper", "helpers", "misc", "manager", "managers", "core",
];

/// Applies the rules of shape to a Rust file.
pub(crate) fn check(file: &TextFile, rust: &RustFile) -> Vec<Finding> {
    let found = [header(file), length(file, rust), name(file)];
    found.into_iter().flatten().collect()
}

fn header(file: &TextFile) -> Option<Finding> {
    (!file.text.starts_with("//!")).then(|| Finding {
        path: file.path.clone(),
        line: 1,
        rule: "header",
        what: "the file does not begin with `//!`".to_owned(),
        remedy: "say what it is for, what it does not do, and the clause it follows".to_owned(),
    })
}

fn length(file: &TextFile, rust: &RustFile) -> Option<Finding> {
    let lines = rust.product(&rust.code).count();
    (lines > FILE_LINES_MAX && !is_generated(&file.path)).then(|| Finding {
        path: file.path.clone(),
        line: 0,
        rule: "file-length",
        what: format!("{lines} lines without tests, limit {FILE_LINES_MAX}"),
        remedy: "split it by concept".to_owned(),
    })
}

fn name(file: &TextFile) -> Option<Finding> {
    let parts = file
        .path
        .split('/')
        .map(|part| part.strip_suffix(".rs").unwrap_or(part));
    let banned = parts.into_iter().find(|part| BANNED_NAMES.contains(part))?;
    Some(Finding {
        path: file.path.clone(),
        line: 0,
        rule: "name",
        what: format!("`{banned}` says nothing about what is inside"),
        remedy: "put a helper beside the thing it helps, named after that thing".to_owned(),
    })
}

/// Nine of ten functions are short.
pub(crate) fn check_ninetieth(lengths: &[usize]) -> Option<Finding> {
    let found = percentile(lengths, 90);
    (found > FUNCTION_LINES_P90_MAX).then(|| Finding {
        path: "xtask/src/tidy/shape.rs".to_owned(),
        line: 0,
        rule: "function-length",
        what: format!("a tenth of all functions has more than {found} lines"),
        remedy: format!("shorten functions until it is at most {FUNCTION_LINES_P90_MAX}"),
    })
}

/// The value below which `percent` of a hundred of the ascending values lie; zero of none.
pub(crate) fn percentile(ascending: &[usize], percent: usize) -> usize {
    let index = (ascending.len() * percent / 100).min(ascending.len().saturating_sub(1));
    ascending.get(index).copied().unwrap_or(0)
}

/// Crates and their folders follow the same list of names.
pub(crate) fn is_banned_name(name: &str) -> bool {
    Path::new(name)
        .file_stem()
        .is_some_and(|it| BANNED_NAMES.iter().any(|banned| it == *banned))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::rust::RustFile;
    use super::super::tests::{check_findings, file};

    fn check(path: &str, text: &str, expected: &Expect) {
        let rust = RustFile::read(path, text);
        check_findings(&super::check(&file(path, text), &rust), expected);
    }

    #[test]
    fn a_file_has_a_header_and_a_telling_name() {
        check(
            "crates/x/src/a.rs",
            "// a\nfn b() {}",
            &expect![
                "crates/x/src/a.rs:1: header: the file does not begin with `//!` – say what it is for, what it does not do, and the clause it follows"
            ],
        );
        check(
            "crates/x/src/util.rs",
            "//! A.\n",
            &expect![
                "crates/x/src/util.rs:1: name: `util` says nothing about what is inside – put a helper beside the thing it helps, named after that thing"
            ],
        );
        check(
            "crates/x/src/core/a.rs",
            "//! A.\n",
            &expect![
                "crates/x/src/core/a.rs:1: name: `core` says nothing about what is inside – put a helper beside the thing it helps, named after that thing"
            ],
        );
    }

    #[test]
    fn a_file_is_bounded_without_its_tests() {
        let code = "//! A.\n".to_owned() + &"a();\n".repeat(900);
        check(
            "crates/x/src/a.rs",
            &code,
            &expect![
                "crates/x/src/a.rs:1: file-length: 901 lines without tests, limit 900 – split it by concept"
            ],
        );
        check("crates/x/src/generated/a.rs", &code, &expect![[""]]);
        let tests =
            "//! A.\n#[cfg(test)]\nmod tests {\n".to_owned() + &"a();\n".repeat(900) + "}\n";
        check("crates/x/src/a.rs", &tests, &expect![[""]]);
    }

    #[test]
    fn nine_of_ten_functions_are_short() {
        let short: Vec<usize> = (1..=30).collect();
        let long: Vec<usize> = (1..=40).collect();
        assert!(super::check_ninetieth(&short).is_none());
        let found: Vec<_> = super::check_ninetieth(&long).into_iter().collect();
        check_findings(
            &found,
            &expect![
                "xtask/src/tidy/shape.rs:1: function-length: a tenth of all functions has more than 37 lines – shorten functions until it is at most 30"
            ],
        );
    }
}
