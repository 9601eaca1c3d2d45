//! M1: HL7 v2 messages by MLLP, each connection waiting for its acknowledgment before it sends the
//! next; kept alone, and converted and stored. The limit appends the same bytes to a file, syncs it
//! once for all that wait, and acknowledges; it runs inside the generator, so it pays for no process of its own.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::Setup;
use crate::client::Client;
use crate::process::{Server, free_address};
use crate::table::Sample;

const CONNECTIONS: [usize; 3] = [1, 10, 50];
const TURN: Duration = Duration::from_secs(5);
/// Messages of the measurement that waits until all are stored.
const CONVERTED: usize = 5_000;
const CONVERTED_MAX: Duration = Duration::from_mins(5);
/// Messages that one sync of the limit may cover.
const GROUP_MAX: usize = 512;

/// A patient and an encounter; small, so that the figure is the way and not the templates.
const TEMPLATE: &str = r#"{ "resourceType": "Bundle", "type": "transaction", "entry": [
{% assign it = hl7v2Data | get_first_segments: 'PID|PV1' -%}
{ "resource": { "resourceType": "Patient", "id": "{{ it.PID.3.1.Value }}",
  "identifier": [{ "value": "{{ it.PID.3.1.Value }}" }],
  "name": [{ "family": "{{ it.PID.5.1.Value }}", "given": ["{{ it.PID.5.2.Value }}"] }] },
  "request": { "method": "PUT", "url": "Patient/{{ it.PID.3.1.Value }}" } },
{ "resource": { "resourceType": "Encounter", "id": "{{ it.PV1.19.1.Value }}", "status": "in-progress",
  "class": { "code": "{{ it.PV1.2.Value }}" }, "subject": { "reference": "Patient/{{ it.PID.3.1.Value }}" } },
  "request": { "method": "PUT", "url": "Encounter/{{ it.PV1.19.1.Value }}" } },
] }"#;

/// Measures with each number of connections.
pub(crate) async fn measure(setup: &Setup) -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for connections in CONNECTIONS {
        let (server, address, folder) = start(setup, Library::None).await?;
        let cpu = server.cpu_us()?;
        let ours = stream(address, connections, TURN, usize::MAX).await?;
        let cpu = server.cpu_us()? - cpu;
        let peak = server.memory_peak_mb()?;
        server.kill()?;
        let limit = limit(folder.path()).await?;
        let beside = stream(limit, connections, TURN, usize::MAX).await?;
        let name = |what: &str| format!("{what}, {connections} connections");
        let sample = |what: &str, unit, ours| Sample::new("M1", name(what), unit, ours);
        samples.extend([
            sample("acknowledged", "messages/s", ours.rate()).beside(beside.rate()),
            sample("acknowledged p50", "ms", ours.percentile(50)).beside(beside.percentile(50)),
            sample("acknowledged p99", "ms", ours.percentile(99)).beside(beside.percentile(99)),
            sample(
                "server CPU",
                "µs/message",
                cpu / ours.latencies.len() as f64,
            ),
            sample("peak memory", "MB", peak),
        ]);
    }
    samples.extend(converted(setup, Library::Small).await?);
    samples.extend(converted(setup, Library::Ours).await?);
    Ok(samples)
}

/// What messages are converted with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Library {
    /// Nothing.
    None,
    /// One template.
    Small,
    /// The one that is part of isthmus.
    Ours,
}

/// From the first message to the last stored resource.
async fn converted(setup: &Setup, library: Library) -> Result<Vec<Sample>> {
    let (server, address, _folder) = start(setup, library).await?;
    let (cpu, began) = (server.cpu_us()?, Instant::now());
    let sent = stream(address, 50, CONVERTED_MAX, CONVERTED / 50).await?;
    let mut client = Client::new(server.address);
    loop {
        let path = "/admin/hl7v2/channels/bench/messages?state=received&_count=1";
        let answer = client.get(path).await?.success()?;
        if answer.starts_with(b"{\"messages\":[]") {
            break;
        }
        ensure!(began.elapsed() < CONVERTED_MAX, "messages are not stored");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let seconds = began.elapsed().as_secs_f64();
    let count = sent.latencies.len() as f64;
    let cpu = server.cpu_us()? - cpu;
    let with = if library == Library::Ours {
        "our library"
    } else {
        "one template"
    };
    let name = |what: &str| format!("{what}, {with}, 50 connections");
    Ok(vec![
        Sample::new(
            "M1",
            name("converted and stored"),
            "messages/s",
            count / seconds,
        ),
        Sample::new("M1", name("server CPU of that"), "µs/message", cpu / count),
    ])
}

/// Starts isthmus with one channel.
async fn start(setup: &Setup, library: Library) -> Result<(Server, SocketAddr, tempfile::TempDir)> {
    let folder = setup.folder()?;
    let (http, mllp) = (free_address()?, free_address()?);
    let mut text = format!("[[hl7v2.channel]]\nname = \"bench\"\nlisten = \"{mllp}\"\n");
    if library == Library::Ours {
        text.push_str("library = \"hl7v2\"\n");
    }
    if library == Library::Small {
        let library = folder.path().join("library");
        std::fs::create_dir(&library)?;
        std::fs::write(library.join("ADT_A01.liquid"), TEMPLATE)?;
        std::fs::write(library.join("metadata.json"), "{\"type\": \"hl7v2\"}")?;
        writeln!(text, "library = \"{}\"", library.display())?;
    }
    let file = folder.path().join("isthmus.toml");
    std::fs::write(&file, text)?;
    let data = folder.path().join("store");
    let mut command = Command::new(&setup.binary);
    command
        .arg("serve")
        .arg("--data")
        .arg(&data)
        .arg("--config")
        .arg(file);
    command.arg("--listen").arg(http.to_string());
    let log = data.with_extension("log");
    let server = Server::start(command, http, log, "/health/ready").await?;
    Ok((server, mllp, folder))
}

/// What a stream of messages met.
struct Streamed {
    latencies: Vec<Duration>,
    took: Duration,
}

impl Streamed {
    fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.took.as_secs_f64()
    }

    fn percentile(&self, percent: usize) -> f64 {
        let at = (self.latencies.len() * percent / 100).min(self.latencies.len().saturating_sub(1));
        self.latencies
            .get(at)
            .map_or(0.0, |it| it.as_secs_f64() * 1e3)
    }
}

/// Streams from several connections, for a time or until each has sent so many.
async fn stream(
    to: SocketAddr,
    connections: usize,
    time: Duration,
    each: usize,
) -> Result<Streamed> {
    let began = Instant::now();
    let mut running = JoinSet::new();
    for connection in 0..connections {
        running.spawn(async move {
            let mut stream = TcpStream::connect(to).await?;
            stream.set_nodelay(true)?;
            let (mut latencies, mut answer) = (Vec::new(), vec![0; 4 << 10]);
            for number in (0..each).take_while(|_| began.elapsed() < time) {
                let frame = frame(connection, number);
                let sent = Instant::now();
                stream.write_all(&frame).await?;
                let mut length = 0;
                while !answer[..length].ends_with(b"\x1c\r") {
                    let count = stream.read(&mut answer[length..]).await?;
                    ensure!(count > 0, "the connection was closed");
                    length += count;
                }
                let is_accepted = answer[..length].windows(6).any(|it| it == b"MSA|AA");
                ensure!(is_accepted, "a message was not accepted");
                latencies.push(sent.elapsed());
            }
            Ok(latencies)
        });
    }
    let mut latencies = Vec::new();
    for found in running.join_all().await {
        latencies.extend(found?);
    }
    let took = began.elapsed();
    latencies.sort_unstable();
    Ok(Streamed { latencies, took })
}

/// An admission of some 600 bytes; its patient is one of its connection's hundred.
fn frame(connection: usize, number: usize) -> Vec<u8> {
    let patient = number % 100;
    format!(
        "\x0bMSH|^~\\&|ADT{connection}|NORTH|EHR|SOUTH|20260101120000||ADT^A01^ADT_A01|{connection}-{number}|P|2.5.1\r\
         EVN|A01|20260101120000|||1234^WARD^CLERK\r\
         PID|1||p{connection}-{patient}^^^NORTH^MR||Okafor{number}^Amara^^^^^L||19800101|F|||1 Lake Road^^Lakeside^LS^12345^US||555-0100|||S||acc{patient}^^^NORTH^AN\r\
         NK1|1|Okafor^Jo^^^^^L|SPO|1 Lake Road^^Lakeside^LS^12345^US|555-0101\r\
         PV1|1|I|WARD1^101^A^NORTH||||0123^Castellanos^Mei^^^^MD||||||||||||v{connection}-{number}^^^NORTH^VN|||||||||||||||||||||||||20260101115900\r\x1c\r"
    )
    .into_bytes()
}

/// A message that waits for a sync.
type Waiting = (Vec<u8>, oneshot::Sender<()>);

/// A listener that does only the unavoidable work; gives its address.
async fn limit(folder: &Path) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let mut file = File::create(folder.join("limit"))?;
    let (queue, mut waiting) = mpsc::channel::<Waiting>(1_024);
    tokio::task::spawn_blocking(move || -> Result<()> {
        let mut group = Vec::new();
        while waiting.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
            for (message, _) in &group {
                file.write_all(message)?;
            }
            file.sync_data()?;
            for (_, done) in group.drain(..) {
                done.send(()).ok();
            }
        }
        Ok(())
    });
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(acknowledge(stream, queue.clone()));
        }
    });
    Ok(address)
}

async fn acknowledge(mut stream: TcpStream, queue: mpsc::Sender<Waiting>) -> Result<()> {
    stream.set_nodelay(true)?;
    let (mut message, mut bytes) = (Vec::new(), vec![0; 16 << 10]);
    loop {
        let count = stream.read(&mut bytes).await?;
        ensure!(count > 0, "the end");
        message.extend_from_slice(&bytes[..count]);
        if message.ends_with(b"\x1c\r") {
            let (done, synced) = oneshot::channel();
            queue
                .send((std::mem::take(&mut message), done))
                .await
                .context("no sync")?;
            synced.await?;
            stream
                .write_all(b"\x0bMSH|^~\\&|\rMSA|AA|1\r\x1c\r")
                .await?;
        }
    }
}
