//! Documents: one title each, links that lead somewhere, decision records of a page, a changelog.

use std::path::Path;

use super::Finding;
use crate::workspace::TextFile;

const DECISIONS: &str = "docs/decisions/";

/// Lines of a decision record.
const DECISION_LINES_MAX: usize = 60;

/// Documents that a reader expects at the root.
const REQUIRED: &[&str] = &["ARCHITECTURE.md", "CHANGELOG.md", "README.md"];

/// Documents that must be there.
pub(crate) fn check_presence(files: &[TextFile]) -> Vec<Finding> {
    let missing = REQUIRED
        .iter()
        .filter(|name| !files.iter().any(|it| it.path == **name));
    missing
        .map(|name| finding(name, 0, "document", "it is missing", "write it"))
        .collect()
}

/// Applies the rules to a Markdown file; `root` is where links are looked up.
pub(crate) fn check(root: &Path, file: &TextFile) -> Vec<Finding> {
    let mut findings: Vec<Finding> = title(file).into_iter().collect();
    findings.extend(dead_links(root, file));
    if file.path.starts_with(DECISIONS) && file.text.lines().count() > DECISION_LINES_MAX {
        let what = format!("a decision record of more than {DECISION_LINES_MAX} lines");
        findings.push(finding(
            &file.path,
            0,
            "decision",
            &what,
            "keep what decides",
        ));
    }
    findings
}

/// Lines outside of fenced code, numbered from one.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fence && !fenced).then_some((index + 1, line))
    })
}

fn title(file: &TextFile) -> Option<Finding> {
    let titles: Vec<usize> = prose(&file.text)
        .filter(|(_, line)| line.starts_with("# "))
        .map(|it| it.0)
        .collect();
    let remedy = "give it exactly one line that begins with `# `";
    match titles[..] {
        [_] => None,
        [] => Some(finding(&file.path, 0, "title", "it has no title", remedy)),
        [_, second, ..] => Some(finding(
            &file.path,
            second,
            "title",
            "a second title",
            remedy,
        )),
    }
}

fn dead_links(root: &Path, file: &TextFile) -> Vec<Finding> {
    let folder = root.join(&file.path);
    let folder = folder.parent().expect("a file lies in a folder");
    let is_dead = |target: &&str| {
        let path = target.split('#').next().unwrap_or_default();
        !is_external(target) && !path.is_empty() && !folder.join(path).exists()
    };
    let links = prose(&file.text).flat_map(|(line, text)| {
        link_targets(text)
            .into_iter()
            .map(move |target| (line, target))
    });
    let dead = links.filter(|(_, target)| is_dead(target));
    dead.map(|(line, target)| {
        let what = format!("`{target}` leads nowhere");
        finding(
            &file.path,
            line,
            "link",
            &what,
            "mend the path; it is relative to the document",
        )
    })
    .collect()
}

fn is_external(target: &str) -> bool {
    target.contains("://") || target.starts_with("mailto:")
}

/// The targets of `[text](target)` outside of `code`.
fn link_targets(line: &str) -> Vec<&str> {
    let prose = line.split('`').step_by(2);
    let after = prose.flat_map(|text| text.split("](").skip(1));
    after
        .filter_map(|rest| rest.split([')', ' ']).next())
        .collect()
}

fn finding(path: &str, line: usize, rule: &'static str, what: &str, remedy: &str) -> Finding {
    Finding {
        path: path.to_owned(),
        line,
        rule,
        what: what.to_owned(),
        remedy: remedy.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::tests::{check_findings, file};
    use crate::workspace;

    fn check(path: &str, text: &str, expected: &Expect) {
        check_findings(
            &super::check(&workspace::root(), &file(path, text)),
            expected,
        );
    }

    #[test]
    fn a_document_has_one_title() {
        check("docs/a.md", "# A\n## B\n```\n# C\n```\n", &expect![[""]]);
        check(
            "docs/a.md",
            "A\n",
            &expect![
                "docs/a.md:1: title: it has no title – give it exactly one line that begins with `# `"
            ],
        );
        check(
            "docs/a.md",
            "# A\n# B\n",
            &expect![
                "docs/a.md:2: title: a second title – give it exactly one line that begins with `# `"
            ],
        );
    }

    #[test]
    fn links_lead_somewhere() {
        let good = "# A\n[a](../Cargo.toml) [b](#c) [d](https://e) [f](../Cargo.toml#g) `[h](i)`";
        check("docs/a.md", good, &expect![[""]]);
        check(
            "docs/a.md",
            "# A\nsee [a](b.md#c) and [d](../Cargo.toml)",
            &expect![
                "docs/a.md:2: link: `b.md#c` leads nowhere – mend the path; it is relative to the document"
            ],
        );
    }

    #[test]
    fn a_decision_fits_a_page() {
        let long = "# A\n".to_owned() + &"b\n".repeat(60);
        check(
            "docs/decisions/0001-a.md",
            &long,
            &expect![
                "docs/decisions/0001-a.md:1: decision: a decision record of more than 60 lines – keep what decides"
            ],
        );
        check("docs/a.md", &long, &expect![[""]]);
    }

    #[test]
    fn some_documents_must_be_there() {
        check_findings(
            &super::check_presence(&[file("README.md", "# A")]),
            &expect![[r#"
                ARCHITECTURE.md:1: document: it is missing – write it
                CHANGELOG.md:1: document: it is missing – write it"#]],
        );
    }
}
