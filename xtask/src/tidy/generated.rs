//! Generated and vendored files are as their `SOURCE.md` says: a line there that begins with a path
//! and holds a SHA-256 is a promise about that file. The path is relative to the document or to
//! the root; what the repository does not hold (the package a table was made from) is only
//! recorded. Whether the generator itself has changed is for its own test.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::Finding;
use crate::workspace::TextFile;

/// Compares every promise of every `SOURCE.md` with the file it is about.
pub(crate) fn check(root: &Path, files: &[TextFile]) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for source in files.iter().filter(|it| it.path.ends_with("/SOURCE.md")) {
        let folder = root.join(&source.path);
        let folder = folder.parent().expect("a file lies in a folder");
        for promise in promises(&source.text) {
            let candidates = [folder.join(promise.path), root.join(promise.path)];
            let Some(file) = candidates.iter().find(|it| it.is_file()) else {
                continue;
            };
            let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
            findings.extend(stale(source, &promise, &bytes));
        }
    }
    Ok(findings)
}

struct Promise<'t> {
    line: usize,
    path: &'t str,
    digest: &'t str,
}

fn promises(text: &str) -> impl Iterator<Item = Promise<'_>> {
    text.lines().enumerate().filter_map(|(index, line)| {
        let words = line.split(|c: char| c.is_whitespace() || matches!(c, '|' | '`'));
        let words: Vec<&str> = words.filter(|it| !it.is_empty()).collect();
        let digest = words.iter().find(|it| is_digest(it))?;
        let path = words.iter().find(|it| !is_digest(it))?;
        let line = index + 1;
        Some(Promise { line, path, digest })
    })
}

fn is_digest(word: &str) -> bool {
    word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit())
}

fn stale(source: &TextFile, promise: &Promise<'_>, bytes: &[u8]) -> Option<Finding> {
    let found = sha256(bytes);
    (!found.eq_ignore_ascii_case(promise.digest)).then(|| Finding {
        path: source.path.clone(),
        line: promise.line,
        rule: "stale",
        what: format!("`{}` has the SHA-256 {found}", promise.path),
        remedy: "run `cargo xtask codegen` and commit what it writes".to_owned(),
    })
}

fn sha256(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::tests::{check_findings, file};
    use super::{promises, sha256, stale};

    #[test]
    fn a_changed_file_is_found() {
        let digest = sha256(b"a");
        let text = format!("# A\n| a.json | 1.0 | `{digest}` |\n{digest}  `b/c`\nno `d`\n");
        let source = file("crates/x/data/SOURCE.md", &text);
        let found: Vec<_> = promises(&text)
            .filter_map(|it| stale(&source, &it, b"b"))
            .collect();
        check_findings(
            &found,
            &expect![[r#"
            crates/x/data/SOURCE.md:2: stale: `a.json` has the SHA-256 3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d – run `cargo xtask codegen` and commit what it writes
            crates/x/data/SOURCE.md:3: stale: `b/c` has the SHA-256 3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d – run `cargo xtask codegen` and commit what it writes"#]],
        );
        assert!(promises(&text).all(|it| stale(&source, &it, b"a").is_none()));
    }
}
