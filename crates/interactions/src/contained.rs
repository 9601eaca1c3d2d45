//! Searching in contained resources: what is given for those that match.
//! <https://hl7.org/fhir/R4/search.html#contained>
//!
//! A plan finds what contains a match. Where the contained resources themselves are wanted, each of
//! those in a container that was found is asked for by its id.

use std::sync::Arc;

use fhir::json::{Document, Limits, Value};
use fhir::{Fault, Issue};
use search::plan::{Filter, Plan, Test, Total};
use search::query::{Condition, Contained, ContainedType, Query, SortKey, SortedBy};
use search::registry::Registry;
use store::{EntryValue, ParameterNumber, Record, SystemNumber, View};

use crate::find::shown_one;
use crate::include::{Matches, Source};
use crate::numbers::Unknown;
use crate::planning::{Asked, Planned};
use crate::read::record_key;
use crate::{Caller, InteractionError, Interactions, Matched, SearchMode};

/// Whether contained resources are given by themselves.
pub(crate) fn are_given(query: &Query) -> bool {
    let result = &query.result;
    result.contained != Contained::False && result.contained_type == ContainedType::Contained
}

/// Refuses criteria that are about what refers to a resource, and about lists: a contained resource
/// has no identity outside of its container.
pub(crate) fn check(types: &[&str], query: &Query) -> Result<(), InteractionError> {
    if query.result.contained == Contained::False {
        return Ok(());
    }
    let sorts_by_values = |it: &SortKey| !matches!(it.by, SortedBy::Updated | SortedBy::Score);
    if types.len() > 1 && query.result.sort.iter().any(sorts_by_values) {
        let what = "`_sort` together with `_contained` over several types is not offered";
        let issue = Issue::error(Fault::NotSupported, what).at("http._sort");
        return Err(issue
            .mend("search one type, or sort by `_lastUpdated`")
            .into());
    }
    let is_outside = |it: &Condition| {
        matches!(
            it,
            Condition::Has { .. } | Condition::Lists(_) | Condition::NotReferenced(_)
        )
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

/// What a plan finds, taken apart.
pub(crate) struct Apart {
    /// What matches itself, where that is wanted too.
    own: Option<Plan>,
    /// What contains a match.
    inner: Plan,
    wanted: Vec<Wanted>,
}

impl Interactions {
    /// The plans that tell contained resources from what contains them.
    pub(crate) async fn apart(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        asked: Asked<'_>,
    ) -> Result<Apart, InteractionError> {
        let planned = async |contained| {
            let mut query = asked.query.clone();
            (query.result.contained, query.result.sort) = (contained, Vec::new());
            let query = &query;
            self.planned(caller, view, Asked { query, ..asked }, Unknown::LeftOut)
                .await
        };
        let own = match asked.query.result.contained {
            Contained::Both => Some(planned(Contained::False).await?.plan),
            Contained::True | Contained::False => None,
        };
        let inner = planned(Contained::True).await?;
        let registry = Registry::of(caller.version);
        let number = |kind: &&'static str| {
            let slot = registry.contained_id(kind)?;
            Some((*kind, *inner.numbers.parameters.get(slot.0)?))
        };
        Ok(Apart {
            own,
            wanted: asked.types.iter().filter_map(number).collect(),
            inner: inner.plan,
        })
    }

    /// The matches in these containers: contained resources, and containers that match themselves.
    pub(crate) async fn contained(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        apart: &Apart,
        records: Vec<Record>,
    ) -> Result<(Vec<Matched>, Matches), InteractionError> {
        let names = self.type_names(&caller.tenant).await?;
        let mut matched = Vec::new();
        let mut matches = Matches::default();
        for record in records {
            let name = names.get(&record.key.kind).map_or("", |it| it);
            let Some(container) = record_key(name, &record) else {
                continue;
            };
            let inner = contained_in(&record, &apart.wanted)?;
            if apart.finds_itself(view, &record).await? {
                matched.extend(shown_one(name, record.clone(), SearchMode::Match));
                matches.records.push(record.clone());
            }
            for it in inner {
                if apart.finds_inside(view, &record, &it).await? {
                    matches.inner.push(it.source);
                    matched.push(Matched::Contained {
                        container: container.clone(),
                        id: it.id,
                        json: it.json,
                    });
                }
            }
        }
        Ok((matched, matches))
    }
}

/// A contained resource.
struct Inner {
    /// The slot of its id.
    slot: ParameterNumber,
    id: String,
    json: bytes::Bytes,
    source: Source,
}

fn contained_in(record: &Record, wanted: &[Wanted]) -> Result<Vec<Inner>, InteractionError> {
    let document = Document::parse(record.body.clone(), &Limits::DEFAULT);
    let document =
        document.map_err(|_| InteractionError::internal("a stored resource is damaged"))?;
    let all = document.root().get("contained");
    let parts = all.into_iter().flat_map(Value::items).zip(1..=u16::MAX);
    let inner = parts.filter_map(|(it, part)| {
        let text = |name| it.get(name).and_then(Value::as_str);
        let (kind, id) = (text("resourceType")?, text("id")?);
        let slot = wanted.iter().find(|it| *it.0 == *kind)?.1;
        let json = record.body.slice(it.span());
        Some(Inner {
            slot,
            id: id.into_owned(),
            source: Source {
                row: (record.key.kind, record.row),
                part,
                kind: (&*kind).into(),
                text: json.clone(),
            },
            json,
        })
    });
    Ok(inner.collect())
}

impl Apart {
    async fn finds_itself(
        &self,
        view: &Arc<dyn View>,
        record: &Record,
    ) -> Result<bool, InteractionError> {
        match &self.own {
            Some(own) => finds(view, own, record, Filter::clone).await,
            None => Ok(false),
        }
    }

    async fn finds_inside(
        &self,
        view: &Arc<dyn View>,
        record: &Record,
        inner: &Inner,
    ) -> Result<bool, InteractionError> {
        let narrowed = |it: &Filter| self.narrowed(it, inner);
        finds(view, &self.inner, record, narrowed).await
    }

    /// Conditions on contained resources begin with one on their ids: others are about what chains
    /// lead to.
    fn narrowed(&self, filter: &Filter, to: &Inner) -> Filter {
        let all = |filters: &[Filter]| filters.iter().map(|it| self.narrowed(it, to)).collect();
        match filter {
            Filter::All(filters) => Filter::All(all(filters)),
            Filter::Any(filters) => Filter::Any(all(filters)),
            Filter::Not(filter) => Filter::Not(Box::new(self.narrowed(filter, to))),
            Filter::Inside(inner) => match &**inner {
                Filter::All(inner) if self.is_wanted(inner) => of_id(inner, to),
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

fn of_id(inner: &[Filter], to: &Inner) -> Filter {
    match inner.first() {
        Some(Filter::Entry { parameter, .. }) if *parameter == to.slot => {}
        _ => return Filter::NOTHING,
    }
    let mut inner = inner.to_vec();
    inner[0] = Filter::Entry {
        parameter: to.slot,
        test: Test::Is(EntryValue::Token {
            system: SystemNumber::NONE,
            code: to.id.as_str().into(),
        }),
    };
    Filter::Inside(Box::new(Filter::All(inner)))
}

/// Whether a plan with that done to its condition finds this record.
async fn finds(
    view: &Arc<dyn View>,
    plan: &Plan,
    record: &Record,
    narrowed: impl Fn(&Filter) -> Filter,
) -> Result<bool, InteractionError> {
    let mut parts = plan.parts.iter();
    let Some(part) = parts.find(|it| it.kind == record.key.kind) else {
        return Ok(false);
    };
    let mut part = part.clone();
    part.sort.clear();
    part.filter = Filter::Rows(vec![record.row]).and(narrowed(&part.filter));
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

impl Interactions {
    /// The number of matches of a plan, whose pages are gone through.
    pub(crate) async fn contained_total(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        planned: &Planned,
        asked: Asked<'_>,
    ) -> Result<u64, InteractionError> {
        let apart = self.apart(caller, view, asked).await?;
        let mut page = planned.plan.clone();
        page.total = Total::None;
        page.limit = self.settings.page_size_max;
        let mut total = 0;
        loop {
            let found = view.search(&page).await?;
            let records = self.records(caller, view, &found.rows).await?;
            let records = records.into_iter().flatten().collect();
            let (matched, _) = self.contained(caller, view, &apart, records).await?;
            total += matched.len() as u64;
            if !found.more {
                return Ok(total);
            }
            page.after = found.last;
        }
    }
}
