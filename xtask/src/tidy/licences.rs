//! What the program is built from: licences within a pinned list, and one version of each crate.
//! Both lists are in `deny.toml`, which cargo-deny reads too; here they need no extra program.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use toml::{Table, Value};

use super::Finding;
use crate::workspace::{Built, Metadata};

const DOCUMENT: &str = "deny.toml";

/// The lists of `deny.toml`.
struct Lists {
    licences: Vec<String>,
    /// Names of crates that may be there in several versions.
    several: Vec<String>,
}

/// Compares all dependencies with the lists.
pub(crate) fn check(root: &Path, metadata: &Metadata) -> Result<Vec<Finding>> {
    let text = std::fs::read_to_string(root.join(DOCUMENT)).context(DOCUMENT)?;
    let lists = parse(&text).context(DOCUMENT)?;
    let mut findings = licences(&lists, metadata);
    findings.extend(several_versions(&lists, metadata));
    Ok(findings)
}

fn parse(text: &str) -> Result<Lists> {
    let table: Table = text.parse()?;
    let list = |section: &str, key: &str| {
        let value = table
            .get(section)
            .and_then(|it| it.get(key))
            .and_then(Value::as_array);
        value.with_context(|| format!("`{section}.{key}` is not a list"))
    };
    let licences = list("licenses", "allow")?.iter().map(|it| {
        let text = it.as_str().context("`licenses.allow` lists texts")?;
        Ok(text.to_owned())
    });
    let several = list("bans", "skip")?.iter().map(|it| {
        let text = |key: &str| {
            it.get(key)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
        };
        text("reason").context("each entry of `bans.skip` gives a `reason`")?;
        let name = text("crate").context("each entry of `bans.skip` names a `crate`")?;
        Ok(name.split('@').next().unwrap_or(name).to_owned())
    });
    Ok(Lists {
        licences: licences.collect::<Result<_>>()?,
        several: several.collect::<Result<_>>()?,
    })
}

fn licences(lists: &Lists, metadata: &Metadata) -> Vec<Finding> {
    let refused = metadata
        .built
        .iter()
        .filter(|it| !permits(&it.licence, &lists.licences));
    let what = |it: &Built| {
        format!(
            "`{} {}` has the licence `{}`",
            it.name, it.version, it.licence
        )
    };
    refused
        .map(|it| finding("licence", what(it), "use another crate"))
        .collect()
}

/// Reads an SPDX expression of `OR`, `AND` and brackets. Old crates write `/` for `OR`.
fn permits(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = &words[..];
    any_of(&mut rest, allowed) && rest.is_empty()
}

fn any_of(rest: &mut &[&str], allowed: &[String]) -> bool {
    let mut permitted = all_of(rest, allowed);
    while let ["OR", after @ ..] = rest {
        *rest = after;
        permitted |= all_of(rest, allowed);
    }
    permitted
}

fn all_of(rest: &mut &[&str], allowed: &[String]) -> bool {
    let mut permitted = one(rest, allowed);
    while let ["AND", after @ ..] = rest {
        *rest = after;
        permitted &= one(rest, allowed);
    }
    permitted
}

/// A bracket, or a licence with its exception.
fn one(rest: &mut &[&str], allowed: &[String]) -> bool {
    match rest {
        ["(", after @ ..] => {
            *rest = after;
            let permitted = any_of(rest, allowed);
            *rest = rest.strip_prefix(&[")"]).unwrap_or(&[]);
            permitted
        }
        [licence, "WITH", exception, after @ ..] => {
            *rest = after;
            allowed.contains(&format!("{licence} WITH {exception}"))
        }
        [licence, after @ ..] => {
            let permitted = allowed.iter().any(|it| it == licence);
            *rest = after;
            permitted
        }
        [] => false,
    }
}

/// Versions that cargo treats as incompatible: another first number that is not zero.
fn several_versions(lists: &Lists, metadata: &Metadata) -> Vec<Finding> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for built in &metadata.built {
        versions
            .entry(&built.name)
            .or_default()
            .push(&built.version);
    }
    versions.retain(|_, it| it.len() > 1);
    let is_listed = |name: &str| lists.several.iter().any(|it| it == name);
    let unlisted = versions
        .iter()
        .filter(|(name, _)| !is_listed(name))
        .map(|(name, found)| {
            let what = format!("`{name}` is built in the versions {}", found.join(", "));
            finding(
                "duplicate",
                what,
                "align them, or list it under `bans.skip` with a reason",
            )
        });
    let needless = lists
        .several
        .iter()
        .filter(|name| !versions.contains_key(name.as_str()));
    let needless = needless.map(|name| {
        finding(
            "duplicate",
            format!("`{name}` has one version now"),
            "remove it from `bans.skip`",
        )
    });
    unlisted.chain(needless).collect()
}

fn finding(rule: &'static str, what: String, remedy: &str) -> Finding {
    Finding {
        path: DOCUMENT.to_owned(),
        line: 0,
        rule,
        what,
        remedy: remedy.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::tests::check_findings;
    use crate::workspace::{Built, Metadata};

    const LISTS: &str = "[licenses]\nallow = ['MIT', 'ISC', 'Apache-2.0 WITH LLVM-exception']\n\
        [bans]\nskip = [{ crate = 'c@1', reason = 'd wants it' }]\n";

    fn built(name: &str, version: &str, licence: &str) -> Built {
        Built {
            name: name.to_owned(),
            version: version.to_owned(),
            licence: licence.to_owned(),
        }
    }

    fn check(built: Vec<Built>, expected: &Expect) {
        let lists = super::parse(LISTS).expect("the lists are well formed");
        let metadata = Metadata {
            members: Vec::new(),
            default_runs: Vec::new(),
            built,
        };
        let mut found = super::licences(&lists, &metadata);
        found.extend(super::several_versions(&lists, &metadata));
        check_findings(&found, expected);
    }

    #[test]
    fn licences_are_expressions() {
        let allowed = [
            "MIT",
            "GPL-3.0 OR MIT",
            "GPL-3.0/MIT",
            "(MIT OR GPL-3.0) AND ISC",
            "Apache-2.0 WITH LLVM-exception",
        ];
        let lists = super::parse(LISTS)
            .expect("the lists are well formed")
            .licences;
        for expression in allowed {
            assert!(super::permits(expression, &lists), "{expression}");
        }
        for expression in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "MIT AND (GPL-3.0 OR X)",
            "MIT )",
        ] {
            assert!(!super::permits(expression, &lists), "{expression}");
        }
    }

    #[test]
    fn foreign_licences_and_second_versions_are_found() {
        let packages = vec![
            built("a", "1.0.0", "GPL-3.0"),
            built("b", "1.0.0", ""),
            built("c", "1.0.0", "MIT"),
            built("c", "2.0.0", "MIT"),
            built("d", "1.0.0", "MIT"),
            built("d", "0.9.0", "MIT"),
        ];
        check(
            packages,
            &expect![[r#"
            deny.toml:1: licence: `a 1.0.0` has the licence `GPL-3.0` – use another crate
            deny.toml:1: licence: `b 1.0.0` has the licence `` – use another crate
            deny.toml:1: duplicate: `d` is built in the versions 1.0.0, 0.9.0 – align them, or list it under `bans.skip` with a reason"#]],
        );
    }

    #[test]
    fn a_needless_exception_is_found() {
        check(
            vec![built("c", "1.0.0", "MIT")],
            &expect![
                "deny.toml:1: duplicate: `c` has one version now – remove it from `bans.skip`"
            ],
        );
    }

    #[test]
    fn an_exception_gives_its_reason() {
        let text = "[licenses]\nallow = []\n[bans]\nskip = [{ crate = 'c@1' }]\n";
        let fault = super::parse(text).err().expect("it is refused");
        expect!["each entry of `bans.skip` gives a `reason`"].assert_eq(&fault.to_string());
    }
}
