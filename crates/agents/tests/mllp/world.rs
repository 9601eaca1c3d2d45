//! A store, a channel and a small library for tests, and a client that speaks plain MLLP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use agents::mllp::frame::{Decoder, Event, framed};
use agents::mllp::{Libraries, Metrics, Reading, Service};
use async_trait::async_trait;
use convert::{Library, Sources};
use fhir::FhirVersion;
use interactions::channel::{Channel, ChannelName, Configured, Destination, Listed, Query, State};
use interactions::{Caller, Handling, Interactions, ReadOutcome, ResourceKey, SPACES, Settings};
use store::{Clock, Origin, Store, SystemClock, TenantId};
use store_embedded::{EmbeddedStore, Options};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// One patient and one observation of a message; a message whose PID-8 is `bad` gives no JSON.
const TEMPLATE: &str = r#"{
  "resourceType": "Bundle", "type": "batch",
  "entry": [
    {% assign pid = hl7v2Data | get_first_segments: 'PID' -%}
    {% if pid.PID.8.Value == "bad" %} ] ] {% endif %}
    {
      "resource": {
        "resourceType": "Patient", "id": "{{ pid.PID.3.1.Value }}",
        "name": [{ "family": "{{ pid.PID.5.1.Value }}" }]
      },
      "request": { "method": "PUT", "url": "Patient/{{ pid.PID.3.1.Value }}" }
    },
  ]
}"#;

/// A library of one template.
struct OneTemplate(String);

#[async_trait]
impl Libraries for OneTemplate {
    async fn library(&self, _: &TenantId, _: &str, _: Reading) -> Result<Arc<Library>, String> {
        let text = self.0.clone();
        let metadata = "{\"type\": \"hl7v2\"}".to_owned();
        let mut sources = Sources::default();
        sources.files.push(("ADT_A01.liquid".to_owned(), text));
        sources.files.push(("metadata.json".to_owned(), metadata));
        Ok(Arc::new(Library::load(&sources)))
    }
}

/// A clock that runs ahead by so many days.
#[derive(Default)]
pub(crate) struct Ahead(AtomicI64);

impl Ahead {
    pub(crate) fn by_days(&self, days: i64) {
        self.0.store(days, Ordering::Relaxed);
    }
}

impl Clock for Ahead {
    fn now(&self) -> store::Instant {
        store::Instant(SystemClock.now().0 + self.0.load(Ordering::Relaxed) * 86_400_000_000)
    }
}

pub(crate) struct World {
    pub(crate) clock: Arc<Ahead>,
    pub(crate) interactions: Interactions,
    pub(crate) address: SocketAddr,
    pub(crate) channel: ChannelName,
    pub(crate) metrics: Metrics,
    pub(crate) service: tokio::task::JoinHandle<()>,
    definition: Channel,
    library: Arc<OneTemplate>,
    store: Arc<EmbeddedStore>,
    _folder: Option<TempDir>,
}

pub(crate) fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

impl World {
    /// A channel with these fields over an empty store.
    pub(crate) async fn new(fields: &[(&str, &str)]) -> Self {
        Self::with(TEMPLATE, fields).await
    }

    /// The same with a template of its own.
    pub(crate) async fn with(template: &str, fields: &[(&str, &str)]) -> Self {
        Self::begin(template, fields, None).await
    }

    /// The same with a destination.
    pub(crate) async fn sending(destination: Destination, fields: &[(&str, &str)]) -> Self {
        Self::begin(TEMPLATE, fields, Some(destination)).await
    }

    async fn begin(
        template: &str,
        fields: &[(&str, &str)],
        destination: Option<Destination>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(folder.path(), SPACES, Options::default()).unwrap();
        store.create_tenant(&TenantId::default()).await.ok();
        let clock = Arc::<Ahead>::default();
        let address = free_address();
        let fields = fields
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        let fields = fields.chain([("listen".to_owned(), address.to_string())]);
        let name = ChannelName::parse("lab").unwrap();
        let channel = Channel::read(name.clone(), fields).unwrap();
        let library = Arc::new(OneTemplate(template.to_owned()));
        let metrics = Metrics::default();
        let of_tenant = |it: Destination| (TenantId::default(), it);
        let configured = Configured {
            channels: vec![(TenantId::default(), channel.clone())],
            destinations: destination.map(of_tenant).into_iter().collect(),
        };
        let interactions = Interactions::new(Arc::new(store.clone()), Settings::default())
            .with_clock(Arc::<Ahead>::clone(&clock))
            .with_configured(configured);
        let service = Service::start(
            interactions.clone(),
            Arc::clone(&library) as Arc<dyn Libraries>,
            metrics.clone(),
        );
        let service = service.await.unwrap();
        let service = tokio::spawn(service.run());
        Self {
            clock,
            interactions,
            address,
            channel: name,
            metrics,
            service,
            definition: channel,
            library,
            store: Arc::new(store),
            _folder: Some(folder),
        }
    }

    /// Ends the agent, does something to its log, and starts it again.
    pub(crate) async fn restart(&mut self, meanwhile: impl AsyncFnOnce(&Interactions, &Channel)) {
        self.service.abort();
        (&mut self.service).await.ok();
        meanwhile(&self.interactions, &self.definition).await;
        let began = std::time::Instant::now();
        let service = loop {
            let service = Service::start(
                self.interactions.clone(),
                Arc::clone(&self.library) as Arc<dyn Libraries>,
                self.metrics.clone(),
            );
            match service.await {
                Ok(service) => break service,
                Err(error) => assert!(began.elapsed() < PATIENCE, "{error}"),
            }
            // tidy: sleep: the former one leaves its address in its own time, in a bounded loop
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        self.service = tokio::spawn(service.run());
    }

    pub(crate) async fn end(self) {
        self.service.abort();
        self.service.await.ok();
        self.store.close().await.unwrap();
    }

    /// From now on nothing can be made durable.
    pub(crate) async fn close_store(&self) {
        self.store.close().await.unwrap();
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::to(self.address).await
    }

    pub(crate) async fn list(&self, query: Query) -> Listed {
        let tenant = TenantId::default();
        let query = Query {
            count: 10_000,
            ..query
        };
        self.interactions
            .find_messages(&tenant, &self.channel, &query)
            .await
            .unwrap()
    }

    /// Number and state of every message, the oldest first, once none is only received.
    pub(crate) async fn settled(&self) -> Vec<(u64, State)> {
        let began = std::time::Instant::now();
        loop {
            let listed = self.list(Query::default()).await;
            let mut states: Vec<_> = listed
                .messages
                .iter()
                .map(|(it, settled)| (it.number, settled.state))
                .collect();
            states.reverse();
            if states.iter().all(|(_, state)| *state != State::Received) {
                return states;
            }
            assert!(began.elapsed() < PATIENCE, "not settled: {states:?}");
            // tidy: sleep: waiting for the worker, in a bounded loop
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Count and last message of a field that no template read, once the count is so great.
    pub(crate) async fn unread(&self, field: &str, count: u64) -> (u64, u64) {
        let (tenant, began) = (TenantId::default(), std::time::Instant::now());
        loop {
            let coverage = self.interactions.message_coverage(&tenant, &self.channel);
            let coverage = coverage.await.unwrap();
            let seen = coverage.fields.get(field).copied().unwrap_or_default();
            if seen.count >= count {
                return (seen.count, seen.last);
            }
            assert!(began.elapsed() < PATIENCE, "{coverage:?}");
            // tidy: sleep: waiting for the worker, in a bounded loop
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// A line of the metrics: what was counted under that name.
    pub(crate) fn counted(&self, name: &str) -> u64 {
        self.counted_of("lab", name)
    }

    /// The same of another log.
    pub(crate) fn counted_of(&self, log: &str, name: &str) -> u64 {
        let mut text = String::new();
        self.metrics.print(&mut text);
        let start = format!("isthmus_hl7v2_{name}_total{{tenant=\"default\",channel=\"{log}\"}} ");
        let value = text.lines().find_map(|line| line.strip_prefix(&start));
        value.expect("it is counted").parse().unwrap()
    }

    /// Version and family name of a patient.
    pub(crate) async fn patient(&self, id: &str) -> Option<(u64, String)> {
        let caller = Caller {
            tenant: TenantId::default(),
            version: FhirVersion::R4,
            identity: "test".into(),
            origin: Origin(0),
            idempotency: None,
            handling: Handling::Strict,
            visibility: Arc::default(),
        };
        let key = ResourceKey {
            resource_type: "Patient".into(),
            id: fhir::ResourceId::parse(id).unwrap(),
        };
        match self.interactions.read(&caller, &key).await.ok()? {
            ReadOutcome::Found(found) => {
                let text = String::from_utf8(found.json().to_vec()).unwrap();
                let family = text.split("\"family\":").nth(1).unwrap_or_default();
                let family = family.split('"').nth(1).unwrap_or_default();
                Some((found.version.0, family.to_owned()))
            }
            ReadOutcome::Deleted(_) => None,
        }
    }
}

/// An admission of a patient.
pub(crate) fn admission(control_id: &str, patient: &str, family: &str, more: &str) -> Vec<u8> {
    format!(
        "MSH|^~\\&|LAB|NORTH|EHR|SOUTH|20260101||ADT^A01|{control_id}|P|2.5{more}\r\
         PID|1||{patient}^^^NORTH||{family}^Jo\r"
    )
    .into_bytes()
}

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    decoder: Decoder,
    events: Vec<Event>,
}

impl Client {
    pub(crate) async fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            decoder: Decoder::new(16 << 20),
            events: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, message: &[u8]) {
        self.stream.write_all(&framed(message)).await.unwrap();
    }

    /// The next answer, lines for segments; `None` at the end of the connection.
    pub(crate) async fn answer(&mut self) -> Option<String> {
        let bytes = self.answer_bytes().await?;
        Some(String::from_utf8_lossy(&bytes).replace('\r', "\n"))
    }

    /// The same as it came.
    pub(crate) async fn answer_bytes(&mut self) -> Option<bytes::Bytes> {
        let read = async {
            loop {
                if !self.events.is_empty() {
                    let Event::Message(bytes) = self.events.remove(0) else {
                        panic!("an answer is a whole frame")
                    };
                    return Some(bytes);
                }
                let mut bytes = [0; 4096];
                let count = self.stream.read(&mut bytes).await.unwrap_or(0);
                if count == 0 {
                    return None;
                }
                self.decoder.push(&bytes[..count], &mut self.events);
            }
        };
        tokio::time::timeout(PATIENCE, read)
            .await
            .expect("an answer comes in time")
    }

    /// Sends and reads MSA-1, MSA-2 and the rest of what matters.
    pub(crate) async fn ask(&mut self, message: &[u8]) -> String {
        self.send(message).await;
        shown(self.answer().await)
    }
}

/// An answer without its header.
pub(crate) fn shown(answer: Option<String>) -> String {
    let Some(answer) = answer else {
        return "closed".to_owned();
    };
    let lines = answer.lines().filter(|line| !line.starts_with("MSH"));
    lines.collect::<Vec<_>>().join(" / ")
}
