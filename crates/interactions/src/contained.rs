//! Searching in contained resources: what is given for those that match.
//! <https://hl7.org/fhir/R4/search.html#contained>
//!
//! A plan finds what contains a match. Where the contained resources themselves are wanted, each of
//! those in a container that was found is asked for by its id.

use std::sync::Arc;

use fhir::json::{Document, Limits, Value};
use fhir::{Fault, Issue};
use search::plan::{Filter, Plan, Test, Total};
use search::query::{Condition, Contained, ContainedType, Query};
use search::registry::Registry;
use store::{EntryValue, ParameterNumber, Record, SystemNumber, TypeNumber, View};

use crate::find::shown_one;
use crate::planning::Planned;
use crate::read::record_key;
use crate::{Caller, InteractionError, Interactions, Matched, SearchMode};

/// Whether contained resources are given by themselves.
pub(crate) fn are_given(query: &Query) -> bool {
    let result = &query.result;
    result.contained != Contained::False && result.contained_type == ContainedType::Contained
}

/// Refuses criteria that are about what refers to a resource, about lists, and about words: a
/// contained resource has no identity outside of its container, and no narrative.
pub(crate) fn check(query: &Query) -> Result<(), InteractionError> {
    if query.result.contained == Contained::False {
        return Ok(());
    }
    let is_outside = |it: &Condition| match it {
        Condition::Has { .. } | Condition::Lists(_) | Condition::NotReferenced(_) => true,
        Condition::Matches { code, .. } => matches!(*code, "_text" | "_content"),
        _ => false,
    };
    let outside = query.criteria.iter().find(|it| is_outside(&it.condition));
    let Some(criterion) = outside else {
        return Ok(());
    };
    let name = &criterion.name;
    let what = format!("`{name}` together with `_contained` is not offered");
    let issue = Issue::error(Fault::NotSupported, what).at(format!("http.{name}"));
    Err(issue
        .mend("leave one of them out; chains go into contained resources by themselves")
        .into())
}

/// A type whose contained resources are wanted, with the slot of their ids.
type Wanted = (&'static str, ParameterNumber);

impl Interactions {
    /// The matches in these containers: contained resources, and containers that match themselves.
    pub(crate) async fn contained(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        planned: &Planned,
        types: &[&'static str],
        records: Vec<Record>,
    ) -> Result<Vec<Matched>, InteractionError> {
        let registry = Registry::of(caller.version);
        let number = |kind: &&'static str| {
            let slot = registry.contained_id(kind)?;
            Some((*kind, *planned.numbers.parameters.get(slot.0)?))
        };
        let wanted: Vec<Wanted> = types.iter().filter_map(number).collect();
        let names = self.type_names(&caller.tenant).await?;
        let mut matched = Vec::new();
        for record in records {
            let name = names.get(&record.key.kind).map_or("", |it| it);
            let Some(container) = record_key(name, &record) else {
                continue;
            };
            let inner = contained_in(&record, &wanted)?;
            let one = Narrowing {
                planned,
                record: &record,
                wanted: &wanted,
            };
            if one.finds(view, None).await? {
                matched.extend(shown_one(name, record.clone(), SearchMode::Match));
            }
            for (slot, id, json) in inner {
                if one.finds(view, Some((slot, &id))).await? {
                    matched.push(Matched::Contained {
                        container: container.clone(),
                        id,
                        json,
                    });
                }
            }
        }
        Ok(matched)
    }
}

/// A contained resource: the slot of its id, its id, its text.
type Inner = (ParameterNumber, String, bytes::Bytes);

fn contained_in(record: &Record, wanted: &[Wanted]) -> Result<Vec<Inner>, InteractionError> {
    let document = Document::parse(record.body.clone(), &Limits::DEFAULT);
    let document =
        document.map_err(|_| InteractionError::internal("a stored resource is damaged"))?;
    let all = document.root().get("contained");
    let inner = all.into_iter().flat_map(Value::items).filter_map(|it| {
        let text = |name| it.get(name).and_then(Value::as_str);
        let (kind, id) = (text("resourceType")?, text("id")?);
        let slot = wanted.iter().find(|it| *it.0 == *kind)?.1;
        Some((slot, id.into_owned(), record.body.slice(it.span())))
    });
    Ok(inner.collect())
}

/// A plan narrowed to one record and one resource in it.
struct Narrowing<'n> {
    planned: &'n Planned,
    record: &'n Record,
    wanted: &'n [Wanted],
}

impl Narrowing<'_> {
    /// Whether the contained resource of that id matches, or, without one, the record itself.
    async fn finds(
        &self,
        view: &Arc<dyn View>,
        id: Option<(ParameterNumber, &str)>,
    ) -> Result<bool, InteractionError> {
        let plan = &self.planned.plan;
        let own = |kind: TypeNumber| kind == self.record.key.kind;
        let Some(part) = plan.parts.iter().find(|it| own(it.kind)) else {
            return Ok(false);
        };
        let mut part = part.clone();
        part.sort.clear();
        part.filter = Filter::Rows(vec![self.record.row]).and(self.narrowed(&part.filter, id));
        let narrow = Plan {
            space: plan.space,
            parts: vec![part],
            order: Vec::new(),
            after: None,
            not_later_than: None,
            limit: 1,
            total: Total::None,
        };
        Ok(!view.search(&narrow).await?.rows.is_empty())
    }

    /// Conditions on contained resources begin with one on their ids: others are about what chains
    /// lead to.
    fn narrowed(&self, filter: &Filter, id: Option<(ParameterNumber, &str)>) -> Filter {
        let all = |filters: &[Filter]| filters.iter().map(|it| self.narrowed(it, id)).collect();
        match filter {
            Filter::All(filters) => Filter::All(all(filters)),
            Filter::Any(filters) => Filter::Any(all(filters)),
            Filter::Not(filter) => Filter::Not(Box::new(self.narrowed(filter, id))),
            Filter::Inside(inner) => match (&**inner, id) {
                (Filter::All(inner), id) if self.is_wanted(inner) => of_id(inner, id),
                _ => filter.clone(),
            },
            other => other.clone(),
        }
    }

    fn is_wanted(&self, inner: &[Filter]) -> bool {
        let Some(Filter::Entry { parameter, .. }) = inner.first() else {
            return false;
        };
        self.wanted.iter().any(|it| it.1 == *parameter)
    }
}

fn of_id(inner: &[Filter], id: Option<(ParameterNumber, &str)>) -> Filter {
    let (Some(Filter::Entry { parameter, .. }), Some((slot, id))) = (inner.first(), id) else {
        return Filter::NOTHING;
    };
    if *parameter != slot {
        return Filter::NOTHING;
    }
    let mut inner = inner.to_vec();
    inner[0] = Filter::Entry {
        parameter: slot,
        test: Test::Is(EntryValue::Token {
            system: SystemNumber::NONE,
            code: id.into(),
        }),
    };
    Filter::Inside(Box::new(Filter::All(inner)))
}

impl Interactions {
    /// The number of matches of a plan, whose pages are gone through.
    pub(crate) async fn contained_total(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        planned: &Planned,
        types: &[&'static str],
    ) -> Result<u64, InteractionError> {
        let mut page = planned.plan.clone();
        page.total = Total::None;
        page.limit = self.settings.page_size_max;
        let mut total = 0;
        loop {
            let found = view.search(&page).await?;
            let records = self.records(caller, view, &found.rows).await?;
            let records = records.into_iter().flatten().collect();
            let matches = self
                .contained(caller, view, planned, types, records)
                .await?;
            total += matches.len() as u64;
            if !found.more {
                return Ok(total);
            }
            page.after = found.last;
        }
    }
}
