//! Records. Kinds that were never journalled have no value here, but keep their numbers.

use std::collections::BTreeMap;

use serde::Deserialize;
use smallvec::SmallVec;
use stele_base_types::{
    LogId, Name, Offset, PartitionId, PartitionIndex, ProcessEpoch, ProducerId, SessionId,
    Timestamp,
};

use super::{
    super::{PartKind, Touched},
    config::LogConfig,
};
use crate::{
    Arguments, Bind, ConsumerRef, Decision, ExchangeKind, Facet, GroupRecord, LeaseId, LedgerId,
    ProducerStamp, Run, Settings, State,
};

#[derive(Debug, Deserialize)]
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
    Started,
    Committed(Never),
}

/// A type without values, which no bytes decode to.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(in crate::stored) enum Never {}

#[derive(Debug, Deserialize)]
pub(in crate::stored) struct Schedule {
    delay_ms: Option<u64>,
    group: Option<u64>,
    deduplication: Option<u128>,
}

#[derive(Debug, Deserialize)]
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

#[derive(Debug, Deserialize)]
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
    DelayEnded(Run),
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

#[derive(Debug, Deserialize)]
pub(in crate::stored) enum CatalogueRecord {
    LogDefined(LogDefinition),
    LogDeleted(LogId),
    ExchangeDeclared(DeclareExchange),
    ExchangeDeleted { vhost: Name, name: Name },
    Bound(Bind),
    Unbound(Bind),
}

#[derive(Debug, Deserialize)]
pub(in crate::stored) struct LogDefinition {
    id: LogId,
    vhost: Name,
    name: Name,
    config: LogConfig,
    facets: BTreeMap<Facet, Settings>,
    created: Timestamp,
    modified: Timestamp,
}

#[derive(Debug, Deserialize)]
pub(in crate::stored) struct DeclareExchange {
    vhost: Name,
    name: Name,
    exchange: Exchange,
}

#[derive(Debug, Deserialize)]
pub(in crate::stored) struct Exchange {
    kind: ExchangeKind,
    durable: bool,
    auto_delete: bool,
    internal: bool,
    arguments: Arguments,
}

/// The epoch of the processes that wrote this form. Their sessions had none.
const EPOCH: ProcessEpoch = ProcessEpoch(1);

impl Record {
    /// The parts of the state that it reads or changes.
    pub(in crate::stored) fn touched(&self) -> Touched {
        match self {
            Self::Appended { targets, .. } => {
                Touched::logs(targets.iter().map(|(partition, _)| partition.log))
            }
            Self::Log(log, _) => Touched::logs([*log]),
            Self::Group(group, _) => Touched::group(group),
            Self::Catalogue(record) => record.touched(),
            Self::ProducerIds(_) => Touched::header(),
            Self::SessionClosed(_) => Touched::header().and_all(PartKind::Logs),
            Self::Started => Touched::everything_defined().and_all(PartKind::Logs),
            Self::Committed(never) => match *never {},
        }
    }

    /// Applies the change.
    pub(in crate::stored) fn apply_to(self, state: &mut State) {
        let record = match self {
            Self::Appended {
                targets,
                count,
                size_bytes,
                timestamp,
                at,
                producer,
                schedule,
            } => crate::Record::Appended {
                targets,
                count,
                size_bytes,
                timestamp,
                at,
                producer,
                columns: crate::Columns::of(schedule.map(Into::into)),
            },
            Self::Log(log, record) => crate::Record::Log(log, record.into()),
            Self::Group(group, record) => crate::Record::Group(group, record),
            Self::Catalogue(record) => crate::Record::Catalogue(record.into()),
            Self::ProducerIds(next) => crate::Record::ProducerIds(next),
            Self::SessionClosed(session) => return session_closed(state, session),
            Self::Started => return started(state),
            Self::Committed(never) => match never {},
        };
        state.apply(&record);
    }
}

impl CatalogueRecord {
    fn touched(&self) -> Touched {
        match self {
            Self::LogDefined(definition) => Touched::defined(definition.id),
            Self::LogDeleted(log) => Touched::undefined(*log),
            Self::ExchangeDeclared(_) => Touched::exchanges(),
            Self::ExchangeDeleted { .. } => Touched::exchange_gone(),
            Self::Bound(bind) | Self::Unbound(bind) => Touched::binding(&bind.target),
        }
    }
}

/// This record alone returned what the session held.
fn session_closed(state: &mut State, session: SessionId) {
    state.apply(&crate::Record::SessionEnded(session));
    clean_up(state);
}

/// This record alone returned or removed what belonged to the previous process.
fn started(state: &mut State) {
    state.apply(&crate::Record::Started(EPOCH));
    clean_up(state);
    while apply_all(state, state.drop_fleeting()) {}
}

fn clean_up(state: &mut State) {
    while apply_all(state, state.logs.clean_up(Timestamp::PAST)) {}
}

/// Applies a decision's records; returns whether there were any.
fn apply_all(state: &mut State, decision: Decision) -> bool {
    for record in &decision.records {
        state.apply(record);
    }
    !decision.records.is_empty()
}

impl From<Schedule> for crate::Schedule {
    fn from(stored: Schedule) -> Self {
        Self {
            delay_ms: stored.delay_ms,
            group: stored.group,
            deduplication: stored.deduplication,
            ..Self::default()
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
            LedgerRecord::DelayEnded(run) => Self::DelayEnded(run),
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
