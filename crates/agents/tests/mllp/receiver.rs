//! A receiver that answers as it is told, over plain sockets.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use agents::mllp::frame::{Decoder, Event, framed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

type Answers = dyn Fn(&str) -> Vec<u8> + Send + Sync;

/// A listener; it ends when this is dropped.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

impl Receiver {
    /// Listens there; each message is answered with the bytes that are given for it, as they are.
    pub(crate) async fn at(
        address: SocketAddr,
        answers: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let (seen, answers) = (Arc::default(), Arc::new(answers) as Arc<Answers>);
        let mut serving = JoinSet::new();
        let noted = Arc::clone(&seen);
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&noted), Arc::clone(&answers)));
            }
        });
        Self {
            address,
            seen,
            _serving: serving,
        }
    }

    /// The messages that came.
    pub(crate) fn seen(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }
}

async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Vec<String>>>, answers: Arc<Answers>) {
    let (mut decoder, mut events, mut bytes) = (Decoder::new(1 << 20), Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut bytes).await.unwrap_or(0);
        if count == 0 {
            return;
        }
        decoder.push(&bytes[..count], &mut events);
        for event in events.drain(..) {
            let Event::Message(message) = event else {
                panic!("a sender sends whole frames")
            };
            let message = String::from_utf8_lossy(&message).into_owned();
            let answer = answers(&message);
            seen.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(message);
            if stream.write_all(&answer).await.is_err() {
                return;
            }
        }
    }
}

/// MSH-10 of a message.
pub(crate) fn control_id(message: &str) -> &str {
    message.split('|').nth(9).unwrap_or_default()
}

/// An answer in its frame.
pub(crate) fn answer(code: &str, control_id: &str) -> Vec<u8> {
    let text = format!("MSH|^~\\&|C|D|A|B|20260101||ACK|1|P|2.5\rMSA|{code}|{control_id}\r");
    framed(text.as_bytes())
}
