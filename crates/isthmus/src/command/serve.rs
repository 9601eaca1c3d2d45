//! `isthmus serve`: FHIR over HTTP until told to stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use agents::load::target::{Direct, Target};
use anyhow::Context;
use bytes::Bytes;
use clap::{Arg, ArgAction, ArgMatches, Command};
use fhir::FhirVersion;
use interactions::{Handling, Interactions};
use store::TenantId;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::LevelFilter;

use super::print;
use crate::config::Config;
use crate::wire;

/// The sample bundles, in the order in which they are loaded.
const SAMPLES: &[(FhirVersion, &str)] = &[
    (
        FhirVersion::R4,
        include_str!("../../../../samples/demo/r4/0-lakeside-clinic.json"),
    ),
    (
        FhirVersion::R4,
        include_str!("../../../../samples/demo/r4/amara-okafor.json"),
    ),
    (
        FhirVersion::R4,
        include_str!("../../../../samples/demo/r4/jonas-petersen.json"),
    ),
    (
        FhirVersion::R4,
        include_str!("../../../../samples/demo/r4/mei-lin-castellanos.json"),
    ),
    (
        FhirVersion::Stu3,
        include_str!("../../../../samples/demo/stu3/0-lakeside-clinic.json"),
    ),
    (
        FhirVersion::Stu3,
        include_str!("../../../../samples/demo/stu3/ruth-abara.json"),
    ),
    (
        FhirVersion::Stu3,
        include_str!("../../../../samples/demo/stu3/tobias-hale.json"),
    ),
];

/// What is worth trying after `--demo`.
const DEMO_URLS: &[(&str, &str)] = &[
    ("/fhir/r4/metadata", "what the server can do"),
    ("/fhir/r4/Patient/amara-okafor?_pretty=true", "a patient"),
    (
        "/fhir/r4/Observation?subject=Patient/amara-okafor",
        "what was observed of her",
    ),
    (
        "/fhir/stu3/Patient/tobias-hale?_format=xml",
        "a patient of STU3, as XML",
    ),
    ("/fhir/r4/_history?_count=5", "what was written last"),
];

pub(crate) fn arguments(command: Command) -> Command {
    let demo = Arg::new("demo").long("demo").action(ArgAction::SetTrue);
    command.arg(demo.help("load a few invented patients and print URLs worth trying"))
}

/// Serves until SIGINT or SIGTERM; what was begun is finished.
pub(crate) fn run(config: &Config, arguments: &ArgMatches) -> anyhow::Result<u8> {
    let address: SocketAddr = config.text("listen").parse().expect("checked when loaded");
    refuse_open_doors(config, address, Door::Http)?;
    for (_, channel) in &config.configured().channels {
        let is_known = channel.tls_client_ca.is_some();
        refuse_open_doors(
            config,
            channel.listen,
            if is_known { Door::Known } else { Door::Mllp },
        )?;
    }
    log(config);
    wire::runtime()?.block_on(async {
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("cannot listen on {address}"))?;
        let store = wire::store(config).await?;
        let (interactions, conversions) = wire::with_conversions(config, Arc::clone(&store));
        let interactions = Arc::new(interactions);
        let is_demo = arguments.get_flag("demo");
        if is_demo {
            load_samples(&interactions).await?;
        }
        announce(config, listener.local_addr()?, is_demo);
        let pause = Duration::from_millis(config.number("jobs.pause_ms"));
        let jobs = tokio::spawn(agents::jobs::run(Interactions::clone(&interactions), pause));
        let (channels, metrics) = wire::channels(&interactions, conversions).await?;
        let channels = tokio::spawn(channels.run());
        let mut server = wire::server(config);
        server.more_metrics = Some(Box::new(move |text| metrics.print(text)));
        server::serve(listener, server, interactions, stop_signal()?).await?;
        // What senders were not told they send again.
        channels.abort();
        channels.await.ok();
        // A step is one commit: whatever is cut off here goes on at the next start.
        jobs.abort();
        let closed = tokio::time::timeout(wire::CLOSE_PATIENCE, store.close()).await;
        closed.context("the store did not close in time")??;
        Ok(crate::DONE)
    })
}

/// What an address leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Http,
    Mllp,
    /// Who comes must show a certificate.
    Known,
}

/// Refuses to listen beyond this machine where nobody is asked who they are, unless told to.
pub(crate) fn refuse_open_doors(
    config: &Config,
    address: SocketAddr,
    door: Door,
) -> anyhow::Result<()> {
    if address.ip().is_loopback() || door == Door::Known {
        return Ok(());
    }
    let instead = match door {
        Door::Http => "listen on 127.0.0.1",
        Door::Mllp | Door::Known => "listen on 127.0.0.1, set `tls_client_ca`",
    };
    anyhow::ensure!(
        config.is_on("allow_unauthenticated"),
        "{address} is reachable from other machines and nobody is asked who they are: \
         {instead}, or say --allow-unauthenticated"
    );
    let what = match door {
        Door::Http => "read and write everything",
        Door::Mllp | Door::Known => "send messages",
    };
    crate::say(&format!(
        "warning: anybody who reaches {address} can {what}"
    ));
    Ok(())
}

pub(crate) fn log(config: &Config) {
    let level = match config.text("log.level") {
        "error" => LevelFilter::ERROR,
        "warn" => LevelFilter::WARN,
        "debug" => LevelFilter::DEBUG,
        _ => LevelFilter::INFO,
    };
    // A log that cannot be written (its disk is full too) must not end the process.
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    if config.text("log.format") == "json" {
        subscriber.json().init();
    } else {
        subscriber.with_ansi(false).init();
    }
}

async fn load_samples(interactions: &Arc<Interactions>) -> anyhow::Result<()> {
    for (version, text) in SAMPLES {
        let target = Direct {
            interactions: Arc::clone(interactions),
            tenant: TenantId::default(),
            version: *version,
            handling: Handling::Strict,
            render: wire::render_outcome,
        };
        let key = uuid_like(text);
        let sent = target.send(Bytes::from_static(text.as_bytes()), &key).await;
        sent.map_err(|refusal| anyhow::anyhow!("the samples: {refusal:?}"))?;
    }
    Ok(())
}

/// A key of its own for every start: loading the samples again changes nothing by itself.
fn uuid_like(text: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    format!(
        "demo-{}-{}",
        now.map_or(0, |since| since.as_nanos()),
        text.len()
    )
}

fn announce(config: &Config, address: SocketAddr, is_demo: bool) {
    print(&format!(
        "isthmus stores in {} and listens on http://{address}",
        config.text("data")
    ));
    print("nobody is asked who they are: keep it on this machine");
    if is_demo {
        print("worth trying:");
        for (path, what) in DEMO_URLS {
            print(&format!("  http://{address}{path}  {what}"));
        }
    }
}

pub(crate) fn stop_signal() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
