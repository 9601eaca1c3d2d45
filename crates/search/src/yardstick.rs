//! The slow, obvious evaluator of queries: what a provider's answers are measured with.
//!
//! It goes through resources in memory in nested loops, evaluates the expression of each parameter
//! with the FHIRPath interpreter, and compares element by element. With the fast path it shares the
//! query parser and primitives (numbers, units, periods of dates, folding of texts, what a
//! reference points to), and no slots, entries, extraction or plan. Nothing is indexed; nothing is
//! kept but compiled expressions and, once they were asked for, what references lead to. It takes
//! part in no answer to a client.
//! <https://hl7.org/fhir/R4/search.html>

mod codes;
mod contained;
mod element;
mod includes;
mod order;
mod ranges;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use fhir::definitions::SearchParameter;
use fhir::fhirpath::{AsOperator, Environment, FhirPath, Item, Lookup, LookupError, Node};
use fhir::json::{Document, Limits};
use fhir::{Definitions, FhirVersion, Instant};

use crate::entry::RecordId;
use crate::query::{
    Condition, Context, Handling, Presence, Query, QueryLimits, Referrer, Sense, Value, Words,
    criterion,
};
use crate::reference::Bases;
use crate::registry::Registry;
use crate::text::{fold, words};

use element::Element;

/// A live resource of the world that is searched.
pub struct Stored {
    /// Its type.
    pub kind: &'static str,
    /// Its id.
    pub id: Box<str>,
    /// When it was written, in microseconds since 1970.
    pub updated: i64,
    /// Its row; without a sort key, rows come in ascending order.
    pub row: u64,
    /// Its content, without what the server adds.
    pub content: Document,
}

/// What a query finds: a resource of the world, or one that it contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The place of the resource in the world.
    pub at: usize,
    /// The id of what it contains, where contained resources are wanted by themselves.
    pub contained: Option<Box<str>>,
}

/// Type and id of the resource in the middle of a compartment.
pub type Middle<'m> = (&'static str, &'m str);

/// Evaluates queries over a world of resources.
pub struct Yardstick<'w> {
    definitions: &'static Definitions,
    registry: &'static Registry,
    bases: &'w Bases,
    now: Instant,
    world: &'w [Stored],
    /// The places in the world, by type and id.
    places: BTreeMap<(&'static str, &'w str), usize>,
    /// The places of what is published, by canonical URL.
    published: BTreeMap<String, Vec<usize>>,
    /// The value sets and code systems.
    terminology: Vec<&'w Stored>,
    /// What each of the world contains.
    contained: Vec<Vec<Stored>>,
    /// What each Bundle of the world begins with.
    begins: Vec<Option<Stored>>,
    compiled: RefCell<BTreeMap<&'static str, Rc<FhirPath>>>,
    led_to: RefCell<BTreeMap<Place, Rc<LedTo>>>,
    referred_to: RefCell<BTreeMap<Referrer, Rc<BTreeSet<u64>>>>,
}

/// Where a resource of the world, or what one contains, lies in memory, and a parameter.
type Place = (usize, &'static str);

/// What references lead to.
#[derive(Default)]
struct LedTo {
    /// Types and ids of what is here, if it exists.
    here: BTreeSet<(String, String)>,
    /// The places of what does, by type and id or by canonical URL.
    places: BTreeSet<usize>,
    /// The ids of what is contained in the same resource.
    inside: BTreeSet<String>,
}

/// Stands for the resource in the middle of its compartment.
const ITSELF: &str = "{def}";

/// What a place in a resource is compared with.
type Test<'t> = dyn Fn(&Element<'_>) -> bool + 't;

impl<'w> Yardstick<'w> {
    /// Over these resources; `now` is the time of the request.
    pub fn new(version: FhirVersion, bases: &'w Bases, now: Instant, world: &'w [Stored]) -> Self {
        let definitions = Definitions::of(version);
        let places = world.iter().enumerate();
        let mut published: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, stored) in world.iter().enumerate() {
            for name in names(definitions, stored) {
                published.entry(name).or_default().push(at);
            }
        }
        Self {
            definitions,
            registry: Registry::of(version),
            bases,
            now,
            world,
            places: places.map(|(at, it)| ((it.kind, &*it.id), at)).collect(),
            published,
            terminology: world.iter().filter(|it| codes::defines(it)).collect(),
            contained: world.iter().map(contained::of).collect(),
            begins: world.iter().map(contained::first_of).collect(),
            compiled: RefCell::default(),
            led_to: RefCell::default(),
            referred_to: RefCell::default(),
        }
    }

    /// Whether a resource belongs to the compartment of this one.
    /// <https://hl7.org/fhir/R4/compartmentdefinition.html>
    fn is_within(&self, stored: &Stored, (of, id): Middle<'_>) -> bool {
        let compartment = self.definitions.compartment(of);
        let codes = compartment.map_or(&[][..], |it| it.parameters(stored.kind));
        let middle = format!("{of}/{id}");
        let context = Context {
            version: self.definitions.version(),
            types: &[stored.kind],
            bases: self.bases,
            handling: Handling::Strict,
            limits: QueryLimits::default(),
        };
        codes.iter().filter(|it| **it != ITSELF).any(|code| {
            let leads_there = criterion(code, &middle, &context);
            leads_there.is_ok_and(|it| self.meets(stored, &it.condition))
        })
    }

    /// All that match of these types, perhaps within a compartment, in the order that the query asks
    /// for. Pages and `_maxresults` are left to the caller; the length is the total.
    pub fn matches(&self, types: &[&str], within: Option<Middle<'_>>, query: &Query) -> Vec<Match> {
        let is_middle = |it: &Stored| within.is_some_and(|of| (it.kind, &*it.id) == of);
        let meets = |it: &Stored| {
            let mut criteria = query.criteria.iter();
            criteria.all(|criterion| self.meets(it, &criterion.condition))
                && within.is_none_or(|of| is_middle(it) || self.is_within(it, of))
        };
        let meets_inside = |it: &Stored| {
            let mut criteria = query.criteria.iter();
            criteria.all(|criterion| self.meets_inside(it, &criterion.condition))
                && within.is_none_or(|of| self.is_within(it, of))
        };
        let mut found = Vec::new();
        for (at, stored) in self.world.iter().enumerate() {
            let mut asked = self.asked(at, types, query);
            asked.itself = asked.itself && meets(stored);
            asked.inner.retain(|it| meets_inside(it));
            if asked.itself || !asked.inner.is_empty() {
                found.push((at, asked));
            }
        }
        self.sort(&mut found, types, query);
        let each = found.into_iter();
        each.flat_map(|(at, asked)| asked.given(at, query.result.contained_type))
            .collect()
    }

    /// How much could match: what is searched of these types.
    pub fn candidates(&self, types: &[&str], query: &Query) -> usize {
        let given = (0..self.world.len()).map(|at| {
            let asked = self.asked(at, types, query);
            asked.given(at, query.result.contained_type).len()
        });
        given.sum()
    }

    /// Whether a resource meets a condition.
    fn meets(&self, stored: &Stored, condition: &Condition) -> bool {
        match condition {
            Condition::Ids { sense, ids } => ids.contains(&stored.id) == (*sense == Sense::Plain),
            Condition::Updated(tests) => tests
                .iter()
                .any(|it| ranges::dates(it, (stored.updated, stored.updated), self.now)),
            Condition::Partition { part, of } => {
                // What is contained is where its container is.
                let whole = self.world.iter().find(|it| it.row == stored.row);
                whole.is_some_and(|it| RecordId::part(&it.id, *of) == *part)
            }
            Condition::Lists(ids) => ids.iter().any(|it| self.is_listed(it, stored)),
            Condition::NotReferenced(by) => {
                let mut by = by.iter();
                !by.any(|it| self.referred_to(*it).contains(&stored.row))
            }
            Condition::Missing { code, presence } => match presence {
                Presence::Absent => !self.is_present(stored, code),
                Presence::Present => self.is_present(stored, code),
            },
            Condition::Matches {
                code,
                sense,
                any_of,
            } => {
                let any = any_of.iter().any(|it| self.has(stored, code, it));
                any == (*sense == Sense::Plain)
            }
            Condition::Chain {
                code,
                targets,
                condition,
            } => {
                let is_target =
                    |other: &Stored| targets.contains(&other.kind) && self.meets(other, condition);
                let is_inside = |inner: &Stored| {
                    targets.contains(&inner.kind)
                        && self.refers_inside(stored, code, inner)
                        && self.meets_inside(inner, condition)
                };
                if let Some(held) = self.held(stored, code) {
                    return targets.contains(&held.kind) && self.meets_inside(held, condition);
                }
                self.targets(stored, code).any(is_target)
                    || self.inside(stored).iter().any(is_inside)
            }
            Condition::Has {
                kind,
                code,
                condition,
            } => self.world.iter().any(|other| {
                other.kind == *kind
                    && self.refers(other, code, stored)
                    && self.meets(other, condition)
            }),
        }
    }

    /// Whether there is anything that the parameter could be searched by.
    fn is_present(&self, stored: &Stored, code: &str) -> bool {
        let Some(definition) = self.definition(stored.kind, code) else {
            return false;
        };
        match code {
            "_id" | "_lastUpdated" => return true,
            "_text" | "_content" => return self.has_word(stored, code, &|_| true),
            _ => {}
        }
        let parts = self.registry.components(definition);
        if parts.is_empty() {
            return self.any(stored, definition, &|_| true);
        }
        self.any_base(stored, definition, &|base| {
            parts.iter().all(|part| {
                let of = self.definitions.search_parameter_at(part.definition);
                of.is_some_and(|of| self.any_at(part.expression, base, of, &|_| true))
            })
        })
    }

    /// Whether a value of the parameter passes the test.
    fn has(&self, stored: &Stored, code: &str, value: &Value) -> bool {
        let Some(definition) = self.definition(stored.kind, code) else {
            return false;
        };
        match value {
            Value::Words(words) => self.has_words(stored, code, words),
            Value::Composite(values) => self.has_composite(stored, definition, values),
            Value::TokenText { text, .. } if value.is_of_words() => {
                let folded = fold(text);
                words(&folded).all(|word| {
                    let contains = |it: &Element<'_>| {
                        let mut texts = it.token_texts().into_iter();
                        texts.any(|it| fold(&it).contains(word))
                    };
                    self.any(stored, definition, &contains)
                })
            }
            _ => self.any(stored, definition, &|element| {
                self.passes(element, definition, value)
            }),
        }
    }

    /// The components lie together at one place of the composite's own expression.
    fn has_composite(
        &self,
        stored: &Stored,
        definition: &'static SearchParameter,
        values: &[Value],
    ) -> bool {
        let parts = self.registry.components(definition);
        self.any_base(stored, definition, &|base| {
            parts.iter().zip(values).all(|(part, value)| {
                let of = self.definitions.search_parameter_at(part.definition);
                of.is_some_and(|of| {
                    let passes = |it: &Element<'_>| self.passes(it, of, value);
                    self.any_at(part.expression, base, of, &passes)
                })
            })
        })
    }

    fn has_words(&self, stored: &Stored, code: &str, wanted: &Words) -> bool {
        match wanted {
            Words::All(all) => all.iter().all(|it| self.has_words(stored, code, it)),
            Words::Any(any) => any.iter().any(|it| self.has_words(stored, code, it)),
            Words::Not(not) => !self.has_words(stored, code, not),
            Words::Has(word) => self.has_word(stored, code, &|it| it == &**word),
        }
    }

    /// Whether a word of the narrative, or of all texts, passes the test.
    fn has_word(&self, stored: &Stored, code: &str, test: &dyn Fn(&str) -> bool) -> bool {
        let expression = match code {
            "_text" => "text.div",
            _ => "descendants()",
        };
        self.any_item(expression, self.root(stored), &|item| {
            let text = element::text_for_people(item).map(|it| fold(&it));
            text.is_some_and(|it| words(&it).any(test))
        })
    }

    /// What the parameter of a resource refers to.
    fn targets(&self, stored: &Stored, code: &str) -> impl Iterator<Item = &'w Stored> {
        let definition = self.definition(stored.kind, code);
        let led_to = definition.map(|it| (it, self.led_to(stored, it)));
        led_to.into_iter().flat_map(|(definition, led_to)| {
            let targets = led_to.places.iter().map(|at| &self.world[*at]);
            let targets = targets.filter(|it| may_lead_to(definition, it.kind));
            targets.collect::<Vec<_>>()
        })
    }

    /// Whether the parameter of one resource refers to another one.
    fn refers(&self, stored: &Stored, code: &str, other: &Stored) -> bool {
        let mut targets = self.targets(stored, code);
        targets.any(|it| it.row == other.row)
    }

    /// What the references of a parameter lead to.
    fn led_to(&self, stored: &Stored, definition: &'static SearchParameter) -> Rc<LedTo> {
        let key = (std::ptr::from_ref(stored).addr(), definition.code);
        if let Some(known) = self.led_to.borrow().get(&key) {
            return Rc::clone(known);
        }
        let found = RefCell::new(LedTo::default());
        self.any(stored, definition, &|it| {
            let mut found = found.borrow_mut();
            let name = it.name(self.definitions);
            let named = name.and_then(|it| self.published.get(&it));
            found.places.extend(named.into_iter().flatten());
            if let Some((kind, id)) = it.local_target(self.bases, self.definitions) {
                found.places.extend(self.place(&kind, &id));
                found.here.insert((kind, id));
            }
            let inside = it
                .link()
                .and_then(|it| Some(it.strip_prefix('#')?.to_owned()));
            found.inside.extend(inside);
            false
        });
        let found = Rc::new(found.into_inner());
        self.led_to.borrow_mut().insert(key, Rc::clone(&found));
        found
    }

    fn leads_to(&self, element: &Element<'_>, other: &Stored) -> bool {
        let target = element.local_target(self.bases, self.definitions);
        target.is_some_and(|it| it.0 == other.kind && *it.1 == *other.id)
    }

    /// The place in the world of the resource of that type and id.
    fn place(&self, kind: &str, id: &str) -> Option<usize> {
        let kind = self.definitions.resource(kind)?.name;
        self.places.get(&(kind, id)).copied()
    }

    /// The rows of everything in the world that is referred to so.
    fn referred_to(&self, by: Referrer) -> Rc<BTreeSet<u64>> {
        if let Some(known) = self.referred_to.borrow().get(&by) {
            return Rc::clone(known);
        }
        let sources = self.world.iter();
        let sources = sources.filter(|it| by.kind.is_none_or(|kind| kind == it.kind));
        let mut found = BTreeSet::new();
        for source in sources {
            let codes = self.reference_codes(source.kind);
            for code in codes.filter(|it| by.code.is_none_or(|code| code == *it)) {
                found.extend(self.targets(source, code).map(|it| it.row));
            }
        }
        let found = Rc::new(found);
        self.referred_to.borrow_mut().insert(by, Rc::clone(&found));
        found
    }

    fn is_listed(&self, list: &str, stored: &Stored) -> bool {
        let is_listed = "entry.where(deleted.exists().not() or deleted = false).item";
        self.world.iter().any(|other| {
            other.kind == "List"
                && *other.id == *list
                && self.any_item(is_listed, self.root(other), &|item| {
                    Element::of(item).is_some_and(|it| self.leads_to(&it, stored))
                })
        })
    }

    /// The parameters of references that a type has.
    fn reference_codes(&self, kind: &str) -> impl Iterator<Item = &'static str> {
        let all = self.registry.parameters(kind).iter();
        let references =
            all.filter(|it| it.definition.search_type == fhir::definitions::SearchType::Reference);
        references.map(|it| it.definition.code)
    }

    fn definition(&self, kind: &str, code: &str) -> Option<&'static SearchParameter> {
        Some(self.registry.named(kind, code)?.definition)
    }

    fn root<'r>(&self, stored: &'r Stored) -> Node<'r> {
        Node::resource(self.definitions, stored.content.root())
    }

    /// Whether an element of the parameter passes the test.
    fn any(&self, stored: &Stored, definition: &SearchParameter, test: &Test<'_>) -> bool {
        let expression = self.registry.expression(definition);
        expression.is_some_and(|it| self.any_at(it, self.root(stored), definition, test))
    }

    /// The same with an expression below a place.
    fn any_at(
        &self,
        expression: &'static str,
        from: Node<'_>,
        definition: &SearchParameter,
        test: &Test<'_>,
    ) -> bool {
        let passes = |item: &Item<'_>| {
            let element = Element::of(item);
            element.is_some_and(|it| it.is_for(definition.search_type) && test(&it))
        };
        operands(expression)
            .into_iter()
            .any(|it| self.any_item(it, from, &passes))
    }

    /// Whether one of the places that a composite is about passes the test.
    fn any_base(
        &self,
        stored: &Stored,
        definition: &SearchParameter,
        test: &dyn Fn(Node<'_>) -> bool,
    ) -> bool {
        let expression = self.registry.expression(definition);
        expression.is_some_and(|expression| {
            self.any_item(expression, self.root(stored), &|item| match item {
                Item::Node(node) => test(*node),
                _ => false,
            })
        })
    }

    /// # Panics
    /// If the expression cannot be compiled or evaluated: those of the definitions can.
    fn any_item(
        &self,
        expression: &'static str,
        from: Node<'_>,
        test: &dyn Fn(&Item<'_>) -> bool,
    ) -> bool {
        let lookup = OfTheirTypes(self.definitions);
        let mut environment = Environment::with_lookup(self.now, &lookup);
        environment.as_operator = AsOperator::EachItem;
        let path = self.path(expression);
        let found = path.evaluate(Item::Node(from), &environment);
        let found = found.expect("an expression of the definitions can be evaluated");
        found.iter().any(test)
    }

    fn path(&self, expression: &'static str) -> Rc<FhirPath> {
        let mut compiled = self.compiled.borrow_mut();
        let path = compiled.entry(expression).or_insert_with(|| {
            let path = FhirPath::compile(expression, Some(self.definitions.version()));
            Rc::new(path.expect("an expression of the definitions can be compiled"))
        });
        Rc::clone(path)
    }
}

/// The operands of the unions that an expression is. FHIRPath's union drops what equals another
/// item, 80000 g beside 80 kg, and both can be searched for.
fn operands(expression: &str) -> Vec<&str> {
    let (mut depth, mut is_text, mut start) = (0_usize, false, 0);
    let mut operands = Vec::new();
    for (at, letter) in expression.char_indices() {
        match letter {
            '\'' => is_text = !is_text,
            '(' if !is_text => depth += 1,
            ')' if !is_text => depth -= 1,
            '|' if !is_text && depth == 0 => {
                operands.push(expression[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    operands.push(expression[start..].trim());
    operands
}

/// Whether a parameter may refer to resources of that type.
fn may_lead_to(definition: &SearchParameter, kind: &str) -> bool {
    definition.targets.is_empty() || definition.targets.contains(&kind)
}

/// The canonical URLs of what is published, without and with its version.
fn names(definitions: &Definitions, stored: &Stored) -> Vec<String> {
    let content = stored.content.root();
    let text = |name| content.get(name).and_then(fhir::json::Value::as_str);
    let resource = definitions.resource(stored.kind);
    let publisher = resource.and_then(|it| definitions.child(it.shape, "publisher"));
    let Some(url) = text("url").filter(|_| publisher.is_some()) else {
        return Vec::new();
    };
    let whole = text("version").map(|version| format!("{url}|{version}"));
    whole.into_iter().chain([url.into_owned()]).collect()
}

/// Resolves a literal reference to an empty resource of its type, for `resolve() is Patient`.
struct OfTheirTypes(&'static Definitions);

impl Lookup for OfTheirTypes {
    fn resolve(&self, reference: &str) -> Result<Option<Document>, LookupError> {
        let unversioned = reference.split("/_history/").next().unwrap_or_default();
        let name = unversioned.rsplit('/').nth(1).unwrap_or_default();
        let Some(kind) = self.0.resource(name) else {
            return Ok(None);
        };
        let text = format!(r#"{{"resourceType":"{}"}}"#, kind.name);
        Ok(Document::parse(text.into(), &Limits::DEFAULT).ok())
    }
}
