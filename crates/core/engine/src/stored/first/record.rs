//! Records. Those that were never journalled have no value here: they keep the others' numbers.

use std::collections::BTreeMap;

use serde::Deserialize;
use smallvec::SmallVec;
use stele_base_types::{
    LogId, Name, Offset, PartitionId, PartitionIndex, ProducerId, SessionId, Timestamp,
};

use super::config::LogConfig;
use crate::{
    Arguments, ExchangeKind, Facet, GroupRecord, LeaseId, LedgerId, Run, Settings,
    command::{Bind, ConsumerRef, ProducerStamp},
};

#[derive(Deserialize)]
pub(in crate::stored) enum Record {
    Appended {
        targets: SmallVec<[(PartitionId, Offset); 1]>,
        count: u32,
        size_bytes: u32,
        timestamp: Timestamp,
        at: Timestamp,
        producer: Option<ProducerStamp>,
        schedule: Option<Schedule>,
    },
    Log(LogId, LogRecord),
    Group(Name, GroupRecord),
    Catalogue(CatalogueRecord),
    ProducerIds(ProducerId),
    SessionClosed(SessionId),
    Recovered,
    Committed(Never),
}

/// No bytes are one of these.
#[derive(Clone, Copy, Deserialize)]
pub(in crate::stored) enum Never {}

#[derive(Deserialize)]
pub(in crate::stored) struct Schedule {
    delay_ms: Option<u64>,
    group: Option<u64>,
    deduplication: Option<u128>,
}

#[derive(Deserialize)]
pub(in crate::stored) enum LogRecord {
    Opened {
        config: LogConfig,
        at: Timestamp,
    },
    Closed,
    Trimmed {
        partition: PartitionIndex,
        to: Offset,
    },
    Forgotten {
        at: Timestamp,
    },
    Ledger(LedgerId, LedgerRecord),
    PoolLimited(Never),
    Undefined,
    Used(Never),
}

#[derive(Deserialize)]
pub(in crate::stored) enum LedgerRecord {
    Leased {
        run: Run,
        lease: LeaseId,
        holder: ConsumerRef,
        until: Option<Timestamp>,
        at: Timestamp,
        attempt: Option<u128>,
    },
    Taken {
        run: Run,
        holder: ConsumerRef,
    },
    Settled(Run),
    Returned {
        run: Run,
        until: Option<Timestamp>,
    },
    Extended {
        run: Run,
        until: Timestamp,
    },
    Due(Run),
    Purged(SmallVec<[(PartitionIndex, Offset); 1]>),
    Expired {
        partition: PartitionIndex,
        to: Offset,
    },
    Subscribed(Never),
    Unsubscribed(Never),
    Credited(Never),
    Waiting(Never),
    WaitEnded(Never),
    Cleared(SmallVec<[(PartitionIndex, Offset); 1]>),
}

#[derive(Deserialize)]
pub(in crate::stored) enum CatalogueRecord {
    LogDefined(LogDefinition),
    LogDeleted(LogId),
    ExchangeDeclared(DeclareExchange),
    ExchangeDeleted { vhost: Name, name: Name },
    Bound(Bind),
    Unbound(Bind),
}

#[derive(Deserialize)]
pub(in crate::stored) struct LogDefinition {
    id: LogId,
    vhost: Name,
    name: Name,
    config: LogConfig,
    facets: BTreeMap<Facet, Settings>,
    created: Timestamp,
    modified: Timestamp,
}

#[derive(Deserialize)]
pub(in crate::stored) struct DeclareExchange {
    vhost: Name,
    name: Name,
    exchange: Exchange,
}

#[derive(Deserialize)]
pub(in crate::stored) struct Exchange {
    kind: ExchangeKind,
    durable: bool,
    auto_delete: bool,
    internal: bool,
    arguments: Arguments,
}

impl From<Record> for crate::Record {
    fn from(stored: Record) -> Self {
        match stored {
            Record::Appended {
                targets,
                count,
                size_bytes,
                timestamp,
                at,
                producer,
                schedule,
            } => Self::Appended {
                targets,
                count,
                size_bytes,
                timestamp,
                at,
                producer,
                schedule: schedule.map(Into::into),
            },
            Record::Log(log, record) => Self::Log(log, record.into()),
            Record::Group(group, record) => Self::Group(group, record),
            Record::Catalogue(record) => Self::Catalogue(record.into()),
            Record::ProducerIds(next) => Self::ProducerIds(next),
            Record::SessionClosed(session) => Self::SessionClosed(session),
            Record::Recovered => Self::Recovered,
            Record::Committed(never) => match never {},
        }
    }
}

impl From<Schedule> for crate::Schedule {
    fn from(stored: Schedule) -> Self {
        Self {
            delay_ms: stored.delay_ms,
            group: stored.group,
            deduplication: stored.deduplication,
        }
    }
}

impl From<LogRecord> for crate::LogRecord {
    fn from(stored: LogRecord) -> Self {
        match stored {
            LogRecord::Opened { config, at } => Self::Opened {
                config: config.into(),
                at,
            },
            LogRecord::Closed => Self::Closed,
            LogRecord::Trimmed { partition, to } => Self::Trimmed { partition, to },
            LogRecord::Forgotten { at } => Self::Forgotten { at },
            LogRecord::Ledger(ledger, record) => Self::Ledger(ledger, record.into()),
            LogRecord::Undefined => Self::Undefined,
            LogRecord::PoolLimited(never) | LogRecord::Used(never) => match never {},
        }
    }
}

impl From<LedgerRecord> for crate::LedgerRecord {
    fn from(stored: LedgerRecord) -> Self {
        match stored {
            LedgerRecord::Leased {
                run,
                lease,
                holder,
                until,
                at,
                attempt,
            } => Self::Leased {
                run,
                lease,
                holder,
                until,
                at,
                attempt,
            },
            LedgerRecord::Taken { run, holder } => Self::Taken { run, holder },
            LedgerRecord::Settled(run) => Self::Settled(run),
            LedgerRecord::Returned { run, until } => Self::Returned { run, until },
            LedgerRecord::Extended { run, until } => Self::Extended { run, until },
            LedgerRecord::Due(run) => Self::Due(run),
            LedgerRecord::Purged(ends) => Self::Purged(ends),
            LedgerRecord::Expired { partition, to } => Self::Expired { partition, to },
            LedgerRecord::Cleared(ends) => Self::Cleared(ends),
            LedgerRecord::Subscribed(never)
            | LedgerRecord::Unsubscribed(never)
            | LedgerRecord::Credited(never)
            | LedgerRecord::Waiting(never)
            | LedgerRecord::WaitEnded(never) => match never {},
        }
    }
}

impl From<CatalogueRecord> for crate::CatalogueRecord {
    fn from(stored: CatalogueRecord) -> Self {
        match stored {
            CatalogueRecord::LogDefined(definition) => {
                Self::LogDefined(Box::new(definition.into()))
            }
            CatalogueRecord::LogDeleted(log) => Self::LogDeleted(log),
            CatalogueRecord::ExchangeDeclared(declared) => Self::ExchangeDeclared {
                vhost: declared.vhost,
                name: declared.name,
                exchange: Box::new(declared.exchange.into()),
            },
            CatalogueRecord::ExchangeDeleted { vhost, name } => {
                Self::ExchangeDeleted { vhost, name }
            }
            CatalogueRecord::Bound(bind) => Self::Bound(Box::new(bind)),
            CatalogueRecord::Unbound(bind) => Self::Unbound(Box::new(bind)),
        }
    }
}

impl From<LogDefinition> for crate::LogDefinition {
    fn from(stored: LogDefinition) -> Self {
        Self {
            id: stored.id,
            vhost: stored.vhost,
            name: stored.name,
            config: stored.config.into(),
            facets: stored.facets,
            created: stored.created,
            modified: stored.modified,
        }
    }
}

impl From<Exchange> for crate::Exchange {
    fn from(stored: Exchange) -> Self {
        Self {
            kind: stored.kind,
            durable: stored.durable,
            auto_delete: stored.auto_delete,
            internal: stored.internal,
            arguments: stored.arguments,
        }
    }
}
