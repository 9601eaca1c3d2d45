//! Work on the resources of a job, spread over the machine's threads.
//!
//! Blocking threads, so that a large bundle does not keep small requests waiting; no more parts at a
//! time than there are processors, so that many large bundles do not multiply memory.

use std::sync::Arc;

use fhir::json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::InteractionError;
use crate::job::{Job, Task};

/// Texts up to this size are worked through where they are; to hand them on would cost more.
const INLINE_BYTES_MAX: usize = 64 << 10;

/// The unit in which the size of bundles is counted.
const UNIT_BYTES: usize = 1 << 10;

/// The right to hold a bundle in memory, until it is dropped.
pub struct Room(#[expect(dead_code, reason = "held, not read")] Option<OwnedSemaphorePermit>);

/// The right to keep a processor busy, and to hold bundles in memory.
pub(crate) struct Workers {
    processors: usize,
    free: Arc<Semaphore>,
    /// Units of bundles that may still be begun.
    room: Arc<Semaphore>,
    units: u32,
}

impl Workers {
    pub(crate) fn new(bytes_max: usize) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, Into::into);
        let units = (bytes_max / UNIT_BYTES).clamp(1, Semaphore::MAX_PERMITS);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        Self {
            processors,
            free: Arc::new(Semaphore::new(processors)),
            room: Arc::new(Semaphore::new(units as usize)),
            units,
        }
    }

    /// Waits until there is room for a bundle of that size.
    pub(crate) async fn room(&self, bytes: usize) -> Room {
        if bytes <= INLINE_BYTES_MAX {
            return Room(None);
        }
        let units = u32::try_from(bytes / UNIT_BYTES).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room);
        Room(room.acquire_many_owned(units.min(self.units)).await.ok())
    }

    /// Does the work for every task of a job, in their order.
    pub(crate) async fn spread<T: Send + 'static>(
        &self,
        job: &Arc<Job>,
        work: impl Fn(usize, &Task, Option<Value<'_>>) -> T + Send + Sync + 'static,
    ) -> Result<Vec<T>, InteractionError> {
        let run = move |job: &Job, tasks: std::ops::Range<usize>| -> Vec<T> {
            let resources = job.source.resources();
            let resource = |task: &Task| task.resource.and_then(|it| resources[it]);
            tasks
                .map(|at| work(at, &job.tasks[at], resource(&job.tasks[at])))
                .collect()
        };
        let count = job.tasks.len();
        if job.source.bytes() <= INLINE_BYTES_MAX {
            return Ok(run(job, 0..count));
        }
        let (size, run) = (count.div_ceil(self.processors).max(1), Arc::new(run));
        let parts: Vec<_> = (0..count)
            .step_by(size)
            .map(|start| {
                let (job, run, free) = (Arc::clone(job), Arc::clone(&run), Arc::clone(&self.free));
                tokio::spawn(async move {
                    let _permit = free.acquire_owned().await;
                    let part = move || run(&job, start..count.min(start + size));
                    tokio::task::spawn_blocking(part).await
                })
            })
            .collect();
        let mut results = Vec::with_capacity(count);
        for part in parts {
            let failed = |_| InteractionError::internal("a worker thread failed");
            results.extend(part.await.map_err(failed)?.map_err(failed)?);
        }
        Ok(results)
    }
}
