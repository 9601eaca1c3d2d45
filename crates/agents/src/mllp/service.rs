//! All channels of a process: those of the configuration, and those that were defined through the
//! interface, which may change at any time.

mod follow;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use convert::hl7v2::Charset;
use convert::{Library, Mode};
use interactions::channel::{Channel, ChannelName, DefinitionFault, Destination};
use interactions::{InteractionError, Interactions, Salt};
use store::TenantId;
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tracing::{error, info};

use super::counters::{Counters, Metrics};
use super::folder::{Folder, Form};
use super::outbound::Outbound;
use super::removal::Removal;
use super::room::Rooms;
use super::sender::{Options, Sender};
use super::tls::{self, TlsError};
use super::{Keeper, Port, Shared, connection, intake, listener, outbound, removal, worker};

/// Where the libraries of channels come from.
#[async_trait]
pub trait Libraries: Send + Sync {
    /// The library of that name, or why there is none.
    async fn library(
        &self,
        tenant: &TenantId,
        name: &str,
        reading: Reading,
    ) -> Result<Arc<Library>, String>;
}

/// How new a library is wanted that comes from files. One that a tenant keeps is always the one in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// As it was when it was read.
    Kept,
    /// As it is now.
    Anew,
}

/// Why a channel cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken, or none of this machine.
    #[error("channel `{channel}`: cannot listen on {address}: {cause}")]
    Listen {
        /// The channel.
        channel: ChannelName,
        /// Its address.
        address: std::net::SocketAddr,
        /// What the system says.
        cause: std::io::Error,
    },
    /// TLS cannot be spoken.
    #[error("`{0}`: {1}")]
    Tls(ChannelName, TlsError),
    /// The destination that it answers to is not there, or cannot be read.
    #[error("channel `{channel}`: `answers_to`: `{destination}`: {cause}")]
    AnswersTo {
        /// The channel.
        channel: ChannelName,
        /// What it names.
        destination: ChannelName,
        /// Why it cannot be used.
        cause: InteractionError,
    },
    /// What it says does not go together with its tenant.
    #[error("channel `{0}`: {1}")]
    Definition(ChannelName, DefinitionFault),
    /// The library cannot be used.
    #[error("channel `{0}`: the library cannot be used: {1}")]
    Library(ChannelName, String),
    /// The folder cannot be written to.
    #[error("{}: {cause}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The characters are not offered.
    #[error("channel `{0}`: {1}")]
    Charset(ChannelName, convert::hl7v2::CharsetFault),
}

/// A running channel; it ends when this is dropped.
struct Open {
    channel: Channel,
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

type Place = (TenantId, ChannelName);

/// The channels of a process.
pub struct Service {
    interactions: Interactions,
    libraries: Arc<dyn Libraries>,
    metrics: Metrics,
    /// Channels of the configuration, which the interface cannot change.
    configured: BTreeMap<Place, Open>,
    defined: BTreeMap<Place, Open>,
    /// Destinations, by the names of their logs.
    destinations: BTreeMap<Place, Sending>,
}

/// A destination that is sent to; it ends when this is dropped.
struct Sending {
    shared: Arc<Outbound>,
    tasks: JoinSet<()>,
}

impl Service {
    /// Opens the channels and sends to the destinations of the configuration.
    pub async fn start(
        interactions: Interactions,
        libraries: Arc<dyn Libraries>,
        metrics: Metrics,
    ) -> Result<Self, StartError> {
        let mut service = Self {
            interactions: interactions.clone(),
            libraries,
            metrics,
            configured: BTreeMap::new(),
            defined: BTreeMap::new(),
            destinations: BTreeMap::new(),
        };
        for (tenant, destination) in interactions.configured::<Destination>() {
            let sending = service.send_to(tenant, destination.clone())?;
            let place = (tenant.clone(), destination.name.outbound());
            service.destinations.insert(place, sending);
        }
        for (tenant, channel) in interactions.configured::<Channel>() {
            let open = service.open(tenant, channel.clone()).await?;
            let place = (tenant.clone(), channel.name.clone());
            service.configured.insert(place, open);
        }
        Ok(service)
    }

    /// Sends what is, and what will be, in the log of a destination.
    fn send_to(&self, tenant: &TenantId, destination: Destination) -> Result<Sending, StartError> {
        let connector = destination.tls_ca.as_deref().map(|trusted| {
            let own = destination.tls.as_ref();
            let own = own.map(|(certificate, key)| (Path::new(certificate), Path::new(key)));
            tls::connector(Path::new(trusted), own)
        });
        let tls = connector.transpose();
        let tls = tls.map_err(|error| StartError::Tls(destination.name.clone(), error))?;
        let sender = Sender::new(Options {
            to: destination.connect.clone(),
            tls,
            connections: 1,
            rate: 0,
            timeout: destination.timeout,
            retries: 0,
        });
        let log = destination.name.outbound();
        let shared = Arc::new(Outbound {
            interactions: self.interactions.clone(),
            tenant: tenant.clone(),
            counters: self.metrics.of(tenant, &log),
            log: log.clone(),
            destination,
            asked: Notify::new(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(removal::run(Removal {
            interactions: self.interactions.clone(),
            tenant: tenant.clone(),
            log,
            keep_days: shared.destination.keep_days,
            counters: Arc::clone(&shared.counters),
        }));
        tasks.spawn(outbound::run(Arc::clone(&shared), sender));
        Ok(Sending { shared, tasks })
    }

    /// Serves for ever; all channels end when this is dropped.
    pub async fn run(mut self) {
        match self.interactions.store().tenants().await {
            Ok(tenants) => {
                for tenant in tenants {
                    self.follow(&tenant).await;
                }
            }
            Err(error) => error!(%error, "the tenants cannot be listed"),
        }
        loop {
            for (tenant, channel) in self.interactions.channel_news().await {
                match channel {
                    None => self.follow(&tenant).await,
                    Some(channel) => self.ask(&(tenant, channel)),
                }
            }
        }
    }

    fn ask(&self, place: &Place) {
        let open = self
            .configured
            .get(place)
            .or_else(|| self.defined.get(place));
        if let Some(open) = open {
            open.shared.asked.notify_one();
        }
        if let Some(sending) = self.destinations.get(place) {
            sending.shared.asked.notify_one();
        }
    }

    /// The destination that a channel names must be there; what it says is looked up when it is used.
    async fn check_answers_to(
        &self,
        tenant: &TenantId,
        channel: &Channel,
    ) -> Result<(), StartError> {
        let Some(name) = &channel.answers_to else {
            return Ok(());
        };
        let found = self
            .interactions
            .known_definition::<Destination>(tenant, name);
        found
            .await
            .map(drop)
            .map_err(|cause| StartError::AnswersTo {
                channel: channel.name.clone(),
                destination: name.clone(),
                cause,
            })
    }

    async fn open(&self, tenant: &TenantId, channel: Channel) -> Result<Open, StartError> {
        let name = &channel.name;
        if let Some(library) = &channel.library {
            let library = self.libraries.library(tenant, library, Reading::Anew);
            let library = library.await;
            let library = library.map_err(|what| StartError::Library(name.clone(), what))?;
            check_ids(&channel, &library)?;
        }
        let refused = |fault| StartError::Definition(name.clone(), fault);
        self.interactions.check_door(&channel).map_err(refused)?;
        self.check_answers_to(tenant, &channel).await?;
        let ids = channel.ids(self.interactions.settings().ids_salts.of(tenant));
        let ids = ids.map_err(refused)?;
        let shared = Arc::new(Shared {
            ids,
            interactions: self.interactions.clone(),
            tenant: tenant.clone(),
            counters: self.metrics.of(tenant, name),
            waiting: Mutex::default(),
            wake: Notify::new(),
            asked: Notify::new(),
            channel: channel.clone(),
        });
        let keeper = Arc::clone(&shared) as Arc<dyn Keeper>;
        let mut tasks = open_port(&channel, Arc::clone(&shared.counters), keeper).await?;
        tasks.spawn(removal::run(Removal {
            interactions: self.interactions.clone(),
            tenant: tenant.clone(),
            log: name.clone(),
            keep_days: channel.keep_days,
            counters: Arc::clone(&shared.counters),
        }));
        tasks.spawn(worker::run(
            Arc::clone(&shared),
            Arc::clone(&self.libraries),
        ));
        Ok(Open {
            channel,
            shared,
            tasks,
        })
    }
}

/// Serves a channel whose messages go to a folder, for ever; it ends when this is dropped.
pub async fn into_folder(
    channel: &Channel,
    folder: &Path,
    form: Form,
    salt: Option<&Salt>,
) -> Result<impl Future<Output = ()> + use<>, StartError> {
    if let Form::Converted(library) = &form {
        check_ids(channel, library)?;
    }
    let ids = channel.ids(salt);
    let ids = ids.map_err(|fault| StartError::Definition(channel.name.clone(), fault))?;
    let opened = Folder::open(folder, channel, ids, form);
    let keeper = opened.map_err(|cause| StartError::Folder {
        folder: folder.to_owned(),
        cause,
    })?;
    let counters = Metrics::default().of(&TenantId::default(), &channel.name);
    let mut tasks = open_port(channel, counters, Arc::new(keeper)).await?;
    Ok(async move { while tasks.join_next().await.is_some() {} })
}

/// A library that is not strict makes its ids itself, whatever its tenant has for others.
fn check_ids(channel: &Channel, library: &Library) -> Result<(), StartError> {
    if !channel.has_own_ids() || library.mode() == Mode::Strict {
        return Ok(());
    }
    let what = "it makes its ids itself: `ids` is for strict libraries".to_owned();
    Err(StartError::Library(channel.name.clone(), what))
}

/// Opens a channel's address; the tasks take messages and give them to the keeper.
async fn open_port(
    channel: &Channel,
    counters: Arc<Counters>,
    keeper: Arc<dyn Keeper>,
) -> Result<JoinSet<()>, StartError> {
    let name = &channel.name;
    let charset = Charset::named(&channel.charset);
    let charset = charset.map_err(|fault| StartError::Charset(name.clone(), fault))?;
    let tls = acceptor(channel)?;
    let listener = TcpListener::bind(channel.listen).await;
    let listener = listener.map_err(|cause| StartError::Listen {
        channel: name.clone(),
        address: channel.listen,
        cause,
    })?;
    info!(channel = %name, address = %channel.listen, "listens for HL7 v2");
    let (intake, queue) = mpsc::channel(intake::QUEUE);
    let port = Arc::new(Port {
        channel: channel.clone(),
        charset,
        counters,
        keeper,
        intake,
        rooms: Rooms::new(channel.buffer_bytes_max),
        later: Arc::new(Semaphore::new(connection::LATER_WAITING_MAX)),
        next_at: Mutex::default(),
    });
    let mut tasks = JoinSet::new();
    tasks.spawn(intake::run(Arc::clone(&port), queue));
    tasks.spawn(listener::run(port, listener, tls));
    Ok(tasks)
}

fn acceptor(channel: &Channel) -> Result<Option<TlsAcceptor>, StartError> {
    let Some((certificate, key)) = &channel.tls else {
        return Ok(None);
    };
    let client_ca = channel.tls_client_ca.as_deref().map(Path::new);
    let acceptor = tls::acceptor(Path::new(certificate), Path::new(key), client_ca);
    let acceptor = acceptor.map_err(|error| StartError::Tls(channel.name.clone(), error))?;
    Ok(Some(acceptor))
}
