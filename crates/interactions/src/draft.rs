//! From decisions and prepared resources to a commit in numbers.

use search::compile::{Names, Numbers};
use store::{Action, BlobId, Change, Commit, Expected, NewVersion, Precondition, RecordKey, Space};

use crate::job::Task;
use crate::notes::{Held, Note};
use crate::numbers::Unknown;
use crate::prepare::Prepared;
use crate::resolve::{Decision, Resolved};
use crate::settings::Integrity;
use crate::space::space_of;
use crate::{Caller, InteractionError, Interactions, ResourceKey};

/// A commit, and what is needed to answer each task once it is done.
#[derive(Default)]
pub(crate) struct Draft {
    pub(crate) commit: Commit,
    /// Whose each change is: the task's number.
    pub(crate) owners: Vec<usize>,
    pub(crate) notes: Vec<Note>,
    pub(crate) held: Vec<Option<Held>>,
}

impl Interactions {
    /// Puts a job's commit together.
    pub(crate) async fn draft(
        &self,
        caller: &Caller,
        tasks: &[Task],
        resolved: &Resolved,
        mut prepared: Vec<Option<Prepared>>,
    ) -> Result<Draft, InteractionError> {
        // The first write of a tenant says that all slots are filled from the beginning.
        self.incomplete(&caller.tenant, caller.version).await?;
        let tables = self.put_tables(caller, resolved, &mut prepared).await?;
        let names = names(tasks, resolved, &prepared);
        let numbers = self
            .numbers(&caller.tenant, &names, Unknown::Numbered)
            .await?;
        let mut drafter = Drafter {
            space: space_of(caller.version),
            numbers: &numbers,
            integrity: self.settings.integrity,
            draft: Draft::default(),
        };
        // What is in the commit is dropped in its other form at once: both together are large.
        let decided = resolved.decisions.iter().zip(prepared).zip(tables);
        for ((decision, prepared), table) in decided {
            drafter.add(decision, prepared.as_ref(), table);
            let task = drafter.draft.notes.len() - 1;
            drafter
                .draft
                .owners
                .resize(drafter.draft.commit.changes.len(), task);
        }
        let mut draft = drafter.draft;
        draft
            .commit
            .preconditions
            .extend(resolved.preconditions.iter().cloned());
        draft.commit.origin = caller.origin;
        Ok(draft)
    }
}

impl Interactions {
    /// Puts the tables of large code systems that are about to be stored; one for each task.
    async fn put_tables(
        &self,
        caller: &Caller,
        resolved: &Resolved,
        prepared: &mut [Option<Prepared>],
    ) -> Result<Vec<Option<BlobId>>, InteractionError> {
        let mut tables = Vec::with_capacity(prepared.len());
        for (decision, prepared) in resolved.decisions.iter().zip(prepared) {
            let table = match prepared {
                Some(prepared) if !is_kept(decision, prepared) => prepared.table.take(),
                _ => None,
            };
            tables.push(match table {
                Some(table) => Some(self.put_table(&caller.tenant, table).await?),
                None => None,
            });
        }
        Ok(tables)
    }
}

/// Whether what is there is what was sent.
fn is_kept(decision: &Decision, prepared: &Prepared) -> bool {
    match decision {
        Decision::Put { current, .. } => current
            .as_ref()
            .is_some_and(|record| record.body == prepared.body),
        _ => true,
    }
}

/// All names that the commit needs numbers for.
fn names<'n>(
    tasks: &'n [Task],
    resolved: &'n Resolved,
    prepared: &'n [Option<Prepared>],
) -> Names<'n> {
    let mut names = Names::default();
    names
        .types
        .extend(tasks.iter().map(|it| it.intent.resource_type()));
    for (prepared, decision) in prepared.iter().zip(&resolved.decisions) {
        let Some(prepared) = prepared else { continue };
        if let Decision::Put { key, .. } = decision {
            names.types.insert(&key.resource_type);
        }
        prepared.found_by.names(&mut names);
    }
    names
}

struct Drafter<'n> {
    space: Space,
    numbers: &'n Numbers,
    integrity: Integrity,
    draft: Draft,
}

impl Drafter<'_> {
    fn add(&mut self, decision: &Decision, prepared: Option<&Prepared>, table: Option<BlobId>) {
        match (decision, prepared) {
            (Decision::Keep { key, record }, _) => {
                self.draft
                    .notes
                    .push(Note::Kept(key.clone(), record.version));
                self.draft.held.push(Some(record.clone().into()));
            }
            (
                Decision::Put {
                    key,
                    current: Some(record),
                    ..
                },
                Some(prepared),
            ) if is_kept(decision, prepared) => {
                let version = record.version;
                let record_key = self.key(key);
                let unchanged = Precondition::Unchanged {
                    key: record_key,
                    version,
                };
                self.draft.commit.preconditions.push(unchanged);
                self.draft.notes.push(Note::Kept(key.clone(), version));
                self.draft.held.push(Some(record.clone().into()));
            }
            (Decision::Put { key, expected, .. }, Some(prepared)) => {
                self.put(key, *expected, prepared, table);
            }
            (Decision::Put { .. }, None) => unreachable!("a write that puts has a resource"),
            (Decision::Delete { keys, expected }, _) => self.delete(keys, *expected),
            (Decision::Purge(key), _) => self.change(key, Expected::Any, Action::Purge),
            (Decision::PurgeHistory(key), _) => {
                self.change(key, Expected::Any, Action::PurgeHistory);
            }
        }
    }

    fn put(
        &mut self,
        key: &ResourceKey,
        expected: Expected,
        prepared: &Prepared,
        table: Option<BlobId>,
    ) {
        let (space, numbers) = (self.space, self.numbers);
        let found_by = &prepared.found_by;
        let references = found_by.references(space, numbers);
        let patients = found_by.extracted.patients.iter();
        if matches!(self.integrity, Integrity::OnWrite | Integrity::Both) {
            let change = self.draft.commit.changes.len();
            let exists = references
                .iter()
                .cloned()
                .map(|key| Precondition::Exists { key, change });
            self.draft.commit.preconditions.extend(exists);
        }
        let version = NewVersion {
            body: prepared.body.clone(),
            entries: found_by.entries(space, numbers),
            references,
            lanes: patients
                .filter_map(|id| numbers.key(space, "Patient", id))
                .collect(),
            blobs: table.into_iter().collect(),
        };
        self.change(key, expected, Action::Put(version));
        let held = Held {
            body: prepared.body.clone(),
            time: None,
        };
        *self.draft.held.last_mut().expect("a change was just added") = Some(held);
    }

    fn delete(&mut self, keys: &[ResourceKey], expected: Expected) {
        let first = self.draft.commit.changes.len();
        for key in keys {
            let record = self.key(key);
            if matches!(self.integrity, Integrity::OnDelete | Integrity::Both) {
                let change = self.draft.commit.changes.len();
                let unreferenced = Precondition::Unreferenced {
                    key: record.clone(),
                    change,
                };
                self.draft.commit.preconditions.push(unreferenced);
            }
            self.draft.commit.changes.push(Change {
                key: record,
                expected,
                action: Action::Delete,
            });
        }
        self.draft.notes.push(match keys {
            [key] => Note::Change(first, key.clone()),
            _ => Note::Deletions(first, keys.len()),
        });
        self.draft.held.push(None);
    }

    fn change(&mut self, key: &ResourceKey, expected: Expected, action: Action) {
        self.draft
            .notes
            .push(Note::Change(self.draft.commit.changes.len(), key.clone()));
        let key = self.key(key);
        self.draft.commit.changes.push(Change {
            key,
            expected,
            action,
        });
        self.draft.held.push(None);
    }

    fn key(&self, key: &ResourceKey) -> RecordKey {
        let found = self
            .numbers
            .key(self.space, &key.resource_type, key.id.as_str());
        found.expect("the types of all decisions were numbered")
    }
}
