//! The one way to write: a job is checked, decided, prepared, committed and answered.
//!
//! Checking and preparing run outside any lock, on blocking threads where there is much to do. What
//! was overtaken by another commit is decided again, `stale_retries_max` times, the last time alone.

use std::sync::Arc;

use fhir::json::Value;
use fhir::{Definitions, Issue, Severity};
use store::{At, Commit, Committed, Idempotency, IdempotencyKey, PreconditionFailure, StoreError};

use crate::answer::WriteAnswer;
use crate::draft::Draft;
use crate::job::{Job, Task};
use crate::notes::Note;
use crate::prepare::{self, Checked, Context, Prepared};
use crate::resolve::{Decision, Resolved};
use crate::{Caller, InteractionError, Interactions, Write, lenience};

impl Interactions {
    /// Does one write as a commit of its own.
    pub async fn write(
        &self,
        caller: &Caller,
        write: Write,
    ) -> Result<WriteAnswer, InteractionError> {
        let mut answers = self
            .apply(caller, Arc::new(Job::of(caller, write)?))
            .await?;
        Ok(answers.remove(0))
    }

    /// Does all writes of a job as one commit; an answer for each, in the order of the tasks.
    pub(crate) async fn apply(
        &self,
        caller: &Caller,
        job: Arc<Job>,
    ) -> Result<Vec<WriteAnswer>, InteractionError> {
        let key = idempotency_key(caller);
        let _turn = match &key {
            Some(key) => Some(self.turns.of_key(&caller.tenant, key).await),
            None => None,
        };
        if let (Some(key), Some((_, hash))) = (&key, &caller.idempotency)
            && let Some(done) = self.store.committed(&caller.tenant, key, hash).await?
        {
            return self.answer_again(caller, &done).await;
        }
        let checked = Arc::new(self.check(caller, &job).await?);
        let mut attempt = 0;
        loop {
            let alone = attempt == self.settings.stale_retries_max;
            match self.attempt(caller, &job, &checked, alone).await {
                Err(Refusal::Overtaken(_)) if !alone => attempt += 1,
                Err(Refusal::Overtaken(error) | Refusal::Final(error)) => return Err(error),
                Ok(answers) => return Ok(answers),
            }
        }
    }

    async fn attempt(
        &self,
        caller: &Caller,
        job: &Arc<Job>,
        checked: &Arc<Vec<Checked>>,
        alone: bool,
    ) -> Result<Vec<WriteAnswer>, Refusal> {
        let _turn = self.turns.of_tenant(&caller.tenant, alone).await;
        let view = self
            .store
            .view(&caller.tenant, At::Newest)
            .await
            .map_err(InteractionError::from)?;
        let resolved = Arc::new(self.resolve(caller, &view, job, checked).await?);
        drop(view);
        let prepared = self.prepare(caller, job, &resolved).await?;
        let draft = self.draft(caller, &job.tasks, &resolved, prepared).await?;
        let Draft {
            mut commit,
            owners,
            notes,
            held,
        } = draft;
        commit.named.extend(job.beside.named.iter().cloned());
        commit
            .preconditions
            .extend(job.beside.preconditions.iter().cloned());
        commit.idempotency = idempotency_key(caller)
            .zip(caller.idempotency.as_ref())
            .map(|(key, (_, request_hash))| Idempotency {
                key,
                request_hash: *request_hash,
                notes: Note::encode(&notes),
            });
        let done = self.commit_as_seen(caller, commit, job, &owners).await?;
        if done.repeated {
            return Ok(self.answer_again(caller, &done).await?);
        }
        let answers = notes.into_iter().zip(held).zip(checked.iter());
        let answer = |((note, held), checked): ((Note, _), &Checked)| WriteAnswer {
            issues: checked.issues.clone(),
            ..note.answer(&done, held)
        };
        Ok(answers.map(answer).collect())
    }

    /// Commits what the caller may see the effects of.
    async fn commit_as_seen(
        &self,
        caller: &Caller,
        mut commit: Commit,
        job: &Job,
        owners: &[usize],
    ) -> Result<Committed, Refusal> {
        if caller.visibility.is_everything() {
            let done = self.commit(caller, commit).await;
            return done.map_err(|error| Refusal::of(&error, job, owners));
        }
        self.without_hidden_targets(caller, &mut commit).await?;
        let error = match self.commit(caller, commit.clone()).await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        match self.refusal_as_seen(caller, &commit, &error).await? {
            Some(issue) => Err(Refusal::Final(placed(issue.into(), &error, job, owners))),
            None => Err(Refusal::of(&error, job, owners)),
        }
    }

    /// Commits, unless there is nothing to commit: then the view that was decided upon is enough.
    async fn commit(&self, caller: &Caller, commit: Commit) -> Result<Committed, StoreError> {
        let is_empty = commit.changes.is_empty() && commit.named.is_empty();
        if !is_empty || commit.idempotency.is_some() {
            return self.store.commit(&caller.tenant, commit).await;
        }
        Ok(Committed {
            transaction: 0,
            time: store::Instant(0),
            written: Vec::new(),
            notes: bytes::Bytes::new(),
            repeated: false,
        })
    }

    /// The answers of a commit that was done before, under the same key.
    async fn answer_again(
        &self,
        caller: &Caller,
        done: &Committed,
    ) -> Result<Vec<WriteAnswer>, InteractionError> {
        let view = self.store.view(&caller.tenant, At::Newest).await?;
        let notes = Note::decode(&done.notes)
            .ok_or_else(|| InteractionError::internal("a remembered commit's notes are damaged"))?;
        let mut answers = Vec::with_capacity(notes.len());
        for note in notes {
            let held = match note.version(done) {
                Some((key, version)) => match self.known_key(caller, key).await? {
                    Some(key) => view.read_version(&key, version).await?,
                    None => None,
                },
                None => None,
            };
            let held = match (&note, held) {
                // What the commit wrote is the caller's own; what it found may be hidden by now.
                (Note::Kept(..), Some(it)) => {
                    self.only_visible(caller, &view, vec![it]).await?.pop()
                }
                (_, held) => held,
            };
            answers.push(note.answer(done, held.map(Into::into)));
        }
        Ok(answers)
    }

    async fn check(
        &self,
        caller: &Caller,
        job: &Arc<Job>,
    ) -> Result<Vec<Checked>, InteractionError> {
        let definitions = Definitions::of(caller.version);
        let issues_max = self.settings.issues_max;
        let (rules, mended) = (lenience::rules(caller), Arc::clone(&job.mended));
        let check = move |_, task: &Task, resource: Option<Value<'_>>| {
            let mut checked = prepare::check(definitions, task, resource, issues_max, rules);
            checked
                .issues
                .extend(lenience::at(&mended, &task.place).cloned());
            checked
        };
        let checked = self.workers.spread(job, check).await?;
        let issues = checked.iter().flat_map(|it| &it.issues);
        let is_refusal = |it: &Issue| matches!(it.severity, Severity::Error | Severity::Fatal);
        if issues.clone().any(is_refusal) {
            let told: Vec<Issue> = issues.take(issues_max).cloned().collect();
            return Err(told.into());
        }
        Ok(checked)
    }

    async fn prepare(
        &self,
        caller: &Caller,
        job: &Arc<Job>,
        resolved: &Arc<Resolved>,
    ) -> Result<Vec<Option<Prepared>>, InteractionError> {
        let (version, this, resolved) = (caller.version, self.clone(), Arc::clone(resolved));
        let prepare = move |at: usize, task: &Task, resource: Option<Value<'_>>| {
            let (Decision::Put { key, current, .. }, Some(resource)) =
                (&resolved.decisions[at], resource)
            else {
                return Ok(None);
            };
            let context = Context {
                version,
                definitions: Definitions::of(version),
                bases: this.bases(version),
                links: &resolved.links,
            };
            context
                .prepare(task, resource, key, current.as_ref())
                .map(Some)
        };
        self.workers
            .spread(job, prepare)
            .await?
            .into_iter()
            .collect()
    }
}

/// Why an attempt failed.
enum Refusal {
    /// Another commit came between: decide again.
    Overtaken(InteractionError),
    /// For good.
    Final(InteractionError),
}

impl From<InteractionError> for Refusal {
    fn from(error: InteractionError) -> Self {
        Self::Final(error)
    }
}

impl Refusal {
    /// A commit's error, placed at the entry whose change failed.
    fn of(error: &StoreError, job: &Job, owners: &[usize]) -> Self {
        let is_overtaken = match error {
            StoreError::Stale => true,
            StoreError::Precondition { failure, .. } => is_overtaken(*failure),
            _ => false,
        };
        let refused = placed(error.into(), error, job, owners);
        if is_overtaken {
            Self::Overtaken(refused)
        } else {
            Self::Final(refused)
        }
    }
}

/// The refusal, placed at the entry whose change failed.
fn placed(
    refusal: InteractionError,
    error: &StoreError,
    job: &Job,
    owners: &[usize],
) -> InteractionError {
    let StoreError::Precondition {
        change: Some(change),
        ..
    } = error
    else {
        return refusal;
    };
    match owners.get(*change).and_then(|it| job.tasks.get(*it)) {
        Some(task) => refusal.within(&task.place),
        None => refusal,
    }
}

fn is_overtaken(failure: PreconditionFailure) -> bool {
    !matches!(
        failure,
        PreconditionFailure::BrokenReference | PreconditionFailure::Referenced
    )
}

fn idempotency_key(caller: &Caller) -> Option<IdempotencyKey> {
    let (key, _) = caller.idempotency.as_ref()?;
    Some(IdempotencyKey {
        caller: caller.identity.clone(),
        key: key.clone(),
    })
}
