//! Batches: several messages as one, between FHS, BHS and BTS, FTS (HL7 v2.9 §2.10.3). A batch is
//! answered by a batch of answers.

use std::fmt::Write as _;

use fhir::Instant;

use super::acknowledgment::{Fault, HL70357};

/// A batch: its messages in order, and what its own segments say.
#[derive(Debug)]
pub struct Batch<'b> {
    /// The messages, whole.
    pub messages: Vec<&'b str>,
    fhs: Option<&'b str>,
    bhs: Option<&'b str>,
}

/// What stands around the messages of a batch; enough to answer it.
#[derive(Debug)]
pub struct BatchFrame {
    fhs: Option<String>,
    bhs: Option<String>,
}

/// Whether a text is a batch and not a message.
pub fn is_batch(text: &str) -> bool {
    let text = text.trim_start_matches(['\u{feff}', '\r', '\n', ' ']);
    text.starts_with("FHS") || text.starts_with("BHS")
}

/// The messages of a text: each from its MSH to what begins the next, without segments of batches.
pub fn messages(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut begun = None;
    for (at, line) in lines(text) {
        let is_frame = ["FHS", "BHS", "BTS", "FTS"]
            .iter()
            .any(|it| line.starts_with(it));
        if line.starts_with("MSH") || is_frame {
            found.extend(begun.take().map(|start: usize| &text[start..at]));
        }
        if line.starts_with("MSH") {
            begun = Some(at);
        }
    }
    found.extend(begun.map(|start| &text[start..]));
    found
}

/// Each line with its place in the text.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split(['\r', '\n']).map(move |line| {
        let start = at;
        at += line.len() + 1;
        let trimmed = line.trim_start_matches(['\u{feff}', ' ']);
        (start + line.len() - trimmed.len(), trimmed)
    })
}

impl<'b> Batch<'b> {
    /// Reads a batch. One whose trailer counts other messages than there are is refused whole:
    /// something of it was lost on the way.
    pub fn read(text: &'b str) -> Result<Self, Fault> {
        let find = |name: &str| {
            lines(text)
                .map(|it| it.1)
                .find(|line| line.starts_with(name))
        };
        let messages = messages(text);
        let batches = lines(text)
            .filter(|(_, line)| line.starts_with("BHS"))
            .count();
        if batches > 1 {
            let what = "several batches in one file are not offered: send each by itself";
            return Err(Fault::new(HL70357::SegmentSequence, what).at("BHS", 0));
        }
        let counted = find("BTS").map(|line| line.get(4..).unwrap_or_default());
        let counted = counted.and_then(|rest| {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<usize>().ok()
        });
        if counted.is_some_and(|counted| counted != messages.len()) {
            let what = format!(
                "the trailer does not count the {} messages there are",
                messages.len()
            );
            return Err(Fault::new(HL70357::SegmentSequence, what).at("BTS", 1));
        }
        if let Some(header) = find("FHS")
            && find("FTS").is_none()
        {
            let what = format!("a file of {} bytes header has no trailer", header.len());
            return Err(Fault::new(HL70357::SegmentSequence, what).at("FTS", 0));
        }
        Ok(Self {
            messages,
            fhs: find("FHS"),
            bhs: find("BHS"),
        })
    }

    /// What stands around its messages.
    pub fn frame(&self) -> BatchFrame {
        BatchFrame {
            fhs: self.fhs.map(str::to_owned),
            bhs: self.bhs.map(str::to_owned),
        }
    }
}

impl BatchFrame {
    /// The answer: the answers to its messages as a batch that refers to this one (BHS-12, FHS-12).
    pub fn answer(&self, answers: &[String], control_id: &str, time: Instant) -> String {
        let mut text = String::new();
        let head = |name: &str, line: &str| answer_header(name, line, control_id, time);
        text.extend(self.fhs.as_deref().map(|line| head("FHS", line)));
        text.extend(self.bhs.as_deref().map(|line| head("BHS", line)));
        for answer in answers {
            text.push_str(answer);
        }
        if self.bhs.is_some() {
            let separator = separator(self.bhs.as_deref());
            let _ = write!(text, "BTS{separator}{}\r", answers.len());
        }
        if self.fhs.is_some() {
            let _ = write!(text, "FTS{}1\r", separator(self.fhs.as_deref()));
        }
        text
    }
}

fn separator(line: Option<&str>) -> char {
    line.and_then(|it| it.chars().nth(3)).unwrap_or('|')
}

/// BHS and FHS have the same fields: sender and receiver change places, 11 is the own control id,
/// 12 that of what is answered.
fn answer_header(name: &str, line: &str, control_id: &str, time: Instant) -> String {
    let separator = separator(Some(line));
    let fields: Vec<&str> = line.split(separator).collect();
    let field = |number: usize| fields.get(number - 1).copied().unwrap_or_default();
    let time: String = time
        .to_string()
        .chars()
        .take(19)
        .filter(char::is_ascii_digit)
        .collect();
    let fields = [
        name,
        field(2),
        field(5),
        field(6),
        field(3),
        field(4),
        &time,
        "",
        "",
        "",
        control_id,
        field(11),
    ];
    let text = fields.join(&separator.to_string());
    format!("{}\r", text.trim_end_matches(separator))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "FHS|^~\\&|A|B|C|D|||||F1\rBHS|^~\\&|A|B|C|D|||||B1\r\
        MSH|^~\\&|1\rPID|1\rMSH|^~\\&|2\rBTS|2\rFTS|1\r";

    #[test]
    fn a_batch_is_its_messages_in_order() {
        let batch = Batch::read(FILE).unwrap();
        assert_eq!(batch.messages, ["MSH|^~\\&|1\rPID|1\r", "MSH|^~\\&|2\r"]);
        let answers = ["MSH|1\r".to_owned(), "MSH|2\r".to_owned()];
        assert_eq!(
            batch
                .frame()
                .answer(&answers, "X", Instant::from_micros(0))
                .replace('\r', "\n"),
            "FHS|^~\\&|C|D|A|B|19700101000000||||X|F1\nBHS|^~\\&|C|D|A|B|19700101000000||||X|B1\n\
             MSH|1\nMSH|2\nBTS|2\nFTS|1\n"
        );
        assert!(is_batch(FILE));
        assert!(!is_batch("MSH|"));
        assert_eq!(messages("MSH|1\nMSH|2"), ["MSH|1\n", "MSH|2"]);
    }

    #[test]
    fn a_batch_that_lost_something_is_refused() {
        for (text, expected) in [
            (
                "BHS|^~\\&\rMSH|1\rBTS|2\r",
                "BTS-1 100: the trailer does not count the 1 messages there are",
            ),
            (
                "FHS|^~\\&\rMSH|1\r",
                "FTS-0 100: a file of 8 bytes header has no trailer",
            ),
            (
                "BHS|^~\\&\rBTS|0\rBHS|^~\\&\rBTS|0",
                "BHS-0 100: several batches in one file are not offered: send each by itself",
            ),
        ] {
            assert_eq!(Batch::read(text).unwrap_err().to_string(), expected);
        }
    }
}
