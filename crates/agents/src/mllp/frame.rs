//! The frames of MLLP: a message stands between VT and FS CR; what stands between frames is ignored
//! and counted (MLLP release 1, §"Minimal Lower Layer Protocol Block Format").
//!
//! The decoder is fed as bytes come and holds one message at most. A frame that is longer than it may be, or
//! whose FS is not followed by CR, is told as broken with its first bytes, so that it can be
//! answered; the next VT begins anew in any case. A message cut short is never given out as whole.

use bytes::Bytes;

/// Begins a frame.
pub const VT: u8 = 0x0b;
/// Ends a message; followed by CR.
pub const FS: u8 = 0x1c;
const CR: u8 = 0x0d;

/// Bytes of a broken frame that are kept: enough for its header.
const KEPT_OF_BROKEN: usize = 2 << 10;

/// What came out of the bytes so far.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// A whole message.
    Message(Bytes),
    /// A frame that is none, with its first bytes.
    Broken(Broken, Bytes),
}

/// Why a frame is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// It has more bytes than a message may have.
    TooLong,
    /// Its FS is not followed by CR.
    NotEnded,
    /// Another VT came before its end: it was given up by its sender, who is not to be answered.
    Abandoned,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Between,
    Inside,
    /// FS came; CR must follow.
    Ended,
    /// The rest of a frame that is too long.
    Skipping,
    SkippingEnded,
}

/// Takes a stream of bytes apart.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    kept: Vec<u8>,
    bytes_max: usize,
    /// Bytes that stood between frames.
    pub ignored: u64,
}

impl Decoder {
    /// A decoder for messages of at most that many bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            state: State::Between,
            kept: Vec::new(),
            bytes_max,
            ignored: 0,
        }
    }

    /// Bytes held of a message that is not whole yet.
    pub fn held(&self) -> usize {
        self.kept.len()
    }

    /// Whether a frame has begun and not ended.
    pub fn is_inside(&self) -> bool {
        self.state != State::Between
    }

    /// Takes the next bytes.
    pub fn push(&mut self, mut bytes: &[u8], events: &mut Vec<Event>) {
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Between => self.between(bytes),
                State::Inside => self.inside(bytes, events),
                State::Ended => self.ended(bytes, events),
                State::Skipping => self.skipping(bytes, events),
                State::SkippingEnded => self.skipping_ended(bytes, events),
            };
        }
    }

    fn between<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let begin = bytes.iter().position(|byte| *byte == VT);
        self.ignored += begin.unwrap_or(bytes.len()) as u64;
        let Some(begin) = begin else { return &[] };
        self.state = State::Inside;
        &bytes[begin + 1..]
    }

    fn inside<'b>(&mut self, bytes: &'b [u8], events: &mut Vec<Event>) -> &'b [u8] {
        let end = bytes.iter().position(|byte| matches!(*byte, VT | FS));
        let content = &bytes[..end.unwrap_or(bytes.len())];
        if self.kept.len() + content.len() > self.bytes_max {
            let room = KEPT_OF_BROKEN
                .saturating_sub(self.kept.len())
                .min(content.len());
            self.kept.extend_from_slice(&content[..room]);
            self.kept.truncate(KEPT_OF_BROKEN);
            self.kept.shrink_to_fit();
            self.state = State::Skipping;
            return &bytes[content.len()..];
        }
        self.kept.extend_from_slice(content);
        match end.map(|end| bytes[end]) {
            None => &[],
            Some(FS) => {
                self.state = State::Ended;
                &bytes[content.len() + 1..]
            }
            Some(_) => {
                self.broken(Broken::Abandoned, State::Inside, events);
                &bytes[content.len() + 1..]
            }
        }
    }

    fn ended<'b>(&mut self, bytes: &'b [u8], events: &mut Vec<Event>) -> &'b [u8] {
        if bytes[0] == CR {
            let whole = std::mem::take(&mut self.kept);
            events.push(Event::Message(whole.into()));
            self.state = State::Between;
            return &bytes[1..];
        }
        self.broken(Broken::NotEnded, State::Between, events);
        bytes
    }

    fn skipping<'b>(&mut self, bytes: &'b [u8], events: &mut Vec<Event>) -> &'b [u8] {
        match bytes.iter().position(|byte| matches!(*byte, VT | FS)) {
            None => &[],
            Some(at) if bytes[at] == FS => {
                self.state = State::SkippingEnded;
                &bytes[at + 1..]
            }
            Some(at) => {
                self.broken(Broken::TooLong, State::Inside, events);
                &bytes[at + 1..]
            }
        }
    }

    fn skipping_ended<'b>(&mut self, bytes: &'b [u8], events: &mut Vec<Event>) -> &'b [u8] {
        if bytes[0] == CR {
            self.broken(Broken::TooLong, State::Between, events);
            return &bytes[1..];
        }
        self.state = State::Skipping;
        bytes
    }

    fn broken(&mut self, why: Broken, next: State, events: &mut Vec<Event>) {
        let mut first = std::mem::take(&mut self.kept);
        first.truncate(KEPT_OF_BROKEN);
        first.shrink_to_fit();
        events.push(Event::Broken(why, first.into()));
        self.state = next;
    }
}

/// A message in its frame.
pub fn framed(message: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(message.len() + 3);
    frame.push(VT);
    frame.extend_from_slice(message);
    frame.extend_from_slice(&[FS, CR]);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8], step: usize) -> (String, u64) {
        let mut decoder = Decoder::new(8);
        let mut events = Vec::new();
        for part in bytes.chunks(step) {
            decoder.push(part, &mut events);
            assert!(decoder.held() <= KEPT_OF_BROKEN.max(8));
        }
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        let shown = events.iter().map(|event| match event {
            Event::Message(bytes) => text(bytes),
            Event::Broken(why, bytes) => format!("{why:?}({})", text(bytes)),
        });
        (shown.collect::<Vec<_>>().join(" "), decoder.ignored)
    }

    #[test]
    fn frames_are_found_however_they_come() {
        for (bytes, expected, ignored) in [
            (&b"\x0bab\x1c\r"[..], "ab", 0),
            (b"\x0ba\x1c\r\x0bb\x1c\r", "a b", 0),
            (b"xx\x0ba\x1c\r\n\x0bb\x1c\r", "a b", 3),
            (b"\x0b\x1c\r", "", 0),
            (b"\x0bab\x1cc\x1c\r", "NotEnded(ab)", 3),
            (b"\x0bab\x1c\x0bc\x1c\r", "NotEnded(ab) c", 0),
            (b"\x0bab\x0bc\x1c\r", "Abandoned(ab) c", 0),
            (
                b"\x0b0123456789\x1c\r\x0ba\x1c\r",
                "TooLong(0123456789) a",
                0,
            ),
            (
                b"\x0b0123456789\x1cz\x1c\r\x0ba\x1c\r",
                "TooLong(0123456789) a",
                0,
            ),
            (b"\x0b01234567\x1c\r", "01234567", 0),
            (b"\x0b0123456789\x0ba\x1c\r", "TooLong(0123456789) a", 0),
            (b"\x1c\r\x1c\r", "", 4),
            (b"\x0bab\x1c", "", 0),
        ] {
            let whole = shown(bytes, bytes.len());
            assert_eq!(whole, (expected.to_owned(), ignored), "{bytes:?}");
            let single = shown(bytes, 1);
            assert_eq!(single.1, ignored);
            if !expected.contains("TooLong") {
                assert_eq!(single.0, expected, "{bytes:?}");
            }
        }
    }

    #[test]
    fn a_frame_without_end_takes_no_memory() {
        let mut decoder = Decoder::new(1 << 20);
        let mut events = Vec::new();
        decoder.push(&[VT], &mut events);
        for _ in 0..1_000 {
            decoder.push(&vec![b'x'; 64 << 10], &mut events);
            assert!(decoder.kept.capacity() <= 2 << 20);
        }
        assert!(events.is_empty());
        assert!(decoder.held() <= KEPT_OF_BROKEN);
        decoder.push(&[FS, CR], &mut events);
        assert!(
            matches!(&events[..], [Event::Broken(Broken::TooLong, first)] if first.len() == KEPT_OF_BROKEN)
        );
    }

    #[test]
    fn what_is_framed_comes_out_again() {
        let (text, ignored) = shown(&framed(b"MSH|"), 3);
        assert_eq!((text.as_str(), ignored), ("MSH|", 0));
    }
}
