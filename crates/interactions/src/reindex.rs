//! The job that indexes resources anew: every resource of a tenant and version, in order of types
//! and rows, some at a time.

use std::sync::Arc;

use bytes::Bytes;
use fhir::json::{Document, Limits};
use fhir::{Definitions, FhirVersion};
use search::compile::Names;
use search::plan::{After, Filter, Part, Plan, Total};
use store::{
    Action, At, Change, Commit, Expected, JobId, JobState, Progress, Record, Row, StoreError,
    TenantId, TypeNumber, View,
};

use crate::jobs::Running;
use crate::numbers::Unknown;
use crate::prepare::{Context, FoundBy, Links};
use crate::read::record_key;
use crate::space::space_of;
use crate::{InteractionError, Interactions, index};

/// The kind of these jobs.
pub(crate) const KIND: &str = "reindex";

/// The job of a version.
pub(crate) fn id(version: FhirVersion) -> JobId {
    JobId(format!("{KIND}-{}", version.slug()).into())
}

/// Where a job stands: the type and the last row that was done.
struct Place {
    resource_type: &'static str,
    after: Option<Row>,
}

impl Place {
    /// The place that a journal names; the first type where it is empty. `None`: all is done.
    fn of(definitions: &'static Definitions, journal: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(journal).ok()?;
        let Some((name, row)) = text.split_once(' ') else {
            let first = definitions.resources().next()?;
            return Some(Self {
                resource_type: first.name,
                after: None,
            });
        };
        Some(Self {
            resource_type: definitions.resource(name)?.name,
            after: row.parse().ok().map(Row),
        })
    }

    fn journal(&self) -> Bytes {
        let row = self.after.map_or_else(String::new, |it| it.0.to_string());
        format!("{} {row}", self.resource_type).into()
    }

    /// The beginning of the type after this one.
    fn next_type(&self, definitions: &'static Definitions) -> Option<Self> {
        let mut types = definitions.resources().map(|it| it.name);
        types.find(|name| *name == self.resource_type);
        types.next().map(|resource_type| Self {
            resource_type,
            after: None,
        })
    }
}

impl Interactions {
    /// Makes the job of a version, unless it is there.
    pub(crate) async fn begin_reindex(
        &self,
        tenant: &TenantId,
        version: FhirVersion,
    ) -> Result<(), InteractionError> {
        let view = self.store.view(tenant, At::Newest).await?;
        let kinds = self.type_names(tenant).await?.into_keys();
        let parts = kinds.map(part);
        let plan = Plan {
            total: Total::Accurate,
            ..plan(version, parts.collect(), None, 0)
        };
        let total = view.search(&plan).await?.total.unwrap_or_default();
        let progress = Progress {
            done: 0,
            total,
            unit: "resources".into(),
        };
        self.begin_job(tenant, &id(version), KIND, version.slug(), progress)
            .await
    }

    /// Takes the job's next step.
    pub(crate) async fn reindex(&self, running: Running<'_>) -> Result<JobState, InteractionError> {
        let version = FhirVersion::ALL
            .into_iter()
            .find(|it| it.slug() == &*running.job.parameters)
            .ok_or_else(|| InteractionError::internal("a job without a version"))?;
        let definitions = Definitions::of(version);
        let view = self.store.view(running.tenant, At::Newest).await?;
        let mut place = Place::of(definitions, &running.job.journal);
        while let Some(at) = place {
            let rows = self.rows_at(running.tenant, &view, version, &at).await?;
            let Some((_, last)) = rows.last().copied() else {
                place = at.next_type(definitions);
                continue;
            };
            let records = view.read_rows(space_of(version), &rows).await?;
            let records: Vec<Record> = records.into_iter().flatten().collect();
            let changes = self
                .index_changes(running.tenant, version, at.resource_type, &records)
                .await?;
            let mut job = running.job.clone();
            job.state = JobState::Running;
            job.heartbeat = self.clock.now();
            job.progress.done += rows.len() as u64;
            job.journal = Place {
                after: Some(last),
                ..at
            }
            .journal();
            let work = Commit {
                changes,
                ..Commit::default()
            };
            return self.take(&running, work, job).await;
        }
        let mut job = running.job.clone();
        job.state = JobState::Done;
        job.heartbeat = self.clock.now();
        job.outcome = "every search parameter is indexed".into();
        let work = Commit {
            named: vec![index::complete_row(version)],
            ..Commit::default()
        };
        let state = self.take(&running, work, job).await?;
        if state == JobState::Done {
            self.note_complete(running.tenant, version);
        }
        Ok(state)
    }

    /// Commits a step. Where a resource has changed in the meantime, the step is taken again.
    async fn take(
        &self,
        running: &Running<'_>,
        work: Commit,
        job: store::Job,
    ) -> Result<JobState, InteractionError> {
        let commit = running.commit(work, &job);
        match self.store.commit(running.tenant, commit).await {
            Ok(_) => Ok(job.state),
            Err(StoreError::Precondition { .. }) => Ok(JobState::Running),
            Err(error) => Err(error.into()),
        }
    }

    async fn rows_at(
        &self,
        tenant: &TenantId,
        view: &Arc<dyn View>,
        version: FhirVersion,
        at: &Place,
    ) -> Result<Vec<(TypeNumber, Row)>, InteractionError> {
        let names = [at.resource_type];
        let numbers = self
            .store
            .known_numbers(tenant, store::NameKind::Type, &names)
            .await?;
        let Some(kind) = numbers.into_iter().flatten().next() else {
            return Ok(Vec::new());
        };
        let limit = self.settings.job_step_resources.max(1);
        let plan = plan(version, vec![part(TypeNumber(kind))], at.after, limit);
        Ok(view.search(&plan).await?.rows)
    }

    async fn index_changes(
        &self,
        tenant: &TenantId,
        version: FhirVersion,
        resource_type: &str,
        records: &[Record],
    ) -> Result<Vec<Change>, InteractionError> {
        let context = Context {
            version,
            definitions: Definitions::of(version),
            bases: self.bases(version),
            links: &Links::default(),
        };
        let mut found = Vec::with_capacity(records.len());
        for record in records {
            found.push(found_by(&context, resource_type, record)?);
        }
        let mut names = Names::default();
        for it in &found {
            it.names(&mut names);
        }
        let numbers = self.numbers(tenant, &names, Unknown::Numbered).await?;
        let space = space_of(version);
        let change = |(record, it): (&Record, &FoundBy)| Change {
            key: record.key.clone(),
            expected: Expected::Version(record.version),
            action: Action::Index {
                entries: it.entries(space, &numbers),
                references: it.references(space, &numbers),
            },
        };
        Ok(records.iter().zip(&found).map(change).collect())
    }
}

fn found_by(
    context: &Context<'_>,
    resource_type: &str,
    record: &Record,
) -> Result<FoundBy, InteractionError> {
    let damaged = || InteractionError::internal("a stored resource cannot be read");
    let document = Document::parse(record.body.clone(), &Limits::DEFAULT).map_err(|_| damaged())?;
    let key = record_key(resource_type, record).ok_or_else(damaged)?;
    context.found_by(document.root(), &key)
}

fn part(kind: TypeNumber) -> Part {
    Part {
        kind,
        filter: Filter::EVERYTHING,
        sort: Vec::new(),
    }
}

fn plan(version: FhirVersion, parts: Vec<Part>, after: Option<Row>, limit: usize) -> Plan {
    Plan {
        space: space_of(version),
        parts,
        order: Vec::new(),
        after: after.map(|row| After {
            keys: Vec::new(),
            row,
        }),
        not_later_than: None,
        limit,
        total: Total::None,
    }
}
