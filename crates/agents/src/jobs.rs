//! The job engine: works on every open job of every tenant, one step after the other, and goes on
//! with what an earlier process left.
//!
//! What a step is, and that it is taken once, is the job table's business
//! ([`interactions::Interactions::step`]).

use std::time::Duration;

use interactions::{InteractionError, Interactions};
use store::{JobId, JobState, TenantId};
use tracing::{info, warn};

/// How long a job rests after a step that failed.
const REST: Duration = Duration::from_secs(5);

/// Works until `stop` is ready. A step that has begun ends.
pub async fn run(interactions: Interactions, stop: impl Future<Output = ()>) {
    let mut stop = std::pin::pin!(stop);
    let mut work = std::pin::pin!(work(interactions));
    tokio::select! {
        () = &mut stop => {}
        () = &mut work => {}
    }
}

async fn work(interactions: Interactions) {
    let mut tenants = all_tenants(&interactions).await;
    loop {
        for tenant in tenants {
            if let Err(error) = work_on(&interactions, &tenant).await {
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

async fn work_on(interactions: &Interactions, tenant: &TenantId) -> Result<(), InteractionError> {
    for (id, job) in interactions.jobs(tenant).await? {
        if job.state.is_open() {
            finish(interactions, tenant, &id).await?;
        }
    }
    Ok(())
}

async fn finish(
    interactions: &Interactions,
    tenant: &TenantId,
    id: &JobId,
) -> Result<(), InteractionError> {
    info!(%tenant, job = &*id.0, "goes on");
    loop {
        match interactions.step(tenant, id).await? {
            Some(JobState::Waiting | JobState::Running) => {}
            ended => {
                let state = ended.map_or("gone", JobState::name);
                info!(%tenant, job = &*id.0, state, "ended");
                return Ok(());
            }
        }
    }
}
