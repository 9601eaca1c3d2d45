//! A sender: messages from a queue over several connections, each answered before the next goes
//! on its connection. What was not answered is sent again, on a new connection, after growing pauses.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use convert::hl7v2::{Header, Reply, Verdict};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::frame::{Decoder, Event, framed};

/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// The longest pause before another try.
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(30);
pub(super) const PAUSE_FIRST: Duration = Duration::from_millis(200);

/// Where messages go and how.
#[derive(Clone)]
pub struct Options {
    /// Host and port.
    pub to: String,
    /// TLS, if it is spoken.
    pub tls: Option<TlsConnector>,
    /// Connections at one time; with several, messages overtake each other.
    pub connections: usize,
    /// Messages in a second, of all connections; zero: as many as are answered.
    pub rate: u64,
    /// How long connecting, and an answer, may take.
    pub timeout: Duration,
    /// How often a message is tried again.
    pub retries: u32,
}

/// A message to send.
pub struct Outgoing {
    /// Where it is from, for the report.
    pub place: String,
    /// Its bytes.
    pub bytes: Bytes,
}

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsent {
    /// It has no header that could be answered.
    #[error("the message cannot be sent: {0}")]
    NoMessage(String),
    /// The receiver says no.
    #[error("answered {code}: {told}")]
    Refused {
        /// MSA-1.
        code: String,
        /// The receiver's words.
        told: String,
    },
    /// No answer came, after all tries.
    #[error("not answered: {0}")]
    Unanswered(String),
}

/// How far a run is; read it while it runs.
#[derive(Debug, Default)]
pub struct Progress {
    /// Messages that were taken.
    pub accepted: AtomicU64,
    /// Messages that were not.
    pub refused: AtomicU64,
    /// Tries beyond the first.
    pub retries: AtomicU64,
}

/// A message that was not taken: where it is from, and why.
pub type Reject = (String, Unsent);

/// Sends what comes out of the queue; gives what was not taken, in no order.
pub async fn run(
    options: &Options,
    queue: mpsc::Receiver<Outgoing>,
    progress: &Arc<Progress>,
) -> Vec<Reject> {
    let queue = Arc::new(Mutex::new(queue));
    let pace = Arc::new(Mutex::new(Instant::now()));
    let mut senders = JoinSet::new();
    for _ in 0..options.connections.max(1) {
        let (queue, pace) = (Arc::clone(&queue), Arc::clone(&pace));
        let mut sender = Sender::new(options.clone());
        sender.progress = Arc::clone(progress);
        senders.spawn(async move {
            let mut rejects = Vec::new();
            loop {
                let next = queue.lock().await.recv().await;
                let Some(outgoing) = next else { return rejects };
                sender.wait_for_turn(&pace).await;
                match sender.send(&outgoing.bytes).await {
                    Ok(()) => drop(sender.progress.accepted.fetch_add(1, Ordering::Relaxed)),
                    Err(why) => {
                        sender.progress.refused.fetch_add(1, Ordering::Relaxed);
                        rejects.push((outgoing.place, why));
                    }
                }
            }
        });
    }
    senders.join_all().await.into_iter().flatten().collect()
}

trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for S {}

/// An open connection.
struct Link {
    stream: Box<dyn Stream>,
    decoder: Decoder,
    /// What came and was not looked at yet.
    events: VecDeque<Event>,
}

/// What came of sending a message once.
pub(super) enum Attempt {
    /// The receiver answered.
    Answered(Reply),
    /// It was sent, at least in part, and not answered.
    Unanswered(io::Error),
    /// There is no connection.
    Unreachable(io::Error),
}

/// One connection's worth of sending.
pub(super) struct Sender {
    options: Options,
    link: Option<Link>,
    progress: Arc<Progress>,
}

impl Sender {
    /// Sends over one connection, which is made when it is needed.
    pub(super) fn new(options: Options) -> Self {
        Self {
            options,
            link: None,
            progress: Arc::default(),
        }
    }

    async fn wait_for_turn(&self, pace: &Mutex<Instant>) {
        if self.options.rate == 0 {
            return;
        }
        let at = {
            let mut next = pace.lock().await;
            let at = (*next).max(Instant::now());
            *next =
                at + Duration::from_secs(1) / u32::try_from(self.options.rate).unwrap_or(u32::MAX);
            at
        };
        tokio::time::sleep_until(at).await;
    }

    /// Sends a message until it is answered, at most so often as it may be tried.
    async fn send(&mut self, message: &Bytes) -> Result<(), Unsent> {
        let text: String = message.iter().map(|byte| char::from(*byte)).collect();
        let header = Header::read(&text).map_err(|fault| Unsent::NoMessage(fault.to_string()))?;
        let mut pause = PAUSE_FIRST;
        let mut tries = 0;
        loop {
            let error = match self.attempt(message, header.control_id()).await {
                Attempt::Answered(reply) if reply.verdict == Verdict::Accepted => return Ok(()),
                // The receiver could not, or not now: the only refusal that may pass.
                Attempt::Answered(reply)
                    if reply.verdict == Verdict::Rejected && tries < self.options.retries =>
                {
                    format!("answered {}: {}", reply.code, reply.told)
                }
                Attempt::Answered(Reply { code, told, .. }) => {
                    return Err(Unsent::Refused { code, told });
                }
                Attempt::Unanswered(error) | Attempt::Unreachable(error) => error.to_string(),
            };
            if tries == self.options.retries {
                return Err(Unsent::Unanswered(error));
            }
            tries += 1;
            self.progress.retries.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Sends once and reads the answer that belongs to it. The connection is kept after an answer,
    /// unless its receiver cannot take anything now.
    pub(super) async fn attempt(&mut self, message: &Bytes, control_id: &str) -> Attempt {
        let mut link = match self.link.take() {
            Some(link) => link,
            None => match self.connect().await {
                Ok(link) => link,
                Err(error) => return Attempt::Unreachable(error),
            },
        };
        let exchange = exchange(&mut link, message, control_id);
        match tokio::time::timeout(self.options.timeout, exchange).await {
            Ok(Ok(reply)) => {
                self.link = Some(link).filter(|_| reply.verdict != Verdict::Rejected);
                Attempt::Answered(reply)
            }
            Ok(Err(error)) => Attempt::Unanswered(error),
            Err(late) => Attempt::Unanswered(late.into()),
        }
    }

    async fn connect(&self) -> io::Result<Link> {
        let stream = tokio::time::timeout(self.options.timeout, connect(&self.options)).await??;
        Ok(Link {
            stream,
            decoder: Decoder::new(ANSWER_BYTES_MAX),
            events: VecDeque::new(),
        })
    }
}

async fn exchange(link: &mut Link, message: &Bytes, control_id: &str) -> io::Result<Reply> {
    link.stream.write_all(&framed(message)).await?;
    link.stream.flush().await?;
    loop {
        let reply = read_reply(link).await?;
        // A late answer to an earlier try, or a second one in enhanced mode, is none to this.
        if reply.control_id == control_id {
            return Ok(reply);
        }
    }
}

async fn read_reply(link: &mut Link) -> io::Result<Reply> {
    let mut events = Vec::new();
    let mut bytes = vec![0; 4 << 10];
    loop {
        match link.events.pop_front() {
            None => {}
            Some(Event::Message(answer)) => {
                let text: String = answer.iter().map(|byte| char::from(*byte)).collect();
                return Reply::read(&text).map_err(io::Error::other);
            }
            Some(Event::Broken(..)) => {
                return Err(io::Error::other("the answer's frame is broken"));
            }
        }
        let count = link.stream.read(&mut bytes).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        link.decoder.push(&bytes[..count], &mut events);
        link.events.extend(events.drain(..));
    }
}

async fn connect(options: &Options) -> io::Result<Box<dyn Stream>> {
    let stream = TcpStream::connect(&options.to).await?;
    stream.set_nodelay(true)?;
    let Some(tls) = &options.tls else {
        return Ok(Box::new(stream));
    };
    let host = options
        .to
        .rsplit_once(':')
        .map_or(options.to.as_str(), |it| it.0);
    let host = host.trim_matches(['[', ']']).to_owned();
    let name = match options.to.parse::<SocketAddr>() {
        Ok(address) => ServerName::from(address.ip()),
        Err(_) => ServerName::try_from(host).map_err(io::Error::other)?,
    };
    Ok(Box::new(tls.connect(name, stream).await?))
}
