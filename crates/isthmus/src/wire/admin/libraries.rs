//! Libraries of templates, in a data directory or through a running server; each as a line of text.

use bytes::Bytes;
use http::Method;
use interactions::libraries::{Activation, Library};
use interactions::{InteractionError, Interactions};
use serde_json::Value;
use store::TenantId;

use super::Admin;
use crate::config::Config;

const ARCHIVE: [(&str, &str); 1] = [("content-type", "application/gzip")];

impl Admin {
    /// All libraries of a tenant.
    pub(crate) async fn libraries(
        &self,
        config: &Config,
        tenant: &TenantId,
    ) -> anyhow::Result<Vec<String>> {
        if let Some(interactions) = self.interactions(config) {
            let all = interactions.libraries(tenant).await?;
            return Ok(all.iter().map(line).collect());
        }
        let told = self.ask_libraries(Method::GET, "", tenant, Bytes::new());
        let told = told.await?;
        let all = told["libraries"].as_array().into_iter().flatten();
        Ok(all.map(line_of_json).collect())
    }

    /// Uploads a version.
    pub(crate) async fn push_library(
        &self,
        config: &Config,
        tenant: &TenantId,
        name: &str,
        archive: Bytes,
        is_for_later: bool,
    ) -> anyhow::Result<Vec<String>> {
        if let Some(interactions) = self.interactions(config) {
            let activation = if is_for_later {
                Activation::Later
            } else {
                Activation::AtOnce
            };
            let done = interactions.upload_library(tenant, name, archive, activation);
            return told(done.await);
        }
        let path = format!("/{name}?activate={}", !is_for_later);
        let told = self.ask_libraries(Method::POST, &path, tenant, archive);
        Ok(vec![line_of_json(&told.await?)])
    }

    /// Uses a version from now on.
    pub(crate) async fn activate_library(
        &self,
        config: &Config,
        tenant: &TenantId,
        name: &str,
        number: u32,
    ) -> anyhow::Result<Vec<String>> {
        if let Some(interactions) = self.interactions(config) {
            return told(interactions.use_library(tenant, name, number).await);
        }
        let path = format!("/{name}/versions/{number}/activate");
        let told = self.ask_libraries(Method::POST, &path, tenant, Bytes::new());
        Ok(vec![line_of_json(&told.await?)])
    }

    /// Uses the version that was in use before.
    pub(crate) async fn roll_back_library(
        &self,
        config: &Config,
        tenant: &TenantId,
        name: &str,
    ) -> anyhow::Result<Vec<String>> {
        if let Some(interactions) = self.interactions(config) {
            return told(interactions.roll_back_library(tenant, name).await);
        }
        let path = format!("/{name}/rollback");
        let told = self.ask_libraries(Method::POST, &path, tenant, Bytes::new());
        Ok(vec![line_of_json(&told.await?)])
    }

    fn interactions(&self, config: &Config) -> Option<Interactions> {
        match self {
            Self::Directory(store) => Some(super::super::interactions(
                config,
                std::sync::Arc::clone(store),
            )),
            Self::Server { .. } => None,
        }
    }

    async fn ask_libraries(
        &self,
        method: Method,
        path: &str,
        tenant: &TenantId,
        body: Bytes,
    ) -> anyhow::Result<Value> {
        let Self::Server { url, client } = self else {
            anyhow::bail!("a data directory is not asked over HTTP");
        };
        let sign = if path.contains('?') { '&' } else { '?' };
        let url = format!("{url}/admin/convert/libraries{path}{sign}tenant={tenant}");
        let (status, answer) = client.ask(method, &url, &ARCHIVE, body).await?;
        anyhow::ensure!(
            status.is_success(),
            "the server answers {status}: {}",
            String::from_utf8_lossy(&answer)
        );
        Ok(serde_json::from_slice(&answer)?)
    }
}

/// The line of a library, or everything that is wrong.
fn told(done: Result<Library, InteractionError>) -> anyhow::Result<Vec<String>> {
    match done {
        Ok(library) => Ok(vec![line(&library)]),
        Err(error) => {
            let issues = error.issues.iter().map(|it| it.what.clone());
            Err(anyhow::anyhow!(issues.collect::<Vec<_>>().join("\n")))
        }
    }
}

fn line(library: &Library) -> String {
    let numbers: Vec<String> = library
        .versions
        .iter()
        .map(|it| it.number.to_string())
        .collect();
    let active = library.in_use().map(|it| u64::from(it.number));
    text(&library.name, active, &numbers)
}

fn line_of_json(library: &Value) -> String {
    let versions = library["versions"].as_array().into_iter().flatten();
    let numbers: Vec<String> = versions.map(|it| it["number"].to_string()).collect();
    let name = library["name"].as_str().unwrap_or_default();
    text(name, library["active"].as_u64(), &numbers)
}

fn text(name: &str, active: Option<u64>, versions: &[String]) -> String {
    let active = active.map_or_else(|| "none".to_owned(), |it| it.to_string());
    format!(
        "{name}: version {active} in use, versions {}",
        versions.join(", ")
    )
}
