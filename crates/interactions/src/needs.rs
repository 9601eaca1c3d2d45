//! What a plan needs that is stored: codes of value sets, members of lists, hierarchies.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use fhir::json::{Document, Limits, Value};
use fhir::terminology::{Canonical, Key};
use fhir::{Definitions, Fault, Issue, ResourceId};
use search::compile::{Answer, Need};
use search::name::ResourceName;
use search::query::{Context, HIERARCHIES, Handling, Query, QueryLimits, Side};
use search::reference::Target;
use store::{Outline, Record, Row, TypeNumber, View};

use crate::numbers::Unknown;
use crate::planning::Asked;
use crate::read::is_live;
use crate::space::space_of;
use crate::{Caller, InteractionError, Interactions, ResourceKey};

/// Resources of a hierarchy, or of the definitions with one URL, at most.
const RESOURCES_MAX: usize = 10_000;

/// The types of the resources that the answer to a need is read from.
pub(crate) fn sources(need: &Need) -> Vec<&'static str> {
    match need {
        Need::ValueSet(_) | Need::Subsumed { .. } => vec!["CodeSystem", "ValueSet"],
        Need::List(_) => vec!["List"],
        Need::Hierarchy { kind, .. } => vec![kind],
    }
}

impl Interactions {
    /// The answer to a need.
    pub(crate) async fn answer(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        need: &Need,
    ) -> Result<Answer, InteractionError> {
        Ok(match need {
            Need::ValueSet(name) => {
                let key = Key::Members(Canonical::parse(name));
                Answer::Codes(self.codes(caller, view, key).await?)
            }
            Need::Subsumed { side, system, code } => {
                let (system, code) = ((**system).into(), (**code).into());
                let key = match side {
                    Side::Above => Key::Above(system, code),
                    Side::Below => Key::Below(system, code),
                };
                Answer::Codes(self.codes(caller, view, key).await?)
            }
            Need::List(id) => Answer::Resources(self.list(caller, view, id).await?),
            Need::Hierarchy { side, kind, id } => {
                Answer::Resources(self.hierarchy(caller, view, *side, kind, id).await?)
            }
        })
    }

    /// The live resources of a type that match criteria.
    pub(crate) async fn records_where(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        kind: &'static str,
        text: &str,
    ) -> Result<Vec<Record>, InteractionError> {
        let rows = self.rows_where(caller, view, kind, text).await?;
        let records = self.records(caller, view, &rows).await?;
        Ok(records.into_iter().flatten().collect())
    }

    /// The same without their content.
    pub(crate) async fn outlines_where(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        kind: &'static str,
        text: &str,
    ) -> Result<Vec<Outline>, InteractionError> {
        let rows = self.rows_where(caller, view, kind, text).await?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let outlines = view.outlines(space_of(caller.version), &rows).await?;
        Ok(outlines.into_iter().flatten().collect())
    }

    async fn rows_where(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        kind: &'static str,
        text: &str,
    ) -> Result<Vec<(TypeNumber, Row)>, InteractionError> {
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
        Ok(view.search(&planned.plan).await?.rows)
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
        let record = self.newest_visible(caller, view, key).await?;
        Ok(record.filter(is_live))
    }
}

pub(crate) fn resource_key(resource_type: &str, id: &str) -> Option<ResourceKey> {
    Some(ResourceKey {
        resource_type: resource_type.into(),
        id: ResourceId::parse(id).ok()?,
    })
}

pub(crate) fn parsed(body: Bytes) -> Result<Document, InteractionError> {
    Document::parse(body, &Limits::DEFAULT)
        .map_err(|_| InteractionError::internal("a stored resource cannot be read"))
}

/// A value in which nothing separates (<https://hl7.org/fhir/R4/search.html#escaping>).
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '\\' | ',' | '|' | '$') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}
