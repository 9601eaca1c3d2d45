//! From raw query text to typed criteria, includes and result parameters.
//!
//! Everything is decided here: an unknown parameter, modifier or value is an issue that names it;
//! later stages see types. Nothing is looked up in a store, and no slot is chosen: that is
//! [`crate::compile`]'s. <https://hl7.org/fhir/R4/search.html>

mod criterion;
mod fault;
mod include;
mod limits;
mod modifier;
mod name;
mod offered;
mod parse;
mod result;
mod value;
mod words;

use fhir::decimal::Decimal;
use fhir::{FhirVersion, Issue};

use crate::entry::{Direction, Place};
use crate::reference::Bases;

pub use criterion::criterion;
pub use limits::QueryLimits;
pub use modifier::{Modifier, Rule, rules};
pub use offered::ParameterKind;
pub use parse::types_wanted;
pub use value::near::METRES_UNSAID;
pub use value::reference::HIERARCHIES;
pub use words::Words;

/// What to do with what is unknown (`Prefer: handling=…`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Handling {
    /// It is an error.
    #[default]
    Strict,
    /// It is ignored and reported.
    Lenient,
}

/// What a query is read against.
#[derive(Clone, Copy)]
pub struct Context<'c> {
    /// The FHIR version.
    pub version: FhirVersion,
    /// The types searched; a parameter must be one of each of them.
    pub types: &'c [&'c str],
    /// The bases of this server.
    pub bases: &'c Bases,
    /// What is done with what is unknown.
    pub handling: Handling,
    /// The limits.
    pub limits: QueryLimits,
}

/// A query, understood.
#[derive(Clone, Default)]
pub struct Query {
    /// What a resource must match: all of them.
    pub criteria: Vec<Criterion>,
    /// How the result is to be given.
    pub result: ResultParameters,
    /// What is given besides the matches, in the order of the query.
    pub includes: Vec<Include>,
    /// What was ignored.
    pub ignored: Vec<Issue>,
    /// The parameters that were understood, as given, without the page's token.
    pub understood: String,
}

/// One search condition.
#[derive(Clone, PartialEq, Eq)]
pub struct Criterion {
    /// Its parameter as given: codes, types and modifiers that exist (`subject:Patient.name:exact`).
    pub name: Box<str>,
    /// What it demands.
    pub condition: Condition,
}

/// What a criterion demands of a resource. Parameters are named by their codes; each of the types
/// searched has them, and of one kind ([`ParameterKind`]).
#[derive(Clone, PartialEq, Eq)]
pub enum Condition {
    /// `_id`: one of these, or, negated, none of them.
    Ids {
        /// Whether it is to be one of them or not.
        sense: Sense,
        /// The ids.
        ids: Vec<Box<str>>,
    },
    /// `_lastUpdated`: within one of these.
    Updated(Vec<DateTest>),
    /// `_partition=k/n`: this one of disjoint parts, counted from zero.
    Partition {
        /// Which part.
        part: u64,
        /// Of how many.
        of: u64,
    },
    /// `_list`: in one of these List resources, by id.
    Lists(Vec<Box<str>>),
    /// `_not-referenced`: nothing of these refers to it.
    NotReferenced(Vec<Referrer>),
    /// `:missing`
    Missing {
        /// The parameter.
        code: &'static str,
        /// Whether there must be a value or none.
        presence: Presence,
    },
    /// A value of the parameter passes one of the tests; negated: none does, also because there is
    /// no value at all.
    Matches {
        /// The parameter.
        code: &'static str,
        /// Whether it is to match or not.
        sense: Sense,
        /// The tests.
        any_of: Vec<Value>,
    },
    /// A reference leads to a resource of one of these types that meets the condition.
    Chain {
        /// The parameter, of references.
        code: &'static str,
        /// The types that the reference may lead to and that have the rest of the chain.
        targets: Vec<&'static str>,
        /// The condition on them.
        condition: Box<Condition>,
    },
    /// `_has`: a resource of that type that meets the condition refers to this one.
    Has {
        /// The type of the other resource.
        kind: &'static str,
        /// Its parameter, of references.
        code: &'static str,
        /// The condition on it.
        condition: Box<Condition>,
    },
}

/// What `:missing` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// `:missing=true`
    Absent,
    /// `:missing=false`
    Present,
}

/// Whether the values of a criterion are wanted or unwanted (`:not`, `:not-in`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sense {
    /// One of them must match.
    Plain,
    /// None of them may match.
    Negated,
}

/// References that `_not-referenced` is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Referrer {
    /// Those in resources of this type; of any, if there is none.
    pub kind: Option<&'static str>,
    /// Those of this parameter; of any, if there is none.
    pub code: Option<&'static str>,
}

/// A comparator before a number, date or quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Prefix {
    /// `eq`, or nothing: within the range searched for.
    Equal,
    /// `ne`: not within it.
    NotEqual,
    /// `gt`: reaches above it.
    Greater,
    /// `lt`: reaches below it.
    Less,
    /// `ge`
    GreaterOrEqual,
    /// `le`
    LessOrEqual,
    /// `sa`: lies above it as a whole.
    StartsAfter,
    /// `eb`: lies below it as a whole.
    EndsBefore,
    /// `ap`: overlaps it, widened by a tenth.
    Approximately,
}

/// A date with its comparator.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DateTest {
    /// The comparator.
    pub prefix: Prefix,
    /// The first microsecond of what the date covers.
    pub low: i64,
    /// The last one.
    pub high: i64,
}

/// A test on the value of a parameter.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// A text, of a string parameter.
    Text {
        /// How it is compared.
        how: TextMatch,
        /// As given.
        text: Box<str>,
    },
    /// What people read in place of a code.
    TokenText {
        /// How it is compared.
        how: TokenTextMatch,
        /// As given.
        text: Box<str>,
    },
    /// A code.
    Token(Token),
    /// `:of-type`: an identifier by its type and value.
    OfType {
        /// The system of its type.
        system: Box<str>,
        /// The code of its type.
        code: Box<str>,
        /// Its value.
        value: Box<str>,
    },
    /// `:in`, `:not-in`: a code of this value set, by its canonical URL or as `ValueSet/id`.
    InValueSet(Box<str>),
    /// `:above`, `:below`: a code that subsumes this one, or is subsumed by it.
    Subsumed {
        /// In which direction.
        side: Side,
        /// The code's system.
        system: Box<str>,
        /// The code.
        code: Box<str>,
    },
    /// A reference.
    Reference(ReferenceTest),
    /// `:identifier`: a reference with this identifier.
    Identifier(Token),
    /// `:above`, `:below` of a reference: what lies above or below in a hierarchy of resources of
    /// one type, the resource itself included.
    Hierarchy {
        /// In which direction.
        side: Side,
        /// The type.
        kind: &'static str,
        /// The id.
        id: Box<str>,
    },
    /// A URI.
    Uri {
        /// How it is compared.
        how: UriMatch,
        /// As given, without slashes at the end where it is not compared exactly.
        uri: Box<str>,
    },
    /// A date.
    Date(DateTest),
    /// A number; its written precision says which range it stands for.
    Number {
        /// The comparator.
        prefix: Prefix,
        /// The number.
        number: Decimal,
    },
    /// A quantity.
    Quantity {
        /// The comparator.
        prefix: Prefix,
        /// The number.
        number: Decimal,
        /// Its unit.
        unit: Unit,
    },
    /// `near`: at most so far away.
    Near {
        /// From where.
        place: Place,
        /// How far.
        metres: u32,
    },
    /// `_text`, `_content`
    Words(Words),
    /// The components of a composite, in order; all of one place.
    Composite(Vec<Value>),
}

/// How a text is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextMatch {
    /// It begins so, folded ([`crate::text::fold`]).
    Starts,
    /// It contains this, folded.
    Contains,
    /// It is written exactly so.
    Exact,
}

/// How what people read in place of a code is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenTextMatch {
    /// `:text`, `:code-text`: it begins so, folded.
    Starts,
    /// `:text-advanced`: it contains all these words, in any order.
    Words,
}

/// A code as given.
#[derive(Clone, PartialEq, Eq)]
pub enum Token {
    /// `code`: in any system and without one.
    Code(Box<str>),
    /// `system|code`, or `|code` for none.
    Coded {
        /// The system.
        system: Option<Box<str>>,
        /// The code.
        code: Box<str>,
    },
    /// `system|`: any code of it.
    System(Box<str>),
}

/// A direction in a hierarchy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// What is more general.
    Above,
    /// What is more special.
    Below,
}

/// A reference as given.
#[derive(Clone, PartialEq, Eq)]
pub enum ReferenceTest {
    /// To a resource of this server.
    Local {
        /// Its type.
        kind: &'static str,
        /// Its id.
        id: Box<str>,
    },
    /// To a resource of this id and of any type that the parameter may lead to, or of the one given.
    Id {
        /// The type (`subject:Patient=1`).
        kind: Option<&'static str>,
        /// The id.
        id: Box<str>,
    },
    /// To an absolute URL: elsewhere, or a canonical one, with or without version.
    Url(Box<str>),
    /// `:above`, `:below` with `url|version`: to a canonical URL whose version is this one, or begins
    /// with it and a point; above, the other way round.
    Versions {
        /// In which direction.
        side: Side,
        /// With its version.
        url: Box<str>,
    },
    /// `:above`, `:below` with a URL: to one that lies above or below it, or is it.
    Path {
        /// In which direction.
        side: Side,
        /// Without slashes at the end.
        url: Box<str>,
    },
}

/// How a URI is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UriMatch {
    /// It is this one.
    Exact,
    /// It is this one or lies above it, at a boundary of its path.
    Above,
    /// It is this one or lies below it, at a boundary of its path.
    Below,
}

/// The unit of a searched quantity.
#[derive(Clone, PartialEq, Eq)]
pub enum Unit {
    /// Any (`5.4`).
    Any,
    /// By code or by its text, whatever the system (`5.4||mg`).
    Named(Box<str>),
    /// By system and code (`5.4|http://unitsofmeasure.org|mg`).
    Coded {
        /// The system.
        system: Box<str>,
        /// The code.
        code: Box<str>,
    },
}

/// `_include` or `_revinclude`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Include {
    /// Which of them.
    pub towards: Towards,
    /// Whether what was included is looked at as well.
    pub rounds: Rounds,
    /// The type that has the parameter; any, if there is none.
    pub source: Option<&'static str>,
    /// The parameter; any of references, if there is none.
    pub code: Option<&'static str>,
    /// Only references to this type.
    pub target: Option<&'static str>,
}

/// Which way references are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Towards {
    /// `_include`: to what matches refer to.
    Targets,
    /// `_revinclude`: to what refers to matches.
    Sources,
}

/// How often an include is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounds {
    /// To the matches.
    Once,
    /// `:iterate`, `:recurse`: also to what was included, until nothing is new.
    Iterated,
}

/// How a result is to be given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResultParameters {
    /// `_count`
    pub count: Option<usize>,
    /// `_maxresults`: greatest number of matches over all pages.
    pub results_max: Option<usize>,
    /// `_total`
    pub total: WantedTotal,
    /// `_summary` and `_elements`
    pub summary: Summary,
    /// `_sort`
    pub sort: Vec<SortKey>,
    /// `_contained`
    pub contained: Contained,
    /// `_containedType`
    pub contained_type: ContainedType,
    /// `_type`: the types looked at, of those that were searched.
    pub types: Option<Vec<&'static str>>,
    /// `_explain=true`: how the search is executed.
    pub explain: bool,
    /// The token of a page after the first.
    pub page: Option<String>,
}

/// A key of `_sort`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortKey {
    /// By what.
    pub by: SortedBy,
    /// In which direction.
    pub direction: Direction,
}

/// What is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortedBy {
    /// `_id`
    Id,
    /// `_lastUpdated`
    Updated,
    /// `_score`: every match is a whole one, so all are equal.
    Score,
    /// The parameter of that code; a type without it has no value.
    Parameter(&'static str),
}

/// `_total`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WantedTotal {
    /// Nothing was said.
    #[default]
    Unsaid,
    /// None.
    None,
    /// An estimate will do.
    Estimate,
    /// The exact number.
    Accurate,
}

/// `_summary` and `_elements`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Summary {
    /// Everything.
    #[default]
    None,
    /// Elements marked as summary.
    True,
    /// `text`, `id`, `meta` and mandatory elements.
    Text,
    /// Everything but `text`.
    Data,
    /// The total only.
    Count,
    /// These top-level elements and the mandatory ones.
    Elements(Vec<String>),
}

/// `_contained`: whether contained resources are searched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Contained {
    /// They are not.
    #[default]
    False,
    /// Only they.
    True,
    /// They and the others.
    Both,
}

/// `_containedType`: what is given for a contained resource that matches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ContainedType {
    /// The resource that contains it.
    #[default]
    Container,
    /// It alone.
    Contained,
}

/// The name of the parameter that carries a page's token.
pub const PAGE: &str = "_page";

/// Says which parameters, never which values.
impl std::fmt::Debug for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Query")
            .field("criteria", &self.criteria)
            .field("result", &self.result)
            .field("includes", &self.includes)
            .finish_non_exhaustive()
    }
}

/// Says which parameters, never which values.
impl std::fmt::Debug for Criterion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Criterion({})", self.name)
    }
}
