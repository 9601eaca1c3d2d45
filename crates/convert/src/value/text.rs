//! Text that knows where it is from. No value of the input may add a field to the JSON that a
//! template writes, yet ids and comparisons must see values as they are; so values are escaped
//! only where they are written, and every piece of text says what it is: data as given, data
//! that is already escaped (HL7 v2), or markup, which a template wrote.

use std::cell::Cell;
use std::ops::Range;

use super::Arena;

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextKind {
    /// Data as given.
    Plain,
    /// Data, with `\` and `"` escaped as in JSON.
    Escaped,
    /// What a template wrote: it may contain JSON.
    Markup,
}

/// A text of one kind, or of pieces of several.
#[derive(Clone, Copy)]
pub(crate) enum Text<'a> {
    /// A value of the input.
    Given(&'a Given<'a>),
    Plain(&'a str),
    Escaped(&'a str),
    Markup(&'a str),
    Mixed(&'a Mixed<'a>),
}

/// A value of the input, which knows whether anybody looked at its characters.
pub(crate) struct Given<'a> {
    text: &'a str,
    is_read: Cell<bool>,
}

impl<'a> Given<'a> {
    /// A value that nobody has read.
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            text,
            is_read: Cell::new(false),
        }
    }

    fn read(&self) -> &'a str {
        self.is_read.set(true);
        self.text
    }

    /// Whether somebody read it; what is white space has nothing to read.
    pub(crate) fn is_read(&self) -> bool {
        self.is_read.get() || self.text.trim().is_empty()
    }
}

/// A text of several pieces.
pub(crate) struct Mixed<'a> {
    text: &'a str,
    runs: &'a [Run],
}

#[derive(Clone, Copy)]
struct Run {
    end: usize,
    kind: TextKind,
}

impl<'a> Text<'a> {
    /// A text of one kind.
    pub(crate) fn of(kind: TextKind, text: &'a str) -> Self {
        match kind {
            TextKind::Plain => Self::Plain(text),
            TextKind::Escaped => Self::Escaped(text),
            TextKind::Markup => Self::Markup(text),
        }
    }

    /// The characters, whatever they are.
    pub(crate) fn as_str(&self) -> &'a str {
        match self {
            Self::Given(given) => given.read(),
            Self::Plain(text) | Self::Escaped(text) | Self::Markup(text) => text,
            Self::Mixed(mixed) => mixed.text,
        }
    }

    /// The characters, of a value of the input without their counting as read.
    pub(crate) fn peek(&self) -> &'a str {
        match self {
            Self::Given(given) => given.text,
            other => other.as_str(),
        }
    }

    /// The pieces in order.
    pub(crate) fn pieces(self) -> impl Iterator<Item = (TextKind, &'a str)> {
        let (single, mixed) = match self {
            Self::Given(given) => (Some((TextKind::Plain, given.read())), None),
            Self::Plain(text) => (Some((TextKind::Plain, text)), None),
            Self::Escaped(text) => (Some((TextKind::Escaped, text)), None),
            Self::Markup(text) => (Some((TextKind::Markup, text)), None),
            Self::Mixed(mixed) => (None, Some(mixed)),
        };
        let mut from = 0;
        let runs = mixed
            .into_iter()
            .flat_map(|it| it.runs.iter().map(move |run| (it.text, run)));
        let runs = runs.map(move |(text, run)| {
            let piece = &text[from..run.end];
            from = run.end;
            (run.kind, piece)
        });
        single.into_iter().chain(runs)
    }

    /// A part of it; the range lies on characters.
    pub(crate) fn cut(self, range: Range<usize>, arena: &'a Arena) -> Self {
        match self {
            Self::Given(given) => Self::Plain(&given.read()[range]),
            Self::Plain(text) => Self::Plain(&text[range]),
            Self::Escaped(text) => Self::Escaped(&text[range]),
            Self::Markup(text) => Self::Markup(&text[range]),
            Self::Mixed(mixed) => {
                let mut cut = TextBuilder::default();
                cut.push_part(Self::Mixed(mixed), range);
                cut.finish(arena)
            }
        }
    }

    /// Every character as a text of its own.
    pub(crate) fn characters(self) -> impl Iterator<Item = Self> {
        self.pieces().flat_map(|(kind, text)| {
            let ends = text.char_indices();
            ends.map(move |(at, c)| Self::of(kind, &text[at..at + c.len_utf8()]))
        })
    }
}

/// Puts texts together.
#[derive(Default)]
pub(crate) struct TextBuilder {
    text: String,
    runs: Vec<Run>,
}

impl TextBuilder {
    /// How many bytes it has.
    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    /// Appends a piece.
    pub(crate) fn push(&mut self, kind: TextKind, piece: &str) {
        if piece.is_empty() {
            return;
        }
        self.text.push_str(piece);
        let end = self.text.len();
        match self.runs.last_mut() {
            Some(run) if run.kind == kind => run.end = end,
            _ => self.runs.push(Run { end, kind }),
        }
    }

    /// Appends a text with its kinds.
    pub(crate) fn push_text(&mut self, text: Text<'_>) {
        for (kind, piece) in text.pieces() {
            self.push(kind, piece);
        }
    }

    /// Appends a part of a text; the range lies on characters.
    pub(crate) fn push_part(&mut self, text: Text<'_>, range: Range<usize>) {
        let mut at = 0;
        for (kind, piece) in text.pieces() {
            let (start, end) = (at, at + piece.len());
            at = end;
            let (from, to) = (range.start.max(start), range.end.min(end));
            if from < to {
                self.push(kind, &piece[from - start..to - start]);
            }
        }
    }

    /// The text, in the arena.
    pub(crate) fn finish<'a>(&self, arena: &'a Arena) -> Text<'a> {
        let text: &'a str = arena.alloc_str(&self.text);
        match self.runs[..] {
            [] => Text::Markup(""),
            [run] => Text::of(run.kind, text),
            _ => Text::Mixed(arena.alloc(Mixed {
                text,
                runs: arena.alloc_slice_copy(&self.runs),
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: Text<'_>) -> Vec<(TextKind, &str)> {
        text.pieces().collect()
    }

    #[test]
    fn pieces_keep_their_kinds_when_they_are_cut() {
        use TextKind::{Escaped, Markup, Plain};
        let arena = Arena::new();
        let mut builder = TextBuilder::default();
        for (kind, piece) in [(Plain, "ab"), (Plain, "c"), (Markup, ""), (Markup, "de")] {
            builder.push(kind, piece);
        }
        builder.push_text(Text::Escaped("fg"));
        let text = builder.finish(&arena);
        assert_eq!(text.as_str(), "abcdefg");
        assert_eq!(
            shown(text),
            [(Plain, "abc"), (Markup, "de"), (Escaped, "fg")]
        );
        assert_eq!(
            shown(text.cut(1..4, &arena)),
            [(Plain, "bc"), (Markup, "d")]
        );
        assert_eq!(shown(text.cut(3..5, &arena)), [(Markup, "de")]);
        assert_eq!(text.characters().count(), 7);
    }
}
