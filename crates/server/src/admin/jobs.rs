//! The job table over HTTP: what long work there is and how far it is, to end it and to go on.

use std::fmt::Write as _;

use fhir::json::write_string;
use fhir::{Fault, Instant, Issue};
use store::{Job, JobId, TenantId};

use crate::answer::Answer;
use crate::rejection::Rejection;
use crate::router::Endpoint;
use crate::service::App;

/// All jobs of a tenant, by id.
pub(super) async fn list(app: &App, tenant: &TenantId) -> Result<Answer, Rejection> {
    let jobs = app.interactions.jobs(tenant).await?;
    let mut text = String::from("{\"jobs\":[");
    for (at, (id, job)) in jobs.iter().enumerate() {
        text.push_str(if at > 0 { "," } else { "" });
        write_job(id, job, &mut text);
    }
    text.push_str("]}\n");
    Ok(Answer::text("application/json", text))
}

/// One job: read, ended, or let go on; as it is afterwards.
pub(super) async fn one(
    app: &App,
    tenant: &TenantId,
    endpoint: Endpoint,
    id: &JobId,
) -> Result<Answer, Rejection> {
    let interactions = &app.interactions;
    let job = match endpoint {
        Endpoint::CancelJob => interactions.cancel_job(tenant, id).await?,
        Endpoint::ResumeJob => interactions.resume_job(tenant, id).await?,
        _ => interactions.job_of(tenant, id).await?,
    };
    let job = job.ok_or_else(|| Issue::error(Fault::NotFound, "there is no such job"))?;
    let mut text = String::new();
    write_job(id, &job, &mut text);
    text.push('\n');
    Ok(Answer::text("application/json", text))
}

fn write_job(id: &JobId, job: &Job, text: &mut String) {
    let mut comma = '{';
    let mut member = |name: &str, value: &str| {
        text.push(comma);
        comma = ',';
        write_string(name, text);
        text.push(':');
        write_string(value, text);
    };
    member("id", &id.0);
    member("kind", &job.kind);
    member("parameters", &job.parameters);
    member("state", job.state.name());
    member("created", &time(job.created));
    member("heartbeat", &time(job.heartbeat));
    member("outcome", &job.outcome);
    member("unit", &job.progress.unit);
    let (done, total) = (job.progress.done, job.progress.total);
    let _ = write!(text, ",\"done\":{done},\"total\":{total}}}");
}

fn time(instant: store::Instant) -> String {
    Instant::from_micros(instant.0).to_string()
}
