//! What interactions answer.

use bytes::Bytes;
use fhir::resource::{SpliceMark, with_meta};
use fhir::{Instant, Issue, VersionId};
pub use search::query::Summary;
use store::HistoryOrder;

use crate::ResourceKey;

/// A stored version of a resource.
#[derive(Clone)]
pub struct Resource {
    /// Its place.
    pub key: ResourceKey,
    /// Its version.
    pub version: VersionId,
    /// When it was written (`meta.lastUpdated`).
    pub last_updated: Instant,
    /// The stored form.
    pub(crate) body: Bytes,
}

impl Resource {
    /// Its JSON, with id, `meta.versionId` and `meta.lastUpdated`. Made when asked for: most
    /// answers to writes are minimal, and a bundle's would be held all at once.
    ///
    /// # Panics
    /// Never: the store gives back what [`crate::Interactions`] gave it.
    pub fn json(&self) -> Bytes {
        let mark = SpliceMark::of(&self.body);
        let mark = mark.expect("stored texts have a place for version and time");
        with_meta(
            &self.body,
            mark,
            self.version,
            &self.last_updated.to_string(),
        )
        .into()
    }
}

/// Says which type, never what is in it.
impl std::fmt::Debug for Resource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{:?}, version {}]", self.key, self.version)
    }
}

/// A version that says "deleted".
#[derive(Debug, Clone)]
pub struct Deleted {
    /// Its place.
    pub key: ResourceKey,
    /// The deletion's version.
    pub version: VersionId,
    /// When.
    pub last_updated: Instant,
}

/// What a read found; not found is an error.
#[derive(Debug)]
pub enum ReadOutcome {
    /// The resource.
    Found(Resource),
    /// It is deleted.
    Deleted(Deleted),
}

/// What became of a write.
#[derive(Debug)]
pub struct WriteAnswer {
    /// What happened.
    pub effect: WriteEffect,
    /// The resource as it is now; `None` if it is deleted or never was.
    pub resource: Option<Resource>,
    /// The deletion, if this was one.
    pub deleted: Option<Deleted>,
    /// Warnings and information for the client.
    pub issues: Vec<Issue>,
}

/// What happened to the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteEffect {
    /// Created: 201.
    Created,
    /// Updated: 200.
    Updated,
    /// The content was the same, or `If-None-Exist` found it: 200, no new version.
    Unchanged,
    /// Deleted (several: their number).
    Deleted(usize),
    /// There was nothing to delete.
    NothingToDelete,
    /// Purged.
    Purged,
}

/// The answers of a batch or transaction.
#[derive(Debug)]
pub struct Bundle {
    /// `batch-response` or `transaction-response`.
    pub kind: &'static str,
    /// One per entry of the request, in its order.
    pub entries: Vec<BundleEntry>,
}

/// One answer in a bundle.
#[derive(Debug)]
pub struct BundleEntry {
    /// What it is.
    pub answer: Result<EntryAnswer, crate::InteractionError>,
}

/// An answer of one entry.
#[derive(Debug)]
pub enum EntryAnswer {
    /// Of a write.
    Written(WriteAnswer),
    /// Of a read or vread.
    Read(ReadOutcome),
    /// Of a read or vread of a version that the client has (`ifNoneMatch`).
    NotModified(Resource),
    /// Of a search or history.
    Found(SearchAnswer),
    /// Of an operation: a resource in JSON.
    Told(Bytes),
}

/// What a search or history found: one page.
#[derive(Debug)]
pub struct SearchAnswer {
    /// `searchset` or `history`.
    pub kind: &'static str,
    /// The total, if wanted or cheap.
    pub total: Option<u64>,
    /// The page's entries.
    pub entries: Vec<Matched>,
    /// The query text of this page, as understood (without the base), for the `self` link.
    pub self_query: String,
    /// The query text of the next page, if there is one.
    pub next_query: Option<String>,
    /// On the first of several pages: where what changes after it can be read.
    pub changes: Option<Changes>,
    /// What was ignored or is worth knowing; becomes an OperationOutcome entry.
    pub issues: Vec<Issue>,
    /// How the resources are to be shown.
    pub summary: Summary,
}

/// The history of what changed after the first page of a search: its later pages leave that out.
#[derive(Debug, Clone)]
pub struct Changes {
    /// The type that was searched; all types, if there were several.
    pub resource_type: Option<String>,
    /// The instant from which on versions are later than the page.
    pub since: Instant,
}

/// One entry of a search or history page.
#[derive(Debug)]
pub enum Matched {
    /// A resource, with why it is there.
    Resource {
        /// The resource.
        resource: Resource,
        /// Why.
        mode: SearchMode,
        /// In a history: `POST` (created) or `PUT` (updated).
        method: &'static str,
        /// In a history: whether that version made the resource exist (201).
        created: bool,
    },
    /// A contained resource that matches, by itself.
    Contained {
        /// What contains it.
        container: ResourceKey,
        /// Its id within that.
        id: String,
        /// It.
        json: Bytes,
    },
    /// In a history: a deletion.
    Deleted(Deleted),
}

/// Why an entry is in a search result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchMode {
    /// It matches.
    Match,
    /// It was included.
    Include,
}

/// Which history, which page.
#[derive(Debug, Clone)]
pub struct HistoryQuery {
    /// Of one resource, of a type, or (neither) of everything.
    pub of: HistoryScope,
    /// The raw query text: `_since`, `_before`, `_at`, `_count`, `_sort` and the page's token.
    pub query: String,
    /// The order when `_sort` does not say otherwise.
    pub order: HistoryOrder,
}

/// Whose history.
#[derive(Debug, Clone)]
pub enum HistoryScope {
    /// Of one resource.
    Instance(ResourceKey),
    /// Of a type.
    Type(String),
    /// Of the system.
    System,
}
