//! FHIR's interactions as typed functions over a store: what create, conditional update,
//! transaction, history … *mean*, without HTTP.
//!
//! The server, the loader and every agent call these functions, so there is one way to write a
//! resource: each writing interaction becomes one or more [`Write`]s, which are prepared (parsed,
//! validated, extracted) outside any lock and become one store commit. What differs between FHIR
//! versions is in the definitions; nothing here knows HTTP or a provider.
//! <https://hl7.org/fhir/R4/http.html>, <https://hl7.org/fhir/STU3/http.html>

mod answer;
mod apply;
mod bundle;
mod caller;
pub mod channel;
mod code_tables;
mod contained;
pub mod conversion;
mod criteria;
mod draft;
mod error;
mod explain;
mod find;
mod hidden;
mod history;
mod include;
mod index;
mod job;
mod jobs;
mod lenience;
pub mod libraries;
pub mod load_run;
mod needs;
mod notes;
mod numbers;
pub mod operations;
mod page;
mod planning;
mod prepare;
mod provenance;
mod read;
mod reindex;
mod resolve;
mod salt;
mod settings;
mod sight;
mod space;
mod terminology;
mod turn;
mod workers;

use std::sync::Arc;

pub use answer::{
    Bundle, BundleEntry, Changes, Deleted, EntryAnswer, HistoryQuery, HistoryScope, Matched,
    ReadOutcome, Resource, SearchAnswer, SearchMode, Summary, WriteAnswer, WriteEffect,
};
pub use caller::{Caller, ResourceKey};
pub use error::InteractionError;
use fhir::FhirVersion;
use fhir::json::Document;
pub use salt::{Salt, Salts};
pub use search::compile::Visibility;
pub use search::query::Handling;
use search::reference::Bases;
pub use settings::{Integrity, PerType, Settings, UpdateAsCreate, Versioning};
pub use space::{SPACES, space_of};
use store::{Clock, Store, SystemClock};
pub use terminology::TerminologyUse;
use turn::Turns;
pub use workers::Room;
use workers::Workers;

use crate::index::Indexes;
use crate::jobs::Work;
use crate::terminology::Definitions;

/// The interactions over one store; a cheap handle.
#[derive(Clone)]
pub struct Interactions {
    store: Arc<dyn Store>,
    settings: Arc<Settings>,
    /// By version, in the order of [`FhirVersion::ALL`].
    bases: Arc<[Bases; 2]>,
    turns: Arc<Turns>,
    workers: Arc<Workers>,
    indexes: Arc<Indexes>,
    work: Arc<Work>,
    definitions: Arc<Definitions>,
    news: Arc<channel::News>,
    configured: Arc<channel::Configured>,
    troubles: Arc<channel::Troubles>,
    clock: Arc<dyn Clock>,
    converter: Option<Arc<dyn conversion::Converter>>,
}

impl Interactions {
    /// Interactions over that store.
    pub fn new(store: Arc<dyn Store>, settings: Settings) -> Self {
        let bases = FhirVersion::ALL.map(|version| settings.bases(version));
        let definitions = Arc::new(Definitions::new(settings.terminology_cache_bytes));
        let (settings, bases) = (Arc::new(settings), Arc::new(bases));
        let workers = Arc::new(Workers::new(settings.work_bytes_max));
        Self {
            workers,
            definitions,
            store,
            settings,
            bases,
            turns: Arc::new(Turns::new()),
            indexes: Arc::default(),
            work: Arc::default(),
            news: Arc::default(),
            configured: Arc::default(),
            troubles: Arc::default(),
            clock: Arc::new(SystemClock),
            converter: None,
        }
    }

    /// The same, told the time by that clock.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Waits until there is room to parse and prepare a bundle of that many bytes, which takes many
    /// times its size. A small one finds room always, one beyond `work_bytes_max` when it is alone.
    pub async fn room(&self, bytes: usize) -> Room {
        self.workers.room(bytes).await
    }

    fn bases(&self, version: FhirVersion) -> &Bases {
        match version {
            FhirVersion::Stu3 => &self.bases[0],
            FhirVersion::R4 => &self.bases[1],
        }
    }

    /// The store itself, for administration (tenants, backup, readiness).
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

/// Where a search looks.
#[derive(Debug, Clone)]
pub enum Within {
    /// The whole system.
    System,
    /// One type.
    Type(String),
    /// A compartment: all types (`None`, `*`) or one.
    Compartment {
        /// Whose compartment.
        of: ResourceKey,
        /// The type looked for.
        resource_type: Option<String>,
    },
}

/// One write.
pub enum Write {
    /// Create, with the criteria of `If-None-Exist`.
    Create {
        /// The type in the URL.
        resource_type: String,
        /// The resource.
        resource: Document,
        /// Raw query text of `If-None-Exist`.
        if_none_exist: Option<String>,
    },
    /// Update (or update as create).
    Update {
        /// The resource's place.
        key: ResourceKey,
        /// The resource.
        resource: Document,
        /// Tags of `If-Match`, without `W/` and quotes; empty for none; `*` for any version.
        if_match: Vec<String>,
        /// Whether `If-None-Match: *` was given: only create.
        only_create: bool,
    },
    /// Conditional update.
    UpdateWhere {
        /// The type.
        resource_type: String,
        /// Raw query text.
        criteria: String,
        /// The resource.
        resource: Document,
        /// As in `Update`.
        if_match: Vec<String>,
    },
    /// Delete.
    Delete {
        /// The resource.
        key: ResourceKey,
        /// As in `Update`.
        if_match: Vec<String>,
    },
    /// Conditional delete; of several matches only if `multiple` (see `Settings`).
    DeleteWhere {
        /// The type.
        resource_type: String,
        /// Raw query text.
        criteria: String,
        /// Whether several may go: at most the limit `conditional_delete_max`.
        multiple: bool,
    },
    /// The resource with all its versions goes for good.
    Purge(ResourceKey),
    /// All versions but the newest go.
    PurgeHistory(ResourceKey),
}
