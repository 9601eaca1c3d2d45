//! Attributes of the guide's tables: `participant[1].individual(Practitioner.name)`.

/// A step of a path: an element, which of its items, and the resource that it refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) item: usize,
    pub(super) target: Option<Target>,
}

/// A resource that is referred to, and the way on in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) resource: String,
    pub(super) steps: Vec<Step>,
}

/// Reads an attribute; none if it is prose.
pub(super) fn read(text: &str) -> Option<Vec<Step>> {
    let mut rest = text.trim();
    let steps = steps(&mut rest)?;
    rest.trim().is_empty().then_some(steps)
}

fn steps(rest: &mut &str) -> Option<Vec<Step>> {
    let mut found = vec![step(rest)?];
    while let Some(after) = rest.strip_prefix('.') {
        *rest = after;
        found.push(step(rest)?);
    }
    Some(found)
}

fn word<'t>(rest: &mut &'t str) -> Option<&'t str> {
    let end = rest
        .find(|c: char| !c.is_ascii_alphanumeric())
        .unwrap_or(rest.len());
    let (word, after) = rest.split_at(end);
    *rest = after;
    (!word.is_empty()).then_some(word)
}

/// `[2]`; what the tables count by `each` or `n` is one.
fn item(rest: &mut &str) -> Option<usize> {
    let Some(after) = rest.strip_prefix('[') else {
        return Some(1);
    };
    let (number, after) = after.split_once(']')?;
    *rest = after;
    match number {
        "each" | "n" => Some(1),
        _ => number.parse().ok(),
    }
}

fn step(rest: &mut &str) -> Option<Step> {
    let name = word(rest)?.to_owned();
    let item = item(rest)?;
    let mut target = None;
    if let Some(after) = rest.strip_prefix('(') {
        *rest = after;
        let resource = word(rest)?.to_owned();
        self::item(rest)?;
        let mut inner = Vec::new();
        while rest.starts_with('.') {
            *rest = rest.trim_start_matches('.');
            inner.push(step(rest)?);
        }
        // Some tables lack the bracket at the end.
        *rest = rest.strip_prefix(')').unwrap_or(rest);
        target = Some(Target {
            resource,
            steps: inner,
        });
    }
    Some(Step { name, item, target })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(steps: &[Step]) -> String {
        let steps = steps.iter().map(|it| {
            let target = it.target.as_ref().map_or_else(String::new, |it| {
                format!("({} {})", it.resource, shown(&it.steps))
            });
            format!("{}{}{target}", it.name, it.item)
        });
        steps.collect::<Vec<_>>().join(".")
    }

    #[test]
    fn attributes_are_paths() {
        for (text, expected) in [
            ("identifier[2].value", Some("identifier2.value1")),
            ("a[1](B.c(D))", Some("a1(B c1(D ))")),
            (
                "performer[1](PractitionerRole.practitioner(Practitioner))  ",
                Some("performer1(PractitionerRole practitioner1(Practitioner ))"),
            ),
            ("component[each].code", Some("component1.code1")),
            ("status=\"finished\"", None),
            ("$this", None),
        ] {
            assert_eq!(
                read(text).map(|it| shown(&it)).as_deref(),
                expected,
                "{text}"
            );
        }
    }
}
