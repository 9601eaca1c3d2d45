//! What is sent at once: a bundle, whatever the file held.
//!
//! A bundle without requests becomes one transaction: PUT where an entry's resource has an id, POST
//! where not. Single resources are wrapped the same way. Bundles with requests go as they are.

use bytes::Bytes;
use fhir::json::{Document, Value};
use fhir::{Fault, Issue};

/// A bundle ready to be sent.
#[derive(Debug, Clone)]
pub struct Unit {
    /// The bundle's JSON.
    pub text: Bytes,
    /// Its entries.
    pub entries: usize,
}

/// Turns what a file holds into one bundle.
pub fn from_document(document: &Document) -> Result<Unit, Vec<Issue>> {
    let root = document.root();
    if resource_type(root).as_deref() != Some("Bundle") {
        return from_resources([root].into_iter());
    }
    let entries: Vec<_> = root
        .get("entry")
        .into_iter()
        .flat_map(Value::items)
        .collect();
    let with_request = entries
        .iter()
        .filter(|entry| entry.get("request").is_some())
        .count();
    let kind = root.get("type").and_then(Value::as_str);
    if matches!(kind.as_deref(), Some("transaction" | "batch")) && with_request > 0 {
        return Ok(Unit {
            text: document.text().clone(),
            entries: entries.len(),
        });
    }
    let loadable: Vec<_> = entries
        .iter()
        .filter(|entry| is_loadable(**entry))
        .collect();
    bundle_of(
        loadable
            .into_iter()
            .map(|entry| (entry.get("fullUrl"), entry.get("resource"))),
    )
}

/// Turns single resources into one transaction.
pub fn from_resources<'d>(resources: impl Iterator<Item = Value<'d>>) -> Result<Unit, Vec<Issue>> {
    bundle_of(resources.map(|resource| (None, Some(resource))))
}

/// An entry that a search added to report on itself is no content.
fn is_loadable(entry: Value<'_>) -> bool {
    let mode = entry
        .get("search")
        .and_then(|search| search.get("mode"))
        .and_then(Value::as_str);
    mode.as_deref() != Some("outcome")
}

fn bundle_of<'d>(
    entries: impl Iterator<Item = (Option<Value<'d>>, Option<Value<'d>>)>,
) -> Result<Unit, Vec<Issue>> {
    let mut text = String::from(r#"{"resourceType":"Bundle","type":"transaction","entry":["#);
    let mut count = 0;
    for (index, (full_url, resource)) in entries.enumerate() {
        let resource = resource.ok_or_else(|| vec![nothing_to_load(index)])?;
        if index > 0 {
            text.push(',');
        }
        push_entry(&mut text, full_url, resource, index).map_err(|issue| vec![issue])?;
        count += 1;
    }
    text.push_str("]}");
    Ok(Unit {
        text: text.into(),
        entries: count,
    })
}

fn push_entry(
    text: &mut String,
    full_url: Option<Value<'_>>,
    resource: Value<'_>,
    index: usize,
) -> Result<(), Issue> {
    let Some(kind) = resource_type(resource) else {
        return Err(nothing_to_load(index));
    };
    text.push('{');
    if let Some(full_url) = full_url {
        text.push_str("\"fullUrl\":");
        text.push_str(full_url.raw());
        text.push(',');
    }
    text.push_str("\"resource\":");
    text.push_str(resource.raw());
    let id = resource.get("id").and_then(Value::as_str);
    let (method, url) = match id {
        Some(id) => ("PUT", format!("{kind}/{id}")),
        None => ("POST", kind.into_owned()),
    };
    text.push_str(",\"request\":{\"method\":\"");
    text.push_str(method);
    text.push_str("\",\"url\":");
    fhir::json::write_string(&url, text);
    text.push_str("}}");
    Ok(())
}

fn resource_type(value: Value<'_>) -> Option<std::borrow::Cow<'_, str>> {
    value.get("resourceType").and_then(Value::as_str)
}

fn nothing_to_load(index: usize) -> Issue {
    Issue::error(Fault::Structure, "there is no resource here")
        .at(format!("Bundle.entry[{index}].resource"))
        .mend("each object to load has a `resourceType`")
}
