//! Which fields of a channel's messages no template read: in how many messages, and in which last. It
//! holds no value. Counts are noted with the position, so a crash neither loses nor repeats one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use bytes::Bytes;
use store::{At, NamedChange, TenantId};

use super::{ChannelName, Log};
use crate::{InteractionError, Interactions};

/// Fields of one channel that are counted by name; senders may invent segments.
pub const COVERAGE_FIELDS_MAX: usize = 1_000;

const FORM: &str = "1";

/// Where a field was seen that no template read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// In how many messages.
    pub count: u64,
    /// The number of the last one.
    pub last: u64,
}

/// The fields that no template read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// By name: `PID-5`.
    pub fields: BTreeMap<String, Seen>,
    /// How often there was one beyond those that are counted by name.
    pub others: u64,
}

impl Coverage {
    /// Counts the elements of a message that no template read: `PID-5.1`.
    pub fn add(&mut self, number: u64, unread: &[String]) {
        let field = |element: &'_ String| element.split('.').next().unwrap_or_default().to_owned();
        let fields: BTreeSet<String> = unread.iter().map(field).collect();
        for field in fields {
            let is_counted = self.fields.contains_key(&field);
            if !is_counted && (self.fields.len() >= COVERAGE_FIELDS_MAX || !is_field(&field)) {
                self.others += 1;
                continue;
            }
            let seen = self.fields.entry(field).or_default();
            seen.count += 1;
            seen.last = seen.last.max(number);
        }
    }

    fn encode(&self) -> Bytes {
        let mut text = format!("{FORM}\n{}\n", self.others);
        for (field, seen) in &self.fields {
            let _ = writeln!(text, "{field} {} {}", seen.count, seen.last);
        }
        text.into()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut lines = text.lines();
        lines.next().filter(|form| *form == FORM)?;
        let others = lines.next()?.parse().ok()?;
        let field = |line: &str| {
            let mut parts = line.split(' ');
            let name = parts.next()?.to_owned();
            let (count, last) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            Some((name, Seen { count, last }))
        };
        Some(Self {
            fields: lines.map(field).collect::<Option<_>>()?,
            others,
        })
    }

    /// The row that holds it.
    pub(super) fn put(&self, log: &Log<'_>) -> NamedChange {
        NamedChange::Put {
            key: log.key("coverage"),
            value: self.encode(),
            expires: None,
        }
    }
}

/// Whether a name is that of a field and can hold nothing else: a segment of three letters or
/// digits, and a number.
fn is_field(name: &str) -> bool {
    let is_segment = |it: &str| {
        it.len() == 3
            && it
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    name.split_once('-')
        .is_some_and(|(segment, field)| is_segment(segment) && field.parse::<u16>().is_ok())
}

impl Interactions {
    /// Which fields of a channel's messages no template read.
    pub async fn message_coverage(
        &self,
        tenant: &TenantId,
        channel: &ChannelName,
    ) -> Result<Coverage, InteractionError> {
        let view = self.store.view(tenant, At::Newest).await?;
        let rows = view.named(&[Log(channel).key("coverage")]).await?;
        let Some(row) = &rows[0] else {
            return Ok(Coverage::default());
        };
        let damaged = || InteractionError::internal("a row of a channel's log is damaged");
        Coverage::decode(&row.value).ok_or_else(damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unread(elements: &[&str]) -> Vec<String> {
        elements.iter().map(|it| (*it).to_owned()).collect()
    }

    #[test]
    fn fields_are_counted_once_for_each_message() {
        let mut coverage = Coverage::default();
        coverage.add(
            7,
            &unread(&["PID-5.2", "PID-5.3", "ZAB-1.1", "OBX-Jo.1", "jo-1.1"]),
        );
        coverage.add(3, &unread(&["PID-5.2"]));
        let told: Vec<_> = coverage
            .fields
            .iter()
            .map(|(field, seen)| (field.as_str(), seen.count, seen.last))
            .collect();
        assert_eq!(told, [("PID-5", 2, 7), ("ZAB-1", 1, 7)]);
        assert_eq!(coverage.others, 2);
        assert_eq!(Coverage::decode(&coverage.encode()), Some(coverage));
        assert_eq!(Coverage::decode(b"2\n0\n"), None);
    }

    #[test]
    fn invented_fields_have_a_limit() {
        let mut coverage = Coverage::default();
        for number in 0..COVERAGE_FIELDS_MAX + 5 {
            coverage.add(
                1,
                &[format!("Z{}{}-{number}.1", number % 10, number / 10 % 10)],
            );
        }
        coverage.add(2, &unread(&["Z00-0.1"]));
        assert_eq!(
            (coverage.fields.len(), coverage.others),
            (COVERAGE_FIELDS_MAX, 5)
        );
        assert_eq!(coverage.fields["Z00-0"], Seen { count: 2, last: 2 });
    }
}
