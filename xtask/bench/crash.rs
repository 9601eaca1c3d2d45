//! W10: the server is killed while clients load, started again on what it left, and asked for every
//! resource that it had acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use http::StatusCode;

use crate::Setup;
use crate::bundles::Bundles;
use crate::client::Client;
use crate::load::{BASE, load_first, load_patients};
use crate::process::Server;
use crate::table::Sample;

const CLIENTS: usize = 16;

/// The first run is killed when this part of the bundles was sent, the next two one part later.
const PARTS: usize = 4;

/// Kills, restarts and counts.
pub(crate) async fn measure(setup: &Setup, run: usize) -> Result<Vec<Sample>> {
    let folder = setup.folder()?;
    let data = folder.path().join("store");
    let server = Server::isthmus(&setup.binary, &data).await?;
    let bundles = Arc::new(Bundles::read()?);
    let mut acknowledged = load_first(&bundles, server.address).await?;
    let address = server.address;
    let progress = Arc::new(AtomicUsize::new(0));
    let (others, counted) = (Arc::clone(&bundles), Arc::clone(&progress));
    let loading =
        tokio::spawn(async move { load_patients(&others, address, CLIENTS, &counted).await });
    // The first bundles are taken at once by all clients; those after them as answers come.
    let rest = bundles.patients.len().saturating_sub(CLIENTS);
    let until = CLIENTS + rest * (1 + (run - 1) % (PARTS - 1)) / PARTS;
    while progress.load(Ordering::Relaxed) < until && !loading.is_finished() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    server.kill()?;
    acknowledged.add(loading.await?);
    let server = Server::isthmus(&setup.binary, &data).await?;
    let missing = missing(&server, &acknowledged.locations).await?;
    let sample = |what: &str, unit, ours| Sample::new("W10", what.to_owned(), unit, ours);
    Ok(vec![
        sample(
            "acknowledged before kill -9",
            "resources",
            acknowledged.locations.len() as f64,
        ),
        sample("of these missing", "resources", missing as f64),
        sample("restart to ready", "s", server.started_in.as_secs_f64()),
    ])
}

async fn missing(server: &Server, locations: &[String]) -> Result<usize> {
    let mut client = Client::new(server.address);
    let mut missing = 0;
    for location in locations {
        let answer = client.get(&format!("{BASE}/{location}")).await?;
        missing += usize::from(answer.status != StatusCode::OK);
    }
    Ok(missing)
}
