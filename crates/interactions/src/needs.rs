//! What a plan needs that is stored: codes of value sets, members of lists, hierarchies.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use fhir::json::{Document, Limits, Value};
use fhir::terminology::{
    self, CodeSet, Content, Source, SourceKind, Stored, Terminology, TerminologyError,
};
use fhir::{Definitions, Fault, Issue, ResourceId};
use search::compile::{Answer, Need};
use search::name::ResourceName;
use search::query::{Context, HIERARCHIES, Handling, Query, QueryLimits, Side};
use search::reference::Target;
use search::text::append_pair;
use store::{Record, View};

use crate::numbers::Unknown;
use crate::planning::Asked;
use crate::read::is_live;
use crate::{Caller, InteractionError, Interactions, ResourceKey};

/// Rounds in which definitions are looked up for one answer.
const ROUNDS_MAX: usize = 64;

/// Resources of a hierarchy, or of the definitions with one URL, at most.
const RESOURCES_MAX: usize = 10_000;

impl Interactions {
    /// The answer to a need.
    pub(crate) async fn answer(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        need: &Need,
    ) -> Result<Answer, InteractionError> {
        Ok(match need {
            Need::ValueSet(name) => Answer::Codes(self.value_set(caller, view, name).await?),
            Need::Subsumed { side, system, code } => {
                let content = Content::unknown();
                let question = |it: Terminology<'_>| match side {
                    Side::Above => it.above(system, code),
                    Side::Below => it.below(system, code),
                };
                Answer::Codes(self.codes(caller, view, content, question).await?)
            }
            Need::List(id) => Answer::Resources(self.list(caller, view, id).await?),
            Need::Hierarchy { side, kind, id } => {
                Answer::Resources(self.hierarchy(caller, view, *side, kind, id).await?)
            }
        })
    }

    /// The codes of a value set, by URL or as `ValueSet/id`.
    async fn value_set(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        name: &str,
    ) -> Result<CodeSet, InteractionError> {
        let Some(id) = name.strip_prefix("ValueSet/") else {
            let content = Content::unknown();
            return self
                .codes(caller, view, content, |it| it.members(name))
                .await;
        };
        let key = resource_key("ValueSet", id);
        let record = match key {
            Some(key) => self.visible_record(caller, view, &key).await?,
            None => None,
        };
        let record = record.ok_or_else(|| {
            Issue::error(
                Fault::Invalid,
                "there is no `ValueSet` of the id that the query names",
            )
        })?;
        let (canonical, stored) = definition(SourceKind::ValueSet, &record)?;
        let canonical = canonical.unwrap_or_else(|| name.to_owned());
        let mut content = Content::unknown();
        content.give(
            Source {
                kind: SourceKind::ValueSet,
                canonical: terminology::Canonical::new(&canonical, None),
            },
            stored,
        );
        self.codes(caller, view, content, |it| it.members(&canonical))
            .await
    }

    /// Asks until nothing is lacking.
    async fn codes(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        mut content: Content,
        question: impl Fn(Terminology<'_>) -> Result<terminology::Answer<CodeSet>, TerminologyError>,
    ) -> Result<CodeSet, InteractionError> {
        for _ in 0..ROUNDS_MAX {
            let asked = Terminology::new(caller.version, &content, terminology::Limits::DEFAULT);
            match question(asked).map_err(|error| Issue::from(&error))? {
                terminology::Answer::Known { value, .. } => return Ok(value),
                terminology::Answer::Lacking(sources) => {
                    for source in sources {
                        match self.stored_definition(caller, view, &source).await? {
                            Some(stored) => content.give(source, stored),
                            None => content.note_absent(source),
                        }
                    }
                }
            }
        }
        let what = "the value set needs too many definitions, one after the other";
        Err(Issue::error(Fault::TooLarge, what).into())
    }

    /// The tenant's current definition of that URL: the one written last.
    pub(crate) async fn stored_definition(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        source: &Source,
    ) -> Result<Option<Stored>, InteractionError> {
        let kind = match source.kind {
            SourceKind::ValueSet => "ValueSet",
            SourceKind::CodeSystem => "CodeSystem",
        };
        let mut text = String::new();
        append_pair(&mut text, "url", &escaped(&source.canonical.url));
        if let Some(version) = &source.canonical.version {
            append_pair(&mut text, "version", &escaped(version));
        }
        let records = self.records_where(caller, view, kind, &text).await?;
        let newest = records.into_iter().max_by_key(|it| it.position);
        let stored = newest.map(|it| definition(source.kind, &it).map(|it| it.1));
        stored.transpose()
    }

    /// The live resources of a type that match criteria.
    async fn records_where(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        kind: &'static str,
        text: &str,
    ) -> Result<Vec<Record>, InteractionError> {
        let types = [kind];
        let context = Context {
            version: caller.version,
            types: &types,
            bases: self.bases(caller.version),
            handling: Handling::Strict,
            limits: QueryLimits::default(),
        };
        let query = Query::parse(text, &context)?;
        let asked = Asked {
            types: &types,
            compartment: None,
            query: &query,
        };
        let mut planned = self.planned(caller, view, asked, Unknown::LeftOut).await?;
        planned.plan.limit = RESOURCES_MAX;
        let rows = view.search(&planned.plan).await?.rows;
        let records = self.records(caller, view, &rows).await?;
        Ok(records.into_iter().flatten().collect())
    }

    /// The resources that a List names and that are not marked as deleted from it.
    async fn list(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        id: &str,
    ) -> Result<BTreeSet<ResourceName>, InteractionError> {
        let record = match resource_key("List", id) {
            Some(key) => self.visible_record(caller, view, &key).await?,
            None => None,
        };
        let Some(record) = record else {
            return Ok(BTreeSet::new());
        };
        let document = parsed(record.body)?;
        let entries = document.root().get("entry").into_iter();
        let is_in = |it: &Value<'_>| it.get("deleted").is_none_or(|it| it.raw() != "true");
        let items = entries.flat_map(Value::items).filter(is_in);
        let named = items.filter_map(|it| self.target(caller, it.get("item")?));
        Ok(named.collect())
    }

    /// What a Reference leads to here.
    fn target(&self, caller: &Caller, reference: Value<'_>) -> Option<ResourceName> {
        let definitions = Definitions::of(caller.version);
        let text = reference.get("reference")?.as_str()?;
        let Target::Local {
            resource_type, id, ..
        } = self.bases(caller.version).target(definitions, &text)
        else {
            return None;
        };
        Some(ResourceName {
            kind: definitions.resource(resource_type)?.name,
            id: id.into(),
        })
    }

    /// The resources above or below one, itself among them.
    async fn hierarchy(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        side: Side,
        kind: &'static str,
        id: &str,
    ) -> Result<BTreeSet<ResourceName>, InteractionError> {
        let code = HIERARCHIES.iter().find(|it| it.0 == kind).map(|it| it.1);
        let code = code.ok_or_else(|| InteractionError::internal("a type without hierarchy"))?;
        let first = ResourceName {
            kind,
            id: id.into(),
        };
        let mut known = BTreeSet::from([first.clone()]);
        let mut open = vec![first];
        while let Some(name) = open.pop() {
            let criteria = match side {
                Side::Above => format!("_has:{kind}:{code}:_id={}", name.id),
                Side::Below => format!("{code}={kind}/{}", name.id),
            };
            for record in self.records_where(caller, view, kind, &criteria).await? {
                let next = ResourceName {
                    kind,
                    id: record.key.id.0,
                };
                if known.insert(next.clone()) {
                    open.push(next);
                }
            }
            if known.len() > RESOURCES_MAX {
                let what = "the hierarchy has more resources than a search may go through";
                return Err(Issue::error(Fault::TooLarge, what).into());
            }
        }
        Ok(known)
    }

    /// The newest version of a resource, if it is live and may be seen.
    pub(crate) async fn visible_record(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        key: &ResourceKey,
    ) -> Result<Option<Record>, InteractionError> {
        let Some(record_key) = self.known_key(caller, key).await? else {
            return Ok(None);
        };
        let record = view.read(&[record_key]).await?.pop().flatten();
        let Some(record) = record.filter(is_live) else {
            return Ok(None);
        };
        let visible = self.only_visible(caller, view, vec![record]).await?;
        Ok(visible.into_iter().next())
    }
}

fn resource_key(resource_type: &str, id: &str) -> Option<ResourceKey> {
    Some(ResourceKey {
        resource_type: resource_type.into(),
        id: ResourceId::parse(id).ok()?,
    })
}

fn parsed(body: Bytes) -> Result<Document, InteractionError> {
    Document::parse(body, &Limits::DEFAULT)
        .map_err(|_| InteractionError::internal("a stored resource cannot be read"))
}

/// A stored definition with its URL.
fn definition(
    kind: SourceKind,
    record: &Record,
) -> Result<(Option<String>, Stored), InteractionError> {
    let document = parsed(record.body.clone())?;
    let url = document.root().get("url").and_then(Value::as_str);
    let url = url.map(std::borrow::Cow::into_owned);
    let stored = Stored::read(kind, &document).map_err(|error| Issue::from(&error))?;
    Ok((url, stored))
}

/// A value in which nothing separates (<https://hl7.org/fhir/R4/search.html#escaping>).
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '\\' | ',' | '|' | '$') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}
