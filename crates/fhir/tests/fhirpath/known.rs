//! Lists of cases that fail, each with its reason: a listed case that passes fails the test.

use std::collections::BTreeMap;
use std::path::Path;

/// What is known to fail, and why.
pub(crate) struct Known {
    reasons: BTreeMap<String, String>,
    failures: Vec<String>,
    seen: Vec<String>,
}

impl Known {
    /// Reads a list: a line with the name of a case, a line with two spaces and the reason.
    pub(crate) fn read(file: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/official");
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        let mut reasons = BTreeMap::new();
        let mut open = Vec::new();
        for line in text
            .lines()
            .filter(|it| !it.is_empty() && !it.starts_with('#'))
        {
            match line.strip_prefix("  ") {
                None => open.push(line.to_owned()),
                Some(reason) => {
                    for name in open.drain(..) {
                        reasons.insert(name, reason.to_owned());
                    }
                }
            }
        }
        assert!(open.is_empty(), "without a reason: {open:?}");
        let (failures, seen) = (Vec::new(), Vec::new());
        Self {
            reasons,
            failures,
            seen,
        }
    }

    /// Takes the verdict on a case.
    pub(crate) fn judge(&mut self, name: &str, verdict: Result<(), String>) {
        let is_listed = self.reasons.contains_key(name);
        match verdict {
            Ok(()) if is_listed => self.failures.push(format!("{name}: listed, but passes")),
            Err(why) if !is_listed => self.failures.push(format!("{name}: {why}")),
            _ => {}
        }
        if is_listed {
            self.seen.push(name.to_owned());
        }
    }

    /// Fails if anything unexpected happened, or more is listed than may be.
    pub(crate) fn finish(self, suite: &str, cases: usize, listed_max: usize) {
        let missing = self.reasons.keys().filter(|it| !self.seen.contains(it));
        let missing: Vec<String> = missing
            .map(|it| format!("{it}: listed, but no case"))
            .collect();
        let faults = [self.failures, missing].concat();
        assert!(
            faults.is_empty(),
            "{} of {cases}:\n{}",
            faults.len(),
            faults.join("\n")
        );
        let listed = self.reasons.len();
        assert!(
            listed <= listed_max,
            "{listed} are listed, at most {listed_max} may be"
        );
        assert!(cases > 0, "{suite} has no cases");
        println!("isthmus-suite: {suite}: {cases} cases, {listed} known failures");
    }
}
