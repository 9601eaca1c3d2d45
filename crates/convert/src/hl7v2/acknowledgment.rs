//! The answer to a message: ACK with MSH, MSA and ERR (HL7 v2.9 §2.9, §2.13.1, §2.13.5, §2.13.8).
//!
//! In original mode one answer says what became of the message. In enhanced mode, which MSH-15 or
//! MSH-16 ask for, a first one says that it is kept, a later one what became of it. An answer is a
//! function of its arguments: the same message, number and time give the same bytes again.

use fhir::Instant;

use super::header::Header;

/// Conditions of table 0357 that this program reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HL70357 {
    /// Segments are missing or in the wrong order.
    SegmentSequence,
    /// A required field is missing.
    RequiredField,
    /// A field is not of its type.
    DataType,
    /// A value is not of its table.
    TableValue,
    /// A value is too long.
    ValueTooLong,
    /// This type of message is not taken.
    MessageType,
    /// This version is not taken.
    Version,
    /// The control id was used before, for another message.
    DuplicateKey,
    /// The receiver failed.
    Internal,
}

/// Number and text of each condition, and whether the message is rejected for it: what a sender
/// cannot mend by another content (HL7 v2.9 §2.9.3.2).
const CONDITIONS: &[(HL70357, u16, &str, bool)] = &[
    (
        HL70357::SegmentSequence,
        100,
        "Segment sequence error",
        false,
    ),
    (HL70357::RequiredField, 101, "Required field missing", false),
    (HL70357::DataType, 102, "Data type error", false),
    (HL70357::TableValue, 103, "Table value not found", false),
    (HL70357::ValueTooLong, 104, "Value too long", false),
    (HL70357::MessageType, 200, "Unsupported message type", true),
    (HL70357::Version, 203, "Unsupported version id", true),
    (
        HL70357::DuplicateKey,
        205,
        "Duplicate key identifier",
        false,
    ),
    (HL70357::Internal, 207, "Application internal error", true),
];

impl HL70357 {
    fn row(self) -> &'static (Self, u16, &'static str, bool) {
        let row = CONDITIONS.iter().find(|row| row.0 == self);
        row.expect("the table has a row for each condition")
    }

    /// Its number.
    pub fn number(self) -> u16 {
        self.row().1
    }

    /// The condition of that number.
    pub fn numbered(number: u16) -> Option<Self> {
        CONDITIONS
            .iter()
            .find(|row| row.1 == number)
            .map(|row| row.0)
    }
}

/// Something wrong with a message. Its text names fields, never their values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which condition.
    pub condition: HL70357,
    /// The same in words.
    pub what: String,
    /// The segment, if it is about one.
    pub segment: Option<&'static str>,
    /// The field; zero for the whole segment.
    pub field: usize,
}

impl Fault {
    /// A fault of the whole message.
    pub fn new(condition: HL70357, what: impl Into<String>) -> Self {
        Self {
            condition,
            what: what.into(),
            segment: None,
            field: 0,
        }
    }

    /// Where it is.
    #[must_use]
    pub fn at(self, segment: &'static str, field: usize) -> Self {
        Self {
            segment: Some(segment),
            field,
            ..self
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(segment) = self.segment {
            write!(f, "{segment}-{} ", self.field)?;
        }
        write!(f, "{}: {}", self.condition.number(), self.what)
    }
}

/// Which of the standard's two ways of answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One answer.
    Original,
    /// A first answer that the message is kept, a later one what became of it.
    Enhanced {
        /// When the first is wanted (MSH-15).
        accept: When,
        /// When the later is wanted (MSH-16).
        application: When,
    },
}

/// Table 0155.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// AL
    Always,
    /// NE, and what is not valued
    Never,
    /// ER
    OnError,
    /// SU
    OnSuccess,
}

impl When {
    /// Whether an answer is wanted that says so.
    pub fn wants(self, is_good: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::OnError => !is_good,
            Self::OnSuccess => is_good,
        }
    }
}

impl Mode {
    /// What MSH-15 and MSH-16 ask for; the fault if one of them is no value of table 0155.
    pub fn of(header: &Header) -> Result<Self, Fault> {
        let when = |field: usize| match header.field(field).trim() {
            "AL" => Ok(When::Always),
            "" | "\"\"" | "NE" => Ok(When::Never),
            "ER" => Ok(When::OnError),
            "SU" => Ok(When::OnSuccess),
            _ => {
                let what = "the acknowledgment condition is none of AL, NE, ER, SU";
                Err(Fault::new(HL70357::TableValue, what).at("MSH", field))
            }
        };
        let is_valued = |field| !header.field(field).trim().is_empty();
        if !is_valued(15) && !is_valued(16) {
            return Ok(Self::Original);
        }
        Ok(Self::Enhanced {
            accept: when(15)?,
            application: when(16)?,
        })
    }
}

/// Table 0008.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// AA: done.
    ApplicationAccept,
    /// AE: not done, the content is at fault.
    ApplicationError,
    /// AR: not done, the message is none that is taken.
    ApplicationReject,
    /// CA: kept.
    CommitAccept,
    /// CE: not kept, the content is at fault.
    CommitError,
    /// CR: not kept, the message is none that is taken.
    CommitReject,
}

impl Code {
    /// The code as it is written.
    pub fn text(self) -> &'static str {
        match self {
            Self::ApplicationAccept => "AA",
            Self::ApplicationError => "AE",
            Self::ApplicationReject => "AR",
            Self::CommitAccept => "CA",
            Self::CommitError => "CE",
            Self::CommitReject => "CR",
        }
    }

    /// The code of an application's answer about this, good or a fault.
    pub fn application(fault: Option<&Fault>) -> Self {
        match fault {
            None => Self::ApplicationAccept,
            Some(fault) if fault.condition.row().3 => Self::ApplicationReject,
            Some(_) => Self::ApplicationError,
        }
    }

    /// The code of a first answer in enhanced mode.
    pub fn accept(fault: Option<&Fault>) -> Self {
        match fault {
            None => Self::CommitAccept,
            Some(fault) if fault.condition.row().3 => Self::CommitReject,
            Some(_) => Self::CommitError,
        }
    }
}

/// An answer to a message.
#[derive(Debug)]
pub struct Acknowledgment<'m> {
    /// The header of the message, if it could be read.
    pub of: Option<&'m Header>,
    /// What is answered.
    pub code: Code,
    /// Its own control id: at most 20 characters.
    pub control_id: String,
    /// When.
    pub time: Instant,
    /// What was wrong.
    pub fault: Option<&'m Fault>,
}

/// What each version of the standard has; a version at or after the one named.
const HAS_EVENT_IN_TYPE: (u16, u16) = (2, 2);
const HAS_STRUCTURE: (u16, u16) = (2, 4);
const HAS_CHARSET: (u16, u16) = (2, 3);
const HAS_ERR_LOCATIONS: (u16, u16) = (2, 5);
/// MSA-3 was withdrawn.
const HAS_NO_MSA_TEXT: (u16, u16) = (2, 7);

impl Acknowledgment<'_> {
    /// The message, segments ending in CR, in the separators of what it answers.
    pub fn text(&self) -> String {
        let separator = self.of.map_or('|', Header::separator);
        let mut segments = vec![self.msh(), self.msa()];
        segments.extend(self.fault.map(|fault| self.err(fault)));
        let mut text = String::with_capacity(256);
        for fields in segments {
            let last = fields.iter().rposition(|it| !it.is_empty()).unwrap_or(0);
            for (at, field) in fields[..=last].iter().enumerate() {
                if at > 0 {
                    text.push(separator);
                }
                text.push_str(field);
            }
            text.push('\r');
        }
        text
    }

    fn field(&self, number: usize) -> String {
        self.of
            .map_or_else(String::new, |header| header.field(number).to_owned())
    }

    fn component_separator(&self) -> char {
        self.of.map_or('^', Header::component_separator)
    }

    /// The version of the message, or the newest for one that cannot be read.
    fn version(&self) -> (u16, u16) {
        let text = self.of.map_or("", Header::version);
        let mut parts = text.split('.').map(|it| it.parse().unwrap_or(0));
        match (parts.next(), parts.next()) {
            (Some(2), Some(minor)) if minor > 0 => (2, minor),
            _ => (2, 5),
        }
    }

    fn msh(&self) -> Vec<String> {
        let version = self.version();
        let encoding = self.field(2);
        let header_version = match self.of.map_or("", Header::version) {
            "" => "2.5".to_owned(),
            version => version.to_owned(),
        };
        let processing = match self.field(11) {
            it if it.is_empty() => "P".to_owned(),
            it => it,
        };
        let mut fields = vec!["MSH".to_owned()];
        fields.push(if encoding.is_empty() {
            "^~\\&".to_owned()
        } else {
            encoding
        });
        // Sender and receiver change places (§2.9.2.1).
        fields.extend([5, 6, 3, 4].map(|number| self.field(number)));
        fields.extend([
            timestamp(self.time),
            String::new(),
            self.message_type(version),
        ]);
        fields.extend([self.control_id.clone(), processing, header_version]);
        fields.extend(std::iter::repeat_n(String::new(), 5));
        fields.push(if version >= HAS_CHARSET {
            self.field(18)
        } else {
            String::new()
        });
        fields
    }

    fn message_type(&self, version: (u16, u16)) -> String {
        let separator = self.component_separator();
        let event = self.of.map_or("", |header| header.component(9, 2));
        match event {
            event if event.is_empty() || version < HAS_EVENT_IN_TYPE => "ACK".to_owned(),
            event if version < HAS_STRUCTURE => format!("ACK{separator}{event}"),
            event => format!("ACK{separator}{event}{separator}ACK"),
        }
    }

    fn msa(&self) -> Vec<String> {
        let told = self.fault.filter(|_| self.version() < HAS_NO_MSA_TEXT);
        vec![
            "MSA".to_owned(),
            self.code.text().to_owned(),
            self.field(10),
            told.map_or_else(String::new, |it| self.plain(&it.what)),
        ]
    }

    fn err(&self, fault: &Fault) -> Vec<String> {
        let component = self.component_separator();
        let (_, number, text, _) = fault.condition.row();
        let segment = fault.segment.unwrap_or_default();
        let field = match fault.field {
            0 => String::new(),
            field => field.to_string(),
        };
        let sequence = if segment.is_empty() { "" } else { "1" };
        let parts = [segment, sequence, &field];
        let kept = parts
            .iter()
            .rposition(|it| !it.is_empty())
            .map_or(0, |at| at + 1);
        let location = parts[..kept].join(&component.to_string());
        if self.version() < HAS_ERR_LOCATIONS {
            // ERR-1: segment, sequence, field, and the condition as a coded element of its own.
            let sub = self.subcomponent_separator();
            let coded = format!("{number}{sub}{text}{sub}HL70357");
            let at = [segment, sequence, &field, &coded].join(&component.to_string());
            return vec!["ERR".to_owned(), at];
        }
        vec![
            "ERR".to_owned(),
            String::new(),
            location,
            format!("{number}{component}{text}{component}HL70357"),
            "E".to_owned(),
            String::new(),
            String::new(),
            String::new(),
            self.plain(&fault.what),
        ]
    }

    fn subcomponent_separator(&self) -> char {
        self.field(2).chars().nth(3).unwrap_or('&')
    }

    /// A text in which nothing separates.
    fn plain(&self, text: &str) -> String {
        let separators = self.of.map_or('|', Header::separator);
        let encoding = self.field(2);
        let encoding = if encoding.is_empty() {
            "^~\\&"
        } else {
            &encoding
        };
        let separates = |c: char| c == separators || c.is_control() || encoding.contains(c);
        text.chars()
            .map(|c| if separates(c) { ' ' } else { c })
            .collect()
    }
}

/// `YYYYMMDDHHMMSS.ssss+0000`
fn timestamp(time: Instant) -> String {
    let text = time.to_string();
    let digits: String = text.chars().take(19).filter(char::is_ascii_digit).collect();
    format!("{digits}+0000")
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(message: &str, fault: Option<&Fault>, expected: &Expect) {
        let header = Header::read(message).ok();
        let answer = Acknowledgment {
            of: header.as_ref(),
            code: Code::application(fault),
            control_id: "A7".to_owned(),
            time: Instant::from_micros(1_767_225_599_000_000),
            fault,
        };
        expected.assert_eq(&answer.text().replace('\r', "\n"));
    }

    #[test]
    fn an_answer_swaps_sender_and_receiver_and_copies_the_control_id() {
        check(
            "MSH|^~\\&|LAB|NORTH|EHR|SOUTH|2026||ORU^R01^ORU_R01|42|T|2.5.1||||||8859/1",
            None,
            &expect![[r"
                MSH|^~\&|EHR|SOUTH|LAB|NORTH|20251231235959+0000||ACK^R01^ACK|A7|T|2.5.1||||||8859/1
                MSA|AA|42
            "]],
        );
        check(
            "MSH|^~\\&|LAB|NORTH|EHR|SOUTH|2026||ORU^R01|42|P|2.2||||||8859/1",
            None,
            &expect![[r"
                MSH|^~\&|EHR|SOUTH|LAB|NORTH|20251231235959+0000||ACK^R01|A7|P|2.2
                MSA|AA|42
            "]],
        );
    }

    #[test]
    fn a_fault_is_told_as_its_version_has_it() {
        let fault = Fault::new(HL70357::RequiredField, "the message type is missing").at("MSH", 9);
        check(
            "MSH#*~\\&#LAB######ACK#42#P#2.3",
            Some(&fault),
            &expect![[r"
                MSH#*~\&###LAB##20251231235959+0000##ACK#A7#P#2.3
                MSA#AE#42#the message type is missing
                ERR#MSH*1*9*101&Required field missing&HL70357
            "]],
        );
        check(
            "MSH|^~\\&|LAB||||||ADT^A01|42|P|2.8",
            Some(&fault),
            &expect![[r"
                MSH|^~\&|||LAB||20251231235959+0000||ACK^A01^ACK|A7|P|2.8
                MSA|AE|42
                ERR||MSH^1^9|101^Required field missing^HL70357|E||||the message type is missing
            "]],
        );
        let broken = Fault::new(HL70357::Internal, "the store is | full");
        check(
            "garbage",
            Some(&broken),
            &expect![[r"
                MSH|^~\&|||||20251231235959+0000||ACK|A7|P|2.5
                MSA|AR||the store is   full
                ERR|||207^Application internal error^HL70357|E||||the store is   full
            "]],
        );
    }

    #[test]
    fn modes_are_those_of_msh_15_and_16() {
        let mode = |fifteen: &str, sixteen: &str| {
            let text = format!("MSH|^~\\&|||||||ADT^A01|1|P|2.5|||{fifteen}|{sixteen}");
            Mode::of(&Header::read(&text).unwrap())
        };
        assert_eq!(mode("", ""), Ok(Mode::Original));
        let enhanced = |accept, application| {
            Ok(Mode::Enhanced {
                accept,
                application,
            })
        };
        assert_eq!(mode("AL", ""), enhanced(When::Always, When::Never));
        assert_eq!(mode("NE", "ER"), enhanced(When::Never, When::OnError));
        assert_eq!(
            mode("XX", "").unwrap_err().to_string(),
            "MSH-15 103: the acknowledgment condition is none of AL, NE, ER, SU"
        );
    }
}
