//! Administration: tenants, backups, jobs, and the loader's notes.
//!
//! While nobody is asked who they are, this answers callers on this machine only, and no web page
//! that runs in somebody's browser on it.

mod jobs;
mod libraries;

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use fhir::json::write_string;
use fhir::{Fault, Issue};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use hyper::body::Incoming;
use interactions::load_run::LoadRun;
use store::{ArchiveWriter, At, JobId, StoreError, TenantId, View};
use tokio::sync::mpsc;

use crate::answer::{Answer, Content};
use crate::body::{Body, receive};
use crate::channels;
use crate::links;
use crate::query::{decode, pairs};
use crate::rejection::Rejection;
use crate::router::{Endpoint, Place};
use crate::service::App;

/// Pages of a backup that wait to be taken.
const BACKUP_PAGES_WAITING_MAX: usize = 2;

/// Refuses whoever is not on this machine, or speaks for somebody who may not be.
pub(crate) fn check_peer(peer: SocketAddr, head: &Parts) -> Result<(), Issue> {
    let is_proxied = ["forwarded", "x-forwarded-for", "origin", "via"]
        .iter()
        .any(|name| head.headers.contains_key(*name));
    let is_local = peer.ip().to_canonical().is_loopback();
    if is_local && !is_proxied && links::host(head).is_none_or(is_loopback_name) {
        return Ok(());
    }
    let issue = Issue::error(
        Fault::Forbidden,
        "administration is for callers on this machine",
    );
    Err(issue.mend("connect to the loopback address, directly"))
}

/// Other names may be anybody's: a page could have rebound its own to this address.
fn is_loopback_name(host: &str) -> bool {
    let name = host.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let name = name.map_or_else(
        || host.split(':').next().unwrap_or_default(),
        |(name, _)| name,
    );
    name == "localhost"
        || name
            .parse()
            .is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

/// Does what was asked.
pub(crate) async fn answer(
    app: &App,
    head: &Parts,
    endpoint: Endpoint,
    place: Place,
    body: &mut Incoming,
) -> Result<Answer, Rejection> {
    let store = app.interactions.store();
    match (endpoint, place.tenant.clone()) {
        (Endpoint::ListTenants, _) => Ok(list(&store.tenants().await?)),
        (Endpoint::CreateTenant, Some(tenant)) => {
            store.create_tenant(&tenant).await?;
            Ok(Answer::empty(StatusCode::CREATED))
        }
        (Endpoint::DeleteTenant, Some(tenant)) => {
            app.interactions.delete_tenant(&tenant).await?;
            Ok(Answer::empty(StatusCode::NO_CONTENT))
        }
        (Endpoint::Backup, _) => backup(app, &named_tenant(head)?).await,
        (Endpoint::ListJobs, _) => jobs::list(app, &named_tenant(head)?).await,
        (Endpoint::ReadJob | Endpoint::ResumeJob | Endpoint::CancelJob, _) => {
            let id = JobId(place.name.unwrap_or_default().into());
            jobs::one(app, &named_tenant(head)?, endpoint, &id).await
        }
        (
            Endpoint::ListLibraries
            | Endpoint::ReadLibrary
            | Endpoint::UploadLibrary
            | Endpoint::DeleteLibrary
            | Endpoint::ReadLibraryVersion
            | Endpoint::DeleteLibraryVersion
            | Endpoint::ActivateLibraryVersion
            | Endpoint::RollBackLibrary,
            _,
        ) => {
            let tenant = named_tenant(head)?;
            libraries::answer(app, head, endpoint, &tenant, place, body).await
        }
        (Endpoint::BeginLoad | Endpoint::NoteLoad | Endpoint::FinishLoad, _) => {
            let name = place.name.unwrap_or_default();
            load(app, head, endpoint, &name, body).await
        }
        _ => channels::answer(app, head, endpoint, &place, body).await,
    }
}

fn list(tenants: &[TenantId]) -> Answer {
    let mut text = String::from("{\"tenants\":[");
    for (at, tenant) in tenants.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        write_string(tenant.as_str(), &mut text);
    }
    text.push_str("]}\n");
    Answer::text("application/json", text)
}

/// The tenant that the parameter names, else the default one.
pub(crate) fn named_tenant(head: &Parts) -> Result<TenantId, Issue> {
    let mut found =
        pairs(head.uri.query().unwrap_or_default()).filter(|(name, _)| *name == "tenant");
    let Some((_, raw)) = found.next() else {
        return Ok(TenantId::default());
    };
    TenantId::parse(&decode(raw)?).map_err(|fault| {
        Issue::error(Fault::Invalid, "`tenant` is no tenant's name").mend(fault.to_string())
    })
}

/// The run of a loader: begun or taken up again, noted, finished.
async fn load(
    app: &App,
    head: &Parts,
    endpoint: Endpoint,
    fingerprint: &str,
    body: &mut Incoming,
) -> Result<Answer, Rejection> {
    let (tenant, interactions) = (named_tenant(head)?, &app.interactions);
    if endpoint == Endpoint::BeginLoad {
        let run = interactions.begin_load(&tenant, fingerprint).await?;
        return Ok(Answer::text("text/plain; charset=utf-8", run.encode()));
    }
    let received = receive(body, &head.headers, &app.config.limits, &app.budget).await?;
    let text = std::str::from_utf8(&received.bytes).unwrap_or_default();
    let run = LoadRun::decode(fingerprint, text);
    if endpoint == Endpoint::NoteLoad {
        let run = run.ok_or_else(|| Issue::error(Fault::Invalid, "the body is no load run"))?;
        interactions.note_load(&tenant, &run).await?;
    } else {
        let none = || LoadRun {
            fingerprint: fingerprint.to_owned(),
            id: String::new(),
            done: Vec::new(),
        };
        interactions
            .finish_load(&tenant, &run.unwrap_or_else(none))
            .await?;
    }
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

/// A backup as of now, streamed; it ends with a mark, so that one cut short is noticed.
async fn backup(app: &App, tenant: &TenantId) -> Result<Answer, Rejection> {
    let view = app.interactions.store().view(tenant, At::Newest).await?;
    let (sender, receiver) = mpsc::channel(BACKUP_PAGES_WAITING_MAX);
    tokio::spawn(async move {
        if let Err(error) = write_backup(&*view, &sender).await {
            tracing::error!(cause = %error, "a backup broke off");
            // The client sees the connection break; if it is gone already, nobody is to be told.
            sender.send(Err(error)).await.ok();
        }
    });
    let octets = HeaderValue::from_static("application/octet-stream");
    let answer = Answer::new(StatusCode::OK, Content::Stream(Body::stream(receiver)));
    Ok(answer.with(header::CONTENT_TYPE, octets))
}

async fn write_backup(view: &dyn View, sender: &mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
    let failed = |error: StoreError| io::Error::other(error);
    let mut archive = ArchiveWriter::new(Vec::new())?;
    let mut cursor = None;
    loop {
        let page = view.backup(cursor).await.map_err(failed)?;
        for item in &page.items {
            archive.write(item)?;
        }
        let bytes = std::mem::take(archive.get_mut());
        if sender.send(Ok(bytes.into())).await.is_err() {
            return Ok(());
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let rest = archive.finish()?;
    sender.send(Ok(rest.into())).await.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_callers_on_this_machine_administer() {
        for (peer, headers, expected) in [
            ("127.0.0.1:1", &[("host", "localhost:8080")][..], true),
            ("127.0.0.1:1", &[("host", "127.0.0.1:8080")], true),
            ("[::1]:1", &[("host", "[::1]:8080")], true),
            ("[::ffff:127.0.0.1]:1", &[], true),
            ("10.0.0.1:1", &[("host", "localhost")], false),
            ("127.0.0.1:1", &[("host", "rebound.example")], false),
            (
                "127.0.0.1:1",
                &[("host", "localhost"), ("x-forwarded-for", "10.0.0.1")],
                false,
            ),
            (
                "127.0.0.1:1",
                &[("host", "localhost"), ("origin", "http://a.example")],
                false,
            ),
        ] {
            let mut request = http::Request::builder();
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let (head, ()) = request.body(()).expect("valid").into_parts();
            let peer = peer.parse().expect("an address");
            assert_eq!(
                check_peer(peer, &head).is_ok(),
                expected,
                "{peer} {headers:?}"
            );
        }
    }
}
