//! The part of YAML in which the cases of fhirpath.js are written, read into JSON.
//!
//! Blocks, `[…]` and `{…}`, the three kinds of scalars, folded and literal text, comments. No
//! anchors, tags or several documents: a reader of our own costs less than a dependency.

use serde_json::{Map, Number, Value};

/// Reads a document.
pub(crate) fn read(text: &str) -> Value {
    let lines = text.lines().map(str::to_owned).collect();
    let mut reader = Reader { lines, row: 0 };
    reader.skip_blank();
    reader.block(0)
}

struct Reader {
    lines: Vec<String>,
    row: usize,
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

fn is_blank(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

fn is_item(line: &str) -> bool {
    let line = line.trim_start();
    line == "-" || line.starts_with("- ")
}

impl Reader {
    fn skip_blank(&mut self) {
        while self.lines.get(self.row).is_some_and(|it| is_blank(it)) {
            self.row += 1;
        }
    }

    /// The next line that says something, if it is indented far enough.
    fn line(&mut self, indent_min: usize) -> Option<(usize, String)> {
        self.skip_blank();
        let line = self.lines.get(self.row)?;
        let indent = indent_of(line);
        (indent >= indent_min).then(|| (indent, line.clone()))
    }

    fn block(&mut self, indent_min: usize) -> Value {
        let Some((indent, line)) = self.line(indent_min) else {
            return Value::Null;
        };
        if is_item(&line) {
            self.sequence(indent)
        } else if key(line.trim_start()).is_some() {
            self.mapping(indent)
        } else {
            self.row += 1;
            self.inline(line.trim(), indent_min.saturating_sub(1))
        }
    }

    fn sequence(&mut self, indent: usize) -> Value {
        let mut items = Vec::new();
        while let Some((at, line)) = self.line(indent) {
            if at != indent || !is_item(&line) {
                break;
            }
            // What follows the dash is a block of its own, further to the right.
            let row = self.row;
            self.lines[row].replace_range(indent..=indent, " ");
            if self.lines[row].trim().is_empty() {
                self.row += 1;
            }
            items.push(self.block(indent + 1));
        }
        Value::Array(items)
    }

    fn mapping(&mut self, indent: usize) -> Value {
        let mut members = Map::new();
        while let Some((at, line)) = self.line(indent) {
            let Some((name, rest)) = key(line.trim_start()).filter(|_| at == indent) else {
                break;
            };
            if is_item(&line) {
                break;
            }
            self.row += 1;
            let value = match without_comment(&rest) {
                "" => self.below(indent),
                _ => self.inline(&rest, indent),
            };
            members.insert(name, value);
        }
        Value::Object(members)
    }

    /// What stands below a key; a sequence may stand as far left as the key.
    fn below(&mut self, indent: usize) -> Value {
        match self.line(indent) {
            Some((at, line)) if at > indent || is_item(&line) => self.block(at),
            _ => Value::Null,
        }
    }

    /// A value that begins on the line of its key.
    fn inline(&mut self, rest: &str, indent: usize) -> Value {
        match rest.chars().next() {
            Some(style @ ('>' | '|')) => self.text(style == '>', indent),
            Some('"' | '\'' | '[' | '{') => self.delimited(rest, indent),
            _ => self.plain(rest, indent),
        }
    }

    fn text(&mut self, folds: bool, indent: usize) -> Value {
        let mut lines = Vec::new();
        while let Some(line) = self.lines.get(self.row) {
            if !line.trim().is_empty() && indent_of(line) <= indent {
                break;
            }
            lines.push(line.trim().to_owned());
            self.row += 1;
        }
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        Value::String(lines.join(if folds { " " } else { "\n" }))
    }

    /// Quoted text, or brackets; both may go on in the next lines.
    fn delimited(&mut self, rest: &str, indent: usize) -> Value {
        let mut text = rest.to_owned();
        loop {
            let mut flow = Flow { rest: &text };
            if let Some(value) = flow.value() {
                return value;
            }
            let next = self.lines.get(self.row);
            let next = next.unwrap_or_else(|| panic!("unfinished: {text}"));
            let is_text = rest.starts_with(['"', '\'']);
            let goes_on = is_text || is_blank(next) || indent_of(next) > indent;
            assert!(goes_on, "unfinished: {text}");
            text = match next.trim() {
                "" => text + "\n",
                next if is_text && text.ends_with('\n') => text + next,
                next => format!("{} {next}", text.trim_end()),
            };
            self.row += 1;
        }
    }

    fn plain(&mut self, rest: &str, indent: usize) -> Value {
        let mut text = without_comment(rest).to_owned();
        while let Some((_, line)) = self.line(indent + 1) {
            self.row += 1;
            text = format!("{text} {}", without_comment(line.trim()));
        }
        scalar(text.trim())
    }
}

fn without_comment(text: &str) -> &str {
    if text.starts_with('#') {
        return "";
    }
    text.split(" #").next().unwrap_or_default().trim_end()
}

/// The key that a line begins with, and what follows it.
fn key(line: &str) -> Option<(String, String)> {
    if line.starts_with(['"', '\'']) {
        let mut flow = Flow { rest: line };
        let name = flow.quoted()?;
        let rest = flow.rest.strip_prefix(':')?;
        return Some((name, rest.trim().to_owned()));
    }
    if line.starts_with(['[', '{']) {
        return None;
    }
    let (name, rest) = match line.split_once(": ") {
        Some(found) => found,
        None => (line.trim_end().strip_suffix(':')?, ""),
    };
    Some((name.trim().to_owned(), rest.trim().to_owned()))
}

fn scalar(text: &str) -> Value {
    match text {
        "" | "null" | "~" => return Value::Null,
        "true" => return Value::Bool(true),
        "false" => return Value::Bool(false),
        _ => {}
    }
    let digits = text.strip_prefix('+').unwrap_or(text);
    match digits.parse::<Number>() {
        Ok(number) if digits.starts_with(|it: char| it.is_ascii_digit() || it == '-') => {
            Value::Number(number)
        }
        _ => Value::String(text.to_owned()),
    }
}

/// A reader of one line; `None` where it ends too early.
struct Flow<'t> {
    rest: &'t str,
}

impl Flow<'_> {
    fn value(&mut self) -> Option<Value> {
        self.rest = self.rest.trim_start();
        match self.rest.chars().next()? {
            '"' | '\'' => self.quoted().map(Value::String),
            '[' => self.array(),
            '{' => self.object(),
            _ => {
                let end = self.rest.find([',', ']', '}']).unwrap_or(self.rest.len());
                let (text, rest) = self.rest.split_at(end);
                self.rest = rest;
                Some(scalar(text.trim()))
            }
        }
    }

    fn take(&mut self, symbol: char) -> bool {
        let rest = self.rest.trim_start().strip_prefix(symbol);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn array(&mut self) -> Option<Value> {
        let mut items = Vec::new();
        self.take('[');
        loop {
            if self.take(']') {
                return Some(Value::Array(items));
            }
            items.push(self.value()?);
            self.take(',');
        }
    }

    fn object(&mut self) -> Option<Value> {
        let mut members = Map::new();
        self.take('{');
        loop {
            if self.take('}') {
                return Some(Value::Object(members));
            }
            self.rest = self.rest.trim_start();
            let name = if self.rest.starts_with(['"', '\'']) {
                self.quoted()?
            } else {
                let (name, _) = self.rest.split_once(':')?;
                let name_ = name.to_owned();
                self.rest = &self.rest[name.len()..];
                name_
            };
            self.take(':').then_some(())?;
            members.insert(name, self.value()?);
            self.take(',');
        }
    }

    fn quoted(&mut self) -> Option<String> {
        let quote = self.rest.chars().next()?;
        let mut text = String::new();
        let mut characters = self.rest[1..].char_indices();
        while let Some((at, character)) = characters.next() {
            if character == quote {
                let after = &self.rest[at + 2..];
                if quote == '\'' && after.starts_with('\'') {
                    text.push('\'');
                    characters.next();
                    continue;
                }
                self.rest = after;
                return Some(text);
            }
            if quote == '"' && character == '\\' {
                match characters.next()?.1 {
                    'n' => text.push('\n'),
                    'r' => text.push('\r'),
                    't' => text.push('\t'),
                    'u' => {
                        let digits: String = characters.by_ref().take(4).map(|it| it.1).collect();
                        let code = u32::from_str_radix(&digits, 16).ok()?;
                        text.push(char::from_u32(code)?);
                    }
                    other => text.push(other),
                }
                continue;
            }
            text.push(character);
        }
        None
    }
}
