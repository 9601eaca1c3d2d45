//! The separators of an HL7 v2 message, which its first segment declares (HL7 v2.9 §2.5.4), and
//! escape sequences (§2.7), which begin and end with one of them.

use crate::error::{ConvertError, ErrorKind, Result};

/// The characters that divide a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Separators {
    pub(crate) field: char,
    pub(crate) component: char,
    pub(crate) repetition: char,
    pub(crate) escape: char,
    pub(crate) subcomponent: char,
}

/// Where a character stands first. Texts are short and separators one byte each: a loop over bytes is
/// faster than a search.
pub(crate) fn find(text: &str, separator: char) -> Option<usize> {
    match u8::try_from(separator) {
        Ok(byte) if byte.is_ascii() => text.bytes().position(|it| it == byte),
        _ => text.find(separator),
    }
}

/// How often a character occurs.
pub(crate) fn count_of(text: &str, separator: char) -> usize {
    match u8::try_from(separator) {
        Ok(byte) if byte.is_ascii() => text.bytes().filter(|it| *it == byte).count(),
        _ => text.matches(separator).count(),
    }
}

/// The parts of a text between separators.
pub(crate) fn parts(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(at) = find(text, separator) else {
            rest = None;
            return Some(text);
        };
        rest = Some(&text[at + separator.len_utf8()..]);
        Some(&text[..at])
    })
}

/// What each separator divides, and where a message declares it.
const ROLES: [(&str, &str); 5] = [
    ("fields", "MSH-1"),
    ("components", "the first of MSH-2"),
    ("repeats", "the second of MSH-2"),
    ("escape sequences", "the third of MSH-2"),
    ("subcomponents", "the fourth of MSH-2"),
];

impl Separators {
    /// Reads them from a segment that declares them: what follows its three letters.
    pub(crate) fn read(segment: &str) -> Result<Self> {
        let fault = |what: String| Err(ConvertError::new(ErrorKind::Separators, what));
        let mut characters = segment.chars().skip(3);
        let mut all = ['\0'; 5];
        for (at, (role, place)) in ROLES.iter().enumerate() {
            let Some(c) = characters.next() else {
                return fault(format!("the separator of {role}, {place}, is missing"));
            };
            if c.is_control() || c.is_whitespace() || c.is_alphanumeric() {
                let what = format!(
                    "the separator of {role}, {place}, is a letter, a digit, white space or a \
                     control character; most senders begin with `MSH|^~\\&|`"
                );
                return fault(what);
            }
            if let Some(before) = all[..at].iter().position(|it| *it == c) {
                let other = ROLES[before].0;
                let what = format!("the separator of {role}, {place}, is that of {other}, too");
                return Err(ConvertError::new(ErrorKind::SameSeparators, what));
            }
            all[at] = c;
        }
        let [field, component, repetition, escape, subcomponent] = all;
        Ok(Self {
            field,
            component,
            repetition,
            escape,
            subcomponent,
        })
    }

    /// Replaces escape sequences by what they stand for; line breaks become a backslash and `n`.
    pub(crate) fn unescape(&self, text: &str, into: &mut String) -> Result<()> {
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(self.escape) {
            into.push_str(before);
            let Some((sequence, after)) = after.split_once(self.escape) else {
                let escape = self.escape;
                let what = format!(
                    "an escape sequence is not closed; write `{escape}` itself as `{escape}E{escape}`,"
                );
                return Err(ConvertError::new(ErrorKind::EscapeCharacter, what));
            };
            self.sequence(sequence, into)?;
            rest = after;
        }
        into.push_str(rest);
        Ok(())
    }

    /// As [`Self::unescape`], but what is no escape sequence is text, and a line break one.
    pub(super) fn unescape_leniently(&self, text: &str, into: &mut String) {
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(self.escape) {
            into.push_str(before);
            let before_it = into.len();
            let read = after.split_once(self.escape).and_then(|(sequence, after)| {
                match sequence {
                    ".br" | ".sp" => into.push('\n'),
                    _ if is_sequence(sequence) => self.sequence(sequence, into).ok()?,
                    _ => return None,
                }
                Some(after)
            });
            rest = read.unwrap_or_else(|| {
                into.truncate(before_it);
                into.push(self.escape);
                after
            });
        }
        into.push_str(rest);
    }

    fn sequence(&self, sequence: &str, into: &mut String) -> Result<()> {
        match sequence {
            "F" => into.push(self.field),
            "S" => into.push(self.component),
            "T" => into.push(self.subcomponent),
            "R" => into.push(self.repetition),
            "E" => into.push(self.escape),
            ".br" => into.push_str("\\n"),
            // Highlighting begins and ends: nothing of the text.
            "H" | "N" => {}
            _ => match sequence.strip_prefix('X') {
                Some(digits) => hexadecimal(digits, into)?,
                None => into.push_str(sequence),
            },
        }
        Ok(())
    }
}

/// Whether it is one of the standard: text between two backslashes of a path is none.
fn is_sequence(sequence: &str) -> bool {
    let one = ["F", "S", "T", "R", "E", "H", "N"].contains(&sequence);
    let is_digits = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_hexdigit());
    one || sequence.strip_prefix('X').is_some_and(is_digits)
}

fn hexadecimal(digits: &str, into: &mut String) -> Result<()> {
    let fault = || {
        let what = "an escape sequence `\\X…\\` does not hold pairs of hexadecimal digits,";
        ConvertError::new(ErrorKind::Hexadecimal, what)
    };
    // A sign would be taken as a digit's part.
    let are_digits = digits.bytes().all(|it| it.is_ascii_hexdigit());
    if !digits.len().is_multiple_of(2) || !are_digits {
        return Err(fault());
    }
    let bytes = (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16));
    let bytes: Vec<u8> = bytes
        .collect::<std::result::Result<_, _>>()
        .map_err(|_| fault())?;
    into.push_str(&String::from_utf8_lossy(&bytes));
    Ok(())
}
