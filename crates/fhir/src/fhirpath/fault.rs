//! What can be wrong with an expression or its evaluation, and where: spans, carets, messages.
//!
//! Messages quote the expression, never the data: a value of a resource is somebody's.

use std::fmt;

/// A part of an expression's text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// Where it begins.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

impl Span {
    /// From the beginning of this one to the end of the other.
    #[must_use]
    pub const fn to(self, other: Self) -> Self {
        Self {
            start: self.start,
            end: other.end,
        }
    }
}

/// A place in an expression, with what to show of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Byte offset.
    pub offset: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The line of the expression, and below it carets under the part that is meant.
    pub snippet: String,
}

/// Long lines are shown around the place only.
const SHOWN_CHARS_MAX: usize = 100;

impl Place {
    /// The place of a span in a text.
    pub fn of(text: &str, span: Span) -> Self {
        let start = floor_char(text, span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let end = floor_char(text, span.end).clamp(start, line_end);
        let before = text[line_start..start].chars().count();
        let width = text[start..end].chars().count().max(1);
        Self {
            offset: start,
            line: text[..start].matches('\n').count() + 1,
            column: before + 1,
            snippet: snippet(&text[line_start..line_end], before, width),
        }
    }
}

fn floor_char(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn snippet(line: &str, before: usize, width: usize) -> String {
    let skipped = before.saturating_sub(SHOWN_CHARS_MAX / 2);
    let shown: String = line.chars().skip(skipped).take(SHOWN_CHARS_MAX).collect();
    let shown = shown.replace(|it: char| it.is_control(), " ");
    let indent = before - skipped;
    let carets = width
        .min(shown.chars().count().saturating_sub(indent))
        .max(1);
    format!(
        "{}\n{}{}",
        shown.trim_end(),
        " ".repeat(indent),
        "^".repeat(carets)
    )
}

/// Why an expression is none, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// What is wrong.
    pub fault: ParseFault,
    /// Where.
    pub place: Place,
}

/// What can be wrong with the text of an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseFault {
    /// Something else must stand here.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What may stand here.
        expected: &'static str,
        /// What does.
        found: String,
    },
    /// A character that begins nothing.
    #[error("`{0}` begins nothing in FHIRPath")]
    Character(char),
    /// A quote or comment that does not end.
    #[error("{0} does not end")]
    Unterminated(&'static str),
    /// A number outside its type.
    #[error("{0}")]
    Number(&'static str),
    /// A date or time that the calendar does not have.
    #[error("`{0}` is not a date or time of the calendar")]
    Calendar(String),
    /// A function that does not exist.
    #[error("unknown function `{name}`{}", meant(suggestion.as_deref()))]
    Function {
        /// Its name.
        name: String,
        /// The nearest that exists.
        suggestion: Option<String>,
    },
    /// The wrong number of arguments.
    #[error("`{name}` takes {takes}, not {given}")]
    Arguments {
        /// The function.
        name: &'static str,
        /// How many it takes.
        takes: String,
        /// How many it was given.
        given: usize,
    },
    /// A type that does not exist.
    #[error("unknown type `{name}`{}", meant(suggestion.as_deref()))]
    Type {
        /// Its name.
        name: String,
        /// The nearest that exists.
        suggestion: Option<String>,
    },
    /// A limit was exceeded.
    #[error("the expression exceeds the limit `{name}` of {limit}")]
    Limit {
        /// The limit's name.
        name: &'static str,
        /// Its value.
        limit: usize,
    },
}

/// `, did you mean …` where there is something near.
pub(super) fn meant(suggestion: Option<&str>) -> String {
    suggestion.map_or(String::new(), |it| format!(", did you mean `{it}`?"))
}

/// Why an evaluation ended, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluationError {
    /// What went wrong.
    pub fault: EvaluationFault,
    /// Where in the expression.
    pub place: Place,
}

/// What can go wrong in an evaluation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationFault {
    /// Several items where there may be one.
    #[error("{what} must be a single item, not {count}")]
    NotSingle {
        /// What holds several.
        what: &'static str,
        /// How many.
        count: usize,
    },
    /// An operator that is not defined for its operands.
    #[error("`{operator}` is not defined for {left} and {right}")]
    Operands {
        /// The operator.
        operator: &'static str,
        /// The type on the left.
        left: String,
        /// The type on the right.
        right: String,
    },
    /// Something of the wrong type.
    #[error("{what} must be {expected}, not {found}")]
    Type {
        /// What has the wrong type.
        what: &'static str,
        /// The type that it must have.
        expected: &'static str,
        /// The type that it has.
        found: String,
    },
    /// An argument whose value is not allowed.
    #[error("{what}; allowed: {allowed}")]
    Argument {
        /// What is wrong.
        what: &'static str,
        /// What is allowed.
        allowed: &'static str,
    },
    /// A unit that date arithmetic cannot use.
    #[error("a quantity of this unit cannot be added to {0}")]
    Unit(&'static str),
    /// A result outside the calendar.
    #[error("the result lies outside the years 0001 to 9999")]
    Calendar,
    /// An environment variable that nobody gave.
    #[error("unknown variable `%{name}`{}", meant(suggestion.as_deref()))]
    Variable {
        /// Its name.
        name: String,
        /// The nearest that exists.
        suggestion: Option<String>,
    },
    /// A variable defined twice.
    #[error("variable `%{0}` is defined already")]
    VariableTwice(String),
    /// A special variable outside of its function.
    #[error("`{0}` has no value here")]
    Special(&'static str),
    /// A regular expression that is none, or needs what is not supported.
    #[error("not a regular expression, or one with look-around or back references")]
    Pattern,
    /// Text in a wrong encoding.
    #[error("the text is not valid {0}")]
    Encoding(&'static str),
    /// Something that needs what the caller did not provide.
    #[error("`{0}` is not available here")]
    Unavailable(&'static str),
    /// A profile or value set that is not known.
    #[error("{0} is not known")]
    Unknown(&'static str),
    /// The caller's lookup failed.
    #[error("{what} failed: {reason}")]
    Lookup {
        /// What was looked up.
        what: &'static str,
        /// Why it failed, without values.
        reason: String,
    },
    /// A function of `%factory` that got something it cannot make the type of.
    #[error("this is not a value of the type `{0}`")]
    Factory(String),
    /// A limit was exceeded.
    #[error("the evaluation exceeds the limit `{name}` of {limit}")]
    Limit {
        /// The limit's name.
        name: &'static str,
        /// Its value.
        limit: u64,
    },
}

macro_rules! shown_with_place {
    ($error:ty) => {
        impl fmt::Display for $error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let Place { line, column, .. } = self.place;
                write!(f, "{} at line {line}, column {column}", self.fault)
            }
        }

        impl std::error::Error for $error {}

        impl $error {
            /// The message with the part of the expression that it is about.
            pub fn render(&self) -> String {
                format!("{self}\n{}", self.place.snippet)
            }
        }
    };
}

shown_with_place!(ParseError);
shown_with_place!(EvaluationError);
