//! The interpreter: a walk over the syntax tree, item by item.
//!
//! Every operation takes a step; steps, items and strings are limited. Recursion follows the
//! syntax tree only, whose depth the parser limits.

mod boundary;
mod call;
mod collection;
mod convert;
mod date;
mod encoding;
mod equality;
mod factory;
mod fhir;
mod filter;
mod logic;
mod math;
mod order;
mod pattern;
mod quantity;
mod reference;
mod string;
pub(super) mod table;
mod tree;
mod type_tests;
mod variable;

use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::ast::{Expression, ExpressionKind, Literal, Operator, Special};
use super::fault::{EvaluationError, EvaluationFault, Place, Span};
use super::item::{Collection, Item, Scalar};
use super::node::Node;
use super::{Environment, FhirPath};
use crate::definitions::Definitions;
pub(super) use call::Call;

/// Why an evaluation ended, and which part of the expression it was.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) fault: EvaluationFault,
    pub(super) span: Span,
}

pub(super) type Outcome<'d> = Result<Collection<'d>, Failure>;

/// Evaluates a whole expression.
pub(super) fn evaluate<'d>(
    path: &'d FhirPath,
    input: Collection<'d>,
    environment: &'d Environment<'d>,
) -> Result<Collection<'d>, EvaluationError> {
    let evaluator = Evaluator {
        environment,
        definitions: path.definitions,
        context: input,
        steps: Cell::new(0),
        resource: OnceCell::new(),
        root_resource: OnceCell::new(),
        patterns: RefCell::default(),
    };
    let scope = Scope::of(&evaluator.context);
    evaluator
        .evaluate(&path.expression, &scope)
        .map_err(|Failure { fault, span }| {
            let place = Place::of(&path.text, span);
            EvaluationError { fault, place }
        })
}

/// What holds for a whole evaluation.
pub(super) struct Evaluator<'d> {
    environment: &'d Environment<'d>,
    definitions: Option<&'static Definitions>,
    /// `%context`
    context: Collection<'d>,
    steps: Cell<u64>,
    /// `%resource` and `%rootResource`, once they have been looked for.
    resource: OnceCell<Option<Node<'d>>>,
    root_resource: OnceCell<Option<Node<'d>>>,
    /// Compiled once for an evaluation.
    patterns: RefCell<HashMap<(String, String), Rc<regex::Regex>>>,
}

/// What holds for a part of an expression: the variables that begin with `$`, and those that
/// `defineVariable` has defined further to the left.
pub(super) struct Scope<'s, 'd> {
    this: &'s [Item<'d>],
    index: Option<usize>,
    total: Option<&'s [Item<'d>]>,
    defined: RefCell<Vec<(String, Collection<'d>)>>,
    outer: Option<&'s Scope<'s, 'd>>,
}

impl<'s, 'd> Scope<'s, 'd> {
    fn of(this: &'s [Item<'d>]) -> Self {
        Self {
            this,
            index: Some(0),
            total: None,
            defined: RefCell::default(),
            outer: None,
        }
    }

    /// The same, for a part whose definitions stay inside it.
    fn inner(outer: &'s Self) -> Self {
        Self {
            this: outer.this,
            index: outer.index,
            total: outer.total,
            defined: RefCell::default(),
            outer: Some(outer),
        }
    }

    /// The variable that `defineVariable` made.
    fn variable(&self, name: &str) -> Option<Collection<'d>> {
        let defined = self.defined.borrow();
        let here = defined
            .iter()
            .find(|it| it.0 == name)
            .map(|it| it.1.clone());
        here.or_else(|| self.outer?.variable(name))
    }
}

impl<'d> Evaluator<'d> {
    fn evaluate(&self, expression: &'d Expression, scope: &Scope<'_, 'd>) -> Outcome<'d> {
        self.step(1, expression.span)?;
        let span = expression.span;
        match &expression.kind {
            ExpressionKind::Empty => Ok(Vec::new()),
            ExpressionKind::Literal(literal) => Ok(vec![literal_item(literal)]),
            ExpressionKind::Variable(name) => self.counted(self.variable(name, scope, span)?, span),
            ExpressionKind::Special(special) => {
                self.counted(special_items(*special, scope, span)?, span)
            }
            ExpressionKind::Member { of: None, name } => self.member(scope.this, name, true, span),
            ExpressionKind::Member { of: Some(of), name } => {
                let input = self.evaluate(of, scope)?;
                self.member(&input, name, false, span)
            }
            ExpressionKind::Call {
                of,
                function,
                arguments,
                call_span,
            } => {
                let input = self.input(of.as_deref(), scope, span)?;
                let call = Call {
                    evaluator: self,
                    scope,
                    function,
                    arguments,
                    span: *call_span,
                };
                let output = (function.run)(&call, input)?;
                self.counted(output, *call_span)
            }
            ExpressionKind::Indexer { of, index } => {
                let input = self.evaluate(of, scope)?;
                let index = self.evaluate(index, &Scope::inner(scope))?;
                let index = integer(index, "an index", span)?;
                let place = index.and_then(|it| usize::try_from(it).ok());
                Ok(place
                    .and_then(|it| input.into_iter().nth(it))
                    .into_iter()
                    .collect())
            }
            ExpressionKind::Polarity { sign, operand } => {
                let operand = self.evaluate(operand, scope)?;
                math::polarity(*sign, operand, span)
            }
            ExpressionKind::Binary {
                operator,
                left,
                right,
            } => self.binary(*operator, (left, right), scope, span),
            ExpressionKind::Type {
                operator,
                of,
                specifier,
            } => {
                let input = self.input(of.as_deref(), scope, span)?;
                type_tests::test(self, *operator, input, specifier, span)
            }
        }
    }

    fn input(&self, of: Option<&'d Expression>, scope: &Scope<'_, 'd>, span: Span) -> Outcome<'d> {
        match of {
            Some(of) => self.evaluate(of, scope),
            None => self.counted(scope.this.to_vec(), span),
        }
    }

    fn binary(
        &self,
        operator: Operator,
        (left, right): (&'d Expression, &'d Expression),
        scope: &Scope<'_, 'd>,
        span: Span,
    ) -> Outcome<'d> {
        let operand_spans = (left.span, right.span);
        let left = self.evaluate(left, &Scope::inner(scope))?;
        let decided = logic::decided_by_left(operator, &left, operand_spans.0)?;
        if let Some(truth) = decided {
            return Ok(vec![Item::Boolean(truth)]);
        }
        let right = self.evaluate(right, &Scope::inner(scope))?;
        let operation = Operation {
            evaluator: self,
            operator,
            span,
            operand_spans,
        };
        let output = operation.run(left, right)?;
        self.counted(output, span)
    }

    /// The children of that name; at the start of a path also the items that are of that type.
    fn member(&self, input: &[Item<'d>], name: &str, is_start: bool, span: Span) -> Outcome<'d> {
        let may_be_type = is_start && name.starts_with(|it: char| it.is_ascii_uppercase());
        let mut found = Vec::new();
        for item in input {
            self.step(lookup_steps(item), span)?;
            match item {
                Item::Node(node) if may_be_type && node.is_of(name) => found.push(item.clone()),
                Item::Node(node) => {
                    node.child(name, &mut |child| found.push(Item::Node(child)));
                }
                other => found.extend(tree::part(other, name)),
            }
        }
        self.counted(found, span)
    }

    /// Counts steps.
    fn step(&self, steps: usize, span: Span) -> Result<(), Failure> {
        let limit = self.environment.limits.steps_max;
        let taken = self
            .steps
            .get()
            .saturating_add(u64::try_from(steps).unwrap_or(u64::MAX));
        self.steps.set(taken);
        if taken > limit {
            let fault = EvaluationFault::Limit {
                name: "steps_max",
                limit,
            };
            return Err(Failure { fault, span });
        }
        Ok(())
    }

    /// A collection within its limit, its items counted as steps.
    fn counted(&self, items: Collection<'d>, span: Span) -> Outcome<'d> {
        self.step(weight(&items), span)?;
        check_limit(
            "items_max",
            items.len(),
            self.environment.limits.items_max,
            span,
        )?;
        Ok(items)
    }

    /// Checks the length of a string before it is made.
    fn check_length(&self, bytes: usize, span: Span) -> Result<(), Failure> {
        let limit = self.environment.limits.string_bytes_max;
        check_limit("string_bytes_max", bytes, limit, span)?;
        self.step(bytes / BYTES_PER_STEP, span)
    }
}

/// The steps of finding a child by its name, which goes through the names of its siblings: few for
/// whatever a person wrote, more for objects made to cost.
fn lookup_steps(item: &Item<'_>) -> usize {
    let Item::Node(node) = item else { return 1 };
    1 + node.anchor().map_or(0, |it| it.span().len()) / (16 << 10)
}

/// How many bytes of text a step copies.
const BYTES_PER_STEP: usize = 16;

/// The steps that it takes to make these items.
fn weight(items: &[Item<'_>]) -> usize {
    let one = |item: &Item<'_>| match item {
        Item::String(Cow::Owned(text)) => 1 + text.len() / BYTES_PER_STEP,
        Item::Quantity(quantity) => 1 + quantity.unit.text().len() / BYTES_PER_STEP,
        _ => 1,
    };
    items.iter().map(one).sum()
}

fn check_limit(name: &'static str, size: usize, limit: usize, span: Span) -> Result<(), Failure> {
    if size <= limit {
        return Ok(());
    }
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    let fault = EvaluationFault::Limit { name, limit };
    Err(Failure { fault, span })
}

/// A binary operator at its place.
#[derive(Clone, Copy)]
struct Operation<'o, 'd> {
    evaluator: &'o Evaluator<'d>,
    operator: Operator,
    span: Span,
    /// Of the left operand and the right one.
    operand_spans: (Span, Span),
}

impl<'d> Operation<'_, 'd> {
    fn run(self, left: Collection<'d>, right: Collection<'d>) -> Outcome<'d> {
        match self.operator {
            Operator::And | Operator::Or | Operator::Xor | Operator::Implies => {
                logic::operate(self, &left, &right)
            }
            Operator::Equal
            | Operator::NotEqual
            | Operator::Equivalent
            | Operator::NotEquivalent => equality::operate(self, &left, &right),
            Operator::Less
            | Operator::LessOrEqual
            | Operator::Greater
            | Operator::GreaterOrEqual => order::operate(self, left, right),
            Operator::Union => collection::union_of(self.evaluator, left, right, self.span),
            Operator::In => collection::membership(self, left, &right),
            Operator::Contains => collection::membership(self, right, &left),
            Operator::Concatenate => string::concatenate(self, left, right),
            Operator::Multiply
            | Operator::Divide
            | Operator::Div
            | Operator::Mod
            | Operator::Add
            | Operator::Subtract => math::operate(self, left, right),
        }
    }

    fn fault(self, fault: EvaluationFault) -> Failure {
        Failure {
            fault,
            span: self.span,
        }
    }

    /// The operator is not defined for these.
    fn undefined(self, left: &Item<'d>, right: &Item<'d>) -> Failure {
        self.fault(EvaluationFault::Operands {
            operator: self.operator.symbol(),
            left: left.type_name().into_owned(),
            right: right.type_name().into_owned(),
        })
    }

    /// Both operands as single items; nothing if one is empty.
    fn singles(
        self,
        left: Collection<'d>,
        right: Collection<'d>,
    ) -> Result<Option<(Item<'d>, Item<'d>)>, Failure> {
        let left = single(left, "the left operand", self.operand_spans.0)?;
        let right = single(right, "the right operand", self.operand_spans.1)?;
        Ok(left.zip(right))
    }
}

fn literal_item(literal: &Literal) -> Item<'_> {
    match literal {
        Literal::Boolean(truth) => Item::Boolean(*truth),
        Literal::String(text) => Item::string(text.as_str()),
        Literal::Integer(number) => Item::Integer(*number),
        Literal::Long(number) => Item::Long(*number),
        Literal::Decimal(number) => Item::Decimal(*number),
        Literal::Date(date) => Item::Date(*date),
        Literal::DateTime(moment) => Item::DateTime(*moment),
        Literal::Time(time) => Item::Time(*time),
        Literal::Quantity(quantity) => Item::Quantity(quantity.clone()),
    }
}

fn special_items<'d>(special: Special, scope: &Scope<'_, 'd>, span: Span) -> Outcome<'d> {
    let missing = |name| Failure {
        fault: EvaluationFault::Special(name),
        span,
    };
    match special {
        Special::This => Ok(scope.this.to_vec()),
        Special::Index => {
            let index = scope.index.ok_or_else(|| missing("$index"))?;
            Ok(vec![count_item(index)])
        }
        Special::Total => Ok(scope.total.ok_or_else(|| missing("$total"))?.to_vec()),
    }
}

/// A count as an item.
fn count_item<'d>(count: usize) -> Item<'d> {
    Item::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}

/// The single item of a collection; nothing of an empty one.
fn single<'d>(
    mut items: Collection<'d>,
    what: &'static str,
    span: Span,
) -> Result<Option<Item<'d>>, Failure> {
    if items.len() > 1 {
        let fault = EvaluationFault::NotSingle {
            what,
            count: items.len(),
        };
        return Err(Failure { fault, span });
    }
    Ok(items.pop())
}

/// The single value of FHIRPath's own types; nothing of an empty collection or an absent value.
fn single_value<'d>(
    items: Collection<'d>,
    what: &'static str,
    expected: &'static str,
    span: Span,
) -> Result<Option<Item<'d>>, Failure> {
    let Some(item) = single(items, what, span)? else {
        return Ok(None);
    };
    match item.scalar() {
        Scalar::Value(value) => Ok(Some(value)),
        Scalar::Absent => Ok(None),
        Scalar::Complex => Err(wrong_type(&item, what, expected, span)),
    }
}

fn wrong_type(item: &Item<'_>, what: &'static str, expected: &'static str, span: Span) -> Failure {
    let found = item.type_name().into_owned();
    Failure {
        fault: EvaluationFault::Type {
            what,
            expected,
            found,
        },
        span,
    }
}

/// A single whole number.
fn integer(items: Collection<'_>, what: &'static str, span: Span) -> Result<Option<i64>, Failure> {
    match single_value(items, what, "an Integer", span)? {
        None => Ok(None),
        Some(Item::Integer(number) | Item::Long(number)) => Ok(Some(number)),
        Some(other) => Err(wrong_type(&other, what, "an Integer", span)),
    }
}
