//! The job table: what long work there is, how far it is, and taking its next step.
//!
//! A step is one commit of the work and the job's row together. The row is also the step's
//! precondition, so that two processes never take the same step.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use fhir::{Fault, Issue};
use store::{
    At, Commit, Job, JobId, JobState, NamedChange, NamedExpected, Precondition, Progress,
    StoreError, TenantId,
};
use tokio::sync::Notify;

use crate::{InteractionError, Interactions, reindex};

/// Jobs shown of one tenant.
const JOBS_MAX: usize = 1_000;

/// A job as its step found it.
pub(crate) struct Running<'j> {
    pub(crate) tenant: &'j TenantId,
    pub(crate) id: &'j JobId,
    pub(crate) job: Job,
    /// The state of its row: a step is taken only from there.
    revision: u64,
}

type Step = for<'s> fn(
    &'s Interactions,
    Running<'s>,
) -> Pin<
    Box<dyn Future<Output = Result<JobState, InteractionError>> + Send + 's>,
>;

/// The kinds of jobs, each with what takes its next step.
const KINDS: &[(&str, Step)] = &[(reindex::KIND, |it, running| Box::pin(it.reindex(running)))];

/// The tenants that have jobs to work on.
#[derive(Default)]
pub(crate) struct Work {
    tenants: Mutex<BTreeSet<TenantId>>,
    begun: Notify,
}

impl Work {
    fn tenants(&self) -> MutexGuard<'_, BTreeSet<TenantId>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running<'_> {
    /// The commit of a step: its work, and the job as it is afterwards.
    pub(crate) fn commit(&self, work: Commit, job: &Job) -> Commit {
        let mut commit = work;
        commit.named.push(put(self.id, job));
        commit.preconditions.push(Precondition::Named {
            key: self.id.key(),
            expected: NamedExpected::Revision(self.revision),
        });
        commit
    }
}

impl Interactions {
    /// The tenant's jobs, by id.
    pub async fn jobs(&self, tenant: &TenantId) -> Result<Vec<(JobId, Job)>, InteractionError> {
        let view = self.store.view(tenant, At::Newest).await?;
        let rows = view
            .named_with_prefix(JobId::PREFIX, None, JOBS_MAX)
            .await?;
        let job = |(key, row): &(store::NamedKey, store::NamedRow)| {
            Some((JobId::of_key(key)?, Job::decode(&row.value)?))
        };
        Ok(rows.iter().filter_map(job).collect())
    }

    /// One of the tenant's jobs.
    pub async fn job_of(
        &self,
        tenant: &TenantId,
        id: &JobId,
    ) -> Result<Option<Job>, InteractionError> {
        Ok(self.job(tenant, id).await?.map(|it| it.job))
    }

    /// Ends a job that is not done; what it has done stays. `None` if there is no such job.
    pub async fn cancel_job(
        &self,
        tenant: &TenantId,
        id: &JobId,
    ) -> Result<Option<Job>, InteractionError> {
        self.turn_job(tenant, id, |job| match job.state {
            JobState::Waiting | JobState::Running => Ok(JobState::Cancelled),
            JobState::Done | JobState::Failed | JobState::Cancelled => {
                let what = format!("the job is {}", job.state.name());
                Err(Issue::error(Fault::Conflict, what))
            }
        })
        .await
    }

    /// Lets a job that was cancelled or has failed go on from where it stood.
    pub async fn resume_job(
        &self,
        tenant: &TenantId,
        id: &JobId,
    ) -> Result<Option<Job>, InteractionError> {
        let resumed = self.turn_job(tenant, id, |job| match job.state {
            JobState::Cancelled | JobState::Failed => Ok(JobState::Waiting),
            JobState::Waiting | JobState::Running | JobState::Done => {
                let what = format!("the job is {}", job.state.name());
                Err(Issue::error(Fault::Conflict, what))
            }
        });
        let resumed = resumed.await?;
        if resumed.is_some() {
            self.begin_work(tenant.clone());
        }
        Ok(resumed)
    }

    /// Gives a job another state, from whatever row it has by then.
    async fn turn_job(
        &self,
        tenant: &TenantId,
        id: &JobId,
        turned: impl Fn(&Job) -> Result<JobState, Issue>,
    ) -> Result<Option<Job>, InteractionError> {
        // Its worker writes the row as well, with every step.
        for _ in 0..=self.settings.stale_retries_max {
            let Some(running) = self.job(tenant, id).await? else {
                return Ok(None);
            };
            let state = turned(&running.job)?;
            let job = Job {
                state,
                ..running.job.clone()
            };
            let commit = running.commit(Commit::default(), &job);
            match self.store.commit(tenant, commit).await {
                Ok(_) => return Ok(Some(job)),
                Err(StoreError::Precondition { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let issue = Issue::error(Fault::Conflict, "the job is being worked on");
        Err(issue.mend("try again").into())
    }

    /// Makes a job, unless there is an open one of that id.
    pub(crate) async fn begin_job(
        &self,
        tenant: &TenantId,
        id: &JobId,
        kind: &str,
        parameters: &str,
        progress: Progress,
    ) -> Result<(), InteractionError> {
        let known = self.job(tenant, id).await?;
        if known.as_ref().is_some_and(|it| it.job.state.is_open()) {
            return Ok(());
        }
        let now = self.clock.now();
        let job = Job {
            kind: kind.into(),
            parameters: parameters.into(),
            state: JobState::Waiting,
            progress,
            created: now,
            heartbeat: now,
            outcome: "".into(),
            journal: Bytes::new(),
        };
        let expected = known.map_or(NamedExpected::Absent, |it| {
            NamedExpected::Revision(it.revision)
        });
        let commit = Commit {
            named: vec![put(id, &job)],
            preconditions: vec![Precondition::Named {
                key: id.key(),
                expected,
            }],
            ..Commit::default()
        };
        match self.store.commit(tenant, commit).await {
            // Somebody else was first: that job is the job.
            Ok(_) | Err(StoreError::Precondition { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        self.begin_work(tenant.clone());
        Ok(())
    }

    /// Says that there is a job to work on.
    pub fn begin_work(&self, tenant: TenantId) {
        self.work.tenants().insert(tenant);
        self.work.begun.notify_one();
    }

    /// Waits for tenants with jobs to work on.
    pub async fn tenants_with_work(&self) -> Vec<TenantId> {
        loop {
            let tenants = std::mem::take(&mut *self.work.tenants());
            if !tenants.is_empty() {
                return tenants.into_iter().collect();
            }
            self.work.begun.notified().await;
        }
    }

    /// Takes a job's next step; `None` if there is no such job. A job that fails is marked so.
    pub async fn step(
        &self,
        tenant: &TenantId,
        id: &JobId,
    ) -> Result<Option<JobState>, InteractionError> {
        let Some(running) = self.job(tenant, id).await? else {
            return Ok(None);
        };
        if !running.job.state.is_open() {
            return Ok(Some(running.job.state));
        }
        let Some((_, step)) = KINDS.iter().find(|it| it.0 == &*running.job.kind) else {
            let issue = Issue::error(Fault::Internal, "a job of an unknown kind");
            return Err(issue.into());
        };
        step(self, running).await.map(Some)
    }

    async fn job<'j>(
        &self,
        tenant: &'j TenantId,
        id: &'j JobId,
    ) -> Result<Option<Running<'j>>, InteractionError> {
        let view = self.store.view(tenant, At::Newest).await?;
        let Some(row) = view.named(&[id.key()]).await?.pop().flatten() else {
            return Ok(None);
        };
        let job = Job::decode(&row.value)
            .ok_or_else(|| InteractionError::internal("the row of a job is damaged"))?;
        let revision = row.revision;
        Ok(Some(Running {
            tenant,
            id,
            job,
            revision,
        }))
    }
}

fn put(id: &JobId, job: &Job) -> NamedChange {
    NamedChange::Put {
        key: id.key(),
        value: job.encode(),
        expires: None,
    }
}
