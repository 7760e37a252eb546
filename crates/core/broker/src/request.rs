//! What is sent to a shard.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use stele_base_types::{LogId, Offset, PartitionId, SessionId, Timestamp};
use stele_core_engine::Command;
use tokio::sync::{Notify, oneshot};

use crate::{
    Error, LeasedBatch, LogStatus,
    mailbox::Mailbox,
    read::{Read, ReadReply, TimeReply},
    reply_to::ReplyTo,
    shard::ShardStatus,
};

/// A request to a shard.
#[derive(Debug)]
pub enum Request {
    /// A command to the engine; `body` is an append's batch.
    Command {
        command: Command,
        body: Option<Bytes>,
        reply: ReplyTo,
    },
    /// A lease, whose reply carries the records.
    Lease {
        command: Command,
        ticket: u64,
        reply: oneshot::Sender<Result<Vec<LeasedBatch>, Error>>,
    },
    /// The asker of a waiting lease has gone.
    CancelLease { log: LogId, ticket: u64 },
    /// A session that will get events. What it must know from the start is there with the reply.
    OpenSession {
        session: SessionId,
        mailbox: Arc<Mailbox>,
        reply: oneshot::Sender<()>,
    },
    /// Reads, one reply for each.
    Read {
        reads: Vec<Read>,
        reply: oneshot::Sender<Vec<Result<ReadReply, Error>>>,
    },
    /// The first record at or after a time; `None` the one with the largest timestamp.
    FindByTime {
        partition: PartitionId,
        at: Option<Timestamp>,
        reply: oneshot::Sender<Result<TimeReply, Error>>,
    },
    /// Wake when there is more.
    Watch {
        partitions: Vec<(PartitionId, Offset)>,
        notify: Weak<Notify>,
    },
    /// Counts of a log.
    Status {
        log: LogId,
        reply: oneshot::Sender<Result<LogStatus, Error>>,
    },
    /// Counts of the shard.
    Counters { reply: oneshot::Sender<ShardStatus> },
}
