//! A message of the log as a transaction: decoded, converted with the channel's library, and looked
//! through for what it touches, since messages that touch each other are stored in their order.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use bytes::Bytes;
use convert::hl7v2::{HL70357, Header, patients};
use convert::{ConvertError, ErrorKind, IdStrategy, Library, Processor, Settings, Unread, root_of};
use fhir::json::{Document, Limits, Splice, Value, splice};
use interactions::channel::{Channel, Ids, Message};
use sha2::{Digest, Sha256};

use super::answer::charset;

/// How long a conversion may take.
const CONVERSION_MAX: Duration = Duration::from_secs(30);
/// Elements noted of one message that no template read.
const UNREAD_MAX: usize = 200;

/// What a message became, or why it did not.
pub(super) struct Converted {
    /// Hashes of its patients' identifiers.
    pub(super) patients: Vec<[u8; 8]>,
    pub(super) result: Result<Transaction, Refused>,
}

/// What is to be stored.
pub(super) struct Transaction {
    pub(super) document: Document,
    pub(super) touches: Touches,
    pub(super) resources: u64,
    pub(super) unread: Vec<String>,
}

/// Why a message cannot be stored, without values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) condition: HL70357,
    pub(super) what: String,
}

/// What a transaction writes: hashes of places and contents.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Touches {
    places: BTreeMap<[u8; 8], [u8; 8]>,
    /// Whether it depends on searches, and so on everything before it.
    pub(super) depends_on_all: bool,
}

/// What lies at places that were written lately, as far as this worker wrote it.
#[derive(Default)]
pub(super) struct Known(HashMap<[u8; 8], [u8; 8]>);

impl Known {
    /// Places kept; beyond, all are forgotten, which costs order where none is needed, no more.
    const PLACES_MAX: usize = 100_000;

    /// Takes note of what was stored.
    pub(super) fn learn(&mut self, stored: &Touches) {
        if self.0.len() > Self::PLACES_MAX {
            self.0.clear();
        }
        self.0.extend(
            stored
                .places
                .iter()
                .map(|(place, content)| (*place, *content)),
        );
    }
}

impl Touches {
    /// Whether one of them must wait for the other: they write to the same place. Only where both
    /// write what lies there already may they come in any order, since neither changes anything.
    pub(super) fn collide(&self, other: &Self, known: &Known) -> bool {
        let (few, many) = if self.places.len() < other.places.len() {
            (self, other)
        } else {
            (other, self)
        };
        few.places.iter().any(|(place, content)| {
            let is_there = known.0.get(place) == Some(content);
            many.places
                .get(place)
                .is_some_and(|it| it != content || !is_there)
        })
    }
}

pub(super) fn hash(parts: &[&str]) -> [u8; 8] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    let hash: [u8; 32] = hash.finalize().into();
    std::array::from_fn(|at| hash[at])
}

fn refused(condition: HL70357, what: impl Into<String>) -> Refused {
    Refused {
        condition,
        what: what.into(),
    }
}

/// What a channel's messages are converted with.
pub(super) struct With<'w> {
    pub(super) library: &'w Library,
    pub(super) channel: &'w Channel,
    pub(super) ids: &'w Ids,
}

/// Converts a message. Deterministic: another try with the same library gives the same.
pub(super) fn convert(with: &With<'_>, message: &Message) -> Converted {
    let decoded = charset(message).and_then(|it| {
        let decoded = it.decode(&message.raw);
        decoded.map_err(|fault| fault.to_string())
    });
    let text = match decoded {
        Ok(text) => text,
        Err(what) => {
            let result = Err(refused(HL70357::DataType, what));
            return Converted {
                patients: Vec::new(),
                result,
            };
        }
    };
    let header = Header::read(&text);
    let patients = header
        .as_ref()
        .map_or_else(|_| Vec::new(), |header| patients(&text, header));
    let patients = patients.iter().map(|it| hash(&[it])).collect();
    let result = header
        .map_err(|fault| refused(fault.condition, fault.what))
        .and_then(|_| root(with, &text))
        .and_then(|root| transaction(with, message, &root, &text));
    Converted { patients, result }
}

/// The template to begin with.
fn root(with: &With<'_>, text: &str) -> Result<String, Refused> {
    match &with.channel.root {
        Some(root) => Ok(root.clone()),
        None => root_of(text, with.library).map_err(|error| of_conversion(&error)),
    }
}

fn transaction(
    with: &With<'_>,
    message: &Message,
    root: &str,
    text: &str,
) -> Result<Transaction, Refused> {
    let began = Instant::now();
    let time_is_up = || began.elapsed() > CONVERSION_MAX;
    let settings = Settings {
        seed: message.number,
        zone_offset_minutes: with.channel.zone_minutes,
        ids: match with.ids {
            Ids::Hash => IdStrategy::Hash,
            Ids::Salted(salt) => IdStrategy::Salted(salt.as_str()),
            Ids::Conditional => IdStrategy::Conditional,
        },
        ..Settings::new(message.time, &time_is_up)
    };
    let output = with
        .library
        .convert(root, Processor::Hl7v2, text, &settings)
        .map_err(|it| of_conversion(&it))?;
    let document = as_transaction(output.text)?;
    let (touches, resources) = touches(&document);
    let unread = output.unread.iter().take(UNREAD_MAX).map(shown).collect();
    Ok(Transaction {
        document,
        touches,
        resources,
        unread,
    })
}

fn of_conversion(error: &ConvertError) -> Refused {
    let condition = match error.kind {
        ErrorKind::Message | ErrorKind::Input => HL70357::SegmentSequence,
        ErrorKind::Separators
        | ErrorKind::SameSeparators
        | ErrorKind::EscapeCharacter
        | ErrorKind::Hexadecimal => HL70357::DataType,
        ErrorKind::RootNotFound => HL70357::MessageType,
        _ => HL70357::Internal,
    };
    refused(condition, error.to_string())
}

/// Fields are counted by component, whatever of it was not read.
fn shown(unread: &Unread) -> String {
    match unread {
        Unread::Component {
            segment,
            field,
            component,
            ..
        } => format!("{}-{field}.{component}", segment.0),
        Unread::Node { path, .. } => path.clone(),
    }
}

/// A Bundle as a transaction, whatever kind the library says: a message is stored whole or not.
fn as_transaction(text: String) -> Result<Document, Refused> {
    let parse = |text: String| {
        let parsed = Document::parse(Bytes::from(text), &Limits::DEFAULT);
        parsed.map_err(|error| {
            refused(
                HL70357::Internal,
                format!("the conversion gave no JSON: {error}"),
            )
        })
    };
    let document = parse(text)?;
    let root = document.root();
    if !root
        .get("resourceType")
        .is_some_and(|it| it.is_str("Bundle"))
    {
        return Err(refused(
            HL70357::Internal,
            "the conversion gave no `Bundle`",
        ));
    }
    let Some(kind) = root.get("type") else {
        return Err(refused(HL70357::Internal, "the `Bundle` has no type"));
    };
    if kind.is_str("transaction") {
        return Ok(document);
    }
    let replacement = Splice {
        span: kind.span(),
        with: "\"transaction\"".to_owned(),
    };
    parse(splice(document.as_str(), vec![replacement]))
}

fn touches(bundle: &Document) -> (Touches, u64) {
    let mut touches = Touches::default();
    let mut resources = 0;
    let entries = bundle.root().get("entry");
    for entry in entries.into_iter().flat_map(Value::items) {
        resources += 1;
        let request = entry.get("request");
        let text = |name: &str| request.and_then(|it| it.get(name)?.as_str());
        let url = text("url").unwrap_or_default();
        let resource = entry.get("resource");
        touches.depends_on_all |= url.contains('?')
            || text("ifNoneExist").is_some()
            || resource.is_some_and(|it| has_search_reference(it.raw()));
        if url.contains('/') {
            let content = hash(&[
                &text("method").unwrap_or_default(),
                resource.map_or("", Value::raw),
            ]);
            touches.places.insert(hash(&[&url]), content);
        }
    }
    (touches, resources)
}

/// Whether a resource refers to another by a search: `"reference": "Patient?identifier=…"`. What
/// looks like it inside other texts costs order where none is needed, no more.
fn has_search_reference(resource: &str) -> bool {
    resource.split("\"reference\"").skip(1).any(|rest| {
        let value = rest.trim_start_matches([':', ' ', '\n', '\r', '\t']);
        let value = value.strip_prefix('"').and_then(|it| it.split('"').next());
        value.is_some_and(|it| it.contains('?'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touched(entries: &str) -> Touches {
        let text =
            format!("{{\"resourceType\":\"Bundle\",\"type\":\"batch\",\"entry\":[{entries}]}}");
        let document = as_transaction(text).unwrap();
        assert!(document.root().get("type").unwrap().is_str("transaction"));
        touches(&document).0
    }

    #[test]
    fn what_touches_each_other_is_known() {
        let put = |url: &str, content: &str| {
            format!(
                "{{\"resource\":{{\"a\":\"{content}\"}},\"request\":{{\"method\":\"PUT\",\"url\":\"{url}\"}}}}"
            )
        };
        let one = touched(&put("Patient/1", "x"));
        let mut known = Known::default();
        let same = touched(&put("Patient/1", "x"));
        assert!(one.collide(&touched(&put("Patient/1", "y")), &known));
        assert!(!one.collide(&touched(&put("Patient/2", "y")), &known));
        assert!(one.collide(&same, &known));
        known.learn(&one);
        assert!(!one.collide(&same, &known));
        assert!(touched(&put("Patient?identifier=1", "x")).depends_on_all);
        let reference = "{\"resource\":{\"subject\":{\"reference\": \"Patient?a=b\"}}}";
        assert!(touched(reference).depends_on_all);
        assert!(!one.depends_on_all);
    }
}
