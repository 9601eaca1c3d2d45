//! What can be said of an expression without data: the types that it may give, and what in it can
//! never be right for the type it starts from
//! (<https://hl7.org/fhirpath/N1/#type-safety-and-strict-evaluation>).
//!
//! Only what is surely wrong is an error: an element that none of the possible types has, text
//! functions of what is no text, a place in a collection without order. Cardinalities are not
//! looked at.

use std::fmt;

use super::FhirPath;
use super::ast::{Expression, ExpressionKind, Literal, Operator, Special, TypeOperator};
use super::fault::{Place, Span, meant};
use super::function::{Function, Gives, Input};
use super::types::{NamedType, SystemType, TypeSpecifier, is_kind_of};
use crate::definitions::{Definitions, Shape, TypeDefinition};

/// A type that an item may have.
#[derive(Debug, Clone, Copy)]
pub enum StaticType {
    /// One of FHIRPath's own.
    System(SystemType),
    /// One of the FHIR version, with the children that it may have here.
    Fhir {
        /// The type.
        definition: &'static TypeDefinition,
        /// The children.
        shape: Shape,
    },
}

/// The types that an expression may give.
#[derive(Debug, Clone)]
pub struct Types {
    /// The types; `None` where anything may come. An empty list means that nothing can.
    pub known: Option<Vec<StaticType>>,
    /// Whether the items have an order.
    ordered: bool,
}

/// What is surely wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckFault {
    /// No possible type has such an element.
    #[error("{types} has no element `{name}`{}", meant(suggestion.as_deref()))]
    Element {
        /// The element.
        name: String,
        /// The types that it was looked for in.
        types: String,
        /// The nearest that exists.
        suggestion: Option<String>,
    },
    /// An element of a choice by its name in JSON.
    #[error("`{name}` is written `{element}` in FHIRPath, or `{element}.ofType({type_name})`")]
    Choice {
        /// As written.
        name: String,
        /// The element.
        element: &'static str,
        /// Its type.
        type_name: &'static str,
    },
    /// A path that begins with the type of something else.
    #[error("the expression starts from {found}, not `{name}`")]
    Start {
        /// As written.
        name: String,
        /// What it starts from.
        found: String,
    },
    /// A function of something else.
    #[error("`{function}` needs {needs}, not {found}")]
    Input {
        /// The function.
        function: &'static str,
        /// What it needs.
        needs: &'static str,
        /// What it would get.
        found: String,
    },
    /// A place in a collection that has no order.
    #[error("`{0}` needs an order, which `children()` and `descendants()` do not give")]
    Order(&'static str),
    /// A condition that is no Boolean.
    #[error("a condition must be a Boolean, not {0}")]
    Condition(String),
    /// A context that does not exist.
    #[error("unknown type `{0}`")]
    Context(String),
}

/// What is surely wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckError {
    /// What.
    pub fault: CheckFault,
    /// Where.
    pub place: Place,
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { line, column, .. } = self.place;
        write!(f, "{} at line {line}, column {column}", self.fault)
    }
}

impl std::error::Error for CheckError {}

impl CheckError {
    /// The message with the part of the expression that it is about.
    pub fn render(&self) -> String {
        format!("{self}\n{}", self.place.snippet)
    }
}

/// What a path that begins with the type of something else is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OtherStart {
    Wrong,
    /// It gives nothing: a search parameter of several types names them all.
    Nothing,
}

/// Checks an expression that starts from a type, or from an element such as
/// `QuestionnaireResponse.item`.
pub fn check(path: &FhirPath, context: &str) -> Result<Types, CheckError> {
    check_from(path, context, OtherStart::Wrong)
}

/// Checks an expression that may have paths for other types as well (`Patient.name |
/// Person.name`), as search parameters do: for this type these give nothing.
pub fn check_shared(path: &FhirPath, context: &str) -> Result<Types, CheckError> {
    check_from(path, context, OtherStart::Nothing)
}

fn check_from(
    path: &FhirPath,
    context: &str,
    other_start: OtherStart,
) -> Result<Types, CheckError> {
    let Some(definitions) = path.definitions() else {
        return Ok(Types::ANYTHING);
    };
    let error = |(fault, span): Wrong| CheckError {
        fault,
        place: Place::of(path.text(), span),
    };
    let start = StaticType::at(definitions, context)
        .ok_or_else(|| error((CheckFault::Context(context.to_owned()), Span::default())))?;
    let checker = Checker {
        definitions,
        context: start,
        other_start,
    };
    let scope = Scope {
        this: Types::of(vec![start]),
    };
    checker.types(path.expression(), &scope).map_err(error)
}

impl StaticType {
    fn of(definition: &'static TypeDefinition) -> Self {
        Self::Fhir {
            definition,
            shape: definition.shape,
        }
    }

    fn at(definitions: &'static Definitions, path: &str) -> Option<Self> {
        let mut names = path.split('.');
        let definition = definitions.type_named(names.next()?)?;
        let mut at = Self::of(definition);
        for name in names {
            let Self::Fhir { shape, .. } = at else {
                return None;
            };
            let child = definitions.child(shape, name)?;
            at = Self::Fhir {
                definition: child.definition,
                shape: child.chosen.shape,
            };
        }
        Some(at)
    }

    /// Its name, e.g. `HumanName` or `System.String`.
    pub fn name(self) -> String {
        match self {
            Self::System(system) => format!("System.{}", system.name()),
            Self::Fhir { definition, .. } => definition.name.to_owned(),
        }
    }

    /// What it computes as.
    fn system(self) -> Option<SystemType> {
        match self {
            Self::System(system) => Some(system),
            Self::Fhir { definition, .. } => SystemType::of_fhir(definition.name),
        }
    }

    /// Whether more elements may come than the type has: a resource of any type.
    fn is_open(self) -> bool {
        matches!(self, Self::Fhir { definition, .. } if definition.is_abstract
            && !matches!(definition.name, "BackboneElement" | "Element"))
    }
}

impl Types {
    const ANYTHING: Self = Self {
        known: None,
        ordered: true,
    };

    fn of(known: Vec<StaticType>) -> Self {
        Self {
            known: Some(known),
            ordered: true,
        }
    }

    fn system(system: SystemType) -> Self {
        Self::of(vec![StaticType::System(system)])
    }

    /// Whether the expression can give nothing at all.
    pub fn is_never(&self) -> bool {
        self.known.as_ref().is_some_and(Vec::is_empty)
    }

    fn and(mut self, other: Self) -> Self {
        self.ordered &= other.ordered;
        self.known = self.known.zip(other.known).map(|(mut known, other)| {
            known.extend(other);
            known
        });
        self
    }

    fn names(&self) -> String {
        let mut names: Vec<String> = self.known.iter().flatten().map(|it| it.name()).collect();
        names.sort();
        names.dedup();
        names.join(", ")
    }

    /// Whether some type may compute as one of these.
    fn may_be(&self, wanted: &[SystemType]) -> bool {
        let fits =
            |it: &StaticType| it.system().is_some_and(|it| wanted.contains(&it)) || it.is_open();
        self.known
            .as_ref()
            .is_none_or(|known| known.is_empty() || known.iter().any(fits))
    }
}

type Wrong = (CheckFault, Span);
type Checked = Result<Types, Wrong>;

#[derive(Clone)]
struct Scope {
    this: Types,
}

struct Checker {
    definitions: &'static Definitions,
    context: StaticType,
    other_start: OtherStart,
}

impl Checker {
    fn types(&self, expression: &Expression, scope: &Scope) -> Checked {
        let span = expression.span;
        match &expression.kind {
            ExpressionKind::Empty => Ok(Types::of(Vec::new())),
            ExpressionKind::Literal(literal) => Ok(Types::system(literal_type(literal))),
            ExpressionKind::Variable(name) => Ok(self.variable(name)),
            ExpressionKind::Special(Special::This) => Ok(scope.this.clone()),
            ExpressionKind::Special(Special::Index) => Ok(Types::system(SystemType::Integer)),
            ExpressionKind::Special(Special::Total) => Ok(Types::ANYTHING),
            ExpressionKind::Member { of, name } => {
                let input = self.input(of.as_deref(), scope)?;
                self.member(&input, name, of.is_none(), span)
            }
            ExpressionKind::Call {
                of,
                function,
                arguments,
                call_span,
            } => {
                let input = self.input(of.as_deref(), scope)?;
                self.call((function, *call_span), &input, arguments, scope)
            }
            ExpressionKind::Indexer { of, index } => {
                let input = self.types(of, scope)?;
                self.types(index, scope)?;
                ordered(&input, "[…]", span)?;
                Ok(input)
            }
            ExpressionKind::Polarity { operand, .. } => self.types(operand, scope),
            ExpressionKind::Binary {
                operator,
                left,
                right,
            } => {
                let (left, right) = (self.types(left, scope)?, self.types(right, scope)?);
                Ok(binary(*operator, left, right))
            }
            ExpressionKind::Type {
                operator,
                of,
                specifier,
            } => {
                let input = self.input(of.as_deref(), scope)?;
                Ok(match operator {
                    TypeOperator::Is => Types::system(SystemType::Boolean),
                    _ => self.narrowed(&input, specifier),
                })
            }
        }
    }

    fn input(&self, of: Option<&Expression>, scope: &Scope) -> Checked {
        of.map_or_else(|| Ok(scope.this.clone()), |of| self.types(of, scope))
    }

    fn variable(&self, name: &str) -> Types {
        let is_url = matches!(name, "ucum" | "sct" | "loinc")
            || name.starts_with("vs-")
            || name.starts_with("ext-");
        match name {
            "context" => Types::of(vec![self.context]),
            _ if is_url => Types::system(SystemType::String),
            _ => Types::ANYTHING,
        }
    }

    fn member(&self, input: &Types, name: &str, is_start: bool, span: Span) -> Checked {
        let Some(known) = &input.known else {
            return Ok(Types::ANYTHING);
        };
        let is_type = is_start && name.starts_with(|it: char| it.is_ascii_uppercase());
        if is_type && self.definitions.type_named(name).is_some() {
            return self.start(known, name, span);
        }
        let mut found = Vec::new();
        let mut is_open = known.is_empty();
        for one in known {
            is_open |= one.is_open();
            found.extend(self.elements(*one, name));
        }
        if found.is_empty() && !is_open {
            return Err((self.unknown(known, input, name), span));
        }
        let known = (!is_open || known.is_empty()).then_some(found);
        Ok(Types {
            known,
            ordered: input.ordered,
        })
    }

    /// The type that a path begins with.
    fn start(&self, known: &[StaticType], name: &str, span: Span) -> Checked {
        let mut found = Vec::new();
        for one in known {
            let StaticType::Fhir { definition, .. } = one else {
                continue;
            };
            if is_kind_of(self.definitions, definition, name) {
                found.push(*one);
            } else if let Some(narrower) = self.definitions.type_named(name)
                && is_kind_of(self.definitions, narrower, definition.name)
            {
                found.push(StaticType::of(narrower));
            }
        }
        if found.is_empty() && !known.is_empty() && self.other_start == OtherStart::Wrong {
            let found = Types::of(known.to_vec()).names();
            return Err((
                CheckFault::Start {
                    name: name.to_owned(),
                    found,
                },
                span,
            ));
        }
        Ok(Types::of(found))
    }

    /// The types of an element; none if there is no such element.
    fn elements(&self, of: StaticType, name: &str) -> Vec<StaticType> {
        let shape = match of {
            StaticType::Fhir { shape, .. } => shape,
            StaticType::System(SystemType::Quantity) if name == "value" => {
                return vec![StaticType::System(SystemType::Decimal)];
            }
            StaticType::System(SystemType::Quantity) if name == "unit" => {
                return vec![StaticType::System(SystemType::String)];
            }
            StaticType::System(_) => return Vec::new(),
        };
        let element = self
            .definitions
            .elements(shape)
            .iter()
            .find(|it| it.name == name);
        let types = element.map_or(&[][..], |it| it.types);
        let one = |it| StaticType::Fhir {
            definition: self.definitions.definition(it),
            shape: it.shape,
        };
        types.iter().map(one).collect()
    }

    fn unknown(&self, known: &[StaticType], input: &Types, name: &str) -> CheckFault {
        let shapes = known.iter().filter_map(|it| match it {
            StaticType::Fhir { shape, .. } => Some(*shape),
            StaticType::System(_) => None,
        });
        let shapes: Vec<Shape> = shapes.collect();
        for shape in &shapes {
            if let Some(child) = self.definitions.child(*shape, name) {
                return CheckFault::Choice {
                    name: name.to_owned(),
                    element: child.element.name,
                    type_name: child.definition.name,
                };
            }
        }
        let elements = shapes.iter().flat_map(|it| self.definitions.elements(*it));
        let suggestion = crate::suggest::nearest(name, elements.map(|it| it.name));
        CheckFault::Element {
            name: name.to_owned(),
            types: input.names(),
            suggestion: suggestion.map(str::to_owned),
        }
    }

    /// What `as` and `ofType` leave.
    fn narrowed(&self, input: &Types, specifier: &TypeSpecifier) -> Types {
        let wanted = match specifier.named {
            NamedType::System(system) => StaticType::System(system),
            NamedType::Fhir(definition) => StaticType::of(definition),
            NamedType::Nothing => return Types::of(Vec::new()),
        };
        let Some(known) = &input.known else {
            return Types {
                known: Some(vec![wanted]),
                ordered: input.ordered,
            };
        };
        let kept = known
            .iter()
            .filter_map(|it| self.overlap(*it, wanted))
            .collect();
        Types {
            known: Some(kept),
            ordered: input.ordered,
        }
    }

    /// The narrower of both types, if one specialises the other.
    fn overlap(&self, one: StaticType, wanted: StaticType) -> Option<StaticType> {
        match (one, wanted) {
            (StaticType::System(one_), StaticType::System(wanted)) => {
                (one_ == wanted || wanted == SystemType::Any).then_some(one)
            }
            (
                StaticType::Fhir {
                    definition: have, ..
                },
                StaticType::Fhir {
                    definition: want, ..
                },
            ) => {
                if is_kind_of(self.definitions, have, want.name) {
                    Some(one)
                } else {
                    is_kind_of(self.definitions, want, have.name).then_some(wanted)
                }
            }
            // Ids and the URLs of extensions are strings of FHIRPath.
            (StaticType::Fhir { definition, .. }, StaticType::System(SystemType::String)) => {
                matches!(definition.name, "id" | "string" | "uri").then_some(wanted)
            }
            _ => None,
        }
    }

    fn call(
        &self,
        (function, span): (&'static Function, Span),
        input: &Types,
        arguments: &[Expression],
        scope: &Scope,
    ) -> Checked {
        demands(function, input, span)?;
        let inner = match function.gives {
            _ if is_scoped(function.name) => Scope {
                this: input.clone(),
            },
            _ => scope.clone(),
        };
        let mut given = Vec::with_capacity(arguments.len());
        if function.name == "create" {
            return Ok(Types::ANYTHING);
        }
        for argument in arguments {
            given.push(self.types(argument, &inner)?);
        }
        if matches!(function.name, "iif" | "where" | "all" | "exists") {
            condition(&given, arguments)?;
        }
        Ok(self.output(function, input, given))
    }

    fn output(&self, function: &Function, input: &Types, mut given: Vec<Types>) -> Types {
        match function.gives {
            Gives::System(system) => Types::system(system),
            Gives::Input => input.clone(),
            Gives::InputAndArgument if given.is_empty() => input.clone(),
            Gives::InputAndArgument => input.clone().and(given.swap_remove(0)),
            Gives::Projection => {
                let mut output = given.pop().unwrap_or(Types::ANYTHING);
                output.ordered &= input.ordered;
                output
            }
            Gives::Arguments(from) => given
                .into_iter()
                .skip(from)
                .reduce(Types::and)
                .unwrap_or(Types::ANYTHING),
            Gives::Unknown => self.unknown_output(function.name, input),
        }
    }

    fn unknown_output(&self, name: &str, input: &Types) -> Types {
        match name {
            "extension" => {
                let definition = self.definitions.type_named("Extension");
                Types::of(definition.into_iter().map(StaticType::of).collect())
            }
            "children" | "descendants" => Types {
                known: None,
                ordered: false,
            },
            "abs" | "round" | "floor" | "ceiling" | "truncate" | "sum" | "min" | "max" => Types {
                known: None,
                ordered: input.ordered,
            },
            _ => Types::ANYTHING,
        }
    }
}

/// Whether arguments are evaluated for the items of the input.
fn is_scoped(name: &str) -> bool {
    matches!(
        name,
        "where"
            | "select"
            | "all"
            | "exists"
            | "repeat"
            | "repeatAll"
            | "sort"
            | "trace"
            | "iif"
            | "aggregate"
            | "defineVariable"
    )
}

const NUMBERS: [SystemType; 4] = [
    SystemType::Integer,
    SystemType::Long,
    SystemType::Decimal,
    SystemType::Quantity,
];

fn demands(function: &'static Function, input: &Types, span: Span) -> Result<(), Wrong> {
    let (fits, needs) = match function.input {
        Input::Any => return Ok(()),
        Input::Ordered => return ordered(input, function.name, span),
        Input::Text => (input.may_be(&[SystemType::String]), "a String"),
        Input::Number => (input.may_be(&NUMBERS), "a number"),
    };
    if fits {
        return Ok(());
    }
    let found = input.names();
    Err((
        CheckFault::Input {
            function: function.name,
            needs,
            found,
        },
        span,
    ))
}

fn ordered(input: &Types, name: &'static str, span: Span) -> Result<(), Wrong> {
    if input.ordered {
        Ok(())
    } else {
        Err((CheckFault::Order(name), span))
    }
}

/// Elements may stand for their existence, values of FHIRPath's own types may not.
fn condition(given: &[Types], arguments: &[Expression]) -> Result<(), Wrong> {
    let Some((types, argument)) = given.first().zip(arguments.first()) else {
        return Ok(());
    };
    let is_other = |it: &StaticType| matches!(it, StaticType::System(system) if *system != SystemType::Boolean);
    let is_wrong = types.known.as_ref();
    if is_wrong.is_some_and(|known| !known.is_empty() && known.iter().all(is_other)) {
        return Err((CheckFault::Condition(types.names()), argument.span));
    }
    Ok(())
}

fn binary(operator: Operator, left: Types, right: Types) -> Types {
    match operator {
        Operator::Union => left.and(right),
        Operator::Concatenate => Types::system(SystemType::String),
        Operator::Divide
        | Operator::Multiply
        | Operator::Div
        | Operator::Mod
        | Operator::Add
        | Operator::Subtract => Types::ANYTHING,
        _ => Types::system(SystemType::Boolean),
    }
}

fn literal_type(literal: &Literal) -> SystemType {
    match literal {
        Literal::Boolean(_) => SystemType::Boolean,
        Literal::String(_) => SystemType::String,
        Literal::Integer(_) => SystemType::Integer,
        Literal::Long(_) => SystemType::Long,
        Literal::Decimal(_) => SystemType::Decimal,
        Literal::Date(_) => SystemType::Date,
        Literal::DateTime(_) => SystemType::DateTime,
        Literal::Time(_) => SystemType::Time,
        Literal::Quantity(_) => SystemType::Quantity,
    }
}
