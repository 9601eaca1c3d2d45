//! Administration of HL7 v2 channels: their definitions, and the messages of their logs.
//!
//! `/admin/hl7v2/channels` lists, shows and defines ([`crate::definitions`]); below a channel are its messages, found by `state`,
//! `control-id`, `from`, `until`, `before` and `_count`, the newest first. What came is shown by
//! `…/raw`, if [`crate::Config::may_see_messages`] allows it, corrected by `PUT` there, and tried again by `…/replay`.
//! Lists hold no content: a message's text is asked for by itself.
//! Below a destination ([`destinations`]) are the same paths as below a channel.

use std::cmp::Reverse;
use std::fmt::Write as _;

use fhir::json::write_string;
use fhir::{Fault, Instant, Issue};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use hyper::body::Incoming;
use interactions::channel::{ChannelName, Coverage, Message, Query, Retry, Settled, State};
use store::TenantId;

use crate::answer::{Answer, Content};
use crate::body::receive;
use crate::query::{decode, pairs};
use crate::rejection::Rejection;
use crate::router::{Endpoint, Place};
use crate::service::App;
use crate::{definitions, destinations};

/// Messages on a page without `_count`, and at most.
const COUNT_DEFAULT: usize = 50;
const COUNT_MAX: usize = 1_000;

/// Does what was asked.
pub(crate) async fn answer(
    app: &App,
    head: &Parts,
    endpoint: Endpoint,
    place: &Place,
    body: &mut Incoming,
) -> Result<Answer, Rejection> {
    let asked = Asked::of(head, place)?;
    let (tenant, name, channel) = (&asked.tenant, &asked.name, &asked.log);
    let done = || Ok(Answer::empty(StatusCode::NO_CONTENT));
    let retry = async |retry| {
        app.interactions
            .retry_message(tenant, channel, asked.number, retry)
            .await
    };
    match endpoint {
        Endpoint::ReadCoverage => {
            let coverage = app.interactions.message_coverage(tenant, channel).await?;
            Ok(Answer::text("application/json", print_coverage(&coverage)))
        }
        Endpoint::FindMessages => find(app, head, &asked).await,
        Endpoint::ReadMessage => {
            let (message, settled) = message(app, &asked).await?;
            let mut text = String::new();
            print(&message, &settled, &mut text);
            Ok(Answer::text("application/json", text + "\n"))
        }
        Endpoint::ReadRawMessage => {
            check_may_see(app)?;
            let (message, _) = message(app, &asked).await?;
            let octets = HeaderValue::from_static("application/octet-stream");
            let answer = Answer::new(StatusCode::OK, Content::Raw(message.raw));
            Ok(answer.with(header::CONTENT_TYPE, octets))
        }
        Endpoint::CorrectMessage => {
            check_may_see(app)?;
            let received = receive(body, &head.headers, &app.config.limits, &app.budget).await?;
            let raw = match place.receiver {
                Some(_) => destinations::outgoing(&received.bytes)?.raw,
                None => received.bytes,
            };
            retry(Retry::Corrected(raw)).await?;
            done()
        }
        Endpoint::ReplayMessage => {
            retry(Retry::AsItIs).await?;
            done()
        }
        Endpoint::DismissMessage => {
            retry(Retry::Dismiss).await?;
            done()
        }
        Endpoint::SendMessage => destinations::send(app, head, tenant, name, body).await,
        _ => definitions::answer(app, head, endpoint, (tenant, name), body).await,
    }
}

/// Where the request leads.
struct Asked {
    tenant: TenantId,
    /// The name of a channel or destination.
    name: ChannelName,
    /// The name of its log.
    log: ChannelName,
    number: u64,
}

impl Asked {
    fn of(head: &Parts, place: &Place) -> Result<Self, Issue> {
        let name = place.name.as_deref().or(place.receiver.as_deref());
        let name = ChannelName::parse(name.unwrap_or("none")).ok_or_else(|| {
            let what = "the URL holds no name of a channel or destination";
            Issue::error(Fault::Invalid, what).mend("lower-case letters, digits and `-`")
        })?;
        let log = match place.receiver {
            Some(_) => name.outbound(),
            None => name.clone(),
        };
        let number = place.number.unwrap_or_default();
        Ok(Self {
            tenant: crate::admin::named_tenant(head)?,
            name,
            log,
            number,
        })
    }
}

/// The hook for whoever decides who may see messages; without one, whoever may administer.
fn check_may_see(app: &App) -> Result<(), Issue> {
    match &app.config.may_see_messages {
        Some(may_see) if !may_see() => Err(Issue::error(
            Fault::Forbidden,
            "the texts of messages are not shown to this caller",
        )),
        _ => Ok(()),
    }
}

async fn message(app: &App, asked: &Asked) -> Result<(Message, Settled), Rejection> {
    let (tenant, channel) = (&asked.tenant, &asked.log);
    let found = app
        .interactions
        .known_message(tenant, channel, asked.number);
    Ok(found.await?)
}

async fn find(app: &App, head: &Parts, asked: &Asked) -> Result<Answer, Rejection> {
    let listed = app
        .interactions
        .find_messages(&asked.tenant, &asked.log, &query(head)?)
        .await?;
    let mut text = String::from("{\"messages\":[");
    for (at, (message, settled)) in listed.messages.iter().enumerate() {
        text.push_str(if at == 0 { "" } else { "," });
        print(message, settled, &mut text);
    }
    text.push(']');
    if let Some(before) = listed.next_before {
        let _ = write!(text, ",\"nextBefore\":{before}");
    }
    Ok(Answer::text("application/json", text + "}\n"))
}

fn query(head: &Parts) -> Result<Query, Issue> {
    let mut query = Query {
        count: COUNT_DEFAULT,
        ..Query::default()
    };
    for (name, raw) in pairs(head.uri.query().unwrap_or_default()) {
        let text = decode(raw)?;
        let malformed = |form: &str| {
            Issue::error(Fault::Invalid, format!("`{name}` is malformed")).mend(form.to_owned())
        };
        let instant = || {
            Instant::parse(&text)
                .ok_or_else(|| malformed("an instant such as 2026-01-01T00:00:00Z"))
        };
        let number = || text.parse::<u64>().map_err(|_| malformed("a whole number"));
        match name {
            "tenant" => {}
            "state" => {
                let names = State::ALL.map(State::name).join(", ");
                query.state = Some(State::named(&text).ok_or_else(|| malformed(&names))?);
            }
            "control-id" => query.control_id = Some(text.into_owned()),
            "from" => query.from = Some(instant()?),
            "until" => query.until = Some(instant()?),
            "before" => query.before = Some(number()?),
            "_count" => {
                let count = usize::try_from(number()?).unwrap_or(COUNT_MAX);
                query.count = count.clamp(1, COUNT_MAX);
            }
            _ => {
                let known = [
                    "state",
                    "control-id",
                    "from",
                    "until",
                    "before",
                    "_count",
                    "tenant",
                ];
                let issue = Issue::error(Fault::Invalid, "the parameter is not known");
                return Err(issue.mend(format!("the parameters are {}", known.join(", "))));
            }
        }
    }
    Ok(query)
}

/// The fields that no template read, the most frequent first.
fn print_coverage(coverage: &Coverage) -> String {
    let mut fields: Vec<_> = coverage.fields.iter().collect();
    fields.sort_by_key(|(_, seen)| Reverse(seen.count));
    let mut text = String::from("{\"fields\":[");
    for (at, (field, seen)) in fields.into_iter().enumerate() {
        text.push_str(if at == 0 {
            "{\"field\":"
        } else {
            ",{\"field\":"
        });
        write_string(field, &mut text);
        let _ = write!(text, ",\"count\":{},\"last\":{}}}", seen.count, seen.last);
    }
    let _ = writeln!(text, "],\"others\":{}}}", coverage.others);
    text
}

/// What is known of a message, without its content.
fn print(message: &Message, settled: &Settled, text: &mut String) {
    let _ = write!(
        text,
        "{{\"number\":{},\"state\":\"{}\"",
        message.number,
        settled.state.name()
    );
    let texts = [
        ("received", message.time.to_string()),
        ("settled", settled.time.to_string()),
        ("type", message.trigger.clone()),
        ("controlId", message.control_id.clone()),
        ("sendingApplication", message.sender.0.clone()),
        ("sendingFacility", message.sender.1.clone()),
        ("charset", message.charset.clone()),
        ("what", settled.what.clone()),
    ];
    for (name, value) in texts.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = write!(text, ",\"{name}\":");
        write_string(value, text);
    }
    let bytes = message.raw.len();
    let _ = write!(
        text,
        ",\"bytes\":{bytes},\"attempts\":{},\"resources\":{}",
        settled.attempts, settled.resources
    );
    for (name, is_so) in [
        ("reusesControlId", message.reuses_control_id),
        ("corrected", message.is_corrected),
    ] {
        if is_so {
            let _ = write!(text, ",\"{name}\":true");
        }
    }
    if settled.condition > 0 {
        let _ = write!(text, ",\"condition\":{}", settled.condition);
    }
    if !settled.unread.is_empty() {
        text.push_str(",\"unread\":[");
        for (at, element) in settled.unread.iter().enumerate() {
            text.push_str(if at == 0 { "" } else { "," });
            write_string(element, text);
        }
        text.push(']');
    }
    text.push('}');
}
