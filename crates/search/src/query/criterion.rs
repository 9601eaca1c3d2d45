//! One criterion: the steps of its name, then its values.

use std::collections::BTreeMap;

use fhir::suggest::nearest;
use fhir::{Definitions, Issue};

use super::fault::{Refused, faulty, not_offered, over, shown, unfit, unknown};
use super::include::resource_type;
use super::modifier::{Modifier, listed, modifier};
use super::name::Name;
use super::offered::{Offered, ParameterKind, kinds, offered, signature};
use super::parse::{Distance, static_types};
use super::value::{self, Given, dates};
use super::{Condition, Context, Criterion, Presence, Referrer, Sense};
use crate::registry::{Facets, Registry};
use crate::text::{split_unescaped, unescape};

/// Reads one criterion by itself.
pub fn criterion(name: &str, text: &str, context: &Context<'_>) -> Result<Criterion, Issue> {
    match Reader::new(context).condition(name, text) {
        Ok(condition) => Ok(Criterion {
            name: name.into(),
            condition,
        }),
        Err(Refused::Unknown(issue) | Refused::Faulty(issue)) => Err(issue),
    }
}

/// `_list`: the ids of lists.
const LIST: &str = "_list";

/// Reads criteria on the types of a context.
pub(super) struct Reader<'c> {
    pub(super) context: &'c Context<'c>,
    /// The types searched.
    pub(super) types: Vec<&'static str>,
    /// What `near-distance` says, by what stands before it in its name.
    pub(super) distances: BTreeMap<&'c str, Distance<'c>>,
}

/// Where in a name the reading is.
#[derive(Clone, Copy)]
struct Step<'s> {
    /// The whole name.
    whole: &'s str,
    /// What is left of it.
    rest: &'s str,
    /// The types that the rest is about.
    types: &'s [&'static str],
    /// The value.
    text: &'s str,
    depth: usize,
}

impl<'c> Reader<'c> {
    pub(super) fn new(context: &'c Context<'c>) -> Self {
        Self {
            context,
            types: static_types(context),
            distances: BTreeMap::new(),
        }
    }

    /// What a criterion demands.
    pub(super) fn condition(&self, name: &str, text: &str) -> Result<Condition, Refused> {
        let types = &self.types;
        self.step(Step {
            whole: name,
            rest: name,
            types,
            text,
            depth: 0,
        })
    }

    fn step(&self, step: Step<'_>) -> Result<Condition, Refused> {
        let max = self.context.limits.chain_depth_max;
        if step.depth > max {
            return Err(over(
                step.whole,
                "chain_depth_max",
                max,
                "steps in its chain",
            ));
        }
        match Name::parse(step.whole, step.rest)? {
            Name::Plain {
                code: LIST,
                modifier: None,
            } => lists(step.whole, step.text),
            Name::Plain { code, modifier } => self.plain(step, code, modifier),
            Name::Chain { code, target, rest } => self.chain(Step { rest, ..step }, code, target),
            Name::Has { kind, code, rest } => self.has(Step { rest, ..step }, kind, code),
        }
    }

    fn chain(
        &self,
        step: Step<'_>,
        code: &str,
        target: Option<&str>,
    ) -> Result<Condition, Refused> {
        let version = self.context.version;
        let of = offered(version, step.whole, code, step.types)?;
        of.check_leads_on(step.whole)?;
        let targets = match target {
            Some(target) => vec![self.named(step, target, &of)?],
            None => self.inferred(step, &of)?,
        };
        let depth = step.depth + 1;
        let condition = self.step(Step {
            types: &targets,
            depth,
            ..step
        })?;
        Ok(Condition::Chain {
            code: of.code(),
            targets,
            condition: Box::new(condition),
        })
    }

    /// The type that a chain names.
    fn named(&self, step: Step<'_>, target: &str, of: &Offered) -> Result<&'static str, Refused> {
        let definitions = Definitions::of(self.context.version);
        if let Modifier::Type(target) = modifier(definitions, step.whole, target, of)? {
            return Ok(target);
        }
        let remedy = "write the name of a resource type, as in `subject:Patient.name`";
        Err(faulty(step.whole, "a chain with a modifier in it", remedy))
    }

    /// The types that the reference may lead to and that have the next step: of one kind.
    fn inferred(&self, step: Step<'_>, of: &Offered) -> Result<Vec<&'static str>, Refused> {
        let registry = Registry::of(self.context.version);
        let targets = of.targets(self.context.version);
        let next = match Name::parse(step.whole, step.rest)? {
            Name::Plain { code, .. } | Name::Chain { code, .. } if code != LIST => code,
            _ => return Ok(targets),
        };
        let found = targets
            .iter()
            .filter_map(|it| Some((*it, registry.named(it, next)?)));
        let found: Vec<_> = found.collect();
        let Some((first, parameter)) = found.first() else {
            let codes = targets.iter().flat_map(|it| registry.parameters(it));
            let near = nearest(next, codes.map(|it| it.definition.code));
            let what = format!(
                "the search parameter `{}` of what `{}` refers to",
                shown(next),
                of.code()
            );
            return Err(unknown(step.whole, &what, near));
        };
        let differs =
            |it: &&(&str, &crate::registry::Parameter)| signature(it.1) != signature(parameter);
        if let Some((other, another)) = found.iter().find(differs) {
            let what = format!(
                "the chain `{}.{next}` is ambiguous: `{next}` is a {} in `{first}` but a {} in `{other}`",
                of.code(),
                kinds(parameter),
                kinds(another)
            );
            let remedy = format!("name the type, as in `{}:{first}.{next}`", of.code());
            return Err(unfit(step.whole, &what, &remedy));
        }
        Ok(found.into_iter().map(|it| it.0).collect())
    }

    fn has(&self, step: Step<'_>, kind: &str, code: &str) -> Result<Condition, Refused> {
        let version = self.context.version;
        let kind = resource_type(self.context, step.whole, kind)?;
        let of = offered(version, step.whole, code, &[kind])?;
        of.check_leads_on(step.whole)?;
        let targets = of.targets(version);
        if !step.types.iter().any(|it| targets.contains(it)) {
            let what = format!(
                "`{code}` of `{kind}` never refers to {}",
                listed(step.types)
            );
            return Err(unfit(
                step.whole,
                &what,
                &format!("it refers to {}", listed(&targets)),
            ));
        }
        let depth = step.depth + 1;
        let condition = self.step(Step {
            types: &[kind],
            depth,
            ..step
        })?;
        Ok(Condition::Has {
            kind,
            code: of.code(),
            condition: Box::new(condition),
        })
    }

    fn plain(&self, step: Step<'_>, code: &str, given: Option<&str>) -> Result<Condition, Refused> {
        let version = self.context.version;
        let name = step.whole;
        let of = offered(version, name, code, step.types)?;
        let modifier = given
            .map(|it| modifier(Definitions::of(version), name, it, &of))
            .transpose()?;
        if modifier == Some(Modifier::Missing) {
            return missing(name, of.code(), step.text);
        }
        let values = self.values(name, step.text)?;
        match of.kind {
            ParameterKind::Id => {
                let ids = values.iter().map(|it| unescaped(name, it).map(Into::into));
                Ok(Condition::Ids {
                    sense: sense(modifier),
                    ids: ids.collect::<Result<_, _>>()?,
                })
            }
            ParameterKind::Updated => Ok(Condition::Updated(dates(version, name, &values)?)),
            ParameterKind::Elsewhere => {
                Err(not_offered(name, &format!("the search parameter `{code}`")))
            }
            _ => self.matches(name, &of, modifier, &values),
        }
    }

    fn matches(
        &self,
        name: &str,
        of: &Offered,
        modifier: Option<Modifier>,
        values: &[&str],
    ) -> Result<Condition, Refused> {
        let before = name.strip_suffix(of.code());
        let distance = before
            .and_then(|it| self.distances.get(it))
            .and_then(|it| it.text);
        let given = Given {
            name,
            context: self.context,
            distance,
        };
        let parameter = of.first();
        let any_of = values
            .iter()
            .map(|it| value::value(&given, of.kind, &parameter.facets, modifier, it));
        Ok(Condition::Matches {
            code: of.code(),
            sense: sense(modifier),
            any_of: any_of.collect::<Result<_, _>>()?,
        })
    }

    fn values<'t>(&self, name: &str, text: &'t str) -> Result<Vec<&'t str>, Refused> {
        let max = self.context.limits.or_values_max;
        let values: Vec<&str> = split_unescaped(text, ',')
            .take(max.saturating_add(1))
            .collect();
        if values.len() > max {
            return Err(over(name, "or_values_max", max, "values"));
        }
        if values.contains(&"") {
            return Err(faulty(
                name,
                "an empty value between its commas",
                r"write a comma inside a value as `\,`",
            ));
        }
        Ok(values)
    }
}

fn sense(modifier: Option<Modifier>) -> Sense {
    match modifier {
        Some(Modifier::Not | Modifier::NotIn) => Sense::Negated,
        _ => Sense::Plain,
    }
}

/// The text without its escapes.
pub(super) fn unescaped(name: &str, text: &str) -> Result<String, Refused> {
    let remedy = r"only `\,`, `\|`, `\$` and `\\` are escapes";
    unescape(text).ok_or_else(|| faulty(name, "a value with an unknown escape", remedy))
}

fn missing(name: &str, code: &'static str, text: &str) -> Result<Condition, Refused> {
    let presence = match text {
        "true" => Presence::Absent,
        "false" => Presence::Present,
        _ => {
            let what = "a `:missing` that is neither `true` nor `false`";
            return Err(faulty(
                name,
                what,
                "write `true` for resources without a value",
            ));
        }
    };
    Ok(Condition::Missing { code, presence })
}

fn lists(name: &str, text: &str) -> Result<Condition, Refused> {
    let ids = split_unescaped(text, ',').map(|it| {
        if it.starts_with('$') {
            return Err(not_offered(name, "a list that is computed (`$current-…`)"));
        }
        let id = it.strip_prefix("List/").unwrap_or(it);
        let is_id = fhir::id::is_id(id).then(|| id.into());
        is_id.ok_or_else(|| {
            faulty(
                name,
                "a value that is no id of a List",
                "write `42` or `List/42`",
            )
        })
    });
    Ok(Condition::Lists(ids.collect::<Result<_, _>>()?))
}

/// `_partition=k/n`, k from 1 to n.
pub(super) fn partition(_: &Context<'_>, text: &str) -> Result<Condition, Refused> {
    let numbers = text.split_once('/').and_then(|(part, of)| {
        let number = |it: &str| it.parse::<u64>().ok().filter(|_| !it.starts_with('+'));
        Some((number(part)?, number(of)?))
    });
    match numbers {
        Some((part, of)) if (1..=of).contains(&part) => {
            Ok(Condition::Partition { part: part - 1, of })
        }
        _ => {
            let what = "a value that names no part";
            Err(faulty(
                "_partition",
                what,
                "write `1/4` for the first of four parts",
            ))
        }
    }
}

/// `_not-referenced=Type:parameter`, `Type:*` or `*:*`.
pub(super) fn not_referenced(context: &Context<'_>, text: &str) -> Result<Condition, Refused> {
    let name = "_not-referenced";
    let referrers = text.split(',').map(|it| {
        let Some((kind, code)) = it.split_once(':') else {
            return Err(faulty(
                name,
                "a value of another form",
                "write `Type:parameter`, `Type:*` or `*:*`",
            ));
        };
        if (kind, code) == ("*", "*") {
            return Ok(Referrer {
                kind: None,
                code: None,
            });
        }
        let kind = resource_type(context, name, kind)?;
        if code == "*" {
            return Ok(Referrer {
                kind: Some(kind),
                code: None,
            });
        }
        let of = offered(context.version, name, code, &[kind])?;
        if matches!(of.first().facets, Facets::Reference { .. }) {
            return Ok(Referrer {
                kind: Some(kind),
                code: Some(of.code()),
            });
        }
        Err(unfit(
            name,
            &format!("`{kind}:{code}` is no reference"),
            "name a reference",
        ))
    });
    let referrers: Vec<Referrer> = referrers.collect::<Result<_, _>>()?;
    let max = context.limits.or_values_max;
    if referrers.len() > max {
        return Err(over(name, "or_values_max", max, "values"));
    }
    Ok(Condition::NotReferenced(referrers))
}
