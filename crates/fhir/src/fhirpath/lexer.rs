//! From text to tokens (<https://hl7.org/fhirpath/N1/grammar.html>, lexical rules).
//!
//! Keywords are not told from identifiers here: which of both a word is depends on its place.

use super::fault::{ParseFault, Span};

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    /// A word that may be a keyword.
    Word(String),
    /// A delimited identifier.
    Delimited(String),
    String(String),
    /// Digits, perhaps with a fraction.
    Number(String),
    /// Digits with `L`.
    Long(String),
    /// `%`, and the word after it; empty before a delimited name.
    Percent(String),
    /// What follows `@`, with its `T`.
    Moment(String),
    /// `$this` and its like, without `$`.
    Dollar(String),
    Symbol(&'static str),
    End,
}

/// The longer ones first.
const SYMBOLS: [&str; 24] = [
    "<=", ">=", "!=", "!~", "(", ")", "[", "]", "{", "}", ".", ",", "+", "-", "*", "/", "&", "|",
    "<", ">", "=", "~", ":", ";",
];

pub(super) type Faulty = (ParseFault, Span);

/// The tokens of a text; the last is [`TokenKind::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Faulty> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.token()?;
        let is_end = token.kind == TokenKind::End;
        tokens.push(token);
        if is_end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn token(&mut self) -> Result<Token, Faulty> {
        self.skip_blanks()?;
        let start = self.at;
        let kind = self.kind()?;
        Ok(Token {
            kind,
            span: Span {
                start,
                end: self.at,
            },
        })
    }

    fn kind(&mut self) -> Result<TokenKind, Faulty> {
        let Some(first) = self.rest().chars().next() else {
            return Ok(TokenKind::End);
        };
        Ok(match first {
            '\'' => TokenKind::String(self.quoted('\'', "a string")?),
            '`' => TokenKind::Delimited(self.quoted('`', "a delimited identifier")?),
            '@' => TokenKind::Moment(self.moment()),
            '$' => {
                self.at += 1;
                TokenKind::Dollar(self.word().to_owned())
            }
            '%' => {
                self.at += 1;
                TokenKind::Percent(self.variable().to_owned())
            }
            '0'..='9' => self.number(),
            _ if is_word(first) => TokenKind::Word(self.word().to_owned()),
            _ => TokenKind::Symbol(self.symbol(first)?),
        })
    }

    fn skip_blanks(&mut self) -> Result<(), Faulty> {
        loop {
            let rest = self.rest();
            let blanks = rest.len() - rest.trim_start().len();
            self.at += blanks;
            let rest = self.rest();
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                let end = rest
                    .find("*/")
                    .ok_or_else(|| self.unterminated(2, "a comment"))?;
                self.at += end + 2;
            } else if blanks == 0 {
                return Ok(());
            }
        }
    }

    fn unterminated(&self, length: usize, what: &'static str) -> Faulty {
        let span = Span {
            start: self.at,
            end: self.at + length,
        };
        (ParseFault::Unterminated(what), span)
    }

    fn symbol(&mut self, first: char) -> Result<&'static str, Faulty> {
        let rest = self.rest();
        let found = SYMBOLS.into_iter().find(|it| rest.starts_with(it));
        let symbol = found.ok_or_else(|| {
            let span = Span {
                start: self.at,
                end: self.at + first.len_utf8(),
            };
            (ParseFault::Character(first), span)
        })?;
        self.at += symbol.len();
        Ok(symbol)
    }

    fn word(&mut self) -> &'t str {
        self.take_while(|it| is_word(it) || it.is_ascii_digit())
    }

    /// FHIR writes `%vs-…` and `%ext-…` without delimiters as well, although a name has no hyphen.
    fn variable(&mut self) -> &'t str {
        let rest = self.rest();
        if rest.starts_with("vs-") || rest.starts_with("ext-") {
            return self.take_while(|it| is_word(it) || it.is_ascii_digit() || it == '-');
        }
        self.word()
    }

    fn take_while(&mut self, holds: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let length = rest.find(|it| !holds(it)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// A point belongs to a number only if a digit follows: `1.round()`.
    fn number(&mut self) -> TokenKind {
        let whole = self.rest();
        let mut length = self.take_while(|it| it.is_ascii_digit()).len();
        let fraction = self.rest().strip_prefix('.').unwrap_or_default();
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            length += 1 + digits;
            self.at += 1 + digits;
        } else if self.rest().starts_with('L') {
            self.at += 1;
            return TokenKind::Long(whole[..length].to_owned());
        }
        TokenKind::Number(whole[..length].to_owned())
    }

    /// A date, a time with `T` before it, or both. Whether the calendar has it is seen later; a
    /// zone belongs to it only after a date.
    fn moment(&mut self) -> String {
        let bytes = self.text.as_bytes();
        let digits = |at: usize, count: usize| {
            bytes
                .get(at..at + count)
                .is_some_and(|it| it.iter().all(u8::is_ascii_digit))
        };
        let mut at = self.at + 1;
        let has_date = digits(at, 4);
        if has_date {
            at += 4;
            for _ in 0..2 {
                if bytes.get(at) == Some(&b'-') && digits(at + 1, 2) {
                    at += 3;
                } else {
                    break;
                }
            }
        }
        if bytes.get(at) == Some(&b'T') {
            at = time_end(bytes, at + 1, has_date);
        }
        let found = self.text[self.at + 1..at].to_owned();
        self.at = at;
        found
    }

    fn quoted(&mut self, quote: char, what: &'static str) -> Result<String, Faulty> {
        let mut content = String::new();
        let mut units = Vec::new();
        let rest = &self.rest()[1..];
        let mut characters = rest.char_indices();
        while let Some((at, character)) = characters.next() {
            if character == quote {
                flush(&mut units, &mut content);
                self.at += at + 2;
                return Ok(content);
            }
            if character != '\\' {
                flush(&mut units, &mut content);
                content.push(character);
                continue;
            }
            let Some((at, escaped)) = characters.next() else {
                break;
            };
            if escaped == 'u'
                && let Some(unit) = hexadecimal(&rest[at + 1..])
            {
                units.push(unit);
                characters.nth(3);
                continue;
            }
            flush(&mut units, &mut content);
            content.push(unescaped(escaped));
        }
        Err(self.unterminated(1, what))
    }
}

/// Where a time of day ends, with its zone if it may have one.
fn time_end(bytes: &[u8], start: usize, may_have_zone: bool) -> usize {
    let digits = |at: usize| {
        bytes
            .get(at..at + 2)
            .is_some_and(|it| it.iter().all(u8::is_ascii_digit))
    };
    let mut at = start;
    if !digits(at) {
        return at;
    }
    at += 2;
    for _ in 0..2 {
        if bytes.get(at) == Some(&b':') && digits(at + 1) {
            at += 3;
        } else {
            break;
        }
    }
    if bytes.get(at) == Some(&b'.') {
        let fraction = bytes[at + 1..]
            .iter()
            .take_while(|it| it.is_ascii_digit())
            .count();
        at += if fraction > 0 && at == start + 8 {
            fraction + 1
        } else {
            0
        };
    }
    match bytes.get(at) {
        Some(b'Z') if may_have_zone => at + 1,
        Some(b'+' | b'-')
            if may_have_zone
                && digits(at + 1)
                && bytes.get(at + 3) == Some(&b':')
                && digits(at + 4) =>
        {
            at + 6
        }
        _ => at,
    }
}

/// UTF-16 units that escapes gave; a lone half of a pair becomes the replacement character.
fn flush(units: &mut Vec<u16>, content: &mut String) {
    content.push_str(&String::from_utf16_lossy(units));
    units.clear();
}

fn hexadecimal(text: &str) -> Option<u16> {
    let digits = text.get(..4)?;
    let is_hexadecimal = digits.bytes().all(|it| it.is_ascii_hexdigit());
    is_hexadecimal.then(|| u16::from_str_radix(digits, 16).ok())?
}

/// What an escape stands for; an unknown one for the character after the backslash.
fn unescaped(escaped: char) -> char {
    match escaped {
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        other => other,
    }
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphabetic() || character == '_'
}
