//! Bundles as parts: the resources' own JSON between strips of text, uncopied where they are long.
//!
//! <https://hl7.org/fhir/R4/bundle.html>; STU3 has no `response` in histories
//! (<https://hl7.org/fhir/STU3/bundle.html>, invariant `bdl-4`).

use bytes::Bytes;
use fhir::json::write_string;
use fhir::{FhirVersion, Instant, Issue, VersionId};
use http::StatusCode;
use interactions::{
    Bundle, Changes, Deleted, EntryAnswer, InteractionError, Matched, ReadOutcome, Resource,
    SearchAnswer, SearchMode, WriteAnswer, WriteEffect,
};

use crate::conditions::Return;
use crate::outcome;
use crate::query::joined;
use crate::rejection::Rejection;
use crate::subset::subset;

/// Shorter resources are copied: a part of its own costs more.
const PART_BYTES_MIN: usize = 1 << 10;

/// Text and resources in the order in which they are sent.
#[derive(Default)]
struct Splicer {
    parts: Vec<Bytes>,
    text: String,
}

impl Splicer {
    fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn string(&mut self, text: &str) {
        write_string(text, &mut self.text);
    }

    fn json(&mut self, json: Bytes) {
        match std::str::from_utf8(&json) {
            Ok(text) if json.len() < PART_BYTES_MIN => self.text.push_str(text),
            _ => {
                self.flush();
                self.parts.push(json);
            }
        }
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.parts.push(std::mem::take(&mut self.text).into());
        }
    }

    fn into_parts(mut self) -> Vec<Bytes> {
        self.flush();
        self.parts
    }
}

/// Where links of a bundle lead.
pub(crate) struct Links<'l> {
    /// The FHIR base.
    pub(crate) base: &'l str,
    /// The path below it that was searched.
    pub(crate) path: &'l str,
    /// What is added to every query, so that the next page has the same format.
    pub(crate) query: &'l str,
}

impl Links<'_> {
    fn url(&self, query: &str) -> String {
        let query = joined(query, self.query);
        let slash = if self.path.is_empty() { "" } else { "/" };
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}{slash}{}{mark}{query}", self.base, self.path)
    }
}

impl Links<'_> {
    /// What changed after the first page of a search, oldest first (RFC 5829 names the relation).
    fn history(&self, changes: &Changes) -> String {
        let of = changes.resource_type.as_deref().unwrap_or_default();
        let slash = if of.is_empty() { "" } else { "/" };
        let since = changes.since;
        let query = joined(&format!("_since={since}&_sort=_lastUpdated"), self.query);
        format!("{}{slash}{of}/_history?{query}", self.base)
    }
}

/// A search's or history's page.
pub(crate) fn page(answer: &SearchAnswer, links: &Links<'_>, version: FhirVersion) -> Vec<Bytes> {
    let mut out = Splicer::default();
    write_page(&mut out, answer, links, version);
    out.into_parts()
}

fn write_page(out: &mut Splicer, answer: &SearchAnswer, links: &Links<'_>, version: FhirVersion) {
    out.text("{\"resourceType\":\"Bundle\",\"type\":");
    out.string(answer.kind);
    if let Some(total) = answer.total {
        out.text(&format!(",\"total\":{total}"));
    }
    write_links(out, answer, links);
    let mut comma = ",\"entry\":[";
    for entry in &answer.entries {
        out.text(comma);
        comma = ",";
        match entry {
            Matched::Resource {
                resource,
                mode,
                method,
                created,
            } => {
                let json = subset(&resource.json(), &answer.summary, version);
                write_head(out, links.base, &resource.key, Some(json));
                if answer.kind == "history" {
                    write_request(out, method, &resource.key);
                    let status = if *created {
                        StatusCode::CREATED
                    } else {
                        StatusCode::OK
                    };
                    let (number, time) = (resource.version, resource.last_updated);
                    write_history_response(out, status, number, time, version);
                } else {
                    write_mode(out, *mode);
                }
            }
            Matched::Contained {
                container,
                id,
                json,
            } => {
                out.text("{\"fullUrl\":");
                out.string(&format!("{}/{container}#{id}", links.base));
                out.text(",\"resource\":");
                out.json(subset(json, &answer.summary, version));
                write_mode(out, SearchMode::Match);
            }
            Matched::Deleted(deleted) => {
                write_head(out, links.base, &deleted.key, None);
                write_request(out, "DELETE", &deleted.key);
                let (number, time) = (deleted.version, deleted.last_updated);
                write_history_response(out, StatusCode::NO_CONTENT, number, time, version);
            }
        }
        out.text("}");
    }
    // Every entry of a history must be a version with its request: `bdl-3`, `bdl-4`.
    if !answer.issues.is_empty() && answer.kind != "history" {
        out.text(comma);
        comma = ",";
        out.text("{\"resource\":");
        out.text(&outcome::operation_outcome(&answer.issues, version));
        out.text(",\"search\":{\"mode\":\"outcome\"}}");
    }
    out.text(if comma == "," { "]}" } else { "}" });
}

fn write_links(out: &mut Splicer, answer: &SearchAnswer, links: &Links<'_>) {
    out.text(",\"link\":[{\"relation\":\"self\",\"url\":");
    out.string(&links.url(&answer.self_query));
    out.text("}");
    if let Some(next) = &answer.next_query {
        out.text(",{\"relation\":\"next\",\"url\":");
        out.string(&links.url(next));
        out.text("}");
    }
    if let Some(changes) = &answer.changes {
        out.text(",{\"relation\":\"version-history\",\"url\":");
        out.string(&links.history(changes));
        out.text("}");
    }
    out.text("]");
}

fn write_head(
    out: &mut Splicer,
    base: &str,
    key: &interactions::ResourceKey,
    resource: Option<Bytes>,
) {
    out.text("{\"fullUrl\":");
    out.string(&format!("{base}/{key}"));
    if let Some(json) = resource {
        out.text(",\"resource\":");
        out.json(json);
    }
}

fn write_mode(out: &mut Splicer, mode: SearchMode) {
    out.text(match mode {
        SearchMode::Match => ",\"search\":{\"mode\":\"match\"}",
        SearchMode::Include => ",\"search\":{\"mode\":\"include\"}",
    });
}

fn write_request(out: &mut Splicer, method: &str, key: &interactions::ResourceKey) {
    out.text(",\"request\":{\"method\":");
    out.string(method);
    out.text(",\"url\":");
    if method == "POST" {
        out.string(&key.resource_type);
    } else {
        out.string(&key.to_string());
    }
    out.text("}");
}

fn write_history_response(
    out: &mut Splicer,
    status: StatusCode,
    number: VersionId,
    time: Instant,
    version: FhirVersion,
) {
    if version == FhirVersion::Stu3 {
        return;
    }
    out.text(&format!(
        ",\"response\":{{\"status\":\"{status}\",\"etag\":\"W/\\\"{number}\\\"\",\"lastModified\":\"{time}\"}}"
    ));
}

/// The answer to a batch or transaction. `paths` has the URL of each entry that asked something.
pub(crate) fn responses(
    bundle: &Bundle,
    base: &str,
    paths: &[String],
    returned: Option<Return>,
    version: FhirVersion,
) -> Vec<Bytes> {
    let mut out = Splicer::default();
    out.text("{\"resourceType\":\"Bundle\",\"type\":");
    out.string(bundle.kind);
    out.text(",\"link\":[{\"relation\":\"self\",\"url\":");
    out.string(base);
    out.text("}]");
    for (at, entry) in bundle.entries.iter().enumerate() {
        out.text(if at == 0 { ",\"entry\":[" } else { "," });
        match &entry.answer {
            Ok(EntryAnswer::Written(answer)) => {
                write_written(&mut out, answer, base, returned, version);
            }
            Ok(EntryAnswer::Read(outcome)) => write_read(&mut out, outcome, base, version),
            Ok(EntryAnswer::Told(json)) => {
                out.text("{\"resource\":");
                out.json(json.clone());
                out.text(",\"response\":{\"status\":\"200 OK\"}}");
            }
            Ok(EntryAnswer::NotModified(resource)) => {
                write_head(&mut out, base, &resource.key, None);
                let status = StatusCode::NOT_MODIFIED;
                out.text(&format!(",\"response\":{{\"status\":\"{status}\""));
                write_tag(&mut out, resource.version, resource.last_updated);
                out.text("}}");
            }
            Ok(EntryAnswer::Found(answer)) => {
                let path = paths.get(at).map_or("", String::as_str);
                let links = Links {
                    base,
                    path,
                    query: "",
                };
                out.text("{\"resource\":");
                write_page(&mut out, answer, &links, version);
                out.text(",\"response\":{\"status\":\"200 OK\"}}");
            }
            Err(error) => write_refused(&mut out, error, version),
        }
    }
    out.text(if bundle.entries.is_empty() { "}" } else { "]}" });
    out.into_parts()
}

fn write_written(
    out: &mut Splicer,
    answer: &WriteAnswer,
    base: &str,
    returned: Option<Return>,
    version: FhirVersion,
) {
    let mut comma = "{";
    if let Some(resource) = &answer.resource {
        let wanted = returned == Some(Return::Representation);
        write_head(out, base, &resource.key, wanted.then(|| resource.json()));
        comma = ",";
    }
    let status = status_of(answer.effect);
    out.text(comma);
    out.text(&format!("\"response\":{{\"status\":\"{status}\""));
    if let Some(resource) = &answer.resource {
        write_place(out, resource);
    } else if let Some(deleted) = &answer.deleted {
        write_tag(out, deleted.version, deleted.last_updated);
    }
    write_outcome(out, answer, returned, version);
    out.text("}}");
}

fn write_place(out: &mut Splicer, resource: &Resource) {
    let (key, number) = (&resource.key, resource.version);
    out.text(",\"location\":");
    out.string(&format!("{key}/_history/{number}"));
    write_tag(out, number, resource.last_updated);
}

fn write_tag(out: &mut Splicer, number: VersionId, time: Instant) {
    out.text(&format!(
        ",\"etag\":\"W/\\\"{number}\\\"\",\"lastModified\":\"{time}\""
    ));
}

fn write_outcome(
    out: &mut Splicer,
    answer: &WriteAnswer,
    returned: Option<Return>,
    version: FhirVersion,
) {
    let issues = issues_of(answer);
    if !issues.is_empty() {
        out.text(",\"outcome\":");
        out.text(&outcome::operation_outcome(&issues, version));
    } else if returned == Some(Return::OperationOutcome) {
        out.text(",\"outcome\":");
        out.text(&outcome::all_ok(version));
    }
}

/// What is to be told of a write: that nothing was changed, too.
pub(crate) fn issues_of(answer: &WriteAnswer) -> Vec<Issue> {
    let mut issues = answer.issues.clone();
    if answer.effect == WriteEffect::Unchanged && issues.is_empty() {
        issues.push(Issue::information(
            "the resource is unchanged: no version was made",
        ));
    }
    issues
}

/// The status of a write without an outcome in its body.
pub(crate) fn status_of(effect: WriteEffect) -> StatusCode {
    match effect {
        WriteEffect::Created => StatusCode::CREATED,
        WriteEffect::Updated | WriteEffect::Unchanged => StatusCode::OK,
        WriteEffect::Deleted(_) | WriteEffect::NothingToDelete | WriteEffect::Purged => {
            StatusCode::NO_CONTENT
        }
    }
}

fn write_read(out: &mut Splicer, outcome: &ReadOutcome, base: &str, version: FhirVersion) {
    match outcome {
        ReadOutcome::Found(resource) => {
            write_head(out, base, &resource.key, Some(resource.json()));
            out.text(",\"response\":{\"status\":\"200 OK\"");
            write_tag(out, resource.version, resource.last_updated);
            out.text("}}");
        }
        ReadOutcome::Deleted(deleted) => write_refused(out, &gone(deleted).into(), version),
    }
}

/// The issue about a resource that is deleted.
pub(crate) fn gone(deleted: &Deleted) -> Issue {
    let issue = Issue::error(fhir::Fault::Deleted, "the resource is deleted");
    issue.mend(format!(
        "its history tells what was there before version {}",
        deleted.version
    ))
}

fn write_refused(out: &mut Splicer, error: &InteractionError, version: FhirVersion) {
    let rejection = Rejection::from(error.clone());
    let status = rejection.status(version);
    out.text(&format!(
        "{{\"response\":{{\"status\":\"{status}\",\"outcome\":"
    ));
    out.text(&outcome::operation_outcome(&rejection.issues, version));
    out.text("}}");
}
