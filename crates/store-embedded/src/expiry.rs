//! What ceases to be at some time: named rows with an expiry, commits with an idempotency key.
//!
//! Whether a thing has expired is decided when it is read; removing it is only tidying, done along
//! with commits, a bounded number at a time.

use store::{Committed, IdempotencyKey, Instant, Remembered, StoreError};

use crate::committer::Writing;
use crate::engine::Snapshot;
use crate::fault;
use crate::layout::{self, META, NAMED, REMEMBERED};
use crate::tenant::Tenant;
use crate::work::Work;

/// How often a tenant that commits looks for things to remove.
const SWEEP_EVERY_MICROS: i64 = 10_000_000;
/// Things removed at a time.
const SWEEP_MAX: usize = 1_000;

/// A commit that was remembered and has not expired.
pub(crate) struct Earlier(Remembered);

impl Earlier {
    /// What it did, for a repeat of the same request.
    pub(crate) fn repeat(self, request_hash: &[u8; 32]) -> Result<Committed, StoreError> {
        if self.0.request_hash != *request_hash {
            return Err(StoreError::KeyReused);
        }
        Ok(Committed {
            repeated: true,
            ..self.0.committed
        })
    }
}

/// What the commit with this key did.
pub(crate) fn remembered(
    tenant: &Tenant,
    state: &Snapshot,
    key: &IdempotencyKey,
    now: Instant,
) -> Result<Option<Earlier>, StoreError> {
    let bytes = state
        .get(META, &layout::remembered_key(key))
        .map_err(fault::engine)?;
    let Some(bytes) = bytes else { return Ok(None) };
    let remembered = decode_remembered(&bytes)?;
    let until = remembered.committed.time.0 + tenant.idempotency_micros();
    Ok((now.0 < until).then_some(Earlier(remembered)))
}

pub(crate) fn decode_remembered(bytes: &[u8]) -> Result<Remembered, StoreError> {
    Committed::decode(bytes)
        .ok_or_else(|| StoreError::Corrupt("malformed remembered commit".to_owned()))
}

/// Removes what has expired, now and then. To be called before anything else is staged, so that what
/// the commit sets anew stays.
pub(crate) fn sweep(work: &mut Work<'_>, writing: &mut Writing) -> Result<(), StoreError> {
    let now = work.tenant.now();
    if now.0.saturating_sub(writing.swept_at) < SWEEP_EVERY_MICROS {
        return Ok(());
    }
    let bounds = layout::EXPIRING.to_vec()..layout::expiry_end(now);
    for entry in work.newest.range(META, bounds).take(SWEEP_MAX) {
        let (due, _) = entry.map_err(fault::engine)?;
        let (_, place) = layout::expiring(&due)?;
        if has_expired(work, place, now)? {
            work.batch.delete(META, place.to_vec());
        }
        work.batch.delete(META, due.clone());
    }
    writing.swept_at = now.0;
    Ok(())
}

/// Whether what lies there now has expired: it may be newer than the note that it will.
fn has_expired(work: &Work<'_>, place: &[u8], now: Instant) -> Result<bool, StoreError> {
    let Some(bytes) = work.meta(place)? else {
        return Ok(false);
    };
    if place.starts_with(NAMED) {
        let row = layout::decode_named(&bytes)?;
        return Ok(row.expires.is_some_and(|at| at <= now));
    }
    if place.starts_with(REMEMBERED) {
        let until = decode_remembered(&bytes)?.committed.time.0;
        return Ok(until + work.tenant.idempotency_micros() <= now.0);
    }
    Err(StoreError::Corrupt("something unknown expires".to_owned()))
}
