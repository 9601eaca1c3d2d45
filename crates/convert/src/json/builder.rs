//! The lenient JSON that templates write, read while it is written: text comes in pieces, and every
//! piece says whether a template wrote it or it is data. Only a template's text can open, close or
//! separate; data is content, wherever it stands.
//!
//! Lenient: extra commas, missing values, comments, characters that nobody knows between tokens.
//! A missing comma is a fault. What follows the outermost value is ignored.
//!
//! A fault is told with the place in the templates where the token, or the bracket that is not
//! closed, was written.

#[cfg(test)]
mod tests;
mod token;

use crate::error::{ConvertError, ErrorKind, Result};
use crate::template::Template;
use crate::value::{Arena, MapBuilder, Text, TextKind, Value};

use token::{Content, Token, ends_word, push_data};

/// What becomes of empty texts, lists and objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leniency {
    /// They are left away, from the inside out: the output of a conversion.
    DropEmpty,
    /// They stay, because they say what to remove: the body of `mergeDiff`.
    KeepEmpty,
}

/// Builds a value from pieces of text.
pub(crate) struct Builder<'a> {
    arena: &'a Arena,
    leniency: Leniency,
    depth_max: usize,
    open: Vec<Frame<'a>>,
    /// Where each of those was opened.
    opened: Vec<Option<Origin<'a>>>,
    token: Token<'a>,
    root: Option<Value<'a>>,
    origin: Option<Origin<'a>>,
    /// How much of the text at hand was taken.
    taken: usize,
    /// Where what is being read began.
    began: Option<Origin<'a>>,
}

/// Where in the templates text is from.
#[derive(Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) template: &'a Template,
    pub(crate) at: u32,
    /// Whether the text stands there letter by letter.
    pub(crate) is_verbatim: bool,
}

enum Frame<'a> {
    Object(MapBuilder<'a>, At<'a>),
    Array(Vec<Value<'a>>, At<'a>),
}

/// What was read last inside a bracket.
#[derive(Clone, Copy, PartialEq)]
enum At<'a> {
    /// The bracket or a comma.
    Gap,
    Key(&'a str),
    Colon(&'a str),
    Value,
}

fn fault_at(what: &str, origin: Option<Origin<'_>>) -> ConvertError {
    let what = format!("the output is not JSON: {what}");
    ConvertError {
        place: origin.map(|it| it.template.place(it.at)),
        ..ConvertError::new(ErrorKind::Json, what)
    }
}

impl<'a> Builder<'a> {
    pub(crate) fn new(arena: &'a Arena, leniency: Leniency, depth_max: usize) -> Self {
        Self {
            arena,
            leniency,
            depth_max,
            open: Vec::new(),
            opened: Vec::new(),
            token: Token::None,
            root: None,
            origin: None,
            taken: 0,
            began: None,
        }
    }

    /// Says where the text that follows is from.
    pub(crate) fn is_from(&mut self, origin: Origin<'a>) {
        self.origin = Some(origin);
        self.taken = 0;
    }

    fn here(&self) -> Option<Origin<'a>> {
        let taken = u32::try_from(self.taken).unwrap_or_default();
        self.origin.map(|origin| Origin {
            at: origin.at + if origin.is_verbatim { taken } else { 0 },
            ..origin
        })
    }

    fn fault(&self, what: &str) -> ConvertError {
        fault_at(what, self.began)
    }

    fn too_deep(&self) -> ConvertError {
        ConvertError {
            place: self.began.map(|it| it.template.place(it.at)),
            ..ConvertError::limit("depth_max", self.depth_max)
        }
    }

    /// Takes a text.
    pub(crate) fn push(&mut self, text: Text<'a>) -> Result<()> {
        for (kind, piece) in text.pieces() {
            match kind {
                TextKind::Markup => self.markup(piece)?,
                TextKind::Plain | TextKind::Escaped => self.data(kind, piece)?,
            }
        }
        Ok(())
    }

    /// Takes what a template wrote.
    pub(crate) fn markup(&mut self, text: &'a str) -> Result<()> {
        let mut rest = text;
        while !rest.is_empty() && self.root.is_none() {
            self.taken = text.len() - rest.len();
            let taken = match &mut self.token {
                Token::None => self.structure(rest)?,
                Token::String(_) => self.string(rest)?,
                Token::Escape(..) => self.escape(rest),
                Token::Word(word) => {
                    let end = rest.find(ends_word).unwrap_or(rest.len());
                    word.push_str(&rest[..end]);
                    if end < rest.len() {
                        self.end_word()?;
                    }
                    end
                }
                Token::Slash => self.comment_start(rest.as_bytes()[0]),
                Token::LineComment => self.line_comment(rest),
                Token::BlockComment(last) => {
                    let end = *last == b'*' && rest.starts_with('/');
                    *last = rest.as_bytes()[0];
                    let length = rest.chars().next().map_or(1, char::len_utf8);
                    if end {
                        self.token = Token::None;
                    }
                    length
                }
            };
            rest = &rest[taken..];
        }
        Ok(())
    }

    /// Takes data: inside a string it is content; outside it is a bare word, or a string of its own
    /// if it contains what only a template may write.
    fn data(&mut self, kind: TextKind, text: &'a str) -> Result<()> {
        if text.is_empty() || self.root.is_some() {
            return Ok(());
        }
        self.finish_escape();
        match &mut self.token {
            Token::String(content) => {
                push_data(content, kind, text);
                Ok(())
            }
            Token::LineComment | Token::BlockComment(_) => Ok(()),
            _ if text.contains(['{', '}', '[', ']', ',', ':', '"', '/']) => {
                self.end_word()?;
                self.token = Token::None;
                self.began = self.here();
                let mut content = Content::Borrowed("");
                push_data(&mut content, kind, text);
                let value = content.finish(self.arena);
                self.value(Value::plain(value))
            }
            _ => self.markup(text),
        }
    }

    /// Takes a finished value with all that is in it.
    pub(crate) fn tree(&mut self, value: Value<'a>) -> Result<()> {
        self.began = self.here();
        let depth = self.depth_max.saturating_sub(self.open.len());
        let kept = match self.leniency {
            Leniency::DropEmpty => self.pruned(value, depth)?,
            Leniency::KeepEmpty => {
                check_depth(value, depth, self.depth_max)?;
                value
            }
        };
        self.value(kept)
    }

    fn pruned(&self, value: Value<'a>, depth: usize) -> Result<Value<'a>> {
        if depth == 0 {
            return Err(self.too_deep());
        }
        match value {
            Value::Map(map) => {
                let mut kept = MapBuilder::default();
                for (name, value) in map.members() {
                    let value = self.pruned(*value, depth - 1)?;
                    if !value.is_empty() {
                        kept.set(name, value);
                    }
                }
                Ok(Value::Map(kept.finish(self.arena)))
            }
            Value::List(items) => {
                let mut kept = Vec::with_capacity(items.len());
                for item in items {
                    let item = self.pruned(*item, depth - 1)?;
                    if !item.is_empty() {
                        kept.push(item);
                    }
                }
                Ok(Value::List(self.arena.alloc_slice_copy(&kept)))
            }
            other => Ok(other),
        }
    }

    /// Whether a value may stand here.
    pub(crate) fn takes_value(&self) -> bool {
        let expects = match self.open.last() {
            Some(Frame::Object(_, at)) => matches!(at, At::Colon(_)),
            Some(Frame::Array(_, at)) => *at == At::Gap,
            None => self.root.is_none(),
        };
        expects && matches!(self.token, Token::None)
    }

    /// The finished value; none if nothing was written.
    pub(crate) fn finish(mut self) -> Result<Option<Value<'a>>> {
        if self.root.is_none() {
            self.end_word()?;
        }
        match (self.root, self.open.last(), &self.token) {
            (Some(root), ..) => Ok(Some(root)),
            (None, _, Token::String(_) | Token::Escape(..)) => {
                Err(self.fault("a string is not closed with `\"`"))
            }
            (None, _, Token::BlockComment(_)) => {
                Err(self.fault("a comment is not closed with `*/`"))
            }
            (None, Some(frame), _) => {
                let what = match frame {
                    Frame::Object(..) => "an object is not closed with `}`",
                    Frame::Array(..) => "an array is not closed with `]`",
                };
                Err(fault_at(what, self.opened.last().copied().flatten()))
            }
            (None, None, _) => Ok(None),
        }
    }

    fn structure(&mut self, text: &'a str) -> Result<usize> {
        self.began = self.here();
        let byte = text.as_bytes()[0];
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => {
                return Ok(text.len() - text.trim_start_matches([' ', '\n', '\r', '\t']).len());
            }
            b'"' => self.token = Token::String(Content::Borrowed("")),
            b'{' => self.open(Frame::Object(MapBuilder::default(), At::Gap))?,
            b'[' => self.open(Frame::Array(Vec::new(), At::Gap))?,
            b'}' | b']' => self.close(byte)?,
            b',' => self.comma()?,
            b':' => self.colon()?,
            b'/' => self.token = Token::Slash,
            _ => {
                self.token = Token::Word(String::new());
                return Ok(0);
            }
        }
        Ok(1)
    }

    /// Puts a value where one may stand.
    pub(crate) fn value(&mut self, value: Value<'a>) -> Result<()> {
        let drops = self.leniency == Leniency::DropEmpty && value.is_empty();
        match self.open.last_mut() {
            Some(Frame::Object(members, at)) => match *at {
                At::Colon(key) => {
                    if !drops {
                        members.set(key, value);
                    }
                    *at = At::Value;
                    Ok(())
                }
                At::Value => Err(self.fault("a comma is missing between members")),
                At::Key(_) => Err(self.fault("a colon is missing after a member's name")),
                At::Gap => Err(self.fault("a member has no name")),
            },
            Some(Frame::Array(items, at)) => {
                if *at == At::Value {
                    return Err(self.fault("a comma is missing between items"));
                }
                if !drops {
                    items.push(value);
                }
                *at = At::Value;
                Ok(())
            }
            // Only a bracket makes a document; a stray word or string before it is no matter.
            None => {
                if matches!(value, Value::Map(_) | Value::List(_)) {
                    self.root = Some(value);
                }
                Ok(())
            }
        }
    }

    fn open(&mut self, frame: Frame<'a>) -> Result<()> {
        if self.open.len() >= self.depth_max {
            return Err(self.too_deep());
        }
        let fits = match self.open.last() {
            Some(Frame::Object(_, at)) => matches!(at, At::Colon(_)),
            Some(Frame::Array(_, at)) => *at == At::Gap,
            None => true,
        };
        if !fits {
            return Err(self.fault("a comma or a name is missing before a bracket"));
        }
        self.open.push(frame);
        self.opened.push(self.began);
        Ok(())
    }

    fn close(&mut self, bracket: u8) -> Result<()> {
        let opened = self.opened.pop().flatten();
        let value = match (self.open.pop(), bracket) {
            (Some(Frame::Object(_, At::Key(_))), b'}') => {
                return Err(self.fault("a colon is missing after a member's name"));
            }
            (Some(Frame::Object(mut members, at)), b'}') => {
                if let At::Colon(key) = at {
                    self.missing(&mut members, key);
                }
                Value::Map(members.finish(self.arena))
            }
            (Some(Frame::Array(items, _)), b']') => {
                Value::List(self.arena.alloc_slice_copy(&items))
            }
            // Nothing is open: a stray bracket before the document.
            (None, _) => return Ok(()),
            _ => {
                return Err(self.fault(&crossed(bracket, opened)));
            }
        };
        self.value(value)
    }

    /// A member without a value is null in `mergeDiff`, as Newtonsoft reads it, and nothing else.
    fn missing(&self, members: &mut MapBuilder<'a>, key: &'a str) {
        if self.leniency == Leniency::KeepEmpty {
            members.set(key, Value::Null);
        }
    }

    fn comma(&mut self) -> Result<()> {
        let leniency = self.leniency;
        match self.open.last_mut() {
            Some(Frame::Object(_, At::Key(_))) => {
                Err(self.fault("a colon is missing after a member's name"))
            }
            Some(Frame::Object(members, at)) => {
                if let (At::Colon(key), Leniency::KeepEmpty) = (*at, leniency) {
                    members.set(key, Value::Null);
                }
                *at = At::Gap;
                Ok(())
            }
            Some(Frame::Array(_, at)) => {
                *at = At::Gap;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn colon(&mut self) -> Result<()> {
        match self.open.last_mut() {
            Some(Frame::Object(_, at)) => match *at {
                At::Key(key) => {
                    *at = At::Colon(key);
                    Ok(())
                }
                _ => Err(self.fault("a colon stands where no member's name is before it")),
            },
            Some(Frame::Array(..)) => Err(self.fault("a colon stands in an array")),
            None => Ok(()),
        }
    }
}

/// What to say of a bracket that closes another kind.
fn crossed(bracket: u8, opened: Option<Origin<'_>>) -> String {
    let (other, this) = match bracket {
        b'}' => ("[", "}"),
        _ => ("{", "]"),
    };
    let place = opened.map(|it| it.template.place(it.at));
    let place = place.map_or_else(String::new, |it| format!(" of {}:{}", it.line, it.column));
    format!("`{this}` closes the `{other}`{place}")
}

fn check_depth(value: Value<'_>, depth: usize, depth_max: usize) -> Result<()> {
    if depth == 0 {
        return Err(ConvertError::limit("depth_max", depth_max));
    }
    match value {
        Value::Map(map) => {
            let mut members = map.members().iter();
            members.try_for_each(|it| check_depth(it.1, depth - 1, depth_max))
        }
        Value::List(items) => {
            let mut items = items.iter();
            items.try_for_each(|it| check_depth(*it, depth - 1, depth_max))
        }
        _ => Ok(()),
    }
}
