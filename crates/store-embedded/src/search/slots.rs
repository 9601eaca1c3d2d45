//! The slots that a plan asks records about: what else they have need not be decoded.

use std::collections::BTreeSet;

use search::plan::{Filter, Plan, SortBy};
use store::ParameterNumber;

/// The slots of which entries of records are looked at, in order; `None` where it matters whether a
/// record has any entry at all.
pub(super) fn of_plan(plan: &Plan) -> Option<Vec<ParameterNumber>> {
    let mut slots = BTreeSet::new();
    for part in &plan.parts {
        slots.extend(part.sort.iter().filter_map(|by| match by {
            SortBy::Entry(parameter) => Some(*parameter),
            _ => None,
        }));
        add(&part.filter, &mut slots)?;
    }
    Some(slots.into_iter().collect())
}

fn add(filter: &Filter, slots: &mut BTreeSet<ParameterNumber>) -> Option<()> {
    match filter {
        Filter::All(filters) | Filter::Any(filters) => {
            filters.iter().try_for_each(|filter| add(filter, slots))
        }
        Filter::Not(filter) | Filter::Inside(filter) => add(filter, slots),
        Filter::Beside { parameter, filter } => {
            slots.insert(*parameter);
            add(filter, slots)
        }
        Filter::Ids(_) | Filter::Rows(_) | Filter::Updated(_) | Filter::Partition { .. } => {
            Some(())
        }
        Filter::Entry { parameter, .. } => {
            slots.insert(*parameter);
            Some(())
        }
        Filter::Together(members) => {
            slots.extend(members.iter().map(|member| member.parameter));
            (!members.is_empty()).then_some(())
        }
        Filter::RefersTo {
            parameter,
            names,
            targets,
        } => {
            slots.insert(*parameter);
            slots.extend(names);
            slots.extend(targets.iter().filter_map(|target| target.names));
            let mut filters = targets.iter().map(|target| &target.filter);
            filters.try_for_each(|filter| add(filter, slots))
        }
        Filter::ReferredToBy {
            kind: _,
            parameter,
            names,
            filter,
        } => {
            slots.insert(*parameter);
            slots.extend(names.iter().flat_map(|names| [names.given, names.own]));
            add(filter, slots)
        }
    }
}
