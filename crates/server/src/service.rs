//! From request to response: limits, routing, negotiation, the handler, and the one place where
//! answers and errors are rendered, counted and logged.
//!
//! Logs hold method, route template, status, times and sizes: never a URL, an id, a header or a
//! body. Causes of failures are logged under the request id that the client was given.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fhir::{Fault, FhirVersion, Issue};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use interactions::Interactions;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::answer::{Answer, Rendering};
use crate::body::{Body, Budget, drain, receive};
use crate::conditions::Preferences;
use crate::controls::Controls;
use crate::encoding::Coding;
use crate::media::{self, BodyType, Wanted};
use crate::metrics::{Metrics, Raised};
use crate::query::joined;
use crate::rejection::Rejection;
use crate::rest::{Exchange, Sent};
use crate::router::{self, Base, Endpoint, Place, Route, Routed};
use crate::{Config, admin, links, pages};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID_BYTES_MAX: usize = 64;

/// Everything that requests share.
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) interactions: Arc<Interactions>,
    pub(crate) metrics: Metrics,
    pub(crate) budget: Budget,
    requests: Arc<Semaphore>,
    ids: RequestIds,
}

impl App {
    pub(crate) fn new(config: Config, interactions: Arc<Interactions>) -> Self {
        let requests_max = config.limits.requests_max.min(Semaphore::MAX_PERMITS);
        Self {
            metrics: Metrics::new(),
            budget: Budget::new(&config.limits),
            requests: Arc::new(Semaphore::new(requests_max)),
            ids: RequestIds::new(),
            config,
            interactions,
        }
    }

    /// Answers a request; every request has an answer. `busy` lives until that has been sent.
    pub(crate) async fn respond(
        &self,
        peer: SocketAddr,
        request: Request<Incoming>,
        busy: impl Send + Sync + 'static,
    ) -> Response<Body> {
        let began = Instant::now();
        let _in_flight = Raised::new(&self.metrics.in_flight);
        let (head, mut body) = request.into_parts();
        let id = given_id(&head.headers).unwrap_or_else(|| self.ids.next());
        let routed = router::route(&head.method, head.uri.path());
        let (route, base) = (routed.route, routed.base.clone());
        let version = base.as_ref().map_or(FhirVersion::R4, |base| base.version);
        let mut rendering = Rendering {
            wanted: Wanted::DEFAULT,
            pretty: false,
            coding: Coding::accepted(&head.headers),
            version,
            without_body: head.method == Method::HEAD,
        };
        let mut permit = None;
        let answered = {
            let work = self.work(peer, &head, &mut body, routed, &mut rendering, &mut permit);
            let limited = tokio::time::timeout(self.config.limits.request_timeout(), work);
            let caught = Unpanicked(pin!(limited)).await;
            caught
                .unwrap_or_else(|| Ok(Err(panicked())))
                .unwrap_or_else(|_| Err(too_long()))
        };
        let refused = answered.as_ref().err();
        if refused.is_some_and(Rejection::comes_in_time)
            && !head.headers.contains_key(header::EXPECT)
        {
            Box::pin(drain(&mut body)).await;
        }
        let knows_tenant = refused.is_none_or(|it| it.status(version) != StatusCode::NOT_FOUND);
        if let Some(cause) = refused.and_then(|rejection| rejection.cause.as_deref()) {
            tracing::error!(request_id = %id.as_text(), cause, "request failed");
        }
        let mut response = rendered(rendering, answered).await;
        response.headers_mut().insert(REQUEST_ID, id.0.clone());
        let done = Done {
            method: &head.method,
            route,
            status: response.status(),
            took: began.elapsed(),
            sent_bytes: response.body().length().unwrap_or(0),
            tenant: base.as_ref().filter(|_| knows_tenant),
            id: &id,
        };
        done.count(&self.metrics);
        done.log();
        response.map(|body| body.holding((permit, busy)))
    }

    async fn work(
        &self,
        peer: SocketAddr,
        head: &Parts,
        body: &mut Incoming,
        routed: Routed,
        rendering: &mut Rendering,
        permit: &mut Option<OwnedSemaphorePermit>,
    ) -> Result<Answer, Rejection> {
        let controls = Controls::parse(head.uri.query().unwrap_or_default());
        let format = controls
            .as_ref()
            .ok()
            .and_then(|controls| controls.format.as_deref());
        let mut unacceptable = None;
        if routed.base.is_some() {
            match media::negotiate(&head.headers, format, rendering.version) {
                Ok(wanted) => rendering.wanted = wanted,
                // Whether a `Binary` has the type asked for is known once it has been read.
                Err(issue) if is_binary(&routed) && format.is_none() => unacceptable = Some(issue),
                Err(issue) => return Err(issue.into()),
            }
            rendering.pretty = controls.as_ref().is_ok_and(|controls| controls.pretty);
        }
        self.check_sizes(head)?;
        links::check_host(head)?;
        let (endpoint, place) = routed.target?;
        if endpoint == Endpoint::Options {
            let allow = HeaderValue::try_from(router::allow(routed.route, &place));
            let allow = allow.expect("methods are ASCII");
            return Ok(Answer::empty(StatusCode::NO_CONTENT).with(header::ALLOW, allow));
        }
        if !matches!(
            endpoint,
            Endpoint::Live | Endpoint::Ready | Endpoint::Metrics
        ) {
            *permit = Some(self.admit()?);
        }
        match &routed.base {
            Some(base) => {
                let asked = Asked {
                    head,
                    base,
                    endpoint,
                    place,
                    unacceptable,
                };
                self.fhir(asked, controls?, body, rendering).await
            }
            None => Box::pin(self.other(peer, head, endpoint, place, body)).await,
        }
    }

    /// A request below a FHIR base.
    async fn fhir(
        &self,
        asked: Asked<'_>,
        controls: Controls,
        body: &mut Incoming,
        rendering: &mut Rendering,
    ) -> Result<Answer, Rejection> {
        let Asked {
            head,
            base,
            endpoint,
            place,
            unacceptable,
        } = asked;
        let is_search = matches!(
            endpoint,
            Endpoint::SearchSystem | Endpoint::SearchType | Endpoint::SearchCompartment
        );
        let (controls, sent) = if is_search && head.method == Method::POST {
            let controls = Box::pin(self.with_form(head, base.version, body)).await?;
            let format = controls.format.as_deref();
            rendering.wanted = media::negotiate(&head.headers, format, base.version)?;
            rendering.pretty = controls.pretty;
            (controls, Sent::Form)
        } else {
            (controls, Sent::Body(body))
        };
        let preferences = Preferences::parse(&head.headers);
        let exchange = Exchange {
            app: self,
            head,
            base,
            endpoint,
            place,
            controls,
            preferences,
            unacceptable,
        };
        exchange.answer(sent).await
    }

    /// The parameters of URL and form together.
    async fn with_form(
        &self,
        head: &Parts,
        version: FhirVersion,
        body: &mut Incoming,
    ) -> Result<Controls, Issue> {
        let query = head.uri.query().unwrap_or_default();
        let received = receive(body, &head.headers, &self.config.limits, &self.budget).await?;
        let is_empty =
            received.bytes.is_empty() && !head.headers.contains_key(header::CONTENT_TYPE);
        if !is_empty && media::body_type(&head.headers, version)? != BodyType::Form {
            let what = "the parameters of a search are sent as a form";
            let issue = Issue::error(Fault::UnsupportedMediaType, what).at("http.Content-Type");
            return Err(issue.mend("send application/x-www-form-urlencoded"));
        }
        let form = std::str::from_utf8(&received.bytes);
        let form = form.map_err(|_| Issue::error(Fault::Invalid, "the form is not UTF-8"))?;
        Controls::parse(&joined(query, form.trim()))
    }

    async fn other(
        &self,
        peer: SocketAddr,
        head: &Parts,
        endpoint: Endpoint,
        place: Place,
        body: &mut Incoming,
    ) -> Result<Answer, Rejection> {
        match endpoint {
            Endpoint::Index => Ok(pages::index(self, head)),
            Endpoint::Live => Ok(Answer::text("text/plain; charset=utf-8", "live\n")),
            Endpoint::Ready => pages::ready(self).await,
            Endpoint::Metrics => Ok(pages::metrics(self)),
            _ => {
                admin::check_peer(peer, head)?;
                admin::answer(self, head, endpoint, place, body).await
            }
        }
    }

    fn check_sizes(&self, head: &Parts) -> Result<(), Rejection> {
        let limits = &self.config.limits;
        let path = head.uri.path().len();
        let url = path + head.uri.query().map_or(0, |query| query.len() + 1);
        if url > limits.url_bytes_max {
            let max = limits.url_bytes_max;
            let issue = Issue::error(
                Fault::TooLarge,
                format!("the URL is longer than {max} bytes"),
            )
            .mend("search by POST to `_search`, or raise `limits.url_bytes_max`");
            return Err(Rejection::with_status(issue, StatusCode::URI_TOO_LONG));
        }
        let lengths = head
            .headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len());
        if lengths.sum::<usize>() > limits.header_bytes_max {
            let max = limits.header_bytes_max;
            let what = format!("the headers are longer than {max} bytes");
            let issue = Issue::error(Fault::TooLarge, what)
                .mend("send fewer, or raise `limits.header_bytes_max`");
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            return Err(Rejection::with_status(issue, status));
        }
        Ok(())
    }

    fn admit(&self) -> Result<OwnedSemaphorePermit, Issue> {
        Arc::clone(&self.requests).try_acquire_owned().map_err(|_| {
            Issue::error(Fault::Unavailable, "too many requests are under way")
                .mend("ask again later, or raise `limits.requests_max`")
        })
    }
}

/// Who asks what below a FHIR base.
struct Asked<'a> {
    head: &'a Parts,
    base: &'a Base,
    endpoint: Endpoint,
    place: Place,
    unacceptable: Option<Issue>,
}

/// Whether the request reads a `Binary`.
fn is_binary(routed: &Routed) -> bool {
    routed.target.as_ref().is_ok_and(|(endpoint, place)| {
        let is_read = matches!(endpoint, Endpoint::Read | Endpoint::Vread);
        is_read && place.resource_type == Some("Binary")
    })
}

/// A request that has its answer.
struct Done<'a> {
    method: &'a Method,
    route: &'static Route,
    status: StatusCode,
    took: Duration,
    sent_bytes: u64,
    tenant: Option<&'a Base>,
    id: &'a RequestId,
}

impl Done<'_> {
    fn count(&self, metrics: &Metrics) {
        metrics.answered(self.route, self.method, self.status, self.took);
        metrics
            .sent_bytes
            .fetch_add(self.sent_bytes, Ordering::Relaxed);
    }

    /// One line. A read that went well is for those who look for it: writing its line takes as long
    /// as reading from the store.
    fn log(&self) {
        let is_read = self.method == Method::GET || self.method == Method::HEAD;
        let went_well = self.status.is_success() || self.status == StatusCode::NOT_MODIFIED;
        // A function cannot do this: the level of an event is a constant.
        macro_rules! line {
            ($level:expr) => {
                tracing::event!(
                    $level,
                    method = method_label(self.method),
                    route = self.route.template,
                    status = self.status.as_u16(),
                    ms = u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
                    bytes = self.sent_bytes,
                    tenant = self.tenant.map(|base| base.tenant.as_str()),
                    request_id = self.id.as_text(),
                    "request"
                )
            };
        }
        if is_read && went_well {
            line!(tracing::Level::DEBUG);
        } else {
            line!(tracing::Level::INFO);
        }
    }
}

async fn rendered(rendering: Rendering, answered: Result<Answer, Rejection>) -> Response<Body> {
    let version = rendering.version;
    let answer = answered.unwrap_or_else(|rejection| Answer::rejected(&rejection, version));
    match rendering.render(answer).await {
        Ok(response) => response,
        Err(rejection) => {
            let plain = Rendering {
                wanted: Wanted::DEFAULT,
                pretty: false,
                ..rendering
            };
            let answer = Answer::rejected(&rejection, version);
            plain.render(answer).await.unwrap_or_else(|_| {
                let mut response = Response::new(Body::default());
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            })
        }
    }
}

/// The id under which a request is found in the log.
struct RequestId(HeaderValue);

impl RequestId {
    fn as_text(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// The client's own id, if it is made of hexadecimal digits and hyphens as UUIDs and trace ids are.
///
/// It is logged, so text of any other kind, which may name a person, is replaced by an id of ours.
fn given_id(headers: &HeaderMap) -> Option<RequestId> {
    let allowed = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b'-';
    let harmless = |value: &&HeaderValue| {
        (1..=REQUEST_ID_BYTES_MAX).contains(&value.len()) && value.as_bytes().iter().all(allowed)
    };
    headers
        .get(REQUEST_ID)
        .filter(harmless)
        .cloned()
        .map(RequestId)
}

/// Makes ids of requests: a random text for this process, and a count.
struct RequestIds {
    process: String,
    count: AtomicU64,
}

impl RequestIds {
    fn new() -> Self {
        let (random, _) = uuid::Uuid::new_v4().as_u64_pair();
        Self {
            process: format!("{random:016x}-"),
            count: AtomicU64::new(0),
        }
    }

    fn next(&self) -> RequestId {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let text = [&*self.process, &count.to_string()].concat();
        RequestId(HeaderValue::try_from(text).expect("digits and hyphens are ASCII"))
    }
}

/// Methods that clients invent are not logged.
fn method_label(method: &Method) -> &'static str {
    const KNOWN: [&str; 8] = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE",
    ];
    KNOWN
        .into_iter()
        .find(|it| *it == method.as_str())
        .unwrap_or("other")
}

fn panicked() -> Rejection {
    Rejection {
        cause: Some("a handler panicked".to_owned()),
        ..Issue::error(Fault::Internal, "the server failed").into()
    }
}

fn too_long() -> Rejection {
    let issue = Issue::error(Fault::Timeout, "the request took too long");
    let remedy = "ask for less at once, or raise `limits.request_timeout_ms`; \
                  a write may have happened: repeat it with an `Idempotency-Key`";
    issue.mend(remedy).into()
}

/// A future that gives `None` instead of a panic, so that the client gets an answer.
struct Unpanicked<F>(F);

impl<F: Future + Unpin> Future for Unpanicked<F> {
    type Output = Option<F::Output>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        let inner = std::pin::Pin::new(&mut self.0);
        match std::panic::catch_unwind(AssertUnwindSafe(|| inner.poll(cx))) {
            Ok(poll) => poll.map(Some),
            Err(_) => std::task::Poll::Ready(None),
        }
    }
}
