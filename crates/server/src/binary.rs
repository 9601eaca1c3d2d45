//! `Binary` in its own media type: raw bytes become the resource and come out of it again.
//!
//! <https://hl7.org/fhir/R4/binary.html#rest>, <https://hl7.org/fhir/STU3/binary.html#rest>: STU3
//! calls the element `content`, R4 `data`. What a client stored is never run in a browser.

use bytes::Bytes;
use fhir::json::{Document, Limits, Value, write_string};
use fhir::{Fault, FhirVersion, Issue, ResourceId};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::answer::{Answer, Content};
use crate::media;

const SECURITY_CONTEXT: HeaderName = HeaderName::from_static("x-security-context");
/// The outermost element of an XML resource begins and ends within these.
const XML_HEAD_BYTES: usize = 1 << 10;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const fn data_element(version: FhirVersion) -> &'static str {
    match version {
        FhirVersion::Stu3 => "content",
        FhirVersion::R4 => "data",
    }
}

/// The resource that holds these bytes, as JSON text.
pub(crate) fn wrap(
    bytes: &[u8],
    content_type: &str,
    id: Option<&ResourceId>,
    security_context: Option<&str>,
    version: FhirVersion,
) -> String {
    let mut text = String::with_capacity(bytes.len() / 3 * 4 + 160);
    text.push_str("{\"resourceType\":\"Binary\"");
    if let Some(id) = id {
        text.push_str(",\"id\":");
        write_string(id.as_str(), &mut text);
    }
    text.push_str(",\"contentType\":");
    let words: Vec<_> = content_type.split_ascii_whitespace().collect();
    write_string(&words.join(" "), &mut text);
    if let Some(context) = security_context {
        text.push_str(",\"securityContext\":{\"reference\":");
        write_string(context, &mut text);
        text.push('}');
    }
    if !bytes.is_empty() {
        text.push_str(",\"");
        text.push_str(data_element(version));
        text.push_str("\":\"");
        encode_base64(bytes, &mut text);
        text.push('"');
    }
    text.push('}');
    text
}

/// The reference in `X-Security-Context`.
pub(crate) fn security_context(headers: &HeaderMap) -> Result<Option<String>, Issue> {
    let context = headers.get(SECURITY_CONTEXT).map(HeaderValue::to_str);
    let context = context.transpose().map_err(|_| {
        let what = "the header `x-security-context` is no reference";
        Issue::error(Fault::Invalid, what).at("http.X-Security-Context")
    })?;
    Ok(context.map(str::to_owned))
}

/// Whether a body in a generic type is a `Binary` resource rather than content of one.
pub(crate) fn is_resource(body: &Bytes) -> bool {
    is_xml_resource(body) || is_json_resource(body)
}

fn is_json_resource(body: &Bytes) -> bool {
    let document = Document::parse(body.clone(), &Limits::DEFAULT);
    document.is_ok_and(|document| {
        let name = document.root().get("resourceType");
        name.is_some_and(|name| name.is_str("Binary"))
    })
}

/// The outermost element tells; a declaration and white space may stand before it.
fn is_xml_resource(body: &Bytes) -> bool {
    let head = String::from_utf8_lossy(&body[..body.len().min(XML_HEAD_BYTES)]);
    let rest = head.trim_start_matches('\u{feff}').trim_start();
    let rest = match rest.strip_prefix("<?xml") {
        Some(declaration) => declaration.split_once("?>").map_or("", |(_, rest)| rest),
        None => rest,
    };
    let element = rest
        .trim_start()
        .split_once('>')
        .map_or("", |(element, _)| element);
    element.starts_with("<Binary") && element.contains(fhir::xml::FHIR_NAMESPACE)
}

/// The resource's content as it is, if the client wants that; `None` to answer the resource.
pub(crate) fn unwrap(json: &Bytes, headers: &HeaderMap, version: FhirVersion) -> Option<Answer> {
    let limits = Limits {
        bytes_max: usize::MAX,
        ..Limits::DEFAULT
    };
    let document = Document::parse(json.clone(), &limits).ok()?;
    let root = document.root();
    let content_type = root.get("contentType").and_then(Value::as_str)?;
    if !media::prefers_raw(headers, &content_type) {
        return None;
    }
    let data = root
        .get(data_element(version))
        .and_then(Value::as_str)
        .unwrap_or_default();
    let bytes = decode_base64(&data)?;
    let name = content_type.split(';').next().unwrap_or_default();
    let content_type = HeaderValue::from_str(&content_type).ok();
    let content_type = content_type.filter(|_| media::is_media_type(name.trim()));
    let octets = HeaderValue::from_static("application/octet-stream");
    let mut answer = Answer::new(StatusCode::OK, Content::Raw(bytes.into()))
        .with(header::CONTENT_TYPE, content_type.unwrap_or(octets))
        .with(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        )
        .with(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; sandbox"),
        );
    let context = root
        .get("securityContext")
        .and_then(|it| it.get("reference"));
    let context = context.and_then(Value::as_str);
    if let Some(context) = context.and_then(|it| HeaderValue::from_str(&it).ok()) {
        answer = answer.with(SECURITY_CONTEXT, context);
    }
    Some(answer)
}

fn encode_base64(bytes: &[u8], into: &mut String) {
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let digit = (group >> (18 - 6 * place)) & 63;
            let written = place <= chunk.len();
            into.push(if written {
                char::from(ALPHABET[digit as usize])
            } else {
                '='
            });
        }
    }
}

/// White space is skipped, as the type `base64Binary` has it.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut group, mut digits) = (0_u32, 0);
    let is_digit = |byte: &u8| !byte.is_ascii_whitespace() && *byte != b'=';
    for byte in text.bytes().filter(is_digit) {
        group = group << 6 | digit(byte)?;
        digits += 1;
        if digits == 4 {
            bytes.extend_from_slice(&group.to_be_bytes()[1..]);
            (group, digits) = (0, 0);
        }
    }
    let rest = (group << (6 * (4 - digits) % 24)).to_be_bytes();
    match digits {
        0 => {}
        2 => bytes.push(rest[1]),
        3 => bytes.extend_from_slice(&rest[1..3]),
        _ => return None,
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_comes_back() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"foob", "Zm9vYg=="),
            (b"\xff\xfe\xfd\x00", "//79AA=="),
        ] {
            let mut encoded = String::new();
            encode_base64(bytes, &mut encoded);
            assert_eq!(encoded, text);
            assert_eq!(decode_base64(text).as_deref(), Some(bytes));
        }
        assert_eq!(decode_base64("Zm 9v\n"), Some(b"foo".to_vec()));
        assert_eq!(decode_base64("Z"), None);
        assert_eq!(decode_base64("Zm9*"), None);
    }

    #[test]
    fn bytes_are_wrapped_per_version() {
        let context = Some("Patient/p");
        let wrapped = |version| wrap(b"foo", "text/plain;  a=b", None, context, version);
        assert_eq!(
            wrapped(FhirVersion::R4),
            concat!(
                r#"{"resourceType":"Binary","contentType":"text/plain; a=b","#,
                r#""securityContext":{"reference":"Patient/p"},"data":"Zm9v"}"#
            )
        );
        assert!(wrapped(FhirVersion::Stu3).contains(r#""content":"Zm9v""#));
    }
}
