//! Administration of a data directory or, through its own interface, of a running server.

mod libraries;

use std::io::Write;
use std::sync::Arc;

use agents::client::Client;
use anyhow::Context;
use bytes::Bytes;
use http::{Method, StatusCode};
use store::{ArchiveWriter, At, Store, TenantId};

use crate::config::Config;

/// What is administered.
pub(crate) enum Admin {
    /// A data directory of our own.
    Directory(Arc<dyn Store>),
    /// A running server.
    Server {
        /// Its URL, without a path.
        url: String,
        /// The way to it.
        client: Box<Client>,
    },
}

impl Admin {
    /// The server with that URL, or else the configured data directory.
    pub(crate) async fn of(config: &Config, server: Option<&str>) -> anyhow::Result<Self> {
        Ok(match server {
            Some(url) => Self::Server {
                url: url.trim_end_matches('/').to_owned(),
                client: Box::default(),
            },
            None => Self::Directory(super::store(config).await?),
        })
    }

    /// The names of all tenants.
    pub(crate) async fn tenants(&self) -> anyhow::Result<Vec<String>> {
        match self {
            Self::Directory(store) => Ok(store
                .tenants()
                .await?
                .iter()
                .map(ToString::to_string)
                .collect()),
            Self::Server { url, client } => {
                let text = ask(client, Method::GET, &format!("{url}/admin/tenants")).await?;
                let json: serde_json::Value = serde_json::from_slice(&text)?;
                let list = json["tenants"]
                    .as_array()
                    .context("the server lists no tenants")?;
                Ok(list
                    .iter()
                    .filter_map(|it| Some(it.as_str()?.to_owned()))
                    .collect())
            }
        }
    }

    /// Creates a tenant.
    pub(crate) async fn create_tenant(&self, tenant: &TenantId) -> anyhow::Result<()> {
        match self {
            Self::Directory(store) => Ok(store.create_tenant(tenant).await?),
            Self::Server { url, client } => {
                let url = format!("{url}/admin/tenants/{tenant}");
                ask(client, Method::POST, &url).await.map(|_| ())
            }
        }
    }

    /// Deletes a tenant with everything in it.
    pub(crate) async fn delete_tenant(&self, tenant: &TenantId) -> anyhow::Result<()> {
        match self {
            Self::Directory(store) => Ok(store.delete_tenant(tenant).await?),
            Self::Server { url, client } => {
                let url = format!("{url}/admin/tenants/{tenant}");
                ask(client, Method::DELETE, &url).await.map(|_| ())
            }
        }
    }

    /// Writes a backup of a tenant.
    pub(crate) async fn backup(&self, tenant: &TenantId, into: impl Write) -> anyhow::Result<()> {
        match self {
            Self::Directory(store) => backup_store(store.as_ref(), tenant, into).await,
            Self::Server { url, client } => {
                let url = format!("{url}/admin/backup?tenant={tenant}");
                backup_server(client, &url, into).await
            }
        }
    }

    /// Releases a directory.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        if let Self::Directory(store) = self {
            store.close().await?;
        }
        Ok(())
    }
}

async fn backup_store(
    store: &dyn Store,
    tenant: &TenantId,
    into: impl Write,
) -> anyhow::Result<()> {
    let view = store.view(tenant, At::Newest).await?;
    let mut archive = ArchiveWriter::new(into)?;
    let mut cursor = None;
    loop {
        let page = view.backup(cursor).await?;
        for item in &page.items {
            archive.write(item)?;
        }
        cursor = page.next;
        if cursor.is_none() {
            archive.finish()?;
            return Ok(());
        }
    }
}

async fn backup_server(client: &Client, url: &str, mut into: impl Write) -> anyhow::Result<()> {
    let mut answer = client.begin(Method::GET, url, &[], Bytes::new()).await?;
    if answer.status != StatusCode::OK {
        let text = answer.rest().await?;
        anyhow::bail!(
            "the server answers {}: {}",
            answer.status,
            String::from_utf8_lossy(&text)
        );
    }
    while let Some(piece) = answer.next().await? {
        into.write_all(&piece)?;
    }
    into.flush()?;
    Ok(())
}

async fn ask(client: &Client, method: Method, url: &str) -> anyhow::Result<Bytes> {
    let (status, body) = client.ask(method, url, &[], Bytes::new()).await?;
    anyhow::ensure!(
        status.is_success(),
        "the server answers {status}: {}",
        String::from_utf8_lossy(&body)
    );
    Ok(body)
}
