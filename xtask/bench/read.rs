//! W6: single reads of many resources over kept connections, beside the limit. Both servers and
//! the clients share the machine, which brings the two rates together; the processor time that a
//! server spends on a request is therefore shown too.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use tokio::task::JoinSet;

use crate::Setup;
use crate::bundles::Bundles;
use crate::client::Client;
use crate::limit;
use crate::load::{BASE, load_first, load_patients};
use crate::process::Server;
use crate::table::Sample;

const CONNECTIONS: [usize; 3] = [1, 16, 64];

/// How many resources are read in turn.
const RESOURCES_MAX: usize = 1_000;

const WARM_UP: Duration = Duration::from_secs(1);
/// The two servers are asked in turns, so that both meet whatever else the machine does.
const TURNS: usize = 10;
const TURN: Duration = Duration::from_millis(500);

/// What one server did in its turns.
#[derive(Default)]
struct Turns {
    latencies: Vec<Duration>,
    time: Duration,
    cpu_us: f64,
}

/// The same in figures.
struct Reads {
    per_second: f64,
    /// Half of all requests took no longer, and 99 of a hundred.
    p50_us: f64,
    p99_us: f64,
    cpu_us: f64,
}

/// Loads a store, copies some of its answers to the limit, and reads from both.
pub(crate) async fn measure(setup: &Setup) -> Result<Vec<Sample>> {
    let folder = setup.folder()?;
    let ours = Server::isthmus(&setup.binary, &folder.path().join("store")).await?;
    let bundles = Arc::new(Bundles::read()?);
    let mut stored = load_first(&bundles, ours.address).await?;
    stored.add(load_patients(&bundles, ours.address, 4, &Arc::default()).await);
    let pages = answers(ours.address, &stored.locations).await?;
    let limit = limit::start(&folder.path().join("limit"), &pages).await?;
    let paths: Arc<[String]> = pages.into_iter().map(|(path, _)| path).collect();
    let mut samples = Vec::new();
    for connections in CONNECTIONS {
        let (mut reads, mut beside) = (Turns::default(), Turns::default());
        for server in [&ours, &limit] {
            read_for(server.address, &paths, connections, WARM_UP).await?;
        }
        for _ in 0..TURNS {
            reads.take(&ours, &paths, connections).await?;
            beside.take(&limit, &paths, connections).await?;
        }
        samples.extend(compare(connections, &reads.figures(), &beside.figures()));
    }
    Ok(samples)
}

fn compare(connections: usize, ours: &Reads, limit: &Reads) -> Vec<Sample> {
    let sample = |what: &str, unit, of: fn(&Reads) -> f64| {
        let name = format!("{what}, {connections} connections");
        Sample::new("W6", name, unit, of(ours)).beside(of(limit))
    };
    vec![
        sample("read", "requests/s", |it| it.per_second),
        sample("read p50", "µs", |it| it.p50_us),
        sample("read p99", "µs", |it| it.p99_us),
        sample("server CPU", "µs/request", |it| it.cpu_us),
    ]
}

/// What the server says for an even choice of locations.
async fn answers(address: SocketAddr, locations: &[String]) -> Result<Vec<(String, Bytes)>> {
    let step = locations.len().div_ceil(RESOURCES_MAX).max(1);
    let mut client = Client::new(address);
    let mut pages = Vec::new();
    for location in locations.iter().step_by(step) {
        let path = format!("{BASE}/{location}");
        let body = client
            .get(&path)
            .await?
            .success()
            .context("a stored resource")?;
        pages.push((path, body));
    }
    Ok(pages)
}

impl Turns {
    async fn take(&mut self, server: &Server, paths: &Arc<[String]>, count: usize) -> Result<()> {
        let (cpu, start) = (server.cpu_us()?, Instant::now());
        let latencies = read_for(server.address, paths, count, TURN).await?;
        self.latencies.extend(latencies);
        self.time += start.elapsed();
        self.cpu_us += server.cpu_us()? - cpu;
        Ok(())
    }

    fn figures(mut self) -> Reads {
        self.latencies.sort_unstable();
        let last = self.latencies.len().saturating_sub(1);
        let at = |percent: usize| {
            let index = (self.latencies.len() * percent / 100).min(last);
            let latency = self.latencies.get(index);
            latency.map_or(0.0, |it| it.as_secs_f64() * 1e6)
        };
        let requests = self.latencies.len() as f64;
        Reads {
            per_second: requests / self.time.as_secs_f64(),
            p50_us: at(50),
            p99_us: at(99),
            cpu_us: self.cpu_us / requests,
        }
    }
}

/// Reads without a pause over each connection; returns how long each request took.
async fn read_for(
    address: SocketAddr,
    paths: &Arc<[String]>,
    connections: usize,
    duration: Duration,
) -> Result<Vec<Duration>> {
    let end = Instant::now() + duration;
    let mut running = JoinSet::new();
    for number in 0..connections {
        let paths = Arc::clone(paths);
        // Each connection begins elsewhere, so that they do not walk in step.
        let offset = number * paths.len() / connections;
        running.spawn(async move { read_until(address, &paths, offset, end).await });
    }
    let mut latencies = Vec::new();
    while let Some(done) = running.join_next().await {
        latencies.extend(done??);
    }
    Ok(latencies)
}

async fn read_until(
    address: SocketAddr,
    paths: &[String],
    offset: usize,
    end: Instant,
) -> Result<Vec<Duration>> {
    let mut client = Client::new(address);
    let mut latencies = Vec::new();
    for path in paths.iter().cycle().skip(offset) {
        let start = Instant::now();
        if start >= end {
            break;
        }
        client.get(path).await?.success()?;
        latencies.push(start.elapsed());
    }
    Ok(latencies)
}
