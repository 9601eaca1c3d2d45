//! Create, update, delete, their conditional forms, purges, batch and transaction.

use bytes::Bytes;
use fhir::json::{Document, Limits, Value};
use fhir::{Definitions, Fault, Issue};
use http::{HeaderName, HeaderValue, StatusCode, header};
use hyper::body::Incoming;
use interactions::{Write, WriteAnswer, WriteEffect};

use super::{Exchange, Handled, PROVENANCE, etag, tagged};
use crate::answer::{Answer, Content, apart};
use crate::body::{Received, receive};
use crate::conditions::{Return, Understood, WriteConditions};
use crate::media::{self, BodyType, Format};
use crate::query::without;
use crate::rejection::Rejection;
use crate::{binary, outcome, splice};

impl Exchange<'_> {
    pub(super) async fn create(self, body: &mut Incoming) -> Handled {
        self.only(&[])?;
        let conditions = WriteConditions::parse(&self.head.headers, Understood::Create)?;
        let received = self.receive(body).await?;
        let write = Write::Create {
            resource_type: self.place.resource_type().to_owned(),
            resource: self.document(&received).await?,
            if_none_exist: conditions.if_none_exist,
        };
        self.write(write, Some(received)).await
    }

    pub(super) async fn update(self, body: &mut Incoming) -> Handled {
        self.only(&[])?;
        let conditions = WriteConditions::parse(&self.head.headers, Understood::Update)?;
        let received = self.receive(body).await?;
        let only_create = conditions.only_create;
        let write = Write::Update {
            key: self.place.clone().key(),
            resource: self.document(&received).await?,
            if_match: conditions.if_match,
            only_create,
        };
        let answered = self.write(write, Some(received)).await;
        answered.map_err(|rejection| Rejection {
            // STU3 has 409 for a stale `If-Match` alone; RFC 9110 §13.1.2 has 412 for this.
            status: rejection.exists().filter(|_| only_create),
            ..rejection
        })
    }

    pub(super) async fn conditional_update(self, body: &mut Incoming) -> Handled {
        let criteria = criteria(&self.controls.query)?;
        let conditions = WriteConditions::parse(&self.head.headers, Understood::ConditionalUpdate)?;
        let received = self.receive(body).await?;
        let write = Write::UpdateWhere {
            resource_type: self.place.resource_type().to_owned(),
            criteria,
            resource: self.document(&received).await?,
            if_match: conditions.if_match,
        };
        self.write(write, Some(received)).await
    }

    pub(super) async fn delete(self) -> Handled {
        self.only(&["_hardDelete"])?;
        let conditions = WriteConditions::parse(&self.head.headers, Understood::Delete)?;
        let (key, if_match) = (self.place.clone().key(), conditions.if_match);
        let write = match (self.controls.flag("_hardDelete")?, if_match.is_empty()) {
            (false, _) => Write::Delete { key, if_match },
            (true, true) => Write::Purge(key),
            (true, false) => {
                let what = "`_hardDelete` cannot be combined with the header `if-match`";
                return Err(Issue::error(Fault::NotSupported, what)
                    .at("http.If-Match")
                    .into());
            }
        };
        self.write(write, None).await
    }

    pub(super) async fn conditional_delete(self) -> Handled {
        WriteConditions::parse(&self.head.headers, Understood::Nothing)?;
        if self.controls.flag("_hardDelete")? {
            let what = "`_hardDelete` is not offered with criteria";
            return Err(Issue::error(Fault::NotSupported, what)
                .at("http._hardDelete")
                .into());
        }
        let write = Write::DeleteWhere {
            resource_type: self.place.resource_type().to_owned(),
            criteria: criteria(&without(
                &self.controls.query,
                &["_hardDelete", "_multiple"],
            ))?,
            multiple: self.controls.flag("_multiple")?,
        };
        self.write(write, None).await
    }

    pub(super) async fn purge_history(self) -> Handled {
        self.only(&[])?;
        WriteConditions::parse(&self.head.headers, Understood::Nothing)?;
        let write = Write::PurgeHistory(self.place.clone().key());
        self.write(write, None).await
    }

    pub(super) async fn bundle(self, body: &mut Incoming) -> Handled {
        self.only(&[])?;
        WriteConditions::parse(&self.head.headers, Understood::Nothing)?;
        let received = self.receive(body).await?;
        let _room = self.interactions().room(received.bytes.len()).await;
        let document = self.document(&received).await?;
        let caller = self.writer(Some(&received))?;
        let paths = paths(&document);
        let answered = self.interactions().bundle(&caller, document).await?;
        let (base, returned) = (self.base_url(), self.preferences.returned);
        let parts = splice::responses(&answered, &base, &paths, returned, self.base.version);
        Ok(Answer::new(StatusCode::OK, Content::Resource(parts)))
    }

    pub(super) async fn receive(&self, body: &mut Incoming) -> Result<Received, Issue> {
        let (limits, budget) = (&self.app.config.limits, &self.app.budget);
        receive(body, &self.head.headers, limits, budget).await
    }

    /// The resource in the body.
    pub(super) async fn document(&self, received: &Received) -> Result<Document, Rejection> {
        let version = self.base.version;
        let is_binary = self.place.resource_type == Some("Binary");
        let body = received.bytes.clone();
        let body_type = media::body_type(&self.head.headers, version)?;
        let text = self.content_type();
        match body_type {
            BodyType::Resource(_)
                if is_binary && !text.contains("fhir") && !binary::is_resource(&body) =>
            {
                self.wrapped(body, text).await
            }
            BodyType::Resource(Format::Json) => apart(body.len() as u64, move || parse(body))
                .await?
                .map_err(Rejection::from),
            BodyType::Resource(Format::Xml) => {
                let read = move || from_xml(&body, Definitions::of(version));
                let json = apart(received.bytes.len() as u64, read).await?;
                parse(json?.into()).map_err(Rejection::from)
            }
            BodyType::Other(content_type) if is_binary => self.wrapped(body, &content_type).await,
            BodyType::Other(_) | BodyType::Form => Err(media::unsupported_body().into()),
        }
    }

    fn content_type(&self) -> &str {
        let value = self.head.headers.get(header::CONTENT_TYPE);
        value.and_then(|it| it.to_str().ok()).unwrap_or_default()
    }

    async fn wrapped(&self, body: Bytes, content_type: &str) -> Result<Document, Rejection> {
        let context = binary::security_context(&self.head.headers)?;
        let (id, version) = (self.place.id.clone(), self.base.version);
        let (length, content_type) = (body.len() as u64, content_type.to_owned());
        let wrap = move || {
            let context = context.as_deref();
            parse(binary::wrap(&body, &content_type, id.as_ref(), context, version).into())
        };
        apart(length, wrap).await?.map_err(Rejection::from)
    }

    /// Writes and renders; the body keeps its part of the budget until then.
    async fn write(self, write: Write, received: Option<Received>) -> Handled {
        let caller = self.writer(received.as_ref())?;
        let answer = match self.provenance()? {
            None => self.interactions().write(&caller, write).await?,
            Some(provenance) => {
                let interactions = self.interactions();
                interactions
                    .write_with_provenance(&caller, write, provenance)
                    .await?
            }
        };
        drop(received);
        Ok(self.render_written(&answer))
    }

    /// The Provenance in the header, always JSON. <https://hl7.org/fhir/R4/provenance.html#header>
    fn provenance(&self) -> Result<Option<Document>, Issue> {
        let Some(value) = self.head.headers.get(PROVENANCE) else {
            return Ok(None);
        };
        let document = parse(Bytes::copy_from_slice(value.as_bytes()));
        document
            .map(Some)
            .map_err(|issue| issue.at("http.X-Provenance"))
    }

    fn render_written(&self, written: &WriteAnswer) -> Answer {
        let version = self.base.version;
        let issues = splice::issues_of(written);
        let status = splice::status_of(written.effect);
        let tells = self.preferences.returned == Some(Return::OperationOutcome);
        let content = match (&written.resource, self.preferences.returned) {
            _ if tells && issues.is_empty() => resource(outcome::all_ok(version)),
            _ if tells => resource(outcome::operation_outcome(&issues, version)),
            (Some(found), None | Some(Return::Representation)) => resource(found.json()),
            _ => Content::Nothing,
        };
        // 204 has no body.
        let status = if tells && status == StatusCode::NO_CONTENT {
            StatusCode::OK
        } else {
            status
        };
        let mut answer = Answer::new(status, content);
        if let Some(found) = &written.resource {
            let place = format!(
                "{}/{}/_history/{}",
                self.base_url(),
                found.key,
                found.version
            );
            let place = HeaderValue::try_from(place);
            let name = place_header(written.effect);
            answer = tagged(answer, found).with(name, place.expect("links and ids are ASCII"));
        }
        if let Some(deleted) = &written.deleted {
            answer = answer.with(header::ETAG, etag(deleted.version));
        }
        answer
    }
}

fn resource(json: impl Into<Bytes>) -> Content {
    Content::Resource(vec![json.into()])
}

fn place_header(effect: WriteEffect) -> HeaderName {
    match effect {
        WriteEffect::Created => header::LOCATION,
        _ => header::CONTENT_LOCATION,
    }
}

fn parse(body: Bytes) -> Result<Document, Issue> {
    // How large a body may be was decided when it was received.
    let limits = Limits {
        bytes_max: usize::MAX,
        values_max: usize::MAX,
        ..Limits::DEFAULT
    };
    Document::parse(body, &limits).map_err(|error| Issue::from(&error))
}

fn from_xml(body: &Bytes, definitions: &'static Definitions) -> Result<String, Rejection> {
    fhir::xml::read(body, definitions, &Limits::DEFAULT).map_err(|faults| Rejection {
        issues: faults.iter().map(Issue::from).collect(),
        cause: None,
        allow: None,
        status: None,
    })
}

/// The criteria of a conditional interaction; without any it would concern everything.
fn criteria(query: &str) -> Result<String, Issue> {
    if query.is_empty() {
        let issue = Issue::error(Fault::Invalid, "a conditional interaction needs criteria");
        return Err(issue.mend("add search parameters to the URL, or an id"));
    }
    Ok(query.to_owned())
}

/// The paths of a bundle's entries, for the links of what they ask.
fn paths(bundle: &Document) -> Vec<String> {
    let entries = bundle
        .root()
        .get("entry")
        .into_iter()
        .flat_map(Value::items);
    let path = |entry: Value<'_>| {
        let request = entry.get("request")?;
        let url = request.get("url")?.as_str()?;
        let asks = request
            .get("method")
            .is_some_and(|method| method.is_str("GET"));
        asks.then(|| {
            url.split('?')
                .next()
                .unwrap_or_default()
                .trim_matches('/')
                .to_owned()
        })
    };
    entries
        .map(|entry| path(entry).unwrap_or_default())
        .collect()
}
