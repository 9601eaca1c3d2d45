//! FHIRPath: <https://hl7.org/fhirpath/N1/> with FHIR's functions
//! (<https://hl7.org/fhir/R4/fhirpath.html#functions>), one engine for all versions.
//!
//! [`FhirPath::compile`] parses and resolves an expression once; [`FhirPath::evaluate`] walks a
//! document without copying it. What FHIRPath 3.0 adds without changing N1 is there too (`Long`,
//! `sort`, `defineVariable` …). Nothing is looked up, read or printed here: time and lookups come
//! with the [`Environment`].

pub mod ast;
pub mod check;
mod environment;
#[expect(
    clippy::needless_pass_by_value,
    clippy::unnecessary_wraps,
    reason = "the functions of the table have one signature"
)]
mod eval;
mod fault;
pub mod function;
mod item;
mod lexer;
mod measure;
mod moment;
mod node;
mod parse;
mod quantity;
#[cfg(test)]
mod tests;
mod types;

pub use environment::{AsOperator, Coded, Environment, Limits, Lookup, LookupError, NoLookup};
pub use fault::{EvaluationError, EvaluationFault, ParseError, ParseFault, Place, Span};
pub use item::{Collection, Item, TypeInfo};
pub use moment::{Date, DateTime, Second, Time};
pub use node::{Node, Typing};
pub use quantity::{CalendarUnit, Quantity, Unit};
pub use types::{NamedType, SystemType, TypeSpecifier};

use crate::FhirVersion;
use crate::definitions::Definitions;

/// An expression, compiled for a FHIR version or for trees without types.
#[derive(Debug, Clone)]
pub struct FhirPath {
    text: String,
    definitions: Option<&'static Definitions>,
    expression: ast::Expression,
}

impl FhirPath {
    /// Compiles an expression; without a version it knows no types but FHIRPath's own.
    pub fn compile(text: &str, version: Option<FhirVersion>) -> Result<Self, ParseError> {
        Self::compile_within(text, version, &Limits::DEFAULT)
    }

    /// Compiles an expression within other limits.
    pub fn compile_within(
        text: &str,
        version: Option<FhirVersion>,
        limits: &Limits,
    ) -> Result<Self, ParseError> {
        let definitions = version.map(Definitions::of);
        let expression = parse::expression(text, definitions, limits)?;
        Ok(Self {
            text: text.to_owned(),
            definitions,
            expression,
        })
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The definitions that it was compiled with.
    pub fn definitions(&self) -> Option<&'static Definitions> {
        self.definitions
    }

    /// The syntax tree.
    pub fn expression(&self) -> &ast::Expression {
        &self.expression
    }

    /// Evaluates the expression on one item.
    pub fn evaluate<'d>(
        &'d self,
        input: Item<'d>,
        environment: &'d Environment<'d>,
    ) -> Result<Collection<'d>, EvaluationError> {
        self.evaluate_all(vec![input], environment)
    }

    /// Evaluates the expression on a collection.
    pub fn evaluate_all<'d>(
        &'d self,
        input: Collection<'d>,
        environment: &'d Environment<'d>,
    ) -> Result<Collection<'d>, EvaluationError> {
        eval::evaluate(self, input, environment)
    }
}
