//! A server of its own for each test, and a client.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use interactions::{Interactions, SPACES, Settings};
use server::{Config, Limits};
use store::{Store, TenantId};
use store_embedded::{EmbeddedStore, Options};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A running server; dropped, it stops at once.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    pub(crate) client: Client<HttpConnector, Full<Bytes>>,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) task: JoinHandle<io::Result<()>>,
    pub(crate) store: EmbeddedStore,
    _folder: tempfile::TempDir,
}

/// A whole answer.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Site {
    pub(crate) async fn start(limits: Limits) -> Self {
        Self::start_on(limits, Options::default()).await
    }

    pub(crate) async fn start_on(limits: Limits, options: Options) -> Self {
        Self::start_with(limits, options, Settings::default()).await
    }

    pub(crate) async fn start_with(limits: Limits, options: Options, settings: Settings) -> Self {
        let config = Config {
            limits,
            ..Config::default()
        };
        Self::configured(config, options, settings).await
    }

    pub(crate) async fn configured(config: Config, options: Options, settings: Settings) -> Self {
        captured();
        let folder = tempfile::tempdir().expect("a folder");
        let store = EmbeddedStore::open(folder.path(), SPACES, options).expect("opens");
        match store.create_tenant(&TenantId::default()).await {
            Ok(()) | Err(store::StoreError::TenantExists) => {}
            Err(error) => panic!("{error}"),
        }
        let interactions = Interactions::new(Arc::new(store.clone()), settings);
        let interactions = Arc::new(interactions);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (stop, stopped) = oneshot::channel();
        let shutdown = async move {
            stopped.await.ok();
        };
        let task = tokio::spawn(server::serve(listener, config, interactions, shutdown));
        let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        Self {
            address,
            client,
            stop: Some(stop),
            task,
            store,
            _folder: folder,
        }
    }

    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Reply {
        let url = format!("http://{}{path}", self.address);
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).expect("a request");
        let response = self.client.request(request).await.expect("an answer");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        Reply {
            status: head.status,
            headers: head.headers,
            body,
        }
    }
}

/// Everything that was logged by all tests, down to debug level.
pub(crate) fn captured() -> &'static Mutex<Vec<u8>> {
    static LOG: OnceLock<&'static Mutex<Vec<u8>>> = OnceLock::new();
    LOG.get_or_init(|| {
        let log: &'static Mutex<Vec<u8>> = Box::leak(Box::default());
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(move || Log(log))
            .finish();
        tracing::subscriber::set_global_default(subscriber).expect("set once");
        log
    })
}

struct Log(&'static Mutex<Vec<u8>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .expect("no test panics while logging")
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
