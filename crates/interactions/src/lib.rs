//! FHIR's interactions as typed functions over a store: what create, conditional update,
//! transaction, history … *mean*, without HTTP.
//!
//! The server, the loader and every agent call these functions, so there is one way to write a
//! resource: each writing interaction becomes one or more [`Write`]s, which are prepared (parsed,
//! validated, extracted) outside any lock and become one store commit. What differs between FHIR
//! versions is in the definitions; nothing here knows HTTP or a provider.
//! <https://hl7.org/fhir/R4/http.html>, <https://hl7.org/fhir/STU3/http.html>

mod answer;
mod bundle;
mod caller;
mod error;
mod settings;

use std::sync::Arc;

pub use answer::{
    Bundle, BundleEntry, Deleted, EntryAnswer, HistoryQuery, HistoryScope, Matched, ReadOutcome,
    Resource, SearchAnswer, SearchMode, Summary, WriteAnswer, WriteEffect,
};
pub use caller::{Caller, ResourceKey};
pub use error::InteractionError;
use fhir::json::Document;
pub use settings::{Integrity, Settings, UpdateAsCreate, Versioning};
use store::Store;

/// The interactions over one store.
pub struct Interactions {
    store: Arc<dyn Store>,
    settings: Settings,
}

impl Interactions {
    /// Interactions over that store.
    pub fn new(store: Arc<dyn Store>, settings: Settings) -> Self {
        Self { store, settings }
    }

    /// The store itself, for administration (tenants, backup, readiness).
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Read: the newest version; a deleted one is [`ReadOutcome::Deleted`].
    /// <https://hl7.org/fhir/R4/http.html#read>
    pub async fn read(
        &self,
        caller: &Caller,
        key: &ResourceKey,
    ) -> Result<ReadOutcome, InteractionError> {
        unimplemented!()
    }

    /// Vread: one version (`version` as the client wrote it; what is no version id is not found).
    pub async fn vread(
        &self,
        caller: &Caller,
        key: &ResourceKey,
        version: &str,
    ) -> Result<ReadOutcome, InteractionError> {
        unimplemented!()
    }

    /// Does one write as a commit of its own.
    pub async fn write(
        &self,
        caller: &Caller,
        write: Write,
    ) -> Result<WriteAnswer, InteractionError> {
        unimplemented!()
    }

    /// Batch or transaction, by `Bundle.type`: the entries' answers in the order of the request.
    /// A transaction that fails fails whole, naming entries in the issues' expressions
    /// (`Bundle.entry[3].resource…`).
    pub async fn bundle(
        &self,
        caller: &Caller,
        bundle: Document,
    ) -> Result<Bundle, InteractionError> {
        unimplemented!()
    }

    /// History of a resource, a type or everything.
    pub async fn history(
        &self,
        caller: &Caller,
        query: HistoryQuery,
    ) -> Result<SearchAnswer, InteractionError> {
        unimplemented!()
    }

    /// Search in a type, in all types, or in a compartment.
    /// `query` is the raw query text (percent-encoded, as in a URL or a form).
    pub async fn search(
        &self,
        caller: &Caller,
        within: Within,
        query: &str,
        handling: Handling,
    ) -> Result<SearchAnswer, InteractionError> {
        unimplemented!()
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

/// `Prefer: handling=…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Handling {
    /// What is unknown is an error.
    #[default]
    Strict,
    /// What is unknown is ignored and reported in the result.
    Lenient,
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
