//! What has happened. Applying records is the only way that the state changes; replaying the
//! journalled ones is recovery. How they are stored is told in `stored.rs`.

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
    /// Whether it is written to the journal. The others speak of what dies with the process.
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

    /// How much work it is, roughly, in records of logs. A run costs something by itself, however
    /// short it is.
    pub(crate) fn weight(&self) -> u32 {
        match self {
            Self::Log(_, LogRecord::Ledger(_, record)) => {
                record.run().map_or(1, |run| run.count + RUN_WEIGHT)
            }
            Self::Log(_, LogRecord::Swept | LogRecord::ForgottenSome { .. }) => RUN_RECORDS_MAX,
            // What it comes with may settle so many of each kind.
            Self::Log(_, LogRecord::Clearing(_)) => 4 * RUN_RECORDS_MAX,
            _ => 1,
        }
    }

    /// The instant that it bears.
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
    /// A batch was appended. The batch itself is in the journal entry that follows.
    Appended {
        /// Where, and at which offset its first record lies.
        targets: SmallVec<[(PartitionId, Offset); 1]>,
        /// How many records.
        count: u32,
        /// The batch's size.
        size_bytes: u32,
        /// The largest timestamp in it.
        timestamp: Timestamp,
        /// When, by the engine's time.
        at: Timestamp,
        /// The producer's stamp.
        producer: Option<ProducerStamp>,
        /// What is to be known of each record.
        columns: Columns,
    },
    /// Something happened to a log.
    Log(LogId, LogRecord),
    /// Something happened to a group.
    Group(Name, GroupRecord),
    /// Something happened to the catalogue.
    Catalogue(CatalogueRecord),
    /// Something happened to a link to another shard.
    Link(LinkRecord),
    /// Producer ids below this one are given out.
    ProducerIds(ProducerId),
    /// A process of this epoch has begun: the sessions of all earlier ones are gone. What they held
    /// returns by records of its own.
    Started(ProcessEpoch),
    /// The durable end of a partition moved. Not journalled: recovery starts with all durable.
    Committed(PartitionId, Offset),
    /// A session of this process has ended; what it held and waited for is yet to go. Not
    /// journalled.
    SessionEnded(SessionId),
    /// Nothing of an ended session is left. Not journalled.
    SessionForgotten(SessionId),
    /// The process ends, and hands nothing out any more: all that it did is in the journal.
    Stopped,
}
