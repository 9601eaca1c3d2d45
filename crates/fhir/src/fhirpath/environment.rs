//! What an evaluation is given besides the document: time, variables, lookups, limits.

use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;

use super::item::{Collection, Item};
use super::node::Node;
use crate::Instant;
use crate::json::Document;

/// What an expression may cost. Each limit's excess is an error with its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Greatest length of an expression in bytes.
    pub text_bytes_max: usize,
    /// Greatest depth of the syntax tree.
    pub depth_max: usize,
    /// Greatest number of steps: an operation, an item gone through or made, a pair compared, a
    /// few bytes of text.
    pub steps_max: u64,
    /// Greatest number of items in any collection.
    pub items_max: usize,
    /// Greatest length of a string that is made, in bytes.
    pub string_bytes_max: usize,
    /// Greatest size of a compiled regular expression, in bytes.
    pub pattern_bytes_max: usize,
}

impl Limits {
    /// 64 KiB of text, 150 levels, five million steps, 200,000 items, strings of 1 MiB, regular
    /// expressions of 256 KiB. The longest expression of the standard has 8 KiB and 60 levels.
    pub const DEFAULT: Self = Self {
        text_bytes_max: 64 << 10,
        depth_max: 150,
        steps_max: 5_000_000,
        items_max: 200_000,
        string_bytes_max: 1 << 20,
        pattern_bytes_max: 256 << 10,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What `as` does with several items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AsOperator {
    /// They are an error, as FHIRPath says.
    #[default]
    SingleItem,
    /// It filters, as `ofType` does: search parameters of STU3 and R4 are written for that.
    EachItem,
}

/// Why a lookup failed, without any value of a resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LookupError(pub String);

/// A code to look up in a value set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Coded<'c> {
    /// The code system, if known.
    pub system: Option<&'c str>,
    /// The code.
    pub code: &'c str,
}

/// What an evaluation asks others for. Every answer may be that nothing is known.
pub trait Lookup {
    /// The resource that a reference points to, if it is not in the same document.
    fn resolve(&self, _reference: &str) -> Result<Option<Document>, LookupError> {
        Ok(None)
    }

    /// Whether a value set, named by its canonical URL, has any of the codes; `None` if the value
    /// set is not known.
    fn member_of(
        &self,
        _codes: &[Coded<'_>],
        _value_set: &str,
    ) -> Result<Option<bool>, LookupError> {
        Ok(None)
    }

    /// Whether a node conforms to a profile; `None` if the profile is not known. Types of the
    /// standard itself are decided before.
    fn conforms_to(&self, _node: &Node<'_>, _profile: &str) -> Result<Option<bool>, LookupError> {
        Ok(None)
    }

    /// Takes what `trace()` tells.
    fn trace(&self, _name: &str, _items: &[Item<'_>]) {}
}

/// Knows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLookup;

impl Lookup for NoLookup {}

/// What an evaluation is given. It also keeps the documents that the evaluation makes or fetches,
/// so results may borrow from it.
pub struct Environment<'e> {
    /// What `now()`, `today()` and `timeOfDay()` tell.
    pub now: Instant,
    /// What the evaluation may cost.
    pub limits: Limits,
    /// What `as` does with several items.
    pub as_operator: AsOperator,
    /// `%resource`, if not the resource that the input is in.
    pub resource: Option<Node<'e>>,
    /// `%rootResource`, if not the resource that contains `%resource`.
    pub root_resource: Option<Node<'e>>,
    lookup: &'e dyn Lookup,
    variables: BTreeMap<String, Collection<'e>>,
    made: Arena,
}

impl<'e> Environment<'e> {
    /// An environment that knows the time and nothing else.
    pub fn new(now: Instant) -> Self {
        Self::with_lookup(now, &NoLookup)
    }

    /// An environment that can ask.
    pub fn with_lookup(now: Instant, lookup: &'e dyn Lookup) -> Self {
        Self {
            now,
            limits: Limits::DEFAULT,
            as_operator: AsOperator::default(),
            resource: None,
            root_resource: None,
            lookup,
            variables: BTreeMap::new(),
            made: Arena::default(),
        }
    }

    /// Defines `%name`.
    pub fn define(&mut self, name: impl Into<String>, value: Collection<'e>) {
        self.variables.insert(name.into(), value);
    }

    pub(super) fn lookup(&self) -> &'e dyn Lookup {
        self.lookup
    }

    pub(super) fn variable(&self, name: &str) -> Option<&Collection<'e>> {
        self.variables.get(name)
    }

    pub(super) fn variable_names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }

    /// Keeps a document as long as the environment.
    pub(super) fn keep(&self, document: Document) -> &Document {
        self.made.keep(document)
    }
}

/// Documents that stay where they are: cells in chunks of doubling size, each written once.
#[derive(Default)]
struct Arena {
    count: Cell<usize>,
    chunks: [OnceCell<Box<[OnceCell<Document>]>>; CHUNKS],
}

/// More documents than memory has bytes.
const CHUNKS: usize = 32;

impl Arena {
    fn keep(&self, document: Document) -> &Document {
        let number = self.count.get() + 1;
        self.count.set(number);
        let chunk = number.ilog2() as usize;
        let size = 1_usize << chunk;
        let empty = || (0..size).map(|_| OnceCell::new()).collect();
        let cells = self.chunks[chunk].get_or_init(empty);
        cells[number - size].get_or_init(|| document)
    }
}
