//! The state in parts, so that the cost of a snapshot depends on what has changed: each part is
//! stored by itself, and loaded when a record reads or changes it.
//!
//! | part | |
//! |---|---|
//! | header | epochs, assigned ids, the time, links, logs being deleted: every record touches it |
//! | catalogue | the version of all definitions, and the next id |
//! | exchanges | all of them, with bindings between exchanges |
//! | definitions | those of 64 logs with consecutive ids |
//! | bindings | those to 64 such logs |
//! | log | one log, with its ledgers |
//! | groups | those of one bucket of 256, by a hash of their names |
//!
//! Applying a record has the same effect on the parts it touches, whether or not other parts are
//! loaded.

use std::collections::BTreeMap;

use serde::{Serialize, de::DeserializeOwned};
use smallvec::{SmallVec, smallvec};
use stele_base_types::{LogId, Name, ProducerId, Timestamp};

use super::{
    POSITIONAL, StoredError, VERSION, VERSION_MARK, WRITABLE, content, positional, stored_fields,
};
use crate::{
    BindingTarget, CatalogueRecord, LedgerConfig, Links, Log, LogConfig, Record, State,
    catalogue::{WholeCatalogue, part_of},
    group::{Group, bucket_of},
    log::LogsHeader,
};

/// A part of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatePart {
    /// Data of the shard as a whole.
    Header,
    /// All definitions, as stored before they were split into parts. Read, never written: after
    /// loading it, all other parts of the catalogue must be stored.
    WholeCatalogue,
    /// Data of the catalogue as a whole.
    Catalogue,
    /// All exchanges.
    Exchanges,
    /// The definitions of some logs.
    Definitions(u64),
    /// The bindings to some logs.
    Bindings(u64),
    /// A log.
    Log(LogId),
    /// The groups of a bucket.
    Groups(u8),
}

/// The kinds of which there are many parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PartKind {
    /// [`StatePart::Log`].
    Logs,
    /// [`StatePart::Definitions`].
    Definitions,
    /// [`StatePart::Bindings`].
    Bindings,
}

/// The parts that a record reads or changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// Single parts.
    pub parts: SmallVec<[StatePart; 2]>,
    /// All parts of these kinds.
    pub kinds: SmallVec<[PartKind; 1]>,
}

/// The content of [`StatePart::Header`].
#[derive(Default)]
struct Header {
    logs: LogsHeader,
    producer_next: ProducerId,
    latest: Timestamp,
    links: Links,
    doubted: Timestamp,
    stopped: bool,
}

stored_fields! {
    Header {
        Logs logs: LogsHeader,
        ProducerNext producer_next: ProducerId,
        Latest latest: Timestamp,
        Links links: Links,
        Doubted doubted: Timestamp,
        Stopped stopped: bool,
    }
}

impl State {
    /// All parts of the state, each once.
    pub fn parts(&self) -> impl Iterator<Item = StatePart> {
        let header = std::iter::once(StatePart::Header);
        let logs = self.parts_of(PartKind::Logs);
        let groups = self.groups.buckets().map(StatePart::Groups);
        header
            .chain(self.catalogue_parts())
            .chain(logs)
            .chain(groups)
    }

    /// All parts of the catalogue, each once.
    pub fn catalogue_parts(&self) -> impl Iterator<Item = StatePart> {
        let ones = [StatePart::Catalogue, StatePart::Exchanges];
        let definitions = self.parts_of(PartKind::Definitions);
        let bindings = self.parts_of(PartKind::Bindings);
        ones.into_iter().chain(definitions).chain(bindings)
    }

    /// All parts of one kind.
    pub fn parts_of(&self, kind: PartKind) -> Box<dyn Iterator<Item = StatePart> + '_> {
        match kind {
            PartKind::Logs => Box::new(self.logs.iter().map(|(log, _)| StatePart::Log(log))),
            PartKind::Definitions => {
                let parts = self.catalogue.definition_parts();
                Box::new(parts.into_iter().map(StatePart::Definitions))
            }
            PartKind::Bindings => {
                let parts = self.catalogue.binding_parts();
                Box::new(parts.into_iter().map(StatePart::Bindings))
            }
        }
    }

    /// The stored forms of all parts.
    pub fn store(&self) -> Vec<(StatePart, Vec<u8>)> {
        let stored = |part| Some((part, self.store_part(part)?));
        self.parts().filter_map(stored).collect()
    }

    /// The stored form of a part; `None` if it has no content (no such log, no group in the
    /// bucket).
    pub fn store_part(&self, part: StatePart) -> Option<Vec<u8>> {
        match part {
            StatePart::Header => Some(stored(&self.header())),
            StatePart::WholeCatalogue => None,
            StatePart::Catalogue => Some(stored(&self.catalogue.header())),
            StatePart::Exchanges => Some(stored(&self.catalogue.written_exchanges())),
            StatePart::Definitions(part) => self.catalogue.definitions(part).map(|it| stored(&it)),
            StatePart::Bindings(part) => self.catalogue.bindings_to(part).map(|it| stored(&it)),
            StatePart::Log(log) => self.logs.log(log).map(stored),
            StatePart::Groups(bucket) => self.groups.bucket(bucket).map(stored),
        }
    }

    /// Loads a part stored by [`State::store_part`] that the state doesn't have yet.
    pub fn load_part(&mut self, part: StatePart, bytes: &[u8]) -> Result<(), StoredError> {
        match part {
            StatePart::Header => {
                self.load_header(read::<Header, positional::Header>(bytes)?);
            }
            StatePart::WholeCatalogue => {
                self.catalogue = read_same::<WholeCatalogue>(bytes)?.into();
            }
            StatePart::Catalogue => self.catalogue.load_header(&read_same(bytes)?),
            StatePart::Exchanges => self.catalogue.load_exchanges(read_same(bytes)?),
            StatePart::Definitions(_) => self.catalogue.load_definitions(read_same(bytes)?),
            StatePart::Bindings(_) => self.catalogue.load_bindings(read_same(bytes)?),
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
            doubted: self.logs.doubted(),
            stopped: self.logs.has_stopped(),
        }
    }

    fn load_header(&mut self, header: Header) {
        self.logs.load_header(header.logs);
        self.logs.load_end(header.doubted, header.stopped);
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
            ..Self::default()
        }
    }
}

impl Record {
    /// The parts that a record reads or changes. A restart's changes to logs and groups aren't
    /// stored, so `Started` only touches the header.
    pub(super) fn touched(&self) -> Touched {
        match self {
            Self::Appended { targets, .. } => {
                Touched::logs(targets.iter().map(|(partition, _)| partition.log))
            }
            Self::Log(log, _) => Touched::logs([*log]),
            Self::Group(group, _) => Touched::group(group),
            Self::Catalogue(record) => record.touched(),
            Self::Link(_)
            | Self::ProducerIds(_)
            | Self::Started(_)
            | Self::Stopped
            | Self::Committed(..)
            | Self::SessionEnded(_)
            | Self::SessionForgotten(_) => Touched::header(),
        }
    }
}

impl CatalogueRecord {
    fn touched(&self) -> Touched {
        match self {
            Self::LogDefined(definition) => Touched::defined(definition.id),
            Self::LogDeleted(log) => Touched::undefined(*log),
            Self::ExchangeDeclared { .. } => Touched::exchanges(),
            Self::ExchangeDeleted { .. } => Touched::exchange_gone(),
            Self::Bound(bind) | Self::Unbound(bind) => Touched::binding(&bind.target),
        }
    }
}

impl Touched {
    pub(super) fn header() -> Self {
        Self {
            parts: smallvec![StatePart::Header],
            kinds: SmallVec::new(),
        }
    }

    pub(super) fn logs(logs: impl IntoIterator<Item = LogId>) -> Self {
        Self::header().and(logs.into_iter().map(StatePart::Log))
    }

    pub(super) fn group(name: &Name) -> Self {
        Self::header().and([StatePart::Groups(bucket_of(name))])
    }

    /// A log's definition was added or changed.
    pub(super) fn defined(log: LogId) -> Self {
        Self::catalogue().and([StatePart::Definitions(part_of(log))])
    }

    /// A definition was removed, with the bindings to it. The exchanges' own counts show which
    /// exchanges are removed too; those have no other bindings, and the bindings to them are stored
    /// with them.
    pub(super) fn undefined(log: LogId) -> Self {
        let part = part_of(log);
        Self::exchanges().and([StatePart::Definitions(part), StatePart::Bindings(part)])
    }

    /// An exchange was added.
    pub(super) fn exchanges() -> Self {
        Self::catalogue().and([StatePart::Exchanges])
    }

    /// An exchange was removed, with its bindings, whatever their targets.
    pub(super) fn exchange_gone() -> Self {
        Self::exchanges().and_all(PartKind::Bindings)
    }

    /// A binding was added or removed; its exchange may be removed with the last one.
    pub(super) fn binding(target: &BindingTarget) -> Self {
        let part = match target {
            BindingTarget::Log(log) => Some(StatePart::Bindings(part_of(*log))),
            BindingTarget::Exchange(_) => None,
        };
        Self::exchanges().and(part)
    }

    /// The whole catalogue.
    pub(super) fn everything_defined() -> Self {
        let all = Self::exchanges().and_all(PartKind::Definitions);
        all.and_all(PartKind::Bindings)
    }

    /// Adds all parts of a kind.
    pub(super) fn and_all(mut self, kind: PartKind) -> Self {
        self.kinds.push(kind);
        self
    }

    /// If the definitions are still stored as a whole, any change splits them into parts.
    fn catalogue() -> Self {
        Self::header().and([StatePart::WholeCatalogue, StatePart::Catalogue])
    }

    fn and(mut self, parts: impl IntoIterator<Item = StatePart>) -> Self {
        self.parts.extend(parts);
        self
    }
}

fn stored<T: Serialize + ?Sized>(part: &T) -> Vec<u8> {
    postcard::to_extend(part, vec![VERSION_MARK | VERSION]).expect(WRITABLE)
}

/// Reads a part whose form hasn't changed.
fn read_same<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoredError> {
    read::<T, T>(bytes)
}

/// Reads a part in its current form or, as a `P`, in the previous one.
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
