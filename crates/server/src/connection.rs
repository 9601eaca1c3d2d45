//! One connection: HTTP/1.1 or HTTP/2 on a socket that is watched for idleness and stalling.
//!
//! hyper has one timeout for headers, which also cuts idle connections, and none for clients that
//! do not take their answer; so the socket notes what happens, and a slow tick compares.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::limits::Limits;
use crate::metrics::Raised;
use crate::service::App;

/// How far the server has got with stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stopping {
    No,
    /// Finish what was begun.
    Gracefully,
    /// The time to finish is over.
    Now,
}

/// hyper refuses smaller buffers.
const BUFFER_BYTES_MIN: usize = 64 << 10;
const HTTP2_STREAMS_MAX: u32 = 128;
const TICK_MAX: Duration = Duration::from_secs(1);
const TICK_MIN: Duration = Duration::from_millis(5);

/// The builder of connections; the same for all of them.
pub(crate) fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let head_bytes = limits.header_bytes_max + limits.url_bytes_max;
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        // Beyond these our own checks, which explain themselves, cannot run.
        .max_buf_size((2 * head_bytes).max(BUFFER_BYTES_MIN));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        .max_header_list_size(u32::try_from(2 * head_bytes).unwrap_or(u32::MAX));
    builder
}

/// Serves a connection until it ends, is cut, or the server stops.
pub(crate) async fn run(
    app: Arc<App>,
    builder: Builder<TokioExecutor>,
    socket: TcpStream,
    peer: SocketAddr,
    mut stopping: watch::Receiver<Stopping>,
) {
    let _open = Raised::new(&app.metrics.connections);
    let activity = Arc::new(Activity::new());
    let socket = Watched {
        socket,
        activity: Arc::clone(&activity),
    };
    let service = service_fn(|request| {
        let busy = Busy::new(&activity);
        let app = Arc::clone(&app);
        async move { Ok::<_, std::convert::Infallible>(app.respond(peer, request, busy).await) }
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(socket), service));
    let limits = &app.config.limits;
    let mut tick = tokio::time::interval(tick(limits));
    loop {
        tokio::select! {
            // An error here is the client's: it went away, or did not speak HTTP.
            _ = connection.as_mut() => return,
            _ = tick.tick() => if activity.is_overdue(limits) { return },
            changed = stopping.changed() => {
                let now = changed.is_err() || *stopping.borrow_and_update() == Stopping::Now;
                if now {
                    return;
                }
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

fn tick(limits: &Limits) -> Duration {
    let shortest = limits
        .header_read_timeout_ms
        .min(limits.idle_timeout_ms)
        .min(limits.response_write_timeout_ms);
    (Duration::from_millis(shortest) / 4).clamp(TICK_MIN, TICK_MAX)
}

/// What happened on a connection, in milliseconds since it was opened; zero for never.
struct Activity {
    opened: Instant,
    /// Requests whose answers are not sent yet.
    busy: AtomicUsize,
    idle_since: AtomicU64,
    head_since: AtomicU64,
    write_stalled_since: AtomicU64,
}

impl Activity {
    fn new() -> Self {
        Self {
            opened: Instant::now(),
            busy: AtomicUsize::new(0),
            idle_since: AtomicU64::new(1),
            head_since: AtomicU64::new(0),
            write_stalled_since: AtomicU64::new(0),
        }
    }

    /// Never zero.
    fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .saturating_add(1)
    }

    fn note_first(&self, mark: &AtomicU64) {
        if mark.load(Ordering::Relaxed) == 0 {
            mark.store(self.now(), Ordering::Relaxed);
        }
    }

    fn is_overdue(&self, limits: &Limits) -> bool {
        let now = self.now();
        let over = |mark: &AtomicU64, limit_ms: u64| {
            let since = mark.load(Ordering::Relaxed);
            since != 0 && now.saturating_sub(since) > limit_ms
        };
        if over(&self.write_stalled_since, limits.response_write_timeout_ms) {
            return true;
        }
        let is_idle = self.busy.load(Ordering::Relaxed) == 0;
        let head_over = over(&self.head_since, limits.header_read_timeout_ms);
        is_idle && (head_over || over(&self.idle_since, limits.idle_timeout_ms))
    }
}

/// A request is under way.
struct Busy(Arc<Activity>);

impl Busy {
    fn new(activity: &Arc<Activity>) -> Self {
        activity.busy.fetch_add(1, Ordering::Relaxed);
        activity.head_since.store(0, Ordering::Relaxed);
        Self(Arc::clone(activity))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.idle_since.store(self.0.now(), Ordering::Relaxed);
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A socket that notes what happens on it.
struct Watched {
    socket: TcpStream,
    activity: Arc<Activity>,
}

impl Watched {
    fn note_write<T>(&self, polled: Poll<T>) -> Poll<T> {
        let stalled = &self.activity.write_stalled_since;
        if polled.is_pending() {
            self.activity.note_first(stalled);
        } else {
            stalled.store(0, Ordering::Relaxed);
        }
        polled
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.socket).poll_read(cx, buffer);
        let activity = &self.activity;
        if buffer.filled().len() > before && activity.busy.load(Ordering::Relaxed) == 0 {
            activity.note_first(&activity.head_since);
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.note_write(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write_vectored(cx, parts);
        self.note_write(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
