//! Messages of HL7 v2 as they lie in files and come in streams: one after the other, in batches, or in
//! the frames of MLLP. Bytes stay as they are, for each message names its characters itself.

use std::io::{self, BufRead};

/// What begins a message, or stands around messages (HL7 v2.9 §2.10.3).
const BEGINNINGS: [&[u8]; 5] = [b"MSH", b"FHS", b"BHS", b"BTS", b"FTS"];

/// White space, a byte order mark, and what MLLP puts around a message.
const AROUND: &[u8] = b"\xef\xbb\xbf \t\x0b\x1c";

/// A message of a stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Streamed {
    /// Its bytes, each segment ended by CR. What stands before the first message is one, too: whoever
    /// reads it will say what is wrong with it.
    Message(Vec<u8>),
    /// One that is longer than allowed; what follows it is not lost.
    TooLong,
}

/// The messages of a stream, in order.
pub struct Messages<R> {
    reader: R,
    bytes_max: usize,
    /// The segments so far of the message at hand.
    message: Vec<u8>,
    is_too_long: bool,
    /// A segment that begins the next message.
    begins: Option<Vec<u8>>,
}

impl<R: BufRead> Messages<R> {
    /// Of that stream; no message may be longer.
    pub fn new(reader: R, bytes_max: usize) -> Self {
        Self {
            reader,
            bytes_max,
            message: Vec::new(),
            is_too_long: false,
            begins: None,
        }
    }

    /// The next segment without what is around it; empty ones are passed over.
    fn segment(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let mut segment = Vec::new();
            let is_more = self.read_segment(&mut segment)?;
            let trimmed = trimmed(&segment);
            if !trimmed.is_empty() {
                return Ok(Some(trimmed.to_vec()));
            }
            if !is_more {
                return Ok(None);
            }
        }
    }

    /// Reads up to the end of a segment; a longer one than a message may be is cut.
    fn read_segment(&mut self, into: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok(false);
            }
            let end = buffer.iter().position(|it| matches!(it, b'\r' | b'\n'));
            let room = (self.bytes_max + 1).saturating_sub(into.len());
            let part = &buffer[..end.unwrap_or(buffer.len())];
            into.extend_from_slice(&part[..part.len().min(room)]);
            let taken = end.map_or(buffer.len(), |at| at + 1);
            self.reader.consume(taken);
            if end.is_some() {
                return Ok(true);
            }
        }
    }

    fn add(&mut self, segment: &[u8]) {
        if self.is_too_long || self.message.len() + segment.len() >= self.bytes_max {
            self.is_too_long = true;
            self.message.clear();
            return;
        }
        self.message.extend_from_slice(segment);
        self.message.push(b'\r');
    }

    /// The message at hand, if there is one.
    fn finished(&mut self) -> Option<Streamed> {
        if std::mem::take(&mut self.is_too_long) {
            return Some(Streamed::TooLong);
        }
        let message = std::mem::take(&mut self.message);
        (!message.is_empty()).then_some(Streamed::Message(message))
    }

    fn advance(&mut self) -> io::Result<Option<Streamed>> {
        if let Some(segment) = self.begins.take() {
            self.add(&segment);
        }
        while let Some(segment) = self.segment()? {
            if !BEGINNINGS.iter().any(|it| segment.starts_with(it)) {
                self.add(&segment);
                continue;
            }
            let finished = self.finished();
            if segment.starts_with(b"MSH") {
                self.begins = Some(segment);
            }
            if finished.is_some() {
                return Ok(finished);
            }
            if let Some(segment) = self.begins.take() {
                self.add(&segment);
            }
        }
        Ok(self.finished())
    }
}

impl<R: BufRead> Iterator for Messages<R> {
    type Item = io::Result<Streamed>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

fn trimmed(segment: &[u8]) -> &[u8] {
    let is_around = |it: &u8| AROUND.contains(it);
    let start = segment.iter().position(|it| !is_around(it));
    let segment = &segment[start.unwrap_or(segment.len())..];
    let end = segment.iter().rposition(|it| *it != 0x1c && *it != b'\x0b');
    &segment[..end.map_or(0, |it| it + 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(stream: &[u8], bytes_max: usize) -> Vec<String> {
        // A small buffer: segments go over its ends.
        let reader = io::BufReader::with_capacity(5, stream);
        let messages = Messages::new(reader, bytes_max).map(Result::unwrap);
        let shown = messages.map(|it| match it {
            Streamed::Message(bytes) => String::from_utf8(bytes).unwrap(),
            Streamed::TooLong => "too long".to_owned(),
        });
        shown.collect()
    }

    #[test]
    fn messages_are_told_apart() {
        let cases: [(&[u8], &[&str]); 9] = [
            (b"", &[]),
            (b"\r\n \r\n", &[]),
            (b"MSH|1\rPID|1", &["MSH|1\rPID|1\r"]),
            (b"MSH|1\nPID|1\nMSH|2\n", &["MSH|1\rPID|1\r", "MSH|2\r"]),
            (
                b"\xef\xbb\xbfMSH|1\r\n\r\nMSH|2\r\n",
                &["MSH|1\r", "MSH|2\r"],
            ),
            (
                b"FHS|\rBHS|\rMSH|1\rMSH|2\rBTS|2\rFTS|1\r",
                &["MSH|1\r", "MSH|2\r"],
            ),
            (
                b"\x0bMSH|1\rPID|1\r\x1c\r\x0bMSH|2\x1c\r",
                &["MSH|1\rPID|1\r", "MSH|2\r"],
            ),
            (b"PID|1\rMSH|1\r", &["PID|1\r", "MSH|1\r"]),
            (b"MSH|1\r  MSH|2\r\x1c", &["MSH|1\r", "MSH|2\r"]),
        ];
        for (stream, expected) in cases {
            assert_eq!(read(stream, 100), expected, "{}", stream.escape_ascii());
        }
    }

    #[test]
    fn one_that_is_too_long_takes_no_other_with_it() {
        let stream = format!("MSH|1\rMSH|2\rNTE|{}\rNTE|2\rMSH|3\r", "x".repeat(1000));
        let expected = ["MSH|1\r", "too long", "MSH|3\r"];
        assert_eq!(read(stream.as_bytes(), 100), expected);
    }
}
