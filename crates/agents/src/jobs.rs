//! The job engine: works on every open job of every tenant, one step after the other, and goes on
//! with what an earlier process left.
//!
//! What a step is, and that it is taken once, is the job table's business
//! ([`interactions::Interactions::step`]).

use std::time::{Duration, Instant};

use interactions::{InteractionError, Interactions};
use store::{JobId, JobState, Progress, TenantId};
use tracing::{info, warn};

/// How long a job rests after a step that failed.
const REST: Duration = Duration::from_secs(5);

/// How often the log tells how far a job is.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Works for ever, with a pause between steps; it may be dropped at any time.
pub async fn run(interactions: Interactions, pause: Duration) {
    let mut tenants = all_tenants(&interactions).await;
    loop {
        for tenant in tenants {
            if let Err(error) = work_on(&interactions, &tenant, pause).await {
                warn!(%error, "a job rests");
                tokio::time::sleep(REST).await;
                interactions.begin_work(tenant);
            }
        }
        tenants = interactions.tenants_with_work().await;
    }
}

async fn all_tenants(interactions: &Interactions) -> Vec<TenantId> {
    match interactions.store().tenants().await {
        Ok(tenants) => tenants,
        Err(error) => {
            warn!(%error, "the tenants cannot be listed");
            Vec::new()
        }
    }
}

async fn work_on(
    interactions: &Interactions,
    tenant: &TenantId,
    pause: Duration,
) -> Result<(), InteractionError> {
    interactions.begin_indexing(tenant).await?;
    remove_orphans(interactions, tenant).await;
    for (id, job) in interactions.jobs(tenant).await? {
        if job.state.is_open() {
            finish(interactions, tenant, &id, pause).await?;
        }
    }
    Ok(())
}

/// Removes blobs that nothing names: of resources that were purged, of writes that came to nothing.
async fn remove_orphans(interactions: &Interactions, tenant: &TenantId) {
    match interactions.store().collect_orphan_blobs(tenant).await {
        Ok(0) => {}
        Ok(count) => info!(%tenant, count, "blobs that nothing names are removed"),
        Err(error) => warn!(%tenant, %error, "blobs that nothing names stay"),
    }
}

async fn finish(
    interactions: &Interactions,
    tenant: &TenantId,
    id: &JobId,
    pause: Duration,
) -> Result<(), InteractionError> {
    tell(interactions, tenant, id, "goes on").await?;
    let mut told = Instant::now();
    loop {
        match interactions.step(tenant, id).await? {
            Some(JobState::Waiting | JobState::Running) => {
                if told.elapsed() > TOLD_EVERY {
                    tell(interactions, tenant, id, "works").await?;
                    told = Instant::now();
                }
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
            }
            ended => {
                let state = ended.map_or("gone", JobState::name);
                info!(%tenant, job = &*id.0, state, "ended");
                return Ok(());
            }
        }
    }
}

/// Logs how far a job is.
async fn tell(
    interactions: &Interactions,
    tenant: &TenantId,
    id: &JobId,
    what: &str,
) -> Result<(), InteractionError> {
    if let Some(job) = interactions.job_of(tenant, id).await? {
        let Progress { done, total, unit } = &job.progress;
        info!(%tenant, job = &*id.0, done, total, unit = &**unit, "{what}");
    }
    Ok(())
}
