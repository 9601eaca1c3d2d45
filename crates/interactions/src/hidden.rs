//! Writes of callers who do not see everything.
//!
//! What they do not see counts as not stored, with one exception, or they would destroy it: a write
//! to a resource that is there but hidden, and a delete that would break a hidden reference, are
//! refused, both in the same words.

use std::collections::HashSet;
use std::sync::Arc;

use fhir::{Fault, FhirVersion, Issue};
use search::compile::Names;
use store::{
    Action, At, Commit, Precondition, PreconditionFailure, Record, RecordId, RecordKey, StoreError,
    View,
};

use crate::job::{Intent, Job, Task};
use crate::numbers::Unknown;
use crate::prepare::Checked;
use crate::read::is_live;
use crate::space::space_of;
use crate::{Caller, InteractionError, Interactions, ResourceKey};

/// Referrers that are looked at at a time.
const REFERRERS_AT_ONCE: usize = 1_000;

/// The one refusal: it does not tell which of its reasons there is.
pub(crate) fn forbidden() -> Issue {
    Issue::error(Fault::Forbidden, "this change is not permitted")
}

impl Interactions {
    /// The resources that writes of the job may concern by their ids, and that are there (or
    /// deleted) but hidden.
    pub(crate) async fn hidden_targets(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        job: &Job,
        checked: &[Checked],
    ) -> Result<HashSet<ResourceKey>, InteractionError> {
        if caller.visibility.is_everything() {
            return Ok(HashSet::new());
        }
        let tasks = job.tasks.iter().zip(checked);
        let named: Vec<ResourceKey> = tasks
            .filter_map(|(task, checked)| target(caller.version, task, checked))
            .collect();
        let mut names = Names::default();
        names
            .types
            .extend(named.iter().map(|it| &*it.resource_type));
        let numbers = self.numbers(&caller.tenant, &names, Unknown::LeftOut);
        let numbers = numbers.await?;
        let space = space_of(caller.version);
        let keyed = named.iter().filter_map(|it| {
            let key = numbers.key(space, &it.resource_type, it.id.as_str())?;
            Some((it, key))
        });
        let (named, keys): (Vec<&ResourceKey>, Vec<RecordKey>) = keyed.unzip();
        let records = view.read(&keys).await?;
        let hidden = self.hidden_of(caller, view, &records).await?;
        let hidden = named.into_iter().zip(hidden).filter(|it| it.1);
        Ok(hidden.map(|it| it.0.clone()).collect())
    }

    /// Whether each of these is there but hidden.
    async fn hidden_of(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        records: &[Option<Record>],
    ) -> Result<Vec<bool>, InteractionError> {
        let mut sight = self.sight(caller, view);
        let there = records.iter().flatten();
        let rows: Vec<_> = there.map(|it| (it.key.kind, it.row)).collect();
        sight.look_at(&rows).await?;
        let is_hidden = |it: &Option<Record>| it.as_ref().is_some_and(|it| !sight.sees(it.row));
        Ok(records.iter().map(is_hidden).collect())
    }

    /// Makes references to hidden resources lead nowhere, so that the store refuses them as those
    /// to resources that were never there.
    pub(crate) async fn without_hidden_targets(
        &self,
        caller: &Caller,
        commit: &mut Commit,
    ) -> Result<(), InteractionError> {
        let referred = |it: &Precondition| match it {
            Precondition::Exists { key, .. } => Some(key.clone()),
            _ => None,
        };
        let keys: Vec<RecordKey> = commit.preconditions.iter().filter_map(referred).collect();
        if keys.is_empty() || caller.visibility.is_everything() {
            return Ok(());
        }
        let view = self.store.view(&caller.tenant, At::Newest).await?;
        let mut records = view.read(&keys).await?;
        for record in &mut records {
            *record = record.take().filter(is_live);
        }
        let hidden = self.hidden_of(caller, &view, &records).await?;
        let exists = commit.preconditions.iter_mut();
        let exists = exists.filter_map(|it| match it {
            Precondition::Exists { key, .. } => Some(key),
            _ => None,
        });
        for (key, is_hidden) in exists.zip(hidden) {
            if is_hidden {
                key.id = RecordId::from(NOBODY);
            }
        }
        Ok(())
    }

    /// The store's refusal of a commit as the caller may know it: where a deletion would break
    /// hidden references only, that is not told.
    pub(crate) async fn refusal_as_seen(
        &self,
        caller: &Caller,
        commit: &Commit,
        error: &StoreError,
    ) -> Result<Option<Issue>, InteractionError> {
        let StoreError::Precondition {
            change: Some(change),
            failure: PreconditionFailure::Referenced,
        } = error
        else {
            return Ok(None);
        };
        let Some(target) = commit.changes.get(*change).map(|it| &it.key) else {
            return Ok(None);
        };
        let is_seen = refers_anew(commit, target)
            || self.has_visible_referrer(caller, commit, target).await?;
        Ok((!is_seen).then(forbidden))
    }

    /// Whether a resource that the caller sees, and that the commit leaves as it is, refers to it.
    async fn has_visible_referrer(
        &self,
        caller: &Caller,
        commit: &Commit,
        target: &RecordKey,
    ) -> Result<bool, InteractionError> {
        let view = self.store.view(&caller.tenant, At::Newest).await?;
        let changed: Vec<RecordKey> = commit.changes.iter().map(|it| it.key.clone()).collect();
        let changed = view.read(&changed).await?;
        let changed: HashSet<_> = changed.iter().flatten().map(|it| it.row).collect();
        let mut sight = self.sight(caller, &view);
        let mut after = None;
        loop {
            let found = view.referrers(target, after, REFERRERS_AT_ONCE).await?;
            after = found.last().copied();
            let is_last = found.len() < REFERRERS_AT_ONCE;
            let kept = found.into_iter().filter(|it| !changed.contains(&it.1));
            let kept: Vec<_> = kept.collect();
            sight.look_at(&kept).await?;
            if kept.iter().any(|it| sight.sees(it.1)) {
                return Ok(true);
            }
            if is_last {
                return Ok(false);
            }
        }
    }
}

/// An id that no resource has.
const NOBODY: &str = "";

/// The resource that a write may concern by an id that the client gave.
fn target(version: FhirVersion, task: &Task, checked: &Checked) -> Option<ResourceKey> {
    match &task.intent {
        Intent::UpdateWhere { resource_type, .. } if version == FhirVersion::R4 => {
            Some(ResourceKey {
                resource_type: resource_type.clone(),
                id: checked.id.clone()?,
            })
        }
        intent => intent.key().cloned(),
    }
}

/// Whether the commit itself writes something that refers to the record.
fn refers_anew(commit: &Commit, target: &RecordKey) -> bool {
    commit.changes.iter().any(|it| match &it.action {
        Action::Put(version) => version.references.contains(target),
        _ => false,
    })
}
