//! What each condition of a plan finds.

use search::plan::{Filter, Plan};
use store::{Explanation, StoreError, TypeNumber};

use super::candidate::Checker;
use super::node::Compiler;
use super::reads::Reads;
use super::{Kind, count, gathered, slots};

/// What an estimate may take.
const ESTIMATE_STEPS: u64 = 4_096;

/// Counts what each condition finds on its own.
pub(crate) fn explain(state: &Reads<'_>, plan: &Plan) -> Result<Explanation, StoreError> {
    let mut explaining = Explaining {
        checker: Checker::new(state, plan.space, slots::of_plan(plan)),
        compiler: Compiler::new(state, plan.space),
    };
    let parts = plan.parts.iter();
    let parts = parts.map(|part| {
        let inner = explaining.of(&part.filter, part.kind)?;
        Ok(Explanation {
            what: format!("type {}", part.kind.0),
            estimate: inner.estimate,
            actual: inner.actual,
            parts: vec![inner],
        })
    });
    let parts = parts.collect::<Result<Vec<_>, StoreError>>()?;
    Ok(Explanation {
        what: "plan".to_owned(),
        estimate: parts.iter().map(|part| part.estimate).sum(),
        actual: parts.iter().map(|part| part.actual).sum(),
        parts,
    })
}

struct Explaining<'s> {
    checker: Checker<'s>,
    compiler: Compiler<'s>,
}

impl Explaining<'_> {
    fn of(&mut self, filter: &Filter, number: TypeNumber) -> Result<Explanation, StoreError> {
        let kind: Kind<'_> = self.checker.kind(number);
        let node = self.compiler.node(filter, number)?;
        let estimate = match gathered(&self.checker, &node, kind, ESTIMATE_STEPS)? {
            Some(rows) => rows.len() as u64,
            None => kind.live_count()?,
        };
        let actual = count(&self.checker, &node, kind)?;
        let mut all = |filters: &[Filter]| -> Result<Vec<_>, StoreError> {
            let each = filters.iter().map(|filter| self.of(filter, number));
            each.collect()
        };
        let (what, parts) = match filter {
            Filter::All(filters) => ("all".to_owned(), all(filters)?),
            Filter::Any(filters) => ("any".to_owned(), all(filters)?),
            Filter::Not(filter) => ("not".to_owned(), vec![self.of(filter, number)?]),
            Filter::RefersTo {
                parameter, targets, ..
            } => {
                let targets = targets.iter().map(|it| self.of(&it.filter, it.kind));
                let what = format!("refers by {}", parameter.0);
                (what, targets.collect::<Result<_, _>>()?)
            }
            Filter::ReferredToBy {
                kind,
                parameter,
                filter,
                ..
            } => {
                let what = format!("referred to by {} of type {}", parameter.0, kind.0);
                (what, vec![self.of(filter, *kind)?])
            }
            leaf => (format!("{leaf:?}"), Vec::new()),
        };
        Ok(Explanation {
            what,
            estimate,
            actual,
            parts,
        })
    }
}
