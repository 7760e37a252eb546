//! What a run's clients ask, are told and see, and what befalls the process: all that the laws
//! judge by.

use std::{collections::BTreeSet, fmt, path::PathBuf, sync::Arc};

use stele_base_types::{
    LogId, Name, Offset, PartitionId, PartitionIndex, SessionId, ShardId, Timestamp,
};
use stele_core_engine::{
    AppendError, Appended, Durability, LeaseId, LinkNumber, LogDefinition, Outcome, ProducerStamp,
    Schedule, StatePart,
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

/// What a record says of itself in its value: unique in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RecordId(pub u64);

/// Something that a client asked, was told or saw, or that befell the process. In the order in
/// which it happened.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A log is as declared or altered: the client was told so.
    Defined(Box<LogDefinition>),
    /// A log was asked to be deleted: nothing is promised about it from here on.
    Deleting(LogId),
    /// A log's deletion was acknowledged.
    Deleted(LogId),
    /// An append was asked for.
    Published(Publish),
    /// It was acknowledged.
    Acknowledged {
        /// Which.
        publish: PublishId,
        /// Where it lies, for each target.
        places: Vec<Appended>,
    },
    /// It was refused: nothing was appended. By the engine, or for want of space.
    Refused(PublishId, Option<AppendError>),
    /// Its outcome will never be known.
    Unanswered(PublishId),
    /// It was asked for by a session, which hears no more of it than whether it was taken.
    BySession(SessionId, PublishId),
    /// A session was told that there was no space for its publish.
    NoSpace(PublishId),
    /// A partition was read.
    Read(Read),
    /// A partition was read from its start to its end, by the reads before.
    Audited(Read),
    /// Records were leased, or taken.
    Leased(Leased),
    /// Somebody waits for records of a log.
    Waiting(WaitId, Wait),
    /// Nobody does so any more: that was answered, or given up.
    WaitEnded(WaitId),
    /// Who waited for records of a log has gone: what is leased for it returns unseen.
    Abandoned(LogId),
    /// Leases are settled; the engine has done so by now.
    Settling(Settling),
    /// The client was told of that.
    Settled {
        /// What was asked.
        asked: Settling,
        /// The items that weren't leased so.
        missing: Vec<usize>,
    },
    /// A record goes to another log; the engine has decided so by now. There it is what an append
    /// with a number of its own says, which was asked for just before and is never answered.
    Moving(Moving),
    /// The client was told that this stays decided.
    Moved(RecordId),
    /// The deadlines of leases are moved; the engine has done so by now.
    Extending {
        /// The log.
        log: LogId,
        /// Each with its new deadline; `None` returns it.
        items: Vec<(Item, Option<Timestamp>)>,
    },
    /// A session has ended.
    SessionClosed(SessionId),
    /// What waits in a log is settled.
    Purging(LogId),
    /// It has been.
    Purged(LogId),
    /// What lies before an offset was asked to be removed, needed or not.
    Trimming(PartitionId, Offset),
    /// An offset was asked to be committed, under a number.
    Committing(Commit),
    /// That was acknowledged.
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
    /// So far the links between shards have come.
    Linked(Vec<LinkEnds>),
    /// All has been done that was to be done: what the shards hold then.
    AtRest {
        /// So far the links have come.
        links: Vec<LinkEnds>,
        /// Logs that the catalogue defines.
        defined: Vec<LogId>,
        /// Logs that are open.
        open: Vec<LogId>,
        /// Logs with records on their way to others.
        moving: Vec<LogId>,
    },
    /// The process ended.
    Crashed(Crash),
    /// A copy of what a graceful stop left was started without the end of a shard's journal.
    StartedShort(StartedShort),
    /// The process started again. What each shard recovered, as two recoveries found it and, where
    /// that was looked at, as the journal alone says.
    Recovered(Vec<Recovery>),
    /// Everyone has left, all that was due was done, and the log was consumed until nothing came.
    Drained(LogId),
    /// Retention and checkpoints have done what there is to do.
    Swept {
        /// Logs that left something on the disk.
        on_disk: Vec<LogId>,
        /// Logs that groups have offsets of.
        read: Vec<LogId>,
        /// How large the files become that are removed as a whole.
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
    /// Who sends.
    pub from: ShardId,
    /// Who takes.
    pub to: ShardId,
    /// The last command that was sent.
    pub sent: LinkNumber,
    /// The last command that was taken.
    pub taken: LinkNumber,
    /// The last command that the sender knows to be taken.
    pub acknowledged: LinkNumber,
}

/// An append that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Publish {
    /// Its number.
    pub id: PublishId,
    /// Where to, with the class that the log has, as far as is known.
    pub targets: Vec<Target>,
    /// Its records.
    pub records: Vec<RecordId>,
    /// A producer's stamp.
    pub stamp: Option<ProducerStamp>,
    /// What the engine is to know of each, or nothing.
    pub schedules: Vec<Schedule>,
    /// The batch's size.
    pub size_bytes: u64,
    /// When, by the engine's time.
    pub at: Timestamp,
}

/// A log that is appended to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// The log.
    pub log: LogId,
    /// Where a partition is asked for.
    pub partition: Option<PartitionIndex>,
    /// What an acknowledgement means.
    pub class: Durability,
}

/// What a read showed.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    /// The partition.
    pub partition: PartitionId,
    /// Where the partition begins.
    pub start: Offset,
    /// One after the last record that may be shown.
    pub committed: Offset,
    /// The records, from the first batch that holds one that was asked for, in order.
    pub records: Vec<(Offset, RecordId)>,
    /// When, by the engine's time.
    pub at: Timestamp,
}

/// Records that were handed out together.
#[derive(Clone, Debug)]
pub(crate) struct Leased {
    /// The partition.
    pub partition: PartitionId,
    /// Who holds them.
    pub session: SessionId,
    /// The records, in order.
    pub records: Vec<LeasedOne>,
    /// When they return; `None` with the session.
    pub until: Option<Timestamp>,
    /// They were settled by handing them out.
    pub is_taken: bool,
    /// What came to whomever in the same step, this included: in what order isn't known.
    pub beside: Beside,
}

/// Records that came in one step. Not shown with each of them.
#[derive(Clone, Default)]
pub(crate) struct Beside(Arc<BTreeSet<(PartitionId, Offset)>>);

impl Beside {
    pub(crate) fn contains(&self, partition: PartitionId, offset: Offset) -> bool {
        self.0.contains(&(partition, offset))
    }
}

impl fmt::Debug for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in all", self.0.len())
    }
}

/// Puts what came in one step in order, as far as leases tell, and notes for each what came beside
/// it. Records that were taken have no lease; they may have come before all.
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
    let beside = Beside(Arc::new(offsets.collect()));
    for event in events {
        if let Event::Leased(leased) = event {
            leased.beside = beside.clone();
        }
    }
}

/// One of these records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeasedOne {
    /// Where.
    pub offset: Offset,
    /// What it says of itself.
    pub record: RecordId,
    /// Its lease.
    pub lease: LeaseId,
    /// How often it was delivered.
    pub deliveries: u32,
    /// Whether its holder was told that it may have been delivered before.
    pub redelivered: bool,
}

/// Which wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum WaitId {
    /// For leases, by its ticket.
    Lease(u64),
    /// For a partition to grow, by a number of its own.
    Watch(u64),
}

/// A wait for records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    /// Of this log.
    pub log: LogId,
    /// In this partition past this offset; `None` for whatever becomes ready in a queue.
    pub past: Option<(PartitionIndex, Offset)>,
}

impl Wait {
    /// Whether a partition that shows what lies before `committed` has what is waited for.
    pub(crate) fn is_past(&self, partition: PartitionId, committed: Offset) -> bool {
        let is_here = |(index, past)| index == partition.index && past < committed;
        self.log == partition.log && self.past.is_some_and(is_here)
    }
}

/// A lease, as its holder names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// The partition.
    pub partition: PartitionIndex,
    /// The record.
    pub offset: Offset,
    /// The lease; `None` whatever it is.
    pub lease: Option<LeaseId>,
}

/// A request to settle.
#[derive(Clone, Debug)]
pub(crate) struct Settling {
    /// The log.
    pub log: LogId,
    /// Which.
    pub items: Vec<Item>,
    /// To what.
    pub outcome: Outcome,
    /// Whether the answer waits for the disk.
    pub is_durable: bool,
    /// When, by the engine's time.
    pub at: Timestamp,
}

/// A record that goes to another log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moving {
    /// The log that it lies in.
    pub log: LogId,
    /// Which it is there.
    pub item: Item,
    /// The log that it goes to.
    pub to: LogId,
    /// What it says of itself there.
    pub record: RecordId,
}

/// An offset that is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    /// The group.
    pub group: Name,
    /// The partition.
    pub partition: PartitionId,
    /// The offset: larger than any that was committed there before.
    pub offset: Offset,
}

/// A start that found less than a graceful stop had left.
#[derive(Clone, Debug)]
pub(crate) struct StartedShort {
    /// What it said; `None` where it took what was left.
    pub refusal: Option<String>,
    /// That was of a file that there is.
    pub is_file_named: bool,
    /// Files that it changed, made or removed.
    pub changed: Vec<PathBuf>,
}

/// What recoveries of one shard found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recovery {
    /// By the one after which the process goes on; crashes may have cut others short before.
    pub last: Found,
    /// By one, undisturbed, on a copy of the disk as the crash left it, and a second one after it.
    pub undisturbed: [Found; 2],
    /// By one that had every journal file that there ever was and nothing else.
    pub journal_alone: Option<Found>,
}

/// A state that a recovery found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// All parts of its stored form, apart from the epoch.
    pub state: Vec<(StatePart, Vec<u8>)>,
    /// The stored form, read and stored again, is the same: a snapshot keeps all of it.
    pub reads_back: bool,
}
