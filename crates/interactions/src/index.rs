//! Which slots of a tenant hold the values of every resource.
//!
//! A directory of another build has slots that this one does not fill any more, and lacks some that
//! it searches in. The tenant's row says which are complete; the others are filled by a job
//! ([`crate::reindex`]), and a search that needs one of them says how far that is.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use fhir::{Definitions, Fault, FhirVersion, Issue};
use search::registry::Registry;
use store::{
    At, Commit, JobState, NamedChange, NamedExpected, NamedKey, Position, Precondition, StoreError,
    TenantId,
};
use xxhash_rust::xxh3::xxh3_64;

use crate::{Caller, InteractionError, Interactions, reindex};

/// The names of slots.
type Slots = HashSet<&'static str>;

/// The incomplete slots of the tenants that were asked for, by version.
type Known = HashMap<(TenantId, FhirVersion), Arc<Slots>>;

/// What is known of the tenants' slots.
#[derive(Default)]
pub(crate) struct Indexes {
    known: Mutex<Known>,
}

impl Interactions {
    /// Refuses a search that needs slots which are not complete yet.
    pub(crate) async fn require_indexed(
        &self,
        caller: &Caller,
        slots: &BTreeSet<&str>,
    ) -> Result<(), InteractionError> {
        let (tenant, version) = (&caller.tenant, caller.version);
        let incomplete = self.incomplete(tenant, version).await?;
        if incomplete.is_empty() || !slots.iter().any(|it| incomplete.contains(it)) {
            return Ok(());
        }
        let what = "a search parameter of this query is being indexed";
        let issue = Issue::error(Fault::Unavailable, what);
        if !caller.visibility.is_everything() {
            // The progress counts what the caller may not see.
            return Err(issue.mend("ask again later").into());
        }
        let progress = self.reindex_progress(tenant, version).await?;
        Err(issue.mend(format!("ask again later: {progress}")).into())
    }

    /// Begins to fill what an older build has left of a tenant's slots.
    pub async fn begin_indexing(&self, tenant: &TenantId) -> Result<(), InteractionError> {
        let view = self.store.view(tenant, At::Newest).await?;
        if view.position() == Position(0) {
            return Ok(());
        }
        for version in FhirVersion::ALL {
            self.incomplete(tenant, version).await?;
        }
        Ok(())
    }

    /// The slots of a tenant that are not complete; begins their job where there are any.
    pub(crate) async fn incomplete(
        &self,
        tenant: &TenantId,
        version: FhirVersion,
    ) -> Result<Arc<Slots>, InteractionError> {
        let key = (tenant.clone(), version);
        let known = self.indexes.known().get(&key).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let incomplete = Arc::new(self.find_incomplete(tenant, version).await?);
        if !incomplete.is_empty() {
            self.begin_reindex(tenant, version).await?;
        }
        self.indexes.known().insert(key, Arc::clone(&incomplete));
        Ok(incomplete)
    }

    async fn find_incomplete(
        &self,
        tenant: &TenantId,
        version: FhirVersion,
    ) -> Result<Slots, InteractionError> {
        let view = self.store.view(tenant, At::Newest).await?;
        let row = view.named(&[key(version)]).await?.pop().flatten();
        let slots = slots(version);
        if let Some(row) = row {
            let complete = decode(&row.value);
            let is_complete = |it: &&&str| complete.contains(&hash(it));
            return Ok(slots
                .iter()
                .filter(|it| !is_complete(it))
                .copied()
                .collect());
        }
        if view.position() > Position(0) {
            return Ok(slots);
        }
        // Nothing was ever written: what is written from now on is in every slot of each version.
        let absent = |version| Precondition::Named {
            key: key(version),
            expected: NamedExpected::Absent,
        };
        let commit = Commit {
            named: FhirVersion::ALL.map(complete_row).into(),
            preconditions: FhirVersion::ALL.map(absent).into(),
            ..Commit::default()
        };
        match self.store.commit(tenant, commit).await {
            Ok(_) | Err(StoreError::Precondition { .. }) => Ok(HashSet::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// Says that everything is complete, after the commit that made it so.
    pub(crate) fn note_complete(&self, tenant: &TenantId, version: FhirVersion) {
        let key = (tenant.clone(), version);
        self.indexes.known().insert(key, Arc::default());
    }

    /// Deletes a tenant with everything in it.
    pub async fn delete_tenant(&self, tenant: &TenantId) -> Result<(), StoreError> {
        self.store.delete_tenant(tenant).await?;
        // Its name may be given to another.
        self.indexes.known().retain(|(it, _), _| it != tenant);
        self.definitions.forget(tenant);
        self.news.tell(tenant, None);
        Ok(())
    }

    async fn reindex_progress(
        &self,
        tenant: &TenantId,
        version: FhirVersion,
    ) -> Result<String, InteractionError> {
        let id = reindex::id(version);
        let jobs = self.jobs(tenant).await?;
        let job = jobs.into_iter().find(|it| it.0 == id);
        Ok(job.map_or_else(String::new, |(_, job)| {
            let progress = job.progress;
            let standing = match job.state {
                JobState::Cancelled | JobState::Failed => {
                    format!("; the job is {}", job.state.name())
                }
                JobState::Waiting | JobState::Running | JobState::Done => String::new(),
            };
            format!(
                "{} of {} {} are done{standing}",
                progress.done, progress.total, progress.unit
            )
        }))
    }
}

impl Indexes {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(version: FhirVersion) -> NamedKey {
    NamedKey(format!("index/{}", version.slug()).into())
}

/// The row that says that every slot of today is complete.
pub(crate) fn complete_row(version: FhirVersion) -> NamedChange {
    let mut hashes: Vec<u64> = slots(version).into_iter().map(hash).collect();
    hashes.sort_unstable();
    NamedChange::Put {
        key: key(version),
        value: hashes.iter().flat_map(|it| it.to_be_bytes()).collect(),
        expires: None,
    }
}

fn decode(value: &Bytes) -> HashSet<u64> {
    let hashes = value.as_chunks::<8>().0.iter();
    hashes.map(|it| u64::from_be_bytes(*it)).collect()
}

fn slots(version: FhirVersion) -> Slots {
    let registry = Registry::of(version);
    let types = Definitions::of(version).resources();
    let slots = types.flat_map(|it| {
        let own = registry.slots(it.name).iter();
        own.chain(registry.contained_slots(it.name))
    });
    slots.map(|it| it.0).collect()
}

fn hash(slot: &str) -> u64 {
    xxh3_64(slot.as_bytes())
}
