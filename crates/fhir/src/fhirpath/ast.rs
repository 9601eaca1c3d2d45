//! The syntax tree of an expression, with spans: public, so that others can compile it.
//!
//! `x.is(T)`, `x.as(T)` and `x.ofType(T)` are the same node as the operators; parentheses leave no
//! trace; function names are resolved to rows of the table, type names to types.

use super::fault::Span;
use super::function::Function;
use super::moment::{Date, DateTime, Time};
use super::quantity::Quantity;
use super::types::TypeSpecifier;
use crate::decimal::Decimal;

/// An expression and where it stands.
#[derive(Debug, Clone)]
pub struct Expression {
    /// What it is.
    pub kind: ExpressionKind,
    /// Its place in the text.
    pub span: Span,
}

/// What an expression is. `of` is what stands before the dot; `None` means `$this`.
#[derive(Debug, Clone)]
pub enum ExpressionKind {
    /// `{}`
    Empty,
    /// A literal.
    Literal(Literal),
    /// `%name`
    Variable(String),
    /// `$this`, `$index`, `$total`
    Special(Special),
    /// `of.name`; without `of` it may also be the name of a type.
    Member {
        /// What it is a member of.
        of: Option<Box<Expression>>,
        /// Its name.
        name: String,
    },
    /// `of.function(arguments)`
    Call {
        /// The input.
        of: Option<Box<Expression>>,
        /// The function.
        function: &'static Function,
        /// The arguments, as many as the function allows.
        arguments: Vec<Expression>,
        /// The place of the call without its input.
        call_span: Span,
    },
    /// `of[index]`
    Indexer {
        /// What is indexed.
        of: Box<Expression>,
        /// The index.
        index: Box<Expression>,
    },
    /// `-operand` or `+operand`
    Polarity {
        /// Which.
        sign: Sign,
        /// What it applies to.
        operand: Box<Expression>,
    },
    /// `left operator right`
    Binary {
        /// The operator.
        operator: Operator,
        /// What stands before it.
        left: Box<Expression>,
        /// What stands after it.
        right: Box<Expression>,
    },
    /// `of is T`, `of as T`, `of.ofType(T)`
    Type {
        /// Which.
        operator: TypeOperator,
        /// What is tested.
        of: Option<Box<Expression>>,
        /// The type.
        specifier: TypeSpecifier,
    },
}

/// A literal.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `true` or `false`
    Boolean(bool),
    /// `'text'`
    String(String),
    /// `1`
    Integer(i64),
    /// `1L`
    Long(i64),
    /// `1.0`
    Decimal(Decimal),
    /// `@2020-01`
    Date(Date),
    /// `@2020-01T`
    DateTime(DateTime),
    /// `@T10:00`
    Time(Time),
    /// `1 day`, `1 'mg'`
    Quantity(Quantity),
}

/// The variables that begin with `$`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Special {
    /// `$this`
    This,
    /// `$index`
    Index,
    /// `$total`
    Total,
}

/// A sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sign {
    /// `+`
    Plus,
    /// `-`
    Minus,
}

/// What is asked of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TypeOperator {
    /// `is`: whether the single item is of the type.
    Is,
    /// `as`: the single item, if it is of the type.
    As,
    /// `ofType`: the items that are of the type.
    OfType,
}

/// A binary operator other than `is` and `as`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is named as its symbol is, see `symbol`")]
pub enum Operator {
    Multiply,
    Divide,
    Div,
    Mod,
    Add,
    Subtract,
    Concatenate,
    Union,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    Equivalent,
    NotEqual,
    NotEquivalent,
    In,
    Contains,
    And,
    Or,
    Xor,
    Implies,
}

impl Operator {
    /// How it is written.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Div => "div",
            Self::Mod => "mod",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Concatenate => "&",
            Self::Union => "|",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Equal => "=",
            Self::Equivalent => "~",
            Self::NotEqual => "!=",
            Self::NotEquivalent => "!~",
            Self::In => "in",
            Self::Contains => "contains",
            Self::And => "and",
            Self::Or => "or",
            Self::Xor => "xor",
            Self::Implies => "implies",
        }
    }
}
