//! A service's handlers, by what they read.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, OnceLock},
};

use crate::{Call, Destination, HandlerFuture, Incoming, Refusal, metrics::HandlerMetrics};

type CallHandler = dyn Fn(&mut Call<'_>) -> Result<HandlerFuture, Refusal> + Send + Sync;

/// A handler.
pub(crate) struct Entry {
    /// Its name, which stores know it by: `service/type`.
    pub(crate) name: String,
    /// Whether it takes several messages at once.
    pub(crate) is_batch: bool,
    pub(crate) call: Box<CallHandler>,
    /// Set when the service starts.
    pub(crate) metrics: OnceLock<HandlerMetrics>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({})", self.name)
    }
}

/// All handlers of a service.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    /// By the names of types.
    pub(crate) types: BTreeMap<String, Arc<Entry>>,
    /// By the topics and queues whose messages aren't looked into.
    pub(crate) raw: BTreeMap<Destination, Arc<Entry>>,
}

impl Registry {
    /// The handler of a message that isn't to be looked into, if it came that way.
    pub(crate) fn of_raw(&self, message: &Incoming) -> Option<&Arc<Entry>> {
        self.raw.get(&message.to)
    }

    /// The handler of a name, as stores know it.
    pub(crate) fn named(&self, name: &str) -> Option<&Arc<Entry>> {
        let mut all = self.types.values().chain(self.raw.values());
        all.find(|entry| entry.name == name)
    }
}
