//! The catalogue's form in a snapshot: definitions alone. Names, reverse and routing indexes are
//! made anew from them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use stele_base_types::{LogId, Name};

use super::{
    Binding, Catalogue, Exchange, LogDefinition, logs::LogTable, virtual_host::VirtualHost,
};

/// What is written, borrowed.
#[derive(Serialize)]
struct Written<'a> {
    version: u64,
    log_next: LogId,
    logs: Vec<&'a LogDefinition>,
    vhosts: Vec<(&'a Name, Vec<WrittenExchange<'a>>)>,
}

type WrittenExchange<'a> = (&'a Name, &'a Exchange, Vec<&'a Binding>);

/// What is stored. Same fields, same order as [`Written`].
#[derive(Deserialize)]
pub(crate) struct StoredCatalogue {
    pub(crate) version: u64,
    pub(crate) log_next: LogId,
    pub(crate) logs: Vec<LogDefinition>,
    pub(crate) vhosts: Vec<(Name, Vec<StoredExchange>)>,
}

type StoredExchange = (Name, Exchange, Vec<Binding>);

impl Serialize for Catalogue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let vhosts = self.vhosts.iter().map(|(name, host)| {
            let exchanges = host.exchanges().map(|(name, bound)| {
                let bindings = bound.bindings.iter().collect();
                (name, &bound.exchange, bindings)
            });
            (name, exchanges.collect())
        });
        let written = Written {
            version: self.version,
            log_next: self.logs.next(),
            logs: self.logs.iter().collect(),
            vhosts: vhosts.collect(),
        };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Catalogue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        StoredCatalogue::deserialize(deserializer).map(Self::from)
    }
}

impl From<StoredCatalogue> for Catalogue {
    fn from(stored: StoredCatalogue) -> Self {
        let mut catalogue = Self {
            version: stored.version,
            logs: LogTable::starting_at(stored.log_next),
            vhosts: Default::default(),
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
