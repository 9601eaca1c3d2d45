//! Parameters that say how a result is to be given. <https://hl7.org/fhir/R4/search.html#return>

use fhir::Definitions;
use fhir::suggest::nearest;

use super::fault::{Refused, faulty, over, shown, unfit, unknown};
use super::{
    Contained, ContainedType, Context, PAGE, ResultParameters, SortKey, SortedBy, Summary,
    WantedTotal,
};
use crate::entry::Direction;
use crate::registry::{Facets, Registry};

/// Reads a value; `None` refuses it.
type Read = fn(&Context<'_>, &mut ResultParameters, &str) -> Option<()>;

/// A result parameter.
pub(super) struct ResultParameter {
    pub(super) name: &'static str,
    /// How its value is written.
    pub(super) form: &'static str,
    pub(super) read: Read,
}

/// The result parameters, except `_sort` and the includes, which may be given more than once.
pub(super) const RESULT_PARAMETERS: &[ResultParameter] = &[
    of(
        "_contained",
        "write `false`, `true` or `both`",
        |_, result, value| {
            result.contained = one_of(
                value,
                &[
                    ("false", Contained::False),
                    ("true", Contained::True),
                    ("both", Contained::Both),
                ],
            )?;
            Some(())
        },
    ),
    of(
        "_containedType",
        "write `container` or `contained`",
        |_, result, value| {
            result.contained_type = one_of(
                value,
                &[
                    ("container", ContainedType::Container),
                    ("contained", ContainedType::Contained),
                ],
            )?;
            Some(())
        },
    ),
    of("_count", "write a whole number", |_, result, value| {
        result.count = Some(whole(value)?);
        Some(())
    }),
    of(
        "_elements",
        "write names of elements with commas between them",
        |_, result, value| {
            let names: Vec<String> = value.split(',').map(|it| it.trim().to_owned()).collect();
            let names = names.iter().all(|it| !it.is_empty()).then_some(names)?;
            result.summary = Summary::Elements(names);
            Some(())
        },
    ),
    of("_explain", "write `true` or `false`", |_, result, value| {
        result.explain = one_of(value, &[("true", true), ("false", false)])?;
        Some(())
    }),
    // Format and layout are the caller's business; they are no criteria.
    of("_format", "", |_, _, _| Some(())),
    of("_maxresults", "write a whole number", |_, result, value| {
        result.results_max = Some(whole(value)?);
        Some(())
    }),
    of(
        PAGE,
        "follow the links of a result as they are",
        |_, result, value| {
            result.page = Some(value.to_owned());
            Some(())
        },
    ),
    of("_pretty", "", |_, _, _| Some(())),
    // Every match is a whole one: what a score could tell is told by its absence.
    of("_score", "write `true` or `false`", |_, _, value| {
        one_of(value, &[("true", ()), ("false", ())])
    }),
    of(
        "_summary",
        "write `true`, `false`, `text`, `data` or `count`",
        |_, result, value| {
            result.summary = one_of(
                value,
                &[
                    ("true", Summary::True),
                    ("false", Summary::None),
                    ("text", Summary::Text),
                    ("data", Summary::Data),
                    ("count", Summary::Count),
                ],
            )?;
            Some(())
        },
    ),
    of(
        "_total",
        "write `none`, `estimate` or `accurate`",
        |_, result, value| {
            result.total = one_of(
                value,
                &[
                    ("none", WantedTotal::None),
                    ("estimate", WantedTotal::Estimate),
                    ("accurate", WantedTotal::Accurate),
                ],
            )?;
            Some(())
        },
    ),
    of(
        "_type",
        "write resource types with commas between them",
        |context, result, value| {
            let definitions = Definitions::of(context.version);
            let types = value
                .split(',')
                .map(|it| Some(definitions.resource(it)?.name));
            result.types = Some(types.collect::<Option<_>>()?);
            Some(())
        },
    ),
];

const fn of(name: &'static str, form: &'static str, read: Read) -> ResultParameter {
    ResultParameter { name, form, read }
}

fn one_of<T: Clone>(value: &str, words: &[(&str, T)]) -> Option<T> {
    words.iter().find(|it| it.0 == value).map(|it| it.1.clone())
}

/// A number of things; more than can be counted is the greatest that can.
fn whole(value: &str) -> Option<usize> {
    let digits = value.bytes().all(|it| it.is_ascii_digit());
    digits.then(|| value.parse().unwrap_or(usize::MAX))
}

/// `_sort=-date,name`, and `_sort:desc=date` as it was before STU3.
pub(super) fn sort(
    context: &Context<'_>,
    types: &[&'static str],
    name: &str,
    text: &str,
    result: &mut ResultParameters,
) -> Result<(), Refused> {
    let direction = match name.strip_prefix("_sort").unwrap_or_default() {
        "" => None,
        ":asc" => Some(Direction::Ascending),
        ":desc" => Some(Direction::Descending),
        other => {
            let what = format!(
                "the modifier `{}` of `_sort` does not exist here",
                shown(other)
            );
            return Err(unfit(
                name,
                &what,
                "put a `-` before a key to sort downwards",
            ));
        }
    };
    let mut keys = Vec::new();
    for key in text.split(',') {
        if result.sort.len() + keys.len() >= context.limits.sort_keys_max {
            return Err(over(
                name,
                "sort_keys_max",
                context.limits.sort_keys_max,
                "keys",
            ));
        }
        let (code, direction) = match (key.strip_prefix('-'), direction) {
            (Some(code), None) => (code, Direction::Descending),
            (_, Some(direction)) => (key, direction),
            (None, None) => (key, Direction::Ascending),
        };
        let by = sorted_by(context, types, name, code)?;
        keys.push(SortKey { by, direction });
    }
    result.sort.append(&mut keys);
    Ok(())
}

fn sorted_by(
    context: &Context<'_>,
    types: &[&'static str],
    name: &str,
    code: &str,
) -> Result<SortedBy, Refused> {
    match code {
        "_id" => return Ok(SortedBy::Id),
        "_lastUpdated" => return Ok(SortedBy::Updated),
        "_score" => return Ok(SortedBy::Score),
        "" => {
            return Err(faulty(
                name,
                "an empty key",
                "write codes of search parameters",
            ));
        }
        _ => {}
    }
    let registry = Registry::of(context.version);
    let mut found = types.iter().filter_map(|it| registry.named(it, code));
    let Some(parameter) = found.next() else {
        let codes = types.iter().flat_map(|it| registry.parameters(it));
        let near = nearest(code, codes.map(|it| it.definition.code));
        let what = format!("the search parameter `{}` to sort by", shown(code));
        return Err(unknown(name, &what, near));
    };
    let has_order = |facets: &Facets| {
        !matches!(
            facets,
            Facets::Elsewhere | Facets::Place(_) | Facets::Words(_) | Facets::Composite(_)
        )
    };
    if !has_order(&parameter.facets) || found.any(|it| !has_order(&it.facets)) {
        let what = format!(
            "the values of `{}` have no order",
            parameter.definition.code
        );
        return Err(unfit(name, &what, "sort by another search parameter"));
    }
    Ok(SortedBy::Parameter(parameter.definition.code))
}
