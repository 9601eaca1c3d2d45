//! From a query to a plan in numbers: built in names, what it needs looked up, built again.

use std::collections::BTreeSet;
use std::sync::Arc;

use search::compile::{Answers, Builder, Built, Names, Numbers};
use search::name::{ByName, ResourceName};
use search::plan::Plan;
use search::query::{Query, QueryLimits};
use store::View;

use crate::numbers::Unknown;
use crate::read::instant;
use crate::space::space_of;
use crate::{Caller, InteractionError, Interactions};

/// Rounds in which needs are looked up; every round answers all that were told.
const ROUNDS_MAX: usize = 8;

/// What is searched: a query over types, perhaps within a compartment.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'q> {
    pub(crate) types: &'q [&'static str],
    pub(crate) compartment: Option<&'q ResourceName>,
    pub(crate) query: &'q Query,
}

/// A plan with the numbers of its names.
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    pub(crate) numbers: Numbers,
    /// Types whose resources it was built from (value sets, lists): when one of these changes, the
    /// plan may be another.
    pub(crate) sources: BTreeSet<&'static str>,
}

impl Interactions {
    /// The plan of a query, without limit and total.
    pub(crate) async fn planned(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        asked: Asked<'_>,
        unknown: Unknown,
    ) -> Result<Planned, InteractionError> {
        let (plan, sources) = self.built(caller, view, asked).await?;
        let planned = self.numbered(caller, &plan, unknown).await?;
        Ok(Planned { sources, ..planned })
    }

    /// A plan in names in numbers; refused while one of its slots is being filled.
    pub(crate) async fn numbered(
        &self,
        caller: &Caller,
        plan: &Plan<ByName>,
        unknown: Unknown,
    ) -> Result<Planned, InteractionError> {
        let mut names = Names::default();
        names.of_plan(plan);
        self.require_indexed(caller, &names.parameters).await?;
        let numbers = self.numbers(&caller.tenant, &names, unknown).await?;
        Ok(Planned {
            plan: numbers.plan(plan),
            numbers,
            sources: BTreeSet::new(),
        })
    }

    async fn built(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        asked: Asked<'_>,
    ) -> Result<(Plan<ByName>, BTreeSet<&'static str>), InteractionError> {
        let mut answers = Answers::default();
        let mut sources = BTreeSet::new();
        for _ in 0..ROUNDS_MAX {
            let builder = self.builder(caller, &answers);
            match builder.plan(asked.types, asked.compartment, asked.query)? {
                Built::Plan(plan) => return Ok((plan, sources)),
                Built::Needs(needs) => {
                    for need in needs {
                        sources.extend(crate::needs::sources(&need));
                        // Looking something up is itself a search.
                        let answer = Box::pin(self.answer(caller, view, &need)).await?;
                        answers.insert(need, answer);
                    }
                }
            }
        }
        Err(InteractionError::internal("a query needs ever more"))
    }

    /// What builds the caller's plans.
    pub(crate) fn builder<'b>(&'b self, caller: &'b Caller, answers: &'b Answers) -> Builder<'b> {
        Builder {
            version: caller.version,
            space: space_of(caller.version),
            bases: self.bases(caller.version),
            visibility: &caller.visibility,
            answers,
            now: instant(self.clock.now()),
            limits: QueryLimits::default(),
        }
    }
}
