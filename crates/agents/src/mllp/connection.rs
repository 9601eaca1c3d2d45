//! One connection: frames in, answers out, in the order of the frames. What comes is submitted
//! to the intake while earlier messages are still on their way to the disk, a bounded number at a time.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::Bytes;
use convert::hl7v2::{BatchFile, Charset, Fault, HL70357, Header, Mode, is_batch};
use fhir::Instant;
use futures::{Answer, Reply};
use interactions::channel::{Acknowledge, Incoming, Receipt};
use store::{Clock as _, SystemClock};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tracing::info;

use super::Port;
use super::answer::Question;
use super::counters::Count;
use super::frame::{Broken, Decoder, Event, framed};
use super::intake::{Submission, Taken};
use super::room::Room;

/// Messages of one connection that are on their way to the disk.
const UNANSWERED_MAX: usize = 64;
/// Later answers of one connection (enhanced mode) that wait to be sent.
const LATER_MAX: usize = 256;
/// Messages of a channel whose later answers are waited for; of one beyond, the later answer says what
/// is known at once.
pub(super) const LATER_WAITING_MAX: usize = 10_000;
/// Bytes read at one time; a connection may hold so many without asking for room.
const READ_BYTES: usize = 16 << 10;

/// Why a message is given up before its end.
const LATE: &str = "the message did not come to its end within `frame_timeout_ms`";
const NO_ROOM: &str = "there was no room for the message within `frame_timeout_ms`: others are being received (`buffer_bytes_max`)";

mod futures {
    //! Answers that are not known yet.

    use std::pin::Pin;

    /// An answer, and whether the connection ends with it.
    pub(super) struct Reply {
        pub(super) bytes: Option<Vec<u8>>,
        pub(super) is_last: bool,
    }

    /// An answer to come.
    pub(super) type Answer = Pin<Box<dyn Future<Output = Reply> + Send>>;
}

fn now() -> Instant {
    Instant::from_micros(SystemClock.now().0)
}

fn ready(text: Option<String>, charset: Charset) -> Answer {
    let bytes = text.map(|text| charset.encode(&text));
    Box::pin(std::future::ready(Reply {
        bytes,
        is_last: false,
    }))
}

/// Serves a connection to its end.
pub(super) async fn serve(port: Arc<Port>, stream: impl AsyncRead + AsyncWrite + Send) {
    let (reader, writer) = tokio::io::split(stream);
    let (answers, due) = mpsc::channel(UNANSWERED_MAX);
    let (later, later_due) = mpsc::channel(LATER_MAX);
    let connection = Connection {
        decoder: Decoder::new(port.channel.message_bytes_max),
        is_broken: Arc::default(),
        answers,
        later,
        room: Room::default(),
        port: Arc::clone(&port),
    };
    // Either half ends the other: a reader that failed has nothing to answer, a writer nobody to.
    let _ = tokio::try_join!(
        connection.read(reader),
        write(&port, writer, due, later_due)
    );
}

/// Sends answers in their order; later ones between them as they come.
async fn write(
    port: &Port,
    mut writer: impl AsyncWrite + Unpin,
    mut due: mpsc::Receiver<Answer>,
    mut later: mpsc::Receiver<Vec<u8>>,
) -> io::Result<()> {
    loop {
        let reply = tokio::select! {
            answer = due.recv() => match answer {
                Some(answer) => answer.await,
                None => break,
            },
            Some(bytes) = later.recv() => Reply { bytes: Some(bytes), is_last: false },
        };
        if let Some(bytes) = reply.bytes {
            let sent = async {
                writer.write_all(&framed(&bytes)).await?;
                writer.flush().await
            };
            tokio::time::timeout(port.channel.frame_timeout, sent).await??;
        }
        if reply.is_last {
            break;
        }
    }
    writer.shutdown().await?;
    Err(io::ErrorKind::ConnectionAborted.into())
}

struct Connection {
    port: Arc<Port>,
    decoder: Decoder,
    is_broken: Arc<AtomicBool>,
    answers: mpsc::Sender<Answer>,
    later: mpsc::Sender<Vec<u8>>,
    /// The room for the message that is coming in.
    room: Room,
}

impl Connection {
    async fn read(mut self, mut reader: impl AsyncRead + Unpin) -> io::Result<()> {
        let mut bytes = vec![0; READ_BYTES];
        let mut events = Vec::new();
        let mut began = tokio::time::Instant::now();
        loop {
            let (idle, frame) = (
                self.port.channel.idle_timeout,
                self.port.channel.frame_timeout,
            );
            let deadline = if self.decoder.is_inside() {
                began + frame
            } else {
                tokio::time::Instant::now() + idle
            };
            let read = tokio::time::timeout_at(deadline, reader.read(&mut bytes)).await;
            let Ok(read) = read else {
                self.give_up(LATE).await;
                return Ok(());
            };
            let count = read?;
            if count == 0 {
                return Ok(());
            }
            let was_inside = self.decoder.is_inside();
            let ignored = self.decoder.ignored;
            self.decoder.push(&bytes[..count], &mut events);
            self.port
                .counters
                .add(Count::IgnoredBytes, self.decoder.ignored - ignored);
            if !was_inside || !events.is_empty() {
                began = tokio::time::Instant::now();
            }
            for event in events.drain(..) {
                let answer = self.event(event).await;
                if let Some(answer) = answer
                    && self.answers.send(answer).await.is_err()
                {
                    return Ok(());
                }
            }
            let room = self.make_room();
            if tokio::time::timeout_at(began + frame, room).await.is_err() {
                self.give_up(NO_ROOM).await;
                return Ok(());
            }
        }
    }

    /// Ends a connection that is idle, or whose message does not come to its end.
    async fn give_up(&mut self, what: &str) {
        let channel = &self.port.channel.name;
        if self.decoder.is_inside() {
            self.port.counters.one(Count::Broken);
            info!(%channel, what, "a connection is closed");
            let fault = Fault::new(HL70357::Internal, what);
            let question = Question {
                header: None,
                charset: self.port.charset,
                mode: Mode::Original,
            };
            let answer = ready(question.refusal(&fault, now()), self.port.charset);
            self.answers.send(answer).await.ok();
        } else {
            info!(%channel, "a connection is closed: it was idle for `idle_timeout_ms`");
        }
    }

    /// Waits for room for the bytes that are held of a message.
    async fn make_room(&mut self) {
        let held = self.decoder.held();
        if held > READ_BYTES {
            self.port.rooms.make(&mut self.room, held).await;
        }
    }

    async fn event(&mut self, event: Event) -> Option<Answer> {
        let mut room = std::mem::take(&mut self.room);
        match event {
            Event::Message(raw) => {
                // A message whose last bytes came at once may hold more than there was room for.
                self.port.rooms.make(&mut room, raw.len()).await;
                Some(self.message(raw, room).await)
            }
            Event::Broken(why, first) => {
                self.port.counters.one(Count::Broken);
                let fault = match why {
                    Broken::Abandoned => return None,
                    Broken::TooLong => {
                        let max = self.port.channel.message_bytes_max;
                        Fault::new(
                            HL70357::ValueTooLong,
                            format!("the message has more than {max} bytes (`message_bytes_max`)"),
                        )
                    }
                    Broken::NotEnded => Fault::new(HL70357::DataType, "FS is not followed by CR"),
                };
                let text: String = first.iter().map(|byte| char::from(*byte)).collect();
                Some(self.refuse(Header::read(&text).ok(), self.port.charset, &fault))
            }
        }
    }

    fn refuse(&self, header: Option<Header>, charset: Charset, fault: &Fault) -> Answer {
        self.port.counters.one(Count::NotTaken);
        let mode = header
            .as_ref()
            .and_then(|it| Mode::of(it).ok())
            .unwrap_or(Mode::Original);
        let question = Question {
            header,
            charset,
            mode,
        };
        ready(question.refusal(fault, now()), charset)
    }

    /// Submits what a frame held; gives the answer to come.
    async fn message(&mut self, raw: Bytes, room: Room) -> Answer {
        let charset = match Header::charset(&raw, self.port.charset) {
            Ok(charset) => charset,
            Err(fault) => {
                let text: String = raw
                    .iter()
                    .take(READ_BYTES)
                    .map(|byte| char::from(*byte))
                    .collect();
                return self.refuse(Header::read(&text).ok(), self.port.charset, &fault);
            }
        };
        let text = match charset.decode(&raw) {
            Ok(text) => text,
            Err(error) => {
                let text = String::from_utf8_lossy(&raw[..raw.len().min(READ_BYTES)]);
                let fault = Fault::new(HL70357::DataType, error.to_string()).at("MSH", 18);
                return self.refuse(Header::read(&text).ok(), charset, &fault);
            }
        };
        if is_batch(&text) {
            return self.batches(&text, charset, room).await;
        }
        self.single(&text, raw.clone(), charset, room)
            .await
            .map_or_else(
                |refused| refused,
                |submitted| {
                    Box::pin(submitted.answer(Arc::clone(&self.port), Some(self.later.clone())))
                },
            )
    }

    /// Submits one message; the answer at once if it cannot be taken.
    async fn single(
        &self,
        text: &str,
        raw: Bytes,
        charset: Charset,
        room: Room,
    ) -> Result<Submitted, Answer> {
        let header = match Header::read(text) {
            Ok(header) => header,
            Err(fault) => return Err(self.refuse(None, charset, &fault)),
        };
        let mode = match header.check().and_then(|()| Mode::of(&header)) {
            Ok(mode) => mode,
            Err(fault) => return Err(self.refuse(Some(header), charset, &fault)),
        };
        self.port.pace().await;
        let incoming = Incoming {
            charset: charset.name().to_owned(),
            control_id: header.control_id().to_owned(),
            trigger: header.trigger(),
            sender: (header.field(3).to_owned(), header.field(4).to_owned()),
            raw,
        };
        let (reply, receipt) = oneshot::channel();
        let is_broken = Arc::clone(&self.is_broken);
        // An intake that is gone drops the reply, which says the same.
        self.port
            .intake
            .send(Submission {
                incoming,
                is_broken,
                reply,
                room,
            })
            .await
            .ok();
        let question = Question {
            header: Some(header),
            charset,
            mode,
        };
        Ok(Submitted { question, receipt })
    }

    /// Submits the messages of a file of batches in their order; they are answered together.
    async fn batches(&self, text: &str, charset: Charset, room: Room) -> Answer {
        let file = match BatchFile::read(text) {
            Ok(file) => file,
            Err(fault) => return self.refuse(None, charset, &fault),
        };
        let control_id = format!("B{}", now().micros());
        let frame = file.frame();
        let mut batches = Vec::with_capacity(file.batches.len());
        for batch in &file.batches {
            let mut submitted = Vec::with_capacity(batch.messages.len());
            for message in &batch.messages {
                let raw = Bytes::from(charset.encode(message));
                submitted.push(self.single(message, raw, charset, Room::default()).await);
            }
            batches.push(submitted);
        }
        let (port, later) = (Arc::clone(&self.port), self.later.clone());
        Box::pin(async move {
            let _room = room;
            let (mut answers, mut is_last) = (Vec::with_capacity(batches.len()), false);
            for batch in batches {
                let mut of_batch = Vec::with_capacity(batch.len());
                for it in batch {
                    let reply = match it {
                        Ok(it) => it.answer(Arc::clone(&port), Some(later.clone())).await,
                        Err(refused) => refused.await,
                    };
                    is_last |= reply.is_last;
                    let text = reply
                        .bytes
                        .map(|bytes| charset.decode(&bytes).map(Cow::into_owned));
                    of_batch.extend(text.into_iter().flatten());
                }
                answers.push(of_batch);
            }
            let text = frame.answer(&answers, &control_id, now());
            Reply {
                bytes: Some(charset.encode(&text)),
                is_last,
            }
        })
    }
}

/// A message on its way to the log, and how it is to be answered.
struct Submitted {
    question: Question,
    receipt: oneshot::Receiver<Taken>,
}

impl Submitted {
    async fn answer(self, port: Arc<Port>, later: Option<mpsc::Sender<Vec<u8>>>) -> Reply {
        let Self { question, receipt } = self;
        let charset = question.charset;
        let refused = |fault: &Fault, is_last| {
            let text = question.refusal(fault, now());
            let bytes = text.map(|text| charset.encode(&text));
            Reply { bytes, is_last }
        };
        let receipt = match receipt.await {
            Ok(Taken::Durable(receipt)) => receipt,
            Ok(Taken::Refused(fault)) => return refused(&fault, false),
            Ok(Taken::NotDurable) | Err(_) => {
                let what = "the message could not be made durable: send it again later";
                return refused(&Fault::new(HL70357::Internal, what), true);
            }
        };
        let patience = port.channel.frame_timeout;
        let text = if question.mode == Mode::Original
            && port.channel.acknowledge == Acknowledge::OnStore
        {
            let settled = port.keeper.settled(receipt.number, patience).await;
            question.outcome(receipt, settled.as_ref())
        } else {
            question.receipt(receipt)
        };
        if question.wants_outcome() && port.channel.answers_to.is_none() {
            tokio::spawn(tell_later(port, question, receipt, later));
        }
        Reply {
            bytes: text.map(|text| charset.encode(&text)),
            is_last: false,
        }
    }
}

/// Sends what became of a message, when that is known, if its sender is still there.
async fn tell_later(
    port: Arc<Port>,
    question: Question,
    receipt: Receipt,
    later: Option<mpsc::Sender<Vec<u8>>>,
) {
    let Some(later) = later else { return };
    let place = Arc::clone(&port.later).try_acquire_owned();
    let patience = match place {
        Ok(_) => port.channel.idle_timeout,
        Err(_) => Duration::ZERO,
    };
    let settled = tokio::select! {
        settled = port.keeper.settled(receipt.number, patience) => settled,
        () = later.closed() => return,
    };
    if let Some(text) = question.outcome(receipt, settled.as_ref()) {
        later.send(question.charset.encode(&text)).await.ok();
    }
}
