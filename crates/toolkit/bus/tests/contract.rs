//! The memory transport keeps the contract of transports, in virtual time.

use std::sync::Arc;

use async_trait::async_trait;
use stele_toolkit_bus::{
    Clock, Transport,
    memory::{MemoryBroker, VirtualClock},
};
use stele_toolkit_contract::{Subject, transport_contract};

#[derive(Debug)]
struct Memory {
    clock: VirtualClock,
    broker: MemoryBroker,
}

#[async_trait]
impl Subject for Memory {
    fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(self.broker.transport())
    }

    async fn crash(&self) -> bool {
        self.broker.disconnect();
        true
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.clock.clone())
    }
}

async fn subject() -> Memory {
    let clock = VirtualClock::automatic();
    let broker = MemoryBroker::new(Arc::new(clock.clone()));
    Memory { clock, broker }
}

transport_contract!(subject);
