//! From the syntax tree of an expression to typed ways.
//!
//! The subset of FHIRPath that search parameters are written in: names, choices narrowed by `as`
//! and `ofType`, `where` with a type of reference, a text or an existence, `extension(url)`, an
//! index, unions, `%resource`, and `x.exists() and x != false`.
//! <https://hl7.org/fhir/R4/searchparameter-definitions.html#SearchParameter.expression>

use fhir::definitions::{ElementDefinition, Shape, TypeDefinition};
use fhir::fhirpath::ast::{Expression, ExpressionKind, Literal, Operator, TypeOperator};
use fhir::fhirpath::{FhirPath, NamedType, TypeSpecifier};
use fhir::{Definitions, FhirVersion};

use super::{Condition, ProgramFault, Step, Way, spelled};
use crate::value::{Datatype, Kind};

/// An alternative of an expression, in normal form, and the places to which it leads.
#[derive(Debug, Clone)]
pub(crate) struct Term {
    /// What it says, whatever way it was written.
    pub(crate) text: String,
    /// Where it leads: a choice leads to several places.
    pub(crate) places: Vec<Place>,
}

/// Elements of one type.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) way: Way,
    /// The type's name.
    pub(crate) type_name: &'static str,
    shape: Shape,
    element: Option<&'static ElementDefinition>,
    /// Whether there is one at most in a resource.
    is_single: bool,
    /// Whether that is so one step before.
    was_single: bool,
}

impl Place {
    /// What is known of the elements, if they have a datatype that can be indexed.
    pub(crate) fn kind(&self, version: FhirVersion) -> Option<Kind> {
        Some(Kind {
            datatype: Datatype::named(self.type_name, version)?,
            system: self.element.and_then(|it| system(it, self.type_name)),
        })
    }
}

/// The system of all codes that an element may have.
fn system(element: &ElementDefinition, type_name: &str) -> Option<&'static str> {
    let codes = element.binding.as_ref()?.codes?;
    let first = codes.first()?;
    let is_one = codes.iter().all(|it| it.system == first.system);
    (type_name == "code" && is_one).then_some(first.system)
}

type Terms = Result<Vec<Term>, ProgramFault>;

/// Compiles expressions for one resource type.
pub(crate) struct Compiler {
    definitions: &'static Definitions,
    resource: &'static TypeDefinition,
}

impl Compiler {
    pub(crate) fn new(
        definitions: &'static Definitions,
        resource: &'static TypeDefinition,
    ) -> Self {
        Self {
            definitions,
            resource,
        }
    }

    /// The alternatives of an expression that begin at the resource type.
    pub(crate) fn expression(&self, text: &str) -> Terms {
        let terms = self.relative(text, &[self.whole(self.resource.name, None)])?;
        if terms.is_empty() {
            return Err(ProgramFault::OtherType(self.resource.name));
        }
        Ok(terms)
    }

    /// The alternatives of an expression whose names begin at what others lead to; their ways
    /// begin there, too.
    pub(crate) fn below(&self, text: &str, bases: &[Term]) -> Result<Vec<Vec<Term>>, ProgramFault> {
        let below = |base: &Term| self.relative(text, &[base.beginning()]);
        bases.iter().map(below).collect()
    }

    fn relative(&self, text: &str, this: &[Term]) -> Terms {
        let parsed = FhirPath::compile(text, Some(self.definitions.version()));
        let parsed = parsed.map_err(ProgramFault::Parse)?;
        self.terms(parsed.expression(), this)
    }

    /// The resource itself.
    fn whole(&self, text: &str, step: Option<Step>) -> Term {
        Term {
            text: text.to_owned(),
            places: vec![Place {
                way: step.into_iter().collect(),
                type_name: self.resource.name,
                shape: self.resource.shape,
                element: None,
                is_single: true,
                was_single: true,
            }],
        }
    }

    fn terms(&self, expression: &Expression, this: &[Term]) -> Terms {
        let of = |of: &Option<Box<Expression>>| match of {
            Some(of) => self.terms(of, this),
            None => Ok(this.to_vec()),
        };
        match &expression.kind {
            ExpressionKind::Member { of: None, name } if self.is_type(name) => {
                Ok(self.start(name).into_iter().collect())
            }
            ExpressionKind::Member { of: before, name } => self.member(of(before)?, name),
            ExpressionKind::Type {
                operator: TypeOperator::As | TypeOperator::OfType,
                of: before,
                specifier,
            } => self.narrowed(of(before)?, specifier),
            ExpressionKind::Binary {
                operator: Operator::Union,
                left,
                right,
            } => {
                let mut terms = self.terms(left, this)?;
                terms.extend(self.terms(right, this)?);
                Ok(terms)
            }
            ExpressionKind::Binary {
                operator: Operator::And,
                left,
                right,
            } => self.truth(left, right, this),
            ExpressionKind::Call {
                of: before,
                function,
                arguments,
                ..
            } => self.call(of(before)?, function.name, arguments),
            ExpressionKind::Indexer { of, index } => indexed(self.terms(of, this)?, index),
            ExpressionKind::Variable(name) if name == "resource" => {
                Ok(vec![self.whole("%resource", Some(Step::Resource))])
            }
            _ => Err(not_walkable("this operator")),
        }
    }

    fn is_type(&self, name: &str) -> bool {
        name.starts_with(|it: char| it.is_ascii_uppercase())
            && self.definitions.type_named(name).is_some()
    }

    /// Types other than that of the resource lead to nothing in it.
    fn start(&self, name: &str) -> Option<Term> {
        let is_own = self.lineage(self.resource.name).any(|it| it.name == name);
        is_own.then(|| self.whole(name, None))
    }

    /// A type and those that it specialises.
    fn lineage(&self, name: &str) -> impl Iterator<Item = &'static TypeDefinition> {
        let definitions = self.definitions;
        let base = |it: &&'static TypeDefinition| it.base.and_then(|it| definitions.type_named(it));
        std::iter::successors(definitions.type_named(name), base)
    }

    fn member(&self, terms: Vec<Term>, name: &str) -> Terms {
        let step = |place: &Place| {
            let elements = self.definitions.elements(place.shape).iter();
            let elements = elements.filter(|it| it.name == name);
            elements.flat_map(|it| place.children(it)).collect()
        };
        each_place(terms, &dotted(name), step)
    }

    fn narrowed(&self, terms: Vec<Term>, specifier: &TypeSpecifier) -> Terms {
        let NamedType::Fhir(wanted) = specifier.named else {
            return Err(ProgramFault::YieldsNothing(specifier.text.clone()));
        };
        let step = |place: &Place| {
            let is_resource = place.type_name == "Resource";
            let mut place = place.clone();
            if is_resource && self.definitions.resource(wanted.name).is_some() {
                place
                    .way
                    .push(Step::Where(Condition::IsResource(wanted.name)));
                place.shape = wanted.shape;
                return vec![place];
            }
            let is_wanted = self
                .lineage(place.type_name)
                .any(|it| it.name == wanted.name);
            if is_wanted { vec![place] } else { Vec::new() }
        };
        each_place(terms, &format!(".ofType({})", wanted.name), step)
    }

    fn call(&self, terms: Vec<Term>, function: &str, arguments: &[Expression]) -> Terms {
        match (function, arguments) {
            ("where", [condition]) => self.filtered(terms, condition),
            ("extension", [url]) => {
                let url = string(url)?;
                let condition = Condition::Reads("url".into(), url.into());
                let terms = self.member(terms, "extension")?;
                let suffix = format!("('{url}')");
                each_place(terms, &suffix, |it| vec![it.at(condition.clone())])
            }
            ("first", []) => nth(terms, 0),
            _ => Err(not_walkable(&format!("`{function}()`"))),
        }
    }

    fn filtered(&self, terms: Vec<Term>, condition: &Expression) -> Terms {
        let mut filtered = Vec::with_capacity(terms.len());
        for mut term in terms {
            let mut text = String::new();
            for place in &mut term.places {
                let (said, condition) = self.condition(condition, place)?;
                *place = place.at(condition);
                text = said;
            }
            term.text = [&term.text, ".where(", &text, ")"].concat();
            filtered.push(term);
        }
        Ok(filtered)
    }

    fn condition(
        &self,
        condition: &Expression,
        place: &Place,
    ) -> Result<(String, Condition), ProgramFault> {
        match &condition.kind {
            ExpressionKind::Type {
                operator: TypeOperator::Is,
                of: Some(of),
                specifier,
            } if is_resolve(of) => match specifier.named {
                NamedType::Fhir(it) => Ok((
                    format!("resolve() is {}", it.name),
                    Condition::RefersTo(it.name),
                )),
                _ => Err(ProgramFault::YieldsNothing(specifier.text.clone())),
            },
            ExpressionKind::Binary {
                operator: Operator::Equal,
                left,
                right,
            } => {
                let term = self.only_term(left, place)?;
                let [place] = &term.places[..] else {
                    return Err(not_walkable("a choice within `where()`"));
                };
                let [Step::Member(name)] = &place.way[..] else {
                    return Err(not_walkable("a path within `where()`"));
                };
                let text = string(right)?;
                let condition = Condition::Reads(name.clone(), text.into());
                Ok((format!("{} = '{text}'", term.text), condition))
            }
            ExpressionKind::Call {
                of: Some(of),
                function,
                ..
            } if function.name == "exists" => {
                let term = self.only_term(of, place)?;
                let ways = term.places.into_iter().map(|it| it.way).collect();
                Ok((format!("{}.exists()", term.text), Condition::Exists(ways)))
            }
            _ => Err(not_walkable("this condition")),
        }
    }

    fn only_term(&self, expression: &Expression, place: &Place) -> Result<Term, ProgramFault> {
        let terms = self.terms(expression, &[place.beginning()])?;
        let [term] = <[Term; 1]>::try_from(terms).map_err(|_| not_walkable("this condition"))?;
        Ok(term)
    }

    /// `x.exists() and x != false`
    fn truth(&self, left: &Expression, right: &Expression, this: &[Term]) -> Terms {
        let fault = || not_walkable("`and`, but as `x.exists() and x != false`");
        let (
            ExpressionKind::Call {
                of: Some(of),
                function,
                ..
            },
            ExpressionKind::Binary {
                operator: Operator::NotEqual,
                left,
                right,
            },
        ) = (&left.kind, &right.kind)
        else {
            return Err(fault());
        };
        let is_false = matches!(right.kind, ExpressionKind::Literal(Literal::Boolean(false)));
        let (one, other) = (self.terms(of, this)?, self.terms(left, this)?);
        let texts = |terms: &[Term]| terms.iter().map(|it| it.text.clone()).collect::<Vec<_>>();
        let text = texts(&one).join(" | ");
        if function.name != "exists" || !is_false || texts(&one) != texts(&other) {
            return Err(fault());
        }
        let Some(boolean) = self.definitions.type_named("boolean") else {
            return Err(fault());
        };
        let places = one.into_iter().flat_map(|it| it.places);
        let ways = places.map(|it| it.way).collect();
        let text = format!("{text}.exists() and {text} != false");
        let mut truth = self.whole(&text, Some(Step::Truth(ways)));
        for place in &mut truth.places {
            place.type_name = boolean.name;
            place.shape = boolean.shape;
        }
        Ok(vec![truth])
    }
}

impl Term {
    /// The same places, as where other ways begin.
    fn beginning(&self) -> Self {
        let places = self.places.iter().flat_map(|it| it.beginning().places);
        Self {
            text: String::new(),
            places: places.collect(),
        }
    }
}

impl Place {
    fn beginning(&self) -> Term {
        let mut place = self.clone();
        place.way.clear();
        Term {
            text: String::new(),
            places: vec![place],
        }
    }

    fn at(&self, condition: Condition) -> Self {
        let mut place = self.clone();
        place.way.push(Step::Where(condition));
        place.was_single = false;
        place
    }

    /// The places of the element below this one, by type.
    fn children(&self, element: &'static ElementDefinition) -> impl Iterator<Item = Self> {
        element.types.iter().map(move |it| {
            let mut way = self.way.clone();
            way.push(Step::Member(spelled(element, it.name).into()));
            Self {
                way,
                type_name: it.name,
                shape: it.shape,
                element: Some(element),
                is_single: self.is_single && element.max == Some(1),
                was_single: self.is_single,
            }
        })
    }
}

/// Takes a step from every place; an alternative that leads nowhere is a fault.
fn each_place(terms: Vec<Term>, suffix: &str, step: impl Fn(&Place) -> Vec<Place>) -> Terms {
    let stepped = terms.into_iter().map(|term| {
        let before = term.text;
        let suffix = if before.is_empty() {
            suffix.trim_start_matches('.')
        } else {
            suffix
        };
        let text = before + suffix;
        let places: Vec<Place> = term.places.iter().flat_map(&step).collect();
        if places.is_empty() {
            return Err(ProgramFault::YieldsNothing(text));
        }
        Ok(Term { text, places })
    });
    stepped.collect()
}

fn indexed(terms: Vec<Term>, index: &Expression) -> Terms {
    let place = match index.kind {
        ExpressionKind::Literal(Literal::Integer(place)) => usize::try_from(place).ok(),
        _ => None,
    };
    nth(
        terms,
        place.ok_or_else(|| not_walkable("a computed index"))?,
    )
}

/// One item of what the last step leads to: there must be one list of it.
fn nth(terms: Vec<Term>, index: usize) -> Terms {
    let is_listed = |it: &Place| it.was_single && matches!(it.way.last(), Some(Step::Member(_)));
    if !terms.iter().flat_map(|it| &it.places).all(is_listed) {
        return Err(not_walkable("an index into lists of lists"));
    }
    each_place(terms, &format!("[{index}]"), |place| {
        let mut place = place.clone();
        if let Some(Step::Member(name)) = place.way.pop() {
            place.way.push(Step::Item(name, index));
        }
        place.is_single = true;
        vec![place]
    })
}

fn dotted(name: &str) -> String {
    [".", name].concat()
}

fn is_resolve(expression: &Expression) -> bool {
    match &expression.kind {
        ExpressionKind::Call {
            of: None, function, ..
        } => function.name == "resolve",
        _ => false,
    }
}

fn string(expression: &Expression) -> Result<&str, ProgramFault> {
    match &expression.kind {
        ExpressionKind::Literal(Literal::String(text)) => Ok(text),
        _ => Err(not_walkable("a computed text")),
    }
}

fn not_walkable(what: &str) -> ProgramFault {
    ProgramFault::NotWalkable(what.to_owned())
}
