//! Where a load goes: straight into a store through `interactions`, or to a server ([`super::http`]).

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use fhir::json::Document;
use fhir::{FhirVersion, Issue};
use interactions::{Caller, EntryAnswer, Handling, InteractionError, Interactions, WriteEffect};
use sha2::{Digest, Sha256};
use store::{Origin, TenantId};

/// The loader's number in the ledger.
pub const LOADER: Origin = Origin(2);

/// What became of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loaded {
    /// A resource of this type was stored, or was there already.
    Stored {
        /// Its type.
        resource_type: String,
        /// Whether it is new, changed or was there.
        effect: Effect,
    },
    /// Something else was done (a deletion, a read).
    Done,
    /// The entry was refused, with an OperationOutcome (a batch's entries fail one by one).
    Refused(String),
}

/// What storing did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// It is new.
    Created,
    /// It has a new version.
    Updated,
    /// The same content, or `ifNoneExist` found it.
    Unchanged,
}

/// Why a unit was not stored.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It was refused, with this OperationOutcome.
    #[error("refused")]
    Refused(String),
    /// The target cannot be reached or cannot take anything now, even after retries.
    #[error("{0}")]
    Unavailable(String),
}

/// A run of a load, while unfinished.
pub use interactions::load_run::LoadRun;

/// Where a load goes.
#[async_trait]
pub trait Target: Send + Sync {
    /// The FHIR version it stores.
    fn version(&self) -> FhirVersion;

    /// Keeps runs through different ways apart, since they use different callers' keys.
    fn way(&self) -> &'static str;

    /// Begins the run of these files, or takes up an unfinished one.
    async fn begin(&self, fingerprint: &str) -> Result<LoadRun, Refusal>;

    /// Notes progress durably.
    async fn note(&self, run: &LoadRun) -> Result<(), Refusal>;

    /// Ends the run: the next one of the same files is a new load.
    async fn finish(&self, run: &LoadRun) -> Result<(), Refusal>;

    /// Sends a bundle under a key: sending it again does nothing and answers the same.
    async fn send(&self, bundle: Bytes, key: &str) -> Result<Vec<Loaded>, Refusal>;
}

/// A store in this process.
pub struct Direct {
    /// The interactions over it.
    pub interactions: Arc<Interactions>,
    /// The tenant to load into.
    pub tenant: TenantId,
    /// The FHIR version.
    pub version: FhirVersion,
    /// How strictly content is taken.
    pub handling: Handling,
    /// Makes an OperationOutcome of issues.
    pub render: fn(FhirVersion, &[Issue]) -> String,
}

impl Direct {
    fn refuse(&self, error: &InteractionError) -> Refusal {
        let unavailable = error.issues.first().is_some_and(|issue| {
            matches!(
                issue.fault,
                fhir::Fault::Unavailable | fhir::Fault::StorageFull
            )
        });
        if unavailable {
            return Refusal::Unavailable(error.to_string());
        }
        Refusal::Refused((self.render)(self.version, &error.issues))
    }

    fn loaded(&self, answer: Result<EntryAnswer, InteractionError>) -> Loaded {
        let written = match answer {
            Ok(EntryAnswer::Written(written)) => written,
            Ok(_) => return Loaded::Done,
            Err(error) => return Loaded::Refused((self.render)(self.version, &error.issues)),
        };
        let effect = match written.effect {
            WriteEffect::Created => Effect::Created,
            WriteEffect::Updated => Effect::Updated,
            WriteEffect::Unchanged => Effect::Unchanged,
            _ => return Loaded::Done,
        };
        let resource_type = written
            .resource
            .map_or_else(String::new, |it| it.key.resource_type.into());
        Loaded::Stored {
            resource_type,
            effect,
        }
    }
}

#[async_trait]
impl Target for Direct {
    fn version(&self) -> FhirVersion {
        self.version
    }

    fn way(&self) -> &'static str {
        "direct"
    }

    async fn begin(&self, fingerprint: &str) -> Result<LoadRun, Refusal> {
        let run = self
            .interactions
            .begin_load(&self.tenant, fingerprint)
            .await;
        run.map_err(|error| self.refuse(&error))
    }

    async fn note(&self, run: &LoadRun) -> Result<(), Refusal> {
        let noted = self.interactions.note_load(&self.tenant, run).await;
        noted.map_err(|error| self.refuse(&error))
    }

    async fn finish(&self, run: &LoadRun) -> Result<(), Refusal> {
        let finished = self.interactions.finish_load(&self.tenant, run).await;
        finished.map_err(|error| self.refuse(&error))
    }

    async fn send(&self, bundle: Bytes, key: &str) -> Result<Vec<Loaded>, Refusal> {
        let hash = Sha256::digest(&bundle).into();
        let _room = self.interactions.room(bundle.len()).await;
        let document = Document::parse(bundle, &super::LIMITS).map_err(|error| {
            Refusal::Refused((self.render)(self.version, &[Issue::from(&error)]))
        })?;
        let caller = Caller {
            tenant: self.tenant.clone(),
            version: self.version,
            identity: "loader".into(),
            origin: LOADER,
            idempotency: Some((key.into(), hash)),
            handling: self.handling,
            visibility: Arc::default(),
        };
        let answer = self.interactions.bundle(&caller, document).await;
        let bundle = answer.map_err(|error| self.refuse(&error))?;
        Ok(bundle
            .entries
            .into_iter()
            .map(|entry| self.loaded(entry.answer))
            .collect())
    }
}
