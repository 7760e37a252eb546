//! The changes of the state. Applying records is the only way to change the state, and recovery
//! replays the journalled ones. `stored.rs` describes how they are stored.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use stele_base_types::{
    LogId, Name, Offset, PartitionId, ProcessEpoch, ProducerId, SessionId, Timestamp,
};

use crate::{
    Columns, LinkRecord, ProducerStamp,
    limits::{RUN_RECORDS_MAX, RUN_WEIGHT},
};
pub use crate::{catalogue::CatalogueRecord, group::GroupRecord, log::LogRecord};

impl Record {
    /// Whether it is written to the journal. The others are about things that end with the process.
    pub fn is_journalled(&self) -> bool {
        match self {
            Self::Committed(..) | Self::SessionEnded(_) | Self::SessionForgotten(_) => false,
            Self::Log(_, record) => record.is_journalled(),
            Self::Group(_, record) => record.is_journalled(),
            Self::Appended { .. }
            | Self::Catalogue(_)
            | Self::ProducerIds(_)
            | Self::Link(_)
            | Self::Stopped
            | Self::Started(_) => true,
        }
    }

    /// A rough measure of the work, in log records. A run has a fixed cost as well, however short
    /// it is.
    pub(crate) fn weight(&self) -> u32 {
        match self {
            Self::Log(_, LogRecord::Ledger(_, record)) => {
                record.run().map_or(1, |run| run.count + RUN_WEIGHT)
            }
            Self::Log(_, LogRecord::Swept | LogRecord::ForgottenSome { .. }) => RUN_RECORDS_MAX,
            // The records that go with it may settle this many of each kind.
            Self::Log(_, LogRecord::Clearing(_)) => 4 * RUN_RECORDS_MAX,
            _ => 1,
        }
    }

    /// The time it was made, if it has one.
    pub(crate) fn at(&self) -> Option<Timestamp> {
        match self {
            Self::Appended { at, .. } => Some(*at),
            Self::Log(_, record) => record.at(),
            Self::Group(_, record) => record.at(),
            Self::Catalogue(CatalogueRecord::LogDefined(definition)) => Some(definition.modified),
            Self::Catalogue(_)
            | Self::Link(_)
            | Self::ProducerIds(_)
            | Self::Started(_)
            | Self::Stopped
            | Self::Committed(..)
            | Self::SessionEnded(_)
            | Self::SessionForgotten(_) => None,
        }
    }
}

/// A change of the state of a shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// A batch was appended. The batch itself follows in the journal entry.
    Appended {
        /// The partitions, and the offset of its first record in each.
        targets: SmallVec<[(PartitionId, Offset); 1]>,
        /// The number of records.
        count: u32,
        /// The batch's size.
        size_bytes: u32,
        /// The largest timestamp in the batch.
        timestamp: Timestamp,
        /// The time of the append, by the engine's clock.
        at: Timestamp,
        /// The producer's stamp.
        producer: Option<ProducerStamp>,
        /// What the engine needs to know of each record.
        columns: Columns,
    },
    /// A change of a log.
    Log(LogId, LogRecord),
    /// A change of a group.
    Group(Name, GroupRecord),
    /// A change of the catalogue.
    Catalogue(CatalogueRecord),
    /// A change of a link to another shard.
    Link(LinkRecord),
    /// Producer ids below this one are assigned.
    ProducerIds(ProducerId),
    /// A process with this epoch has begun: all sessions of earlier processes have ended. Separate
    /// records return what they held.
    Started(ProcessEpoch),
    /// A partition is durable up to this offset. Not journalled: after recovery everything is
    /// durable.
    Committed(PartitionId, Offset),
    /// A session of this process has ended; what it held and waited for is removed later. Not
    /// journalled.
    SessionEnded(SessionId),
    /// Nothing is left of an ended session. Not journalled.
    SessionForgotten(SessionId),
    /// The process stops handing out records: all its changes are in the journal.
    Stopped,
}
