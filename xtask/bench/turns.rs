//! Two servers, asked the same in turns, so that both meet whatever else the machine does. They and
//! the clients share the machine, which brings their rates together; the processor time that a
//! server spends on a request is therefore shown too.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use tokio::task::JoinSet;

use crate::client::Client;
use crate::process::Server;
use crate::table::Sample;

const WARM_UP: Duration = Duration::from_secs(1);
const TURN: Duration = Duration::from_millis(500);

/// A server and its limit.
pub(crate) struct Pair<'s> {
    pub(crate) ours: &'s Server,
    pub(crate) limit: &'s Server,
}

/// How a workload is shown.
pub(crate) struct Shown {
    pub(crate) workload: &'static str,
    /// What is asked for: `read`.
    pub(crate) what: String,
    /// Added to the name of each figure: `, 8 clients`.
    pub(crate) clients: String,
}

/// What one server did in its turns.
#[derive(Default)]
struct Turns {
    latencies: Vec<Duration>,
    time: Duration,
    cpu_us: f64,
}

/// The same in figures.
struct Figures {
    per_second: f64,
    /// Half of all requests took no longer, and 99 of a hundred.
    p50_us: f64,
    p99_us: f64,
    cpu_us: f64,
}

impl Pair<'_> {
    /// Asks both for these paths, over so many connections, and compares them.
    pub(crate) async fn compare(
        &self,
        paths: &Arc<[String]>,
        connections: usize,
        turns: usize,
        shown: &Shown,
    ) -> Result<Vec<Sample>> {
        let (mut ours, mut limit) = (Turns::default(), Turns::default());
        for server in [self.ours, self.limit] {
            ask_for(server.address, paths, connections, WARM_UP).await?;
        }
        for _ in 0..turns {
            ours.take(self.ours, paths, connections).await?;
            limit.take(self.limit, paths, connections).await?;
        }
        Ok(shown.samples(&ours.figures(), &limit.figures()))
    }
}

impl Shown {
    fn samples(&self, ours: &Figures, limit: &Figures) -> Vec<Sample> {
        let sample = |what: &str, unit, of: fn(&Figures) -> f64| {
            let name = format!("{}{what}{}", self.what, self.clients);
            Sample::new(self.workload, name, unit, of(ours)).beside(of(limit))
        };
        vec![
            sample("", "requests/s", |it| it.per_second),
            sample(" p50", "µs", |it| it.p50_us),
            sample(" p99", "µs", |it| it.p99_us),
            sample(" server CPU", "µs/request", |it| it.cpu_us),
        ]
    }
}

/// What a server says on each path; every answer must be a success.
pub(crate) async fn answers(
    address: SocketAddr,
    paths: impl IntoIterator<Item = String>,
) -> Result<Vec<(String, Bytes)>> {
    let mut client = Client::new(address);
    let mut pages = Vec::new();
    for path in paths {
        let answer = client.get(&path).await?.success();
        let body = answer.with_context(|| path.clone())?;
        pages.push((path, body));
    }
    Ok(pages)
}

impl Turns {
    async fn take(&mut self, server: &Server, paths: &Arc<[String]>, count: usize) -> Result<()> {
        let (cpu, start) = (server.cpu_us()?, Instant::now());
        let latencies = ask_for(server.address, paths, count, TURN).await?;
        self.latencies.extend(latencies);
        self.time += start.elapsed();
        self.cpu_us += server.cpu_us()? - cpu;
        Ok(())
    }

    fn figures(mut self) -> Figures {
        self.latencies.sort_unstable();
        let last = self.latencies.len().saturating_sub(1);
        let at = |percent: usize| {
            let index = (self.latencies.len() * percent / 100).min(last);
            let latency = self.latencies.get(index);
            latency.map_or(0.0, |it| it.as_secs_f64() * 1e6)
        };
        let requests = self.latencies.len() as f64;
        Figures {
            per_second: requests / self.time.as_secs_f64(),
            p50_us: at(50),
            p99_us: at(99),
            cpu_us: self.cpu_us / requests,
        }
    }
}

/// Asks without a pause over each connection; returns how long each request took.
async fn ask_for(
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
        running.spawn(async move { ask_until(address, &paths, offset, end).await });
    }
    let mut latencies = Vec::new();
    while let Some(done) = running.join_next().await {
        latencies.extend(done??);
    }
    Ok(latencies)
}

async fn ask_until(
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
