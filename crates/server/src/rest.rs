//! FHIR's interactions over HTTP: each handler asks `interactions` and renders the answer.
//!
//! <https://hl7.org/fhir/R4/http.html>, <https://hl7.org/fhir/STU3/http.html>. What an interaction
//! means, and how it is kept free of races, is not decided here.

mod message;
mod operate;
mod read;
mod write;

use fhir::{Fault, Instant, Issue};
use http::HeaderValue;
use http::request::Parts;
use hyper::body::Incoming;
use interactions::{Caller, Interactions, Resource};
use store::Origin;

use crate::answer::Answer;
use crate::body::Received;
use crate::conditions::Preferences;
use crate::controls::Controls;
use crate::links;
use crate::rejection::Rejection;
use crate::router::{Base, Endpoint, Place};
use crate::service::App;

/// HTTP in the ledger's column of origins.
pub const ORIGIN: Origin = Origin(1);

/// A FHIR request on its way.
pub(crate) struct Exchange<'a> {
    pub(crate) app: &'a App,
    pub(crate) head: &'a Parts,
    pub(crate) base: &'a Base,
    pub(crate) endpoint: Endpoint,
    pub(crate) place: Place,
    pub(crate) controls: Controls,
    pub(crate) preferences: Preferences,
    /// Why a resource cannot be answered, so that only a `Binary`'s own bytes can.
    pub(crate) unacceptable: Option<Issue>,
}

/// What was sent with a request.
pub(crate) enum Sent<'b> {
    /// A form, already part of the controls' query.
    Form,
    /// A body that has not been looked at.
    Body(&'b mut Incoming),
}

type Handled = Result<Answer, Rejection>;

/// A Provenance that is stored together with what is written.
const PROVENANCE: &str = "x-provenance";

impl Exchange<'_> {
    /// Does what was asked. The futures of all but reads are large; a request is moved about as one
    /// future, and a connection keeps room for it.
    pub(crate) async fn answer(self, sent: Sent<'_>) -> Handled {
        match self.endpoint {
            Endpoint::Capabilities => self.capabilities(),
            Endpoint::Read => self.read().await,
            Endpoint::Vread => self.vread().await,
            Endpoint::SearchSystem | Endpoint::SearchType | Endpoint::SearchCompartment => {
                Box::pin(self.search()).await
            }
            Endpoint::HistorySystem | Endpoint::HistoryType | Endpoint::HistoryInstance => {
                Box::pin(self.history()).await
            }
            Endpoint::Operate => Box::pin(self.operate(sent)).await,
            _ => Box::pin(self.change(sent)).await,
        }
    }

    async fn change(self, sent: Sent<'_>) -> Handled {
        let takes_provenance = matches!(
            self.endpoint,
            Endpoint::Create | Endpoint::Update | Endpoint::ConditionalUpdate
        );
        if self.head.headers.contains_key(PROVENANCE) && !takes_provenance {
            let what = "the header `x-provenance` goes with a create or an update only";
            let issue = Issue::error(Fault::NotSupported, what).at("http.X-Provenance");
            return Err(issue.mend("write both in one transaction").into());
        }
        match (self.endpoint, sent) {
            (Endpoint::Create, Sent::Body(body)) => self.create(body).await,
            (Endpoint::Update, Sent::Body(body)) => self.update(body).await,
            (Endpoint::ConditionalUpdate, Sent::Body(body)) => self.conditional_update(body).await,
            (Endpoint::BatchOrTransaction, Sent::Body(body)) => self.bundle(body).await,
            (Endpoint::Delete, _) => self.delete().await,
            (Endpoint::ConditionalDelete, _) => self.conditional_delete().await,
            (Endpoint::PurgeHistory, _) => self.purge_history().await,
            _ => Err(Issue::error(Fault::NotSupported, "this is not offered here").into()),
        }
    }

    fn interactions(&self) -> &Interactions {
        &self.app.interactions
    }

    /// Strict clients are told of parameters that would be ignored.
    fn only(&self, known: &[&'static str]) -> Result<(), Issue> {
        match self.preferences.handling {
            interactions::Handling::Strict => self.controls.only(known),
            interactions::Handling::Lenient => Ok(()),
        }
    }

    fn caller(&self) -> Caller {
        Caller {
            tenant: self.base.tenant.clone(),
            version: self.base.version,
            identity: "anonymous".into(),
            origin: ORIGIN,
            idempotency: None,
            handling: self.preferences.handling,
            visibility: std::sync::Arc::default(),
        }
    }

    /// The caller of a write, with the key that makes it repeatable.
    fn writer(&self, body: Option<&Received>) -> Result<Caller, Issue> {
        let mut caller = self.caller();
        let Some(key) = self.head.headers.get("idempotency-key") else {
            return Ok(caller);
        };
        let key = key
            .to_str()
            .ok()
            .filter(|key| (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&key.len()));
        let key = key.ok_or_else(|| {
            Issue::error(Fault::Invalid, "the header `idempotency-key` is malformed")
                .at("http.Idempotency-Key")
                .mend(format!(
                    "send 1 to {IDEMPOTENCY_KEY_BYTES_MAX} visible characters"
                ))
        })?;
        let body = body.map_or(&[][..], |body| &body.bytes);
        caller.idempotency = Some((key.into(), request_hash(self.head, body)));
        Ok(caller)
    }

    fn base_url(&self) -> String {
        links::fhir_base(self.head, self.app.config.base_url.as_deref(), self.base)
    }
}

/// The longest idempotency key.
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// What makes two requests the same: method, URL, conditions, provenance and body.
fn request_hash(head: &Parts, body: &[u8]) -> [u8; 32] {
    use sha2::{Digest as _, Sha256};
    let mut hash = Sha256::new();
    let target = head.uri.path_and_query().map_or("", |it| it.as_str());
    hash.update(head.method.as_str());
    hash.update([0]);
    hash.update(target);
    for name in ["if-match", "if-none-match", "if-none-exist", PROVENANCE] {
        hash.update([0]);
        hash.update(
            head.headers
                .get(name)
                .map_or(&[][..], HeaderValue::as_bytes),
        );
    }
    hash.update([0]);
    hash.update(body);
    hash.finalize().into()
}

/// Now, for dates in requests.
fn now() -> Instant {
    let clock = store::SystemClock;
    Instant::from_micros(store::Clock::now(&clock).0)
}

/// `ETag` and `Last-Modified` of a version.
fn tagged(answer: Answer, resource: &Resource) -> Answer {
    let answer = answer.with(http::header::ETAG, etag(resource.version));
    let modified = HeaderValue::try_from(resource.last_updated.http_date());
    answer.with(
        http::header::LAST_MODIFIED,
        modified.expect("an HTTP date is ASCII"),
    )
}

fn etag(version: fhir::VersionId) -> HeaderValue {
    let tag = ["W/\"", &version.0.to_string(), "\""].concat();
    HeaderValue::try_from(tag).expect("a number in quotes is ASCII")
}
