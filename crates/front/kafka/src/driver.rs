//! Serves connections.

use std::sync::Arc;

use stele_core_broker::{Broker, FrontMeter};
use stele_front_accept::{self as accept, Accepted, Limits, Listening};
use tokio::sync::watch;
use tracing::{debug, warn};

use crate::{Endpoint, Session, Settings, connection::Connection, operations};

/// Serves Kafka on `listening` until `stop` becomes true or its sender is dropped; then ends long
/// polls, answers the produce requests in progress, and returns.
pub async fn serve(
    broker: Broker,
    settings: Settings,
    listening: impl Into<Listening>,
    stop: watch::Receiver<bool>,
) {
    let meter = broker.front_meter("kafka", &operations::NAMES);
    let limits = Limits {
        front: "kafka",
        connections_max: settings.connections_max,
        sockets: settings.sockets.clone(),
        drain_max: None,
        meter: Some(Arc::clone(&meter)),
    };
    let server = Arc::new(Server {
        broker,
        meter,
        settings: Arc::new(settings),
    });
    accept::serve(listening, limits, stop.into(), |accepted| {
        Arc::clone(&server).connection(accepted)
    })
    .await;
}

/// The state shared by all connections.
struct Server {
    broker: Broker,
    meter: Arc<FrontMeter>,
    settings: Arc<Settings>,
}

impl Server {
    async fn connection(self: Arc<Self>, accepted: Accepted) {
        let peer = accepted.principal.address;
        let session = Session::new(
            self.broker.for_client(),
            Arc::clone(&self.settings),
            self.endpoint(&accepted),
            accepted.principal,
        );
        let connection = Connection::new(accepted.stream, session, accepted.stop);
        let end = connection.run().await;
        if end.is_violation() {
            self.meter.connection_error();
            warn!(%peer, reason = %end, "kafka: connection closed");
        } else {
            debug!(%peer, reason = %end, "kafka: connection closed");
        }
    }

    /// The address given to the client in metadata: the advertised one, or the one it connected to.
    fn endpoint(&self, accepted: &Accepted) -> Endpoint {
        let local = accepted.local;
        self.settings
            .advertised
            .clone()
            .unwrap_or_else(|| Endpoint {
                host: local.ip().to_canonical().to_string(),
                port: local.port(),
            })
    }
}
