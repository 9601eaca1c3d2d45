//! Where HL7 v2 messages are sent: a message that
//! is posted to one is durable when it is answered. What became of it is looked up as a channel's messages are.

use std::fmt::Write as _;

use convert::hl7v2::{Charset, Header, messages};
use fhir::{Fault, Issue};
use http::StatusCode;
use http::request::Parts;
use interactions::channel::{ChannelName, Incoming, Standing};
use store::TenantId;

use crate::answer::Answer;
use crate::body::receive;
use crate::rejection::Rejection;
use crate::service::App;

/// Makes a message durable that is to be sent, and says under which number.
pub(crate) async fn send(
    app: &App,
    head: &Parts,
    tenant: &TenantId,
    to: &ChannelName,
    body: &mut hyper::body::Incoming,
) -> Result<Answer, Rejection> {
    let received = receive(body, &head.headers, &app.config.limits, &app.budget).await?;
    let message = outgoing(&received.bytes)?;
    let receipt = app.interactions.send_message(tenant, to, message).await?;
    let number = receipt.number;
    let mut text = format!("{{\"number\":{number}");
    if receipt.standing == Standing::Repeated {
        // It is not sent again: whoever gave it up, or sees it parked, is to know.
        let log = to.outbound();
        text.push_str(",\"repeated\":true");
        if let Some((_, settled)) = app.interactions.message(tenant, &log, number).await? {
            let _ = write!(text, ",\"state\":\"{}\"", settled.state.name());
        }
    }
    let mut answer = Answer::text("application/json", text + "}\n");
    answer.status = StatusCode::ACCEPTED;
    Ok(answer)
}

/// A message to be sent, with CR at the ends of its lines.
pub(crate) fn outgoing(bytes: &[u8]) -> Result<Incoming, Issue> {
    let mut raw = Vec::with_capacity(bytes.len());
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'\n' if at > 0 && bytes[at - 1] == b'\r' => {}
            b'\n' => raw.push(b'\r'),
            _ => raw.push(*byte),
        }
    }
    let wrong = |what: String| {
        let issue = Issue::error(Fault::Invalid, what);
        issue.mend("one HL7 v2 message that begins with MSH, in the characters that MSH-18 names")
    };
    let utf8 = Charset::named("UNICODE UTF-8").map_err(|fault| wrong(fault.to_string()))?;
    let charset = Header::charset(&raw, utf8).map_err(|fault| wrong(fault.to_string()))?;
    let text = charset
        .decode(&raw)
        .map_err(|fault| wrong(fault.to_string()))?;
    let header = Header::read(&text).map_err(|fault| wrong(fault.to_string()))?;
    header.check().map_err(|fault| wrong(fault.to_string()))?;
    if messages(&text).len() != 1 {
        return Err(wrong("the body holds several messages".to_owned()));
    }
    Ok(Incoming {
        charset: charset.name().to_owned(),
        control_id: header.control_id().to_owned(),
        trigger: header.trigger(),
        sender: (header.field(3).to_owned(), header.field(4).to_owned()),
        raw: raw.into(),
    })
}
