//! Accepting connections, and stopping: nothing new is accepted, what was begun is finished.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use interactions::Interactions;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::Config;
use crate::connection::{self, Stopping};
use crate::service::App;

/// After a failure to accept (no file descriptors, say) it is tried again after this time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves FHIR on the listener until `shutdown` is ready; then finishes what was begun, for
/// `shutdown_grace_ms` at most.
///
/// # Panics
/// Never: the semaphore of connections is not closed.
pub async fn serve(
    listener: TcpListener,
    config: Config,
    interactions: Arc<Interactions>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let app = Arc::new(App::new(config, interactions));
    let limits = &app.config.limits;
    let builder = connection::builder(limits);
    let connections_max = u32::try_from(limits.connections_max)
        .unwrap_or(u32::MAX)
        .max(1);
    let connections = Arc::new(Semaphore::new(connections_max as usize));
    let (stop, stopping) = watch::channel(Stopping::No);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let free = async {
            let permit = Arc::clone(&connections).acquire_owned().await;
            let permit = permit.expect("the semaphore is never closed");
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            () = shutdown.as_mut() => break,
            free = free => free,
        };
        let Ok((socket, peer)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // Answers are written whole; to wait for more bytes would only delay them.
        socket.set_nodelay(true).ok();
        let (app, builder) = (Arc::clone(&app), builder.clone());
        let stopping = stopping.clone();
        tokio::spawn(async move {
            connection::run(app, builder, socket, peer, stopping).await;
            drop(permit);
        });
    }
    drop(listener);
    stop.send_replace(Stopping::Gracefully);
    let all_closed = connections.acquire_many(connections_max);
    if tokio::time::timeout(limits.shutdown_grace(), all_closed)
        .await
        .is_err()
    {
        tracing::warn!("connections were cut: the time to finish is over");
        stop.send_replace(Stopping::Now);
    }
    Ok(())
}
