//! Tables of requests and what is true of their answers: `cases/*.http`, each run for both FHIR
//! versions and both formats in a tenant of its own.
//!
//! A case is a block: comments (`#`), the request line (a path without leading slash lies below the
//! FHIR base), headers, body lines (`|`), then `=> status` (`R4/STU3` where they differ), headers
//! that the answer has (`-` for absent, `*` for any value), `~` and `!~` for text that its JSON has
//! or has not, `save NAME` for the id in `Location`. A line that ends with `@r4` or `@stu3` counts
//! in that version only, with `@json` or `@xml` in that format only. In format xml bodies are sent
//! and asked for in XML, and converted to be looked at, unless the case has headers of its own.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use fhir::json::{Document, Limits};
use fhir::validate::Options;
use fhir::xml::{self, Layout};
use fhir::{Definitions, FhirVersion};

use crate::site::{Reply, Site};

const FILES: &[(&str, &str)] = &[
    ("crud", include_str!("../cases/crud.http")),
    ("conditional", include_str!("../cases/conditional.http")),
    ("negotiation", include_str!("../cases/negotiation.http")),
    ("malformed", include_str!("../cases/malformed.http")),
    ("looks", include_str!("../cases/looks.http")),
    ("history", include_str!("../cases/history.http")),
    ("search", include_str!("../cases/search.http")),
    ("bundle", include_str!("../cases/bundle.http")),
    ("operations", include_str!("../cases/operations.http")),
    ("binary", include_str!("../cases/binary.http")),
];

#[derive(Default)]
struct Case {
    name: String,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
    status: String,
    expected: Vec<(String, String)>,
    has: Vec<String>,
    has_not: Vec<String>,
    save: Option<String>,
}

/// The line without its condition; `None` if it does not count here.
fn counted<'l>(line: &'l str, tags: [&str; 2]) -> Option<&'l str> {
    match line.rsplit_once(" @") {
        Some((rest, tag)) if matches!(tag, "r4" | "stu3" | "json" | "xml") => {
            tags.contains(&tag).then_some(rest)
        }
        _ => Some(line),
    }
}

fn parse(text: &str, tags: [&str; 2]) -> Vec<Case> {
    text.split("\n\n")
        .filter_map(|block| parse_block(block, tags))
        .collect()
}

fn parse_block(block: &str, tags: [&str; 2]) -> Option<Case> {
    let mut case = Case::default();
    for line in block.lines().filter(|line| !line.trim().is_empty()) {
        let Some(line) = counted(line, tags) else {
            continue;
        };
        let header = || {
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{line}"));
            (name.to_owned(), value.to_owned())
        };
        if let Some(name) = line.strip_prefix("# ") {
            name.clone_into(&mut case.name);
        } else if let Some(text) = line.strip_prefix("| ") {
            writeln!(case.body, "{text}").expect("a String");
        } else if let Some(status) = line.strip_prefix("=> ") {
            status.clone_into(&mut case.status);
        } else if let Some(text) = line.strip_prefix("!~ ") {
            case.has_not.push(text.to_owned());
        } else if let Some(text) = line.strip_prefix("~ ") {
            case.has.push(text.to_owned());
        } else if let Some(name) = line.strip_prefix("save ") {
            case.save = Some(name.to_owned());
        } else if case.method.is_empty() {
            let (method, path) = line.split_once(' ').unwrap_or((line, ""));
            (case.method, case.path) = (method.to_owned(), path.to_owned());
        } else if case.status.is_empty() {
            case.headers.push(header());
        } else {
            case.expected.push(header());
        }
    }
    (!case.method.is_empty()).then_some(case)
}

struct Run<'s> {
    site: &'s Site,
    version: FhirVersion,
    format: &'static str,
    base: String,
    saved: BTreeMap<String, String>,
}

impl Run<'_> {
    fn fill(&self, text: &str) -> String {
        let mut text = text
            .replace("{base}", &self.base)
            .replace("{v}", self.version.slug());
        for (name, value) in &self.saved {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }

    async fn ask(&self, case: &Case) -> (Reply, String) {
        let path = self.fill(&case.path);
        let path = if path.starts_with('/') {
            path
        } else {
            format!("{}/{path}", self.base)
        };
        let path = path.trim_end_matches('/').to_owned();
        let filled = |(name, value): &(String, String)| (name.clone(), self.fill(value));
        let mut headers: Vec<_> = case.headers.iter().map(filled).collect();
        let names = |name: &str| case.headers.iter().any(|(it, _)| it == name);
        let (types, chooses) = (
            names("content-type"),
            names("accept") || path.contains("_format="),
        );
        let mut body = self.fill(&case.body);
        let as_xml = self.format == "xml";
        if !types && !body.is_empty() {
            headers.push((
                "content-type".into(),
                format!("application/fhir+{}", self.format),
            ));
            body = if as_xml { self.to_xml(body) } else { body };
        }
        if !chooses {
            headers.push(("accept".into(), format!("application/fhir+{}", self.format)));
        }
        headers.retain(|(_, value)| value != "-");
        let headers: Vec<_> = headers
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        let path = if path.is_empty() {
            "/".to_owned()
        } else {
            path
        };
        let reply = self.site.ask(&case.method, &path, &headers, body).await;
        let content_type = reply.headers.get("content-type");
        let is_xml =
            content_type.is_some_and(|it| it.as_bytes().starts_with(b"application/fhir+xml"));
        let text = if is_xml && !chooses && !reply.body.is_empty() {
            xml::read(&reply.body, Definitions::of(self.version), &Limits::DEFAULT)
                .unwrap_or_else(|faults| panic!("{}: {faults:?} {}", case.name, reply.text()))
        } else {
            reply.text()
        };
        (reply, text)
    }

    /// How a header differs from what is expected of it.
    fn unlike(&self, reply: &Reply, (name, value): &(String, String)) -> Option<String> {
        let found = reply.headers.get(name);
        let found = found.map(|it| it.to_str().unwrap_or_default());
        let value = self.fill(value);
        let right = match (value.as_str(), value.strip_suffix('*')) {
            ("-", _) => found.is_none(),
            (_, Some(start)) => found.is_some_and(|it| it.starts_with(start)),
            (value, None) => found == Some(value),
        };
        (!right).then(|| format!("header {name}: {found:?} instead of {value}"))
    }

    /// What is wrong with an answer as a resource of its version.
    fn invalid(&self, reply: &Reply, text: &str) -> Vec<String> {
        let content_type = reply
            .headers
            .get("content-type")
            .map(http::HeaderValue::as_bytes);
        let is_fhir = content_type.is_some_and(|it| it.starts_with(b"application/fhir+"));
        if !is_fhir || !text.starts_with('{') {
            return Vec::new();
        }
        let document = Document::parse(text.to_owned().into(), &Limits::DEFAULT);
        let document = document.expect("an answer is JSON");
        let definitions = Definitions::of(self.version);
        let issues = fhir::validate::validate(&document, definitions, Options::default());
        let told = |issue: &fhir::Issue| format!("{} {:?}", issue.what, issue.expression);
        issues.iter().map(told).collect()
    }

    fn to_xml(&self, json: String) -> String {
        let document = Document::parse(json.clone().into(), &Limits::DEFAULT);
        let Ok(document) = document else { return json };
        let definitions = Definitions::of(self.version);
        xml::write(&document, definitions, Layout::Compact).unwrap_or(json)
    }

    async fn check(&mut self, case: &Case) -> Result<(), String> {
        let (reply, text) = self.ask(case).await;
        let (r4, stu3) = case
            .status
            .split_once('/')
            .unwrap_or((&case.status, &case.status));
        let expected = if self.version == FhirVersion::R4 {
            r4
        } else {
            stu3
        };
        let mut wrong = String::new();
        let mut note = |what: String| writeln!(wrong, "  {what}").expect("a String");
        if reply.status.as_str() != expected {
            note(format!("status {} instead of {expected}", reply.status));
        }
        let unlike = case
            .expected
            .iter()
            .filter_map(|it| self.unlike(&reply, it));
        unlike.for_each(&mut note);
        for part in &case.has {
            let part = self.fill(part);
            if !text.contains(&part) {
                note(format!("lacks {part}"));
            }
        }
        for part in &case.has_not {
            let part = self.fill(part);
            if text.contains(&part) {
                note(format!("has {part}"));
            }
        }
        if reply.headers.get("x-request-id").is_none() {
            note("no request id".to_owned());
        }
        for issue in self.invalid(&reply, &text) {
            note(format!("the answer is invalid: {issue}"));
        }
        if let Some(name) = &case.save {
            let location = reply
                .headers
                .get("location")
                .and_then(|it| it.to_str().ok());
            let id = location.and_then(|it| it.split("/_history").next()?.rsplit('/').next());
            self.saved
                .insert(name.clone(), id.unwrap_or("none").to_owned());
        }
        if wrong.is_empty() {
            return Ok(());
        }
        let (version, format) = (self.version, self.format);
        let shown: String = text.chars().take(600).collect();
        Err(format!(
            "{version} {format}: {} ({} {})\n{wrong}  {shown}\n",
            case.name, case.method, case.path
        ))
    }
}

/// Rows of all files; printed so that a table that lost its rows is noticed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tables_hold() {
    let site = Site::start(server::Limits::default()).await;
    let (mut rows, mut failures) = (0, Vec::new());
    for (name, text) in FILES {
        for version in FhirVersion::ALL {
            for format in ["json", "xml"] {
                let tenant = format!("{name}-{}-{format}", version.slug());
                let made = site
                    .ask("POST", &format!("/admin/tenants/{tenant}"), &[], "")
                    .await;
                assert_eq!(made.status, 201, "{}", made.text());
                let base = format!("/t/{tenant}/fhir/{}", version.slug());
                let mut run = Run {
                    site: &site,
                    version,
                    format,
                    base,
                    saved: BTreeMap::new(),
                };
                for case in parse(text, [version.slug(), format]) {
                    rows += 1;
                    failures.extend(run.check(&case).await.err());
                }
            }
        }
    }
    println!("isthmus-suite: http-tables: {rows} cases");
    assert!(
        failures.is_empty(),
        "{} of {rows}:\n{}",
        failures.len(),
        failures.concat()
    );
    assert!(rows >= 600, "{rows}");
}
