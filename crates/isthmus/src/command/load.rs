//! `isthmus load`: files into a server (`--to`) or straight into a data directory.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use agents::load::http::Server;
use agents::load::target::{Direct, Target};
use agents::load::{Options, Progress, Report, source};
use anyhow::Context;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use fhir::FhirVersion;
use indicatif::{ProgressBar, ProgressStyle};
use interactions::Handling;
use serde_json::json;
use store::TenantId;

use super::print;
use crate::config::Config;
use crate::wire;

const TICK: Duration = Duration::from_millis(200);
const LINE_EVERY_TICKS: u32 = 25;

pub(crate) fn arguments(command: Command) -> Command {
    command
        .arg(
            Arg::new("paths")
                .value_name("PATH")
                .help("files and folders: .json, .ndjson, .xml, also with .gz, .bz2, .zst")
                .required(true)
                .num_args(1..)
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(
            Arg::new("to")
                .long("to")
                .value_name("URL")
                .help("FHIR base of a running server, e.g. http://127.0.0.1:8080/fhir/r4; without it the data directory is written"),
        )
        .arg(
            Arg::new("fhir-version")
                .long("fhir-version")
                .value_parser(["r4", "stu3"])
                .default_value("r4")
                .help("version of the files, when a data directory is written"),
        )
        .arg(tenant_argument())
        .arg(
            Arg::new("workers")
                .long("workers")
                .value_name("N")
                .value_parser(value_parser!(u16).range(1..=256))
                .help("bundles sent at one time [default: number of cores × 2]"),
        )
        .arg(
            Arg::new("rejects")
                .long("rejects")
                .value_name("FILE")
                .default_value("rejects.ndjson")
                .value_parser(value_parser!(PathBuf))
                .help("where refused bundles and resources are listed with their OperationOutcomes"),
        )
        .arg(
            Arg::new("patience")
                .long("patience")
                .value_name("SECONDS")
                .default_value("60")
                .value_parser(value_parser!(u64))
                .help("how long to wait for a server that does not answer"),
        )
        .arg(
            Arg::new("lenient")
                .long("lenient")
                .action(ArgAction::SetTrue)
                .help("mend brackets of arrays and take malformed values with a warning"),
        )
        .arg(json_switch())
}

/// `--json`
pub(crate) fn json_switch() -> Arg {
    Arg::new("json")
        .long("json")
        .action(ArgAction::SetTrue)
        .help("machine-readable results")
}

/// `--tenant`
pub(crate) fn tenant_argument() -> Arg {
    Arg::new("tenant")
        .long("tenant")
        .value_name("NAME")
        .default_value(TenantId::DEFAULT)
        .help("the tenant")
}

/// The tenant that `--tenant` names.
pub(crate) fn tenant(arguments: &ArgMatches) -> anyhow::Result<TenantId> {
    Ok(TenantId::parse(
        arguments
            .get_one::<String>("tenant")
            .expect("it has a default"),
    )?)
}

/// Loads; exit code 1 if anything was refused.
pub(crate) fn run(config: &Config, arguments: &ArgMatches) -> anyhow::Result<u8> {
    let paths: Vec<PathBuf> = arguments
        .get_many("paths")
        .expect("required")
        .cloned()
        .collect();
    let sources = source::find(&paths)?;
    anyhow::ensure!(
        !sources.is_empty(),
        "nothing to load: no .json, .ndjson or .xml file found"
    );
    let runtime = wire::runtime()?;
    let (report, seconds) = runtime.block_on(async {
        let (target, store) = target(config, arguments).await?;
        let began = std::time::Instant::now();
        let report = with_progress(&sources, target, workers(arguments)).await;
        let seconds = began.elapsed().as_secs_f64();
        if let Some(store) = store {
            store.close().await?;
        }
        anyhow::Ok((report?, seconds))
    })?;
    let rejects = arguments
        .get_one::<PathBuf>("rejects")
        .expect("it has a default");
    finish(&report, seconds, rejects, arguments.get_flag("json"))
}

fn workers(arguments: &ArgMatches) -> usize {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    arguments
        .get_one::<u16>("workers")
        .map_or(cores * 2, |&workers| workers.into())
}

fn handling(arguments: &ArgMatches) -> Handling {
    if arguments.get_flag("lenient") {
        Handling::Lenient
    } else {
        Handling::Strict
    }
}

async fn target(
    config: &Config,
    arguments: &ArgMatches,
) -> anyhow::Result<(Arc<dyn Target>, Option<Arc<dyn store::Store>>)> {
    if let Some(url) = arguments.get_one::<String>("to") {
        let patience = arguments
            .get_one::<u64>("patience")
            .expect("it has a default");
        return Ok((
            Arc::new(Server::at(
                url,
                Duration::from_secs(*patience),
                handling(arguments),
            )?),
            None,
        ));
    }
    let store = wire::store(config).await?;
    let tenant = tenant(arguments)?;
    let slug = arguments
        .get_one::<String>("fhir-version")
        .expect("it has a default");
    let version = FhirVersion::from_slug(slug).expect("clap checked it");
    let interactions = Arc::new(wire::interactions(config, Arc::clone(&store)));
    let render = wire::render_outcome;
    let handling = handling(arguments);
    let direct = Direct {
        interactions,
        tenant,
        version,
        handling,
        render,
    };
    Ok((Arc::new(direct), Some(store)))
}

async fn with_progress(
    sources: &[source::Source],
    target: Arc<dyn Target>,
    workers: usize,
) -> anyhow::Result<Report> {
    let progress = Arc::new(Progress::default());
    let options = Options {
        workers,
        render: wire::render_outcome,
    };
    let bytes: u64 = sources.iter().map(|source| source.bytes).sum();
    let bar = bar(bytes);
    let loading = agents::load::load(sources, target, &options, &progress);
    tokio::pin!(loading);
    let mut ticks = 0;
    let report = loop {
        tokio::select! {
            report = &mut loading => break report,
            () = tokio::time::sleep(TICK) => {
                ticks += 1;
                show(&bar, &progress, bytes, ticks);
            }
        }
    };
    show(&bar, &progress, bytes, 0);
    bar.finish_and_clear();
    report.context("the load stopped")
}

/// A bar for so many bytes; nothing is shown where nobody looks.
pub(crate) fn bar(bytes: u64) -> ProgressBar {
    let style = "{elapsed_precise} [{bar:32}] {msg}, {bytes}/{total_bytes}, {eta} left";
    let style = ProgressStyle::with_template(style).expect("the template is valid");
    ProgressBar::new(bytes).with_style(style.progress_chars("=> "))
}

fn show(bar: &ProgressBar, progress: &Progress, bytes: u64, ticks: u32) {
    let resources = progress.resources.load(Ordering::Relaxed);
    let done = progress.bytes.load(Ordering::Relaxed);
    let rate = per_second(resources, bar.elapsed().as_secs_f64());
    let message = format!("{resources} resources, {rate}/s");
    bar.set_position(done.min(bytes));
    if !std::io::stderr().is_terminal() && ticks % LINE_EVERY_TICKS == 1 {
        crate::say(&format!("{message}, {done} of {bytes} bytes"));
    }
    bar.set_message(message);
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate for people"
)]
fn per_second(count: u64, seconds: f64) -> u64 {
    (count as f64 / seconds.max(0.001)) as u64
}

fn finish(
    report: &Report,
    seconds: f64,
    rejects: &std::path::Path,
    as_json: bool,
) -> anyhow::Result<u8> {
    let refused = report.refused().count();
    if refused > 0 {
        let mut file = std::fs::File::create(rejects)?;
        report.write_rejects(&mut file)?;
    }
    if as_json {
        print(&summary(report, seconds).to_string());
    } else {
        print_summary(report, seconds);
        if refused > 0 {
            print(&format!("{refused} refused: see {}", rejects.display()));
        }
    }
    Ok(if refused == 0 {
        crate::DONE
    } else {
        crate::FOUND_FAULTS
    })
}

fn summary(report: &Report, seconds: f64) -> serde_json::Value {
    let counts: serde_json::Map<_, _> = report
        .counts
        .iter()
        .map(|(resource_type, effects)| {
            let effects: serde_json::Map<_, _> = effects
                .iter()
                .map(|(effect, count)| (format!("{effect:?}").to_lowercase(), json!(count)))
                .collect();
            (resource_type.clone(), json!(effects))
        })
        .collect();
    json!({
        "resources": report.total(),
        "seconds": seconds,
        "refused": report.refused().count(),
        "filesDoneBefore": report.files_done_before,
        "types": counts,
    })
}

fn print_summary(report: &Report, seconds: f64) {
    print(&format!(
        "{:<34}{:>10}{:>10}{:>10}",
        "type", "created", "updated", "unchanged"
    ));
    for (resource_type, effects) in &report.counts {
        use agents::load::target::Effect::{Created, Unchanged, Updated};
        let [created, updated, unchanged] =
            [Created, Updated, Unchanged].map(|effect| effects.get(&effect).copied().unwrap_or(0));
        print(&format!(
            "{resource_type:<34}{created:>10}{updated:>10}{unchanged:>10}"
        ));
    }
    let rate = per_second(report.total(), seconds);
    print(&format!(
        "{} resources in {seconds:.1} s, {rate} per second",
        report.total()
    ));
    if report.files_done_before > 0 {
        print(&format!(
            "{} files were done before",
            report.files_done_before
        ));
    }
}
