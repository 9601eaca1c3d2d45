//! Who may go when: a tenant's turn, and one request at a time for one idempotency key, or one log.
//!
//! Nothing here is needed for correctness of what is stored, which the commit's preconditions
//! guard; a turn keeps an interaction from starving, a key's turn from doing work twice.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use store::{IdempotencyKey, TenantId};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use crate::channel::ChannelName;

/// Locks by name, kept only while somebody holds or awaits them.
struct Locks<K> {
    locks: Mutex<HashMap<K, Weak<RwLock<()>>>>,
}

/// Forgotten locks are swept out when the table has grown to this size.
const SWEEP_AT: usize = 1_024;

impl<K: Eq + Hash> Locks<K> {
    fn new() -> Self {
        Self {
            locks: Mutex::new(HashMap::new()),
        }
    }

    fn named(&self, name: K) -> Arc<RwLock<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if locks.len() >= SWEEP_AT {
            locks.retain(|_, lock| lock.strong_count() > 0);
        }
        let slot = locks.entry(name).or_default();
        slot.upgrade().unwrap_or_else(|| {
            let lock = Arc::new(RwLock::new(()));
            *slot = Arc::downgrade(&lock);
            lock
        })
    }
}

/// The turns of tenants, keys and logs.
pub(crate) struct Turns {
    tenants: Locks<TenantId>,
    keys: Locks<(TenantId, IdempotencyKey)>,
    logs: Locks<(TenantId, ChannelName)>,
}

/// A tenant's turn, held until dropped.
#[expect(dead_code, reason = "held for what dropping it does")]
pub(crate) enum Turn {
    /// With others.
    Shared(OwnedRwLockReadGuard<()>),
    /// Alone.
    Alone(OwnedRwLockWriteGuard<()>),
}

impl Turns {
    pub(crate) fn new() -> Self {
        Self {
            tenants: Locks::new(),
            keys: Locks::new(),
            logs: Locks::new(),
        }
    }

    /// Commits go together, except that one which was overtaken too often goes alone.
    pub(crate) async fn of_tenant(&self, tenant: &TenantId, alone: bool) -> Turn {
        let lock = self.tenants.named(tenant.clone());
        if alone {
            Turn::Alone(lock.write_owned().await)
        } else {
            Turn::Shared(lock.read_owned().await)
        }
    }

    /// The turn of a log that a message is to be added to.
    pub(crate) async fn of_log(&self, tenant: &TenantId, log: &ChannelName) -> Turn {
        let lock = self.logs.named((tenant.clone(), log.clone()));
        Turn::Alone(lock.write_owned().await)
    }

    /// One request at a time for a key: a repeat waits until the first is done.
    pub(crate) async fn of_key(&self, tenant: &TenantId, key: &IdempotencyKey) -> Turn {
        Turn::Alone(
            self.keys
                .named((tenant.clone(), key.clone()))
                .write_owned()
                .await,
        )
    }
}
