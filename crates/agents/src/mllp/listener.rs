//! A channel's port: connections within their limit, TLS where it is spoken.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, info, warn};

use super::counters::Count;
use super::{Port, connection};

/// How often the log tells that there are too many.
const TOLD_EVERY: Duration = Duration::from_mins(1);

/// Takes connections for ever; all of them end when this is dropped.
pub(super) async fn run(port: Arc<Port>, listener: TcpListener, tls: Option<TlsAcceptor>) {
    let free = Arc::new(Semaphore::new(port.channel.connections_max));
    let mut connections = JoinSet::new();
    let mut told: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                debug!(channel = %port.channel.name, %error, "a connection was not taken");
                // Out of files, most often: others must end first.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&free).try_acquire_owned() else {
            port.counters.one(Count::RefusedConnections);
            if told.is_none_or(|it| it.elapsed() > TOLD_EVERY) {
                told = Some(Instant::now());
                let (channel, max) = (&port.channel.name, port.channel.connections_max);
                warn!(%channel, max, "a connection is refused: `connections_max` are open");
            }
            continue;
        };
        let (port, tls) = (Arc::clone(&port), tls.clone());
        connections.spawn(async move {
            serve(port, stream, tls).await;
            drop(place);
        });
    }
}

async fn serve(port: Arc<Port>, stream: TcpStream, tls: Option<TlsAcceptor>) {
    stream.set_nodelay(true).ok();
    let Some(tls) = tls else {
        port.counters.one(Count::Connections);
        return connection::serve(port, stream).await;
    };
    let shaken = tokio::time::timeout(port.channel.frame_timeout, tls.accept(stream)).await;
    match shaken {
        Ok(Ok(stream)) => {
            port.counters.one(Count::Connections);
            connection::serve(port, stream).await;
        }
        Ok(Err(error)) => {
            port.counters.one(Count::RefusedConnections);
            info!(channel = %port.channel.name, %error, "a connection is refused: TLS was not agreed on");
        }
        Err(_) => {
            port.counters.one(Count::RefusedConnections);
            info!(channel = %port.channel.name, "a connection is refused: TLS took longer than `frame_timeout_ms`");
        }
    }
}
