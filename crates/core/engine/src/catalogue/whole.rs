//! The catalogue's form in a snapshot before it was stored in parts: read, never written. Indexes
//! (names, reverse, routing) are rebuilt from it.

use serde::Deserialize;
use stele_base_types::{LogId, Name};

use super::{
    Binding, Catalogue, Exchange, LogDefinition, logs::LogTable, virtual_host::VirtualHost,
};

/// The stored data.
#[derive(Deserialize)]
pub(crate) struct WholeCatalogue {
    pub(crate) version: u64,
    pub(crate) log_next: LogId,
    pub(crate) logs: Vec<LogDefinition>,
    pub(crate) vhosts: Vec<(Name, Vec<StoredExchange>)>,
}

type StoredExchange = (Name, Exchange, Vec<Binding>);

impl From<WholeCatalogue> for Catalogue {
    fn from(stored: WholeCatalogue) -> Self {
        let mut catalogue = Self {
            logs: LogTable::starting_at(stored.log_next),
            vhosts: Default::default(),
            version: stored.version,
            unplaced: Vec::new(),
        };
        for (name, exchanges) in stored.vhosts {
            let host = catalogue.vhosts.entry(name).or_default();
            fill(host, exchanges);
        }
        for log in stored.logs {
            catalogue.define_log(log);
        }
        catalogue
    }
}

fn fill(host: &mut VirtualHost, exchanges: Vec<StoredExchange>) {
    for (name, exchange, bindings) in exchanges {
        host.add_exchange(name.clone(), exchange);
        for binding in bindings {
            host.bind(&name, binding);
        }
    }
}
