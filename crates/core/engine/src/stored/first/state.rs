//! The state in a snapshot.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use stele_base_types::{LogId, Name, ProcessEpoch, ProducerId, Timestamp};

use super::{
    super::positional::{Groups, Log},
    config::{LedgerConfig, LogConfig},
    record::{Exchange, LogDefinition},
};
use crate::{Binding, LeaseId, catalogue::WholeCatalogue, log::LogsHeader};

#[derive(Deserialize)]
pub(in crate::stored) struct State {
    catalogue: Catalogue,
    logs: Logs,
    groups: Groups,
    producer_next: ProducerId,
}

#[derive(Deserialize)]
struct Catalogue {
    version: u64,
    log_next: LogId,
    logs: Vec<LogDefinition>,
    vhosts: Vec<(Name, Vec<BoundExchange>)>,
}

/// An exchange by name, with its bindings.
type BoundExchange = (Name, Exchange, Vec<Binding>);

#[derive(Deserialize)]
struct Logs {
    logs: BTreeMap<LogId, Log<LogConfig, LedgerConfig>>,
    lease_last: LeaseId,
    closed: BTreeSet<LogId>,
}

impl From<State> for crate::State {
    fn from(stored: State) -> Self {
        let mut state = Self {
            catalogue: WholeCatalogue::from(stored.catalogue).into(),
            producer_next: stored.producer_next,
            latest: Timestamp::PAST,
            ..Self::default()
        };
        state.logs.load_header(LogsHeader {
            epoch: ProcessEpoch(0),
            lease_last: stored.logs.lease_last,
            closed: stored.logs.closed,
        });
        for (id, log) in stored.logs.logs {
            state.logs.load(id, Box::new(log.into()));
        }
        state.groups.load(stored.groups.into());
        state
    }
}

impl From<Catalogue> for WholeCatalogue {
    fn from(stored: Catalogue) -> Self {
        let exchanges = |exchanges: Vec<BoundExchange>| {
            let exchanges = exchanges.into_iter();
            exchanges
                .map(|(name, exchange, bindings)| (name, exchange.into(), bindings))
                .collect()
        };
        let vhosts = stored.vhosts.into_iter();
        Self {
            version: stored.version,
            log_next: stored.log_next,
            logs: stored.logs.into_iter().map(Into::into).collect(),
            vhosts: vhosts
                .map(|(name, declared)| (name, exchanges(declared)))
                .collect(),
        }
    }
}
