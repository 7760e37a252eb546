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

/// What is read. Same fields, same order as [`Written`].
#[derive(Deserialize)]
struct Read {
    version: u64,
    log_next: LogId,
    logs: Vec<LogDefinition>,
    vhosts: Vec<(Name, Vec<ReadExchange>)>,
}

type ReadExchange = (Name, Exchange, Vec<Binding>);

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
        Read::deserialize(deserializer).map(Self::from)
    }
}

impl From<Read> for Catalogue {
    fn from(read: Read) -> Self {
        let mut catalogue = Self {
            version: read.version,
            logs: LogTable::starting_at(read.log_next),
            vhosts: Default::default(),
        };
        for (name, exchanges) in read.vhosts {
            let host = catalogue.vhosts.entry(name).or_default();
            fill(host, exchanges);
        }
        for log in read.logs {
            catalogue.define_log(log);
        }
        catalogue
    }
}

fn fill(host: &mut VirtualHost, exchanges: Vec<ReadExchange>) {
    for (name, exchange, bindings) in exchanges {
        host.add_exchange(name.clone(), exchange);
        for binding in bindings {
            host.bind(&name, binding);
        }
    }
}
