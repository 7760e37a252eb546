//! Logs in a snapshot: each by itself, and a header for the shard. Indexes are derived from the
//! logs and aren't stored.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use stele_base_types::{LogId, ProcessEpoch};

use super::{LeaseId, Log, Logs};

/// A shard's data about its logs besides the logs themselves.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LogsHeader {
    pub(crate) epoch: ProcessEpoch,
    pub(crate) lease_last: LeaseId,
    pub(crate) closed: BTreeSet<LogId>,
}

impl Logs {
    pub(crate) fn header(&self) -> LogsHeader {
        LogsHeader {
            epoch: self.epoch,
            lease_last: self.lease_last,
            closed: self.closed.clone(),
        }
    }

    pub(crate) fn load_header(&mut self, header: LogsHeader) {
        self.epoch = header.epoch;
        self.lease_last = header.lease_last;
        self.closed = header.closed;
    }

    /// Loads a log that isn't here yet.
    pub(crate) fn load(&mut self, id: LogId, log: Box<Log>) {
        log.index(id, &mut self.indexes);
        self.logs.insert(id, log);
    }
}
