//! Libraries of templates by `/admin/convert/libraries`: listed, uploaded as archives, activated,
//! rolled back, deleted. `tenant` in the URL names the tenant; answers are JSON.

use fhir::json::write_string;
use fhir::{Fault, Issue};
use http::StatusCode;
use http::request::Parts;
use hyper::body::Incoming;
use interactions::libraries::{Activation, Library, LibraryVersion};
use store::TenantId;

use crate::answer::Answer;
use crate::body::receive;
use crate::query::{decode, pairs};
use crate::rejection::Rejection;
use crate::router::{Endpoint, Place};
use crate::service::App;

/// Does what was asked.
pub(super) async fn answer(
    app: &App,
    head: &Parts,
    endpoint: Endpoint,
    tenant: &TenantId,
    place: Place,
    body: &mut Incoming,
) -> Result<Answer, Rejection> {
    let name = place.name.unwrap_or_default();
    // No version has a number that large.
    let number = u32::try_from(place.number.unwrap_or(0)).unwrap_or(u32::MAX);
    let interactions = &app.interactions;
    let library = match endpoint {
        Endpoint::ListLibraries => {
            let all = interactions.libraries(tenant).await?;
            let all: Vec<String> = all.iter().map(shown).collect();
            let text = format!("{{\"libraries\":[{}]}}\n", all.join(","));
            return Ok(Answer::text("application/json", text));
        }
        Endpoint::UploadLibrary => {
            let activation = activation(head)?;
            let received = receive(body, &head.headers, &app.config.limits, &app.budget).await?;
            let archive = received.bytes.clone();
            interactions
                .upload_library(tenant, &name, archive, activation)
                .await?
        }
        Endpoint::ReadLibraryVersion => {
            let content = interactions.library_content(tenant, &name, number).await?;
            return Ok(Answer::text("application/gzip", content));
        }
        Endpoint::DeleteLibraryVersion => {
            interactions
                .delete_library_version(tenant, &name, number)
                .await?
        }
        Endpoint::ActivateLibraryVersion => interactions.use_library(tenant, &name, number).await?,
        Endpoint::RollBackLibrary => interactions.roll_back_library(tenant, &name).await?,
        Endpoint::DeleteLibrary => {
            interactions.delete_library(tenant, &name).await?;
            return Ok(Answer::empty(StatusCode::NO_CONTENT));
        }
        _ => interactions.library(tenant, &name).await?.ok_or_else(|| {
            Issue::error(Fault::NotFound, "the tenant has no library of that name")
        })?,
    };
    Ok(Answer::text("application/json", shown(&library) + "\n"))
}

/// `activate=false` keeps what is uploaded for later.
fn activation(head: &Parts) -> Result<Activation, Issue> {
    let query = head.uri.query().unwrap_or_default();
    let Some((_, raw)) = pairs(query).find(|(name, _)| *name == "activate") else {
        return Ok(Activation::AtOnce);
    };
    match &*decode(raw)? {
        "true" => Ok(Activation::AtOnce),
        "false" => Ok(Activation::Later),
        _ => Err(Issue::error(
            Fault::Invalid,
            "`activate` is neither `true` nor `false`",
        )),
    }
}

fn shown(library: &Library) -> String {
    let mut text = String::from("{\"name\":");
    write_string(&library.name, &mut text);
    if let Some(version) = library.in_use() {
        text.extend([",\"active\":", &version.number.to_string()]);
    }
    let versions: Vec<String> = library.versions.iter().map(shown_version).collect();
    text.extend([",\"versions\":[", &versions.join(","), "]}"]);
    text
}

fn shown_version(version: &LibraryVersion) -> String {
    let uploaded = fhir::Instant::from_micros(version.uploaded.0);
    let (number, bytes, sha256) = (version.number, version.bytes, &version.sha256);
    let mut text = format!(
        "{{\"number\":{number},\"uploaded\":\"{uploaded}\",\"bytes\":{bytes},\"sha256\":\"{sha256}\""
    );
    if let Some(base) = &version.base {
        text.push_str(",\"base\":");
        write_string(base, &mut text);
    }
    text.push('}');
    text
}
