//! The tree of a template.

use super::condition::Condition;
use super::expression::{Chain, Operand};
use super::names::NameId;

/// A piece of a template, and where it is.
pub(crate) struct Node {
    pub(crate) at: u32,
    pub(crate) kind: NodeKind,
}

/// What a piece does.
pub(crate) enum NodeKind {
    Text(Box<str>),
    /// The body of `raw`; the place is the tag's.
    Raw(Box<str>),
    Output(Chain),
    Assign {
        to: NameId,
        value: Chain,
    },
    Capture {
        to: NameId,
        body: Vec<Node>,
    },
    Evaluate {
        to: NameId,
        include: Box<Include>,
    },
    If(Vec<Branch>),
    Case(Box<Case>),
    For(Box<For>),
    TableRow(Box<For>),
    Include(Box<Include>),
    Cycle {
        key: Operand,
        values: Vec<Operand>,
    },
    IfChanged(Vec<Node>),
    Increment(NameId),
    Decrement(NameId),
    Break,
    Continue,
    MergeDiff {
        subject: Operand,
        body: Vec<Node>,
    },
    Validate {
        schema: Operand,
        body: Vec<Node>,
    },
    Block {
        name: Box<str>,
        body: Vec<Node>,
    },
    Extends {
        base: Operand,
        blocks: Vec<Node>,
    },
}

/// A branch of `if` or `unless`.
pub(crate) struct Branch {
    pub(crate) test: Test,
    pub(crate) body: Vec<Node>,
}

/// When a branch is taken.
pub(crate) enum Test {
    If(Condition),
    Unless(Condition),
    Else,
}

/// `case`: every `when` that matches is rendered, `else` if none did before it.
pub(crate) struct Case {
    pub(crate) subject: Operand,
    /// The values of a `when`; none for `else`.
    pub(crate) branches: Vec<(Option<Vec<Operand>>, Vec<Node>)>,
}

/// `for` and `tablerow`
pub(crate) struct For {
    pub(crate) variable: NameId,
    /// Names the loop for `offset: continue` and `forloop.name`.
    pub(crate) name: Box<str>,
    pub(crate) collection: Operand,
    pub(crate) limit: Option<Operand>,
    pub(crate) offset: Option<Offset>,
    pub(crate) columns: Option<Operand>,
    pub(crate) is_reversed: bool,
    pub(crate) body: Vec<Node>,
    pub(crate) otherwise: Vec<Node>,
}

/// Where a loop begins.
pub(crate) enum Offset {
    At(Operand),
    /// Where the loop of that name ended.
    Continue,
}

/// A template that is rendered in its place.
pub(crate) struct Include {
    pub(crate) template: Operand,
    /// `with x`, `for x`, or the variable named like the template.
    pub(crate) subject: Operand,
    /// What each element is called inside.
    pub(crate) variable: NameId,
    pub(crate) attributes: Vec<(NameId, Operand)>,
}
