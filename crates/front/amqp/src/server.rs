//! Accepts connections and looks after them until the process ends.

use std::{io, sync::Arc, time::Duration};

use stele_core_broker::Broker;
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::sleep};

use crate::{driver, settings::Settings};

/// How long accepting rests after the system refused it, as when there are no more descriptors.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Serves AMQP on `listener` until `shutdown` turns true, then has every client told by
/// `connection.close` and returns when all have gone.
pub async fn serve(
    broker: Broker,
    settings: Settings,
    listener: TcpListener,
    mut shutdown: watch::Receiver<bool>,
) -> io::Result<()> {
    let settings = Arc::new(settings);
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            _ = shutdown.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok((_, peer)) if connections.len() >= settings.connections_max => {
                tracing::warn!(%peer, "connection refused: {} are open", connections.len());
            }
            Ok((stream, peer)) => {
                let (broker, settings) = (broker.clone(), Arc::clone(&settings));
                let shutdown = shutdown.clone();
                let connection = driver::run(stream, peer, broker, settings, shutdown);
                connections.spawn(connection);
            }
            Err(error) => {
                tracing::warn!(%error, "accepting failed");
                sleep(ACCEPT_REST).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    Ok(())
}
