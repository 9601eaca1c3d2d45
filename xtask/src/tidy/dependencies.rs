//! Who may use whom: the table in ARCHITECTURE.md beside what cargo knows.

use super::{Finding, shape};
use crate::workspace::{Member, Metadata};

/// The document that holds the table, under the heading `## Dependencies`.
pub(crate) const DOCUMENT: &str = "ARCHITECTURE.md";

const HEADING: &str = "## Dependencies";

/// Crates that bring time, chance, files, sockets, SQL or HTTP with them.
const IMPURE_CRATES: &[&str] = &[
    "async-trait",
    "chrono",
    "fastrand",
    "futures",
    "getrandom",
    "http",
    "http-body",
    "http-body-util",
    "hyper",
    "hyper-util",
    "libc",
    "lsm-tree",
    "object_store",
    "postgres",
    "rand",
    "reqwest",
    "rusqlite",
    "sqlx",
    "tempfile",
    "tokio",
    "tokio-postgres",
    "tracing-subscriber",
    "ureq",
    "uuid",
];

/// The table of dependencies.
pub(crate) struct Table {
    rows: Vec<Row>,
}

struct Row {
    line: usize,
    name: String,
    /// Crates it may be built from; `all` stands for every one.
    uses: Vec<String>,
    /// Crates its tests may use besides.
    tests_use: Vec<String>,
    kind: String,
}

impl Table {
    /// Reads the rows `| crate | may use; dev: … | kind |` below the heading.
    pub(crate) fn parse(text: &str) -> Table {
        let lines = text.lines().enumerate();
        let section = lines
            .skip_while(|(_, line)| line.trim() != HEADING)
            .skip(1)
            .take_while(|(_, line)| !line.starts_with("## "));
        let rows = section.filter_map(|(index, line)| Row::parse(index + 1, line));
        Table {
            rows: rows.collect(),
        }
    }

    /// The kind of a crate.
    pub(crate) fn kind(&self, name: &str) -> Option<&str> {
        self.row(name).map(|row| row.kind.as_str())
    }

    /// The names of all crates of a kind.
    pub(crate) fn of_kind<'t>(&'t self, kind: &'t str) -> impl Iterator<Item = &'t str> {
        self.rows
            .iter()
            .filter(move |row| row.kind == kind)
            .map(|row| row.name.as_str())
    }

    fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }
}

impl Row {
    fn parse(line: usize, text: &str) -> Option<Row> {
        let cells: Vec<&str> = text
            .trim()
            .strip_prefix('|')?
            .split('|')
            .map(str::trim)
            .collect();
        let [name, uses, kind, ..] = cells[..] else {
            return None;
        };
        if name == "crate" || name.starts_with('-') {
            return None; // The head of the table and the rule below it.
        }
        let (uses, tests) = uses.split_once(';').unwrap_or((uses, ""));
        Some(Row {
            line,
            name: name.trim_matches('`').to_owned(),
            uses: names(uses),
            tests_use: names(tests.trim().trim_start_matches("dev:")),
            kind: kind.to_owned(),
        })
    }

    fn allows(&self, dependency: &str, for_tests: bool) -> bool {
        let listed = |list: &[String]| list.iter().any(|it| it == dependency || it == "all");
        listed(&self.uses) || (for_tests && listed(&self.tests_use))
    }
}

fn names(cell: &str) -> Vec<String> {
    let names = cell.split(',').map(|it| it.trim().trim_matches('`'));
    names
        .filter(|it| !matches!(*it, "" | "–" | "-"))
        .map(str::to_owned)
        .collect()
}

/// Compares the table with cargo's view, and the pure crates with what they are built from.
pub(crate) fn check(table: &Table, metadata: &Metadata) -> Vec<Finding> {
    let mut findings = check_table(table);
    for member in &metadata.members {
        findings.extend(check_member(table, metadata, member));
    }
    if metadata.default_runs != ["isthmus"] {
        let started = metadata.default_runs.join(", ");
        let what = format!("`cargo run` starts [{started}], and README says isthmus");
        findings.push(Finding {
            path: "crates/isthmus/Cargo.toml".to_owned(),
            ..finding(0, what, "give `default-run` to that crate alone")
        });
    }
    findings
}

fn check_table(table: &Table) -> Vec<Finding> {
    let known = |name: &&String| *name == "all" || table.row(name).is_some();
    let unknown = table.rows.iter().flat_map(|row| {
        let names = row
            .uses
            .iter()
            .chain(&row.tests_use)
            .filter(|it| !known(it));
        names.map(|name| {
            finding(
                row.line,
                format!("`{name}` has no row"),
                "add it, or mend it",
            )
        })
    });
    let mut findings: Vec<Finding> = unknown.collect();
    if table.rows.is_empty() {
        findings.push(finding(
            0,
            format!("no table below `{HEADING}`"),
            "write one: | crate | may use (ours) | kind |",
        ));
    }
    findings
}

fn check_member(table: &Table, metadata: &Metadata, member: &Member) -> Vec<Finding> {
    let name = &member.name;
    let mut findings = Vec::new();
    if shape::is_banned_name(name) {
        let remedy = "name it after what it holds";
        findings.push(finding(
            0,
            format!("crate `{name}` has a name that says nothing"),
            remedy,
        ));
    }
    let Some(row) = table.row(name) else {
        let remedy = "add a row; a new room needs a decision record";
        findings.push(finding(0, format!("crate `{name}` has no row"), remedy));
        return findings;
    };
    for dependency in &member.dependencies {
        let is_ours = metadata.members.iter().any(|it| it.name == dependency.name);
        if is_ours && !row.allows(&dependency.name, dependency.for_tests) {
            let what = format!("`{name}` uses `{}` against the table", dependency.name);
            findings.push(finding(
                row.line,
                what,
                "turn the direction, or argue for a new edge",
            ));
        }
        let is_impure = IMPURE_CRATES.contains(&dependency.name.as_str());
        if row.kind == "pure" && is_impure && !dependency.for_tests {
            let what = format!("pure crate `{name}` is built from `{}`", dependency.name);
            findings.push(finding(row.line, what, "take values as arguments instead"));
        }
    }
    findings
}

fn finding(line: usize, what: String, remedy: &str) -> Finding {
    Finding {
        path: DOCUMENT.to_owned(),
        line,
        rule: "dependencies",
        what,
        remedy: remedy.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::tests::check_findings;
    use super::Table;
    use crate::workspace::{Dependency, Member, Metadata};

    const TABLE: &str = "# A\n## Dependencies\n| crate | may use (ours) | kind |\n|---|---|---|\n\
        | fhir | – | pure |\n| `store` | – | store |\n| server | fhir; dev: store | rim |\n\
        | isthmus | all | binary |\n## B\n| other | – | pure |\n";

    fn member(text: &str) -> Member {
        let (name, dependencies) = text.split_once(':').expect("name: dependencies");
        let dependency = |it: &str| Dependency {
            name: it.trim_start_matches("dev ").to_owned(),
            for_tests: it.starts_with("dev "),
        };
        let listed = dependencies
            .split(',')
            .map(str::trim)
            .filter(|it| !it.is_empty());
        Member {
            name: name.to_owned(),
            dependencies: listed.map(dependency).collect(),
        }
    }

    fn check(table: &str, packages: &[&str], expected: &Expect) {
        check_started(table, packages, "isthmus", expected);
    }

    fn check_started(table: &str, packages: &[&str], started: &str, expected: &Expect) {
        let members = packages.iter().map(|it| member(it)).collect();
        let metadata = Metadata {
            members,
            default_runs: vec![started.to_owned()],
            built: Vec::new(),
        };
        check_findings(&super::check(&Table::parse(table), &metadata), expected);
    }

    #[test]
    fn edges_of_the_table_are_allowed() {
        let packages = [
            "fhir:",
            "store:",
            "server: fhir, dev store",
            "isthmus: fhir, store",
        ];
        check(TABLE, &packages, &expect![[""]]);
    }

    #[test]
    fn the_program_that_cargo_starts_is_ours() {
        check_started(
            TABLE,
            &["fhir:"],
            "xtask",
            &expect![[
                r#"crates/isthmus/Cargo.toml:1: dependencies: `cargo run` starts [xtask], and README says isthmus – give `default-run` to that crate alone"#
            ]],
        );
    }

    #[test]
    fn other_edges_are_found() {
        check(
            TABLE,
            &["fhir: store", "store:", "server: store"],
            &expect![[r#"
                ARCHITECTURE.md:5: dependencies: `fhir` uses `store` against the table – turn the direction, or argue for a new edge
                ARCHITECTURE.md:7: dependencies: `server` uses `store` against the table – turn the direction, or argue for a new edge"#]],
        );
    }

    #[test]
    fn crates_need_a_row_and_a_name() {
        check(
            TABLE,
            &["other:", "common:"],
            &expect![[r#"
            ARCHITECTURE.md:1: dependencies: crate `other` has no row – add a row; a new room needs a decision record
            ARCHITECTURE.md:1: dependencies: crate `common` has a name that says nothing – name it after what it holds
            ARCHITECTURE.md:1: dependencies: crate `common` has no row – add a row; a new room needs a decision record"#]],
        );
        check(
            "# A\n",
            &[],
            &expect![
                "ARCHITECTURE.md:1: dependencies: no table below `## Dependencies` – write one: | crate | may use (ours) | kind |"
            ],
        );
        check(
            "## Dependencies\n| a | b | pure |\n",
            &[],
            &expect!["ARCHITECTURE.md:2: dependencies: `b` has no row – add it, or mend it"],
        );
    }

    #[test]
    fn pure_crates_are_built_from_pure_crates() {
        check(
            TABLE,
            &["fhir: tokio, dev uuid, bytes", "server: tokio"],
            &expect![
                "ARCHITECTURE.md:5: dependencies: pure crate `fhir` is built from `tokio` – take values as arguments instead"
            ],
        );
    }
}
