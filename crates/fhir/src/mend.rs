//! Mends what can be mended without losing or inventing anything: brackets of arrays.
//!
//! In JSON an element that repeats is an array even when it is one
//! (<https://hl7.org/fhir/R4/json.html#repeat>). Writers that forget it lose nothing by it, so a
//! client that asks for leniency (<https://hl7.org/fhir/R4/http.html#prefer>) has a single value
//! put into brackets, and an array of one taken out of them where the element does not repeat. An
//! extension that holds several values becomes one extension for each.
//! Nothing else is touched: no value is changed, dropped or guessed, and what is still wrong
//! afterwards is for validation to tell.

use std::fmt::Write as _;

use crate::definitions::{Child, Shape, TypeKind};
use crate::json::{Kind, Member, Splice, Value};
use crate::primitive::Primitive;
use crate::validate::{ELEMENT_DEPTH_MAX, ISSUES_MAX, resource_type};
use crate::{Definitions, Fault, Issue, json::Document};

/// How many members of a document are mended; what is beyond stays as it is.
pub const MENDED_MAX: usize = 100_000;

/// Bytes that an extension may grow to when its values become extensions of their own.
const SPLIT_BYTES_MAX: usize = 64 << 10;

/// What mending a document comes to; two empty lists if there is nothing to mend.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mended {
    /// What to change in the document's text, with [`crate::json::splice`]; none overlaps another.
    pub splices: Vec<Splice>,
    /// A warning for each mended member; beyond [`ISSUES_MAX`], one that counts the others.
    pub issues: Vec<Issue>,
}

/// Mends the brackets of arrays in a resource, also in contained resources and those of entries and
/// parameters.
///
/// A document without such a fault costs one walk and no allocation. Mending what was mended
/// changes nothing.
pub fn mend(document: &Document, definitions: &Definitions) -> Mended {
    let mut mender = Mender {
        definitions,
        mended: Mended::default(),
        count: 0,
    };
    mender.resource(document.root(), None);
    mender.finish()
}

/// Where the walk is: a list on the stack, printed only when something is mended.
struct Place<'p> {
    holder: Option<&'p Place<'p>>,
    name: &'static str,
    index: Option<usize>,
    depth: usize,
}

impl<'p> Place<'p> {
    fn inside(&'p self, name: &'static str, index: Option<usize>) -> Self {
        Place {
            holder: Some(self),
            name,
            index,
            depth: self.depth + 1,
        }
    }

    /// As FHIRPath has it: `Bundle.entry[0].resource.code.coding`.
    fn print(&self, into: &mut String) {
        if let Some(holder) = self.holder {
            holder.print(into);
            into.push('.');
        }
        into.push_str(self.name);
        if let Some(index) = self.index {
            write!(into, "[{index}]").expect("writing to a String does not fail");
        }
    }
}

/// The two members that an element may have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// The one with its name.
    Value,
    /// The one with `_` before it: id and extensions of a primitive.
    Sibling,
}

/// Which way the brackets were wrong.
#[derive(Clone, Copy)]
enum Change {
    Wrapped,
    Unwrapped,
    Split,
}

struct Mender<'w> {
    definitions: &'w Definitions,
    mended: Mended,
    /// Of members mended.
    count: usize,
}

impl Mender<'_> {
    fn resource(&mut self, value: Value<'_>, place: Option<&Place<'_>>) {
        let Some(name) = resource_type(value) else {
            return;
        };
        let Some(definition) = self.definitions.resource(&name) else {
            return;
        };
        let root = Place {
            holder: None,
            name: definition.name,
            index: None,
            depth: 0,
        };
        self.object(value, definition.shape, place.unwrap_or(&root));
    }

    fn object(&mut self, object: Value<'_>, shape: Shape, place: &Place<'_>) {
        if place.depth >= ELEMENT_DEPTH_MAX {
            return;
        }
        for member in object.members() {
            let (name, part) = match member.name.strip_prefix('_') {
                Some(name) => (name, Part::Sibling),
                None => (&*member.name, Part::Value),
            };
            let child = self.definitions.child(shape, name);
            if let Some(child) = child.filter(|child| part == Part::Value || has_sibling(*child)) {
                self.member(object, &member, child, part, place);
            }
        }
    }

    fn member(
        &mut self,
        object: Value<'_>,
        member: &Member<'_>,
        child: Child,
        part: Part,
        holder: &Place<'_>,
    ) {
        let (name, value) = (child.element.name, member.value);
        let repeats = child.element.max != Some(1);
        let is_array = value.kind() == Kind::Array;
        if repeats && is_array {
            for (index, item) in value.items().enumerate() {
                let place = holder.inside(name, Some(index));
                match self.split(item, child) {
                    Some(with) => self.replace(Change::Split, item, with, part, &place),
                    None => self.value(item, child, part, &place),
                }
            }
            return;
        }
        let place = holder.inside(name, None);
        if repeats == is_array {
            return self.value(value, child, part, &place);
        }
        let single = if is_array { only(value) } else { Some(value) };
        let single = single.filter(|it| fits(*it, child, part));
        let Some(single) = single.filter(|_| is_alone(object, member, part)) else {
            return;
        };
        let change = if repeats {
            Change::Wrapped
        } else {
            Change::Unwrapped
        };
        self.change(change, value, single, part, &place);
        self.value(single, child, part, &place);
    }

    /// An extension with several values as one extension each: extensions repeat, their values do
    /// not. Only where there is nothing else in it that would have to be repeated as well.
    fn split(&self, item: Value<'_>, child: Child) -> Option<String> {
        if child.definition.name != "Extension" {
            return None;
        }
        let mut members = item.members();
        let (first, second) = (members.next()?, members.next()?);
        let (url, values) = if &*first.name == "url" {
            (first, second)
        } else {
            (second, first)
        };
        let value = self.definitions.child(child.chosen.shape, &values.name)?;
        let several = members.next().is_none()
            && &*url.name == "url"
            && value.element.name == "value"
            && values.value.kind() == Kind::Array
            && only(values.value).is_none()
            && values.value.items().all(|it| fits(it, value, Part::Value));
        let count = values.value.items().count();
        let length = count * (url.value.raw().len() + values.name.len()) + item.raw().len();
        if !several || count == 0 || length > SPLIT_BYTES_MAX {
            return None;
        }
        let one = |it: Value<'_>| {
            format!(
                "{{\"url\":{},\"{}\":{}}}",
                url.value.raw(),
                values.name,
                it.raw()
            )
        };
        Some(values.value.items().map(one).collect::<Vec<_>>().join(","))
    }

    /// One value of an element, or what its sibling has for it.
    fn value(&mut self, value: Value<'_>, child: Child, part: Part, place: &Place<'_>) {
        match (child.definition.kind, part) {
            (TypeKind::Resource, _) => self.resource(value, Some(place)),
            (TypeKind::Primitive, Part::Value) => {}
            _ => self.object(value, child.chosen.shape, place),
        }
    }

    fn change(
        &mut self,
        change: Change,
        written: Value<'_>,
        single: Value<'_>,
        part: Part,
        place: &Place<'_>,
    ) {
        if !self.may_mend() {
            return;
        }
        let (outer, inner) = (written.span(), single.span());
        let [before, after] = match change {
            Change::Wrapped => ["[", "]"],
            Change::Unwrapped | Change::Split => ["", ""],
        };
        let splice = |span, with: &str| Splice {
            span,
            with: with.to_owned(),
        };
        self.mended
            .splices
            .push(splice(outer.start..inner.start, before));
        self.mended
            .splices
            .push(splice(inner.end..outer.end, after));
        self.tell(change, part, place);
    }

    fn replace(
        &mut self,
        change: Change,
        written: Value<'_>,
        with: String,
        part: Part,
        place: &Place<'_>,
    ) {
        if self.may_mend() {
            let span = written.span();
            self.mended.splices.push(Splice { span, with });
            self.tell(change, part, place);
        }
    }

    fn may_mend(&mut self) -> bool {
        self.count += 1;
        self.count <= MENDED_MAX
    }

    fn tell(&mut self, change: Change, part: Part, place: &Place<'_>) {
        if self.mended.issues.len() < ISSUES_MAX {
            self.mended.issues.push(issue(change, part, place));
        }
    }

    fn finish(mut self) -> Mended {
        let told = self.mended.issues.len();
        let mended = self.count.min(MENDED_MAX);
        if mended > told {
            let what = format!("mended in the same way and not listed: {}", mended - told);
            let issue = Issue::warning(Fault::Structure, what);
            let remedy = "write an array where an element repeats, and only there";
            self.mended.issues.push(issue.mend(remedy));
        }
        if self.count > MENDED_MAX {
            let what = format!("the limit `mended_max` of {MENDED_MAX} members is reached");
            let issue = Issue::warning(Fault::TooLarge, what);
            self.mended
                .issues
                .push(issue.mend("send the resource in parts, or write it as the standard has it"));
        }
        self.mended
    }
}

fn issue(change: Change, part: Part, place: &Place<'_>) -> Issue {
    let underscore = if part == Part::Sibling { "_" } else { "" };
    let (what, remedy) = match change {
        Change::Wrapped => (
            "repeats and must be an array; taken as an array of one",
            "put the value into brackets",
        ),
        Change::Unwrapped => (
            "does not repeat, but is an array of one; taken as that one",
            "give the value itself, without brackets",
        ),
        Change::Split => (
            "has several values; taken as one extension for each",
            "repeat the extension, with one value each",
        ),
    };
    let mut location = String::new();
    place.print(&mut location);
    let what = format!("`{underscore}{}` {what}", place.name);
    Issue::warning(Fault::Structure, what)
        .at(location)
        .mend(remedy)
}

/// Whether a member with `_` may stand beside the element.
fn has_sibling(child: Child) -> bool {
    child.definition.kind == TypeKind::Primitive && !child.element.is_attribute
}

/// Whether brackets are all that can be wrong: the value is of the kind that the element has.
fn fits(value: Value<'_>, child: Child, part: Part) -> bool {
    let kind = match (child.definition.kind, part) {
        (TypeKind::Primitive, Part::Value) => {
            Primitive::named(child.definition.name).map(|it| it.kind)
        }
        _ => Some(Kind::Object),
    };
    kind == Some(value.kind())
}

/// Whether the other part of the element is absent or stands for one value too. Otherwise it is
/// not known to which of several values a sibling belongs.
fn is_alone(object: Value<'_>, member: &Member<'_>, part: Part) -> bool {
    let other = match part {
        Part::Value => object.sibling(&member.name),
        Part::Sibling => object.get(member.name.trim_start_matches('_')),
    };
    other.is_none_or(|it| match it.kind() {
        Kind::Array => only(it).is_some(),
        kind => kind != Kind::Null,
    })
}

/// The item of an array that has exactly one.
fn only(array: Value<'_>) -> Option<Value<'_>> {
    let mut items = array.items();
    let first = items.next()?;
    items.next().is_none().then_some(first)
}
