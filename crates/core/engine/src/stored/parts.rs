//! The state in parts, so that a snapshot costs what changed: each part is stored by itself, and is
//! loaded where a record reads or changes it.
//!
//! | part | |
//! |---|---|
//! | header | epochs, ids given out, the time, links, logs being deleted: every record touches it |
//! | catalogue | all definitions of the shard |
//! | log | one log, with its ledgers |
//! | groups | those of one bucket of 256, by a hash of their names |
//!
//! Applying a record to the parts that it touches has the same effect on them whether or not others
//! are loaded.

use std::collections::BTreeMap;

use serde::{Serialize, de::DeserializeOwned};
use smallvec::{SmallVec, smallvec};
use stele_base_types::{LogId, Name, ProducerId, Timestamp};

use super::{
    POSITIONAL, StoredError, VERSION, VERSION_MARK, WRITABLE, content, positional, stored_fields,
};
use crate::{
    Catalogue, LedgerConfig, Links, Log, LogConfig, Record, State,
    group::{Group, bucket_of},
    log::LogsHeader,
};

/// A part of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatePart {
    /// What is of the shard as a whole.
    Header,
    /// All definitions.
    Catalogue,
    /// A log.
    Log(LogId),
    /// The groups of a bucket.
    Groups(u8),
}

/// The parts that a record reads or changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// These.
    pub parts: SmallVec<[StatePart; 2]>,
    /// And all logs.
    pub all_logs: bool,
}

/// What is stored as [`StatePart::Header`].
#[derive(Default)]
struct Header {
    logs: LogsHeader,
    producer_next: ProducerId,
    latest: Timestamp,
    links: Links,
}

stored_fields! {
    Header {
        Logs logs: LogsHeader,
        ProducerNext producer_next: ProducerId,
        Latest latest: Timestamp,
        Links links: Links,
    }
}

impl State {
    /// All its parts, each once.
    pub fn parts(&self) -> impl Iterator<Item = StatePart> {
        let logs = self.logs.iter().map(|(log, _)| StatePart::Log(log));
        let groups = self.groups.buckets().map(StatePart::Groups);
        let others = [StatePart::Header, StatePart::Catalogue];
        others.into_iter().chain(logs).chain(groups)
    }

    /// The stored forms of all its parts.
    pub fn store(&self) -> Vec<(StatePart, Vec<u8>)> {
        let stored = |part| Some((part, self.store_part(part)?));
        self.parts().filter_map(stored).collect()
    }

    /// The stored form of a part; `None` where there is no such log, or no group of the bucket.
    pub fn store_part(&self, part: StatePart) -> Option<Vec<u8>> {
        match part {
            StatePart::Header => Some(stored(&self.header())),
            StatePart::Catalogue => Some(stored(&self.catalogue)),
            StatePart::Log(log) => self.logs.log(log).map(stored),
            StatePart::Groups(bucket) => self.groups.bucket(bucket).map(stored),
        }
    }

    /// Takes in a part as [`State::store_part`] gave it, where the state hasn't it yet.
    pub fn load_part(&mut self, part: StatePart, bytes: &[u8]) -> Result<(), StoredError> {
        match part {
            StatePart::Header => {
                self.load_header(read::<Header, positional::Header>(bytes)?);
            }
            StatePart::Catalogue => self.catalogue = read::<Catalogue, Catalogue>(bytes)?,
            StatePart::Log(log) => {
                let stored = read::<Log, positional::Log<LogConfig, LedgerConfig>>(bytes)?;
                self.logs.load(log, Box::new(stored));
            }
            StatePart::Groups(_) => {
                let stored = read::<BTreeMap<Name, Group>, positional::Groups>(bytes)?;
                self.groups.load(stored);
            }
        }
        Ok(())
    }

    fn header(&self) -> Header {
        Header {
            logs: self.logs.header(),
            producer_next: self.producer_next,
            latest: self.latest,
            links: self.links.clone(),
        }
    }

    fn load_header(&mut self, header: Header) {
        self.logs.load_header(header.logs);
        self.producer_next = header.producer_next;
        self.latest = header.latest;
        self.links = header.links;
    }
}

impl From<positional::Header> for Header {
    fn from(stored: positional::Header) -> Self {
        Self {
            logs: stored.logs,
            producer_next: stored.producer_next,
            latest: stored.latest,
            links: stored.links,
        }
    }
}

impl Record {
    /// The parts that it reads or changes. What a restart makes of logs and groups isn't stored, so
    /// `Started` is the header's alone.
    pub(super) fn touched(&self) -> Touched {
        match self {
            Self::Appended { targets, .. } => {
                Touched::logs(targets.iter().map(|(partition, _)| partition.log))
            }
            Self::Log(log, _) => Touched::logs([*log]),
            Self::Group(group, _) => Touched::group(group),
            Self::Catalogue(_) => Touched::catalogue(),
            Self::Link(_)
            | Self::ProducerIds(_)
            | Self::Started(_)
            | Self::Committed(..)
            | Self::SessionEnded(_)
            | Self::SessionForgotten(_) => Touched::header(),
        }
    }
}

impl Touched {
    pub(super) fn header() -> Self {
        Self {
            parts: smallvec![StatePart::Header],
            all_logs: false,
        }
    }

    pub(super) fn logs(logs: impl IntoIterator<Item = LogId>) -> Self {
        Self::header().and(logs.into_iter().map(StatePart::Log))
    }

    pub(super) fn group(name: &Name) -> Self {
        Self::header().and([StatePart::Groups(bucket_of(name))])
    }

    pub(super) fn catalogue() -> Self {
        Self::header().and([StatePart::Catalogue])
    }

    /// And all logs.
    pub(super) fn and_all_logs(mut self) -> Self {
        self.all_logs = true;
        self
    }

    fn and(mut self, parts: impl IntoIterator<Item = StatePart>) -> Self {
        self.parts.extend(parts);
        self
    }
}

fn stored<T: Serialize + ?Sized>(part: &T) -> Vec<u8> {
    postcard::to_extend(part, vec![VERSION_MARK | VERSION]).expect(WRITABLE)
}

/// Reads a part in its present form or, as a `P`, in the one before.
fn read<T, P>(bytes: &[u8]) -> Result<T, StoredError>
where
    T: DeserializeOwned + From<P>,
    P: DeserializeOwned,
{
    let (version, content) = content(bytes)?.ok_or(StoredError::NoVersion)?;
    if version == POSITIONAL {
        return Ok(postcard::from_bytes::<P>(content)?.into());
    }
    Ok(postcard::from_bytes(content)?)
}

#[cfg(test)]
mod tests;
