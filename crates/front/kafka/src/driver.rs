//! Accepting connections.

use std::{io, net::SocketAddr, sync::Arc};

use stele_core_broker::Broker;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::sleep,
};
use tracing::{debug, info, warn};

use crate::{
    Endpoint, Session, Settings,
    connection::{Connection, MEMORY_PERMIT_SIZE_BYTES, stopped},
    limits::ACCEPT_PAUSE,
};

/// Serves Kafka on `listener` until `stop` turns true or its sender is gone; then lets go of long
/// polls, answers the produce requests that are on their way, and returns.
pub async fn serve(
    broker: Broker,
    settings: Settings,
    listener: TcpListener,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let local = listener.local_addr()?;
    info!(address = %local, "kafka: listening");
    let mut driver = Driver::new(broker, settings, stop.clone());
    loop {
        tokio::select! {
            () = stopped(&mut stop) => break,
            accepted = listener.accept() => driver.accepted(accepted).await,
            Some(ended) = driver.connections.join_next() => {
                if let Err(error) = ended {
                    warn!(%error, "kafka: a connection's task failed");
                }
            }
        }
    }
    drop(listener);
    let open = driver.connections.len();
    if open > 0 {
        info!(connections = open, "kafka: closing connections");
    }
    while driver.connections.join_next().await.is_some() {}
    info!(address = %local, "kafka: stopped");
    Ok(())
}

struct Driver {
    broker: Broker,
    settings: Arc<Settings>,
    /// For large requests of all connections.
    memory: Arc<Semaphore>,
    places: Arc<Semaphore>,
    connections: JoinSet<()>,
    stop: watch::Receiver<bool>,
}

impl Driver {
    fn new(broker: Broker, settings: Settings, stop: watch::Receiver<bool>) -> Self {
        let permits = settings.request_memory_bytes_max / MEMORY_PERMIT_SIZE_BYTES;
        Self {
            broker,
            memory: Arc::new(Semaphore::new(permits.clamp(1, Semaphore::MAX_PERMITS))),
            places: Arc::new(Semaphore::new(
                settings.connections_max.min(Semaphore::MAX_PERMITS),
            )),
            settings: Arc::new(settings),
            connections: JoinSet::new(),
            stop,
        }
    }

    async fn accepted(&mut self, accepted: io::Result<(TcpStream, SocketAddr)>) {
        match accepted {
            Ok((stream, peer)) => match Arc::clone(&self.places).try_acquire_owned() {
                Ok(place) => self.connected(stream, peer, place),
                Err(_) => warn!(%peer, "kafka: too many connections; one closed"),
            },
            Err(error) => {
                warn!(%error, "kafka: can't accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }

    fn connected(&mut self, stream: TcpStream, peer: SocketAddr, place: OwnedSemaphorePermit) {
        let endpoint = match self.endpoint(&stream) {
            Ok(endpoint) => endpoint,
            Err(error) => {
                debug!(%peer, %error, "kafka: the connection failed at once");
                return;
            }
        };
        let session = Session::new(
            self.broker.clone(),
            Arc::clone(&self.settings),
            endpoint,
            // As Kafka writes it in group descriptions: Java's `InetAddress.toString`.
            &format!("/{}", peer.ip()),
        );
        let meter = Arc::clone(&session.meter);
        let open = meter.connect();
        let connection =
            Connection::new(stream, session, Arc::clone(&self.memory), self.stop.clone());
        self.connections.spawn(async move {
            let end = connection.run().await;
            drop((place, open));
            if end.is_violation() {
                meter.connection_error();
                warn!(%peer, reason = %end, "kafka: connection closed");
            } else {
                debug!(%peer, reason = %end, "kafka: connection closed");
            }
        });
    }

    /// What the client is told to connect to: as set, or the address that it has reached.
    fn endpoint(&self, stream: &TcpStream) -> io::Result<Endpoint> {
        stream.set_nodelay(true)?;
        if let Some(advertised) = &self.settings.advertised {
            return Ok(advertised.clone());
        }
        let local = stream.local_addr()?;
        Ok(Endpoint {
            host: local.ip().to_canonical().to_string(),
            port: local.port(),
        })
    }
}
