//! What the builder is reading when a piece of text ends: strings with their escapes, words,
//! comments. Any of them may go on in the next piece.

use super::super::escape;
use super::super::scalar::{self, Word};
use super::{At, Builder, Frame};
use crate::error::Result;
use crate::value::{Arena, TextKind, Value};

/// What is being read.
pub(super) enum Token<'a> {
    None,
    String(Content<'a>),
    /// A `\` inside a string, and the digits of `\u` so far.
    Escape(Content<'a>, String),
    Word(String),
    /// A `/`; then inside a comment, with the last character.
    Slash,
    LineComment,
    BlockComment(u8),
}

/// The content of a string: one piece as it stands, or several put together.
pub(super) enum Content<'a> {
    Borrowed(&'a str),
    Owned(String),
}

impl<'a> Content<'a> {
    pub(super) fn push(&mut self, piece: &'a str) {
        match self {
            Self::Borrowed("") => *self = Self::Borrowed(piece),
            Self::Borrowed(_) if piece.is_empty() => {}
            _ => self.owned().push_str(piece),
        }
    }

    pub(super) fn owned(&mut self) -> &mut String {
        if let Self::Borrowed(text) = self {
            *self = Self::Owned((*text).to_owned());
        }
        match self {
            Self::Owned(text) => text,
            Self::Borrowed(_) => unreachable!("it was made owned just now"),
        }
    }

    pub(super) fn finish(self, arena: &'a Arena) -> &'a str {
        match self {
            Self::Borrowed(text) => text,
            Self::Owned(text) => arena.alloc_str(&text),
        }
    }
}

impl<'a> Builder<'a> {
    pub(super) fn string(&mut self, text: &'a str) -> Result<usize> {
        let Token::String(content) = &mut self.token else {
            return Ok(0);
        };
        let end = memchr::memchr2(b'"', b'\\', text.as_bytes());
        let piece = &text[..end.unwrap_or(text.len())];
        content.push(piece);
        let Some(end) = end else {
            return Ok(text.len());
        };
        let token = std::mem::replace(&mut self.token, Token::None);
        let Token::String(content) = token else {
            return Ok(0);
        };
        if text.as_bytes()[end] == b'\\' {
            self.token = Token::Escape(content, String::new());
        } else {
            let text = content.finish(self.arena);
            self.string_value(text)?;
        }
        Ok(end + 1)
    }

    /// Goes on with an escape; `\u` collects its digits, of pairs too.
    pub(super) fn escape(&mut self, text: &'a str) -> usize {
        let Token::Escape(content, so_far) = &mut self.token else {
            return 0;
        };
        let first = text.as_bytes()[0];
        if so_far.is_empty() {
            if first == b'u' {
                so_far.push('u');
                return 1;
            }
            let known = escape::simple(first);
            content.owned().push(known.unwrap_or('\\'));
            let taken = usize::from(known.is_some());
            self.end_escape();
            return taken;
        }
        if first.is_ascii_hexdigit() && so_far.len() < 5 {
            so_far.push(char::from(first));
            return 1;
        }
        self.finish_escape();
        0
    }

    /// Ends an escape that can get no longer. A high surrogate waits as text for its other half.
    pub(super) fn finish_escape(&mut self) {
        let Token::Escape(content, so_far) = &mut self.token else {
            return;
        };
        let written = format!("\\{so_far}");
        let content = content.owned();
        let waiting = content.rfind("\\u").filter(|at| content.len() - at == 6);
        let pair = waiting.map(|at| (at, content[at..].to_owned() + &written));
        let whole = pair.filter(|(_, pair)| {
            let mut decoded = String::new();
            escape::unescape(pair, &mut decoded);
            decoded.chars().count() == 1
        });
        if let Some((at, pair)) = whole {
            content.truncate(at);
            escape::unescape(&pair, content);
        } else {
            escape::unescape(&written, content);
        }
        self.end_escape();
    }

    pub(super) fn end_escape(&mut self) {
        let token = std::mem::replace(&mut self.token, Token::None);
        if let Token::Escape(content, _) = token {
            self.token = Token::String(content);
        }
    }

    pub(super) fn comment_start(&mut self, byte: u8) -> usize {
        self.token = match byte {
            b'/' => Token::LineComment,
            b'*' => Token::BlockComment(b' '),
            _ => Token::None,
        };
        usize::from(!matches!(self.token, Token::None))
    }

    pub(super) fn line_comment(&mut self, text: &str) -> usize {
        match memchr::memchr(b'\n', text.as_bytes()) {
            Some(end) => {
                self.token = Token::None;
                end + 1
            }
            None => text.len(),
        }
    }

    pub(super) fn end_word(&mut self) -> Result<()> {
        let Token::Word(_) = &self.token else {
            return Ok(());
        };
        let token = std::mem::replace(&mut self.token, Token::None);
        let Token::Word(text) = token else {
            return Ok(());
        };
        match scalar::word(&text, self.arena) {
            Word::Nothing => Ok(()),
            Word::One(value) => self.value(value),
            Word::Fault => {
                Err(self.fault("a bare value is neither a number nor true, false or null"))
            }
        }
    }

    pub(super) fn string_value(&mut self, text: &'a str) -> Result<()> {
        match self.open.last_mut() {
            Some(Frame::Object(_, at @ At::Gap)) => {
                *at = At::Key(text);
                Ok(())
            }
            _ => self.value(Value::plain(text)),
        }
    }
}

/// What cannot be part of a bare word.
pub(super) fn ends_word(c: char) -> bool {
    matches!(
        c,
        ' ' | '\n' | '\r' | '\t' | '"' | '{' | '}' | '[' | ']' | ',' | ':' | '/'
    )
}

pub(super) fn push_data<'a>(content: &mut Content<'a>, kind: TextKind, text: &'a str) {
    if kind == TextKind::Escaped && text.contains('\\') {
        escape::unescape(text, content.owned());
    } else {
        content.push(text);
    }
}
