//! The text of an OperationOutcome (<https://hl7.org/fhir/R4/operationoutcome.html>).
//!
//! Which issue code a fault has in which FHIR version, and which HTTP status, is the caller's table.

use crate::json::write_string;
use crate::{Fault, Issue, Severity};

impl Severity {
    /// The code of the value set `issue-severity`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Fatal => "fatal",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Information => "information",
        }
    }
}

/// An OperationOutcome that tells these issues in JSON; `code` gives a fault's issue code.
///
/// `details.text` says what, `diagnostics` how to mend it, `expression` where in the body; parts of
/// the request (`http.…`) go into `location`, as its definition has it. The standard demands one
/// issue at least, so no issues are told as one that says so.
pub fn operation_outcome(issues: &[Issue], code: &dyn Fn(Fault) -> &'static str) -> String {
    let mut text = String::from("{\"resourceType\":\"OperationOutcome\",\"issue\":[");
    if issues.is_empty() {
        write_issue(&Issue::information("no issues"), code, &mut text);
    }
    for (at, issue) in issues.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        write_issue(issue, code, &mut text);
    }
    text.push_str("]}");
    text
}

fn write_issue(issue: &Issue, code: &dyn Fn(Fault) -> &'static str, into: &mut String) {
    into.push_str("{\"severity\":");
    write_string(issue.severity.code(), into);
    into.push_str(",\"code\":");
    write_string(code(issue.fault), into);
    into.push_str(",\"details\":{\"text\":");
    write_string(&issue.what, into);
    into.push('}');
    if let Some(remedy) = &issue.remedy {
        into.push_str(",\"diagnostics\":");
        write_string(remedy, into);
    }
    let is_request = |it: &&String| it.starts_with("http.");
    write_list("location", issue.expression.iter().filter(is_request), into);
    let is_body = |it: &&String| !it.starts_with("http.");
    write_list("expression", issue.expression.iter().filter(is_body), into);
    into.push('}');
}

fn write_list<'t>(name: &str, texts: impl Iterator<Item = &'t String>, into: &mut String) {
    let mut texts = texts.peekable();
    if texts.peek().is_none() {
        return;
    }
    into.push(',');
    write_string(name, into);
    into.push_str(":[");
    for (at, text) in texts.enumerate() {
        if at > 0 {
            into.push(',');
        }
        write_string(text, into);
    }
    into.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issue_says_where_what_and_how_to_mend_it() {
        let issues = [
            Issue::error(Fault::Value, "not a \"date\"")
                .at("Patient.birthDate")
                .mend("write `YYYY-MM-DD`"),
            Issue::warning(Fault::Invalid, "unknown parameter `x`").at("http.x"),
        ];
        let code = |fault| {
            if fault == Fault::Value {
                "value"
            } else {
                "invalid"
            }
        };
        assert_eq!(
            operation_outcome(&issues, &code),
            concat!(
                r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"value","#,
                r#""details":{"text":"not a \"date\""},"diagnostics":"write `YYYY-MM-DD`","#,
                r#""expression":["Patient.birthDate"]},{"severity":"warning","code":"invalid","#,
                r#""details":{"text":"unknown parameter `x`"},"location":["http.x"]}]}"#
            )
        );
    }

    #[test]
    fn no_issues_are_told_as_one() {
        assert_eq!(
            operation_outcome(&[], &|_| "informational"),
            concat!(
                r#"{"resourceType":"OperationOutcome","issue":[{"severity":"information","#,
                r#""code":"informational","details":{"text":"no issues"}}]}"#
            )
        );
    }
}
