//! Read and vread. <https://hl7.org/fhir/R4/http.html#read>, <https://hl7.org/fhir/R4/http.html#vread>

use std::sync::Arc;

use fhir::{Fault, Instant, Issue, ResourceId, VersionId};
use store::{At, NameKind, Operation, Record, RecordKey, TypeNumber, VersionNumber, View};

use crate::space::space_of;
use crate::{Caller, Deleted, InteractionError, Interactions, ReadOutcome, Resource, ResourceKey};

impl Interactions {
    /// Read: the newest version; a deleted one is [`ReadOutcome::Deleted`].
    /// <https://hl7.org/fhir/R4/http.html#read>
    pub async fn read(
        &self,
        caller: &Caller,
        key: &ResourceKey,
    ) -> Result<ReadOutcome, InteractionError> {
        let view = self.store.view(&caller.tenant, At::Newest).await?;
        self.read_in(caller, &view, key).await
    }

    /// Vread: one version (`version` as the client wrote it; what is no version id is not found).
    /// <https://hl7.org/fhir/R4/http.html#vread>
    pub async fn vread(
        &self,
        caller: &Caller,
        key: &ResourceKey,
        version: &str,
    ) -> Result<ReadOutcome, InteractionError> {
        let view = self.store.view(&caller.tenant, At::Newest).await?;
        self.vread_in(caller, &view, key, version).await
    }

    pub(crate) async fn read_in(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        key: &ResourceKey,
    ) -> Result<ReadOutcome, InteractionError> {
        let record = self.newest_visible(caller, view, key).await?;
        record
            .map(|it| outcome(key.clone(), it))
            .ok_or_else(|| not_found(key).into())
    }

    pub(crate) async fn vread_in(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        key: &ResourceKey,
        version: &str,
    ) -> Result<ReadOutcome, InteractionError> {
        let version = VersionId::parse(version).ok();
        let record = match (self.known_key(caller, key).await?, version) {
            (Some(record_key), Some(version)) => {
                let version = VersionNumber(version.0);
                let record = view.read_version(&record_key, version).await?;
                let records = record.into_iter().collect();
                self.only_visible(caller, view, records).await?.pop()
            }
            _ => None,
        };
        record.map(|it| outcome(key.clone(), it)).ok_or_else(|| {
            let what = format!("there is no such version of this `{}`", key.resource_type);
            Issue::error(Fault::NotFound, what).into()
        })
    }

    /// The newest version of a resource, which may be a deletion, if the caller may see it.
    pub(crate) async fn newest_visible(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        key: &ResourceKey,
    ) -> Result<Option<Record>, InteractionError> {
        let Some(record_key) = self.known_key(caller, key).await? else {
            return Ok(None);
        };
        let records = view.read(&[record_key]).await?;
        let records = records.into_iter().flatten().collect();
        Ok(self.only_visible(caller, view, records).await?.pop())
    }

    /// The record's key, if the tenant's dictionary knows its type.
    pub(crate) async fn known_key(
        &self,
        caller: &Caller,
        key: &ResourceKey,
    ) -> Result<Option<RecordKey>, InteractionError> {
        let names = [&*key.resource_type];
        let numbers = self
            .store
            .known_numbers(&caller.tenant, NameKind::Type, &names);
        let number = numbers.await?.into_iter().flatten().next();
        Ok(number.map(|number| RecordKey {
            space: space_of(caller.version),
            kind: TypeNumber(number),
            id: key.id.as_str().into(),
        }))
    }
}

pub(crate) fn not_found(key: &ResourceKey) -> Issue {
    Issue::error(
        Fault::NotFound,
        format!("there is no such `{}`", key.resource_type),
    )
}

/// What a record is called in FHIR. Every record's id was a resource's id when it was written.
pub(crate) fn record_key(resource_type: &str, record: &Record) -> Option<ResourceKey> {
    let id = ResourceId::parse(&record.key.id.0).ok()?;
    Some(ResourceKey {
        resource_type: resource_type.into(),
        id,
    })
}

/// A record as a read shows it.
pub(crate) fn outcome(key: ResourceKey, record: Record) -> ReadOutcome {
    let (version, last_updated) = (VersionId(record.version.0), instant(record.time));
    match record.operation {
        Operation::Delete => ReadOutcome::Deleted(Deleted {
            key,
            version,
            last_updated,
        }),
        _ => ReadOutcome::Found(Resource {
            key,
            version,
            last_updated,
            body: record.body,
        }),
    }
}

/// A live record as a resource.
pub(crate) fn resource(key: ResourceKey, record: Record) -> Resource {
    Resource {
        key,
        version: VersionId(record.version.0),
        last_updated: instant(record.time),
        body: record.body,
    }
}

/// The store's time as FHIR's.
pub(crate) fn instant(time: store::Instant) -> Instant {
    Instant::from_micros(time.0)
}

/// Whether the record is there and not deleted.
pub(crate) fn is_live(record: &Record) -> bool {
    record.operation != Operation::Delete
}
