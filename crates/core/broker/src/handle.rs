//! The handle that fronts hold.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use parking_lot::{RwLock, RwLockReadGuard};
use smallvec::SmallVec;
use stele_base_types::{
    LogId, Name, Offset, PartitionId, PartitionIndex, ProcessEpoch, ProducerEpoch, ProducerId,
    SessionId, ShardId, Timestamp,
};
use stele_core_engine::{
    Appended, Bind, Catalogue, CatalogueCommand, Close, Command, DeclareExchange, DeclareLog,
    Declared, Extend, GroupCommand, LeaseRequest, LedgerId, LogCommand, QueueConfig, Reply,
    Retention, Settings, Settle, Token,
};
use tokio::sync::{
    Notify,
    mpsc::{self, error::TrySendError},
    oneshot,
};

use crate::{
    Error, Events, LeasedBatch, Publish, Session,
    mailbox::Mailbox,
    meter::{FrontCounts, FrontMeter, JournalCounts, Meters},
    read::{Found, Read, ReadReply, Watch},
    reply_to::ReplyTo,
    request::Request,
    shard::ShardStatus,
};

/// The broker, as fronts see it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Broker {
    shared: Arc<Shared>,
}

/// The catalogue's replica, locked for reading. Not to be held across an `.await`.
pub type CatalogueGuard<'a> = RwLockReadGuard<'a, Catalogue>;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) inboxes: Vec<mpsc::Sender<Request>>,
    pub(crate) catalogue: Arc<RwLock<Catalogue>>,
    pub(crate) next_id: AtomicU64,
    pub(crate) meters: Meters,
}

/// Counts of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogStatus {
    /// Its partitions.
    pub partitions: Vec<PartitionStatus>,
    /// Records of the default ledger that may be leased now.
    pub ready: u64,
    /// Records of the default ledger that are leased.
    pub leased: u64,
    /// Records of the default ledger that are hidden until later.
    pub delayed: u64,
    /// Consumers of the default ledger.
    pub consumers: u64,
}

/// Bounds of a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionStatus {
    /// The first offset that is kept.
    pub start: Offset,
    /// One after the last record that may be shown.
    pub committed: Offset,
}

impl Broker {
    pub(crate) fn new(
        epoch: ProcessEpoch,
        inboxes: Vec<mpsc::Sender<Request>>,
        catalogue: Arc<RwLock<Catalogue>>,
        meters: Meters,
    ) -> Self {
        let shared = Shared {
            inboxes,
            catalogue,
            next_id: AtomicU64::new(epoch.first_number() + 1),
            meters,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The catalogue's replica: definitions and routing.
    pub fn catalogue(&self) -> CatalogueGuard<'_> {
        self.shared.catalogue.read()
    }

    /// A new session with its events: among them already, where it is so, that the broker is short
    /// of space.
    pub async fn open_session(&self) -> (Session, Events) {
        let id = SessionId(self.next_id());
        let mailbox = Arc::<Mailbox>::default();
        let mut opened = Vec::new();
        for shard in self.shards() {
            let (reply, answer) = oneshot::channel();
            let request = Request::OpenSession {
                session: id,
                mailbox: Arc::clone(&mailbox),
                reply,
            };
            self.send(shard, request).await;
            opened.push(answer);
        }
        for answer in opened {
            // A shard that has stopped answers nothing, to later requests neither.
            drop(answer.await);
        }
        let session = Session::new(self.clone(), id, Arc::clone(&mailbox));
        (session, Events { mailbox })
    }

    /// A number that neither this process nor an earlier one on the directory has given out.
    pub fn next_id(&self) -> u64 {
        self.shared.next_id.fetch_add(1, Ordering::Relaxed)
    }

    // ---- definitions -------------------------------------------------------------------------

    /// Declares a log; it is open when this returns.
    pub async fn declare_log(&self, declare: DeclareLog) -> Result<Declared, Error> {
        let reply = self
            .catalogue_call(CatalogueCommand::DeclareLog(declare))
            .await?;
        declared(reply)
    }

    /// Changes a log; `None` leaves a part as it is.
    pub async fn alter_log(
        &self,
        log: LogId,
        partitions: Option<u32>,
        retention: Option<Retention>,
        queue: Option<QueueConfig>,
        settings: Option<(Box<str>, Settings)>,
    ) -> Result<Declared, Error> {
        let command = CatalogueCommand::AlterLog {
            log,
            partitions,
            retention,
            queue,
            settings,
        };
        declared(self.catalogue_call(command).await?)
    }

    /// Deletes a log with its data; tells how many ready records it held.
    pub async fn delete_log(&self, log: LogId, close: Close) -> Result<u64, Error> {
        let removed = match self.log_call(log, LogCommand::Close(close)).await {
            Ok(reply) => removed(reply),
            // Closed by another call whose definition is about to go: finish it too.
            Err(Error::Refused(stele_core_engine::Error::NoSuchLog)) => 0,
            Err(error) => return Err(error),
        };
        self.catalogue_call(CatalogueCommand::DeleteLog(log))
            .await?;
        Ok(removed)
    }

    /// Says that a log is in use: one that goes for want of use counts from now.
    pub async fn use_log(&self, log: LogId) -> Result<(), Error> {
        self.log_call(log, LogCommand::Use).await.map(drop)
    }

    /// Declares an exchange.
    pub async fn declare_exchange(&self, declare: DeclareExchange) -> Result<(), Error> {
        self.catalogue_call(CatalogueCommand::DeclareExchange(declare))
            .await
            .map(drop)
    }

    /// Deletes an exchange.
    pub async fn delete_exchange(
        &self,
        vhost: Name,
        name: Name,
        if_unused: bool,
    ) -> Result<(), Error> {
        let command = CatalogueCommand::DeleteExchange {
            vhost,
            name,
            if_unused,
        };
        self.catalogue_call(command).await.map(drop)
    }

    /// Binds.
    pub async fn bind(&self, bind: Bind) -> Result<(), Error> {
        self.catalogue_call(CatalogueCommand::Bind(bind))
            .await
            .map(drop)
    }

    /// Unbinds.
    pub async fn unbind(&self, bind: Bind) -> Result<(), Error> {
        self.catalogue_call(CatalogueCommand::Unbind(bind))
            .await
            .map(drop)
    }

    // ---- data --------------------------------------------------------------------------------

    /// Appends a batch; one answer for each target, when all are durable.
    pub async fn append(&self, publish: Publish) -> Result<SmallVec<[Appended; 1]>, Error> {
        self.begin_append(publish).await.finish().await
    }

    /// Reads batches of one partition.
    pub async fn read(&self, read: Read) -> Result<ReadReply, Error> {
        let mut replies = self.read_all(vec![read]).await?;
        replies.pop().unwrap_or(Err(Error::Stopping))
    }

    /// Reads batches of many partitions: one answer for each, in the order asked.
    pub async fn read_all(&self, reads: Vec<Read>) -> Result<Vec<Result<ReadReply, Error>>, Error> {
        let mut answers: Vec<_> = (0..reads.len()).map(|_| None).collect();
        for shard in self.shards() {
            let places: Vec<usize> = (0..reads.len())
                .filter(|place| self.shard_of(reads[*place].partition.log) == shard)
                .collect();
            if places.is_empty() {
                continue;
            }
            let (reply, answer) = oneshot::channel();
            let reads = places.iter().map(|place| reads[*place]).collect();
            self.send(shard, Request::Read { reads, reply }).await;
            let part = answer.await.map_err(|_| Error::Stopping)?;
            for (place, answer) in places.into_iter().zip(part) {
                answers[place] = Some(answer);
            }
        }
        Ok(answers
            .into_iter()
            .map(|answer| answer.unwrap_or(Err(Error::Stopping)))
            .collect())
    }

    /// The first record whose timestamp is `at` or later; with `None` the one with the largest
    /// timestamp. Searches what may be shown.
    pub async fn find_by_time(
        &self,
        partition: PartitionId,
        at: Option<Timestamp>,
    ) -> Result<Option<Found>, Error> {
        let (reply, answer) = oneshot::channel();
        let request = Request::FindByTime {
            partition,
            at,
            reply,
        };
        self.send(self.shard_of(partition.log), request).await;
        let lookup = answer.await.map_err(|_| Error::Stopping)??;
        lookup.resolve().await
    }

    /// Watches partitions: wakes once one of them may show records at or past its offset. One that
    /// already can, or is gone, wakes at once.
    pub async fn watch(&self, partitions: &[(PartitionId, Offset)]) -> Watch {
        let notify = Arc::new(Notify::new());
        for shard in self.shards() {
            let part: Vec<_> = partitions
                .iter()
                .filter(|(partition, _)| self.shard_of(partition.log) == shard)
                .copied()
                .collect();
            if !part.is_empty() {
                let request = Request::Watch {
                    partitions: part,
                    notify: Arc::downgrade(&notify),
                };
                self.send(shard, request).await;
            }
        }
        Watch { notify }
    }

    /// Removes what is before `to` (Kafka DeleteRecords); tells where the partition begins now.
    pub async fn trim(&self, partition: PartitionId, to: Offset) -> Result<Offset, Error> {
        let command = LogCommand::Trim {
            partition: partition.index,
            to,
            force: true,
        };
        match self.log_call(partition.log, command).await? {
            Reply::Trimmed(start) => Ok(start),
            _ => Ok(to),
        }
    }

    // ---- ledgers -----------------------------------------------------------------------------

    /// Leases records, waiting as long as the request says. Dropping the future ends the wait.
    pub async fn lease(
        &self,
        log: LogId,
        request: LeaseRequest,
    ) -> Result<Vec<LeasedBatch>, Error> {
        let ticket = self.next_id();
        let (reply, answer) = oneshot::channel();
        let command = Command::Log(log, LogCommand::Lease(request, Token(ticket)));
        let request = Request::Lease {
            command,
            ticket,
            reply,
        };
        self.send(self.shard_of(log), request).await;
        let mut wait = Wait {
            broker: self,
            log,
            ticket,
            over: false,
        };
        let answer = answer.await;
        wait.over = true;
        answer.map_err(|_| Error::Stopping)?
    }

    /// Settles leases; the answer holds the places of items that weren't leased so.
    pub async fn settle(&self, log: LogId, settle: Settle) -> Result<SmallVec<[usize; 2]>, Error> {
        self.log_call(log, LogCommand::Settle(settle))
            .await
            .map(missing)
    }

    /// Moves deadlines of leases; the answer holds the places of items that weren't leased so.
    pub async fn extend(&self, log: LogId, extend: Extend) -> Result<SmallVec<[usize; 2]>, Error> {
        self.log_call(log, LogCommand::Extend(extend))
            .await
            .map(missing)
    }

    /// Settles everything ready or delayed of the default ledger, and what is leased where that is
    /// wanted too; tells how much that was.
    pub async fn purge(&self, log: LogId, leased: bool) -> Result<u64, Error> {
        let ledger = LedgerId::DEFAULT;
        self.log_call(log, LogCommand::Purge { ledger, leased })
            .await
            .map(removed)
    }

    /// Counts of a log.
    pub async fn status(&self, log: LogId) -> Result<LogStatus, Error> {
        let (reply, answer) = oneshot::channel();
        self.send(self.shard_of(log), Request::Status { log, reply })
            .await;
        answer.await.map_err(|_| Error::Stopping)?
    }

    /// How each shard does.
    pub async fn shard_statuses(&self) -> Result<Vec<ShardStatus>, Error> {
        let mut statuses = Vec::new();
        for shard in self.shards() {
            let (reply, answer) = oneshot::channel();
            self.send(shard, Request::Counters { reply }).await;
            statuses.push(answer.await.map_err(|_| Error::Stopping)?);
        }
        Ok(statuses)
    }

    /// The meter of the front of this name, for the front to count on. Its operations are those
    /// that it was first asked for with.
    pub fn front_meter(
        &self,
        front: &'static str,
        operations: &'static [&'static str],
    ) -> Arc<FrontMeter> {
        self.shared.meters.front(front, operations)
    }

    /// What each front has counted.
    pub fn front_counts(&self) -> Vec<FrontCounts> {
        self.shared.meters.front_counts()
    }

    /// What was counted of each shard's journal.
    pub fn journal_counts(&self) -> Vec<JournalCounts> {
        self.shared.meters.journal_counts()
    }

    // ---- groups and producers ----------------------------------------------------------------

    /// A command to a consumer group. Tokens in it are given by the shard; any value will do.
    pub async fn group(&self, group: Name, command: GroupCommand) -> Result<Reply, Error> {
        let shard = self.shard_of_group(&group);
        self.call(shard, Command::Group(group, command), None).await
    }

    /// All groups: one `Reply::Groups` for each shard.
    pub async fn groups(&self) -> Result<Vec<Reply>, Error> {
        let mut replies = Vec::new();
        for shard in self.shards() {
            let command = Command::Group(Name::vhost_default(), GroupCommand::List);
            replies.push(self.call(shard, command, None).await?);
        }
        Ok(replies)
    }

    /// A new producer id, or the next epoch of the one given.
    pub async fn init_producer(
        &self,
        current: Option<(ProducerId, ProducerEpoch)>,
    ) -> Result<(ProducerId, ProducerEpoch), Error> {
        let command = Command::InitProducer { current };
        match self.call(ShardId(0), command, None).await? {
            Reply::Producer(id, epoch) => Ok((id, epoch)),
            _ => Err(Error::Stopping),
        }
    }

    // ---- inside ------------------------------------------------------------------------------

    pub(crate) async fn catalogue_call(&self, command: CatalogueCommand) -> Result<Reply, Error> {
        self.call(ShardId(0), Command::Catalogue(command), None)
            .await
    }

    pub(crate) async fn log_call(&self, log: LogId, command: LogCommand) -> Result<Reply, Error> {
        self.call(self.shard_of(log), Command::Log(log, command), None)
            .await
    }

    async fn call(
        &self,
        shard: ShardId,
        command: Command,
        body: Option<Bytes>,
    ) -> Result<Reply, Error> {
        let (reply, answer) = oneshot::channel();
        let request = Request::Command {
            command,
            body,
            reply: ReplyTo::Call(reply),
        };
        self.send(shard, request).await;
        answer.await.map_err(|_| Error::Stopping)?
    }

    /// Sends; a request to a shard that has stopped is dropped, which its asker sees by its reply
    /// channel.
    pub(crate) async fn send(&self, shard: ShardId, request: Request) {
        drop(
            self.shared.inboxes[usize::from(shard.0)]
                .send(request)
                .await,
        );
    }

    /// Ends a session on every shard, after what it has sent. Runs on drop, so it can't wait: where
    /// an inbox is full, a task does.
    pub(crate) fn close_session(&self, session: SessionId) {
        for shard in self.shards() {
            let request = Request::Command {
                command: Command::SessionClosed(session),
                body: None,
                reply: ReplyTo::Nobody,
            };
            let inbox = &self.shared.inboxes[usize::from(shard.0)];
            if let Err(TrySendError::Full(request)) = inbox.try_send(request)
                && let Ok(runtime) = tokio::runtime::Handle::try_current()
            {
                let inbox = inbox.clone();
                runtime.spawn(async move { drop(inbox.send(request).await) });
            }
        }
    }

    fn shards(&self) -> impl Iterator<Item = ShardId> + use<> {
        (0..self.shared.inboxes.len()).map(|shard| ShardId(shard as u16))
    }

    /// Where a log's partitions and ledgers are.
    pub(crate) fn shard_of(&self, log: LogId) -> ShardId {
        crate::placement::log(log, self.shared.inboxes.len())
    }

    fn shard_of_group(&self, group: &Name) -> ShardId {
        crate::placement::group(group, self.shared.inboxes.len())
    }

    /// A publish, split by the shards of its targets.
    pub(crate) fn by_shard(&self, publish: Publish) -> SmallVec<[(ShardId, Publish); 1]> {
        let first = self.shard_of(publish.targets[0].log);
        if publish
            .targets
            .iter()
            .all(|target| self.shard_of(target.log) == first)
        {
            return SmallVec::from_iter([(first, publish)]);
        }
        let mut parts: SmallVec<[(ShardId, Publish); 1]> = SmallVec::new();
        for target in &publish.targets {
            let shard = self.shard_of(target.log);
            match parts.iter_mut().find(|(of, _)| *of == shard) {
                Some((_, part)) => part.targets.push(*target),
                None => parts.push((
                    shard,
                    Publish {
                        targets: SmallVec::from_iter([*target]),
                        batch: publish.batch.clone(),
                        schedule: publish.schedule,
                    },
                )),
            }
        }
        parts
    }
}

/// Tells the shard that the asker of a waiting lease has gone.
struct Wait<'a> {
    broker: &'a Broker,
    log: LogId,
    ticket: u64,
    over: bool,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let (log, ticket) = (self.log, self.ticket);
        let inbox = &self.broker.shared.inboxes[usize::from(self.broker.shard_of(log).0)];
        // A full inbox loses this: then the lease is made for nobody and returns by its deadline.
        drop(inbox.try_send(Request::CancelLease { log, ticket }));
    }
}

fn declared(reply: Reply) -> Result<Declared, Error> {
    match reply {
        Reply::Declared(declared) => Ok(*declared),
        _ => Err(Error::Stopping),
    }
}

fn missing(reply: Reply) -> SmallVec<[usize; 2]> {
    match reply {
        Reply::Settled { missing } => missing,
        _ => SmallVec::new(),
    }
}

fn removed(reply: Reply) -> u64 {
    match reply {
        Reply::Removed(count) => count,
        _ => 0,
    }
}

/// The partition that a key belongs to, for publishers that choose by key: Kafka's default
/// partitioner does the same with murmur2 over the key's bytes.
pub fn partition_for_key(key: &[u8], partitions: u32) -> PartitionIndex {
    PartitionIndex((crate::placement::murmur2(key) & 0x7fff_ffff) % partitions.max(1))
}
