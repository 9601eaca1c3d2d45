//! JSON schemas for the tag `validate`: the words of draft 7 that say what a value must look like.
//! Words that are not known are ignored, as the specification says (JSON Schema validation §6).

use crate::value::{Map, Value, compare};

/// Greatest nesting of schemas inside each other, references followed.
const DEPTH_MAX: usize = 64;

/// What is wrong with the value, with its place; none if it is valid.
pub(crate) fn fault(value: Value<'_>, schema: Value<'_>) -> Option<String> {
    let check = Check { root: schema };
    check.fault(value, schema, "$", DEPTH_MAX)
}

struct Check<'a> {
    root: Value<'a>,
}

impl Check<'_> {
    fn fault(&self, value: Value<'_>, schema: Value<'_>, at: &str, depth: usize) -> Option<String> {
        let schema = match schema {
            Value::Bool(false) => return Some(format!("`{at}` must not be there")),
            Value::Map(map) => map,
            _ => return None,
        };
        if depth == 0 {
            return Some(format!("the schema of `{at}` nests too deeply"));
        }
        if let Some(reference) = schema.get("$ref").and_then(|it| it.as_text()) {
            let target = self.referenced(reference)?;
            return self.fault(value, target, at, depth - 1);
        }
        kind_fault(value, schema, at)
            .or_else(|| self.object_fault(value, schema, at, depth))
            .or_else(|| self.array_fault(value, schema, at, depth))
            .or_else(|| self.combined_fault(value, schema, at, depth))
    }

    fn referenced(&self, reference: &str) -> Option<Value<'_>> {
        let mut found = self.root;
        for name in reference.strip_prefix('#')?.split('/').skip(1) {
            found = found.as_map()?.get(name)?;
        }
        Some(found)
    }

    fn object_fault(
        &self,
        value: Value<'_>,
        schema: &Map<'_>,
        at: &str,
        depth: usize,
    ) -> Option<String> {
        let map = value.as_map()?;
        if let Some(Value::List(required)) = schema.get("required") {
            let missing = |it: &&Value<'_>| it.as_text().is_some_and(|it| map.get(it).is_none());
            if let Some(name) = required.iter().find(missing).and_then(Value::as_text) {
                return Some(format!("`{at}.{name}` is missing"));
            }
        }
        let properties = schema.get("properties").and_then(|it| it.as_map());
        let others = schema.get("additionalProperties");
        map.members().iter().find_map(|(name, value)| {
            let known = properties.and_then(|it| it.get(name));
            self.fault(
                *value,
                known.or(others)?,
                &format!("{at}.{name}"),
                depth - 1,
            )
        })
    }

    fn array_fault(
        &self,
        value: Value<'_>,
        schema: &Map<'_>,
        at: &str,
        depth: usize,
    ) -> Option<String> {
        let Value::List(items) = value else {
            return None;
        };
        bounds_fault(items.len(), schema, ["minItems", "maxItems"], at).or_else(|| {
            let each = schema.get("items")?;
            let mut items = items.iter().enumerate();
            items.find_map(|(n, item)| self.fault(*item, each, &format!("{at}[{n}]"), depth - 1))
        })
    }

    fn combined_fault(
        &self,
        value: Value<'_>,
        schema: &Map<'_>,
        at: &str,
        depth: usize,
    ) -> Option<String> {
        let list = |name: &str| match schema.get(name) {
            Some(Value::List(schemas)) => Some(schemas),
            _ => None,
        };
        let fault = |schema: &Value<'_>| self.fault(value, *schema, at, depth - 1);
        let all = list("allOf").and_then(|it| it.iter().find_map(fault));
        let fits = |schemas: &[Value<'_>]| schemas.iter().filter(|it| fault(it).is_none()).count();
        let any = list("anyOf").filter(|it| fits(it) == 0);
        let one = list("oneOf").filter(|it| fits(it) != 1);
        let not = schema.get("not").filter(|it| fault(it).is_none());
        all.or_else(|| any.map(|_| format!("`{at}` fits none of `anyOf`")))
            .or_else(|| one.map(|_| format!("`{at}` does not fit exactly one of `oneOf`")))
            .or_else(|| not.map(|_| format!("`{at}` fits what it must not")))
    }
}

/// Faults of the value itself: type, listed values, length, size.
fn kind_fault(value: Value<'_>, schema: &Map<'_>, at: &str) -> Option<String> {
    let is = |wanted: &Value<'_>| wanted.as_text().is_some_and(|it| is_of_type(value, it));
    let right_type = match schema.get("type") {
        Some(Value::List(types)) => types.iter().any(is),
        Some(one) => is(&one),
        None => true,
    };
    if !right_type {
        return Some(format!("`{at}` is of another type"));
    }
    if let Some(Value::List(listed)) = schema.get("enum")
        && !listed.iter().any(|it| compare::same(*it, value))
    {
        return Some(format!("`{at}` is not one of the listed values"));
    }
    if schema
        .get("const")
        .is_some_and(|it| !compare::same(it, value))
    {
        return Some(format!("`{at}` is another value"));
    }
    match value {
        Value::Text(text) => {
            let length = text.as_str().chars().count();
            bounds_fault(length, schema, ["minLength", "maxLength"], at)
                .or_else(|| pattern_fault(text.as_str(), schema, at))
        }
        _ => number_fault(value, schema, at),
    }
}

fn is_of_type(value: Value<'_>, name: &str) -> bool {
    let is_whole = || compare::decimal(value).is_some_and(fhir::Decimal::is_integer);
    match value {
        Value::Null => name == "null",
        Value::Bool(_) => name == "boolean",
        Value::Text(_) => name == "string",
        Value::List(_) => name == "array",
        Value::Map(_) => name == "object",
        Value::Int(_) | Value::Decimal(_) | Value::Double(_) => {
            name == "number" || (name == "integer" && is_whole())
        }
        _ => false,
    }
}

fn bounds_fault(length: usize, schema: &Map<'_>, names: [&str; 2], at: &str) -> Option<String> {
    let bound = |name: &str| compare::decimal(schema.get(name)?)?.to_i64();
    let length = i64::try_from(length).ok()?;
    let too_short = bound(names[0]).is_some_and(|it| length < it);
    let too_long = bound(names[1]).is_some_and(|it| length > it);
    (too_short || too_long).then(|| format!("`{at}` is too short or too long"))
}

fn pattern_fault(text: &str, schema: &Map<'_>, at: &str) -> Option<String> {
    let pattern = schema.get("pattern")?.as_text()?;
    let regex = fancy_regex::RegexBuilder::new(pattern)
        .backtrack_limit(10_000)
        .build()
        .ok()?;
    let matches = regex.is_match(text).unwrap_or(false);
    (!matches).then(|| format!("`{at}` is not of its pattern"))
}

fn number_fault(value: Value<'_>, schema: &Map<'_>, at: &str) -> Option<String> {
    if value.as_text().is_some() {
        return None;
    }
    let number = compare::decimal(value)?;
    let bound = |name: &str| compare::decimal(schema.get(name)?);
    let too_small = bound("minimum").is_some_and(|it| number < it);
    let too_large = bound("maximum").is_some_and(|it| number > it);
    (too_small || too_large).then(|| format!("`{at}` is too small or too large"))
}
