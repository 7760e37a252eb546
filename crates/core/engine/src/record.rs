//! What has happened. Applying records is the only way that the state changes; replaying the
//! journalled ones is recovery. How they are stored is told in `stored.rs`.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use stele_base_types::{LogId, Name, Offset, PartitionId, ProducerId, SessionId, Timestamp};

use crate::command::{ProducerStamp, Schedule};
pub use crate::{catalogue::CatalogueRecord, group::GroupRecord, log::LogRecord};

impl Record {
    /// Whether it is written to the journal. The others speak of what dies with the process.
    pub fn is_journalled(&self) -> bool {
        match self {
            Self::Committed(..) => false,
            Self::Log(_, record) => record.is_journalled(),
            Self::Group(_, record) => record.is_journalled(),
            Self::Appended { .. }
            | Self::Catalogue(_)
            | Self::ProducerIds(_)
            | Self::SessionClosed(_)
            | Self::Recovered => true,
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
        /// What scheduling needs, with the queue's own delay filled in.
        schedule: Option<Schedule>,
    },
    /// Something happened to a log.
    Log(LogId, LogRecord),
    /// Something happened to a group.
    Group(Name, GroupRecord),
    /// Something happened to the catalogue.
    Catalogue(CatalogueRecord),
    /// Producer ids below this one are given out.
    ProducerIds(ProducerId),
    /// A session of this process ended. Its leases return by this.
    SessionClosed(SessionId),
    /// The process started anew: leases held by sessions return, volatile logs are gone.
    Recovered,
    /// The durable end of a partition moved. Not journalled: recovery starts with all durable.
    Committed(PartitionId, Offset),
}
