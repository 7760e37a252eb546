//! The contract of transports, over a Stele or over the broker that `TOOLKIT_KAFKA` names.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use stele_toolkit_bus::Transport;
use stele_toolkit_contract::{Broker, Protocol, Subject, transport_contract};
use stele_toolkit_kafka::{Kafka, Settings};

/// Long enough for a machine that is busy with other tests.
const TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug)]
struct OverKafka(Broker);

async fn subject() -> OverKafka {
    OverKafka(Broker::start(Protocol::Kafka).await)
}

#[async_trait]
impl Subject for OverKafka {
    fn transport(&self) -> Arc<dyn Transport> {
        let mut settings = Settings::new(self.0.address());
        settings.timeout = TIMEOUT;
        Arc::new(Kafka::new(settings).expect("the settings are right"))
    }

    async fn crash(&self) -> bool {
        self.0.crash().await
    }
}

transport_contract!(subject);
