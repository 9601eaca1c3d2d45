//! Where HL7 v2 messages are sent: `/admin/hl7v2/destinations` lists what is configured; a message that
//! is posted to one is durable when it is answered. What became of it is looked up as a channel's messages are.

use convert::hl7v2::{Charset, Header, messages};
use fhir::json::write_string;
use fhir::{Fault, Issue};
use http::StatusCode;
use http::request::Parts;
use interactions::channel::{ChannelName, Destination, Incoming};
use store::TenantId;

use crate::answer::Answer;
use crate::body::receive;
use crate::channels::print_given;
use crate::rejection::Rejection;
use crate::service::App;

/// The destinations of a tenant.
pub(crate) fn list(app: &App, tenant: &TenantId) -> Answer {
    let mut text = String::from("{\"destinations\":[");
    let of_tenant = app.config.destinations.iter().filter(|it| it.0 == *tenant);
    for (at, (_, destination)) in of_tenant.enumerate() {
        text.push_str(if at == 0 { "{\"name\":" } else { ",{\"name\":" });
        write_string(destination.name.as_str(), &mut text);
        print_given(destination.given(), &mut text);
        text.push('}');
    }
    Answer::text("application/json", text + "]}\n")
}

/// Makes a message durable that is to be sent, and says under which number.
pub(crate) async fn send(
    app: &App,
    head: &Parts,
    tenant: &TenantId,
    log: &ChannelName,
    body: &mut hyper::body::Incoming,
) -> Result<Answer, Rejection> {
    let is_asked = |it: &&(TenantId, Destination)| it.0 == *tenant && it.1.name.outbound() == *log;
    let Some((_, destination)) = app.config.destinations.iter().find(is_asked) else {
        let issue = Issue::error(
            Fault::NotFound,
            "the tenant has no destination of that name",
        );
        return Err(issue
            .mend("`[[hl7v2.destination]]` in the configuration file")
            .into());
    };
    let received = receive(body, &head.headers, &app.config.limits, &app.budget).await?;
    let message = outgoing(&received.bytes)?;
    let receipt = app
        .interactions
        .send_message(tenant, destination, message)
        .await?;
    let mut answer = Answer::text(
        "application/json",
        format!("{{\"number\":{}}}\n", receipt.number),
    );
    answer.status = StatusCode::ACCEPTED;
    Ok(answer)
}

/// A message to be sent, with CR at the ends of its lines.
fn outgoing(bytes: &[u8]) -> Result<Incoming, Issue> {
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
