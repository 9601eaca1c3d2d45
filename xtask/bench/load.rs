//! W1: transaction bundles from several clients at once. The limit writes the same bytes to a file
//! and syncs it as often as clients can wait for: once for as many bundles as there are clients.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::Setup;
use crate::bundles::{Bundle, Bundles};
use crate::client::Client;
use crate::process::{Server, disk_bytes};
use crate::table::Sample;

/// The base of the server's FHIR interface.
pub(crate) const BASE: &str = "/fhir/r4";

const CLIENTS: [usize; 3] = [1, 4, 16];

/// Background work is over when the size stands still this long.
const SETTLED: Duration = Duration::from_secs(3);
const SETTLED_MAX: Duration = Duration::from_mins(1);

/// What the server acknowledged.
#[derive(Default)]
pub(crate) struct Acknowledged {
    pub(crate) bundles: usize,
    /// Bundles that were refused or lost.
    pub(crate) failed: usize,
    /// Where the stored resources are, below the base: `Patient/1`.
    pub(crate) locations: Vec<String>,
    /// Their bytes as minified JSON.
    pub(crate) json_bytes: usize,
    /// Until the last answer had come.
    took: Duration,
}

/// A server on a store with all bundles in it.
pub(crate) struct Loaded {
    pub(crate) server: Server,
    /// Where the stored resources are, below the base.
    pub(crate) locations: Vec<String>,
    /// Holds the store; goes away with this.
    pub(crate) folder: TempDir,
}

impl Loaded {
    /// Loads with a few clients and waits until background work is over.
    pub(crate) async fn new(setup: &Setup) -> Result<Loaded> {
        let folder = setup.folder()?;
        let data = folder.path().join("store");
        let server = Server::isthmus(&setup.binary, &data).await?;
        let bundles = Arc::new(Bundles::read()?);
        let mut stored = load_first(&bundles, server.address).await?;
        stored.add(load_patients(&bundles, server.address, 4, &Arc::default()).await);
        settled_disk_bytes(&data).await?;
        Ok(Loaded {
            server,
            locations: stored.locations,
            folder,
        })
    }
}

/// Loads into an empty store with each number of clients.
pub(crate) async fn measure(setup: &Setup) -> Result<Vec<Sample>> {
    let bundles = Arc::new(Bundles::read()?);
    let mut samples = Vec::new();
    for clients in CLIENTS {
        samples.extend(with_clients(setup, &bundles, clients).await?);
    }
    Ok(samples)
}

async fn with_clients(
    setup: &Setup,
    bundles: &Arc<Bundles>,
    clients: usize,
) -> Result<Vec<Sample>> {
    let folder = setup.folder()?;
    let data = folder.path().join("store");
    let server = Server::isthmus(&setup.binary, &data).await?;
    let mut acknowledged = load_first(bundles, server.address).await?;
    let before = acknowledged.locations.len();
    let cpu = server.cpu_us()?;
    let progress = Arc::default();
    let loaded = load_patients(bundles, server.address, clients, &progress).await;
    let seconds = loaded.took.as_secs_f64();
    acknowledged.add(loaded);
    let peak = server.memory_peak_mb()?;
    let disk = settled_disk_bytes(&data).await?;
    // Work that the server put off until the load was over is work for these resources too.
    let cpu = server.cpu_us()? - cpu;
    let resources = (acknowledged.locations.len() - before) as f64;
    let limit = limit_seconds(folder.path(), &bundles.patients, clients)?;
    let name = |what: &str| format!("{what}, {clients} clients");
    let sample = |what: &str, unit, ours| Sample::new("W1", name(what), unit, ours);
    let ratio = disk as f64 / acknowledged.json_bytes as f64;
    Ok(vec![
        sample("load", "resources/s", resources / seconds).beside(resources / limit),
        sample(
            "load",
            "bundles/s",
            (acknowledged.bundles - bundles.first.len()) as f64 / seconds,
        ),
        sample("server CPU", "µs/resource", cpu / resources),
        sample("disk ÷ JSON", "bytes/byte", ratio).beside(1.0),
        sample("peak memory", "MB", peak),
        sample("failed bundles", "", acknowledged.failed as f64),
    ])
}

/// Loads what the other bundles refer to; without it they cannot be stored.
pub(crate) async fn load_first(bundles: &Bundles, address: SocketAddr) -> Result<Acknowledged> {
    let mut acknowledged = Acknowledged::default();
    let mut client = Client::new(address);
    for bundle in &bundles.first {
        let body = client.post(BASE, bundle.body.clone()).await?.success()?;
        acknowledged.note(bundle, &body)?;
    }
    Ok(acknowledged)
}

/// Each client takes the next bundle until none is left. `progress` counts those that were taken.
pub(crate) async fn load_patients(
    bundles: &Arc<Bundles>,
    address: SocketAddr,
    clients: usize,
    progress: &Arc<AtomicUsize>,
) -> Acknowledged {
    let start = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..clients {
        let (bundles, next) = (Arc::clone(bundles), Arc::clone(progress));
        running.spawn(async move { load_some(&bundles, &next, address).await });
    }
    let answers: Vec<_> = running.join_all().await.into_iter().flatten().collect();
    let mut acknowledged = Acknowledged {
        took: start.elapsed(),
        ..Acknowledged::default()
    };
    // Read after the clock has stopped: it is no work of the server.
    for (index, answer) in answers {
        let noted = answer.and_then(|it| acknowledged.note(&bundles.patients[index], &it));
        if let Err(fault) = noted {
            if acknowledged.failed == 0 {
                eprintln!("bundle {index}: {fault:#}");
            }
            acknowledged.failed += 1;
        }
    }
    acknowledged
}

type Answers = Vec<(usize, Result<bytes::Bytes>)>;

async fn load_some(bundles: &Bundles, next: &AtomicUsize, address: SocketAddr) -> Answers {
    let mut client = Client::new(address);
    let mut answers = Vec::new();
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(bundle) = bundles.patients.get(index) else {
            return answers;
        };
        let answer = client.post(BASE, bundle.body.clone()).await;
        answers.push((index, answer.and_then(crate::client::Answer::success)));
    }
}

impl Acknowledged {
    /// Reads the answer to a transaction: every entry that was created or updated counts.
    fn note(&mut self, bundle: &Bundle, answer: &[u8]) -> Result<()> {
        let answer: Value = serde_json::from_slice(answer)?;
        let entries = answer["entry"]
            .as_array()
            .context("the answer has no entries")?;
        self.bundles += 1;
        for (entry, bytes) in entries.iter().zip(&bundle.resources) {
            let response = &entry["response"];
            let is_stored = response["status"]
                .as_str()
                .is_some_and(|it| it.starts_with("201"));
            if let (true, Some(location)) = (is_stored, response["location"].as_str()) {
                self.locations.push(below_base(location));
                self.json_bytes += bytes;
            }
        }
        Ok(())
    }

    /// Joins what two phases were told.
    pub(crate) fn add(&mut self, other: Acknowledged) {
        self.bundles += other.bundles;
        self.failed += other.failed;
        self.locations.extend(other.locations);
        self.json_bytes += other.json_bytes;
        self.took += other.took;
    }
}

/// `http://host/fhir/r4/Patient/1/_history/1` and `Patient/1/_history/1` are `Patient/1`.
fn below_base(location: &str) -> String {
    let path = location
        .rsplit_once(BASE)
        .map_or(location, |(_, path)| path);
    let path = path.trim_start_matches('/');
    path.split("/_history/").next().unwrap_or(path).to_owned()
}

async fn settled_disk_bytes(data: &Path) -> Result<u64> {
    let start = Instant::now();
    let (mut bytes, mut since) = (disk_bytes(data)?, Instant::now());
    while since.elapsed() < SETTLED && start.elapsed() < SETTLED_MAX {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = disk_bytes(data)?;
        if now != bytes {
            (bytes, since) = (now, Instant::now());
        }
    }
    Ok(bytes)
}

fn limit_seconds(folder: &Path, bundles: &[Bundle], clients: usize) -> Result<f64> {
    let mut file = File::create(folder.join("limit"))?;
    let start = Instant::now();
    for group in bundles.chunks(clients) {
        for bundle in group {
            file.write_all(&bundle.body)?;
        }
        file.sync_data()?;
    }
    Ok(start.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::below_base;

    #[test]
    fn locations_are_read_below_the_base() {
        for location in [
            "http://a:1/fhir/r4/Patient/1/_history/2",
            "Patient/1/_history/2",
            "/Patient/1",
        ] {
            assert_eq!(below_base(location), "Patient/1");
        }
    }
}
