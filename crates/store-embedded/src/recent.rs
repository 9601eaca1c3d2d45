//! Records that were read lately, unpacked, for all tenants within one budget.
//!
//! Only newest versions are kept. A change forgets its record before the change is published, and a
//! reader whose view is older than that may not put the record back, so a view never finds a version
//! here that is not the newest at its own position.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use store::{Position, Record, RecordKey};
use xxhash_rust::xxh3::xxh3_64_with_seed;

const SHARDS: usize = 16;
/// Longer bodies are not kept: they would push out many others.
const BODY_BYTES_MAX: usize = 32 << 10;
/// What a kept record takes beside its body, about.
const OVERHEAD_BYTES: usize = 256;

/// Which open tenant a record belongs to; a tenant that is opened again gets another number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TenantNumber(pub(crate) u64);

/// The records.
pub(crate) struct Recent {
    shards: [Mutex<Shard>; SHARDS],
    generation_bytes_max: usize,
}

/// Two generations: what is used moves to the young one, and the old one is dropped whole.
#[derive(Default)]
struct Shard {
    young: HashMap<u64, Kept>,
    old: HashMap<u64, Kept>,
    young_bytes: usize,
    /// The greatest position of a change that was forgotten here, by tenant.
    changed: HashMap<u64, Position>,
}

struct Kept {
    tenant: TenantNumber,
    record: Record,
}

impl Recent {
    /// Keeps about so many bytes.
    pub(crate) fn new(bytes_max: u64) -> Self {
        let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            generation_bytes_max: bytes_max / SHARDS / 2,
        }
    }

    /// The newest version of a record for a view at that position.
    pub(crate) fn get(
        &self,
        tenant: TenantNumber,
        key: &RecordKey,
        view: Position,
    ) -> Option<Record> {
        let hash = hash(tenant, key);
        let shard = &mut *self.shard(hash);
        if !shard.young.contains_key(&hash) {
            let kept = shard.old.remove(&hash)?;
            self.keep(shard, hash, kept);
        }
        let kept = shard.young.get(&hash)?;
        let is_it = kept.tenant == tenant && kept.record.key == *key;
        (is_it && kept.record.position <= view).then(|| kept.record.clone())
    }

    /// Keeps a record that is the newest version at the view's position.
    pub(crate) fn put(&self, tenant: TenantNumber, record: &Record, view: Position) {
        if record.body.len() > BODY_BYTES_MAX || self.generation_bytes_max == 0 {
            return;
        }
        let hash = hash(tenant, &record.key);
        let mut shard = self.shard(hash);
        if shard
            .changed
            .get(&tenant.0)
            .is_none_or(|changed| *changed <= view)
        {
            let record = record.clone();
            self.keep(&mut shard, hash, Kept { tenant, record });
        }
    }

    /// Forgets a record that changes at that position; called before the change can be seen.
    pub(crate) fn forget(&self, tenant: TenantNumber, key: &RecordKey, position: Position) {
        let hash = hash(tenant, key);
        let mut shard = self.shard(hash);
        shard.old.remove(&hash);
        if let Some(kept) = shard.young.remove(&hash) {
            shard.young_bytes = shard.young_bytes.saturating_sub(size(&kept));
        }
        let changed = shard.changed.entry(tenant.0).or_default();
        *changed = position.max(*changed);
    }

    /// Forgets that a closed tenant ever was; its records go with their generation.
    pub(crate) fn close(&self, tenant: TenantNumber) {
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.changed.remove(&tenant.0);
        }
    }

    fn shard(&self, hash: u64) -> std::sync::MutexGuard<'_, Shard> {
        let index = usize::try_from(hash % SHARDS as u64).expect("below the number of shards");
        self.shards[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, shard: &mut Shard, hash: u64, kept: Kept) {
        if shard.young_bytes + size(&kept) > self.generation_bytes_max {
            shard.old = std::mem::take(&mut shard.young);
            shard.young_bytes = 0;
        }
        shard.young_bytes += size(&kept);
        if let Some(before) = shard.young.insert(hash, kept) {
            shard.young_bytes = shard.young_bytes.saturating_sub(size(&before));
        }
    }
}

fn size(kept: &Kept) -> usize {
    kept.record.body.len() + OVERHEAD_BYTES
}

/// Records whose hashes are the same push each other out.
fn hash(tenant: TenantNumber, key: &RecordKey) -> u64 {
    let place = tenant.0 << 48 ^ u64::from(key.space.0) << 32 ^ u64::from(key.kind.0);
    xxh3_64_with_seed(key.id.0.as_bytes(), place)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use store::{Instant, Operation, Row, Space, TypeNumber, VersionNumber};

    use super::*;

    const TENANT: TenantNumber = TenantNumber(1);

    fn record(id: &str, position: u64, length: usize) -> Record {
        Record {
            key: RecordKey {
                space: Space(1),
                kind: TypeNumber(1),
                id: id.into(),
            },
            row: Row(1),
            version: VersionNumber(position),
            position: Position(position),
            time: Instant(0),
            operation: Operation::Update,
            body: Bytes::from(vec![b'x'; length]),
        }
    }

    #[test]
    fn a_view_finds_only_what_is_newest_at_its_position() {
        let recent = Recent::new(1 << 20);
        let first = record("a", 1, 10);
        recent.put(TENANT, &first, Position(1));
        assert_eq!(
            recent.get(TENANT, &first.key, Position(1)),
            Some(first.clone())
        );
        assert_eq!(
            recent.get(TenantNumber(2), &first.key, Position(1)),
            None,
            "another tenant"
        );
        recent.forget(TENANT, &first.key, Position(2));
        assert_eq!(
            recent.get(TENANT, &first.key, Position(1)),
            None,
            "forgotten"
        );
        recent.put(TENANT, &first, Position(1));
        assert_eq!(
            recent.get(TENANT, &first.key, Position(2)),
            None,
            "an old view may not put"
        );
        let second = record("a", 2, 10);
        recent.put(TENANT, &second, Position(2));
        assert_eq!(
            recent.get(TENANT, &first.key, Position(1)),
            None,
            "too new for an old view"
        );
        assert_eq!(recent.get(TENANT, &first.key, Position(2)), Some(second));
    }

    #[test]
    fn the_budget_holds_and_what_is_used_stays() {
        let recent = Recent::new(1 << 20);
        let used = record("used", 1, 1_000);
        recent.put(TENANT, &used, Position(1));
        for number in 0..20_000 {
            recent.put(
                TENANT,
                &record(&format!("r{number}"), 1, 1_000),
                Position(1),
            );
            assert!(
                recent.get(TENANT, &used.key, Position(1)).is_some(),
                "after {number}"
            );
        }
        let kept = recent.shards.iter().map(|shard| shard.lock().unwrap());
        let kept: usize = kept.map(|shard| shard.young.len() + shard.old.len()).sum();
        assert!(kept * (1_000 + OVERHEAD_BYTES) <= 1 << 20, "{kept} records");
    }
}
