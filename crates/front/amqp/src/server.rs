//! Serving connections.

use std::sync::Arc;

use stele_core_broker::Broker;
use stele_front_accept::{self as accept, Limits, Listening};
use tokio::sync::watch;

use crate::{driver, operations, settings::Settings};

/// Serves AMQP on `listening` until `shutdown` becomes true, then closes every connection with
/// `connection.close` and returns when all have ended.
pub async fn serve(
    broker: Broker,
    settings: Settings,
    listening: impl Into<Listening>,
    shutdown: watch::Receiver<bool>,
) {
    let meter = broker.front_meter("amqp", &operations::COUNTED);
    let limits = Limits {
        front: "amqp",
        connections_max: settings.connections_max,
        sockets: settings.sockets.clone(),
        drain_max: None,
        meter: Some(Arc::clone(&meter)),
    };
    let settings = Arc::new(settings);
    accept::serve(listening, limits, shutdown.into(), |accepted| {
        let (settings, meter) = (Arc::clone(&settings), Arc::clone(&meter));
        driver::run(accepted, broker.for_client(), settings, meter)
    })
    .await;
}
