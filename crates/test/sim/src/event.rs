//! The requests, answers and observations of a run's clients, and what happens to the process:
//! everything that the laws judge by.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::PathBuf,
    sync::Arc,
};

use stele_base_types::{
    ConsumerId, LogId, Name, Offset, PartitionId, PartitionIndex, SessionId, ShardId, Timestamp,
};
use stele_core_engine::{
    AppendError, Appended, ConsumerRef, Durability, LeaseId, LinkNumber, LogDefinition, Outcome,
    ProducerStamp, Schedule, StatePart,
};

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    /// It is killed: the operating system still has what was written.
    Kill,
    /// The machine loses power.
    PowerCut,
}

/// A request to append, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PublishId(pub u64);

/// The id in a record's value: unique in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RecordId(pub u64);

/// A client's request, answer or observation, or something that happened to the process. In the
/// order in which they happened.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A log was declared or altered, and the client was told so.
    Defined(Box<LogDefinition>),
    /// A log's deletion was requested: from now on nothing is promised about it.
    Deleting(LogId),
    /// A log's deletion was acknowledged.
    Deleted(LogId),
    /// An append was requested.
    Published(Publish),
    /// It was acknowledged.
    Acknowledged {
        /// The append.
        publish: PublishId,
        /// Its place in each target that took it.
        places: Vec<Appended>,
        /// The targets that were too full for it.
        full: Vec<LogId>,
    },
    /// It was refused, by the engine or for lack of space: nothing was appended.
    Refused(PublishId, Option<AppendError>),
    /// Its outcome will never be known.
    Unanswered(PublishId),
    /// A session requested it, and learns only whether it was accepted.
    BySession(SessionId, PublishId),
    /// A session was told that there was no space for its publish.
    NoSpace(PublishId),
    /// A partition was read.
    Read(Read),
    /// A partition was read from its start to its end, by the preceding reads.
    Audited(Read),
    /// Records were leased, or taken without a lease.
    Leased(Leased),
    /// A record that has died before is seen for the first time in its place: it is read or
    /// delivered by one of the next events.
    Letter(Letter),
    /// A wait for records of a log began.
    Waiting(WaitId, Wait),
    /// The wait ended: it was answered or given up.
    WaitEnded(WaitId),
    /// The waiting client for records of a log has gone: what is leased for it returns unseen.
    Abandoned(LogId),
    /// Leases are being settled; the engine has already done so.
    Settling(Settling),
    /// The client was told about a settlement.
    Settled {
        /// The request.
        asked: Settling,
        /// The items that weren't leased as stated.
        missing: Vec<usize>,
    },
    /// A record is being moved to another log; the engine has already decided so. The record in the
    /// other log is described by an append with a number of its own, which was requested just
    /// before and is never answered.
    Moving(Moving),
    /// The client was told that the move is durable.
    Moved(RecordId),
    /// The deadlines of leases are being changed; the engine has already done so.
    Extending {
        /// The log.
        log: LogId,
        /// Each item with its new deadline; `None` returns it.
        items: Vec<(Item, Option<Timestamp>)>,
    },
    /// A session has ended.
    SessionClosed(SessionId),
    /// A subscription is being ended.
    Cancelled(ConsumerRef),
    /// A purge of a log was requested.
    Purging(LogId),
    /// The purge is done.
    Purged(LogId),
    /// The removal of everything before an offset was requested, needed or not.
    Trimming(PartitionId, Offset),
    /// The commit of an offset was requested.
    Committing(Commit),
    /// The commit was acknowledged.
    Committed(Commit),
    /// A committed offset was read.
    OffsetRead {
        /// The group.
        group: Name,
        /// The partition.
        partition: PartitionId,
        /// What was found.
        offset: Option<Offset>,
    },
    /// Time has passed, or the clock was set; what is due isn't done yet.
    Time(Timestamp),
    /// All shards have done what was due.
    Ticked(Timestamp),
    /// The state of the links between shards.
    Linked(Vec<LinkEnds>),
    /// There is nothing left to do: what the shards hold now.
    AtRest {
        /// The state of the links.
        links: Vec<LinkEnds>,
        /// The logs that the catalogue defines.
        defined: Vec<LogId>,
        /// The open logs.
        open: Vec<LogId>,
        /// The logs with records in transit to others.
        moving: Vec<LogId>,
    },
    /// The process ended.
    Crashed(Crash),
    /// A copy of what a graceful stop left was started with the end of a shard's journal missing.
    StartedShort(StartedShort),
    /// The process started again. What each shard recovered, as found by two recoveries and, if
    /// checked, from the journal alone.
    Recovered(Vec<Recovery>),
    /// All clients have left, everything due was done, and a log is about to be consumed until it
    /// is empty.
    Draining,
    /// The log was consumed until it was empty.
    Drained(LogId),
    /// Retention and checkpoints have nothing left to do.
    Swept {
        /// Logs with data left on disk.
        on_disk: Vec<LogId>,
        /// Logs for which groups have committed offsets.
        read: Vec<LogId>,
        /// The maximum size of files that are removed as a whole.
        segment_bytes_max: u64,
    },
    /// Stored data couldn't be read.
    Unreadable(String),
    /// The code panicked.
    Panicked(String),
}

/// The two ends of a link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinkEnds {
    /// The sending shard.
    pub from: ShardId,
    /// The receiving shard.
    pub to: ShardId,
    /// The last command sent.
    pub sent: LinkNumber,
    /// The last command received.
    pub taken: LinkNumber,
    /// The last command that the sender knows to be received.
    pub acknowledged: LinkNumber,
}

/// A requested append.
#[derive(Clone, Debug)]
pub(crate) struct Publish {
    /// Its number.
    pub id: PublishId,
    /// The targets, with the durability class that each log has, as far as known.
    pub targets: Vec<Target>,
    /// Its records.
    pub records: Vec<RecordId>,
    /// A producer's stamp.
    pub stamp: Option<ProducerStamp>,
    /// Scheduling information for each record, or none.
    pub schedules: Vec<Schedule>,
    /// The batch's size.
    pub size_bytes: u64,
    /// The size of each record's body.
    pub bodies_bytes: Vec<u32>,
    /// When it was requested, by the engine's clock.
    pub at: Timestamp,
}

impl Publish {
    /// What the engine is told of each record.
    pub(crate) fn all_schedules(&self) -> impl Iterator<Item = Schedule> {
        let known = self.schedules.iter().copied();
        let known = known.chain(std::iter::repeat_with(Schedule::default));
        let each = known.zip(&self.bodies_bytes);
        each.map(|(schedule, body_bytes)| Schedule {
            body_bytes: Some(*body_bytes),
            ..schedule
        })
    }
}

/// A log that is appended to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// The log.
    pub log: LogId,
    /// The requested partition, if any.
    pub partition: Option<PartitionIndex>,
    /// The durability that an acknowledgement promises.
    pub class: Durability,
}

/// The result of a read.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    /// The partition.
    pub partition: PartitionId,
    /// The start of the partition.
    pub start: Offset,
    /// The offset after the last visible record.
    pub committed: Offset,
    /// The records in order, from the first batch that holds a requested one.
    pub records: Vec<(Offset, RecordId)>,
    /// When, by the engine's clock.
    pub at: Timestamp,
}

/// A record that has died before, as another queue has it.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    /// Its id, which its history gives it.
    pub record: RecordId,
    /// The id that it was published with.
    pub original: RecordId,
    /// Its history: the last death first.
    pub deaths: Vec<Death>,
    /// Its partition.
    pub partition: PartitionId,
    /// Its offset there.
    pub offset: Offset,
    /// Whether its body has the bytes that it was published with, as far as it goes.
    pub is_own_body: bool,
    /// The size of its body.
    pub body_bytes: u64,
    /// Its timestamp.
    pub timestamp: Timestamp,
}

/// How often a record died in a queue for a reason, as its history says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Death {
    /// The name of the queue.
    pub queue: Box<str>,
    /// The name of the reason.
    pub reason: Box<str>,
    /// How often.
    pub count: u64,
}

/// Records that were delivered together.
#[derive(Clone, Debug)]
pub(crate) struct Leased {
    /// The partition.
    pub partition: PartitionId,
    /// The session that holds them.
    pub session: SessionId,
    /// The consumer that they were delivered to; `None` if they were requested.
    pub consumer: Option<ConsumerId>,
    /// The records, in order.
    pub records: Vec<LeasedOne>,
    /// Their deadline; `None`: they return when the session ends.
    pub until: Option<Timestamp>,
    /// They were settled by the delivery.
    pub is_taken: bool,
    /// Everything delivered to anybody in the same step, including this: the order among them is
    /// unknown.
    pub beside: Beside,
}

/// Records delivered in one step, and where each partition began to grow in it. Left out when
/// events are printed.
#[derive(Clone, Default)]
pub(crate) struct Beside(Arc<(Delivered, Grown)>);

type Delivered = BTreeSet<(PartitionId, Offset)>;

/// Where each partition began to grow.
type Grown = BTreeMap<PartitionId, Offset>;

impl Beside {
    pub(crate) fn contains(&self, partition: PartitionId, offset: Offset) -> bool {
        self.0.0.contains(&(partition, offset))
    }

    /// Whether a record was acknowledged in this step, and may have become visible at any time in
    /// it.
    pub(crate) fn is_new(&self, partition: PartitionId, offset: Offset) -> bool {
        self.0.1.get(&partition).is_some_and(|from| *from <= offset)
    }
}

impl fmt::Debug for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in all", self.0.0.len())
    }
}

/// Orders what was delivered in one step, as far as leases tell, and notes for each what came
/// beside it. Records taken without a lease may have come before all others.
pub(crate) fn note_beside(events: &mut [Event]) {
    events.sort_by_key(|event| match event {
        Event::Leased(leased) => Some(leased.records.first().map(|one| one.lease)),
        _ => None,
    });
    let leased = events.iter().filter_map(|event| match event {
        Event::Leased(leased) => Some(leased),
        _ => None,
    });
    let offsets = leased.flat_map(|leased| {
        let records = leased.records.iter();
        records.map(|one| (leased.partition, one.offset))
    });
    let offsets = offsets.collect();
    let mut grown = BTreeMap::new();
    for event in events.iter() {
        if let Event::Acknowledged { places, .. } = event {
            for place in places {
                let from = grown.entry(place.partition).or_insert(place.base);
                *from = place.base.min(*from);
            }
        }
    }
    let beside = Beside(Arc::new((offsets, grown)));
    for event in events {
        if let Event::Leased(leased) = event {
            leased.beside = beside.clone();
        }
    }
}

/// One of these records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeasedOne {
    /// Its offset.
    pub offset: Offset,
    /// The id in the record.
    pub record: RecordId,
    /// Its lease.
    pub lease: LeaseId,
    /// How many times it was delivered.
    pub deliveries: u32,
    /// Whether its holder was told that it may have been delivered before.
    pub redelivered: bool,
}

/// Identifies a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum WaitId {
    /// A wait for leases, by its ticket.
    Lease(u64),
    /// A wait for a partition to grow, by its number.
    Watch(u64),
}

/// A wait for records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    /// The log.
    pub log: LogId,
    /// A partition and offset: waits for records beyond it. `None` waits for any record that
    /// becomes ready in a queue.
    pub past: Option<(PartitionIndex, Offset)>,
}

impl Wait {
    /// Whether a partition with `committed` as the end of its visible records has what is waited
    /// for.
    pub(crate) fn is_past(&self, partition: PartitionId, committed: Offset) -> bool {
        let is_here = |(index, past)| index == partition.index && past < committed;
        self.log == partition.log && self.past.is_some_and(is_here)
    }
}

/// A lease, as named by its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// The partition.
    pub partition: PartitionIndex,
    /// The record.
    pub offset: Offset,
    /// The lease; `None` for any.
    pub lease: Option<LeaseId>,
}

/// A request to settle.
#[derive(Clone, Debug)]
pub(crate) struct Settling {
    /// The log.
    pub log: LogId,
    /// The leases.
    pub items: Vec<Item>,
    /// The outcome.
    pub outcome: Outcome,
    /// Whether the answer waits for the disk.
    pub is_durable: bool,
    /// When, by the engine's clock.
    pub at: Timestamp,
}

/// A record being moved to another log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moving {
    /// The source log.
    pub log: LogId,
    /// The record in the source log.
    pub item: Item,
    /// The target log.
    pub to: LogId,
    /// The record's id in the target log.
    pub record: RecordId,
}

/// The commit of an offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    /// The group.
    pub group: Name,
    /// The partition.
    pub partition: PartitionId,
    /// The offset: larger than any committed there before.
    pub offset: Offset,
}

/// A start that found less than a graceful stop had left.
#[derive(Clone, Debug)]
pub(crate) struct StartedShort {
    /// Its error; `None` if it accepted what was left.
    pub refusal: Option<String>,
    /// Whether the error names an existing file.
    pub is_file_named: bool,
    /// Files that it changed, created or removed.
    pub changed: Vec<PathBuf>,
}

/// What recoveries of one shard found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recovery {
    /// The recovery after which the process continues; crashes may have interrupted earlier ones.
    pub last: Found,
    /// An undisturbed recovery on a copy of the disk after the crash, and a second one after it.
    pub undisturbed: [Found; 2],
    /// A recovery from every journal file that ever existed and nothing else.
    pub journal_alone: Option<Found>,
}

/// A state that a recovery found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// All parts of its stored form, except the epoch.
    pub state: Vec<(StatePart, Vec<u8>)>,
    /// Whether the stored form, loaded and stored again, is the same, so that a snapshot keeps all
    /// of it.
    pub reads_back: bool,
}
