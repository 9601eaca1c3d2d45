//! Operations: what the registry offers, by GET and POST.
//!
//! <https://hl7.org/fhir/R4/operations.html#executing>. By GET all parameters stand in the URL, by
//! POST in a `Parameters`, or beside the one resource that is the body.

use fhir::{Fault, Issue};
use http::{HeaderMap, Method, StatusCode, header};
use interactions::operations::Input;

use super::{Exchange, Handled, Sent};
use crate::answer::Answer;
use crate::conditions::{Understood, WriteConditions};

/// Media types of messages and documents that `$convert-data` takes as they are, and what they hold.
const MESSAGE_TYPES: &[(&str, &str)] = &[
    ("x-application/hl7-v2+er7", "hl7v2"),
    ("application/hl7-v2", "hl7v2"),
    ("application/hl7-v2+er7", "hl7v2"),
    ("application/edi-hl7", "hl7v2"),
    ("application/x-hl7", "hl7v2"),
    ("text/hl7v2", "hl7v2"),
    ("x-application/hl7-v2", "hl7v2"),
    ("application/cda+xml", "ccda"),
    ("application/hl7-cda+xml", "ccda"),
    ("text/x-hl7-text+xml", "ccda"),
];

/// What the body holds, if the operation takes it as it is.
fn message_type(headers: &HeaderMap, operation: &str) -> Option<&'static str> {
    let converts = operation == "urn:isthmus:operation:convert-data";
    let given = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let name = given.split(';').next().unwrap_or_default().trim();
    let mut rows = MESSAGE_TYPES.iter().filter(|_| converts);
    let row = rows.find(|(it, _)| it.eq_ignore_ascii_case(name));
    row.map(|(_, data_type)| *data_type)
}

/// The message as an argument, and what it is unless the URL says so.
fn message_arguments(
    body: &[u8],
    data_type: &str,
    query: &str,
) -> Result<Vec<(&'static str, String)>, Issue> {
    let text = std::str::from_utf8(body).map_err(|_| {
        Issue::error(Fault::Structure, "the message is not UTF-8").mend("encode it as UTF-8")
    })?;
    let mut arguments = vec![("inputData", text.to_owned())];
    if !crate::query::pairs(query).any(|(name, _)| name == "inputDataType") {
        arguments.push(("inputDataType", data_type.to_owned()));
    }
    Ok(arguments)
}

impl Exchange<'_> {
    pub(super) async fn operate(mut self, sent: Sent<'_>) -> Handled {
        WriteConditions::parse(&self.head.headers, Understood::Nothing)?;
        let operation = self.place.operation.expect("the route has an operation");
        let on = self.place.called_on();
        let mut input = Input {
            query: std::mem::take(&mut self.controls.query),
            ..Input::default()
        };
        let mut received = None;
        if self.head.method == Method::POST
            && let Sent::Body(body) = sent
        {
            let given = self.receive(body).await?;
            let is_empty =
                given.bytes.is_empty() && !self.head.headers.contains_key(header::CONTENT_TYPE);
            let message = message_type(&self.head.headers, operation.url);
            if let Some(data_type) = message {
                input.texts = message_arguments(&given.bytes, data_type, &input.query)?;
            } else if !is_empty {
                input.body = Some(self.document(&given).await?);
            }
            received = Some(given);
        }
        let caller = self.writer(received.as_ref())?;
        let told = self.interactions().operate(&caller, operation, on, input);
        let told = told.await?;
        drop(received);
        Ok(Answer::resource(StatusCode::OK, told))
    }
}
