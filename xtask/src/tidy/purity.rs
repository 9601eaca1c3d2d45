//! What the kinds of crates may say: pure crates are functions of values, stores know no FHIR,
//! only the binary names a provider, and only the provider on PostgreSQL speaks SQL.
//! What they may be built from is in `dependencies`.

use super::dependencies::Table;
use super::rust::RustFile;
use super::{Finding, crate_of, has_word};
use crate::workspace::TextFile;

/// Text that has an effect or depends on more than its arguments.
const IMPURE: &[(&str, &str)] = &[
    (
        "async fn",
        "take the value as an argument; the caller waits",
    ),
    ("std::fs", "take bytes as an argument"),
    ("std::net", "take bytes as an argument"),
    ("std::env", "take the setting as an argument"),
    ("SystemTime", "take the time as an argument"),
    ("Instant::now", "take the time as an argument"),
    ("tokio", "take the value as an argument; the caller waits"),
    ("rand", "take the random value or the id as an argument"),
];

/// How SQL begins inside a literal.
const SQL: &[&str] = &[
    "SELECT ",
    "INSERT INTO ",
    "DELETE FROM ",
    "CREATE TABLE ",
    "ALTER TABLE ",
];

/// Applies the rules of a file's crate.
pub(crate) fn check(file: &TextFile, rust: &RustFile, table: &Table) -> Vec<Finding> {
    let Some(name) = crate_of(&file.path) else {
        return Vec::new();
    };
    let kind = table.kind(name).unwrap_or_default();
    let mut findings = Vec::new();
    if kind == "pure" {
        findings.extend(impure(file, rust));
    }
    if matches!(kind, "store" | "provider") {
        findings.extend(fhir_in_store(file, rust));
    }
    if !matches!(kind, "binary" | "tool") {
        findings.extend(provider_named(file, rust, table, name));
    }
    if name != "store-postgres" && kind != "tool" {
        findings.extend(sql(file, rust));
    }
    findings
}

fn impure(file: &TextFile, rust: &RustFile) -> Vec<Finding> {
    let lines = rust.product(&rust.code);
    lines
        .flat_map(|(line, text)| {
            let found = IMPURE.iter().filter(move |(word, _)| has_word(text, word));
            found.map(move |(word, remedy)| Finding {
                path: file.path.clone(),
                line,
                rule: "pure",
                what: format!("`{word}` in a pure crate"),
                remedy: (*remedy).to_owned(),
            })
        })
        .collect()
}

/// The store knows rows, bytes and index entries. Comments may not name FHIR either: a promise that
/// can only be told in its words is not the store's.
fn fhir_in_store(file: &TextFile, rust: &RustFile) -> Vec<Finding> {
    let texts = [&rust.code, &rust.comments, &rust.literals];
    let lines = texts.into_iter().flat_map(|text| rust.product(text));
    let mut found: Vec<usize> = lines
        .filter(|(_, text)| has_word(&text.to_ascii_lowercase(), "fhir"))
        .map(|(line, _)| line)
        .collect();
    found.sort_unstable();
    found.dedup();
    let finding = |line| Finding {
        path: file.path.clone(),
        line,
        rule: "store",
        what: "a store names FHIR".to_owned(),
        remedy: "say it in spaces, types, rows and parameters, or move it to `interactions`".into(),
    };
    found.into_iter().map(finding).collect()
}

fn provider_named(file: &TextFile, rust: &RustFile, table: &Table, own: &str) -> Vec<Finding> {
    let others = table.of_kind("provider").filter(|it| *it != own);
    let words: Vec<String> = others.map(|it| it.replace('-', "_")).collect();
    let lines = rust.product(&rust.code);
    lines
        .filter(|(_, text)| words.iter().any(|word| has_word(text, word)))
        .map(|(line, _)| Finding {
            path: file.path.clone(),
            line,
            rule: "provider",
            what: "a provider is named outside the binary".to_owned(),
            remedy: "take `dyn store::Store`; only `isthmus` chooses one".to_owned(),
        })
        .collect()
}

fn sql(file: &TextFile, rust: &RustFile) -> Vec<Finding> {
    let lines = rust.product(&rust.literals);
    lines
        .filter(|(_, text)| SQL.iter().any(|word| has_word(text, word)))
        .map(|(line, _)| Finding {
            path: file.path.clone(),
            line,
            rule: "sql",
            what: "SQL outside `store-postgres`".to_owned(),
            remedy: "ask the store with a plan".to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::dependencies::Table;
    use super::super::rust::RustFile;
    use super::super::tests::{check_findings, file};

    const TABLE: &str = "## Dependencies\n| crate | may use (ours) | kind |\n|---|---|---|\n\
        | fhir | – | pure |\n| store | – | store |\n| store-a | store | provider |\n\
        | server | store | rim |\n| isthmus | all | binary |\n";

    fn check(path: &str, text: &str, expected: &Expect) {
        let rust = RustFile::read(path, text);
        let found = super::check(&file(path, text), &rust, &Table::parse(TABLE));
        check_findings(&found, expected);
    }

    #[test]
    fn pure_crates_have_no_effects() {
        let effects = "async fn a() {}\nstd::fs::read(b);\nuse std::net::C;\nstd::env::var(d);\n\
            SystemTime::UNIX_EPOCH;\nInstant::now();\ntokio::spawn(e);\nrand::random();\n";
        check(
            "crates/fhir/src/a.rs",
            effects,
            &expect![[r#"
            crates/fhir/src/a.rs:1: pure: `async fn` in a pure crate – take the value as an argument; the caller waits
            crates/fhir/src/a.rs:2: pure: `std::fs` in a pure crate – take bytes as an argument
            crates/fhir/src/a.rs:3: pure: `std::net` in a pure crate – take bytes as an argument
            crates/fhir/src/a.rs:4: pure: `std::env` in a pure crate – take the setting as an argument
            crates/fhir/src/a.rs:5: pure: `SystemTime` in a pure crate – take the time as an argument
            crates/fhir/src/a.rs:6: pure: `Instant::now` in a pure crate – take the time as an argument
            crates/fhir/src/a.rs:7: pure: `tokio` in a pure crate – take the value as an argument; the caller waits
            crates/fhir/src/a.rs:8: pure: `rand` in a pure crate – take the random value or the id as an argument"#]],
        );
        check("crates/server/src/a.rs", effects, &expect![[""]]);
        check(
            "crates/fhir/src/a.rs",
            "// tokio\n\"std::fs\"; strand(operand);",
            &expect![[""]],
        );
        check(
            "crates/fhir/tests/a.rs",
            "std::fs::read(b);",
            &expect![[""]],
        );
    }

    #[test]
    fn stores_know_no_fhir() {
        let text = "// FHIR\nuse fhir::A;\n\"the Fhir\";\n#[cfg(test)]\nuse fhir::B;\n";
        check(
            "crates/store/src/a.rs",
            text,
            &expect![[r#"
            crates/store/src/a.rs:1: store: a store names FHIR – say it in spaces, types, rows and parameters, or move it to `interactions`
            crates/store/src/a.rs:2: store: a store names FHIR – say it in spaces, types, rows and parameters, or move it to `interactions`
            crates/store/src/a.rs:3: store: a store names FHIR – say it in spaces, types, rows and parameters, or move it to `interactions`"#]],
        );
        check(
            "crates/store-a/src/a.rs",
            "// a fhir id",
            &expect![
                "crates/store-a/src/a.rs:1: store: a store names FHIR – say it in spaces, types, rows and parameters, or move it to `interactions`"
            ],
        );
        check("crates/server/src/a.rs", text, &expect![[""]]);
    }

    #[test]
    fn only_the_binary_names_a_provider() {
        check(
            "crates/server/src/a.rs",
            "use store_a::Store;",
            &expect![
                "crates/server/src/a.rs:1: provider: a provider is named outside the binary – take `dyn store::Store`; only `isthmus` chooses one"
            ],
        );
        check(
            "crates/isthmus/src/a.rs",
            "use store_a::Store;",
            &expect![[""]],
        );
    }

    #[test]
    fn sql_has_one_home() {
        check(
            "crates/server/src/a.rs",
            "\"SELECT a FROM b\"; // SELECT c",
            &expect![
                "crates/server/src/a.rs:1: sql: SQL outside `store-postgres` – ask the store with a plan"
            ],
        );
        check(
            "crates/store-postgres/src/a.rs",
            "\"SELECT a FROM b\"",
            &expect![[""]],
        );
    }
}
