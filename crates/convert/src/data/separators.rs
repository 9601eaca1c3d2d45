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

impl Separators {
    /// Reads them from a segment that declares them: what follows its three letters.
    pub(crate) fn read(segment: &str) -> Result<Self> {
        let fault = |what: &str| Err(ConvertError::new(ErrorKind::Separators, what));
        let mut characters = segment.chars().skip(3);
        let mut next = || characters.next().filter(|c| !c.is_control());
        let (Some(field), Some(component), Some(repetition), Some(escape), Some(subcomponent)) =
            (next(), next(), next(), next(), next())
        else {
            return fault("MSH-1 and MSH-2 declare five separators");
        };
        let all = [field, component, repetition, escape, subcomponent];
        let is_repeated = |(at, c): (usize, &char)| all[..at].contains(c);
        if all.iter().enumerate().any(is_repeated) {
            return fault("the separators in MSH-1 and MSH-2 are not distinct");
        }
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
                let what = "an escape sequence is not closed";
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
        let what = "an escape sequence `\\X…\\` is not hexadecimal";
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
