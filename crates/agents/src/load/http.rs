//! Loading into a running server over HTTP/1.1.
//!
//! A request that gets no answer, or 502, 503 or 504, is sent again under the same key until
//! [`Server::patience`] has passed: the server knows the key and does nothing twice.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use fhir::FhirVersion;
use fhir::json::{Document, Value};
use http::{Method, StatusCode, Uri};
use interactions::Handling;

use crate::client::Client;

use super::target::{Effect, LoadRun, Loaded, Refusal, Target};

const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_LONGEST: Duration = Duration::from_secs(2);

/// A server's FHIR base.
pub struct Server {
    base: Uri,
    version: FhirVersion,
    client: Client,
    /// How long a server that does not answer is waited for.
    pub patience: Duration,
    /// How strictly content is taken.
    pub handling: Handling,
}

/// The URL cannot be loaded into.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is no FHIR base to load into: expected http://HOST:PORT/fhir/r4, …/fhir/stu3 or …/t/TENANT/fhir/…"
)]
pub struct InvalidBase(String);

impl Server {
    /// The server whose FHIR base this is.
    pub fn at(base: &str, patience: Duration, handling: Handling) -> Result<Self, InvalidBase> {
        let invalid = || InvalidBase(base.to_owned());
        let uri: Uri = base.trim_end_matches('/').parse().map_err(|_| invalid())?;
        let slug = uri.path().rsplit('/').next().unwrap_or_default();
        let version = FhirVersion::from_slug(slug).ok_or_else(invalid)?;
        if uri.scheme_str() != Some("http") || uri.authority().is_none() {
            return Err(invalid());
        }
        Ok(Self {
            base: uri,
            version,
            client: Client::default(),
            patience,
            handling,
        })
    }

    fn preferences(&self) -> &'static str {
        match self.handling {
            Handling::Strict => "return=minimal, handling=strict",
            Handling::Lenient => "return=minimal, handling=lenient",
        }
    }

    /// The tenant in the base, if it names one.
    fn tenant(&self) -> &str {
        let mut segments = self.base.path().split('/').filter(|it| !it.is_empty());
        match (segments.next(), segments.next()) {
            (Some("t"), Some(tenant)) => tenant,
            _ => store::TenantId::DEFAULT,
        }
    }

    fn load_url(&self, fingerprint: &str) -> String {
        let authority = self
            .base
            .authority()
            .map_or("", http::uri::Authority::as_str);
        format!(
            "http://{authority}/admin/loads/{fingerprint}?tenant={}",
            self.tenant()
        )
    }

    async fn ask(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), Refusal> {
        let began = Instant::now();
        let mut pause = PAUSE_FIRST;
        loop {
            let failure = match self
                .client
                .ask(method.clone(), url, headers, body.clone())
                .await
            {
                Ok((status, _)) if is_passing(status) => format!("the server answers {status}"),
                Ok(answer) => return Ok(answer),
                Err(error) => error.to_string(),
            };
            if began.elapsed() > self.patience {
                return Err(Refusal::Unavailable(failure));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_LONGEST);
        }
    }
}

fn is_passing(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

fn refused(body: &Bytes) -> Refusal {
    Refusal::Refused(String::from_utf8_lossy(body).into_owned())
}

#[async_trait]
impl Target for Server {
    fn version(&self) -> FhirVersion {
        self.version
    }

    fn way(&self) -> &'static str {
        "http"
    }

    async fn begin(&self, fingerprint: &str) -> Result<LoadRun, Refusal> {
        let (status, body) = self
            .ask(Method::POST, &self.load_url(fingerprint), &[], Bytes::new())
            .await?;
        let run = std::str::from_utf8(&body)
            .ok()
            .and_then(|it| LoadRun::decode(fingerprint, it));
        run.filter(|_| status.is_success())
            .ok_or_else(|| refused(&body))
    }

    async fn note(&self, run: &LoadRun) -> Result<(), Refusal> {
        let url = self.load_url(&run.fingerprint);
        let (status, body) = self
            .ask(Method::PUT, &url, &[], run.encode().into())
            .await?;
        if status.is_success() {
            Ok(())
        } else {
            Err(refused(&body))
        }
    }

    async fn finish(&self, run: &LoadRun) -> Result<(), Refusal> {
        let url = self.load_url(&run.fingerprint);
        let (status, body) = self.ask(Method::DELETE, &url, &[], Bytes::new()).await?;
        if status.is_success() {
            Ok(())
        } else {
            Err(refused(&body))
        }
    }

    async fn send(&self, bundle: Bytes, key: &str) -> Result<Vec<Loaded>, Refusal> {
        let headers = [
            ("content-type", "application/fhir+json"),
            ("accept", "application/fhir+json"),
            ("prefer", self.preferences()),
            ("idempotency-key", key),
        ];
        let (status, body) = self
            .ask(Method::POST, &self.base.to_string(), &headers, bundle)
            .await?;
        if !status.is_success() {
            return Err(refused(&body));
        }
        let answer = Document::parse(body.clone(), &super::LIMITS).map_err(|_| refused(&body))?;
        let entries = answer
            .root()
            .get("entry")
            .into_iter()
            .flat_map(Value::items);
        Ok(entries.map(loaded).collect())
    }
}

/// What an entry of the answer says: its status, and the type from its location.
fn loaded(entry: Value<'_>) -> Loaded {
    let Some(response) = entry.get("response") else {
        return Loaded::Done;
    };
    let text = |name: &str| response.get(name).and_then(Value::as_str);
    let status = text("status").unwrap_or_default();
    if !status.starts_with('2') {
        let outcome = response.get("outcome").or_else(|| entry.get("resource"));
        return Loaded::Refused(
            outcome.map_or_else(|| status.into_owned(), |it| it.raw().to_owned()),
        );
    }
    let Some(resource_type) = text("location").as_deref().and_then(type_of_location) else {
        return Loaded::Done;
    };
    let unchanged = response
        .get("outcome")
        .is_some_and(|outcome| outcome.raw().contains("unchanged"));
    let effect = match &*status {
        status if status.starts_with("201") => Effect::Created,
        _ if unchanged => Effect::Unchanged,
        _ => Effect::Updated,
    };
    Loaded::Stored {
        resource_type,
        effect,
    }
}

/// `[base/]Type/id[/_history/n]`: the type.
fn type_of_location(location: &str) -> Option<String> {
    let resource = location.split("/_history/").next()?;
    let mut segments = resource.rsplit('/');
    segments.next()?;
    segments.next().map(str::to_owned)
}
