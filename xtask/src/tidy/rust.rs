//! A light reader of Rust text: tells code, comments and literals apart, finds what is compiled
//! for tests only, and measures functions. It is not a parser: rules that need types belong to
//! clippy. Lexical structure as in the Rust reference, chapters "Comments" and "Tokens".

/// A Rust file split by kind. The three texts have the lines of the original; in each, what
/// belongs to the other two is blank.
pub(crate) struct RustFile {
    pub(crate) code: String,
    pub(crate) comments: String,
    pub(crate) literals: String,
    /// For each line whether it is compiled for tests only.
    pub(crate) test_lines: Vec<bool>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Code,
    Comment,
    Literal,
}

impl RustFile {
    /// Reads a file; `path` decides whether all of it is test code.
    pub(crate) fn read(path: &str, text: &str) -> RustFile {
        let kinds = classify(text);
        let only = |wanted: Kind| -> String {
            let pairs = text.chars().zip(&kinds);
            pairs
                .map(|(c, kind)| if c == '\n' || *kind == wanted { c } else { ' ' })
                .collect()
        };
        let code = only(Kind::Code);
        let test_lines = if is_test_path(path) {
            vec![true; code.lines().count()]
        } else {
            test_lines(&code)
        };
        RustFile {
            comments: only(Kind::Comment),
            literals: only(Kind::Literal),
            code,
            test_lines,
        }
    }

    /// The lines of one of the three texts that are compiled into the product, numbered from one.
    pub(crate) fn product<'t>(
        &'t self,
        text: &'t str,
    ) -> impl Iterator<Item = (usize, &'t str)> + 't {
        let is_test = |index: usize| self.test_lines.get(index).copied().unwrap_or(false);
        let lines = text
            .lines()
            .enumerate()
            .filter(move |(index, _)| !is_test(*index));
        lines.map(|(index, line)| (index + 1, line))
    }

    /// The lines of one of the three texts that only tests are built from, numbered from one.
    pub(crate) fn tests<'t>(
        &'t self,
        text: &'t str,
    ) -> impl Iterator<Item = (usize, &'t str)> + 't {
        let lines = text.lines().zip(&self.test_lines).enumerate();
        lines
            .filter(|(_, (_, test))| **test)
            .map(|(index, (line, _))| (index + 1, line))
    }

    /// How many lines of code each function of the product has, blank lines and comments left out.
    pub(crate) fn function_lengths(&self) -> Vec<usize> {
        let lines: Vec<&str> = self.code.lines().collect();
        let starts = self
            .product(&self.code)
            .filter(|(_, line)| names_function(line));
        starts
            .filter_map(|(number, _)| length_of_block(&lines[number - 1..]))
            .collect()
    }
}

fn is_test_path(path: &str) -> bool {
    let in_tests = path
        .split('/')
        .any(|part| matches!(part, "tests" | "e2e" | "tests.rs"));
    in_tests || path.ends_with("_tests.rs")
}

/// Whether a line declares a function (`fn` as a word, followed by a name).
fn names_function(line: &str) -> bool {
    let mut words = line.split_whitespace();
    words.any(|word| word == "fn" || word.ends_with("(fn"))
        && line
            .split("fn ")
            .nth(1)
            .is_some_and(|rest| rest.starts_with(char::is_alphabetic))
}

/// Lines between the braces of the block that begins in these lines; none for a declaration.
fn length_of_block(lines: &[&str]) -> Option<usize> {
    let (mut depth, mut brackets, mut opened, mut count) = (0_usize, 0_usize, false, 0);
    for line in lines {
        let was_inside = opened;
        for c in line.chars() {
            match c {
                '(' | '[' => brackets += 1,
                ')' | ']' => brackets = brackets.saturating_sub(1),
                ';' if !opened && brackets == 0 => return None,
                '{' => (depth, opened) = (depth + 1, true),
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if opened && depth == 0 {
                return Some(count);
            }
        }
        count += usize::from(was_inside && !line.trim().is_empty());
    }
    None
}

/// Marks the lines of items under `#[cfg(test)]`.
fn test_lines(code: &str) -> Vec<bool> {
    let lines: Vec<&str> = code.lines().collect();
    let mut marks = vec![false; lines.len()];
    let mut index = 0;
    while index < lines.len() {
        let length = if lines[index].trim_start().starts_with("#[cfg(test)]") {
            length_of_item(&lines[index..])
        } else {
            0
        };
        marks[index..index + length].fill(true);
        index += length.max(1);
    }
    marks
}

/// Lines of an item: up to the `;` or the closing brace that ends it.
fn length_of_item(lines: &[&str]) -> usize {
    let mut depth = 0_usize;
    for (index, line) in lines.iter().enumerate() {
        for c in line.chars() {
            match c {
                '{' | '(' | '[' => depth += 1,
                '}' | ')' | ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && matches!(c, ';' | '}') {
                return index + 1;
            }
        }
    }
    lines.len()
}

fn classify(text: &str) -> Vec<Kind> {
    let chars: Vec<char> = text.chars().collect();
    let mut kinds = Vec::with_capacity(chars.len());
    while kinds.len() < chars.len() {
        let rest = &chars[kinds.len()..];
        let previous = kinds.len().checked_sub(1).map(|it| chars[it]);
        let (kind, length) = token(rest, previous);
        kinds.extend(std::iter::repeat_n(kind, length.clamp(1, rest.len())));
    }
    kinds
}

/// The kind and length of what begins here; code is taken one character at a time.
fn token(rest: &[char], previous: Option<char>) -> (Kind, usize) {
    let in_word = previous.is_some_and(|c| c.is_alphanumeric() || c == '_');
    match rest {
        ['/', '/', ..] => (Kind::Comment, length_until(rest, '\n')),
        ['/', '*', ..] => (Kind::Comment, block_comment(rest)),
        ['"', ..] => (Kind::Literal, quoted(rest, '"')),
        ['\'', ..] if is_char_literal(rest) => (Kind::Literal, quoted(rest, '\'')),
        ['r', '"' | '#', ..] if !in_word || previous == Some('b') => raw_string(rest),
        _ => (Kind::Code, 1),
    }
}

fn length_until(rest: &[char], end: char) -> usize {
    rest.iter().position(|c| *c == end).unwrap_or(rest.len())
}

/// Block comments nest.
fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// A quote begins a character unless it begins a lifetime, which has no closing quote.
fn is_char_literal(rest: &[char]) -> bool {
    rest.get(1) == Some(&'\\') || rest.get(2) == Some(&'\'')
}

fn raw_string(rest: &[char]) -> (Kind, usize) {
    let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return (Kind::Code, 1); // A raw identifier, `r#type`.
    }
    let mut end = vec!['"'];
    end.resize(1 + hashes, '#');
    let body = &rest[2 + hashes..];
    let length = body
        .windows(end.len())
        .position(|it| it == end)
        .unwrap_or(body.len());
    (Kind::Literal, 2 + hashes + length + end.len())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::RustFile;

    fn check(text: &str, expected: &Expect) {
        let file = RustFile::read("crates/x/src/a.rs", text);
        let shown = format!(
            "code:     {:?}\ncomments: {:?}\nliterals: {:?}\ntests: {:?} functions: {:?}\n",
            file.code,
            file.comments,
            file.literals,
            file.tests(&file.code)
                .map(|(number, _)| number)
                .collect::<Vec<_>>(),
            file.function_lengths(),
        );
        expected.assert_eq(&shown);
    }

    #[test]
    fn tells_code_comments_and_literals_apart() {
        check(
            "a(\"b // c\", 'd', '\\'', &'e f) // g",
            &expect![[r#"
            code:     "a(        ,    ,     , &'e f)     "
            comments: "                              // g"
            literals: "  \"b // c\"  'd'  '\\''             "
            tests: [] functions: []
        "#]],
        );
        check(
            "r#\"a\"b\"# /* c /* d */ e */ br\"f\" r#type bar\"g\"",
            &expect![[r##"
                code:     "                           b     r#type bar   "
                comments: "         /* c /* d */ e */                    "
                literals: "r#\"a\"b\"#                    r\"f\"           \"g\""
                tests: [] functions: []
            "##]],
        );
    }

    #[test]
    fn finds_what_only_tests_are_built_from() {
        check(
            "mod a;\n#[cfg(test)]\nmod tests {\n fn b() {}\n}\nfn c() {}\n",
            &expect![[r#"
                code:     "mod a;\n#[cfg(test)]\nmod tests {\n fn b() {}\n}\nfn c() {}\n"
                comments: "      \n            \n           \n          \n \n         \n"
                literals: "      \n            \n           \n          \n \n         \n"
                tests: [2, 3, 4, 5] functions: [0]
            "#]],
        );
        check(
            "#[cfg(test)]\nmod tests;\nfn c() {}\n",
            &expect![[r##"
            code:     "#[cfg(test)]\nmod tests;\nfn c() {}\n"
            comments: "            \n          \n         \n"
            literals: "            \n          \n         \n"
            tests: [1, 2] functions: [0]
        "##]],
        );
    }

    #[test]
    fn measures_functions_by_their_lines_of_code() {
        check(
            "pub fn a(b: [u8; 2]) -> u8\nwhere\n{\n\n // c\n let d = '{';\n match d {\n }\n}\n",
            &expect![[r#"
                code:     "pub fn a(b: [u8; 2]) -> u8\nwhere\n{\n\n     \n let d =    ;\n match d {\n }\n}\n"
                comments: "                          \n     \n \n\n // c\n             \n          \n  \n \n"
                literals: "                          \n     \n \n\n     \n         '{' \n          \n  \n \n"
                tests: [] functions: [3]
            "#]],
        );
        check(
            "trait A { fn b(c: u8);\n fn d() {} }\nlet e: fn(u8) = f;",
            &expect![[r#"
                code:     "trait A { fn b(c: u8);\n fn d() {} }\nlet e: fn(u8) = f;"
                comments: "                      \n            \n                  "
                literals: "                      \n            \n                  "
                tests: [] functions: [0, 0]
            "#]],
        );
    }
}
