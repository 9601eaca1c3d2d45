//! Criteria of conditional interactions and references: parsed strictly, searched, and turned into
//! preconditions, so that what was decided upon them still holds when the commit takes its turn.

use std::collections::BTreeSet;
use std::sync::Arc;

use fhir::{Fault, Issue};
use search::compile::Names;
use search::plan::Plan;
use search::query::{Contained, Context, Handling, Query, QueryLimits};
use store::{Precondition, Record, TypeNumber, View};

use crate::find::existing;
use crate::numbers::Unknown;
use crate::planning::Asked;
use crate::read::record_key;
use crate::space::space_of;
use crate::{Caller, InteractionError, Interactions, ResourceKey};

/// Criteria on one type.
pub(crate) struct Criteria {
    resource_type: &'static str,
    query: Query,
    /// How many matches are wanted at most; one more is looked for, to tell that there are more.
    limit: usize,
}

/// What criteria match now.
pub(crate) struct Matches {
    /// The matching resources: at most one more than the limit.
    pub(crate) found: Vec<(ResourceKey, Record)>,
    /// Make the commit depend on it.
    pub(crate) preconditions: Vec<Precondition>,
}

impl Interactions {
    /// Understands criteria. What is unknown is refused whatever the caller prefers: to ignore a
    /// criterion would change other resources than were meant.
    pub(crate) fn criteria(
        &self,
        caller: &Caller,
        resource_type: &str,
        text: &str,
        limit: usize,
    ) -> Result<Criteria, InteractionError> {
        let resource_type = existing(caller, resource_type)?;
        let context = Context {
            version: caller.version,
            types: &[resource_type],
            bases: self.bases(caller.version),
            handling: Handling::Strict,
            limits: QueryLimits::default(),
        };
        let query = Query::parse(text, &context)?;
        if query.result.contained != Contained::False {
            let what = "a conditional interaction with a contained resource";
            let issue = Issue::error(Fault::Invalid, what).at("http._contained");
            return Err(issue
                .mend("only what has a place of its own is changed")
                .into());
        }
        if query.criteria.is_empty() {
            let issue = Issue::error(Fault::Invalid, "a conditional interaction without criteria");
            return Err(issue.mend("give at least one search parameter").into());
        }
        Ok(Criteria {
            resource_type,
            query,
            limit,
        })
    }

    /// What each of the criteria matches in the view.
    pub(crate) async fn matches(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        criteria: &[Criteria],
    ) -> Result<Vec<Matches>, InteractionError> {
        exceeds(
            "commit_criteria_max",
            self.settings.commit_criteria_max,
            criteria.len(),
        )?;
        let mut found = Vec::with_capacity(criteria.len());
        let mut count = 0;
        for it in criteria {
            let types = [it.resource_type];
            let asked = Asked {
                types: &types,
                compartment: None,
                query: &it.query,
            };
            let planned = self.planned(caller, view, asked, Unknown::Numbered).await?;
            let untouched = self.untouched(caller, view, &planned.sources).await?;
            let plan = Plan {
                limit: it.limit + 1,
                ..planned.plan
            };
            let rows = view.search(&plan).await?.rows;
            count += rows.len();
            exceeds(
                "commit_matches_max",
                self.settings.commit_matches_max,
                count,
            )?;
            found.push((plan, rows, untouched));
        }
        let rows: Vec<_> = found
            .iter()
            .flat_map(|(_, rows, _)| rows.iter().copied())
            .collect();
        let mut records = self.records(caller, view, &rows).await?.into_iter();
        let matches = criteria
            .iter()
            .zip(found)
            .map(|(it, (plan, rows, untouched))| Matches {
                found: records
                    .by_ref()
                    .take(rows.len())
                    .flatten()
                    .filter_map(|record| Some((record_key(it.resource_type, &record)?, record)))
                    .collect(),
                preconditions: untouched
                    .into_iter()
                    .chain([Precondition::Matches {
                        plan,
                        rows: rows.into_iter().map(|(_, row)| row).collect(),
                        position: view.position(),
                    }])
                    .collect(),
            });
        Ok(matches.collect())
    }

    /// Makes a commit depend on what its plan was built from: where that has changed, the plan has
    /// to be built anew, not only to be run again.
    async fn untouched(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        sources: &BTreeSet<&'static str>,
    ) -> Result<Option<Precondition>, InteractionError> {
        if sources.is_empty() {
            return Ok(None);
        }
        let names = Names {
            types: sources.iter().copied().collect(),
            ..Names::default()
        };
        let numbers = self
            .numbers(&caller.tenant, &names, Unknown::Numbered)
            .await?;
        Ok(Some(Precondition::Untouched {
            space: space_of(caller.version),
            kinds: numbers.types.into_values().collect(),
            position: view.position(),
        }))
    }

    /// The records of these rows.
    pub(crate) async fn records(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        rows: &[(TypeNumber, store::Row)],
    ) -> Result<Vec<Option<Record>>, InteractionError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        Ok(view.read_rows(space_of(caller.version), rows).await?)
    }
}

fn exceeds(name: &str, max: usize, count: usize) -> Result<(), Issue> {
    if count <= max {
        return Ok(());
    }
    let what = format!("one commit would depend on more than `{name}` ({max})");
    Err(Issue::error(Fault::TooLarge, what)
        .mend("send the bundle in parts, or narrow its criteria"))
}
