//! Where rendered text goes: into a text that is captured, or straight into the JSON it makes.

use crate::error::Result;
use crate::json::{Builder, Leniency, Origin, write};
use crate::value::{Arena, Text, TextBuilder, TextKind, Value};

/// A place for rendered text.
pub(crate) enum Sink<'a> {
    Text(TextBuilder),
    Json(Builder<'a>),
}

impl<'a> Sink<'a> {
    /// A text to be captured.
    pub(crate) fn text() -> Self {
        Self::Text(TextBuilder::default())
    }

    /// JSON.
    pub(crate) fn json(arena: &'a Arena, leniency: Leniency, depth_max: usize) -> Self {
        Self::Json(Builder::new(arena, leniency, depth_max))
    }

    /// Says where in the templates the text that follows is from.
    pub(crate) fn is_from(&mut self, origin: Origin<'a>) {
        if let Self::Json(builder) = self {
            builder.is_from(origin);
        }
    }

    /// Takes a text.
    pub(crate) fn push(&mut self, text: Text<'a>) -> Result<()> {
        match self {
            Self::Text(builder) => {
                builder.push_text(text);
                Ok(())
            }
            Self::Json(builder) => builder.push(text),
        }
    }

    /// Takes what a template wrote.
    pub(crate) fn markup(&mut self, text: &'a str) -> Result<()> {
        match self {
            Self::Text(builder) => {
                builder.push(TextKind::Markup, text);
                Ok(())
            }
            Self::Json(builder) => builder.markup(text),
        }
    }

    /// Takes a value as JSON, without writing and reading it where that can be avoided.
    pub(crate) fn value(&mut self, value: Value<'a>, arena: &'a Arena) -> Result<()> {
        match self {
            Self::Json(builder) if builder.takes_value() => builder.tree(value),
            _ => self.markup(arena.alloc_str(&write::to_string(value))),
        }
    }

    /// The captured text; nothing for JSON.
    pub(crate) fn captured(&self, arena: &'a Arena) -> Text<'a> {
        match self {
            Self::Text(builder) => builder.finish(arena),
            Self::Json(_) => Text::Markup(""),
        }
    }
}
