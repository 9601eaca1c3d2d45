//! Bodies: receiving them within limits, and sending them in parts without copying.
//!
//! A body is refused while it streams, at its limit after decompression; all bodies together have a
//! budget, so that many large ones cannot exhaust memory either.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use fhir::{Fault, Issue};
use http::{HeaderMap, header};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::encoding::{Coding, Decoder};
use crate::limits::Limits;

/// The budget is counted in units of this many bytes.
const UNIT_BYTES: usize = 16 << 10;
/// Coded bytes are decoded so many at a time, so that the sink can refuse early.
const CODED_CHUNK_BYTES: usize = 4 << 10;
/// So much of a refused body is still taken.
const DRAIN_BYTES_MAX: usize = 1 << 20;
const DRAIN_TIME: Duration = Duration::from_millis(200);

/// How many bytes of bodies there may be in memory.
#[derive(Clone)]
pub(crate) struct Budget {
    units: Arc<Semaphore>,
    received: Arc<AtomicU64>,
}

impl Budget {
    pub(crate) fn new(limits: &Limits) -> Self {
        let units =
            (limits.bodies_in_memory_bytes_max / UNIT_BYTES).clamp(1, Semaphore::MAX_PERMITS);
        Self {
            units: Arc::new(Semaphore::new(units)),
            received: Arc::default(),
        }
    }

    /// Bytes of bodies received so far, as they came over the wire.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

/// A received body; its part of the budget is free again when this is dropped.
pub(crate) struct Received {
    pub(crate) bytes: Bytes,
    pub(crate) _held: Option<OwnedSemaphorePermit>,
}

/// Collects decoded bytes within the limits.
struct Sink {
    bytes: Vec<u8>,
    bytes_max: usize,
    budget: Budget,
    held: Option<OwnedSemaphorePermit>,
    refused: Option<Issue>,
}

impl Sink {
    fn refuse(&mut self, issue: Issue) -> io::Error {
        self.refused = Some(issue);
        io::Error::other("refused")
    }

    fn make_room(&mut self, more: usize) -> io::Result<()> {
        let size = self.bytes.len() + more;
        if size > self.bytes_max {
            let issue = too_large(self.bytes_max);
            return Err(self.refuse(issue));
        }
        let held = self
            .held
            .as_ref()
            .map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = size.div_ceil(UNIT_BYTES).saturating_sub(held);
        if missing == 0 {
            return Ok(());
        }
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        let Ok(permit) = Arc::clone(&self.budget.units).try_acquire_many_owned(missing) else {
            return Err(self.refuse(no_memory()));
        };
        match &mut self.held {
            Some(held) => held.merge(permit),
            None => self.held = Some(permit),
        }
        Ok(())
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.make_room(bytes.len())?;
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes the rest of the body of a refused request, if it is short: a client that is cut while it
/// sends might not read the answer.
pub(crate) async fn drain<B: http_body::Body<Data = Bytes> + Unpin>(body: &mut B) {
    let rest = async {
        let mut drained = 0;
        while let Some(Ok(frame)) = body.frame().await {
            drained += frame.data_ref().map_or(0, Bytes::len);
            if drained > DRAIN_BYTES_MAX {
                return;
            }
        }
    };
    tokio::time::timeout(DRAIN_TIME, rest).await.ok();
}

/// Receives a request's body.
pub(crate) async fn receive<B>(
    body: &mut B,
    headers: &HeaderMap,
    limits: &Limits,
    budget: &Budget,
) -> Result<Received, Issue>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let coding = Coding::of_body(headers)?;
    let announced = content_length(headers).unwrap_or(0);
    if coding.is_none() && announced > limits.body_bytes_max as u64 {
        return Err(too_large(limits.body_bytes_max));
    }
    let announced = usize::try_from(announced).unwrap_or(usize::MAX);
    let sink = Sink {
        // Room for what is only announced is not taken from the budget, hence the bound.
        bytes: Vec::with_capacity(announced.min(UNIT_BYTES)),
        bytes_max: limits.body_bytes_max,
        budget: budget.clone(),
        held: None,
        refused: None,
    };
    let mut decoder = Decoder::new(coding, sink).map_err(|_| undecodable())?;
    loop {
        let frame = tokio::time::timeout(limits.body_read_timeout(), body.frame()).await;
        let frame = frame.map_err(|_| too_slow())?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|_| Issue::error(Fault::Invalid, "the body broke off"))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        budget
            .received
            .fetch_add(data.len() as u64, Ordering::Relaxed);
        write_chunks(&mut decoder, &data, coding)?;
    }
    let finished = decoder.finish();
    finished.map_err(|_| refusal(&mut decoder))?;
    let sink = decoder.sink();
    Ok(Received {
        bytes: std::mem::take(&mut sink.bytes).into(),
        _held: sink.held.take(),
    })
}

fn write_chunks(
    decoder: &mut Decoder<Sink>,
    data: &Bytes,
    coding: Option<Coding>,
) -> Result<(), Issue> {
    let chunk_bytes = if coding.is_some() {
        CODED_CHUNK_BYTES
    } else {
        usize::MAX
    };
    for chunk in data.chunks(chunk_bytes) {
        let written = decoder.write(chunk);
        written.map_err(|_| refusal(decoder))?;
    }
    Ok(())
}

/// Why decoding failed: the sink refused, or the coded text is damaged.
fn refusal(decoder: &mut Decoder<Sink>) -> Issue {
    decoder.sink().refused.take().unwrap_or_else(undecodable)
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

fn too_large(max: usize) -> Issue {
    Issue::error(
        Fault::TooLarge,
        format!("the body is longer than {max} bytes"),
    )
    .mend("send less at once, or raise `limits.body_bytes_max`")
}

fn no_memory() -> Issue {
    Issue::error(
        Fault::Unavailable,
        "too many bytes of bodies are being received",
    )
    .mend("ask again later, or raise `limits.bodies_in_memory_bytes_max`")
}

fn too_slow() -> Issue {
    Issue::error(Fault::Timeout, "the body came too slowly")
        .mend("send it without pauses, or raise `limits.body_read_timeout_ms`")
}

fn undecodable() -> Issue {
    Issue::error(
        Fault::Invalid,
        "the body is damaged: it cannot be decompressed",
    )
    .at("http.Content-Encoding")
}

/// The body of an answer.
#[derive(Default)]
pub(crate) struct Body {
    content: Content,
    /// Released when the answer has been sent.
    _held: Option<Box<dyn Send + Sync>>,
}

#[derive(Default)]
enum Content {
    #[default]
    Empty,
    One(Bytes),
    Many(VecDeque<Bytes>),
    Stream(mpsc::Receiver<io::Result<Bytes>>),
}

impl Body {
    /// A body in parts, written one after the other without copying.
    pub(crate) fn parts(parts: Vec<Bytes>) -> Self {
        Self {
            content: Content::Many(parts.into()),
            _held: None,
        }
    }

    /// A body whose length is not known beforehand.
    pub(crate) fn stream(parts: mpsc::Receiver<io::Result<Bytes>>) -> Self {
        Self {
            content: Content::Stream(parts),
            _held: None,
        }
    }

    /// The same body, keeping that (and nothing else) until it has been sent.
    pub(crate) fn holding(self, held: impl Send + Sync + 'static) -> Self {
        Self {
            _held: Some(Box::new(held)),
            ..self
        }
    }

    /// Its length, if it is known.
    pub(crate) fn length(&self) -> Option<u64> {
        match &self.content {
            Content::Empty => Some(0),
            Content::One(bytes) => Some(bytes.len() as u64),
            Content::Many(parts) => Some(parts.iter().map(|part| part.len() as u64).sum()),
            Content::Stream(_) => None,
        }
    }

    /// Its parts, unless it is a stream.
    pub(crate) fn take_parts(&mut self) -> Option<Vec<Bytes>> {
        match std::mem::take(&mut self.content) {
            Content::Empty => Some(Vec::new()),
            Content::One(bytes) => Some(vec![bytes]),
            Content::Many(parts) => Some(parts.into()),
            stream @ Content::Stream(_) => {
                self.content = stream;
                None
            }
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self {
            content: Content::One(bytes),
            _held: None,
        }
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let content = &mut self.get_mut().content;
        match content {
            Content::Empty => Poll::Ready(None),
            Content::One(bytes) => {
                let bytes = std::mem::take(bytes);
                *content = Content::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Content::Many(parts) => Poll::Ready(parts.pop_front().map(|it| Ok(Frame::data(it)))),
            Content::Stream(parts) => parts
                .poll_recv(cx)
                .map(|part| part.map(|it| it.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Empty => true,
            Content::Many(parts) => parts.is_empty(),
            _ => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.length()
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    async fn check(body: Vec<u8>, coding: Option<&str>, limits: &Limits) -> Result<usize, Fault> {
        let mut headers = HeaderMap::new();
        if let Some(coding) = coding {
            headers.insert(header::CONTENT_ENCODING, coding.parse().expect("valid"));
        }
        let budget = Budget::new(limits);
        let mut body = Full::new(Bytes::from(body));
        let received = receive(&mut body, &headers, limits, &budget).await;
        received
            .map(|it| it.bytes.len())
            .map_err(|issue| issue.fault)
    }

    #[tokio::test]
    async fn bodies_end_at_their_limit_after_decompression() {
        let limits = Limits {
            body_bytes_max: 100_000,
            ..Limits::default()
        };
        let size = |bytes: usize| [Bytes::from(vec![b' '; bytes])];
        for coding in [Coding::Zstd, Coding::Brotli, Coding::Gzip, Coding::Deflate] {
            let fits = coding.encode(&size(100_000));
            let bomb = coding.encode(&size(100 << 20));
            let name = Some(coding.name());
            assert_eq!(check(fits, name, &limits).await, Ok(100_000), "{coding:?}");
            assert_eq!(
                check(bomb, name, &limits).await,
                Err(Fault::TooLarge),
                "{coding:?}"
            );
            assert_eq!(
                check(vec![1; 50], name, &limits).await,
                Err(Fault::Invalid),
                "{coding:?}"
            );
        }
        assert_eq!(check(vec![0; 100_000], None, &limits).await, Ok(100_000));
        assert_eq!(
            check(vec![0; 100_001], None, &limits).await,
            Err(Fault::TooLarge)
        );
        let unknown = check(vec![0], Some("compress"), &limits).await;
        assert_eq!(unknown, Err(Fault::UnsupportedMediaType));
    }

    #[tokio::test]
    async fn all_bodies_together_have_a_budget() {
        let limits = Limits {
            bodies_in_memory_bytes_max: 4 * UNIT_BYTES,
            ..Limits::default()
        };
        let budget = Budget::new(&limits);
        let send = |bytes: usize| {
            let mut body = Full::new(Bytes::from(vec![0; bytes]));
            let (limits, budget) = (limits.clone(), budget.clone());
            async move { receive(&mut body, &HeaderMap::new(), &limits, &budget).await }
        };
        let first = send(3 * UNIT_BYTES).await.expect("within the budget");
        let refused = send(2 * UNIT_BYTES)
            .await
            .map(|_| ())
            .expect_err("beyond the budget");
        assert_eq!(refused.fault, Fault::Unavailable);
        drop(first);
        assert!(send(2 * UNIT_BYTES).await.is_ok());
    }
}
