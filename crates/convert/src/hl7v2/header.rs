//! The header of a message, MSH (HL7 v2.9 §2.13.9): who sends what to whom, and how it wants to be
//! answered. Read before anything is converted, of any bytes.

use super::acknowledgment::{Fault, HL70357};
use super::charset::Charset;
use crate::data::separators::Separators;

/// The versions of HL7 v2 that are taken.
pub const VERSIONS: &[&str] = &[
    "2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8", "2.8.1",
    "2.8.2",
];

/// Bytes that a header may have; what is longer is none.
const HEADER_BYTES_MAX: usize = 8 << 10;

/// A message's header. `Debug` shows none of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    separators: Separators,
    /// MSH-2, MSH-3 …
    fields: Vec<String>,
}

impl std::fmt::Debug for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[header]")
    }
}

impl Header {
    /// Reads the header of a decoded message, whether or not its content can be taken.
    pub fn read(message: &str) -> Result<Self, Fault> {
        let text = message.trim_start_matches(['\u{feff}', '\r', '\n', ' ']);
        let end = text.find(['\r', '\n']).unwrap_or(text.len());
        let line = &text[..end];
        if !line.starts_with("MSH") {
            let what = "a message begins with the segment MSH";
            return Err(Fault::new(HL70357::SegmentSequence, what).at("MSH", 0));
        }
        if line.len() > HEADER_BYTES_MAX {
            let what =
                format!("the header has more than {HEADER_BYTES_MAX} bytes (`header_bytes_max`)");
            return Err(Fault::new(HL70357::ValueTooLong, what).at("MSH", 0));
        }
        let separators = Separators::read(line)
            .map_err(|error| Fault::new(HL70357::DataType, error.what).at("MSH", 2))?;
        let fields = line[3 + separators.field.len_utf8()..].split(separators.field);
        Ok(Self {
            separators,
            fields: fields.map(str::to_owned).collect(),
        })
    }

    /// The set of characters that the header of these bytes names, or else that one. It is looked
    /// for in the bytes, since it says how they are to be read.
    pub fn charset(message: &[u8], absent: Charset) -> Result<Charset, Fault> {
        let head = &message[..message.len().min(HEADER_BYTES_MAX)];
        let head: String = head.iter().map(|byte| char::from(*byte)).collect();
        let Ok(header) = Self::read(head.trim_start_matches("\u{ef}\u{bb}\u{bf}")) else {
            return Ok(absent);
        };
        Charset::of(header.field(18), header.separators.repetition, absent)
            .map_err(|fault| Fault::new(HL70357::TableValue, fault.to_string()).at("MSH", 18))
    }

    /// What keeps the message from being taken.
    pub fn check(&self) -> Result<(), Fault> {
        for (number, name) in [(9, "message type"), (10, "message control id")] {
            if self.field(number).trim().is_empty() {
                let what = format!("the {name} is missing");
                return Err(Fault::new(HL70357::RequiredField, what).at("MSH", number));
            }
        }
        let version = self.version();
        if !VERSIONS.contains(&version) {
            let what = format!("the version is none of {}", VERSIONS.join(", "));
            return Err(Fault::new(HL70357::Version, what).at("MSH", 12));
        }
        Ok(())
    }

    /// MSH-`number`, from 2, as it was sent; empty if it is not there.
    pub fn field(&self, number: usize) -> &str {
        let field = number.checked_sub(2).and_then(|at| self.fields.get(at));
        field.map_or("", String::as_str)
    }

    /// A component of MSH-`number`, from 1.
    pub fn component(&self, number: usize, component: usize) -> &str {
        let mut parts = self.field(number).split(self.separators.component);
        component
            .checked_sub(1)
            .and_then(|at| parts.nth(at))
            .unwrap_or_default()
    }

    /// MSH-1.
    pub fn separator(&self) -> char {
        self.separators.field
    }

    /// The separator of components, which MSH-2 declares first.
    pub fn component_separator(&self) -> char {
        self.separators.component
    }

    /// MSH-10.
    pub fn control_id(&self) -> &str {
        self.field(10)
    }

    /// MSH-12, without what later components say.
    pub fn version(&self) -> &str {
        self.component(12, 1).trim()
    }

    /// Type and event, `ADT_A01`.
    pub fn trigger(&self) -> String {
        let (kind, event) = (self.component(9, 1), self.component(9, 2));
        if event.is_empty() {
            kind.to_owned()
        } else {
            format!("{kind}_{event}")
        }
    }

    /// The structure that MSH-9.3 names, if it does.
    pub fn structure(&self) -> &str {
        self.component(9, 3)
    }
}

/// Whose message it is: the identifiers of its patients (PID-2 to PID-4, and MRG-1 to MRG-4 of a
/// merge), each as number and authority. What two messages share orders them.
pub fn patients(message: &str, header: &Header) -> Vec<String> {
    let separators = &header.separators;
    let mut found = Vec::new();
    for line in message.split(['\r', '\n']) {
        let mut fields = line.split(separators.field);
        let wanted = match fields.next() {
            Some("PID") => 2..=4,
            Some("MRG") => 1..=4,
            _ => continue,
        };
        let numbered = (1..)
            .zip(fields)
            .filter(|(number, _)| wanted.contains(number));
        for repeat in numbered.flat_map(|(_, field)| field.split(separators.repetition)) {
            let mut parts = repeat.split(separators.component);
            let (number, authority) = (parts.next().unwrap_or_default(), parts.nth(2));
            let number = number.trim();
            if !number.is_empty() && number != "\"\"" {
                found.push(format!("{number}|{}", authority.unwrap_or_default().trim()));
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = "MSH|^~\\&|LAB|NORTH|EHR|SOUTH|20260101||ORU^R01^ORU_R01|42|P|2.5.1|||AL|NE||8859/1\r\
        PID|1|7|55^^^NORTH~66^^^SOUTH||Doe\rMRG|8^^^NORTH\r";

    #[test]
    fn fields_are_counted_as_the_standard_counts() {
        let header = Header::read(MESSAGE).unwrap();
        let shown = [3, 10, 12, 15, 16, 18, 40].map(|number| header.field(number));
        assert_eq!(shown, ["LAB", "42", "2.5.1", "AL", "NE", "8859/1", ""]);
        assert_eq!(header.trigger(), "ORU_R01");
        assert_eq!(header.check(), Ok(()));
        assert_eq!(
            patients(MESSAGE, &header),
            ["55|NORTH", "66|SOUTH", "7|", "8|NORTH"]
        );
    }

    #[test]
    fn what_cannot_be_taken_is_said_with_its_place() {
        for (message, expected) in [
            ("", "MSH-0 100: a message begins with the segment MSH"),
            ("PID|", "MSH-0 100: a message begins with the segment MSH"),
            (
                "MSH|^~",
                "MSH-2 102: the separator of escape sequences, the third of MSH-2, is missing",
            ),
            ("MSH|^~\\&|", "MSH-9 101: the message type is missing"),
            (
                "MSH|^~\\&|||||||ADT^A01||P|2.5",
                "MSH-10 101: the message control id is missing",
            ),
            (
                "MSH|^~\\&|||||||ADT^A01|1|P|3.0",
                "MSH-12 203: the version is none of 2.1, 2.2, 2.3, 2.3.1, 2.4, 2.5, 2.5.1, 2.6, 2.7, 2.7.1, 2.8, 2.8.1, 2.8.2",
            ),
        ] {
            let fault = Header::read(message).and_then(|it| it.check()).unwrap_err();
            assert_eq!(fault.to_string(), expected, "{message}");
        }
    }
}
