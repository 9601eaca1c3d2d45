//! Logical ids and version ids (`id`, <https://hl7.org/fhir/R4/datatypes.html#id>).

use std::fmt;

/// The longest id that FHIR allows, in characters.
pub const ID_CHARS_MAX: usize = 64;

/// A resource's logical id: 1 to 64 of `A-Z a-z 0-9 - .`.
///
/// An id chosen by a client may itself identify a person, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceId(Box<str>);

/// The text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id has 1 to 64 characters of `A-Z a-z 0-9 - .`")]
pub struct InvalidId;

impl ResourceId {
    /// Checks the text and keeps it.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        is_id(text).then(|| Self(text.into())).ok_or(InvalidId)
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[id]")
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether the text has the form of an id.
pub fn is_id(text: &str) -> bool {
    (1..=ID_CHARS_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

/// A resource's version as isthmus numbers it: 1, 2, 3 …, printed as `meta.versionId` and `ETag`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionId(pub u64);

impl VersionId {
    /// A version id as isthmus prints it: a decimal number from 1 without leading zeros or sign.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let canonical = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
        if !canonical {
            return Err(InvalidId);
        }
        text.parse().map(Self).map_err(|_| InvalidId)
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_1_to_64_characters_of_the_alphabet() {
        let longest = "a".repeat(64);
        let too_long = "a".repeat(65);
        for (text, expected) in [
            ("a", true),
            ("A-1.b", true),
            (longest.as_str(), true),
            (too_long.as_str(), false),
            ("", false),
            ("a_b", false),
            ("ä", false),
            ("a/b", false),
        ] {
            assert_eq!(ResourceId::parse(text).is_ok(), expected, "{text}");
        }
    }

    #[test]
    fn version_ids_are_canonical_decimals() {
        for (text, expected) in [
            ("1", Some(1)),
            ("120", Some(120)),
            ("0", None),
            ("01", None),
            ("+1", None),
            ("", None),
            ("18446744073709551616", None),
        ] {
            assert_eq!(
                VersionId::parse(text).ok().map(|version| version.0),
                expected,
                "{text}"
            );
        }
    }
}
