//! Operations: what the registry offers, by GET and POST.
//!
//! <https://hl7.org/fhir/R4/operations.html#executing>. By GET all parameters stand in the URL, by
//! POST in a `Parameters`, or beside the one resource that is the body.

use http::{Method, StatusCode, header};
use interactions::operations::Input;

use super::{Exchange, Handled, Sent, message};
use crate::answer::{Answer, apart};
use crate::conditions::{Understood, WriteConditions};

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
            let raw = match message::media_type(&self.head.headers, operation.url) {
                Some(range) => {
                    let (query, body) = (input.query.clone(), given.bytes.clone());
                    let read = move || message::arguments(&range, &query, &body);
                    apart(given.bytes.len() as u64, read).await??
                }
                None => None,
            };
            if let Some(texts) = raw {
                input.texts = texts;
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
