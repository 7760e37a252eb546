//! The requests that are sent to a shard.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use stele_base_types::{LogId, Offset, PartitionId, SessionId, Timestamp};
use stele_core_engine::{
    Append, Command, Credit, DeleteLog, GroupError, Holder, JoinGroup, JoinReply, Lease, LogError,
    Missing, Move, MoveError, Peek, Peeked, RoomLeft, Settle, SyncGroup, SyncedGroup,
};
use stele_core_storage::Slice;
use tokio::sync::{
    Notify,
    oneshot::{self, Receiver, Sender},
};

use crate::{
    CommitRequest, Error, LeasedBatch, LogStatus, Share,
    call::{Asked, Call},
    dead_letters::DeadOf,
    mailbox::Mailbox,
    read::{Read, ReadError, ReadReply, TimeReply},
    reader::Follower,
    reply_to::ReplyTo,
    shard::{Awaits, ShardStatus},
};

/// Where the answer is sent.
pub(crate) type Reply<R, E> = Sender<Result<R, Error<E>>>;

/// Where the answer to a command arrives. Closed without an answer if the shard has stopped.
pub type AnswerTo<C> = Receiver<Result<<C as Command>::Reply, Error<<C as Command>::Error>>>;

/// A request to a shard.
#[derive(Debug)]
pub enum Request {
    /// Append a batch with the bytes `body`.
    Append {
        append: Append,
        body: Bytes,
        reply: ReplyTo,
        /// The memory it holds until it is in a block.
        room: Share,
    },
    /// Commit a session's transaction; [`crate::Event::Committed`] follows.
    Commit {
        committing: Box<CommitRequest>,
        /// The memory it holds until it is in a block.
        room: Share,
    },
    /// Settle leases; a session doesn't wait for the answer.
    Settle {
        settle: Settle,
        reply: Option<Reply<Missing, LogError>>,
    },
    /// Move records to another log, where their batch is `body`.
    Move {
        command: Box<Move>,
        body: Bytes,
        reply: Reply<u32, MoveError>,
    },
    /// Grant credit; nobody waits for the answer.
    Credit(Credit),
    /// Any other command that the engine answers at once.
    Call(Box<dyn Call>),
    /// Lease records; the reply carries them.
    Lease {
        lease: Lease,
        ticket: u64,
        reply: Reply<Vec<LeasedBatch>, LogError>,
    },
    /// The caller of a waiting lease has gone.
    CancelLease { log: LogId, ticket: u64 },
    /// Delete a log.
    Delete {
        delete: DeleteLog,
        reply: Reply<u64, LogError>,
    },
    /// Join a group.
    Join {
        join: Box<JoinGroup>,
        reply: Reply<JoinReply, GroupError>,
    },
    /// Submit the assignment of a generation, or wait for it.
    Sync {
        sync: Box<SyncGroup>,
        reply: Reply<SyncedGroup, GroupError>,
    },
    /// Open a session. When the reply arrives, the events it must start with are in its mailbox.
    OpenSession {
        session: SessionId,
        mailbox: Arc<Mailbox>,
        reply: Sender<()>,
    },
    /// Close a session.
    CloseSession(SessionId),
    /// Read partitions, with one reply for each.
    Read {
        reads: Vec<Read>,
        reply: Sender<Vec<Result<ReadReply, ReadError>>>,
    },
    /// Find out where leased records are stored.
    Locate {
        partition: PartitionId,
        from: Offset,
        until: Offset,
        reply: Sender<Vec<Slice>>,
    },
    /// Find the first record at or after a time; with `None`, the one with the largest timestamp.
    FindByTime {
        partition: PartitionId,
        at: Option<Timestamp>,
        reply: Sender<Result<TimeReply, ReadError>>,
    },
    /// Wake the watch when there are more records.
    Watch {
        partitions: Vec<(PartitionId, Offset)>,
        notify: Weak<Notify>,
    },
    /// Wake a reader when there are records at or past an offset.
    Follow {
        partition: PartitionId,
        past: Offset,
        wake: Follower,
    },
    /// Look at a ledger.
    Peek {
        peek: Peek,
        reply: Sender<Result<Peeked, LogError>>,
    },
    /// Counts of a log.
    Status {
        log: LogId,
        reply: Sender<Result<LogStatus, LogError>>,
    },
    /// What holds the oldest records of a log's first partitions.
    Holders {
        log: LogId,
        reply: Sender<Vec<Vec<Holder>>>,
    },
    /// Give the dead records of the next log after `last` that has some.
    Dead {
        last: Option<LogId>,
        reply: Sender<Option<DeadOf>>,
    },
    /// How much more a log takes before it refuses new records; `None` if it refuses none.
    Room {
        log: LogId,
        reply: Sender<Option<RoomLeft>>,
    },
    /// Tell the task that moves dead records once a log takes one with a body of this size.
    AwaitRoom { log: LogId, body_bytes: u64 },
    /// A log's dead records couldn't be moved: leave them alone for a while.
    PutOffDead { log: LogId, awaits: Awaits },
    /// A queue that was full has room: try again to move the dead records that wait for that.
    TakeUpDead,
    /// Counts of the shard.
    Counters { reply: Sender<ShardStatus> },
}

impl Request {
    /// A request for a command, and the channel for its answer.
    pub fn call<C: Command>(command: C) -> (Self, AnswerTo<C>) {
        let (reply, answer) = oneshot::channel();
        let reply = Some(reply);
        (Self::Call(Box::new(Asked { command, reply })), answer)
    }

    /// A request for a command that needs no answer.
    pub fn tell<C: Command>(command: C) -> Self {
        let reply = None;
        Self::Call(Box::new(Asked { command, reply }))
    }
}
