//! Escapes inside JSON strings, read leniently: what is no escape stands for itself.

/// Appends a text whose `\` and `"` are escaped as in JSON.
pub(super) fn unescape(text: &str, into: &mut String) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        into.push_str(&rest[..at]);
        let (c, length) = escape(&rest[at..]);
        into.push(c);
        rest = &rest[at + length..];
    }
    into.push_str(rest);
}

/// The character that an escape stands for, and its length; the text begins with `\`.
fn escape(text: &str) -> (char, usize) {
    match text.as_bytes().get(1) {
        Some(b'u') => unicode(text).unwrap_or(('\\', 1)),
        Some(c) => simple(*c).map_or(('\\', 1), |c| (c, 2)),
        None => ('\\', 1),
    }
}

/// `\n` and its like, by the letter.
pub(super) fn simple(letter: u8) -> Option<char> {
    Some(match letter {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        _ => return None,
    })
}

/// `\uXXXX`, two of them for characters beyond the first plane.
fn unicode(text: &str) -> Option<(char, usize)> {
    let first = unit(text)?;
    if let Some(c) = char::from_u32(first) {
        return Some((c, 6));
    }
    let second = unit(text.get(6..)?)?;
    let pair = [first, second].map(|it| u16::try_from(it).unwrap_or(0));
    let mut decoded = char::decode_utf16(pair);
    decoded.next()?.ok().map(|c| (c, 12))
}

fn unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let is_hex = digits.bytes().all(|it| it.is_ascii_hexdigit());
    is_hex.then(|| u32::from_str_radix(digits, 16).ok())?
}
