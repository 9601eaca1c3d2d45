//! The characters of an input before it is text: HL7 v2 names them in MSH-18, XML in its declaration
//! (XML 1.0 §4.3.3); all else is UTF-8.

use crate::error::{ConvertError, ErrorKind, Result};
use crate::hl7v2::{Charset, Header};
use crate::library::Processor;

/// Bytes in which a declaration stands, if there is one.
const DECLARATION_BYTES_MAX: usize = 200;

/// The set of characters that an input names.
pub fn charset_of(processor: Processor, input: &[u8]) -> Result<Charset> {
    let utf8 = Charset::UTF_8;
    let refused = |what: String| ConvertError::new(ErrorKind::Input, what);
    match processor {
        Processor::Hl7v2 => {
            Header::charset(input, utf8).map_err(|fault| refused(fault.to_string()))
        }
        Processor::Ccda => match declared(input) {
            Some(label) => Charset::labelled(label).map_err(|fault| {
                refused(format!("{fault}, at the declaration in line 1, column 1"))
            }),
            None => Ok(utf8),
        },
        Processor::Json | Processor::Fhir | Processor::FhirToHl7v2 => Ok(utf8),
    }
}

/// The characters of an input, by the set that it names. What is UTF-8 is not copied.
pub fn text_of(processor: Processor, input: Vec<u8>) -> Result<String> {
    let set = charset_of(processor, &input)?;
    let input = if set == Charset::UTF_8 {
        match String::from_utf8(input) {
            Ok(text) => return Ok(text),
            Err(error) => error.into_bytes(),
        }
    } else {
        input
    };
    let text = set.decode(&input);
    let text = text.map_err(|fault| ConvertError::new(ErrorKind::Input, fault.to_string()))?;
    Ok(text.into_owned())
}

/// The encoding that an XML declaration names. One of two or four bytes a character cannot be that of
/// a declaration that is read here: whoever wrote it had a text, and sends it as UTF-8.
fn declared(input: &[u8]) -> Option<&str> {
    let head = &input[..input.len().min(DECLARATION_BYTES_MAX)];
    let inside = head.strip_prefix(b"<?xml")?;
    let end = inside.windows(2).position(|it| it == b"?>")?;
    let inside = std::str::from_utf8(&inside[..end]).ok()?;
    let value = inside.split_once("encoding")?.1.trim_start();
    let value = value.strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (label, _) = value[1..].split_once(quote)?;
    let is_wide = |it: &str| {
        label
            .get(..it.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(it))
    };
    (!is_wide("utf-16") && !is_wide("utf-32") && !is_wide("ucs-")).then_some(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_say_what_they_are_written_in() {
        for (input, expected) in [
            (&b"<a>\xc3\xab</a>"[..], "<a>ë</a>"),
            (
                b"<?xml version='1.0'?><a>\xc3\xab</a>",
                "<?xml version='1.0'?><a>ë</a>",
            ),
            (
                b"<?xml version='1.0' encoding = 'ISO-8859-1'?><a>\xeb</a>",
                "<?xml version='1.0' encoding = 'ISO-8859-1'?><a>ë</a>",
            ),
            (
                b"<?xml version=\"1.0\" encoding=\"utf-16\"?><a>\xc3\xab</a>",
                "<?xml version=\"1.0\" encoding=\"utf-16\"?><a>ë</a>",
            ),
            (
                b"<?xml version='1.0' encoding='klingon'?><a/>",
                "the character set `klingon` is not offered; send UTF-8, at the declaration in line 1, column 1",
            ),
            (
                b"<a>\r\n\xeb</a>",
                "the input has bytes that are no characters of `UNICODE UTF-8`, the first in line 2, byte 1",
            ),
        ] {
            let found =
                text_of(Processor::Ccda, input.to_vec()).unwrap_or_else(|error| error.to_string());
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn messages_say_what_they_are_written_in() {
        let message = b"MSH|^~\\&|A|B|C|D|2026||ADT^A01|1|P|2.5||||||8859/1\rPID|1||Zo\xeb\r";
        assert!(
            text_of(Processor::Hl7v2, message.to_vec())
                .unwrap()
                .contains("Zoë")
        );
        let error = text_of(Processor::Json, b"{\"a\":\"\xeb\"}".to_vec()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the input has bytes that are no characters of `UNICODE UTF-8`, the first in line 1, byte 7"
        );
    }
}
