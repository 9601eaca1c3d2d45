//! The characters of a message: MSH-18 with the names of table 0211, as far as they are offered.
//!
//! Decoding is strict: a byte that is no character of the set is a fault, never a replacement
//! character, since a name with a replaced letter is another name. Sets that this program does not
//! read are refused by name.

use std::borrow::Cow;

use encoding_rs::{DecoderResult, Encoding};

/// How bytes of a message become characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charset {
    name: &'static str,
    way: Way,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Ascii,
    /// Every byte is the character of that number.
    Latin1,
    /// An encoding of the web that differs from the set, if at all, in the control characters
    /// 0x80 to 0x9f, which are none of a message.
    Web(&'static Encoding),
}

/// Why a text is not of the characters it names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CharsetFault {
    /// The set is not offered, or does not exist.
    #[error("the character set `{0}` is not offered; {1}")]
    NotOffered(String, &'static str),
    /// A byte is no character of the set.
    #[error(
        "the input has bytes that are no characters of `{set}`, the first in line {line}, byte {byte}"
    )]
    NotOfTheSet {
        /// The set's name.
        set: &'static str,
        /// The line, which a segment is, from 1.
        line: usize,
        /// The byte in it, from 1.
        byte: usize,
    },
}

/// Table 0211, in its spelling, with the names that senders use beside it.
const OFFERED: &[(&str, Way)] = &[
    ("ASCII", Way::Ascii),
    ("8859/1", Way::Latin1),
    ("8859/2", Way::Web(encoding_rs::ISO_8859_2)),
    ("8859/3", Way::Web(encoding_rs::ISO_8859_3)),
    ("8859/4", Way::Web(encoding_rs::ISO_8859_4)),
    ("8859/5", Way::Web(encoding_rs::ISO_8859_5)),
    ("8859/6", Way::Web(encoding_rs::ISO_8859_6)),
    ("8859/7", Way::Web(encoding_rs::ISO_8859_7)),
    ("8859/8", Way::Web(encoding_rs::ISO_8859_8)),
    ("8859/9", Way::Web(encoding_rs::WINDOWS_1254)),
    ("8859/15", Way::Web(encoding_rs::ISO_8859_15)),
    ("UNICODE UTF-8", Way::Web(encoding_rs::UTF_8)),
    ("UNICODE", Way::Web(encoding_rs::UTF_8)),
    ("UTF-8", Way::Web(encoding_rs::UTF_8)),
    ("GB 18030-2000", Way::Web(encoding_rs::GB18030)),
    ("KS X 1001", Way::Web(encoding_rs::EUC_KR)),
    ("BIG-5", Way::Web(encoding_rs::BIG5)),
    ("ISO IR87", Way::Web(encoding_rs::ISO_2022_JP)),
];

/// Names of table 0211 that are refused, each with the reason.
const REFUSED: &[(&str, &str)] = &[
    (
        "UNICODE UTF-16",
        "its bytes cannot go through MLLP (table 0211): send UNICODE UTF-8",
    ),
    (
        "UNICODE UTF-32",
        "its bytes cannot go through MLLP (table 0211): send UNICODE UTF-8",
    ),
    (
        "ISO IR14",
        "JIS X 0201 is not read: send UNICODE UTF-8 or ~ISO IR87",
    ),
    ("ISO IR159", "JIS X 0212 is not read: send UNICODE UTF-8"),
    (
        "CNS 11643-1992",
        "EUC-TW is not read: send UNICODE UTF-8 or BIG-5",
    ),
];

/// The names that are offered.
pub fn names() -> impl Iterator<Item = &'static str> {
    OFFERED.iter().map(|(name, _)| *name)
}

fn not_offered(name: &str, why: &'static str) -> CharsetFault {
    let is_shown = |c: &char| c.is_ascii_graphic() || *c == ' ';
    let shown: String = name.chars().filter(is_shown).take(20).collect();
    CharsetFault::NotOffered(shown, why)
}

impl Charset {
    /// UTF-8, by its name in table 0211.
    pub const UTF_8: Self = Self {
        name: "UNICODE UTF-8",
        way: Way::Web(encoding_rs::UTF_8),
    };

    /// The set of that name.
    pub fn named(name: &str) -> Result<Self, CharsetFault> {
        let name = name.trim();
        let same = |it: &str| it.eq_ignore_ascii_case(name);
        if let Some((name, way)) = OFFERED.iter().find(|(it, _)| same(it)) {
            return Ok(Self { name, way: *way });
        }
        let refused = REFUSED.iter().find(|(it, _)| same(it));
        let why = refused.map_or("table 0211 lists the names", |(_, why)| why);
        Err(not_offered(name, why))
    }

    /// The set that a media type's `charset` names (the labels of the web, RFC 9110 §8.3.2).
    pub fn labelled(label: &str) -> Result<Self, CharsetFault> {
        let label = label.trim();
        let way = match label.to_ascii_lowercase().as_str() {
            // The web reads these two as a set of Windows.
            "us-ascii" | "ascii" => Some(Way::Ascii),
            "iso-8859-1" | "latin1" => Some(Way::Latin1),
            _ => Encoding::for_label(label.as_bytes()).map(Way::Web),
        };
        let row = OFFERED.iter().find(|it| Some(it.1) == way);
        match row {
            Some((name, way)) => Ok(Self { name, way: *way }),
            None => Err(not_offered(label, "send UTF-8")),
        }
    }

    /// The set that MSH-18 names, or else that one. Further repeats switch within the text (ISO 2022):
    /// that is offered where the last of them is one that has its switches, as in `~ISO IR87`.
    pub fn of(field: &str, repetition: char, absent: Self) -> Result<Self, CharsetFault> {
        let repeats: Vec<&str> = field.split(repetition).map(str::trim).collect();
        let named: Vec<&str> = repeats
            .iter()
            .copied()
            .filter(|it| !it.is_empty())
            .collect();
        match named[..] {
            [] => Ok(absent),
            [only] => Self::named(only),
            _ => {
                let sets: Vec<Self> = named
                    .into_iter()
                    .map(Self::named)
                    .collect::<Result<_, _>>()?;
                let switches = |it: &&Self| it.way == Way::Web(encoding_rs::ISO_2022_JP);
                let plain = |it: &Self| it.way == Way::Ascii || switches(&it);
                match sets.iter().find(switches) {
                    Some(set) if sets.iter().all(plain) => Ok(*set),
                    _ => Err(CharsetFault::NotOffered(
                        sets[1].name.to_owned(),
                        "switching between these sets is not read: send UNICODE UTF-8",
                    )),
                }
            }
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// The characters of these bytes.
    pub fn decode(self, bytes: &[u8]) -> Result<Cow<'_, str>, CharsetFault> {
        match self.way {
            Way::Ascii => match bytes.iter().position(|it| !it.is_ascii()) {
                None => Ok(encoding_rs::mem::decode_latin1(bytes)),
                Some(at) => Err(self.fault(bytes, at)),
            },
            Way::Latin1 => Ok(encoding_rs::mem::decode_latin1(bytes)),
            Way::Web(encoding) => {
                let text = encoding.decode_without_bom_handling_and_without_replacement(bytes);
                text.ok_or_else(|| self.fault(bytes, first_foreign(encoding, bytes)))
            }
        }
    }

    fn fault(self, bytes: &[u8], at: usize) -> CharsetFault {
        let before = &bytes[..at.min(bytes.len())];
        // CR, LF and both end a line.
        let ends = (0..before.len()).filter(|at| match before[*at] {
            b'\r' => before.get(at + 1) != Some(&b'\n'),
            byte => byte == b'\n',
        });
        let start = ends.clone().next_back().map_or(0, |it| it + 1);
        CharsetFault::NotOfTheSet {
            set: self.name,
            line: ends.count() + 1,
            byte: before.len() - start + 1,
        }
    }

    /// The bytes of these characters; what the set does not have becomes `?`.
    pub fn encode(self, text: &str) -> Vec<u8> {
        let encoding = match self.way {
            Way::Web(encoding) => encoding,
            Way::Ascii | Way::Latin1 => {
                let max = if self.way == Way::Ascii { 0x7f } else { 0xff };
                let byte = |c: char| u8::try_from(u32::from(c)).ok().filter(|it| *it <= max);
                return text.chars().map(|c| byte(c).unwrap_or(b'?')).collect();
            }
        };
        let has = |c: char| !encoding.encode(c.encode_utf8(&mut [0; 4])).2;
        if let (bytes, _, false) = encoding.encode(text) {
            return bytes.into_owned();
        }
        let known: String = text.chars().map(|c| if has(c) { c } else { '?' }).collect();
        encoding.encode(&known).0.into_owned()
    }
}

/// Where the first bytes begin that are no character of an encoding.
fn first_foreign(encoding: &'static Encoding, bytes: &[u8]) -> usize {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let room = decoder.max_utf8_buffer_length_without_replacement(bytes.len());
    let mut text = String::with_capacity(room.unwrap_or_default());
    match decoder.decode_to_string_without_replacement(bytes, &mut text, true) {
        (DecoderResult::Malformed(foreign, after), read) => {
            read.saturating_sub(usize::from(foreign) + usize::from(after))
        }
        (_, read) => read,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(field: &str, bytes: &[u8]) -> String {
        let absent = Charset::named("UNICODE UTF-8").unwrap();
        let text =
            Charset::of(field, '~', absent).and_then(|it| it.decode(bytes).map(Cow::into_owned));
        text.unwrap_or_else(|fault| fault.to_string())
    }

    #[test]
    fn the_sets_of_table_0211() {
        for (field, bytes, expected) in [
            ("", "Zoë".as_bytes(), "Zoë"),
            ("ASCII", b"Zoe", "Zoe"),
            (
                "ASCII",
                b"Zo\xeb",
                "the input has bytes that are no characters of `ASCII`, the first in line 1, byte 3",
            ),
            ("8859/1", b"Zo\xeb\x85", "Zoë\u{85}"),
            ("8859/2", b"\xa3", "Ł"),
            ("8859/5", b"\xc4", "Ф"),
            ("8859/7", b"\xc1", "Α"),
            ("8859/9", b"\xfe", "ş"),
            ("8859/15", b"\xa4", "€"),
            ("unicode utf-8", "é".as_bytes(), "é"),
            (
                "UNICODE UTF-8",
                b"\xe9",
                "the input has bytes that are no characters of `UNICODE UTF-8`, the first in line 1, byte 1",
            ),
            ("GB 18030-2000", b"\xd6\xd0", "中"),
            ("KS X 1001", b"\xb1\xe8", "김"),
            ("BIG-5", b"\xa4\xa4", "中"),
            ("~ISO IR87", b"\x1b$B;3ED\x1b(B", "山田"),
            ("ASCII~ISO IR87", b"A\x1b$B;3\x1b(B", "A山"),
            (
                "ISO IR159",
                b"",
                "the character set `ISO IR159` is not offered; JIS X 0212 is not read: send UNICODE UTF-8",
            ),
            (
                "8859/1~8859/2",
                b"",
                "the character set `8859/2` is not offered; switching between these sets is not read: send UNICODE UTF-8",
            ),
            (
                "KLINGON",
                b"",
                "the character set `KLINGON` is not offered; table 0211 lists the names",
            ),
        ] {
            assert_eq!(decoded(field, bytes), expected, "{field}");
        }
    }

    #[test]
    fn labels_of_media_types() {
        for (label, expected) in [
            ("utf-8", "UNICODE UTF-8"),
            ("US-ASCII", "ASCII"),
            ("iso-8859-1", "8859/1"),
            ("ISO-8859-15", "8859/15"),
            ("big5", "BIG-5"),
            (
                "utf-16",
                "the character set `utf-16` is not offered; send UTF-8",
            ),
            ("x", "the character set `x` is not offered; send UTF-8"),
        ] {
            let found = Charset::labelled(label);
            let found = found.map_or_else(|fault| fault.to_string(), |it| it.name().to_owned());
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn text_survives_its_set_and_foreign_characters_do_not_break_it() {
        for name in names().filter(|it| *it != "ASCII") {
            let set = Charset::named(name).unwrap();
            let bytes = set.encode("MSH|^~\\&|a\u{1f600}b");
            let back = set.decode(&bytes).unwrap().into_owned();
            assert!(
                ["MSH|^~\\&|a?b", "MSH|^~\\&|a\u{1f600}b"].contains(&&*back),
                "{name}: {back}"
            );
        }
    }
}
