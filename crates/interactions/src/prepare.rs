//! What can be done to a resource outside any lock: checks before anything is decided, and the
//! form in which it is stored once its identity is known.
//!
//! Pure. <https://hl7.org/fhir/R4/http.html#trules> for the rewriting of references.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use fhir::element::Element;
use fhir::json::{Document, Limits, Splice, Value, splice};
use fhir::reference::{Reference, references, rewrite, rewrite_literals};
use fhir::resource::stored;
use fhir::validate::{Entries, Handling, Options, validate_with};
use fhir::{Definitions, Fault, FhirVersion, Issue, ResourceId};
use search::compile::{Names, Numbers};
use search::extract::{ExtractLimits, Extracted, extract};
use search::reference::{Bases, Target};
use store::{Entry, Record, RecordKey, Space};

use crate::job::{Intent, Task};
use crate::{InteractionError, ResourceKey, code_tables};

/// A conditional reference: a type and raw criteria.
pub(crate) type ConditionalReference = (Box<str>, Box<str>);

/// What checking a task's resource found.
#[derive(Default)]
pub(crate) struct Checked {
    /// What is wrong.
    pub(crate) issues: Vec<Issue>,
    /// The conditional references in it.
    pub(crate) conditional: BTreeSet<ConditionalReference>,
    /// The id that it has itself.
    pub(crate) id: Option<ResourceId>,
}

/// Checks a task's resource against the URL it was sent to and against the definitions.
pub(crate) fn check(
    definitions: &'static Definitions,
    task: &Task,
    resource: Option<Value<'_>>,
    issues_max: usize,
    rules: Handling,
) -> Checked {
    let Some(resource) = resource else {
        return Checked::default();
    };
    let place = resource_place(task);
    let mut issues: Vec<Issue> = fits_url(&task.intent, resource)
        .into_iter()
        .map(|issue| {
            if place.is_empty() {
                issue
            } else {
                issue.at(place.clone())
            }
        })
        .collect();
    let options = Options {
        issues_max,
        entries: Entries::Checked,
    };
    issues.extend(validate_with(resource, &place, definitions, options, rules));
    let conditional = conditional_references(definitions, resource);
    let id = resource.get("id").and_then(Value::as_str);
    let id = id.and_then(|it| ResourceId::parse(&it).ok());
    Checked {
        issues,
        conditional,
        id,
    }
}

fn resource_place(task: &Task) -> String {
    if task.place.is_empty() {
        String::new()
    } else {
        format!("{}.resource", task.place)
    }
}

/// Whether type and, on update, id are those of the URL; the rest is validation's.
fn fits_url(intent: &Intent, resource: Value<'_>) -> Option<Issue> {
    let expected = intent.resource_type();
    let resource_type = resource.get("resourceType")?;
    if !resource_type.is_str(expected) {
        let what = format!("the resource is not of the type `{expected}` that the URL names");
        let remedy = "send it to the URL of its own type";
        return Some(Issue::error(Fault::Invalid, what).mend(remedy));
    }
    let Intent::Update { key, .. } = intent else {
        return None;
    };
    let what = match resource.get("id") {
        Some(id) if id.is_str(key.id.as_str()) => return None,
        Some(_) => "the resource's `id` is not the id in the URL",
        None => "the resource has no `id`, but the URL has one",
    };
    let issue = Issue::error(Fault::Invalid, what).at(format!("{expected}.id"));
    Some(issue.mend("send the id of the URL as `id`"))
}

/// Whether references in it may be conditional. Those inside a Bundle that is itself stored are the
/// Bundle's own business. Most resources have no question mark at all, plain or escaped, and to look
/// for a character is quicker than to walk.
fn may_be_conditional(resource: Value<'_>) -> bool {
    let text = resource.raw();
    (text.contains('?') || text.contains("\\u003")) && !is_bundle(resource)
}

fn is_bundle(resource: Value<'_>) -> bool {
    resource
        .get("resourceType")
        .is_some_and(|it| it.is_str("Bundle"))
}

fn conditional_references(
    definitions: &'static Definitions,
    resource: Value<'_>,
) -> BTreeSet<ConditionalReference> {
    if !may_be_conditional(resource) {
        return BTreeSet::new();
    }
    let Ok(root) = Element::resource(definitions, resource) else {
        return BTreeSet::new();
    };
    let conditional = |text: &str| match Reference::parse(definitions, text) {
        Reference::Conditional {
            resource_type,
            query,
        } => Some((resource_type.into(), query.into())),
        _ => None,
    };
    let texts = references(&root).filter_map(|it| it.text());
    texts.filter_map(|text| conditional(&text)).collect()
}

/// Where the first reference with these criteria stands in a resource, for messages.
pub(crate) fn place_of_conditional(
    definitions: &'static Definitions,
    resource: Value<'_>,
    wanted: &ConditionalReference,
) -> Option<String> {
    fn search(element: &Element<'_>, text: &str, path: &mut String) -> bool {
        element.elements().any(|child| {
            let length = path.len();
            child.write_step(path);
            let reference = child.value.and_then(|it| it.get("reference"));
            let is_here =
                child.definition.name == "Reference" && reference.is_some_and(|it| it.is_str(text));
            if is_here || search(&child, text, path) {
                return true;
            }
            path.truncate(length);
            false
        })
    }
    let root = Element::resource(definitions, resource).ok()?;
    let mut path = root.definition.name.to_owned();
    let text = format!("{}?{}", wanted.0, wanted.1);
    search(&root, &text, &mut path).then_some(path)
}

/// What references become: the identities that a job has decided upon.
#[derive(Default)]
pub(crate) struct Links {
    /// By `fullUrl`.
    pub(crate) by_url: HashMap<Box<str>, ResourceKey>,
    /// By conditional reference.
    pub(crate) by_criteria: HashMap<ConditionalReference, ResourceKey>,
}

impl Links {
    /// What a URL becomes; a version it names is dropped (its number was another server's), a
    /// fragment stays. A relative reference in an entry whose `fullUrl` has a base is read below
    /// that base first (<https://hl7.org/fhir/R4/bundle.html#references>).
    fn url(&self, base: Option<&str>, text: &str) -> Option<String> {
        let (url, fragment) = match text.split_once('#') {
            Some((url, fragment)) => (url, Some(fragment)),
            None => (text, None),
        };
        if url.is_empty() {
            return None;
        }
        let below = |url: &str| match base {
            Some(base) if !url.contains(':') => self.by_url.get(format!("{base}{url}").as_str()),
            _ => None,
        };
        let exact = |url: &str| below(url).or_else(|| self.by_url.get(url));
        let key = exact(url).or_else(|| exact(url.split_once("/_history/")?.0))?;
        let replacement = match fragment {
            Some(fragment) => format!("{key}#{fragment}"),
            None => key.to_string(),
        };
        (replacement != text).then_some(replacement)
    }

    fn criteria(&self, definitions: &Definitions, text: &str) -> Option<String> {
        match Reference::parse(definitions, text) {
            Reference::Conditional {
                resource_type,
                query,
            } => {
                let wanted = (resource_type.into(), query.into());
                self.by_criteria.get(&wanted).map(ToString::to_string)
            }
            _ => None,
        }
    }
}

/// A resource ready to be stored.
pub(crate) struct Prepared {
    /// The stored form.
    pub(crate) body: Bytes,
    /// What it is found by; nothing if it is what lies there already.
    pub(crate) found_by: FoundBy,
    /// The table of a large code system.
    pub(crate) table: Option<Bytes>,
}

/// What a resource is found by, in names.
#[derive(Default)]
pub(crate) struct FoundBy {
    /// Its index entries and patients.
    pub(crate) extracted: Extracted,
    /// The resources of this server that it refers to.
    pub(crate) references: BTreeSet<(Box<str>, Box<str>)>,
}

impl FoundBy {
    /// Adds the names in it.
    pub(crate) fn names<'n>(&'n self, names: &mut Names<'n>) {
        for entry in &self.extracted.entries {
            names.of_entry(entry);
        }
        let types = self.references.iter().map(|it| &*it.0);
        names.types.extend(types);
        if !self.extracted.patients.is_empty() {
            names.types.insert("Patient");
        }
    }

    /// The index entries in numbers.
    pub(crate) fn entries(&self, space: Space, numbers: &Numbers) -> Vec<Entry> {
        let entries = self.extracted.entries.iter();
        entries.filter_map(|it| numbers.entry(space, it)).collect()
    }

    /// The records that it refers to.
    pub(crate) fn references(&self, space: Space, numbers: &Numbers) -> Vec<RecordKey> {
        let key = |(kind, id): &(Box<str>, Box<str>)| numbers.key(space, kind, id);
        self.references.iter().filter_map(key).collect()
    }
}

/// What preparing needs to know beside the resource.
#[derive(Clone, Copy)]
pub(crate) struct Context<'c> {
    pub(crate) version: FhirVersion,
    pub(crate) definitions: &'static Definitions,
    pub(crate) bases: &'c Bases,
    pub(crate) links: &'c Links,
}

impl Context<'_> {
    /// Rewrites, minifies and extracts a resource that becomes the one named; `current` is what lies
    /// there.
    pub(crate) fn prepare(
        &self,
        task: &Task,
        resource: Value<'_>,
        key: &ResourceKey,
        current: Option<&Record>,
    ) -> Result<Prepared, InteractionError> {
        let splices = self.splices(task, resource);
        if splices.is_empty() {
            return self.prepare_as_is(resource, key, current);
        }
        let document =
            spliced(resource, splices).map_err(|issue| issue.at(resource_place(task)))?;
        self.prepare_as_is(document.root(), key, current)
    }

    fn splices(&self, task: &Task, resource: Value<'_>) -> Vec<Splice> {
        let Ok(root) = Element::resource(self.definitions, resource) else {
            return Vec::new();
        };
        let base = base_of(self.definitions, task.full_url.as_deref());
        let mut splices = Vec::new();
        if !self.links.by_url.is_empty() {
            splices = rewrite(&root, &|text| self.links.url(base.as_deref(), text));
        }
        if !self.links.by_criteria.is_empty() && may_be_conditional(resource) {
            // A `fullUrl` may look like criteria; what it has replaced is not replaced again.
            let replacement = |text: &str| match self.links.url(base.as_deref(), text) {
                Some(_) => None,
                None => self.links.criteria(self.definitions, text),
            };
            splices.extend(rewrite_literals(&root, &replacement));
        }
        splices
    }

    fn prepare_as_is(
        &self,
        resource: Value<'_>,
        key: &ResourceKey,
        current: Option<&Record>,
    ) -> Result<Prepared, InteractionError> {
        let form = stored(resource, &key.id)
            .map_err(|fault| Issue::error(Fault::Structure, fault.to_string()))?;
        let body = Bytes::from(form.text);
        if current.is_some_and(|it| it.body == body) {
            return Ok(Prepared {
                body,
                found_by: FoundBy::default(),
                table: None,
            });
        }
        Ok(Prepared {
            body,
            found_by: self.found_by(resource, key)?,
            table: code_tables::table_of(resource, key),
        })
    }

    /// What the resource is found by, and what it refers to.
    pub(crate) fn found_by(
        &self,
        resource: Value<'_>,
        key: &ResourceKey,
    ) -> Result<FoundBy, InteractionError> {
        let (kind, id) = (&*key.resource_type, key.id.as_str());
        let limits = ExtractLimits::DEFAULT;
        let extracted = extract(self.version, self.bases, &limits, kind, id, resource);
        let extracted = extracted.map_err(|error| {
            let issue = Issue::error(Fault::TooLarge, error.to_string());
            issue.mend("split the resource")
        })?;
        Ok(FoundBy {
            extracted,
            references: self.local_references(resource),
        })
    }

    /// What the resource refers to here. The entries of a Bundle are a copy of something: their
    /// references bind nobody.
    fn local_references(&self, resource: Value<'_>) -> BTreeSet<(Box<str>, Box<str>)> {
        if is_bundle(resource) {
            return BTreeSet::new();
        }
        let Ok(root) = Element::resource(self.definitions, resource) else {
            return BTreeSet::new();
        };
        let local = |text: &str| match self.bases.target(self.definitions, text) {
            Target::Local {
                resource_type, id, ..
            } => Some((resource_type.into(), id.into())),
            _ => None,
        };
        let texts = references(&root).filter_map(|it| it.text());
        texts.filter_map(|text| local(&text)).collect()
    }
}

/// The base of a `fullUrl` of the form `base/Type/id`, with its slash.
fn base_of(definitions: &Definitions, full_url: Option<&str>) -> Option<String> {
    match Reference::parse(definitions, full_url?) {
        Reference::Absolute { base, .. } => Some(format!("{base}/")),
        _ => None,
    }
}

/// The resource alone with the splices applied; their spans count in the whole document.
fn spliced(resource: Value<'_>, mut splices: Vec<Splice>) -> Result<Document, Issue> {
    let start = resource.span().start;
    for it in &mut splices {
        it.span = it.span.start - start..it.span.end - start;
    }
    let text = splice(resource.raw(), splices);
    Document::parse(text.into(), &Limits::DEFAULT).map_err(|error| {
        Issue::error(
            Fault::TooLarge,
            format!("with its references rewritten: {}", error.what),
        )
    })
}
