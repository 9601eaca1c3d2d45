//! Collects issues up to a limit, and counts the rest.

use super::handling::{Handling, Rule};
use super::path::Path;
use crate::issue::{Fault, Issue, Severity};

/// How much of a name that the definitions do not know is shown.
const NAME_CHARS_MAX: usize = 64;

pub(super) struct Report {
    pub(super) path: Path,
    issues: Vec<Issue>,
    issues_max: usize,
    handling: Handling,
    beyond: usize,
    /// The worst of those beyond the limit.
    beyond_severity: Severity,
}

impl Report {
    pub(super) fn new(location: &str, issues_max: usize, handling: Handling) -> Self {
        Self {
            path: Path::new(location),
            issues: Vec::new(),
            issues_max,
            handling,
            beyond: 0,
            beyond_severity: Severity::Warning,
        }
    }

    /// An issue where the walk is now: what is wrong and how to mend it. Beyond the limit the texts
    /// are not even written.
    pub(super) fn add(&mut self, fault: Fault, texts: impl FnOnce() -> (String, String)) {
        self.add_by(Rule::Other, fault, texts);
    }

    /// The same of a rule that leniency may know.
    pub(super) fn add_by(
        &mut self,
        rule: Rule,
        fault: Fault,
        texts: impl FnOnce() -> (String, String),
    ) {
        let severity = self.handling.severity(rule);
        if self.issues.len() >= self.issues_max {
            self.beyond += 1;
            self.beyond_severity = self.beyond_severity.min(severity);
            return;
        }
        let (what, remedy) = texts();
        let issue = Issue {
            severity,
            ..Issue::error(fault, what)
        };
        self.issues.push(issue.at(self.path.print()).mend(remedy));
    }

    pub(super) fn finish(mut self) -> Vec<Issue> {
        if self.beyond > 0 {
            let (limit, beyond) = (self.issues_max, self.beyond);
            let what =
                format!("the limit `issues_max` of {limit} is reached; not listed: {beyond}");
            let issue = Issue {
                severity: self.beyond_severity,
                ..Issue::error(Fault::Structure, what)
            };
            self.issues
                .push(issue.mend("mend those listed and send the resource again"));
        }
        self.issues
    }
}

/// A name from the document in backticks. One that does not look like a name may be anything, a
/// person's too, and is not shown.
pub(super) fn shown(name: &str) -> String {
    let like_a_name = name.len() <= NAME_CHARS_MAX
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-[].".contains(&byte));
    if like_a_name && !name.is_empty() {
        format!("`{name}`")
    } else {
        format!("(a name of {} bytes)", name.len())
    }
}
