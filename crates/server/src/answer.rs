//! Answers before they become bytes: a handler says what, this says in which format, with which
//! white space and in which coding.
//!
//! JSON that needs none of it passes through in parts, uncopied.

use bytes::Bytes;
use fhir::json::{Document, Limits, pretty};
use fhir::xml::{self, Layout};
use fhir::{Definitions, Fault, FhirVersion, Issue};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

use crate::body::Body;
use crate::encoding::Coding;
use crate::media::{Format, Wanted};
use crate::outcome;
use crate::rejection::Rejection;

/// Shorter bodies gain nothing from a coding.
const CODED_BYTES_MIN: u64 = 1 << 10;
/// Room for the headers of a usual answer.
const HEADERS: usize = 6;
/// Longer bodies are converted and coded where they hold up nobody else.
const INLINE_BYTES_MAX: u64 = 128 << 10;

/// What a handler answers.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) content: Content,
}

/// The content of an answer.
pub(crate) enum Content {
    Nothing,
    /// A resource in JSON, in parts.
    Resource(Vec<Bytes>),
    /// Bytes as they are, their `Content-Type` among the headers.
    Raw(Bytes),
    /// A stream, likewise.
    Stream(Body),
}

impl Answer {
    pub(crate) fn new(status: StatusCode, content: Content) -> Self {
        Self {
            status,
            headers: HeaderMap::with_capacity(HEADERS),
            content,
        }
    }

    pub(crate) fn resource(status: StatusCode, json: impl Into<Bytes>) -> Self {
        Self::new(status, Content::Resource(vec![json.into()]))
    }

    pub(crate) fn empty(status: StatusCode) -> Self {
        Self::new(status, Content::Nothing)
    }

    /// Text of that media type.
    pub(crate) fn text(content_type: &'static str, text: impl Into<Bytes>) -> Self {
        let answer = Self::new(StatusCode::OK, Content::Raw(text.into()));
        answer.with(header::CONTENT_TYPE, HeaderValue::from_static(content_type))
    }

    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The answer to a request that was not fulfilled.
    pub(crate) fn rejected(rejection: &Rejection, version: FhirVersion) -> Self {
        let json = outcome::operation_outcome(&rejection.issues, version);
        let mut answer = Self::resource(rejection.status(version), json);
        if let Some(allow) = rejection.allow.as_deref().and_then(|it| it.parse().ok()) {
            answer.headers.insert(header::ALLOW, allow);
        }
        if rejection.is_temporary() {
            answer
                .headers
                .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        answer
    }
}

/// How an answer is to be sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rendering {
    pub(crate) wanted: Wanted,
    pub(crate) pretty: bool,
    pub(crate) coding: Option<Coding>,
    pub(crate) version: FhirVersion,
    /// HEAD: everything but the body.
    pub(crate) without_body: bool,
}

impl Rendering {
    /// The response, ready to be sent.
    pub(crate) async fn render(self, answer: Answer) -> Result<Response<Body>, Rejection> {
        let Answer {
            status,
            mut headers,
            content,
        } = answer;
        let body = match content {
            Content::Nothing => Body::default(),
            Content::Stream(body) => body,
            Content::Raw(bytes) => self.encode(bytes.into(), &mut headers).await,
            Content::Resource(parts) => {
                let content_type = HeaderValue::from_static(self.wanted.content_type);
                headers.insert(header::CONTENT_TYPE, content_type);
                let body = self.format(parts).await?;
                self.encode(body, &mut headers).await
            }
        };
        let body = self.measured(body, status, &mut headers);
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }

    async fn format(self, parts: Vec<Bytes>) -> Result<Body, Rejection> {
        if self.wanted.format == Format::Json && !self.pretty {
            return Ok(match <[Bytes; 1]>::try_from(parts) {
                Ok([whole]) => whole.into(),
                Err(parts) => Body::parts(parts),
            });
        }
        let length: usize = parts.iter().map(Bytes::len).sum();
        let text = apart(length as u64, move || self.convert(&parts)).await?;
        text.map(Body::from).map_err(Rejection::from)
    }

    fn convert(self, parts: &[Bytes]) -> Result<String, Issue> {
        let limits = Limits {
            bytes_max: usize::MAX,
            values_max: usize::MAX,
            ..Limits::DEFAULT
        };
        let document = Document::parse(parts.concat().into(), &limits);
        let document = document.map_err(|_| unwritable())?;
        if self.wanted.format == Format::Json {
            return Ok(pretty(&document));
        }
        let layout = if self.pretty {
            Layout::Indented
        } else {
            Layout::Compact
        };
        let written = xml::write(&document, Definitions::of(self.version), layout);
        written.map_err(|_| unwritable())
    }

    async fn encode(self, mut body: Body, headers: &mut HeaderMap) -> Body {
        let length = body.length().unwrap_or(0);
        let Some(coding) = self.coding.filter(|_| length >= CODED_BYTES_MIN) else {
            return body;
        };
        let Some(parts) = body.take_parts() else {
            return body;
        };
        headers.insert(
            header::CONTENT_ENCODING,
            HeaderValue::from_static(coding.name()),
        );
        headers.insert(
            header::VARY,
            HeaderValue::from_static("Accept, Accept-Encoding"),
        );
        let fallback = parts.clone();
        let coded = apart(length, move || coding.encode(&parts)).await;
        if let Ok(coded) = coded {
            return Bytes::from(coded).into();
        }
        headers.remove(header::CONTENT_ENCODING);
        Body::parts(fallback)
    }

    /// For HEAD the length is told and the body is not sent.
    fn measured(self, body: Body, status: StatusCode, headers: &mut HeaderMap) -> Body {
        if !self.without_body {
            return body;
        }
        let bodiless = status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
        if let Some(length) = body.length().filter(|_| !bodiless) {
            headers.insert(header::CONTENT_LENGTH, length.into());
        }
        Body::default()
    }
}

/// Runs work on so many bytes: at once if they are few, else on a thread where it may take long.
pub(crate) async fn apart<T: Send + 'static>(
    bytes: u64,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Rejection> {
    if bytes <= INLINE_BYTES_MAX {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Rejection {
            cause: Some(error.to_string()),
            ..unwritable().into()
        })
}

fn unwritable() -> Issue {
    Issue::error(
        Fault::Internal,
        "the answer cannot be written in the format asked for",
    )
    .mend("ask for application/fhir+json")
}
