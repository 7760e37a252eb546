//! `memory:` and `memory:NAME`: brokers of this process.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use stele_toolkit_bus::{SystemClock, Transport, memory::MemoryBroker};

/// The brokers by their names, for as long as the process runs.
static BROKERS: Mutex<BTreeMap<String, MemoryBroker>> = Mutex::new(BTreeMap::new());

pub(super) fn connect(url: &str) -> Arc<dyn Transport> {
    let name = url.trim_start_matches("memory:").trim_start_matches("//");
    let mut brokers = BROKERS.lock().unwrap_or_else(PoisonError::into_inner);
    let broker = brokers.entry(name.to_owned());
    let broker = broker.or_insert_with(|| MemoryBroker::new(Arc::new(SystemClock)));
    Arc::new(broker.transport())
}
