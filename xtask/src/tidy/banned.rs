//! Text that has no place in the repository, each with what to write instead.

use super::rust::RustFile;
use super::{Finding, has_word};
use crate::workspace::TextFile;

#[derive(Clone, Copy)]
enum Where {
    Product,
    Tests,
    Everywhere,
}

struct Banned {
    rule: &'static str,
    text: &'static str,
    at: Where,
    instead: &'static str,
}

const BANNED: &[Banned] = &[
    Banned {
        rule: "ignored-test",
        text: "#[ignore",
        at: Where::Everywhere,
        instead: "print `isthmus-skipped: <suite>: <why>` and return when something is missing",
    },
    Banned {
        rule: "placeholder",
        text: "todo!(",
        at: Where::Everywhere,
        instead: "write it, or refuse with an error that says what is missing",
    },
    Banned {
        rule: "placeholder",
        text: "unimplemented!(",
        at: Where::Everywhere,
        instead: "write it, or refuse with an error that says what is missing",
    },
    Banned {
        rule: "unwrap",
        text: ".unwrap()",
        at: Where::Product,
        instead: "return the error, or state the invariant with `expect(\"why …\")`",
    },
    Banned {
        rule: "silenced-lint",
        text: "#[allow(",
        at: Where::Everywhere,
        instead: "use `#[expect(lint, reason = \"…\")]`",
    },
    Banned {
        rule: "silenced-lint",
        text: "#![allow(",
        at: Where::Everywhere,
        instead: "use `#![expect(lint, reason = \"…\")]`",
    },
    Banned {
        rule: "debugging",
        text: "dbg!(",
        at: Where::Everywhere,
        instead: "remove it, or log with `tracing`",
    },
    Banned {
        rule: "sleep",
        text: "thread::sleep",
        at: Where::Tests,
        instead: "wait for the event itself, or inject the clock",
    },
    Banned {
        rule: "sleep",
        text: "time::sleep",
        at: Where::Tests,
        instead: "wait for the event itself, or inject the clock",
    },
];

/// Applies the table to the code, and looks for promises in the comments.
pub(crate) fn check(file: &TextFile, rust: &RustFile) -> Vec<Finding> {
    let mut findings: Vec<Finding> = BANNED
        .iter()
        .flat_map(|banned| find(file, rust, banned))
        .collect();
    findings.extend(promises(file, rust));
    findings
}

fn find(file: &TextFile, rust: &RustFile, banned: &Banned) -> Vec<Finding> {
    let (product, tests) = match banned.at {
        Where::Product => (true, false),
        Where::Tests => (false, true),
        Where::Everywhere => (true, true),
    };
    let lines = rust.product(&rust.code).filter(|_| product);
    let lines = lines.chain(rust.tests(&rust.code).filter(|_| tests));
    lines
        .filter(|(_, line)| has_word(line, banned.text))
        .map(|(line, _)| Finding {
            path: file.path.clone(),
            line,
            rule: banned.rule,
            what: format!("`{}`", banned.text),
            remedy: banned.instead.to_owned(),
        })
        .collect()
}

/// A promise in a comment names the issue that will keep it: `TODO #12`.
fn promises(file: &TextFile, rust: &RustFile) -> Vec<Finding> {
    let lines = rust.comments.lines().enumerate();
    lines
        .filter(|(_, line)| {
            ["TODO", "FIXME", "XXX"]
                .iter()
                .any(|word| has_word(line, word))
        })
        .filter(|(_, line)| !names_issue(line))
        .map(|(index, _)| Finding {
            path: file.path.clone(),
            line: index + 1,
            rule: "promise",
            what: "a promise without an issue".to_owned(),
            remedy: "name the issue (`TODO #12: …`) or do it now".to_owned(),
        })
        .collect()
}

fn names_issue(line: &str) -> bool {
    line.split('#')
        .skip(1)
        .any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
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
    fn each_banned_text_is_found() {
        check(
            "crates/x/src/a.rs",
            "#![allow(a)]\n#[allow(b)]\n#[ignore]\nx.unwrap();\ntodo!()\nunimplemented!()\ndbg!(x)",
            &expect![[r#"
                crates/x/src/a.rs:3: ignored-test: `#[ignore` – print `isthmus-skipped: <suite>: <why>` and return when something is missing
                crates/x/src/a.rs:5: placeholder: `todo!(` – write it, or refuse with an error that says what is missing
                crates/x/src/a.rs:6: placeholder: `unimplemented!(` – write it, or refuse with an error that says what is missing
                crates/x/src/a.rs:4: unwrap: `.unwrap()` – return the error, or state the invariant with `expect("why …")`
                crates/x/src/a.rs:2: silenced-lint: `#[allow(` – use `#[expect(lint, reason = "…")]`
                crates/x/src/a.rs:1: silenced-lint: `#![allow(` – use `#![expect(lint, reason = "…")]`
                crates/x/src/a.rs:7: debugging: `dbg!(` – remove it, or log with `tracing`"#]],
        );
        check(
            "crates/x/tests/a.rs",
            "std::thread::sleep(x)\ntime::sleep(y)",
            &expect![[r#"
                crates/x/tests/a.rs:1: sleep: `thread::sleep` – wait for the event itself, or inject the clock
                crates/x/tests/a.rs:2: sleep: `time::sleep` – wait for the event itself, or inject the clock"#]],
        );
    }

    #[test]
    fn text_in_its_place_is_not_found() {
        check("crates/x/tests/a.rs", "x.unwrap()", &expect![[""]]);
        check(
            "crates/x/src/a.rs",
            "thread::sleep(x); \"todo!()\" // dbg!(x)",
            &expect![[""]],
        );
    }

    #[test]
    fn promises_name_an_issue() {
        check(
            "crates/x/src/a.rs",
            "// TODO later\n// TODO #4: later\n\"TODO\"",
            &expect![
                "crates/x/src/a.rs:1: promise: a promise without an issue – name the issue (`TODO #12: …`) or do it now"
            ],
        );
    }
}
