//! How long a queue keeps its messages if several protocols limit it: the shortest limit counts.
//!
//! Each protocol's own limit is kept among its settings, so that its front can return it and a
//! change by one protocol leaves the limits of the others.

use crate::{Facet, LogDefinition, Settings};

/// The setting with a protocol's own limit, in milliseconds.
const EXPIRY: &str = "expiry-ms";

/// The limit that a protocol has set by itself, in milliseconds.
pub fn own_expiry_ms(settings: &Settings) -> Option<u64> {
    settings.get(EXPIRY)?.parse().ok()
}

impl LogDefinition {
    /// Sets the limit of a protocol. Without one, its earlier limit stays.
    pub(super) fn set_expiry(&mut self, facet: &Facet, expiry_ms: Option<u64>) {
        let Some(expiry_ms) = expiry_ms else {
            return;
        };
        let settings = self.facets.entry(facet.clone()).or_default();
        settings.insert(EXPIRY.into(), expiry_ms.to_string().into());
        if let Some(queue) = &mut self.config.queue {
            queue.expiry_ms = self.facets.values().filter_map(own_expiry_ms).min();
        }
    }
}
