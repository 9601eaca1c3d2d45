//! Expressions and conditions of the strict dialect:
//!
//! ```text
//! chain     = operand { "|" filter [ ":" operand { "," operand } ] }
//! operand   = "null" | "true" | "false" | number | 'text' | "text" | path
//! path      = name { "." ( name | number ) | "[" operand "]" }
//! condition = all { "or" all }          all = one { "and" one }
//! one       = "not" one | "(" condition ")" | operand [ operator operand | "in" "(" operand { "," operand } ")" ]
//! ```

use super::super::condition::{self, Comparison, Condition, Right, operator_of};
use super::super::expression::{Call, Chain, Operand, Part, Path, Root};
use super::super::names::Names;
use crate::filter;

/// Greatest nesting of brackets in an expression.
const DEPTH_MAX: usize = 40;

type Read<T> = Result<T, String>;

/// Reads the markup of a tag or an output.
pub(super) struct Reader<'n, 't> {
    rest: &'t str,
    names: &'n mut Names,
    depth: usize,
}

/// Reads a value with filters, to the end.
pub(in crate::template) fn chain(markup: &str, names: &mut Names) -> Read<Chain> {
    let mut reader = Reader::new(markup, names);
    let chain = reader.chain()?;
    reader.end()?;
    Ok(chain)
}

impl<'n, 't> Reader<'n, 't> {
    pub(super) fn new(markup: &'t str, names: &'n mut Names) -> Self {
        Self {
            rest: markup.trim(),
            names,
            depth: 0,
        }
    }

    /// Nothing may follow.
    pub(super) fn end(&mut self) -> Read<()> {
        self.rest = self.rest.trim_start();
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(format!("`{}` is not understood here", self.shown()))
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.trim_start().is_empty()
    }

    /// The next few characters, for a message.
    fn shown(&self) -> &'t str {
        let rest = self.rest.trim_start();
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        rest.get(..end.min(40)).unwrap_or(rest)
    }

    /// Takes a sign, if it is next.
    pub(super) fn accept(&mut self, sign: &str) -> bool {
        match self.rest.trim_start().strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    pub(super) fn expect(&mut self, sign: &str, where_: &str) -> Read<()> {
        if self.accept(sign) {
            return Ok(());
        }
        Err(format!("`{sign}` is missing {where_}"))
    }

    /// The word that is next, without taking it.
    fn peek_word(&self) -> &'t str {
        let rest = self.rest.trim_start();
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        &rest[..end]
    }

    /// Takes that word, if it is next.
    pub(super) fn accept_word(&mut self, word: &str) -> bool {
        self.peek_word() == word && self.accept(word)
    }

    /// A name.
    pub(super) fn name(&mut self, of: &str) -> Read<&'t str> {
        let word = self.peek_word();
        if word.is_empty() || word.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(format!("the name of {of} is missing"));
        }
        self.accept(word);
        Ok(word)
    }

    pub(super) fn number(&mut self, name: &str) -> super::super::NameId {
        self.names.number(name)
    }

    /// A text in quotes.
    pub(super) fn text(&mut self, of: &str) -> Read<&'t str> {
        match self.quoted()? {
            Some(text) => Ok(text),
            None => Err(format!("the name of {of} stands in quotes")),
        }
    }

    fn quoted(&mut self) -> Read<Option<&'t str>> {
        let rest = self.rest.trim_start();
        let Some(quote) = rest.chars().next().filter(|c| matches!(c, '\'' | '"')) else {
            return Ok(None);
        };
        let Some((text, after)) = rest[1..].split_once(quote) else {
            return Err("a text is not closed with its quote".to_owned());
        };
        self.rest = after;
        Ok(Some(text))
    }

    pub(super) fn chain(&mut self) -> Read<Chain> {
        let operand = self.operand()?;
        let mut filters = Vec::new();
        while self.accept("|") {
            filters.push(self.call()?);
        }
        Ok(Chain { operand, filters })
    }

    fn call(&mut self) -> Read<Call> {
        let name = self.name("a filter")?;
        let mut arguments = Vec::new();
        if self.accept(":") {
            arguments.push(self.operand()?);
            while self.accept(",") {
                arguments.push(self.operand()?);
            }
        }
        let Some(filter) = filter::strict::find(name) else {
            let nearest = fhir::suggest::nearest(name, filter::strict::names());
            let hint = nearest.map_or_else(String::new, |it| format!("; did you mean `{it}`?"));
            return Err(format!("`{name}` is no filter{hint}"));
        };
        if !filter.accepts(arguments.len()) {
            return Err(filter.fault(arguments.len()));
        }
        Ok(Call {
            name: name.into(),
            filter: Some(filter),
            arguments,
        })
    }

    pub(super) fn operand(&mut self) -> Read<Operand> {
        if let Some(text) = self.quoted()? {
            return Ok(Operand::Text(text.into()));
        }
        let rest = self.rest.trim_start();
        if rest.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            return self.numeral();
        }
        let word = self.name("a variable")?;
        Ok(match word {
            "null" => Operand::Null,
            "true" => Operand::Bool(true),
            "false" => Operand::Bool(false),
            "and" | "or" | "not" | "in" => {
                return Err(format!("a value is missing before `{word}`"));
            }
            _ => Operand::Path(self.path(word)?),
        })
    }

    fn numeral(&mut self) -> Read<Operand> {
        let rest = self.rest.trim_start();
        let is_digit = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-');
        let end = rest.find(|c| !is_digit(c)).unwrap_or(rest.len());
        let (digits, after) = rest.split_at(end);
        self.rest = after;
        let whole = digits.parse().ok().map(Operand::Int);
        let number = whole.or_else(|| digits.parse().ok().map(Operand::Decimal));
        number.ok_or_else(|| format!("`{digits}` is no number"))
    }

    fn path(&mut self, root: &str) -> Read<Path> {
        let root = Root::Name(self.names.number(root));
        let mut parts = Vec::new();
        loop {
            if let Some(rest) = self.rest.strip_prefix('.') {
                self.rest = rest;
                let part = self.peek_word();
                if part.is_empty() || self.rest.starts_with(char::is_whitespace) {
                    return Err("a name or a number is missing after a dot".to_owned());
                }
                self.rest = &self.rest[part.len()..];
                parts.push(Part::Name(part.into(), part.parse().ok()));
            } else if let Some(rest) = self.rest.strip_prefix('[') {
                self.rest = rest;
                self.enter()?;
                parts.push(Part::Index(self.operand()?));
                self.depth -= 1;
                self.expect("]", "after an index")?;
            } else {
                return Ok(Path { root, parts });
            }
        }
    }

    fn enter(&mut self) -> Read<()> {
        self.depth += 1;
        if self.depth <= DEPTH_MAX {
            return Ok(());
        }
        Err(format!("more than {DEPTH_MAX} brackets inside each other"))
    }

    /// A condition; `and` binds before `or`.
    pub(super) fn condition(&mut self) -> Read<Condition> {
        let first = self.all()?;
        if !self.accept_word("or") {
            return Ok(first);
        }
        self.enter()?;
        let rest = self.condition()?;
        self.depth -= 1;
        Ok(Condition::Or(Box::new((first, rest))))
    }

    fn all(&mut self) -> Read<Condition> {
        let first = self.one()?;
        if !self.accept_word("and") {
            return Ok(first);
        }
        self.enter()?;
        let rest = self.all()?;
        self.depth -= 1;
        Ok(Condition::And(Box::new((first, rest))))
    }

    fn one(&mut self) -> Read<Condition> {
        if self.accept_word("not") {
            self.enter()?;
            let inner = self.one()?;
            self.depth -= 1;
            return Ok(Condition::Not(Box::new(inner)));
        }
        if self.accept("(") {
            self.enter()?;
            let inner = self.condition()?;
            self.depth -= 1;
            self.expect(")", "after a condition")?;
            return Ok(inner);
        }
        let left = self.operand()?;
        let right = self.right()?;
        Ok(Condition::Is(Comparison { left, right }))
    }

    fn right(&mut self) -> Read<Right> {
        if self.accept_word("in") {
            return self.one_of();
        }
        let rest = self.rest.trim_start();
        let is_sign = |c: char| matches!(c, '=' | '!' | '<' | '>');
        let end = rest.find(|c| !is_sign(c)).unwrap_or(rest.len());
        let name = match &rest[..end] {
            "" => self.peek_word(),
            signs => signs,
        };
        if name.is_empty() || matches!(name, "and" | "or") {
            return Ok(Right::True);
        }
        let Some(operator) = operator_of(name) else {
            return Err(condition::unknown(name));
        };
        self.accept(name);
        Ok(Right::Than(operator, self.operand()?))
    }

    fn one_of(&mut self) -> Read<Right> {
        self.expect("(", "after `in`")?;
        let mut values = vec![self.operand()?];
        while self.accept(",") {
            values.push(self.operand()?);
        }
        self.expect(")", "after the values of `in`")?;
        Ok(Right::OneOf(values))
    }
}
