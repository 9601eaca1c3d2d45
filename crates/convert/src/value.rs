//! What templates compute with: the values of a conversion, all borrowed from its arena, its input
//! or its library, so that none is ever counted or freed on its own.
//!
//! Equality and order follow DotLiquid 2.0, which follows .NET's conversions; see [`compare`].

pub(crate) mod compare;
mod map;
pub(crate) mod print;
pub(crate) mod text;

use std::fmt;

use fhir::Decimal;

use crate::data::hl7v2::Hl7;
pub(crate) use map::{Map, MapBuilder};
pub(crate) use text::{Given, Text, TextBuilder, TextKind};

/// So many characters of a text can be gone through; loops have a lower limit.
const CHARACTERS_MAX: usize = 1_000_000;

/// Where everything lives that a conversion makes.
pub(crate) type Arena = bumpalo::Bump;

/// A value.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Decimal(&'a Decimal),
    Double(f64),
    Text(Text<'a>),
    List(&'a [Value<'a>]),
    Map(&'a Map<'a>),
    /// A member of a map that is iterated over.
    Pair(&'a (&'a str, Value<'a>)),
    Hl7(Hl7<'a>),
    /// The words `empty` and `blank`.
    Empty,
}

/// Says what it is, never what is in it.
impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

impl<'a> Value<'a> {
    /// The empty text.
    pub(crate) const BLANK: Self = Self::Text(Text::Markup(""));

    /// Its kind, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Int(_) | Self::Decimal(_) | Self::Double(_) => "number",
            Self::Text(_) => "text",
            Self::List(_) => "list",
            Self::Map(_) | Self::Pair(_) => "object",
            Self::Hl7(_) => "HL7 v2 element",
            Self::Empty => "`empty`",
        }
    }

    /// A value of the input.
    pub(crate) fn given(text: &'a str, arena: &'a Arena) -> Self {
        Self::Text(Text::Given(arena.alloc(Given::new(text))))
    }

    /// Data as it was given, nothing escaped.
    pub(crate) fn plain(text: &'a str) -> Self {
        Self::Text(Text::Plain(text))
    }

    /// Everything but null and false.
    pub(crate) fn is_true(&self) -> bool {
        !matches!(self, Self::Null | Self::Bool(false))
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// What the JSON that comes out leaves away: an empty text, list or map.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.peek().is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Map(map) => map.len() == 0,
            _ => false,
        }
    }

    /// The text, if it is one.
    pub(crate) fn as_text(&self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// The element, if it is one of an XML document as strict libraries see it.
    pub(crate) fn as_element(&self) -> Option<&'a Map<'a>> {
        self.as_map().filter(|it| !it.source().is_empty())
    }

    /// The map, if it is one.
    pub(crate) fn as_map(&self) -> Option<&'a Map<'a>> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The value of a number as JSON writes it; none if it is not written so.
    pub(crate) fn number(text: &str, arena: &'a Arena) -> Option<Self> {
        if let Ok(whole) = text.parse::<i64>()
            && text != "-0"
        {
            return Some(Self::Int(whole));
        }
        if let Ok(decimal) = text.parse::<Decimal>() {
            return Some(Self::Decimal(arena.alloc(decimal)));
        }
        let double = text.parse::<f64>().ok()?;
        double.is_finite().then_some(Self::Double(double))
    }

    /// The elements, if it is something to iterate over: a list, the members of a map, the
    /// characters of a text.
    pub(crate) fn elements(&self, arena: &'a Arena) -> Option<&'a [Self]> {
        match self {
            Self::List(items) => Some(items),
            Self::Map(map) => {
                let pairs = map.members().iter().map(Self::Pair);
                Some(arena.alloc_slice_fill_iter(pairs.collect::<Vec<_>>()))
            }
            Self::Text(text) => {
                let characters = text.characters().take(CHARACTERS_MAX);
                let characters = characters.map(Self::Text).collect::<Vec<_>>();
                Some(arena.alloc_slice_copy(&characters))
            }
            _ => None,
        }
    }
}
