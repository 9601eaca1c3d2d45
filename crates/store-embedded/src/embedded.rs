//! The embedded store: which tenants there are, which are open, and the contract's methods.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use store::{
    At, BackupItem, BlobId, BlobSource, Commit, Committed, Finding, IdempotencyKey, NameKind,
    SpaceDefinition, Store, StoreError, StoreLimits, TenantId, View,
};

use crate::check;
use crate::directory::Directory;
use crate::engine::{Budgets, Hold, Limits};
use crate::expiry;
use crate::options::{Common, Counters, Options, Stats};
use crate::prepare;
use crate::recent::Recent;
use crate::restore;
use crate::tenant::{Tenant, blocking};
use crate::view::TenantView;

/// A store in one directory of this machine. Clones share it.
#[derive(Clone)]
pub struct EmbeddedStore {
    inner: Arc<Inner>,
}

struct Inner {
    directory: RwLock<Option<Arc<Directory>>>,
    common: Arc<Common>,
    slots: RwLock<BTreeMap<TenantId, Arc<Slot>>>,
    /// Held while tenants are created and deleted.
    changing: tokio::sync::Mutex<()>,
    open: AtomicUsize,
    watching: AtomicBool,
}

/// A tenant that exists, open or not.
#[derive(Default)]
struct Slot {
    tenant: RwLock<Option<Arc<Tenant>>>,
    /// Held while it is opened or closed; says whether the tenant is still there.
    opening: tokio::sync::Mutex<Gone>,
    /// When it was last asked for.
    used: AtomicI64,
    /// It is being restored: from the first item until it has been opened anew.
    restoring: AtomicBool,
    /// How far, while no items are being taken in.
    restore: Mutex<Option<restore::Progress>>,
}

#[derive(Default, PartialEq, Eq)]
enum Gone {
    #[default]
    No,
    Yes,
}

impl EmbeddedStore {
    /// Opens the store in this directory, making it where there is none. Another process that holds
    /// it is named in [`StoreError::Locked`].
    pub fn open(
        dir: &Path,
        spaces: &[SpaceDefinition],
        options: Options,
    ) -> Result<Self, StoreError> {
        let directory = Directory::open(dir)?;
        let default = TenantId::default();
        if !directory.tenants()?.contains(&default) {
            directory.create(&default)?;
        }
        let slots = directory
            .tenants()?
            .into_iter()
            .map(|tenant| (tenant, Arc::default()));
        let slots = RwLock::new(slots.collect());
        let budgets = Budgets::new(Limits {
            cache_bytes_max: options.cache_bytes_max,
            open_files_max: options.open_files_max,
            memtable_bytes_max: options.memtable_bytes_max,
            maintenance_threads: options.maintenance_threads,
        });
        let spaces = spaces.to_vec();
        let recent = Recent::new(options.record_cache_bytes_max);
        let common = Arc::new(Common {
            options,
            spaces,
            budgets,
            counters: Counters::default(),
            recent,
            next_tenant: AtomicU64::new(1),
        });
        let inner = Inner {
            directory: RwLock::new(Some(Arc::new(directory))),
            common,
            slots,
            changing: tokio::sync::Mutex::default(),
            open: AtomicUsize::new(0),
            watching: AtomicBool::new(false),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Counters since the store was opened.
    pub fn stats(&self) -> Stats {
        self.inner
            .common
            .counters
            .read(self.inner.open.load(Ordering::Relaxed))
    }

    /// Checks every file of a store that is not open, and cannot be perhaps. Changes nothing.
    pub fn check_directory(dir: &Path) -> Result<Vec<Finding>, StoreError> {
        check::directory(dir)
    }

    fn directory(&self) -> Result<Arc<Directory>, StoreError> {
        let directory = self
            .inner
            .directory
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        directory
            .clone()
            .ok_or_else(|| StoreError::Unavailable("the store is closed".to_owned()))
    }

    fn slot(&self, tenant: &TenantId) -> Result<Arc<Slot>, StoreError> {
        let slots = self
            .inner
            .slots
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        slots.get(tenant).cloned().ok_or(StoreError::UnknownTenant)
    }

    fn all_slots(&self) -> Vec<(TenantId, Arc<Slot>)> {
        let slots = self
            .inner
            .slots
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        slots
            .iter()
            .map(|(tenant, slot)| (tenant.clone(), Arc::clone(slot)))
            .collect()
    }

    /// The tenant, opened if need be; not while it is being restored.
    async fn tenant(&self, tenant: &TenantId) -> Result<Arc<Tenant>, StoreError> {
        let slot = self.slot(tenant)?;
        if slot.is_restoring() {
            return Err(StoreError::Unavailable(
                "the tenant is being restored".to_owned(),
            ));
        }
        self.opened(tenant, &slot).await
    }

    async fn opened(&self, id: &TenantId, slot: &Arc<Slot>) -> Result<Arc<Tenant>, StoreError> {
        slot.used
            .store(self.inner.common.options.clock.now().0, Ordering::Relaxed);
        if let Some(tenant) = slot.current() {
            return Ok(tenant);
        }
        let gone = slot.opening.lock().await;
        if *gone == Gone::Yes {
            return Err(StoreError::UnknownTenant);
        }
        if let Some(tenant) = slot.current() {
            return Ok(tenant);
        }
        let dir = self.directory()?.path(id);
        let common = Arc::clone(&self.inner.common);
        let tenant = blocking(move || open_released(&dir, &common)).await?;
        slot.set(Some(Arc::clone(&tenant)));
        self.inner.open.fetch_add(1, Ordering::Relaxed);
        drop(gone);
        self.watch();
        self.close_surplus().await;
        Ok(tenant)
    }

    /// Closes the tenants that were not used for longest, beyond the number that may be open.
    async fn close_surplus(&self) {
        let max = self.inner.common.options.open_tenants_max;
        let mut slots = self.all_slots();
        slots.retain(|(_, slot)| slot.is_open());
        slots.sort_by_key(|(_, slot)| slot.used.load(Ordering::Relaxed));
        let surplus = slots.len().saturating_sub(max);
        for (_, slot) in slots.iter().take(surplus) {
            self.close_unused(slot).await;
        }
    }

    async fn close_idle(&self, idle_micros: i64) {
        let now = self.inner.common.options.clock.now().0;
        for (_, slot) in self.all_slots() {
            let idle = now.saturating_sub(slot.used.load(Ordering::Relaxed));
            if slot.is_open() && idle >= idle_micros {
                self.close_unused(&slot).await;
            }
        }
    }

    /// Closes a tenant that nobody uses at the moment.
    async fn close_unused(&self, slot: &Arc<Slot>) {
        let Ok(opening) = slot.opening.try_lock() else {
            return;
        };
        let tenant = slot.take_unused();
        if let Some(tenant) = tenant {
            self.inner.open.fetch_sub(1, Ordering::Relaxed);
            // Closing waits for files.
            let _ = blocking(move || {
                drop(tenant);
                Ok(())
            })
            .await;
        }
        drop(opening);
    }

    /// Looks for idle tenants from time to time, as long as the store is there.
    fn watch(&self) {
        if self.inner.watching.swap(true, Ordering::Relaxed) {
            return;
        }
        let idle = self.inner.common.options.idle_timeout;
        let idle_micros = i64::try_from(idle.as_micros()).unwrap_or(i64::MAX);
        let inner = Arc::downgrade(&self.inner);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(idle / 2).await;
                let Some(inner) = inner.upgrade() else { return };
                Self { inner }.close_idle(idle_micros).await;
            }
        });
    }

    /// Ends a tenant's writing; readers that are under way finish.
    async fn close_tenant(&self, slot: &Slot) -> Result<(), StoreError> {
        let Some(tenant) = slot.current() else {
            return Ok(());
        };
        let closed = tenant.turn(|_, writing| writing.close()).await;
        slot.set(None);
        self.inner.open.fetch_sub(1, Ordering::Relaxed);
        let hold = tenant.engine.hold();
        drop(tenant);
        released(&hold).await;
        closed
    }

    fn forget_slot(&self, tenant: &TenantId) {
        let mut slots = self
            .inner
            .slots
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        slots.remove(tenant);
    }
}

/// How often it is looked whether a tenant that was closed is free.
const RELEASE_STEP: Duration = Duration::from_millis(2);
/// So often at most: whoever still reads after that keeps it.
const RELEASE_STEPS_MAX: usize = 2_500;

/// Waits for those who still hold a tenant that was closed: its committer, readers under way.
async fn released(hold: &Hold) {
    for _ in 0..RELEASE_STEPS_MAX {
        if hold.is_over() {
            return;
        }
        tokio::time::sleep(RELEASE_STEP).await;
    }
    tracing::warn!("a tenant that was closed is still being read");
}

/// Opens a tenant. The store's lock keeps other processes out; where this one holds the tenant's,
/// someone is about to let go of it.
fn open_released(dir: &Path, common: &Arc<Common>) -> Result<Arc<Tenant>, StoreError> {
    let mut steps = 0;
    loop {
        match Tenant::open(dir, common) {
            Err(StoreError::Locked { pid })
                if pid == std::process::id() && steps < RELEASE_STEPS_MAX =>
            {
                steps += 1;
                std::thread::sleep(RELEASE_STEP);
            }
            Err(error) => return Err(error),
            Ok(tenant) => {
                tenant.blobs.remove_unfinished()?;
                return Ok(Arc::new(tenant));
            }
        }
    }
}

impl Slot {
    fn current(&self) -> Option<Arc<Tenant>> {
        self.tenant
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, tenant: Option<Arc<Tenant>>) {
        *self.tenant.write().unwrap_or_else(PoisonError::into_inner) = tenant;
    }

    fn is_open(&self) -> bool {
        self.tenant
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }

    fn is_restoring(&self) -> bool {
        self.restoring.load(Ordering::Acquire)
    }

    fn take_progress(&self) -> Option<restore::Progress> {
        self.restore
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    fn keep_progress(&self, progress: restore::Progress) {
        *self.restore.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
    }

    /// The tenant, if nobody else holds it; new holders come through this lock.
    fn take_unused(&self) -> Option<Arc<Tenant>> {
        let mut tenant = self.tenant.write().unwrap_or_else(PoisonError::into_inner);
        let unused = tenant
            .as_ref()
            .is_some_and(|tenant| Arc::strong_count(tenant) == 1);
        if unused { tenant.take() } else { None }
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    fn limits(&self) -> &StoreLimits {
        &self.inner.common.options.limits
    }

    async fn tenants(&self) -> Result<Vec<TenantId>, StoreError> {
        self.directory()?;
        Ok(self
            .all_slots()
            .into_iter()
            .map(|(tenant, _)| tenant)
            .collect())
    }

    async fn create_tenant(&self, tenant: &TenantId) -> Result<(), StoreError> {
        let _changing = self.inner.changing.lock().await;
        let directory = self.directory()?;
        if self.slot(tenant).is_ok() {
            return Err(StoreError::TenantExists);
        }
        let id = tenant.clone();
        blocking(move || directory.create(&id)).await?;
        let mut slots = self
            .inner
            .slots
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        slots.insert(tenant.clone(), Arc::default());
        Ok(())
    }

    async fn delete_tenant(&self, tenant: &TenantId) -> Result<(), StoreError> {
        let _changing = self.inner.changing.lock().await;
        let directory = self.directory()?;
        let slot = self.slot(tenant)?;
        let mut gone = slot.opening.lock().await;
        if let Err(error) = self.close_tenant(&slot).await {
            tracing::warn!(%error, "a tenant that is deleted was not closed cleanly");
        }
        let id = tenant.clone();
        blocking(move || directory.delete(&id)).await?;
        *gone = Gone::Yes;
        self.forget_slot(tenant);
        Ok(())
    }

    async fn numbers(
        &self,
        tenant: &TenantId,
        kind: NameKind,
        names: &[&str],
    ) -> Result<Vec<u32>, StoreError> {
        self.tenant(tenant).await?.numbers(kind, names).await
    }

    async fn known_numbers(
        &self,
        tenant: &TenantId,
        kind: NameKind,
        names: &[&str],
    ) -> Result<Vec<Option<u32>>, StoreError> {
        Ok(self.tenant(tenant).await?.known_numbers(kind, names))
    }

    async fn names(
        &self,
        tenant: &TenantId,
        kind: NameKind,
    ) -> Result<Vec<(u32, Box<str>)>, StoreError> {
        let tenant = self.tenant(tenant).await?;
        let names = tenant.names.read().unwrap_or_else(PoisonError::into_inner);
        Ok(names.all(kind))
    }

    async fn view(&self, tenant: &TenantId, at: At) -> Result<Arc<dyn View>, StoreError> {
        Ok(Arc::new(TenantView::open(self.tenant(tenant).await?, at)?))
    }

    async fn commit(&self, tenant: &TenantId, commit: Commit) -> Result<Committed, StoreError> {
        self.tenant(tenant).await?.commit(commit).await
    }

    async fn committed(
        &self,
        tenant: &TenantId,
        key: &IdempotencyKey,
        request_hash: &[u8; 32],
    ) -> Result<Option<Committed>, StoreError> {
        prepare::check_idempotency(key, self.limits())?;
        let tenant = self.tenant(tenant).await?;
        let earlier = expiry::remembered(&tenant, &tenant.engine.snapshot(), key, tenant.now())?;
        earlier
            .map(|earlier| earlier.repeat(request_hash))
            .transpose()
    }

    async fn put_blob(
        &self,
        tenant: &TenantId,
        source: &mut dyn BlobSource,
    ) -> Result<BlobId, StoreError> {
        let tenant = self.tenant(tenant).await?;
        let mut incoming = tenant.blobs.begin()?;
        while let Some(bytes) = source.next().await? {
            incoming = blocking(move || {
                incoming.write(&bytes)?;
                Ok(incoming)
            })
            .await?;
        }
        blocking(move || tenant.blobs.finish(incoming, tenant.now())).await
    }

    async fn read_blob(
        &self,
        tenant: &TenantId,
        blob: &BlobId,
        offset: u64,
        length: usize,
    ) -> Result<Option<Bytes>, StoreError> {
        let (tenant, blob) = (self.tenant(tenant).await?, *blob);
        blocking(move || tenant.blobs.read(&blob, offset, length)).await
    }

    async fn collect_orphan_blobs(&self, tenant: &TenantId) -> Result<u64, StoreError> {
        let tenant = self.tenant(tenant).await?;
        tenant.collect_orphans().await
    }

    async fn restore(&self, tenant: &TenantId, items: Vec<BackupItem>) -> Result<(), StoreError> {
        let slot = self.slot(tenant)?;
        let opened = self.opened(tenant, &slot).await?;
        let begin = self.inner.changing.lock().await;
        if !slot.is_restoring() {
            restore::require_empty(&opened)?;
            let (directory, id) = (self.directory()?, tenant.clone());
            blocking(move || directory.restoring(&id)).await?;
            slot.keep_progress(restore::Progress::default());
            slot.restoring.store(true, Ordering::Release);
        }
        drop(begin);
        let progress = slot.take_progress().ok_or(StoreError::TenantNotEmpty)?;
        let taken = opened
            .turn(move |tenant, writing| restore::take(tenant, writing, items, progress))
            .await;
        // After a failure only deleting the tenant helps: what was taken in is not whole.
        let (progress, result) = match taken {
            Ok(progress) => (progress, Ok(())),
            Err(error) => (restore::Progress::failed(), Err(error)),
        };
        slot.keep_progress(progress);
        result
    }

    async fn finish_restore(&self, tenant: &TenantId) -> Result<(), StoreError> {
        let slot = self.slot(tenant)?;
        if !slot.is_restoring() {
            return Err(StoreError::TenantNotEmpty);
        }
        let opened = self.opened(tenant, &slot).await?;
        let progress = slot.take_progress().ok_or(StoreError::TenantNotEmpty)?;
        let finished = opened
            .turn(move |_, writing| restore::finish(writing, &progress))
            .await;
        if finished.is_err() {
            slot.keep_progress(restore::Progress::failed());
            return finished;
        }
        let (directory, id) = (self.directory()?, tenant.clone());
        blocking(move || directory.restored(&id)).await?;
        drop(opened);
        // Opened anew, it knows its names and counters.
        let _opening = slot.opening.lock().await;
        self.close_tenant(&slot).await?;
        slot.restoring.store(false, Ordering::Release);
        Ok(())
    }

    async fn check(&self, tenant: &TenantId) -> Result<Vec<Finding>, StoreError> {
        let tenant = self.tenant(tenant).await?;
        blocking(move || check::tenant(&tenant)).await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.directory()?;
        for (_, slot) in self.all_slots() {
            let Some(tenant) = slot.current() else {
                continue;
            };
            if tenant.failure().is_some() {
                // A turn begins with an attempt to recover.
                tenant.turn(|_, _| Ok(())).await?;
            }
        }
        Ok(())
    }

    async fn close(&self) -> Result<(), StoreError> {
        let _changing = self.inner.changing.lock().await;
        let directory = {
            let mut directory = self
                .inner
                .directory
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            directory.take()
        };
        let slots = {
            let mut slots = self
                .inner
                .slots
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *slots)
        };
        let mut result = Ok(());
        for slot in slots.values() {
            let mut gone = slot.opening.lock().await;
            result = result.and(self.close_tenant(slot).await);
            *gone = Gone::Yes;
        }
        drop(directory);
        result
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[tokio::test]
    async fn closing_waits_until_the_directory_is_free() {
        let dir = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(dir.path(), &[], Options::default()).unwrap();
        let tenant = store.tenant(&TenantId::default()).await.unwrap();
        let reader = tenant.engine.snapshot();
        drop(tenant);
        let mut closing = pin!(store.close());
        let early = tokio::time::timeout(RELEASE_STEP * 10, &mut closing).await;
        assert!(early.is_err(), "a reader still holds the files");
        drop(reader);
        closing.await.unwrap();
        assert_eq!(EmbeddedStore::check_directory(dir.path()).unwrap(), []);
    }
}
