//! Drops what doesn't survive the process: volatile and exclusive logs, exchanges that aren't
//! durable, and the bindings of both.

use crate::{
    CatalogueRecord, Decision, LinkCommand, Record, catalogue::Catalogue, limits::FLEETING_MAX,
};

impl Catalogue {
    /// Drops some of it; returns an empty decision if nothing is left.
    pub(crate) fn drop_fleeting(&self) -> Decision {
        let logs = self.logs.fleeting().map(CatalogueRecord::LogDeleted);
        let exchanges = self.vhosts.iter().flat_map(|(vhost, host)| {
            let names = host.fleeting();
            names.map(|name| CatalogueRecord::ExchangeDeleted {
                vhost: vhost.clone(),
                name: name.clone(),
            })
        });
        let dropped = logs.chain(exchanges).map(Record::Catalogue);
        // A log's shard has closed it by itself, but a command to open it, sent before the process
        // ended, may still arrive. `Forget` follows such a command.
        let forget = self.logs.fleeting().map(|log| LinkCommand::Forget { log });
        Decision {
            records: dropped.take(FLEETING_MAX).collect(),
            sends: forget.take(FLEETING_MAX).collect(),
            ..Decision::nothing()
        }
    }
}
