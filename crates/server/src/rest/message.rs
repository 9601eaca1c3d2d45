//! A message or document as the body of `$convert-data`: what its media type says it is, and how its
//! bytes become characters.
//!
//! The charset is that of the media type (RFC 9110 §8.3.2), or else the one that the message names.
//! JSON and XML are messages only where the URL says so with `inputDataType`: otherwise they
//! are the `Parameters` of the operation.

use bytes::Bytes;
use convert::Processor;
use convert::hl7v2::Charset;
use fhir::json::{Document, Limits};
use fhir::{Fault, Issue};
use http::{HeaderMap, header};

use crate::media::{self, MediaRange};

/// The operation that takes raw messages.
const CONVERTS: &str = "urn:isthmus:operation:convert-data";

/// Media types of messages and documents, and what they hold.
const MESSAGE_TYPES: &[(&str, &str)] = &[
    ("x-application/hl7-v2+er7", HL7V2),
    ("application/hl7-v2", HL7V2),
    ("application/hl7-v2+er7", HL7V2),
    ("application/edi-hl7", HL7V2),
    ("application/x-hl7", HL7V2),
    ("text/hl7v2", HL7V2),
    ("x-application/hl7-v2", HL7V2),
    ("application/cda+xml", "ccda"),
    ("application/hl7-cda+xml", "ccda"),
    ("text/x-hl7-text+xml", "ccda"),
];
const HL7V2: &str = "hl7v2";

/// Media types that hold what `inputDataType` says.
const ANY_TYPES: &[&str] = &[
    "application/json",
    "application/fhir+json",
    "application/xml",
    "application/octet-stream",
    "text/json",
    "text/plain",
    "text/xml",
];

/// The media type of a body, if the operation with that URL takes messages.
pub(super) fn media_type(headers: &HeaderMap, operation: &str) -> Option<MediaRange> {
    let given = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    MediaRange::parse(given).filter(|_| operation == CONVERTS)
}

/// The body as arguments, unless it holds the parameters of the operation.
pub(super) fn arguments(
    range: &MediaRange,
    query: &str,
    body: &Bytes,
) -> Result<Option<Vec<(&'static str, String)>>, Issue> {
    let named = crate::query::pairs(query).find(|(name, _)| *name == "inputDataType");
    let row = MESSAGE_TYPES.iter().find(|(name, _)| *name == range.name);
    let data_type = match (row, named) {
        (_, Some((_, named))) if row.is_some() || is_message(range, body) => named,
        (Some((_, own)), None) => own,
        _ if media::is_resource(&range.name) => return Ok(None),
        _ => return Err(not_taken(range)),
    };
    let text = characters(range, data_type, body)?;
    let mut arguments = vec![("inputData", text)];
    if named.is_none() {
        arguments.push(("inputDataType", data_type.to_owned()));
    }
    Ok(Some(arguments))
}

/// Whether the body is what `inputDataType` says, and not the parameters of the operation.
fn is_message(range: &MediaRange, body: &Bytes) -> bool {
    let is_parameters = || {
        let document = Document::parse(body.clone(), &Limits::DEFAULT).ok();
        let kind = document
            .as_ref()
            .and_then(|it| it.root().get("resourceType"));
        kind.is_some_and(|it| it.is_str("Parameters"))
    };
    ANY_TYPES.contains(&&*range.name) && !is_parameters()
}

fn not_taken(range: &MediaRange) -> Issue {
    let is_general = ANY_TYPES.contains(&&*range.name);
    let (what, remedy) = if is_general {
        (
            "the media type does not say what the message is",
            "give `inputDataType` in the URL",
        )
    } else {
        (
            "the body's media type is none of a message, and none of a resource",
            "send application/hl7-v2, application/cda+xml, or a `Parameters` as application/fhir+json; \
             application/json and text/plain with `inputDataType` in the URL",
        )
    };
    media::unsupported(what).mend(remedy)
}

/// The characters of the body.
fn characters(range: &MediaRange, data_type: &str, body: &[u8]) -> Result<String, Issue> {
    let processor = Processor::from_name(data_type).unwrap_or(Processor::Json);
    let charset = match range.parameter("charset") {
        Some(label) => Charset::labelled(label)
            .map_err(|fault| media::unsupported(&fault.to_string()).mend("encode it as UTF-8"))?,
        None => convert::charset_of(processor, body)
            .map_err(|error| Issue::error(Fault::Value, error.to_string()))?,
    };
    let text = charset.decode(body).map_err(|fault| {
        let remedy = "encode it so, or name another charset in `Content-Type`";
        Issue::error(Fault::Structure, fault.to_string()).mend(remedy)
    })?;
    Ok(text.into_owned())
}
