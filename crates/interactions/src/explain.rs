//! `_explain=true`: how a search is executed, for people who ask why it is slow.

use std::fmt::Write as _;

use fhir::{Fault, Issue, Severity};
use search::compile::Numbers;
use store::Explanation;

/// An explanation as information for the client, a line for each condition.
pub(crate) fn issues(explanation: &Explanation, numbers: &Numbers) -> Vec<Issue> {
    let mut lines = Vec::new();
    describe(explanation, 0, &mut lines);
    let slots = numbers.parameters.iter();
    let mut slots: Vec<(u32, &str)> = slots.map(|(name, number)| (number.0, &**name)).collect();
    slots.sort_unstable();
    let slots = slots
        .into_iter()
        .map(|(number, name)| format!("slot {number} is `{name}`"));
    let information = |text: String| Issue {
        severity: Severity::Information,
        ..Issue::error(Fault::Informational, text)
    };
    lines.into_iter().chain(slots).map(information).collect()
}

fn describe(explanation: &Explanation, depth: usize, lines: &mut Vec<String>) {
    let Explanation {
        what,
        estimate,
        actual,
        parts,
    } = explanation;
    let mut line = "  ".repeat(depth);
    write!(line, "{what}: {estimate} expected, {actual} found").expect("writing to a String");
    lines.push(line);
    for part in parts {
        describe(part, depth + 1, lines);
    }
}
