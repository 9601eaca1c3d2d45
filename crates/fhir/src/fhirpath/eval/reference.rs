//! `resolve()`, and the resources that a place in a document is in.
//!
//! Nodes know no parents: a place is found again from the root by its position in the text, which
//! only references, `%resource` and `%rootResource` need.

use super::super::item::{Collection, Item};
use super::super::node::Node;
use super::call::Call;
use super::{EvaluationFault, Failure, Outcome};
use crate::json::{Kind, Value};
use crate::reference::{Reference, Target};

/// A resource on the way to a place, and the element that it stands in.
struct Enclosing<'d> {
    element: String,
    value: Value<'d>,
    /// The address of the entry of a Bundle that it is in.
    full_url: Option<String>,
}

/// The resources that a value is in, the outermost first.
fn enclosing(anchor: Value<'_>) -> Vec<Enclosing<'_>> {
    let span = anchor.span();
    let is_on_way = |it: &Value<'_>| {
        let it = it.span();
        it.start <= span.start && span.end <= it.end
    };
    let mut found = Vec::new();
    let mut full_url = None;
    let (mut element, mut next) = (String::new(), Some(anchor.document().root()));
    while let Some(value) = next {
        next = match value.kind() {
            Kind::Array => value.items().find(is_on_way),
            Kind::Object => {
                full_url = text(value, "fullUrl").or(full_url);
                if value.get("resourceType").is_some() {
                    let element = std::mem::take(&mut element);
                    found.push(Enclosing {
                        element,
                        value,
                        full_url: full_url.clone(),
                    });
                }
                let member = value.members().find(|it| is_on_way(&it.value));
                member.map(|member| {
                    element = member.name.into_owned();
                    member.value
                })
            }
            _ => None,
        };
    }
    found
}

fn text(object: Value<'_>, name: &str) -> Option<String> {
    object
        .get(name)
        .and_then(Value::as_str)
        .map(std::borrow::Cow::into_owned)
}

fn typed<'d>(like: &Node<'d>, value: Value<'d>) -> Node<'d> {
    match like.definitions() {
        Some(definitions) => Node::resource(definitions, value),
        None => Node::untyped(value),
    }
}

/// The innermost resource that a node is or is in; without any resource the whole tree.
pub(super) fn resource_of<'d>(node: &Node<'d>) -> Option<Node<'d>> {
    let anchor = node.anchor()?;
    match enclosing(anchor).last() {
        Some(it) => Some(typed(node, it.value)),
        None if anchor.document().root().span() == anchor.span() => Some(*node),
        None => Some(typed(node, anchor.document().root())),
    }
}

/// The innermost resource that is not contained in another.
pub(super) fn container_of<'d>(node: &Node<'d>) -> Option<Node<'d>> {
    let resources = enclosing(node.anchor()?);
    let container = resources.iter().rev().find(|it| it.element != "contained");
    container
        .map(|it| typed(node, it.value))
        .or_else(|| resource_of(node))
}

/// What cannot be resolved is left out.
pub(super) fn resolve<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let mut found = Vec::new();
    for item in &input {
        call.evaluator.step(1, call.span)?;
        let reference = match item {
            Item::Node(node) if !node.is_primitive() => {
                node.value().and_then(|it| text(it, "reference"))
            }
            other => other.to_text().map(std::borrow::Cow::into_owned),
        };
        let Some(reference) = reference else { continue };
        let node = match item {
            Item::Node(node) => Some(node),
            _ => None,
        };
        call.evaluator.step(entries_beside(node), call.span)?;
        let inside = node.and_then(|node| in_document(call, node, &reference));
        let resolved = match inside {
            Some(inside) => Some(inside),
            None => elsewhere(call, &reference)?,
        };
        found.extend(resolved.map(Item::Node));
    }
    Ok(found)
}

/// How many entries of a Bundle looking for a reference may go through.
fn entries_beside(node: Option<&Node<'_>>) -> usize {
    let root = node.and_then(Node::anchor).map(|it| it.document().root());
    let entries = root.and_then(|it| it.get("entry"));
    entries.map_or(0, |it| it.items().count())
}

/// A contained resource or an entry of a Bundle.
fn in_document<'d>(call: &Call<'_, 'd>, node: &Node<'d>, reference: &str) -> Option<Node<'d>> {
    if let Some(id) = reference.strip_prefix('#') {
        let container = container_of(node)?;
        if id.is_empty() {
            return Some(container);
        }
        let mut contained = container.value()?.get("contained")?.items();
        let has_id = |it: &Value<'_>| it.get("id").is_some_and(|it| it.is_str(id));
        return contained.find(has_id).map(|it| typed(node, it));
    }
    let resources = enclosing(node.anchor()?);
    let is_bundle = |it: &&Enclosing<'d>| {
        it.value
            .get("resourceType")
            .is_some_and(|it| it.is_str("Bundle"))
    };
    let bundle = resources.iter().rev().find(is_bundle)?;
    let from = resources.iter().rev().find_map(|it| it.full_url.as_deref());
    let entry = entry(call, bundle.value, from, reference)?;
    Some(typed(node, entry))
}

/// The entry whose address the reference gives (<https://hl7.org/fhir/R4/bundle.html#references>):
/// absolute, or relative to the address of the entry that it stands in.
fn entry<'d>(
    call: &Call<'_, 'd>,
    bundle: Value<'d>,
    from: Option<&str>,
    reference: &str,
) -> Option<Value<'d>> {
    let unversioned = reference.split("/_history/").next().unwrap_or(reference);
    let parse = |text| {
        call.evaluator
            .definitions
            .map(|it| Reference::parse(it, text))
    };
    let base = match from.and_then(parse) {
        Some(Reference::Absolute { base, .. }) => Some(base),
        _ => None,
    };
    let address = match parse(unversioned) {
        Some(Reference::Relative(_)) => base.map_or_else(
            || unversioned.to_owned(),
            |base| format!("{base}/{unversioned}"),
        ),
        _ => unversioned.to_owned(),
    };
    let entries = || bundle.get("entry").into_iter().flat_map(Value::items);
    let by_address = entries().find(|it| it.get("fullUrl").is_some_and(|it| it.is_str(&address)));
    let by_id = || match parse(unversioned)? {
        Reference::Relative(Target {
            resource_type, id, ..
        }) => entries().find(|it| {
            let is = |name, wanted: &str| {
                let resource = it.get("resource").and_then(|it| it.get(name));
                resource.is_some_and(|it| it.is_str(wanted))
            };
            is("resourceType", resource_type) && is("id", id)
        }),
        _ => None,
    };
    by_address.or_else(by_id)?.get("resource")
}

fn elsewhere<'d>(call: &Call<'_, 'd>, reference: &str) -> Result<Option<Node<'d>>, Failure> {
    let environment = call.evaluator.environment;
    let found = environment.lookup().resolve(reference).map_err(|error| {
        call.fault(EvaluationFault::Lookup {
            what: "resolving a reference",
            reason: error.0,
        })
    })?;
    let Some(document) = found else {
        return Ok(None);
    };
    let root = environment.keep(document).root();
    Ok(Some(match call.evaluator.definitions {
        Some(definitions) => Node::resource(definitions, root),
        None => Node::untyped(root),
    }))
}
