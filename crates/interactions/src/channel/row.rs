//! The rows of a channel's log as text: a line for each part, so that a future form can be told by
//! its first line.

use bytes::Bytes;
use fhir::Instant;

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// It is durable; nothing more yet.
    Received,
    /// Its resources are stored.
    Stored,
    /// The receiver it was for has taken it.
    Sent,
    /// It could not be converted, stored or sent: it is parked.
    Failed,
    /// It waits behind a parked one of a patient of its own.
    Waiting,
    /// Its control id had been used for another message, and the channel refuses that.
    Refused,
    /// Somebody decided that it is not to be stored.
    Dismissed,
}

impl State {
    /// All, in the order in which a message may come to them.
    pub const ALL: [Self; 7] = [
        Self::Received,
        Self::Stored,
        Self::Sent,
        Self::Failed,
        Self::Waiting,
        Self::Refused,
        Self::Dismissed,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Stored => "stored",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Waiting => "waiting",
            Self::Refused => "refused",
            Self::Dismissed => "dismissed",
        }
    }

    /// The state of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// Whether it may still be stored.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Received | Self::Failed | Self::Waiting)
    }
}

/// A message as it is kept. `Debug` shows none of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Its number in the channel.
    pub number: u64,
    /// When it came.
    pub time: Instant,
    /// The characters it is of.
    pub charset: String,
    /// MSH-10.
    pub control_id: String,
    /// MSH-9, `ADT_A01`.
    pub trigger: String,
    /// MSH-3 and MSH-4.
    pub sender: (String, String),
    /// Whether its control id had been used for another message.
    pub reuses_control_id: bool,
    /// Whether it was corrected since it came.
    pub is_corrected: bool,
    /// Its bytes.
    pub raw: Bytes,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Message({}, {} bytes)", self.number, self.raw.len())
    }
}

/// What became of a message, in detail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The state.
    pub state: State,
    /// When.
    pub time: Instant,
    /// How often it was tried.
    pub attempts: u64,
    /// Resources that were stored.
    pub resources: u64,
    /// The condition of table 0357, if it failed.
    pub condition: u16,
    /// What was wrong: no values.
    pub what: String,
    /// Elements with content that the conversion never read: `PID-5.1`.
    pub unread: Vec<String>,
}

const FORM: &str = "1";

fn line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

impl Message {
    pub(crate) fn encode(&self) -> Bytes {
        let marks = [(self.reuses_control_id, 'r'), (self.is_corrected, 'c')];
        let marks: String = marks.iter().filter(|it| it.0).map(|it| it.1).collect();
        let head = format!(
            "{FORM}\n{}\n{marks}\n{}\n{}\n{}\n{}\n{}\n",
            self.time.micros(),
            line(&self.charset),
            line(&self.control_id),
            line(&self.trigger),
            line(&self.sender.0),
            line(&self.sender.1),
        );
        let mut bytes = Vec::with_capacity(head.len() + self.raw.len());
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(&self.raw);
        bytes.into()
    }

    pub(crate) fn decode(number: u64, bytes: &Bytes) -> Option<Self> {
        let mut at = 0;
        let mut next = || {
            let end = at + bytes[at..].iter().position(|byte| *byte == b'\n')?;
            let text = std::str::from_utf8(&bytes[at..end]).ok()?.to_owned();
            at = end + 1;
            Some(text)
        };
        let form = next()?;
        let (time, marks, charset) = (next()?, next()?, next()?);
        let (control_id, trigger) = (next()?, next()?);
        let sender = (next()?, next()?);
        (form == FORM).then_some(())?;
        Some(Self {
            number,
            time: Instant::from_micros(time.parse().ok()?),
            charset,
            control_id,
            trigger,
            sender,
            reuses_control_id: marks.contains('r'),
            is_corrected: marks.contains('c'),
            raw: bytes.slice(at..),
        })
    }
}

impl Settled {
    /// That a message came, and no more.
    pub fn received(time: Instant) -> Self {
        Self {
            state: State::Received,
            time,
            attempts: 0,
            resources: 0,
            condition: 0,
            what: String::new(),
            unread: Vec::new(),
        }
    }

    pub(crate) fn encode(&self) -> Bytes {
        let text = format!(
            "{FORM}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n",
            self.state.name(),
            self.time.micros(),
            self.attempts,
            self.resources,
            self.condition,
            line(&self.what),
            self.unread.join(","),
        );
        text.into()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let lines: Vec<&str> = text.split('\n').collect();
        let [
            FORM,
            state,
            time,
            attempts,
            resources,
            condition,
            what,
            unread,
            ..,
        ] = lines[..]
        else {
            return None;
        };
        Some(Self {
            state: State::named(state)?,
            time: Instant::from_micros(time.parse().ok()?),
            attempts: attempts.parse().ok()?,
            resources: resources.parse().ok()?,
            condition: condition.parse().ok()?,
            what: what.to_owned(),
            unread: unread
                .split(',')
                .filter(|it| !it.is_empty())
                .map(str::to_owned)
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_survive_their_text() {
        let message = Message {
            number: 7,
            time: Instant::from_micros(5),
            charset: "8859/1".to_owned(),
            control_id: "42".to_owned(),
            trigger: "ADT_A01".to_owned(),
            sender: ("LAB".to_owned(), String::new()),
            reuses_control_id: true,
            is_corrected: false,
            raw: Bytes::from_static(b"MSH|\n\xff\n"),
        };
        assert_eq!(Message::decode(7, &message.encode()), Some(message));
        assert_eq!(Message::decode(7, &Bytes::from_static(b"1\n2\n")), None);
        let settled = Settled {
            state: State::Failed,
            attempts: 2,
            what: "a\nb".to_owned(),
            unread: vec!["PID-5.1".to_owned()],
            ..Settled::received(Instant::from_micros(9))
        };
        let back = Settled::decode(&settled.encode());
        assert_eq!(
            back,
            Some(Settled {
                what: "a b".to_owned(),
                ..settled
            })
        );
    }
}
