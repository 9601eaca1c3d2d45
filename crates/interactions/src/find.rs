//! Search in a type, in all types or in a compartment. <https://hl7.org/fhir/R4/http.html#search>
//!
//! Pages follow each other by key: page 2 and later run at the newest position, limited to what has
//! not changed since the first, so that nothing is shown twice and nothing is held open.

use std::sync::Arc;

use fhir::{Definitions, Fault, Issue};
use search::compile::{Names, Numbers};
use search::plan::{Filter, Plan, Total};
use search::query::{
    Condition, Context, Criterion, Handling, NamedTest, Query, QueryLimits, Summary, WantedTotal,
    types_wanted,
};
use search::{extract::NamedValue, parameter::Parameters};
use store::{At, Found, Row, View};

use crate::numbers::Unknown;
use crate::page::{Cursor, Page};
use crate::read::{record_key, resource};
use crate::space::space_of;
use crate::{
    Caller, InteractionError, Interactions, Matched, ResourceKey, SearchAnswer, SearchMode, Within,
};

impl Interactions {
    /// Search in a type, in all types, or in a compartment.
    /// `query` is the raw query text (percent-encoded, as in a URL or a form).
    pub async fn search(
        &self,
        caller: &Caller,
        within: Within,
        query: &str,
        handling: Handling,
    ) -> Result<SearchAnswer, InteractionError> {
        let scope = scope_text(&within);
        let page = self.page(caller, &scope, query).await?;
        let types = types(caller, &within, &page.query)?;
        let context = Context {
            version: caller.version,
            types: &types,
            bases: self.bases(caller.version),
            handling,
            limits: QueryLimits::default(),
        };
        let understood = Query::parse(&page.query, &context)?;
        let view = self.store.view(&caller.tenant, At::Newest).await?;
        let (plan, numbers) = self
            .plan(caller, &view, &within, &types, &understood, &page)
            .await?;
        let found = view.search(&plan).await?;
        let total = total(&understood, &page, &found);
        let next = self
            .next_page(caller, &scope, &page, &view, &found, total)
            .await?;
        Ok(SearchAnswer {
            kind: "searchset",
            total,
            entries: self.matched(caller, &view, &numbers, &found).await?,
            self_query: page.own_link(query, &understood.understood),
            next_query: next,
            issues: understood.ignored,
            summary: understood.result.summary,
        })
    }

    async fn plan(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        within: &Within,
        types: &[&str],
        query: &Query,
        page: &Page,
    ) -> Result<(Plan, Numbers), InteractionError> {
        let compartment = compartment(caller, within, types);
        let mut names = Names::default();
        names.types.extend(types);
        query
            .criteria
            .iter()
            .chain(&compartment)
            .for_each(|it| names.of_criterion(it));
        let numbers = self
            .numbers(&caller.tenant, &names, Unknown::LeftOut)
            .await?;
        let space = space_of(caller.version);
        let mut all = vec![numbers.filter(space, &query.criteria)];
        if let Within::Compartment { of, .. } = within {
            let middle = self.row_of(caller, view, of).await?;
            let mut any = vec![Filter::Rows(middle.into_iter().collect())];
            any.extend(
                compartment
                    .iter()
                    .map(|it| numbers.filter(space, std::slice::from_ref(it))),
            );
            all.push(Filter::Any(any));
        }
        let result = &query.result;
        let counts_only = result.summary == Summary::Count || result.count == Some(0);
        let limit = result
            .count
            .unwrap_or(self.settings.page_size)
            .min(self.settings.page_size_max);
        let is_first = page.cursor.is_none();
        let wants_total = matches!(result.total, WantedTotal::Accurate | WantedTotal::Estimate);
        let plan = Plan {
            space,
            kinds: types
                .iter()
                .filter_map(|it| numbers.types.get(*it).copied())
                .collect(),
            filter: Filter::All(all),
            after: page.cursor.as_ref().map(|it| Row(it.after)),
            not_later_than: page.cursor.as_ref().map(|it| it.snapshot),
            limit: if counts_only { 0 } else { limit },
            total: if is_first && (counts_only || wants_total) {
                Total::Accurate
            } else {
                Total::None
            },
        };
        Ok((plan, numbers))
    }

    async fn row_of(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        key: &ResourceKey,
    ) -> Result<Option<Row>, InteractionError> {
        let Some(key) = self.known_key(caller, key).await? else {
            return Ok(None);
        };
        Ok(view
            .read(&[key])
            .await?
            .into_iter()
            .flatten()
            .next()
            .map(|it| it.row))
    }

    async fn next_page(
        &self,
        caller: &Caller,
        scope: &str,
        page: &Page,
        view: &Arc<dyn View>,
        found: &Found,
        total: Option<u64>,
    ) -> Result<Option<String>, InteractionError> {
        let Some((_, Row(after))) = found.rows.last().filter(|_| found.more) else {
            return Ok(None);
        };
        let snapshot = page
            .cursor
            .as_ref()
            .map_or(view.position().0, |it| it.snapshot);
        let cursor = Cursor {
            snapshot,
            after: *after,
            total,
            query: page.query.clone(),
        };
        self.next_link(caller, scope, page, &cursor).await.map(Some)
    }

    async fn matched(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        numbers: &Numbers,
        found: &Found,
    ) -> Result<Vec<Matched>, InteractionError> {
        let names: std::collections::HashMap<_, _> = numbers
            .types
            .iter()
            .map(|(name, number)| (*number, &**name))
            .collect();
        let records = self.records(caller, view, &found.rows).await?;
        let matched = found
            .rows
            .iter()
            .zip(records)
            .filter_map(|((kind, _), record)| {
                let record = record?;
                let key = record_key(names.get(kind)?, &record)?;
                let resource = resource(key, record);
                Some(Matched::Resource {
                    resource,
                    mode: SearchMode::Match,
                    method: "GET",
                    created: false,
                })
            });
        Ok(matched.collect())
    }
}

fn scope_text(within: &Within) -> String {
    match within {
        Within::System => "search".to_owned(),
        Within::Type(resource_type) => format!("search {resource_type}"),
        Within::Compartment { of, resource_type } => {
            format!("search {of} {}", resource_type.as_deref().unwrap_or("*"))
        }
    }
}

/// The types that are looked at.
fn types<'t>(
    caller: &Caller,
    within: &'t Within,
    query: &str,
) -> Result<Vec<&'t str>, InteractionError> {
    let definitions = Definitions::of(caller.version);
    let all: Vec<&'t str> = match within {
        Within::Type(name) => vec![existing(caller, name)?],
        Within::System => definitions.resources().map(|it| it.name).collect(),
        Within::Compartment { of, resource_type } => {
            let members = members(caller, of)?;
            match resource_type.as_deref().filter(|it| *it != "*") {
                None => members,
                Some(name) => {
                    let name = existing(caller, name)?;
                    if !members.contains(&name) {
                        let what =
                            format!("`{name}` is in no compartment of a `{}`", of.resource_type);
                        return Err(Issue::error(Fault::Invalid, what).into());
                    }
                    vec![name]
                }
            }
        }
    };
    Ok(match types_wanted(query) {
        Some(wanted) => all
            .into_iter()
            .filter(|name| wanted.iter().any(|it| it == name))
            .collect(),
        None => all,
    })
}

fn existing<'t>(caller: &Caller, name: &'t str) -> Result<&'t str, InteractionError> {
    if Definitions::of(caller.version).resource(name).is_some() {
        return Ok(name);
    }
    let what = format!(
        "there is no resource type of that name in {}",
        caller.version
    );
    Err(Issue::error(Fault::UnknownType, what).into())
}

fn members(caller: &Caller, of: &ResourceKey) -> Result<Vec<&'static str>, InteractionError> {
    let definitions = Definitions::of(caller.version);
    let compartment = definitions.compartment(&of.resource_type).ok_or_else(|| {
        let what = format!("a `{}` has no compartment", of.resource_type);
        Issue::error(Fault::UnknownPath, what)
    })?;
    let mut names: Vec<&'static str> = compartment
        .members()
        .iter()
        .filter(|(_, parameters)| !parameters.is_empty())
        .map(|(name, _)| *name)
        .collect();
    if !names.contains(&compartment.name) {
        names.push(compartment.name);
    }
    Ok(names)
}

/// What puts a resource of these types into the compartment; one criterion per parameter.
fn compartment(caller: &Caller, within: &Within, types: &[&str]) -> Vec<Criterion> {
    let Within::Compartment { of, .. } = within else {
        return Vec::new();
    };
    let Some(compartment) = Definitions::of(caller.version).compartment(&of.resource_type) else {
        return Vec::new();
    };
    let parameters = Parameters::of(caller.version);
    let codes = types.iter().flat_map(|name| {
        compartment
            .parameters(name)
            .iter()
            .map(move |code| (name, code))
    });
    let offered = codes.filter_map(|(name, code)| parameters.named(name, code));
    let mut urls: Vec<&'static str> = offered.map(|it| it.definition.url).collect();
    urls.sort_unstable();
    urls.dedup();
    let (resource_type, id) = (of.resource_type.clone(), of.id.as_str().into());
    let value = NamedValue::Reference { resource_type, id };
    vec![Criterion {
        parameters: urls,
        condition: Condition::AnyOf(vec![NamedTest::Is(value)]),
    }]
}

/// The total, if it was asked for, or is known because the first page is the only one.
fn total(query: &Query, page: &Page, found: &Found) -> Option<u64> {
    if let Some(cursor) = &page.cursor {
        return cursor.total;
    }
    let is_all = !found.more && query.result.total != WantedTotal::None && found.total.is_none();
    found
        .total
        .or_else(|| is_all.then_some(found.rows.len() as u64))
}
