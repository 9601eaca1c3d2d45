//! What can go wrong in a conversion: what, where, and the code that Microsoft's converter has for
//! it, which its users' runbooks know. No message quotes a value of the input.

use std::fmt;

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The library has no template of that name.
    RootNotFound,
    /// A template is not well formed.
    Syntax,
    /// A schema of the library is not well formed.
    Schema,
    /// The input is empty or not of its format.
    Input,
    /// The input is no HL7 v2 message.
    Message,
    /// The separators of an HL7 v2 message are missing or none.
    Separators,
    /// Two separators of an HL7 v2 message are the same.
    SameSeparators,
    /// An escape sequence of an HL7 v2 message is not closed.
    EscapeCharacter,
    /// An escape sequence of an HL7 v2 message is not hexadecimal.
    Hexadecimal,
    /// A template could not be rendered.
    Rendering,
    /// An HL7 v2 element has no such property.
    Property,
    /// A template includes one that the library does not have.
    TemplateNotFound,
    /// The conversion took longer than it may.
    TimedOut,
    /// A date is not of its format.
    Date,
    /// An id cannot be made of what is there.
    IdInput,
    /// A way of treating time zones that does not exist.
    Zone,
    /// The body of `mergeDiff` is not JSON.
    MergeDiffBody,
    /// The input of `mergeDiff` is no object.
    MergeDiffInput,
    /// The body of `validate` is not a JSON object.
    ValidateBody,
    /// The body of `validate` is against its schema.
    ValidateFailed,
    /// The output is not JSON.
    Json,
    /// The entries of the output cannot be merged.
    Merge,
    /// A named limit was exceeded.
    Limit,
}

/// The code of each kind in Microsoft's converter, and whether it is about the input.
const CODES: &[(ErrorKind, u16)] = &[
    (ErrorKind::RootNotFound, 1101),
    (ErrorKind::Syntax, 1104),
    (ErrorKind::Schema, 1105),
    (ErrorKind::Input, 1201),
    (ErrorKind::Message, 1203),
    (ErrorKind::Separators, 1204),
    (ErrorKind::SameSeparators, 1205),
    (ErrorKind::EscapeCharacter, 1206),
    (ErrorKind::Hexadecimal, 1207),
    (ErrorKind::Rendering, 1301),
    (ErrorKind::Property, 1302),
    (ErrorKind::TemplateNotFound, 1305),
    (ErrorKind::TimedOut, 1306),
    (ErrorKind::Date, 1307),
    (ErrorKind::IdInput, 1308),
    (ErrorKind::Zone, 1309),
    (ErrorKind::MergeDiffBody, 1310),
    (ErrorKind::MergeDiffInput, 1311),
    (ErrorKind::ValidateBody, 1312),
    (ErrorKind::ValidateFailed, 1313),
    (ErrorKind::Json, 1401),
    (ErrorKind::Merge, 1402),
    (ErrorKind::Limit, 1301),
];

impl ErrorKind {
    /// The code that Microsoft's converter has for it.
    pub fn code(self) -> u16 {
        let row = CODES.iter().find(|(kind, _)| *kind == self);
        row.map_or(1301, |(_, code)| *code)
    }
}

/// A place in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The template's file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Why a conversion failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}{}", shown_place(.place.as_ref()))]
pub struct ConvertError {
    /// What went wrong.
    pub kind: ErrorKind,
    /// The same in words; quotes names, never values.
    pub what: String,
    /// Where in the templates, if it was there.
    pub place: Option<Place>,
    /// The places that included that template, the innermost first.
    pub included_at: Vec<Place>,
}

fn shown_place(place: Option<&Place>) -> String {
    place.map_or_else(String::new, |place| format!(" at {place}"))
}

impl ConvertError {
    pub(crate) fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
            place: None,
            included_at: Vec::new(),
        }
    }

    pub(crate) fn limit(name: &str, max: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Limit, format!("more than {max} (`{name}`)"))
    }
}

/// What most functions of this crate give.
pub(crate) type Result<T> = std::result::Result<T, ConvertError>;

/// Line, and column in characters, of a byte of a text, from 1.
pub(crate) fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = memchr::memchr_iter(b'\n', before.as_bytes()).count() + 1;
    let start = memchr::memrchr(b'\n', before.as_bytes()).map_or(0, |it| it + 1);
    (line, before[start..].chars().count() + 1)
}
