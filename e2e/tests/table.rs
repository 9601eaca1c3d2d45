//! Tables of requests and what is answered. A case is a block: a comment, the request line, headers, body
//! lines (`|`), then `=> status` and `~` before what the answer has.

use std::fmt::Write as _;

use e2e::process::Server;

#[derive(Default)]
struct Case {
    name: String,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
    status: String,
    has: Vec<String>,
}

fn case(block: &str) -> Case {
    let mut case = Case::default();
    for line in block.lines() {
        if let Some(name) = line.strip_prefix("# ") {
            name.clone_into(&mut case.name);
        } else if let Some(text) = line.strip_prefix("| ") {
            writeln!(case.body, "{text}").expect("a String");
        } else if let Some(status) = line.strip_prefix("=> ") {
            status.clone_into(&mut case.status);
        } else if let Some(text) = line.strip_prefix("~ ") {
            case.has.push(text.to_owned());
        } else if case.method.is_empty() {
            let (method, path) = line.split_once(' ').expect("a method and a path");
            (case.method, case.path) = (method.to_owned(), path.to_owned());
        } else {
            let (name, value) = line.split_once(": ").expect("a header");
            case.headers.push((name.to_owned(), value.to_owned()));
        }
    }
    case
}

/// Asks one case after the other, with the bytes that bodies are written for, and compares; gives their
/// number.
pub(crate) fn check(server: &Server, table: &str, bytes: impl Fn(&str) -> Vec<u8>) -> usize {
    let cases: Vec<Case> = table.split("\n\n").map(case).collect();
    let mut failures = Vec::new();
    for case in &cases {
        let headers = case.headers.iter();
        let headers: Vec<(&str, &str)> = headers.map(|it| (it.0.as_str(), it.1.as_str())).collect();
        let body = bytes(&case.body);
        let mut connection = server.connect();
        let answer = connection.ask(&case.method, &case.path, &headers, &body);
        let answer = answer.expect("an answer");
        let text = answer.text();
        let lacks: Vec<&String> = case.has.iter().filter(|it| !text.contains(*it)).collect();
        if answer.status.to_string() != case.status || !lacks.is_empty() {
            let shown: String = text.chars().take(400).collect();
            let (name, status, wanted) = (&case.name, answer.status, &case.status);
            failures.push(format!(
                "{name}: {status} instead of {wanted}, lacks {lacks:?}\n  {shown}"
            ));
        }
    }
    let count = failures.len();
    assert!(failures.is_empty(), "{count}\n{}", failures.join("\n"));
    cases.len()
}
