//! What a shard's state may take in memory: counted as records are applied, about as the process
//! pays for it, since whoever connects may declare, delay and receive as they like.
//!
//! What is there stays, also where it is more than may be: a directory of a process that was
//! allowed more is loaded whole. Only what would add to it is refused, or waits.

use crate::{
    Argument, Arguments, CatalogueError, Exchange, Logs, State,
    catalogue::{Binding, LogDefinition},
};

/// A log with its names, its queue and its places in indexes, here, on its shard and with those
/// who route.
const LOG_BYTES: usize = 4_096;

/// One of its partitions beyond the first.
const PARTITION_BYTES: usize = 2_048;

/// An exchange, here and with those who route.
const EXCHANGE_BYTES: usize = 3_072;

/// A binding, likewise, with its places in indexes.
const BINDING_BYTES: usize = 3_072;

/// A record that is leased or hidden for a time, with its place among the deadlines.
const LISTED_BYTES: usize = 160;

/// A deduplication id.
const ID_BYTES: usize = 112;

/// What a shard's state takes in memory, or what it may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateBytes {
    /// Logs, exchanges and bindings: on the catalogue's shard, for all of them.
    pub definitions: usize,
    /// What is known of single records: leases, delays, deduplication ids, sizes.
    pub records: usize,
}

impl State {
    /// Sets what may be there before more is refused. Unless it is set, there is no bound.
    pub fn set_bounds(&mut self, bounds: StateBytes) {
        self.definitions_bytes_max = Some(bounds.definitions);
        self.logs.records_bytes_max = Some(bounds.records);
    }

    /// What may be there; 0 where that isn't set.
    pub fn bounds(&self) -> StateBytes {
        StateBytes {
            definitions: self.definitions_bytes_max.unwrap_or(0),
            records: self.logs.records_bytes_max.unwrap_or(0),
        }
    }

    /// What is there. Constant time.
    pub fn bytes(&self) -> StateBytes {
        StateBytes {
            definitions: self.catalogue.bytes(),
            records: self.logs.records_bytes(),
        }
    }

    /// Whether a definition may take so much more than the one that it stands for.
    pub(crate) fn definition_allowed(
        &self,
        bytes: usize,
        former_bytes: usize,
    ) -> Result<(), CatalogueError> {
        let more = bytes.saturating_sub(former_bytes);
        let wanted = self.catalogue.bytes() + more;
        match self.definitions_bytes_max {
            Some(max) if more > 0 && wanted > max => Err(CatalogueError::Full),
            _ => Ok(()),
        }
    }
}

impl Logs {
    /// What is known of single records.
    fn records_bytes(&self) -> usize {
        let listed = self.indexes.listed() * LISTED_BYTES;
        listed + self.indexes.ids * ID_BYTES + self.indexes.bodies_bytes
    }

    /// Whether records may be leased: there is room until all of it is taken.
    pub(crate) fn may_lease(&self) -> bool {
        let max = self.records_bytes_max;
        max.is_none_or(|max| self.records_bytes() < max)
    }

    /// Whether records may be appended that are hidden, or whose ids are remembered. They get half
    /// of what there is, since it is by being leased that records go.
    pub(crate) fn may_remember(&self) -> bool {
        let max = self.records_bytes_max;
        max.is_none_or(|max| self.records_bytes() < max / 2)
    }
}

impl LogDefinition {
    pub(crate) fn bytes(&self) -> usize {
        let settings = self.facets.values().flatten();
        let settings = settings.map(|(name, value)| 2 * (name.len() + value.len()) + 64);
        let partitions = self.config.partitions.saturating_sub(1) as usize;
        let names = 4 * (self.name.len() + self.vhost.len());
        LOG_BYTES + names + settings.sum::<usize>() + partitions * PARTITION_BYTES
    }
}

impl Exchange {
    pub(crate) fn bytes(&self) -> usize {
        EXCHANGE_BYTES + 2 * arguments_bytes(&self.arguments)
    }
}

impl Binding {
    pub(crate) fn bytes(&self) -> usize {
        BINDING_BYTES + 4 * self.key.len() + 2 * arguments_bytes(&self.arguments)
    }
}

/// What the arguments of an exchange or a binding take.
pub(crate) fn arguments_bytes(arguments: &Arguments) -> usize {
    let sizes = arguments.iter().map(|(name, value)| {
        name.len()
            + match value {
                Argument::Text(bytes) | Argument::Nested(bytes) => bytes.len(),
                Argument::Void
                | Argument::Bool(_)
                | Argument::Integer(_)
                | Argument::Float(_)
                | Argument::Timestamp(_)
                | Argument::Decimal(..) => size_of::<Argument>(),
            }
    });
    sizes.sum()
}
