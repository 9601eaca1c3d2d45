//! A function call as the implementations of functions see it: arguments, scopes, faults.

use std::borrow::Cow;

use super::super::ast::Expression;
use super::super::fault::{EvaluationFault, Span};
use super::super::function::Function;
use super::super::item::{Collection, Item};
use super::{Evaluator, Failure, Outcome, Scope, integer, logic, single, single_value, wrong_type};

/// A call at its place.
pub(crate) struct Call<'c, 'd> {
    pub(super) evaluator: &'c Evaluator<'d>,
    pub(super) scope: &'c Scope<'c, 'd>,
    pub(super) function: &'static Function,
    pub(super) arguments: &'d [Expression],
    pub(super) span: Span,
}

impl<'d> Call<'_, 'd> {
    pub(super) fn fault(&self, fault: EvaluationFault) -> Failure {
        Failure {
            fault,
            span: self.span,
        }
    }

    pub(super) fn has_argument(&self, place: usize) -> bool {
        place < self.arguments.len()
    }

    /// An argument, evaluated where the call stands; empty if it is not given.
    pub(super) fn argument(&self, place: usize) -> Outcome<'d> {
        match self.arguments.get(place) {
            Some(argument) => self.evaluator.evaluate(argument, &Scope::inner(self.scope)),
            None => Ok(Vec::new()),
        }
    }

    /// An argument that is a single string.
    pub(super) fn string(&self, place: usize) -> Result<Option<Cow<'d, str>>, Failure> {
        let items = self.argument(place)?;
        match single_value(items, "the argument", "a String", self.span)? {
            None => Ok(None),
            Some(Item::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong_type(&other, "the argument", "a String", self.span)),
        }
    }

    /// An argument that is a single whole number.
    pub(super) fn integer(&self, place: usize) -> Result<Option<i64>, Failure> {
        integer(self.argument(place)?, "the argument", self.span)
    }

    /// An argument, evaluated for one item of the input.
    pub(super) fn each(&self, place: usize, item: &Item<'d>, index: Option<usize>) -> Outcome<'d> {
        self.within(place, std::slice::from_ref(item), index)
    }

    /// An argument, evaluated with other values of `$this` and `$index`.
    pub(super) fn within(
        &self,
        place: usize,
        this: &[Item<'d>],
        index: Option<usize>,
    ) -> Outcome<'d> {
        let Some(argument) = self.arguments.get(place) else {
            return Ok(Vec::new());
        };
        self.evaluator.step(1, self.span)?;
        let scope = Scope {
            this,
            index,
            ..Scope::inner(self.scope)
        };
        self.evaluator.evaluate(argument, &scope)
    }

    /// Any part of an argument, evaluated for one item of the input.
    pub(super) fn evaluate_for(&self, expression: &'d Expression, item: &Item<'d>) -> Outcome<'d> {
        self.evaluator.step(1, self.span)?;
        let this = std::slice::from_ref(item);
        let scope = Scope {
            this,
            index: None,
            ..Scope::inner(self.scope)
        };
        self.evaluator.evaluate(expression, &scope)
    }

    /// An argument, evaluated with a running total.
    pub(super) fn totalled(
        &self,
        place: usize,
        (item, index): (&Item<'d>, usize),
        total: &[Item<'d>],
    ) -> Outcome<'d> {
        let Some(argument) = self.arguments.get(place) else {
            return Ok(Vec::new());
        };
        self.evaluator.step(1, self.span)?;
        let this = std::slice::from_ref(item);
        let scope = Scope {
            this,
            index: Some(index),
            total: Some(total),
            ..Scope::inner(self.scope)
        };
        self.evaluator.evaluate(argument, &scope)
    }

    /// Whether a criterion holds for an item; unknown counts as no.
    pub(super) fn holds(
        &self,
        place: usize,
        item: &Item<'d>,
        index: usize,
    ) -> Result<bool, Failure> {
        let answer = self.each(place, item, Some(index))?;
        Ok(logic::truth(&answer, self.span)?.unwrap_or(false))
    }

    /// The single item of the input.
    pub(super) fn single(&self, input: Collection<'d>) -> Result<Option<Item<'d>>, Failure> {
        single(input, "the input", self.span)
    }

    /// The single item of the input as a value; nothing if there is none or it has no value.
    pub(super) fn value(&self, input: Collection<'d>) -> Result<Option<Item<'d>>, Failure> {
        let item = self.single(input)?;
        Ok(item.and_then(|it| it.value()))
    }

    /// The single string of the input.
    pub(super) fn text(&self, input: Collection<'d>) -> Result<Option<Cow<'d, str>>, Failure> {
        match single_value(input, "the input", "a String", self.span)? {
            None => Ok(None),
            Some(Item::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong_type(&other, "the input", "a String", self.span)),
        }
    }

    /// The input has the wrong type.
    pub(super) fn wrong_input(&self, item: &Item<'d>, expected: &'static str) -> Failure {
        wrong_type(item, "the input", expected, self.span)
    }

    /// A string as output, if it is not too long.
    pub(super) fn made(&self, text: String) -> Outcome<'d> {
        self.evaluator.check_length(text.len(), self.span)?;
        Ok(vec![Item::string(text)])
    }
}

/// A truth value as output.
pub(super) fn truth<'d>(truth: bool) -> Outcome<'d> {
    Ok(vec![Item::Boolean(truth)])
}
