//! From text to tape: RFC 8259 to the letter, without recursion.
//!
//! Stricter than the RFC where it leaves a choice: a name occurs once in an object, surrogates come
//! in pairs, `\u0000` is refused (FHIR allows no such character anywhere, and stores choke on it).

use super::scan::{blank_until, plain_until};
use super::write::unescape;
use super::{JsonError, Kind, Limits, Node};

/// Room for so many nodes at most is made before any is seen: a long text may be one string.
const NODES_AT_FIRST_MAX: usize = 1 << 16;

/// Checks the text and gives its tape.
pub(super) fn tape(text: &[u8], limits: &Limits) -> Result<Vec<Node>, JsonError> {
    let mut parser = Parser {
        text,
        at: 0,
        limits,
        nodes: Vec::new(),
        open: Vec::new(),
        values: 0,
    };
    parser.check_size()?;
    parser
        .nodes
        .reserve((text.len() / 32).min(NODES_AT_FIRST_MAX));
    parser.document()?;
    Ok(parser.nodes)
}

struct Parser<'t> {
    text: &'t [u8],
    at: usize,
    limits: &'t Limits,
    nodes: Vec<Node>,
    open: Vec<Open>,
    values: usize,
}

/// An object or array that is not closed yet.
struct Open {
    node: u32,
    is_object: bool,
    names: u32,
    /// One bit for each name's hash, to tell most objects at once that their names differ.
    seen: u64,
    /// Two names may be equal.
    suspect: bool,
}

type Parsed<T = ()> = Result<T, JsonError>;

impl Parser<'_> {
    fn check_size(&self) -> Parsed {
        let bytes_max = self.limits.bytes_max.min(u32::MAX as usize - 1);
        if self.text.len() > bytes_max {
            return Err(self.exceeded("bytes_max", bytes_max, "bytes", 0));
        }
        std::str::from_utf8(self.text).map_or_else(
            |error| {
                let what = "the text is not UTF-8";
                let remedy = "send the body encoded as UTF-8";
                Err(self.fail(what, error.valid_up_to()).mend(remedy))
            },
            |_| Ok(()),
        )
    }

    fn document(&mut self) -> Parsed {
        self.value()?;
        while let Some(open) = self.open.last() {
            match (open.is_object, self.next_token()) {
                (true, b',') => {
                    self.at += 1;
                    self.name()?;
                    self.value()?;
                }
                (false, b',') => {
                    self.at += 1;
                    self.value()?;
                }
                (true, b'}') | (false, b']') => self.close()?,
                (true, _) => return Err(self.expected("`,` or `}`")),
                (false, _) => return Err(self.expected("`,` or `]`")),
            }
        }
        self.next_token();
        if self.at < self.text.len() {
            return Err(self.fail("the text goes on after its end", self.at));
        }
        Ok(())
    }

    /// One value up to its end, or the beginning of a container up to its first scalar.
    fn value(&mut self) -> Parsed {
        loop {
            let token = self.next_token();
            self.values += 1;
            if self.values > self.limits.values_max {
                return Err(self.exceeded("values_max", self.limits.values_max, "values", self.at));
            }
            match token {
                b'"' => return self.string(),
                b'{' => {
                    self.open(Kind::Object)?;
                    if self.next_token() == b'}' {
                        return self.close();
                    }
                    self.name()?;
                }
                b'[' => {
                    self.open(Kind::Array)?;
                    if self.next_token() == b']' {
                        return self.close();
                    }
                }
                b'-' | b'0'..=b'9' => return self.number(),
                b't' => return self.word(b"true", Kind::Boolean),
                b'f' => return self.word(b"false", Kind::Boolean),
                b'n' => return self.word(b"null", Kind::Null),
                _ => return Err(self.expected("a value")),
            }
        }
    }

    fn open(&mut self, kind: Kind) -> Parsed {
        if self.open.len() >= self.limits.depth_max {
            return Err(self.exceeded("depth_max", self.limits.depth_max, "levels", self.at));
        }
        self.open.push(Open {
            node: position(self.nodes.len()),
            is_object: kind == Kind::Object,
            names: 0,
            seen: 0,
            suspect: false,
        });
        self.push(self.at, self.at, kind, false);
        self.at += 1;
        Ok(())
    }

    fn close(&mut self) -> Parsed {
        self.at += 1;
        let open = self.open.pop().expect("only an open container is closed");
        if open.suspect {
            self.check_names(&open)?;
        }
        let next = position(self.nodes.len());
        let node = &mut self.nodes[open.node as usize];
        node.end = position(self.at);
        node.next = next;
        Ok(())
    }

    fn name(&mut self) -> Parsed {
        if self.next_token() != b'"' {
            return Err(self.expected("a name in double quotes"));
        }
        self.string()?;
        let node = self.nodes[self.nodes.len() - 1];
        let bit = 1 << name_hash(&self.text[node.start as usize + 1..node.end as usize - 1]);
        let open = self.open.last_mut().expect("a name is inside an object");
        open.suspect |= node.escaped || open.seen & bit != 0;
        open.seen |= bit;
        open.names += 1;
        if self.next_token() != b':' {
            return Err(self.expected("`:`"));
        }
        self.at += 1;
        Ok(())
    }

    /// Refuses the first name that repeats an earlier one. Few names are compared with each other,
    /// many are sorted: a million equal hashes must not take a million squared.
    fn check_names(&self, open: &Open) -> Parsed {
        let mut names = Vec::with_capacity(open.names as usize);
        let mut at = open.node as usize + 1;
        while at < self.nodes.len() {
            names.push(self.nodes[at]);
            at = self.nodes[at + 1].next as usize;
        }
        let repeated = if names.iter().any(|name| name.escaped) {
            let text = |node: &Node| unescape(self.string_text(node));
            first_repeated(names.iter().map(|node| (text(node), node.start)).collect())
        } else {
            let text = |node: &Node| &self.text[node.start as usize + 1..node.end as usize - 1];
            first_repeated(names.iter().map(|node| (text(node), node.start)).collect())
        };
        let Some(start) = repeated else {
            return Ok(());
        };
        let node = names.iter().find(|node| node.start == start);
        let name = node.map_or("", |node| self.string_text(node));
        let printable = name.len() <= 64
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let what = if printable {
            format!("the name `{name}` occurs twice in one object")
        } else {
            "a name occurs twice in one object".to_owned()
        };
        Err(self.fail(what, start as usize))
    }

    fn string_text(&self, node: &Node) -> &str {
        let inner = &self.text[node.start as usize + 1..node.end as usize - 1];
        std::str::from_utf8(inner).expect("the whole text is UTF-8 and quotes are characters")
    }

    fn string(&mut self) -> Parsed {
        let start = self.at;
        let mut escaped = false;
        self.at += 1;
        loop {
            self.at = plain_until(self.text, self.at);
            match self.text.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => {
                    let what = "a string holds a bare control character";
                    let remedy = "write it as an escape, a line feed as `\\n`";
                    return Err(self.fail(what, self.at).mend(remedy));
                }
                None => return Err(self.fail("a string is not closed", start)),
            }
        }
        self.at += 1;
        self.push(start, self.at, Kind::String, escaped);
        Ok(())
    }

    fn escape(&mut self) -> Parsed {
        match self.text.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u') => self.unicode_escape(),
            _ => Err(self.fail("a string holds an unknown escape", self.at)),
        }
    }

    fn unicode_escape(&mut self) -> Parsed {
        let start = self.at;
        match self.code_unit(start)? {
            0 => Err(self.fail("a string holds the character NUL", start)),
            0xD800..0xDC00 => {
                let low = self.text.get(start + 6..start + 8) == Some(b"\\u")
                    && (0xDC00..0xE000).contains(&self.code_unit(start + 6)?);
                self.at = start + 12;
                low.then_some(()).ok_or_else(|| self.lone(start))
            }
            0xDC00..0xE000 => Err(self.lone(start)),
            _ => {
                self.at = start + 6;
                Ok(())
            }
        }
    }

    fn lone(&self, at: usize) -> JsonError {
        self.fail("a string holds half a surrogate pair", at)
    }

    /// The four hexadecimal digits of the escape that begins at `at`.
    fn code_unit(&self, at: usize) -> Parsed<u32> {
        let digits = self.text.get(at + 2..at + 6).unwrap_or_default();
        let unit = digits.iter().try_fold(0, |unit, digit| {
            Some(unit * 16 + char::from(*digit).to_digit(16)?)
        });
        unit.filter(|_| digits.len() == 4)
            .ok_or_else(|| self.fail("four hexadecimal digits must follow `\\u`", at))
    }

    fn number(&mut self) -> Parsed {
        let start = self.at;
        self.skip(b"-");
        let whole = self.at;
        self.digits("a number needs a digit")?;
        if self.text[whole] == b'0' && self.at - whole > 1 {
            return Err(self.fail("a number begins with a superfluous `0`", whole));
        }
        if self.skip(b".") {
            self.digits("a digit must follow the decimal point")?;
        }
        if self.skip(b"eE") {
            self.exponent()?;
        }
        if self.at - start > self.limits.number_chars_max {
            let max = self.limits.number_chars_max;
            return Err(self.exceeded("number_chars_max", max, "characters in a number", start));
        }
        self.push(start, self.at, Kind::Number, false);
        Ok(())
    }

    fn exponent(&mut self) -> Parsed {
        self.skip(b"+-");
        let start = self.at;
        self.digits("a digit must follow the exponent's `e`")?;
        let exponent = self.text[start..self.at].iter().fold(0_u32, |sum, digit| {
            sum.saturating_mul(10)
                .saturating_add(u32::from(digit - b'0'))
        });
        if exponent > self.limits.exponent_max {
            let max = self.limits.exponent_max;
            return Err(JsonError {
                limit: Some("exponent_max"),
                ..self.fail(format!("an exponent above {max} (`exponent_max`)"), start)
            });
        }
        Ok(())
    }

    fn digits(&mut self, otherwise: &str) -> Parsed {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.text.get(self.at) {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.fail(otherwise, start));
        }
        Ok(())
    }

    fn skip(&mut self, any_of: &[u8]) -> bool {
        let found = self
            .text
            .get(self.at)
            .is_some_and(|byte| any_of.contains(byte));
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Parsed {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.expected("a value"));
        }
        let start = self.at;
        self.at += word.len();
        self.push(start, self.at, kind, false);
        Ok(())
    }

    #[inline]
    fn push(&mut self, start: usize, end: usize, kind: Kind, escaped: bool) {
        self.nodes.push(Node {
            start: position(start),
            end: position(end),
            next: position(self.nodes.len() + 1),
            kind,
            escaped,
        });
    }

    /// Moves to the next token and gives its first byte; 0, which begins no token, at the end.
    #[inline]
    fn next_token(&mut self) -> u8 {
        self.at = blank_until(self.text, self.at);
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn expected(&self, what: &str) -> JsonError {
        let end = self.at >= self.text.len();
        let text = if end {
            format!("the text ends where {what} is expected")
        } else {
            format!("{what} is expected")
        };
        self.fail(text, self.at)
    }

    fn exceeded(&self, limit: &'static str, max: usize, of: &str, at: usize) -> JsonError {
        JsonError {
            limit: Some(limit),
            ..self.fail(format!("more than {max} {of} (`{limit}`)"), at)
        }
    }

    fn fail(&self, what: impl Into<String>, offset: usize) -> JsonError {
        let before = &self.text[..offset.min(self.text.len())];
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
        let is_character = |byte: &&u8| **byte & 0xC0 != 0x80;
        JsonError {
            what: what.into(),
            remedy: None,
            offset,
            line: memchr::memchr_iter(b'\n', before).count() + 1,
            column: before[line_start..].iter().filter(is_character).count() + 1,
            limit: None,
        }
    }
}

impl JsonError {
    fn mend(self, remedy: &'static str) -> Self {
        Self {
            remedy: Some(remedy),
            ..self
        }
    }
}

/// Where the second of two equal texts begins, the earliest such.
fn first_repeated<T: Ord>(mut names: Vec<(T, u32)>) -> Option<u32> {
    names.sort_unstable();
    let repeated = names.windows(2).filter(|pair| pair[0].0 == pair[1].0);
    repeated.map(|pair| pair[1].1).min()
}

/// Six bits that usually differ between the names of one object.
fn name_hash(name: &[u8]) -> u32 {
    let byte = |at: usize| u32::from(name.get(at).copied().unwrap_or(0));
    let last = byte(name.len().wrapping_sub(1));
    let middle = byte(name.len() / 2);
    let mixed = byte(0) ^ (last << 8) ^ (middle << 16) ^ (position(name.len() & 0xFF) << 24);
    mixed.wrapping_mul(0x9E37_79B1) >> 26
}

/// An offset or index of the tape.
#[inline]
fn position(at: usize) -> u32 {
    u32::try_from(at).expect("the text is shorter than 4 GiB and a node takes at least one byte")
}
