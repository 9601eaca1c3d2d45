//! Templates: from text to a tree. Parsing is lenient where DotLiquid's regular expressions are,
//! and says line and column where they are not.

pub(crate) mod condition;
pub(crate) mod expression;
mod fragment;
pub(crate) mod names;
mod parse;
mod strict;
pub(crate) mod syntax;
mod tags;
mod token;

use crate::error::Place;
pub(crate) use names::{NameId, Names};
pub(crate) use parse::parse;
use syntax::Node;
use token::Prepared;

/// How a library's templates are read and rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// As DotLiquid and Microsoft's converter do, with all that they let pass.
    #[default]
    Compatible,
    /// Ours: what is not understood is a fault of the library.
    Strict,
}

/// What an include gives to a strict template.
pub(crate) struct Parameter {
    pub(crate) name: NameId,
    pub(crate) text: Box<str>,
    pub(crate) is_optional: bool,
}

/// A template that was read.
pub(crate) struct Template {
    /// Its file in the library.
    pub(crate) file: String,
    prepared: Prepared,
    /// Its tree, or what is wrong with it.
    pub(crate) body: Result<Vec<Node>, SyntaxFault>,
    /// What else is wrong with it; strict templates only, as the parameters.
    pub(crate) faults: Vec<SyntaxFault>,
    pub(crate) parameters: Vec<Parameter>,
}

/// What is wrong with a template.
#[derive(Debug, Clone)]
pub(crate) struct SyntaxFault {
    /// Where, in the prepared text.
    pub(crate) at: u32,
    pub(crate) what: String,
}

impl Template {
    /// A place in it.
    pub(crate) fn place(&self, at: u32) -> Place {
        let (line, column) = self.prepared.line_and_column(at);
        Place {
            file: self.file.clone(),
            line,
            column,
        }
    }
}
