//! Search in a type, in all types or in a compartment. <https://hl7.org/fhir/R4/http.html#search>
//!
//! Pages follow each other by key: page 2 and later run at the newest position, limited to what has
//! not changed since the first, so that nothing is shown twice and nothing is held open.

use std::collections::HashMap;
use std::sync::Arc;

use fhir::{Definitions, Fault, Issue};
use search::name::ResourceName;
use search::plan::{Plan, Total};
use search::query::{Context, Handling, Query, QueryLimits, Summary, WantedTotal, types_wanted};
use store::{At, Found, Position, Record, TypeNumber, View};

use crate::contained;
use crate::include::{Included, Matches};
use crate::numbers::Unknown;
use crate::page::{Cursor, Page};
use crate::planning::{Asked, Planned};
use crate::read::{record_key, resource};
use crate::{
    Caller, Changes, InteractionError, Interactions, Matched, ResourceKey, SearchAnswer,
    SearchMode, Within,
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
        contained::check(&types, &understood)?;
        let view = self.store.view(&caller.tenant, At::Newest).await?;
        let compartment = compartment(caller, &within)?;
        let asked = Asked {
            types: &types,
            compartment: compartment.as_ref(),
            query: &understood,
        };
        let mut planned = self.planned(caller, &view, asked, Unknown::LeftOut).await?;
        self.bound(&mut planned.plan, &understood, &page);
        let issues = self.explained(caller, &view, &planned, &understood).await?;
        let (mut found, matches, included) = self.run(caller, &view, &mut planned, asked).await?;
        if found.total.is_some() && contained::are_given(&understood) {
            let total = self.contained_total(caller, &view, &planned, asked);
            found.total = Some(total.await?);
        }
        let total = total(&understood, &page, &found, &matches);
        let shown = page.shown() + matches.len() as u64;
        let after = found.last.filter(|_| found.more);
        let next = match after.filter(|_| !is_at_end(&understood, shown)) {
            None => None,
            Some(after) => {
                let cursor = Cursor {
                    snapshot: page.snapshot().unwrap_or(view.position().0),
                    after,
                    shown,
                    total,
                    query: page.query.clone(),
                };
                Some(self.next_link(caller, &scope, &page, &cursor).await?)
            }
        };
        let changes = match &next {
            Some(_) if page.cursor.is_none() => changes(&view, &within).await?,
            _ => None,
        };
        Ok(SearchAnswer {
            kind: "searchset",
            total,
            entries: matches.into_iter().chain(included).collect(),
            self_query: page.own_link(query, &understood.understood),
            next_query: next,
            changes,
            issues: understood.ignored.into_iter().chain(issues).collect(),
            summary: understood.result.summary,
        })
    }

    /// Page, limit and total of a plan.
    fn bound(&self, plan: &mut Plan, query: &Query, page: &Page) {
        let result = &query.result;
        let counts_only = result.summary == Summary::Count || result.count == Some(0);
        let limit = result
            .count
            .unwrap_or(self.settings.page_size)
            .min(self.settings.page_size_max);
        let left = result
            .results_max
            .map(|it| (it as u64).saturating_sub(page.shown()));
        let left = left.map_or(usize::MAX, |it| usize::try_from(it).unwrap_or(usize::MAX));
        let wants_total = matches!(result.total, WantedTotal::Accurate | WantedTotal::Estimate);
        plan.limit = if counts_only { 0 } else { limit.min(left) };
        if page.cursor.is_none() && (counts_only || wants_total) {
            plan.total = Total::Accurate;
        }
        if let Some(cursor) = &page.cursor {
            plan.after = Some(cursor.after.clone());
            plan.not_later_than = Some(cursor.snapshot);
        }
    }

    /// Runs a plan and adds what is to be included; where that is more than one page may hold, the
    /// page has fewer matches.
    async fn run(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        planned: &mut Planned,
        asked: Asked<'_>,
    ) -> Result<(Found, Vec<Matched>, Vec<Matched>), InteractionError> {
        let query = asked.query;
        let apart = if contained::are_given(query) {
            Some(self.apart(caller, view, asked).await?)
        } else {
            None
        };
        loop {
            let found = view.search(&planned.plan).await?;
            let records = self.records(caller, view, &found.rows).await?;
            let records: Vec<Record> = records.into_iter().flatten().collect();
            let names = self.type_names(&caller.tenant).await?;
            let count = records.len();
            let (matched, matches) = if let Some(apart) = &apart {
                self.contained(caller, view, apart, records).await?
            } else {
                let matched = shown(&names, records.clone(), SearchMode::Match);
                let inner = Vec::new();
                (matched, Matches { records, inner })
            };
            if matched.len() > planned.plan.limit && count > 1 {
                planned.plan.limit = count / 2;
                continue;
            }
            let included = self
                .included(caller, view, &matches, &query.includes)
                .await?;
            match included {
                Included::All(included) => {
                    let included = shown(&names, included, SearchMode::Include);
                    return Ok((found, matched, included));
                }
                Included::TooMany if count > 1 => planned.plan.limit = count / 2,
                Included::TooMany => {
                    let max = self.settings.includes_per_page_max;
                    let what = format!(
                        "one match includes more than `includes_per_page_max` ({max}) resources"
                    );
                    let issue = Issue::error(Fault::TooLarge, what);
                    return Err(issue
                        .mend("narrow `_include` and `_revinclude`, or search for them directly")
                        .into());
                }
            }
        }
    }

    /// With `_explain=true`: how the search is executed.
    async fn explained(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        planned: &Planned,
        query: &Query,
    ) -> Result<Vec<Issue>, InteractionError> {
        if !query.result.explain {
            return Ok(Vec::new());
        }
        if !caller.visibility.is_everything() {
            // Its conditions, their estimates and counts are of what is stored, seen or not.
            let what = "an explanation is for callers who may see everything";
            return Err(Issue::error(Fault::Forbidden, what)
                .at("http._explain")
                .into());
        }
        let explanation = view.explain(&planned.plan).await?;
        Ok(crate::explain::issues(&explanation, &planned.numbers))
    }
}

/// Where the changes after a view can be read. All entries of a commit share an instant, and every
/// later commit has a later one.
async fn changes(
    view: &Arc<dyn View>,
    within: &Within,
) -> Result<Option<Changes>, InteractionError> {
    let before = Position(view.position().0.saturating_sub(1));
    let newest = view.ledger(before, None, 1).await?.pop();
    let resource_type = match within {
        Within::System => None,
        Within::Type(it) => Some(it.clone()),
        Within::Compartment { resource_type, .. } => resource_type.clone().filter(|it| it != "*"),
    };
    Ok(newest.map(|newest| Changes {
        resource_type,
        since: fhir::Instant::from_micros(newest.time.0 + 1),
    }))
}

/// Records as entries of a result.
fn shown(
    names: &HashMap<TypeNumber, Box<str>>,
    records: Vec<Record>,
    mode: SearchMode,
) -> Vec<Matched> {
    let named = |it: Record| shown_one(names.get(&it.key.kind)?, it, mode);
    records.into_iter().filter_map(named).collect()
}

/// A record as an entry of a result.
pub(crate) fn shown_one(name: &str, record: Record, mode: SearchMode) -> Option<Matched> {
    let key = record_key(name, &record)?;
    Some(Matched::Resource {
        resource: resource(key, record),
        mode,
        method: "GET",
        created: false,
    })
}

/// Whether `_maxresults` has been reached.
fn is_at_end(query: &Query, shown: u64) -> bool {
    query
        .result
        .results_max
        .is_some_and(|max| shown >= max as u64)
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
fn types(
    caller: &Caller,
    within: &Within,
    query: &str,
) -> Result<Vec<&'static str>, InteractionError> {
    let definitions = Definitions::of(caller.version);
    let all: Vec<&'static str> = match within {
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

/// The type of that name, if there is one in the caller's version.
pub(crate) fn existing(caller: &Caller, name: &str) -> Result<&'static str, InteractionError> {
    if let Some(it) = Definitions::of(caller.version).resource(name) {
        return Ok(it.name);
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

/// The resource in the middle of the compartment.
fn compartment(caller: &Caller, within: &Within) -> Result<Option<ResourceName>, InteractionError> {
    let Within::Compartment { of, .. } = within else {
        return Ok(None);
    };
    Ok(Some(ResourceName {
        kind: existing(caller, &of.resource_type)?,
        id: of.id.as_str().into(),
    }))
}

/// The total, if it was asked for, or is known because the first page is the only one.
fn total(query: &Query, page: &Page, found: &Found, matches: &[Matched]) -> Option<u64> {
    if let Some(cursor) = &page.cursor {
        return cursor.total;
    }
    let is_all = !found.more && query.result.total != WantedTotal::None && found.total.is_none();
    found
        .total
        .or_else(|| is_all.then_some(matches.len() as u64))
}
