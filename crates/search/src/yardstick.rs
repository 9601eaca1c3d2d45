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

use crate::query::{
    Condition, Contained, Context, Handling, Presence, Query, QueryLimits, Referrer, Sense, Value,
    Words, criterion,
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

/// Evaluates queries over a world of resources.
pub struct Yardstick<'w> {
    definitions: &'static Definitions,
    registry: &'static Registry,
    bases: &'w Bases,
    now: Instant,
    world: &'w [Stored],
    compiled: RefCell<BTreeMap<&'static str, Rc<FhirPath>>>,
    led_to: RefCell<BTreeMap<Place, Rc<LedTo>>>,
}

/// A row, the type and id of the resource or of what it contains, and a parameter.
type Place = (u64, &'static str, Box<str>, &'static str);

/// What references lead to.
#[derive(Default)]
struct LedTo {
    /// Types and ids of what is here, if it exists.
    here: BTreeSet<(String, String)>,
    /// The canonical URLs of what is published.
    named: BTreeSet<String>,
}

/// Stands for the resource in the middle of its compartment.
const ITSELF: &str = "{def}";

/// What a place in a resource is compared with.
type Test<'t> = dyn Fn(&Element<'_>) -> bool + 't;

impl<'w> Yardstick<'w> {
    /// Over these resources; `now` is the time of the request.
    pub fn new(version: FhirVersion, bases: &'w Bases, now: Instant, world: &'w [Stored]) -> Self {
        Self {
            definitions: Definitions::of(version),
            registry: Registry::of(version),
            bases,
            now,
            world,
            compiled: RefCell::default(),
            led_to: RefCell::default(),
        }
    }

    /// Whether a resource belongs to the compartment of the one of that type and id.
    /// <https://hl7.org/fhir/R4/compartmentdefinition.html>
    pub fn is_within(&self, stored: &Stored, of: &'static str, id: &str) -> bool {
        if stored.kind == of && *stored.id == *id {
            return true;
        }
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

    /// The places in the world of all that match, in the order that the query asks for. Pages and
    /// `_maxresults` are left to the caller; the length is the total.
    pub fn matches(&self, types: &[&str], query: &Query) -> Vec<usize> {
        let wanted = query.result.types.as_ref();
        let mut found: Vec<usize> = (0..self.world.len())
            .filter(|&at| {
                let stored = &self.world[at];
                let is_asked = |stored: &Stored| {
                    types.contains(&stored.kind)
                        && wanted.is_none_or(|it| it.contains(&stored.kind))
                };
                let all = |meets: &dyn Fn(&Condition) -> bool| {
                    query.criteria.iter().all(|it| meets(&it.condition))
                };
                let is_match = query.result.contained != Contained::True
                    && is_asked(stored)
                    && all(&|it| self.meets(stored, it));
                let looks_inside = query.result.contained != Contained::False;
                let is_inside =
                    |inner: &Stored| is_asked(inner) && all(&|it| self.meets_inside(inner, it));
                is_match || looks_inside && contained::of(stored).iter().any(is_inside)
            })
            .collect();
        self.sort(&mut found, &query.result.sort);
        found
    }

    /// Whether a resource meets a condition.
    pub fn meets(&self, stored: &Stored, condition: &Condition) -> bool {
        match condition {
            Condition::Ids(ids) => ids.contains(&stored.id),
            Condition::Updated(tests) => tests
                .iter()
                .any(|it| ranges::dates(it, (stored.updated, stored.updated), self.now)),
            Condition::Partition { part, of } => stored.row % of == *part,
            Condition::Lists(ids) => ids.iter().any(|it| self.is_listed(it, stored)),
            Condition::NotReferenced(by) => !by.iter().any(|it| self.is_referred_to(it, stored)),
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
                let is_target = |other: &Stored| {
                    targets.contains(&other.kind)
                        && self.refers(stored, code, other)
                        && self.meets(other, condition)
                };
                let is_inside = |inner: &Stored| {
                    targets.contains(&inner.kind)
                        && self.refers_inside(stored, code, inner)
                        && self.meets_inside(inner, condition)
                };
                self.world.iter().any(is_target) || contained::of(stored).iter().any(is_inside)
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
            Words::Has(word) => {
                let expression = match code {
                    "_text" => "text.div",
                    _ => "descendants()",
                };
                self.any_item(expression, self.root(stored), &|item| {
                    let text = element::text_for_people(item).map(|it| fold(&it));
                    text.is_some_and(|it| words(&it).any(|it| it == &**word))
                })
            }
        }
    }

    /// Whether the parameter of one resource refers to another one.
    fn refers(&self, stored: &Stored, code: &str, other: &Stored) -> bool {
        let Some(definition) = self.definition(stored.kind, code) else {
            return false;
        };
        may_lead_to(definition, other.kind) && {
            let led_to = self.led_to(stored, definition);
            let place = (other.kind.to_owned(), other.id.to_string());
            let mut names = self.names(other).into_iter();
            led_to.here.contains(&place) || names.any(|it| led_to.named.contains(&it))
        }
    }

    /// What the references of a parameter lead to.
    fn led_to(&self, stored: &Stored, definition: &'static SearchParameter) -> Rc<LedTo> {
        let id = stored.id.clone();
        let key = (stored.row, stored.kind, id, definition.code);
        if let Some(known) = self.led_to.borrow().get(&key) {
            return Rc::clone(known);
        }
        let found = RefCell::new(LedTo::default());
        self.any(stored, definition, &|it| {
            let mut found = found.borrow_mut();
            let here = it.local_target(self.bases, self.definitions);
            found.here.extend(here);
            found.named.extend(it.name(self.definitions));
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

    /// The canonical URLs of what is published, without and with its version.
    fn names(&self, stored: &Stored) -> Vec<String> {
        let content = stored.content.root();
        let text = |name| content.get(name).and_then(fhir::json::Value::as_str);
        let resource = self.definitions.resource(stored.kind);
        let publisher = resource.and_then(|it| self.definitions.child(it.shape, "publisher"));
        let Some(url) = text("url").filter(|_| publisher.is_some()) else {
            return Vec::new();
        };
        let whole = text("version").map(|version| format!("{url}|{version}"));
        whole.into_iter().chain([url.into_owned()]).collect()
    }

    fn is_referred_to(&self, by: &Referrer, stored: &Stored) -> bool {
        self.world.iter().any(|other| {
            by.kind.is_none_or(|it| it == other.kind)
                && self.reference_codes(other.kind).any(|code| {
                    by.code.is_none_or(|it| it == code) && self.refers(other, code, stored)
                })
        })
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
