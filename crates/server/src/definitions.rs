//! Definitions of HL7 v2 channels and destinations as JSON objects of their fields. What the
//! configuration file defines is shown, `readOnly`, and not changed.

use fhir::json::{Document, Limits, write_string};
use fhir::{Fault, Issue};
use http::StatusCode;
use http::request::Parts;
use hyper::body::Incoming;
use interactions::InteractionError;
use interactions::channel::{
    Channel, ChannelName, Definition, DefinitionFault, Destination, Origin, Queued,
};
use store::TenantId;

use crate::answer::Answer;
use crate::body;
use crate::query::pairs;
use crate::rejection::Rejection;
use crate::router::Endpoint;
use crate::service::App;

/// Does what was asked of the definition of that tenant and name.
pub(crate) async fn answer(
    app: &App,
    head: &Parts,
    endpoint: Endpoint,
    (tenant, name): (&TenantId, &ChannelName),
    body: &mut Incoming,
) -> Result<Answer, Rejection> {
    let interactions = &app.interactions;
    match endpoint {
        Endpoint::ListChannels => return list::<Channel>(app, tenant).await,
        Endpoint::ReadChannel => return show::<Channel>(app, tenant, name).await,
        Endpoint::PutChannel => {
            let channel = receive(app, head, name, body).await?;
            interactions.put_channel(tenant, &channel).await?;
        }
        Endpoint::DeleteChannel => interactions.delete_channel(tenant, name).await?,
        Endpoint::ListDestinations => return list::<Destination>(app, tenant).await,
        Endpoint::ReadDestination => return show::<Destination>(app, tenant, name).await,
        Endpoint::PutDestination => {
            let destination = receive(app, head, name, body).await?;
            interactions.put_destination(tenant, &destination).await?;
        }
        Endpoint::DeleteDestination => {
            let queued = queued(head)?;
            interactions
                .delete_destination(tenant, name, queued)
                .await?;
        }
        _ => {
            let what = "this is not offered here";
            return Err(Issue::error(Fault::NotSupported, what).into());
        }
    }
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

/// All of a tenant.
async fn list<D: Definition>(app: &App, tenant: &TenantId) -> Result<Answer, Rejection> {
    let all = app.interactions.known_definitions::<D>(tenant).await?;
    let shown = |(it, origin): &(D, Origin)| shown(app, tenant, it, *origin);
    let all: Vec<String> = all.iter().map(shown).collect();
    let text = format!("{{\"{}s\":[{}]}}\n", D::KIND, all.join(","));
    Ok(Answer::text("application/json", text))
}

/// The one of that name.
async fn show<D: Definition>(
    app: &App,
    tenant: &TenantId,
    name: &ChannelName,
) -> Result<Answer, Rejection> {
    let (found, origin) = app.interactions.known_definition::<D>(tenant, name).await?;
    Ok(Answer::text(
        "application/json",
        shown(app, tenant, &found, origin) + "\n",
    ))
}

fn shown(app: &App, tenant: &TenantId, definition: &impl Definition, origin: Origin) -> String {
    let mut text = String::from("{\"name\":");
    write_string(definition.name().as_str(), &mut text);
    if origin == Origin::File {
        text.push_str(",\"readOnly\":true");
    }
    if let Some(what) = app.interactions.trouble(tenant, definition.log()) {
        text.push_str(",\"trouble\":");
        write_string(&what, &mut text);
    }
    for (field, value) in definition.given() {
        text.push(',');
        write_string(field, &mut text);
        text.push(':');
        write_string(value, &mut text);
    }
    text + "}"
}

/// The definition in a body: a JSON object of fields, texts and whole numbers.
async fn receive<D: Definition>(
    app: &App,
    head: &Parts,
    name: &ChannelName,
    body: &mut Incoming,
) -> Result<D, Rejection> {
    let received = body::receive(body, &head.headers, &app.config.limits, &app.budget).await?;
    let document = Document::parse(received.bytes, &Limits::DEFAULT);
    let document = document.map_err(|it| Issue::from(&it))?;
    let (mut given, mut faults) = (Vec::new(), Vec::new());
    for member in document.root().members() {
        let (field, value) = (member.name, member.value);
        let text = value.as_str().map(std::borrow::Cow::into_owned);
        match text.or_else(|| value.as_number().map(str::to_owned)) {
            Some(text) => given.push((field.into_owned(), text)),
            None => faults.push(DefinitionFault {
                field: field.into_owned(),
                what: "is neither text nor a whole number".to_owned(),
            }),
        }
    }
    let read = D::read(name.clone(), given);
    let issues = |faults: Vec<DefinitionFault>| -> Vec<Issue> {
        faults.iter().map(DefinitionFault::issue).collect()
    };
    match read {
        Ok(definition) if faults.is_empty() => Ok(definition),
        read => {
            faults.extend(read.err().into_iter().flatten());
            Err(InteractionError::from(issues(faults)).into())
        }
    }
}

/// `queued=dismiss` dismisses what waits to be sent when a destination is deleted.
fn queued(head: &Parts) -> Result<Queued, Issue> {
    let query = head.uri.query().unwrap_or_default();
    match pairs(query).find(|(name, _)| *name == "queued") {
        None => Ok(Queued::Refuse),
        Some((_, "dismiss")) => Ok(Queued::Dismiss),
        Some(_) => {
            let issue = Issue::error(Fault::Invalid, "`queued` is malformed");
            Err(issue.mend("`queued=dismiss`, or without it"))
        }
    }
}
