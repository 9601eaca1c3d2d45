//! What was run, from the output of libtest and from the lines that suites print:
//! `isthmus-suite: <suite>: <n> cases` and `isthmus-skipped: <suite>: <why>`.

use std::collections::BTreeMap;
use std::fmt;

/// Counts of steps, tests and suites.
#[derive(Default)]
pub(super) struct Tally {
    steps: Vec<(&'static str, bool)>,
    tests: Counts,
    suites: BTreeMap<String, Suite>,
    section: Section,
}

#[derive(Default)]
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

#[derive(Default)]
struct Suite {
    cases: u64,
    skipped: Vec<String>,
}

/// Where in the output of a test program we are.
#[derive(Default, Clone, Copy, PartialEq)]
enum Section {
    #[default]
    Running,
    /// The captured output of tests that passed.
    Successes,
    /// The captured output of tests that failed, then their names.
    Failures,
}

impl Tally {
    /// Notes a step other than the tests.
    pub(super) fn add_step(&mut self, name: &'static str, succeeded: bool) {
        self.steps.push((name, succeeded));
    }

    /// Notes the end of the tests. A program that dies prints no result and still has failed.
    pub(super) fn add_tests(&mut self, succeeded: bool) {
        self.steps
            .push(("tests", succeeded || self.tests.failed > 0));
    }

    /// Whether a step was run and succeeded.
    pub(super) fn holds(&self, name: &str) -> bool {
        self.steps
            .iter()
            .any(|(step, succeeded)| *step == name && *succeeded)
    }

    /// Failed tests and failed steps.
    pub(super) fn failed(&self) -> u64 {
        self.tests.failed + count(self.steps.iter().filter(|(_, succeeded)| !succeeded))
    }

    fn passed(&self) -> u64 {
        self.tests.passed
            + count(
                self.steps
                    .iter()
                    .filter(|(name, ok)| *ok && *name != "tests"),
            )
    }

    fn skipped(&self) -> u64 {
        self.tests.ignored + count(self.suites.values().flat_map(|it| &it.skipped))
    }

    /// Takes a line in; returns whether a reader wants to see it now.
    pub(super) fn read_line(&mut self, line: &str) -> bool {
        if let Some((suite, why)) = marked(line, "isthmus-skipped: ") {
            self.suites
                .entry(suite.to_owned())
                .or_default()
                .skipped
                .push(why.to_owned());
            return true;
        }
        if let Some(cases) = marked(line, "isthmus-suite: ").and_then(parse_cases) {
            self.suites.entry(cases.0.to_owned()).or_default().cases += cases.1;
            return true;
        }
        if let Some(result) = line.strip_prefix("test result: ") {
            self.section = Section::Running;
            self.tests.add(result);
            return true;
        }
        match line {
            "successes:" => self.section = Section::Successes,
            "failures:" => self.section = Section::Failures,
            _ => {}
        }
        match self.section {
            Section::Failures => true,
            Section::Successes => false,
            Section::Running => line.starts_with("test ") && !line.ends_with(" ... ok"),
        }
    }
}

impl Counts {
    /// Reads `ok. 3 passed; 0 failed; 1 ignored; …`.
    fn add(&mut self, result: &str) {
        let counted = |what: &str| {
            let parts = result
                .split(['.', ';'])
                .filter_map(|part| part.trim().strip_suffix(what));
            parts
                .filter_map(|number| number.trim().parse::<u64>().ok())
                .sum::<u64>()
        };
        self.passed += counted("passed");
        self.failed += counted("failed");
        self.ignored += counted("ignored");
    }
}

/// Splits `<mark><suite>: <rest>`, wherever in the line the mark is.
fn marked<'l>(line: &'l str, mark: &str) -> Option<(&'l str, &'l str)> {
    let (_, text) = line.split_once(mark)?;
    text.trim().split_once(": ")
}

fn parse_cases<'l>((suite, text): (&'l str, &'l str)) -> Option<(&'l str, u64)> {
    let number = text
        .strip_suffix(" cases")
        .or_else(|| text.strip_suffix(" case"))?;
    Some((suite, number.replace(',', "").parse().ok()?))
}

fn count(items: impl Iterator) -> u64 {
    items.map(|_| 1).sum()
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self
            .suites
            .keys()
            .map(|it| it.chars().count())
            .max()
            .unwrap_or(0)
            .max(5);
        writeln!(f, "\n{:width$}  {:>9}  skipped", "suite", "cases")?;
        for (name, suite) in &self.suites {
            let skipped = suite.skipped.join("; ");
            writeln!(
                f,
                "{}",
                format!("{name:width$}  {:>9}  {skipped}", suite.cases).trim_end()
            )?;
        }
        let steps = self.steps.iter();
        for (name, _) in steps.filter(|(_, succeeded)| !succeeded) {
            writeln!(f, "failed step: {name}")?;
        }
        writeln!(
            f,
            "\n{} passed, {} failed, {} skipped",
            self.passed(),
            self.failed(),
            self.skipped()
        )
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::Tally;

    const OUTPUT: &str = "\
running 3 tests
test a ... ok
test b ... FAILED
test c ... ignored

successes:

---- a stdout ----
noise
isthmus-suite: examples: 1,200 cases
isthmus-skipped: twins: 03-xml-json-twins is not there

successes:
    a

failures:

---- b stdout ----
why

failures:
    b

test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.00s
running 1 test
test d ... isthmus-suite: examples: 1 cases
ok
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
";

    fn tally(steps: &[(&'static str, bool)]) -> (Tally, String) {
        let mut tally = Tally::default();
        for (name, succeeded) in steps {
            tally.add_step(name, *succeeded);
        }
        let shown: Vec<&str> = OUTPUT
            .lines()
            .filter(|line| tally.read_line(line))
            .collect();
        (tally, shown.join("\n"))
    }

    #[test]
    fn results_failures_and_suites_are_shown() {
        expect![[r#"
            test b ... FAILED
            test c ... ignored
            isthmus-suite: examples: 1,200 cases
            isthmus-skipped: twins: 03-xml-json-twins is not there
            failures:

            ---- b stdout ----
            why

            failures:
                b

            test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.00s
            test d ... isthmus-suite: examples: 1 cases
            test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s"#]].assert_eq(&tally(&[]).1);
    }

    #[test]
    fn the_last_line_counts_tests_and_steps() {
        let (mut tally, _) = tally(&[("format", true), ("tidy", false)]);
        tally.add_tests(false);
        expect![[r#"

            suite         cases  skipped
            examples       1201
            twins             0  03-xml-json-twins is not there
            failed step: tidy

            3 passed, 2 failed, 2 skipped
        "#]]
        .assert_eq(&tally.to_string());
    }

    #[test]
    fn a_program_that_dies_has_failed() {
        let mut tally = Tally::default();
        tally.add_tests(false);
        expect![[r#"

            suite      cases  skipped
            failed step: tests

            0 passed, 1 failed, 0 skipped
        "#]]
        .assert_eq(&tally.to_string());
    }
}
