//! Tokens, as DotLiquid 2.0 cuts them: white space beside `-` goes first, over the whole source;
//! then the text is cut at `{{ … }}` and `{% … %}`, which stand on one line and may quote their
//! own ends.

use super::SyntaxFault;

/// A piece of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'t> {
    Text(&'t str),
    /// What stands between `{{` and `}}`.
    Output(&'t str),
    /// The name of a tag and what follows it.
    Tag(&'t str, &'t str),
    /// An output or a tag that is not closed, which only a raw body may contain.
    Unclosed,
}

/// A token and where it begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Located<'t> {
    pub(crate) token: Token<'t>,
    pub(crate) at: u32,
    /// All of it, as a raw body shows it.
    pub(crate) source: &'t str,
}

/// A source without the white space that `-` takes away.
pub(crate) struct Prepared {
    pub(crate) text: String,
    /// Where text was removed: the offset here, and how much had been removed before it.
    removed: Vec<(usize, usize)>,
    /// Where the lines of the original begin.
    lines: Vec<usize>,
    /// The bytes of the original that begin no character.
    inner: Vec<usize>,
}

impl Prepared {
    pub(crate) fn new(source: &str) -> Self {
        let mut lines = vec![0];
        lines.extend(memchr::memchr_iter(b'\n', source.as_bytes()).map(|at| at + 1));
        let mut prepared = Self {
            text: String::with_capacity(source.len()),
            removed: Vec::new(),
            lines,
            inner: inner_bytes(source),
        };
        prepared.fill(source);
        prepared
    }

    fn fill(&mut self, source: &str) {
        let mut rest = source;
        while let Some(at) = memchr::memchr3(b'{', b'-', b'}', rest.as_bytes()) {
            let (before, here) = rest.split_at(at);
            self.text.push_str(before);
            let (kept, taken) = if here.starts_with("{{-") || here.starts_with("{%-") {
                let blanks = self.text.len() - self.text.trim_end_matches([' ', '\t']).len();
                let blanks = blanks.min(before.len());
                self.text.truncate(self.text.len() - blanks);
                (&here[..2], 3)
            } else if here.starts_with("-}}") || here.starts_with("-%}") {
                (&here[1..3], 3 + white_space(&here[3..]))
            } else {
                (&here[..1], 1)
            };
            self.text.push_str(kept);
            rest = &here[taken..];
            if taken > 1 {
                let gone = source.len() - rest.len() - self.text.len();
                self.removed.push((self.text.len(), gone));
            }
        }
        self.text.push_str(rest);
    }

    /// Line and column, in characters, in the original, from 1.
    pub(crate) fn line_and_column(&self, at: u32) -> (usize, usize) {
        let at = at as usize;
        let before = self.removed.partition_point(|(from, _)| *from <= at);
        let gone = before.checked_sub(1).map_or(0, |it| self.removed[it].1);
        let original = at + gone;
        let line = self.lines.partition_point(|start| *start <= original);
        let start = self.lines[line - 1];
        let inner = |at: usize| self.inner.partition_point(|it| *it < at);
        (
            line,
            original - start - (inner(original) - inner(start)) + 1,
        )
    }
}

fn inner_bytes(source: &str) -> Vec<usize> {
    if source.is_ascii() {
        return Vec::new();
    }
    let places = (0..source.len()).filter(|at| !source.is_char_boundary(*at));
    places.collect()
}

/// One newline or one run of blanks.
fn white_space(text: &str) -> usize {
    if text.starts_with('\n') {
        1
    } else if text.starts_with("\r\n") {
        2
    } else {
        text.len() - text.trim_start_matches([' ', '\t']).len()
    }
}

/// Cuts a prepared text.
pub(crate) fn tokens(text: &str) -> Vec<Located<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    // Up to where no output, and no tag, is closed: lines are not gone through again and again.
    let mut open_until = [0, 0];
    while at < text.len() {
        let start = opening(text, at).unwrap_or(text.len());
        if start > at {
            found.push(located(Token::Text(&text[at..start]), at, &text[at..start]));
        }
        if start == text.len() {
            break;
        }
        let rest = &text[start..];
        let open = &mut open_until[usize::from(rest.starts_with("{{"))];
        let closed = if start < *open { None } else { end(rest) };
        if closed.is_none() && start >= *open {
            *open = start + memchr::memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
        }
        let end = start + closed.unwrap_or(2);
        let source = &text[start..end];
        let token = token(source);
        found.push(located(token, start, source));
        at = end;
    }
    found
}

fn token(source: &str) -> Token<'_> {
    let inner = |start: &str, end: &str| source.strip_prefix(start)?.strip_suffix(end);
    match (inner("{{", "}}"), inner("{%", "%}")) {
        (Some(content), _) => Token::Output(content),
        (_, Some(content)) => tag(content),
        (None, None) => Token::Unclosed,
    }
}

fn located<'t>(token: Token<'t>, at: usize, source: &'t str) -> Located<'t> {
    Located {
        token,
        at: offset(at),
        source,
    }
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// The fault of a token that is not closed.
pub(crate) fn unclosed(located: &Located<'_>) -> SyntaxFault {
    let (what, end) = if located.source.starts_with("{{") {
        ("output", "}}")
    } else {
        ("tag", "%}")
    };
    SyntaxFault {
        at: located.at,
        what: format!("the {what} is not closed with `{end}` on its line"),
    }
}

fn opening(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let starts = memchr::memchr_iter(b'{', &bytes[from..]).map(|it| it + from);
    starts
        .into_iter()
        .find(|at| matches!(bytes.get(at + 1), Some(b'{' | b'%')))
}

/// Where the token ends that the text begins with, on its line; quotes that close hide its end.
fn end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    end_outside_quotes(bytes).or_else(|| {
        let mut places = (2..bytes.len()).take_while(|at| bytes[*at] != b'\n');
        places.find_map(|at| closing_at(bytes, at))
    })
}

fn end_outside_quotes(bytes: &[u8]) -> Option<usize> {
    let mut at = 2;
    while at < bytes.len() && bytes[at] != b'\n' {
        let quote = Some(bytes[at]).filter(|it| matches!(it, b'"' | b'\''));
        let length = quote.and_then(|quote| {
            let after = &bytes[at + 1..];
            memchr::memchr2(quote, b'\n', after).filter(|it| after[*it] == quote)
        });
        if let Some(length) = length {
            at += length + 2;
        } else if let Some(end) = closing_at(bytes, at) {
            return Some(end);
        } else {
            at += 1;
        }
    }
    None
}

/// An output ends with the first `}`, which is a fault if it stands alone.
fn closing_at(bytes: &[u8], at: usize) -> Option<usize> {
    let is_output = bytes[1] == b'{';
    match (is_output, bytes[at], bytes.get(at + 1)) {
        (true, b'}', Some(b'}')) | (false, b'%', Some(b'}')) => Some(at + 2),
        (true, b'}', _) => Some(at + 1),
        _ => None,
    }
}

fn tag(content: &str) -> Token<'_> {
    let content = content.trim_start();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let length = content.find(|c| !is_word(c)).unwrap_or(content.len());
    let (name, markup) = content.split_at(length);
    Token::Tag(name, markup.trim_start())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(source: &str, expected: &Expect) {
        let prepared = Prepared::new(source);
        let tokens = tokens(&prepared.text);
        let shown = tokens.iter().map(|it| match it.token {
            Token::Unclosed => {
                let fault = unclosed(it);
                let (line, column) = prepared.line_and_column(fault.at);
                format!("{line}:{column}: {}\n", fault.what)
            }
            token => format!("{token:?}\n"),
        });
        let shown = shown.collect::<Vec<_>>().concat();
        expected.assert_eq(&shown);
    }

    #[test]
    fn white_space_beside_a_dash_goes() {
        check(
            "a \n{% b -%}\n\n c  {%- d -%}  \n{{ e -}} f{{- g }}",
            &expect![[r#"
                Text("a \n")
                Tag("b", "")
                Text("\n c")
                Tag("d", "")
                Text("\n")
                Output(" e ")
                Text("f")
                Output(" g ")
            "#]],
        );
    }

    #[test]
    fn quotes_hide_the_end() {
        check(
            "{{ a | b: '}}' }}{% c \"%}\" d' %}{ {% e %} }",
            &expect![[r#"
                Output(" a | b: '}}' ")
                Tag("c", "\"%}\" d' ")
                Text("{ ")
                Tag("e", "")
                Text(" }")
            "#]],
        );
    }

    #[test]
    fn faults_have_places_in_the_original() {
        check(
            "{% a -%}\n  {% b -%}\n {% c",
            &expect![[r#"
                Tag("a", "")
                Text("  ")
                Tag("b", "")
                Text(" ")
                3:2: the tag is not closed with `%}` on its line
                Text(" c")
            "#]],
        );
        check(
            "{{ a }",
            &expect!["1:1: the output is not closed with `}}` on its line\n"],
        );
    }
}
