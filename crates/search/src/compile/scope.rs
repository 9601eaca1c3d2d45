//! Compartments: which resources of a type belong to that of a resource.
//! <https://hl7.org/fhir/R4/compartmentdefinition.html>

use fhir::Definitions;

use super::build::Work;
use crate::entry::RecordId;
use crate::name::{ByName, ResourceName};
use crate::plan::Filter;
use crate::query::{Context, Handling, criterion};

/// Stands for the resource in the middle.
const ITSELF: &str = "{def}";

/// Whether the resource in the middle is in its compartment: no contained resource is that one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Itself {
    /// It is.
    Counts,
    /// It is left aside.
    Aside,
}

/// What a resource of that type must match to be in the compartment. STU3 names a few members by
/// chains (`target.patient`), so they are read as criteria are.
pub(super) fn compartment(
    work: &mut Work<'_>,
    kind: &'static str,
    of: &ResourceName,
    itself: Itself,
) -> Filter<ByName> {
    let builder = *work.builder;
    let definitions = Definitions::of(builder.version);
    let compartment = definitions.compartment(of.kind);
    let codes = compartment.map_or(&[][..], |it| it.parameters(kind));
    let types = [kind];
    let context = Context {
        version: builder.version,
        types: &types,
        bases: builder.bases,
        handling: Handling::Strict,
        limits: builder.limits,
    };
    let middle = [of.kind, "/", &of.id].concat();
    let mut any = Vec::with_capacity(codes.len() + 1);
    for code in codes.iter().filter(|it| **it != ITSELF) {
        if let Ok(it) = criterion(code, &middle, &context) {
            any.push(work.condition(kind, &it.condition));
        }
    }
    if kind == of.kind && itself == Itself::Counts {
        any.push(Filter::Ids(vec![RecordId(of.id.clone())]));
    }
    Filter::any(any)
}
