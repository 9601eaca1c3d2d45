//! `isthmus hl7v2 send FILE… --to HOST:PORT`: messages of files to a listener, with a report;
//! `isthmus hl7v2 listen`: one channel from flags, its log in the data directory or a folder.

use std::io::{BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use agents::mllp::sender::{self, Options, Outgoing, Progress, Reject};
use agents::mllp::{Form, Metrics, Service, into_folder, tls};
use agents::stream::{Messages, Streamed};
use anyhow::Context;
use bytes::Bytes;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use interactions::Salt;
use interactions::channel::{Channel, ChannelName, Configured, FIELDS};
use serde_json::json;
use store::TenantId;
use tokio::sync::mpsc;

use super::load::{json_switch, tenant, tenant_argument};
use super::print;
use super::serve::{self, Door};
use crate::config::Config;
use crate::wire;

/// Greatest size of a message that is sent.
const MESSAGE_BYTES_MAX: usize = 1 << 28;
/// Messages read from files and not sent yet.
const WAITING_MAX: usize = 256;

pub(crate) fn arguments(command: Command) -> Command {
    let send = Command::new("send")
        .about("Send the messages of files; what is not answered is sent again")
        .arg(
            Arg::new("files")
                .value_name("FILE")
                .required(true)
                .num_args(1..)
                .value_parser(value_parser!(PathBuf))
                .help(
                    "files and folders; a file may hold several messages, each beginning with MSH",
                ),
        )
        .arg(value("to", "HOST:PORT", "where to send").required(true))
        .args(send_numbers())
        .args(tls_arguments())
        .arg(
            path(
                "rejects",
                "where messages that were not taken are listed, each with the reason",
            )
            .default_value("rejects.ndjson"),
        )
        .arg(json_switch());
    command
        .subcommand_required(true)
        .subcommands([send, listen_arguments()])
}

/// Fields of what becomes of messages in a data directory.
const OF_THE_LOG: &[&str] = &[
    "version",
    "acknowledge",
    "answers_to",
    "reused_control_id",
    "keep_days",
    "on_failure",
    "parallel",
    "parked_max",
];
/// Fields of conversion.
const OF_CONVERSION: &[&str] = &["library", "root", "zone", "ids", "ids_salt"];

fn listen_arguments() -> Command {
    let fields = FIELDS.iter().filter(|it| it.name != "listen").map(|field| {
        let flag = field.name.replace('_', "-");
        let argument = Arg::new(field.name).long(flag).value_name("VALUE");
        let argument = argument.help(field.doc);
        if OF_THE_LOG.contains(&field.name) {
            argument.conflicts_with("into")
        } else if OF_CONVERSION.contains(&field.name) {
            argument.conflicts_with("raw")
        } else {
            argument
        }
    });
    let into = "write each message to a file of this folder instead of the data directory: as the bundle that the library makes of it";
    Command::new("listen")
        .about("Listen for messages; each is durable before it is answered, in the data directory or a folder")
        .arg(
            value("at", "ADDRESS:PORT", "address and port of MLLP").default_value("127.0.0.1:2575"),
        )
        .arg(
            value("into", "FOLDER", into)
                .value_parser(value_parser!(PathBuf))
                .conflicts_with("channel"),
        )
        .arg(
            Arg::new("raw")
                .long("raw")
                .action(ArgAction::SetTrue)
                .requires("into")
                .help("with --into: messages as they came"),
        )
        .arg(value("channel", "NAME", "name of the channel's log").default_value("listen"))
        .arg(
            tenant_argument()
                .help("the tenant; with --into: ids are made as for it, with its ids_salt")
                .conflicts_with("raw"),
        )
        .args(fields)
}

fn value(name: &'static str, form: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(form).help(help)
}

fn path(name: &'static str, help: &'static str) -> Arg {
    value(name, "FILE", help).value_parser(value_parser!(PathBuf))
}

fn send_numbers() -> [Arg; 4] {
    let number = |name, form, default, help| {
        value(name, form, help)
            .default_value(default)
            .value_parser(value_parser!(u64))
    };
    [
        number(
            "connections",
            "N",
            "1",
            "connections at one time; with several, messages overtake each other",
        ),
        number(
            "rate",
            "N",
            "0",
            "messages in a second; 0: as many as are answered",
        ),
        number(
            "timeout",
            "SECONDS",
            "30",
            "how long connecting, and an answer, may take",
        ),
        number(
            "retries",
            "N",
            "5",
            "how often a message that was not answered is sent again",
        ),
    ]
}

fn tls_arguments() -> [Arg; 3] {
    [
        path(
            "tls-ca",
            "certificates to trust, PEM; with it, TLS is spoken",
        ),
        path("tls-cert", "own certificate, PEM")
            .requires("tls-ca")
            .requires("tls-key"),
        path("tls-key", "its private key, PEM").requires("tls-cert"),
    ]
}

/// Sends or listens; exit code 1 if a message was not taken.
pub(crate) fn run(config: &Config, arguments: &ArgMatches) -> anyhow::Result<u8> {
    match arguments.subcommand().expect("clap demands one") {
        ("send", arguments) => send(arguments),
        (_, arguments) => listen(config, arguments),
    }
}

fn options(arguments: &ArgMatches) -> anyhow::Result<Options> {
    let number = |name: &str| *arguments.get_one::<u64>(name).expect("it has a default");
    let file = |name: &str| arguments.get_one::<PathBuf>(name).map(PathBuf::as_path);
    let own = file("tls-cert").zip(file("tls-key"));
    let tls = file("tls-ca")
        .map(|trusted| tls::connector(trusted, own))
        .transpose()?;
    Ok(Options {
        to: arguments.get_one::<String>("to").expect("required").clone(),
        tls,
        connections: usize::try_from(number("connections"))
            .unwrap_or(usize::MAX)
            .clamp(1, 10_000),
        rate: number("rate"),
        timeout: Duration::from_secs(number("timeout")),
        retries: u32::try_from(number("retries")).unwrap_or(u32::MAX),
    })
}

fn send(arguments: &ArgMatches) -> anyhow::Result<u8> {
    let options = options(arguments)?;
    let mut files = Vec::new();
    for given in arguments.get_many::<PathBuf>("files").expect("required") {
        files.extend(super::convert::files(given)?);
    }
    let progress = Arc::new(Progress::default());
    let began = Instant::now();
    let (rejects, read) = wire::runtime()?.block_on(async {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        let reading = tokio::spawn(async move { read(&files, &queue).await });
        let rejects = sender::run(&options, waiting, &progress).await;
        anyhow::Ok((rejects, reading.await??))
    })?;
    let to = arguments
        .get_one::<PathBuf>("rejects")
        .expect("it has a default");
    report(
        &rejects,
        read,
        &progress,
        began.elapsed(),
        to,
        arguments.get_flag("json"),
    )
}

/// Queues the messages of all files; gives their number.
async fn read(files: &[PathBuf], queue: &mpsc::Sender<Outgoing>) -> anyhow::Result<u64> {
    let mut count = 0;
    for file in files {
        let shown = file.display();
        let stream = std::fs::File::open(file).with_context(|| format!("{shown}"))?;
        let messages = Messages::new(BufReader::new(stream), MESSAGE_BYTES_MAX);
        for (number, message) in (1..).zip(messages) {
            let message = match message.with_context(|| format!("{shown}"))? {
                Streamed::Message(bytes) => Bytes::from(bytes),
                Streamed::TooLong => {
                    anyhow::bail!("{shown} message {number}: longer than {MESSAGE_BYTES_MAX} bytes")
                }
            };
            count += 1;
            let place = format!("{shown} message {number}");
            if queue
                .send(Outgoing {
                    place,
                    bytes: message,
                })
                .await
                .is_err()
            {
                return Ok(count);
            }
        }
    }
    Ok(count)
}

fn report(
    rejects: &[Reject],
    read: u64,
    progress: &Progress,
    took: Duration,
    to: &Path,
    is_json: bool,
) -> anyhow::Result<u8> {
    let accepted = progress.accepted.load(Ordering::Relaxed);
    let retries = progress.retries.load(Ordering::Relaxed);
    let seconds = took.as_secs_f64();
    if is_json {
        let line = json!({
            "messages": read, "accepted": accepted, "refused": rejects.len(), "retries": retries,
            "seconds": seconds,
        });
        print(&line.to_string());
    } else {
        let refused = rejects.len();
        print(&format!(
            "{read} messages, {accepted} accepted, {refused} not taken, {retries} tries more, {seconds:.1} s"
        ));
    }
    if rejects.is_empty() {
        return Ok(crate::DONE);
    }
    let mut file = std::fs::File::create(to).with_context(|| to.display().to_string())?;
    for (place, why) in rejects {
        writeln!(
            file,
            "{}",
            json!({ "message": place, "why": why.to_string() })
        )?;
    }
    crate::say(&format!("not taken: see {}", to.display()));
    Ok(crate::FOUND_FAULTS)
}

fn channel(arguments: &ArgMatches) -> anyhow::Result<Channel> {
    let name = arguments
        .get_one::<String>("channel")
        .expect("it has a default");
    let name = ChannelName::parse(name)
        .context("--channel is not a name of lower-case letters, digits and `-`")?;
    let listen = arguments
        .get_one::<String>("at")
        .expect("it has a default")
        .clone();
    let fields = FIELDS.iter().filter(|it| it.name != "listen");
    let given = fields.filter_map(|field| {
        Some((
            field.name.to_owned(),
            arguments.get_one::<String>(field.name)?.clone(),
        ))
    });
    let given = given.chain([("listen".to_owned(), listen)]);
    Channel::read(name, given).map_err(|faults| {
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{}", told.join("; "))
    })
}

/// Listens until SIGINT or SIGTERM.
fn listen(config: &Config, arguments: &ArgMatches) -> anyhow::Result<u8> {
    let channel = channel(arguments)?;
    let door = if channel.tls_client_ca.is_some() {
        Door::Known
    } else {
        Door::Mllp
    };
    serve::refuse_open_doors(config, channel.listen, door)?;
    serve::log(config);
    match arguments.get_one::<PathBuf>("into") {
        Some(folder) => {
            let form = form(&channel, arguments.get_flag("raw"))?;
            let salt = named_salt(config, arguments)?;
            listen_into(&channel, folder, form, salt.as_ref())
        }
        None => listen_for_store(config, tenant(arguments)?, channel),
    }
}

/// What the files of a folder are to be.
fn form(channel: &Channel, is_raw: bool) -> anyhow::Result<Form> {
    if is_raw {
        return Ok(Form::Raw);
    }
    let name = channel.library.as_deref().unwrap_or("hl7v2");
    // Names of libraries hold no separator of folders.
    let library = if name.contains('/') {
        super::convert::load(Path::new(name))?
    } else {
        let sources = convert::own::sources(name);
        let none = || format!("`{name}` is no library of ours, nor the path of a folder");
        convert::Library::load(&sources.with_context(none)?)
    };
    Ok(Form::Converted(Arc::new(library)))
}

/// The salt of the tenant that is named, not of the one that is meant where none is.
fn named_salt(config: &Config, arguments: &ArgMatches) -> anyhow::Result<Option<Salt>> {
    let is_named = arguments.value_source("tenant") == Some(ValueSource::CommandLine);
    let name = arguments.get_one::<String>("tenant").filter(|_| is_named);
    name.map(|it| super::convert::salt_of(config, it))
        .transpose()
}

fn listen_into(
    channel: &Channel,
    folder: &Path,
    form: Form,
    salt: Option<&Salt>,
) -> anyhow::Result<u8> {
    wire::runtime()?.block_on(async {
        let serving = into_folder(channel, folder, form, salt).await?;
        let shown = folder.display();
        print(&format!(
            "listens on {}; messages go to {shown}",
            channel.listen
        ));
        tokio::select! {
            () = serving => {}
            () = serve::stop_signal()? => {}
        }
        Ok(crate::DONE)
    })
}

fn listen_for_store(config: &Config, tenant: TenantId, channel: Channel) -> anyhow::Result<u8> {
    wire::runtime()?.block_on(async {
        let store = wire::store(config).await?;
        let (interactions, conversions) = wire::with_conversions(config, Arc::clone(&store));
        let (address, name) = (channel.listen, channel.name.clone());
        let libraries = wire::libraries(conversions);
        let configured = Configured {
            channels: vec![(tenant, channel)],
            destinations: config.configured().destinations.clone(),
        };
        let interactions = interactions.with_configured(configured);
        let service = Service::start(interactions, libraries, Metrics::default());
        let service = service.await?;
        let service = tokio::spawn(service.run());
        print(&format!(
            "channel {name} listens on {address}; its log is in {}",
            config.text("data")
        ));
        serve::stop_signal()?.await;
        service.abort();
        service.await.ok();
        let closed = tokio::time::timeout(wire::CLOSE_PATIENCE, store.close()).await;
        closed.context("the store did not close in time")??;
        Ok(crate::DONE)
    })
}
