//! What a job did, entry by entry: enough to answer it, and small enough to keep with its key.
//!
//! Notes say which change belongs to which entry; what became of a change is the store's to say.

use bytes::Bytes;
use fhir::{Instant, Issue, ResourceId, VersionId};
use store::{Committed, Effect, Record, VersionNumber};

use crate::read::instant;
use crate::{Deleted, Resource, ResourceKey, WriteAnswer, WriteEffect};

/// What an entry did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// The change of that number concerned this resource.
    Change(usize, ResourceKey),
    /// So many changes from that number on were deletions.
    Deletions(usize, usize),
    /// Nothing: the resource is as it was, at this version.
    Kept(ResourceKey, VersionNumber),
}

/// The text of the version that an entry is answered with.
pub(crate) struct Held {
    /// Its stored form.
    pub(crate) body: Bytes,
    /// When it was written, if that was not by this very commit.
    pub(crate) time: Option<Instant>,
}

impl From<Record> for Held {
    fn from(record: Record) -> Self {
        Self {
            body: record.body,
            time: Some(instant(record.time)),
        }
    }
}

impl Note {
    /// The notes as text: a line each, of words.
    pub(crate) fn encode(notes: &[Self]) -> Bytes {
        let line = |note: &Self| match note {
            Self::Change(change, key) => {
                format!("change {change} {} {}\n", key.resource_type, key.id)
            }
            Self::Deletions(first, count) => format!("deletions {first} {count}\n"),
            Self::Kept(key, VersionNumber(version)) => {
                format!("kept {version} {} {}\n", key.resource_type, key.id)
            }
        };
        notes.iter().map(line).collect::<String>().into()
    }

    /// Reads what [`Note::encode`] wrote.
    pub(crate) fn decode(text: &[u8]) -> Option<Vec<Self>> {
        let key = |resource_type: &str, id: &str| {
            let id = ResourceId::parse(id).ok()?;
            Some(ResourceKey {
                resource_type: resource_type.into(),
                id,
            })
        };
        let note = |line: &str| match line.split(' ').collect::<Vec<_>>()[..] {
            ["change", change, name, id] => {
                Some(Self::Change(change.parse().ok()?, key(name, id)?))
            }
            ["deletions", first, count] => {
                Some(Self::Deletions(first.parse().ok()?, count.parse().ok()?))
            }
            ["kept", version, name, id] => Some(Self::Kept(
                key(name, id)?,
                VersionNumber(version.parse().ok()?),
            )),
            _ => None,
        };
        std::str::from_utf8(text).ok()?.lines().map(note).collect()
    }

    /// The version that the entry is answered with, if with one.
    pub(crate) fn version(&self, done: &Committed) -> Option<(&ResourceKey, VersionNumber)> {
        match self {
            Self::Kept(key, version) => Some((key, *version)),
            Self::Change(change, key) => {
                let written = done.written.get(*change)?;
                let is_put = matches!(written.effect, Effect::Created | Effect::Updated);
                is_put.then_some((key, written.version))
            }
            Self::Deletions(..) => None,
        }
    }

    /// The entry's answer, given what the commit did.
    pub(crate) fn answer(self, done: &Committed, held: Option<Held>) -> WriteAnswer {
        let (effect, resource, deleted) = match self {
            Self::Kept(key, VersionNumber(version)) => (
                WriteEffect::Unchanged,
                held.map(|it| shown(key, version, done, it)),
                None,
            ),
            Self::Deletions(first, count) => (deletions(done, first, count), None, None),
            Self::Change(change, key) => changed(done, change, key, held),
        };
        WriteAnswer {
            effect,
            resource,
            deleted,
            issues: Vec::<Issue>::new(),
        }
    }
}

fn shown(key: ResourceKey, version: u64, done: &Committed, held: Held) -> Resource {
    let last_updated = held.time.unwrap_or_else(|| instant(done.time));
    Resource {
        key,
        version: VersionId(version),
        last_updated,
        body: held.body,
    }
}

fn deletions(done: &Committed, first: usize, count: usize) -> WriteEffect {
    let written = done.written.iter().skip(first).take(count);
    match written.filter(|it| it.effect == Effect::Deleted).count() {
        0 => WriteEffect::NothingToDelete,
        count => WriteEffect::Deleted(count),
    }
}

fn changed(
    done: &Committed,
    change: usize,
    key: ResourceKey,
    held: Option<Held>,
) -> (WriteEffect, Option<Resource>, Option<Deleted>) {
    let Some(written) = done.written.get(change) else {
        return (WriteEffect::NothingToDelete, None, None);
    };
    let VersionNumber(version) = written.version;
    let resource = |key| held.map(|it| shown(key, version, done, it));
    match written.effect {
        Effect::Created => (WriteEffect::Created, resource(key), None),
        Effect::Updated => (WriteEffect::Updated, resource(key), None),
        Effect::Purged => (WriteEffect::Purged, None, None),
        // Indexing anew is no write, and has no notes.
        Effect::Nothing | Effect::Indexed => (WriteEffect::NothingToDelete, None, None),
        Effect::Deleted => {
            let (version, last_updated) = (VersionId(version), instant(done.time));
            (
                WriteEffect::Deleted(1),
                None,
                Some(Deleted {
                    key,
                    version,
                    last_updated,
                }),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_come_back_from_their_text() {
        let id = ResourceId::parse("a-1.b").unwrap();
        let key = ResourceKey {
            resource_type: "Patient".into(),
            id,
        };
        let notes = vec![
            Note::Change(3, key.clone()),
            Note::Deletions(4, 2),
            Note::Kept(key, VersionNumber(7)),
        ];
        assert_eq!(Note::decode(&Note::encode(&notes)), Some(notes));
        assert_eq!(Note::decode(b"change x Patient 1"), None);
    }
}
