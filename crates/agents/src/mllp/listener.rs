//! A channel's port: connections within their limit, TLS where it is spoken.

use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tracing::debug;

use super::counters::Count;
use super::{Port, connection};

/// Takes connections for ever; all of them end when this is dropped.
pub(super) async fn run(port: Arc<Port>, listener: TcpListener, tls: Option<TlsAcceptor>) {
    let free = Arc::new(Semaphore::new(port.channel.connections_max));
    let mut connections = JoinSet::new();
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
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&free).try_acquire_owned() else {
            port.counters.one(Count::RefusedConnections);
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
            debug!(channel = %port.channel.name, %error, "TLS was not agreed on");
        }
        Err(_) => port.counters.one(Count::RefusedConnections),
    }
}
