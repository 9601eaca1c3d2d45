//! What must hold when a commit takes its turn.

use store::{
    Expected, NamedExpected, Plan, Position, Precondition, PreconditionFailure, RecordKey, Row,
    StoreError, TypeNumber, VersionNumber,
};

use crate::committer::Writing;
use crate::layout::{self, Head};
use crate::prepare::{Prepared, PreparedAction};
use crate::search::{self, Allowance, Reads};
use crate::work::Work;

/// Checks everything, in the order: changes, then preconditions as given.
pub(crate) fn check(
    work: &mut Work<'_>,
    writing: &Writing,
    prepared: &Prepared,
) -> Result<(), StoreError> {
    for (index, change) in prepared.changes.iter().enumerate() {
        let head = work.head(&change.key)?;
        expected(work, head, change.expected).map_err(|refusal| refusal.of(Some(index)))?;
        blobs(work, index, &change.action)?;
    }
    prepared
        .preconditions
        .iter()
        .try_for_each(|given| match given {
            Precondition::Exists { key, change } => exists(work, prepared, key, *change),
            Precondition::Unreferenced { key, change } => {
                unreferenced(work, prepared, key, *change)
            }
            Precondition::Unchanged { key, version } => {
                let head = work.head(key)?;
                expected(work, head, Expected::Version(*version))
                    .map_err(|refusal| refusal.of(None))
            }
            Precondition::Matches {
                plan,
                rows,
                position,
            } => matches(work, writing, plan, rows, *position),
            Precondition::Untouched {
                space,
                kinds,
                position,
            } => {
                let is_newer = |it: &TypeNumber| writing.newest_of(*space, *it) > *position;
                if kinds.iter().any(is_newer) {
                    return Err(StoreError::Stale);
                }
                Ok(())
            }
            Precondition::Named { key, expected } => named(work, key, *expected),
        })
}

/// A failed precondition that does not know its change yet, or a failure of the store.
enum Refusal {
    Failed(PreconditionFailure),
    Store(StoreError),
}

impl Refusal {
    fn of(self, change: Option<usize>) -> StoreError {
        match self {
            Self::Failed(failure) => StoreError::Precondition { change, failure },
            Self::Store(error) => error,
        }
    }
}

fn expected(work: &Work<'_>, head: Option<Head>, expected: Expected) -> Result<(), Refusal> {
    let head = head.filter(Head::exists);
    let version = match expected {
        Expected::Any => return Ok(()),
        Expected::Absent => {
            let there = head.is_some_and(|head| head.live());
            return if there {
                Err(Refusal::Failed(PreconditionFailure::Exists))
            } else {
                Ok(())
            };
        }
        Expected::Live => None,
        Expected::Version(version) => Some(version),
    };
    let Some(head) = head else {
        return Err(Refusal::Failed(PreconditionFailure::Missing));
    };
    if !head.live() {
        let since = work
            .ledger_entry(head.position)
            .map_err(Refusal::Store)?
            .time;
        return Err(Refusal::Failed(PreconditionFailure::Deleted { since }));
    }
    match version {
        Some(version) if version != head.version => {
            Err(Refusal::Failed(PreconditionFailure::Version))
        }
        _ => Ok(()),
    }
}

fn blobs(work: &Work<'_>, change: usize, action: &PreparedAction) -> Result<(), StoreError> {
    let PreparedAction::Put(version) = action else {
        return Ok(());
    };
    for blob in &version.blobs {
        if !work.tenant.blobs.is_there(blob)? {
            return Err(StoreError::UnknownBlob { change });
        }
    }
    Ok(())
}

fn failed(change: usize, failure: PreconditionFailure) -> StoreError {
    StoreError::Precondition {
        change: Some(change),
        failure,
    }
}

fn exists(
    work: &mut Work<'_>,
    prepared: &Prepared,
    key: &RecordKey,
    change: usize,
) -> Result<(), StoreError> {
    let live = match prepared
        .by_key
        .get(key)
        .map(|at| &prepared.changes[*at].action)
    {
        Some(PreparedAction::Put(_)) => true,
        Some(PreparedAction::Delete | PreparedAction::Purge) => false,
        Some(PreparedAction::PurgeHistory | PreparedAction::Index(_)) | None => {
            work.head(key)?.is_some_and(|head| head.live())
        }
    };
    if live {
        Ok(())
    } else {
        Err(failed(change, PreconditionFailure::BrokenReference))
    }
}

fn unreferenced(
    work: &mut Work<'_>,
    prepared: &Prepared,
    key: &RecordKey,
    change: usize,
) -> Result<(), StoreError> {
    let refers_anew = prepared.changes.iter().any(|change| match &change.action {
        PreparedAction::Put(version) => version.references.contains(key),
        PreparedAction::Index(index) => index.references.contains(key),
        PreparedAction::Delete | PreparedAction::Purge | PreparedAction::PurgeHistory => false,
    });
    let referenced = refers_anew || keeps_referrer(work, prepared, key)?;
    if referenced {
        Err(failed(change, PreconditionFailure::Referenced))
    } else {
        Ok(())
    }
}

/// Whether a record that refers to `key` is neither replaced nor deleted by the commit.
fn keeps_referrer(
    work: &mut Work<'_>,
    prepared: &Prepared,
    key: &RecordKey,
) -> Result<bool, StoreError> {
    let Some(head) = work.head(key)? else {
        return Ok(false);
    };
    for (source, incoming) in work.sources(head.referent)? {
        if !incoming.refers() {
            continue;
        }
        let Some(source) = work.key_of_row(source)? else {
            return Ok(true);
        };
        let action = prepared
            .by_key
            .get(&source)
            .map(|at| &prepared.changes[*at].action);
        if matches!(action, None | Some(PreparedAction::PurgeHistory)) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn matches(
    work: &Work<'_>,
    writing: &Writing,
    plan: &Plan,
    rows: &[Row],
    position: Position,
) -> Result<(), StoreError> {
    let changed = plan
        .kinds()
        .into_iter()
        .any(|kind| writing.newest_of(plan.space, kind) > position);
    if !changed {
        return Ok(());
    }
    let common = &work.tenant.common;
    let steps_max = common.options.criteria_steps_max;
    let allowance = Allowance::new("criteria_steps_max", steps_max);
    let reads = Reads::new(
        &work.newest,
        writing.state.displaced,
        &allowance,
        &common.counters.search_steps,
    );
    let found = search::run(&reads, plan)?;
    let same = found.rows.iter().map(|(_, row)| row).eq(rows);
    if same { Ok(()) } else { Err(StoreError::Stale) }
}

fn named(
    work: &Work<'_>,
    key: &store::NamedKey,
    expected: NamedExpected,
) -> Result<(), StoreError> {
    let bytes = work.meta(&layout::named_key(key))?;
    let row = bytes
        .map(|bytes| layout::decode_named(&bytes))
        .transpose()?;
    let now = work.tenant.now();
    let row = row.filter(|row| row.expires.is_none_or(|at| at > now));
    let holds = match expected {
        NamedExpected::Absent => row.is_none(),
        NamedExpected::Revision(revision) => row.is_some_and(|row| row.revision == revision),
    };
    let failure = PreconditionFailure::Named;
    if holds {
        Ok(())
    } else {
        Err(StoreError::Precondition {
            change: None,
            failure,
        })
    }
}

/// The versions of a record begin at 1.
pub(crate) fn next_version(head: Head) -> VersionNumber {
    VersionNumber(head.version.0 + 1)
}
