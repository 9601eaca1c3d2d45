//! Batches: several messages as one, between BHS and BTS; and files of batches, between FHS and FTS
//! (HL7 v2.9 §2.10.3). A file is answered by a file: for each batch one of the answers to its messages.

use std::fmt::Write as _;

use fhir::Instant;

use super::acknowledgment::{Fault, HL70357};

/// Batches and messages of one file; each is answered, so few bytes must not ask for many
/// (`batch_parts_max`).
const PARTS_MAX: usize = 100_000;

/// A file of batches in their order. A batch that is sent by itself is a file without FHS.
#[derive(Debug)]
pub struct BatchFile<'b> {
    fhs: Option<&'b str>,
    /// The batches.
    pub batches: Vec<Batch<'b>>,
}

/// A batch: its messages in order.
#[derive(Debug)]
pub struct Batch<'b> {
    bhs: Option<&'b str>,
    /// The messages, whole.
    pub messages: Vec<&'b str>,
}

/// What stands around the messages of a file; enough to answer it.
#[derive(Debug)]
pub struct FileFrame {
    fhs: Option<String>,
    bhs: Vec<Option<String>>,
}

/// Whether a text is a file or a batch, and not a message.
pub fn is_batch(text: &str) -> bool {
    let text = text.trim_start_matches(['\u{feff}', '\r', '\n', ' ']);
    text.starts_with("FHS") || text.starts_with("BHS")
}

/// The messages of a text: each from its MSH to what begins the next, without segments of batches.
pub fn messages(text: &str) -> Vec<&str> {
    let messages = parts(text)
        .into_iter()
        .filter(|part| part.starts_with("MSH"));
    messages.collect()
}

/// What a text is made of: messages, and the lines of files and batches around them.
fn parts(text: &str) -> Vec<&str> {
    let mut starts: Vec<usize> = lines(text)
        .filter(|(_, line)| KINDS.iter().any(|kind| line.starts_with(kind)))
        .map(|(at, _)| at)
        .collect();
    starts.push(text.len());
    starts
        .windows(2)
        .map(|pair| &text[pair[0]..pair[1]])
        .collect()
}

const KINDS: [&str; 5] = ["MSH", "FHS", "BHS", "BTS", "FTS"];

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

fn fault(segment: &'static str, field: usize, what: impl Into<String>) -> Fault {
    Fault::new(HL70357::SegmentSequence, what).at(segment, field)
}

impl<'b> BatchFile<'b> {
    /// Reads a file. One whose trailers count other messages or batches than there are is refused
    /// whole: something of it was lost on the way.
    pub fn read(text: &'b str) -> Result<Self, Fault> {
        let mut reading = Reading::default();
        for (number, part) in parts(text).into_iter().enumerate() {
            if number == PARTS_MAX {
                let what =
                    format!("more than {PARTS_MAX} messages and headers (`batch_parts_max`)");
                return Err(fault("FHS", 0, what));
            }
            reading.part(part)?;
        }
        if reading.fhs.is_some() && !reading.is_ended {
            return Err(fault("FTS", 0, "the file has a header and no trailer"));
        }
        Ok(Self {
            fhs: reading.fhs,
            batches: reading.batches,
        })
    }

    /// What stands around its messages.
    pub fn frame(&self) -> FileFrame {
        FileFrame {
            fhs: self.fhs.map(str::to_owned),
            bhs: self
                .batches
                .iter()
                .map(|it| it.bhs.map(str::to_owned))
                .collect(),
        }
    }
}

/// A file as far as it was read. Headers and trailers are optional, each by itself, but for the
/// trailer of a file with a header.
#[derive(Default)]
struct Reading<'b> {
    fhs: Option<&'b str>,
    batches: Vec<Batch<'b>>,
    /// The last batch may get more messages.
    is_open: bool,
    /// The file's trailer came.
    is_ended: bool,
}

impl<'b> Reading<'b> {
    fn part(&mut self, part: &'b str) -> Result<(), Fault> {
        let kind = KINDS
            .into_iter()
            .find(|kind| part.starts_with(kind))
            .unwrap_or_default();
        if self.is_ended {
            return Err(fault(kind, 0, "nothing may follow the trailer of a file"));
        }
        let line = part.split(['\r', '\n']).next().unwrap_or_default();
        match kind {
            "FHS" if self.fhs.is_some() || !self.batches.is_empty() => {
                return Err(fault(
                    kind,
                    0,
                    "the header of a file must come first, and once",
                ));
            }
            "FHS" => self.fhs = Some(line),
            "BHS" => self.begin(Some(line)),
            "BTS" => self.end_batch(line)?,
            "FTS" => self.end_file(line)?,
            _ => self.message(part)?,
        }
        Ok(())
    }

    fn begin(&mut self, bhs: Option<&'b str>) {
        let messages = Vec::new();
        self.batches.push(Batch { bhs, messages });
        self.is_open = true;
    }

    fn message(&mut self, message: &'b str) -> Result<(), Fault> {
        if !self.is_open && !self.batches.is_empty() {
            return Err(fault("MSH", 0, "a message stands between two batches"));
        }
        if !self.is_open {
            self.begin(None);
        }
        self.batches
            .last_mut()
            .into_iter()
            .for_each(|it| it.messages.push(message));
        Ok(())
    }

    fn end_batch(&mut self, line: &str) -> Result<(), Fault> {
        let number = self.batches.len();
        let open = self.batches.last().filter(|_| self.is_open);
        let Some(batch) = open else {
            return Err(fault("BTS", 0, "a trailer ends no batch"));
        };
        let there = batch.messages.len();
        if counted(line).is_some_and(|it| it != there) {
            let what = format!(
                "the trailer of batch {number} does not count the {there} messages there are"
            );
            return Err(fault("BTS", 1, what));
        }
        self.is_open = false;
        Ok(())
    }

    fn end_file(&mut self, line: &str) -> Result<(), Fault> {
        let there = self.batches.len();
        if counted(line).is_some_and(|it| it != there) {
            let what = format!("the file's trailer does not count the {there} batches there are");
            return Err(fault("FTS", 1, what));
        }
        self.is_ended = true;
        Ok(())
    }
}

/// What a trailer counts, if it does.
fn counted(line: &str) -> Option<usize> {
    let rest = line.get(4..)?;
    let digits = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

impl FileFrame {
    /// The answer: for each batch the answers to its messages, as one that refers to it (FHS-12,
    /// BHS-12). The batches' own control ids are the file's with their numbers.
    pub fn answer(&self, answers: &[Vec<String>], control_id: &str, time: Instant) -> String {
        let mut text = String::new();
        let head =
            |name: &str, line: &str, control_id: &str| answer_header(name, line, control_id, time);
        text.extend(
            self.fhs
                .as_deref()
                .map(|line| head("FHS", line, control_id)),
        );
        for (number, (bhs, answers)) in (1..).zip(self.bhs.iter().zip(answers)) {
            let control_id = format!("{control_id}-{number}");
            text.extend(bhs.as_deref().map(|line| head("BHS", line, &control_id)));
            text.extend(answers.iter().map(String::as_str));
            if let Some(line) = bhs {
                let _ = write!(text, "BTS{}{}\r", separator(line), answers.len());
            }
        }
        if let Some(line) = &self.fhs {
            let _ = write!(text, "FTS{}{}\r", separator(line), self.bhs.len());
        }
        text
    }
}

fn separator(line: &str) -> char {
    line.chars().nth(3).unwrap_or('|')
}

/// BHS and FHS have the same fields: sender and receiver change places, 11 is the own control id,
/// 12 that of what is answered.
fn answer_header(name: &str, line: &str, control_id: &str, time: Instant) -> String {
    let separator = separator(line);
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
        MSH|^~\\&|1\rPID|1\rMSH|^~\\&|2\rBTS|2\rBHS|^~\\&|A||||||||B2\rMSH|^~\\&|3\rBTS|1\rFTS|2\r";

    fn read(text: &str) -> Result<Vec<usize>, String> {
        let file = BatchFile::read(text).map_err(|fault| fault.to_string())?;
        Ok(file.batches.iter().map(|it| it.messages.len()).collect())
    }

    #[test]
    fn a_file_is_its_batches_in_order() {
        let file = BatchFile::read(FILE).unwrap();
        assert_eq!(
            file.batches[0].messages,
            ["MSH|^~\\&|1\rPID|1\r", "MSH|^~\\&|2\r"]
        );
        assert_eq!(file.batches[1].messages, ["MSH|^~\\&|3\r"]);
        let answers = [
            vec!["MSH|1\r".to_owned(), "MSH|2\r".to_owned()],
            vec!["MSH|3\r".to_owned()],
        ];
        assert_eq!(
            file.frame()
                .answer(&answers, "X", Instant::from_micros(0))
                .replace('\r', "\n"),
            "FHS|^~\\&|C|D|A|B|19700101000000||||X|F1\nBHS|^~\\&|C|D|A|B|19700101000000||||X-1|B1\n\
             MSH|1\nMSH|2\nBTS|2\nBHS|^~\\&|||A||19700101000000||||X-2|B2\nMSH|3\nBTS|1\nFTS|2\n"
        );
        assert!(is_batch(FILE));
        assert!(!is_batch("MSH|"));
        assert_eq!(messages("MSH|1\nMSH|2"), ["MSH|1\n", "MSH|2"]);
    }

    #[test]
    fn headers_and_trailers_are_optional() {
        for (text, expected) in [
            ("BHS|^~\\&\rMSH|1\rBTS|1\r", &[1][..]),
            ("BHS|^~\\&\rMSH|1\r", &[1]),
            ("BHS|^~\\&\rMSH|1\rBTS\r\n\r\n", &[1]),
            ("BHS|^~\\&\rBHS|^~\\&\rMSH|1\rMSH|2\rFTS|2\r", &[0, 2]),
            ("FHS|^~\\&\rMSH|1\rMSH|2\rFTS|1\r", &[2]),
            ("FHS|^~\\&\rFTS|0\r", &[]),
            ("FHS|^~\\&\rBHS|^~\\&\rBTS|0|none today\rFTS\r", &[0]),
        ] {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_lost_line_is_noticed_where_a_trailer_counts_it() {
        let lines: Vec<&str> = FILE.split_inclusive('\r').collect();
        let without = |lost: usize| {
            let kept = lines.iter().enumerate().filter(|(at, _)| *at != lost);
            read(&kept.map(|(_, line)| *line).collect::<String>()).is_err()
        };
        let noticed = (0..lines.len()).filter(|lost| without(*lost));
        let noticed: Vec<&str> = noticed.map(|at| lines[at].trim_end()).collect();
        // Headers and trailers of batches are optional, and what is inside a message is not counted.
        assert_eq!(
            noticed,
            [
                "MSH|^~\\&|1",
                "MSH|^~\\&|2",
                "BHS|^~\\&|A||||||||B2",
                "MSH|^~\\&|3",
                "FTS|2"
            ]
        );
        for cut in 0..FILE.len() {
            let is_refused = read(&FILE[..cut]).is_err();
            assert!(is_refused || cut < 3 || cut >= FILE.len() - 3, "{cut}");
        }
    }

    #[test]
    fn a_file_that_lost_something_is_refused_whole() {
        for (text, expected) in [
            (
                "BHS|^~\\&\rMSH|1\rBTS|2\r",
                "BTS-1 100: the trailer of batch 1 does not count the 1 messages there are",
            ),
            (
                "FHS|^~\\&\rBHS|^~\\&\rMSH|1\rBTS|1\rBHS|^~\\&\rBTS|1\rFTS|2\r",
                "BTS-1 100: the trailer of batch 2 does not count the 0 messages there are",
            ),
            (
                "FHS|^~\\&\rBHS|^~\\&\rMSH|1\rBTS|1\rFTS|2\r",
                "FTS-1 100: the file's trailer does not count the 1 batches there are",
            ),
            (
                "FHS|^~\\&\rMSH|1\r",
                "FTS-0 100: the file has a header and no trailer",
            ),
            (
                "BHS|^~\\&\rBTS|0\rMSH|1\r",
                "MSH-0 100: a message stands between two batches",
            ),
            (
                "FHS|^~\\&\rBTS|0\rFTS|0\r",
                "BTS-0 100: a trailer ends no batch",
            ),
            (
                "FHS|^~\\&\rFTS|0\rBHS|^~\\&\r",
                "BHS-0 100: nothing may follow the trailer of a file",
            ),
            (
                "BHS|^~\\&\rBTS|0\rFHS|^~\\&\rFTS\r",
                "FHS-0 100: the header of a file must come first, and once",
            ),
        ] {
            assert_eq!(read(text), Err(expected.to_owned()), "{text}");
        }
        let many = format!("BHS|^~\\&\r{}", "BHS\r".repeat(PARTS_MAX));
        assert!(read(&many).is_err_and(|told| told.contains("more than 100000")));
    }
}
