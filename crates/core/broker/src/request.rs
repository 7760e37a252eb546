//! What is sent to a shard.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use stele_base_types::{LogId, Offset, PartitionId, SessionId, Timestamp};
use stele_core_engine::{
    Append, Command, Credit, DeleteLog, GroupError, Holder, JoinGroup, JoinReply, Lease, LogError,
    Missing, Move, MoveError, Settle, SyncGroup, SyncedGroup,
};
use stele_core_storage::Slice;
use tokio::sync::{
    Notify,
    oneshot::{self, Receiver, Sender},
};

use crate::{
    Error, LeasedBatch, LogStatus, Share,
    call::{Asked, Call},
    mailbox::Mailbox,
    read::{Read, ReadError, ReadReply, TimeReply},
    reply_to::ReplyTo,
    shard::ShardStatus,
};

/// Where an answer goes.
pub(crate) type Reply<R, E> = Sender<Result<R, Error<E>>>;

/// Where the answer to a command will be. Nothing comes where the shard has stopped.
pub type AnswerTo<C> = Receiver<Result<<C as Command>::Reply, Error<<C as Command>::Error>>>;

/// A request to a shard.
#[derive(Debug)]
pub enum Request {
    /// Append a batch, whose bytes are `body`.
    Append {
        append: Append,
        body: Bytes,
        reply: ReplyTo,
        /// What it takes of the memory until it is in a block.
        room: Share,
    },
    /// Settle leases; a session doesn't wait for the answer.
    Settle {
        settle: Settle,
        reply: Option<Reply<Missing, LogError>>,
    },
    /// Move a record to another log, whose bytes there are `body`.
    Move {
        command: Box<Move>,
        body: Bytes,
        reply: Reply<(), MoveError>,
    },
    /// Grant credit; nobody waits for the answer.
    Credit(Credit),
    /// Any other command that is answered by its decision.
    Call(Box<dyn Call>),
    /// A lease, whose reply carries the records.
    Lease {
        lease: Lease,
        ticket: u64,
        reply: Reply<Vec<LeasedBatch>, LogError>,
    },
    /// The asker of a waiting lease has gone.
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
    /// Hand in or get the assignment of a generation.
    Sync {
        sync: Box<SyncGroup>,
        reply: Reply<SyncedGroup, GroupError>,
    },
    /// A session that will get events. What it must know from the start is there with the reply.
    OpenSession {
        session: SessionId,
        mailbox: Arc<Mailbox>,
        reply: Sender<()>,
    },
    /// A session has ended.
    CloseSession(SessionId),
    /// Reads, one reply for each.
    Read {
        reads: Vec<Read>,
        reply: Sender<Vec<Result<ReadReply, ReadError>>>,
    },
    /// Where leased records are.
    Locate {
        partition: PartitionId,
        from: Offset,
        until: Offset,
        reply: Sender<Vec<Slice>>,
    },
    /// The first record at or after a time; `None` the one with the largest timestamp.
    FindByTime {
        partition: PartitionId,
        at: Option<Timestamp>,
        reply: Sender<Result<TimeReply, ReadError>>,
    },
    /// Wake when there is more.
    Watch {
        partitions: Vec<(PartitionId, Offset)>,
        notify: Weak<Notify>,
    },
    /// Counts of a log.
    Status {
        log: LogId,
        reply: Sender<Result<LogStatus, LogError>>,
    },
    /// Who keeps the oldest records of a log's first partitions.
    Holders {
        log: LogId,
        reply: Sender<Vec<Vec<Holder>>>,
    },
    /// Counts of the shard.
    Counters { reply: Sender<ShardStatus> },
}

impl Request {
    /// A command, and where its answer will be.
    pub fn call<C: Command>(command: C) -> (Self, AnswerTo<C>) {
        let (reply, answer) = oneshot::channel();
        let reply = Some(reply);
        (Self::Call(Box::new(Asked { command, reply })), answer)
    }

    /// A command whose answer nobody waits for.
    pub fn tell<C: Command>(command: C) -> Self {
        let reply = None;
        Self::Call(Box::new(Asked { command, reply }))
    }
}
