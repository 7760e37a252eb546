//! The handle that the fronts use.

use std::convert::Infallible;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use parking_lot::{RwLock, RwLockReadGuard};
use smallvec::SmallVec;
use stele_base_types::{
    LogId, Name, Offset, PartitionId, ProcessEpoch, ProducerEpoch, ProducerId, SessionId, ShardId,
    Timestamp, murmur2,
};
use stele_core_engine::{
    AlterLog, Altered, AppendError, Appended, Bind, Catalogue, CatalogueError, Command,
    DeclareExchange, DeclareLog, Declared, DeleteExchange, DeleteLog, DescribeProducers, Extend,
    GroupCommand, GroupError, GroupListing, Holder, InitProducer, JoinGroup, JoinReply,
    KnownProducer, Lease, LeaseRequest, LedgerId, ListGroups, LogError, Missing, Purge, Run,
    Settle, Skip, SyncGroup, SyncedGroup, Topology, Trim, TrimReason, Unbind, UseLog,
    limits::RUN_RECORDS_MAX,
};
use tokio::sync::{
    Notify,
    mpsc::{self, error::TrySendError},
    oneshot,
};

use crate::{
    Error, Events, Failure, LeasedBatch, Memory, Publish, Session,
    mailbox::Mailbox,
    meter::{FrontCounts, FrontMeter, Meters, ShardCounts},
    opening::Opening,
    read::{Broken, Found, Read, ReadError, ReadReply, Watch},
    request::Request,
    set_aside::SetAside,
    shard::{DeadSignals, ShardStatus},
    turns::Turns,
};

/// The broker, as the fronts use it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Broker {
    pub(crate) shared: Arc<Shared>,
    memory: Memory,
}

/// The catalogue's replica, locked for reading. Must not be held across an `.await`.
pub type CatalogueGuard<'a> = RwLockReadGuard<'a, Catalogue>;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) inboxes: Vec<mpsc::Sender<Request>>,
    pub(crate) catalogue: Arc<RwLock<Catalogue>>,
    pub(crate) next_id: AtomicU64,
    pub(crate) meters: Meters,
    opening: Opening,
    set_aside: SetAside,
    /// The readers of which one reads at a time.
    pub(crate) turns: Arc<Turns>,
    /// Notified of dead records.
    pub(crate) dead: Arc<DeadSignals>,
}

impl Broker {
    pub(crate) fn new(
        epoch: ProcessEpoch,
        inboxes: Vec<mpsc::Sender<Request>>,
        catalogue: Arc<RwLock<Catalogue>>,
        meters: Meters,
        memory: Memory,
        dead: Arc<DeadSignals>,
    ) -> Self {
        let shared = Shared {
            inboxes,
            catalogue,
            next_id: AtomicU64::new(epoch.first_number() + 1),
            meters,
            opening: Opening::new(memory.clone()),
            set_aside: SetAside::default(),
            turns: Arc::default(),
            dead,
        };
        Self {
            shared: Arc::new(shared),
            memory,
        }
    }

    /// The broker as a client of its own in the account of memory uses it. Whatever takes memory
    /// step by step needs one: a connection, or a task.
    #[must_use]
    pub fn for_client(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            memory: self.memory.for_client(),
        }
    }

    /// The catalogue's replica: definitions and routing.
    pub fn catalogue(&self) -> CatalogueGuard<'_> {
        self.shared.catalogue.read()
    }

    /// Opens a session. If the broker is short of space, that is its first event.
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
            // A stopped shard doesn't answer this, nor will it answer the session's requests.
            drop(answer.await);
        }
        let session = Session::new(self.clone(), id, Arc::clone(&mailbox));
        (session, Events { mailbox })
    }

    /// Returns a number that is unique for the data directory, across restarts.
    pub fn next_id(&self) -> u64 {
        self.shared.next_id.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn opening(&self) -> &Opening {
        &self.shared.opening
    }

    /// The account of the memory that clients use.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    // ---- definitions -------------------------------------------------------------------------

    /// Declares a log. The log is open when this returns.
    pub async fn declare_log(
        &self,
        declare: DeclareLog,
    ) -> Result<Declared, Error<CatalogueError>> {
        self.to_catalogue(declare).await
    }

    /// Changes a log and returns its new configuration.
    pub async fn alter_log(&self, alter: AlterLog) -> Result<Altered, Error<CatalogueError>> {
        self.to_catalogue(alter).await
    }

    /// Deletes a log with its data and returns how many ready records it held. Once begun, the
    /// deletion completes even if this future is dropped.
    pub async fn delete_log(&self, delete: DeleteLog) -> Result<u64, Error<LogError>> {
        let (reply, answer) = oneshot::channel();
        let shard = self.shard_of(delete.log);
        self.send(shard, Request::Delete { delete, reply }).await;
        answer.await.map_err(|_| Failure::Stopping)?
    }

    /// Notes that a log is in use, which restarts the time after which an unused log is deleted.
    pub async fn use_log(&self, log: LogId) -> Result<(), Error<LogError>> {
        self.to_log(log, UseLog { log }).await
    }

    /// Declares an exchange.
    pub async fn declare_exchange(
        &self,
        declare: DeclareExchange,
    ) -> Result<(), Error<CatalogueError>> {
        self.to_catalogue(declare).await
    }

    /// Deletes an exchange.
    pub async fn delete_exchange(
        &self,
        delete: DeleteExchange,
    ) -> Result<(), Error<CatalogueError>> {
        self.to_catalogue(delete).await
    }

    /// Adds a binding.
    pub async fn bind(&self, bind: Bind) -> Result<(), Error<CatalogueError>> {
        self.to_catalogue(bind).await
    }

    /// Removes a binding.
    pub async fn unbind(&self, bind: Bind) -> Result<(), Error<CatalogueError>> {
        self.to_catalogue(Unbind(bind)).await
    }

    // ---- data --------------------------------------------------------------------------------

    /// Appends a batch and returns where it was appended, as
    /// [`Appending::finish`](crate::Appending) does.
    pub async fn append(
        &self,
        publish: Publish,
    ) -> Result<SmallVec<[Appended; 1]>, Error<AppendError>> {
        self.begin_append(publish).await.finish().await
    }

    /// Reads batches of one partition.
    pub async fn read(&self, read: Read) -> Result<ReadReply, Error<ReadError>> {
        let mut replies = self.read_all(vec![read]).await?;
        let reply = replies.pop().ok_or(Failure::Stopping)?;
        reply.map_err(Error::Refused)
    }

    /// Reads batches of many partitions and returns one answer for each, in the order of the
    /// requests.
    pub async fn read_all(
        &self,
        reads: Vec<Read>,
    ) -> Result<Vec<Result<ReadReply, ReadError>>, Failure> {
        let mut answers: Vec<_> = (0..reads.len()).map(|_| None).collect();
        for shard in self.shards() {
            let positions: Vec<usize> = (0..reads.len())
                .filter(|position| self.shard_of(reads[*position].partition.log) == shard)
                .collect();
            if positions.is_empty() {
                continue;
            }
            let (reply, answer) = oneshot::channel();
            let reads = positions.iter().map(|position| reads[*position]).collect();
            self.send(shard, Request::Read { reads, reply }).await;
            let part = answer.await.map_err(|_| Failure::Stopping)?;
            for (position, answer) in positions.into_iter().zip(part) {
                answers[position] = Some(answer);
            }
        }
        let answers: Option<_> = answers.into_iter().collect();
        answers.ok_or(Failure::Stopping)
    }

    /// Finds the first record whose timestamp is `at` or later; with `None`, the record with the
    /// largest timestamp. Searches committed records only.
    pub async fn find_by_time(
        &self,
        partition: PartitionId,
        at: Option<Timestamp>,
    ) -> Result<Option<Found>, Error<ReadError>> {
        let (reply, answer) = oneshot::channel();
        let request = Request::FindByTime {
            partition,
            at,
            reply,
        };
        self.send(self.shard_of(partition.log), request).await;
        let lookup = answer.await.map_err(|_| Failure::Stopping)?;
        let lookup = lookup.map_err(Error::Refused)?;
        Ok(lookup.resolve(self).await?)
    }

    /// Watches partitions. The watch wakes when one of them has committed records at or past its
    /// offset. It wakes at once if one of them already has, or doesn't exist.
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

    /// Removes the records before `to` (Kafka DeleteRecords) and returns the partition's new start.
    pub async fn trim(
        &self,
        partition: PartitionId,
        to: Offset,
    ) -> Result<Offset, Error<LogError>> {
        let trim = Trim {
            partition,
            to,
            reason: TrimReason::Asked,
        };
        self.to_log(partition.log, trim).await
    }

    // ---- ledgers -----------------------------------------------------------------------------

    /// Leases records, waiting as long as the request allows. Dropping the future ends the wait.
    pub async fn lease(
        &self,
        log: LogId,
        request: LeaseRequest,
    ) -> Result<Vec<LeasedBatch>, Error<LogError>> {
        let ticket = self.next_id();
        let (reply, answer) = oneshot::channel();
        let request = Request::Lease {
            lease: Lease { log, request },
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
        answer.map_err(|_| Failure::Stopping)?
    }

    /// The number of batches, since the start, of which queue consumers couldn't read all records.
    pub fn unreadable_batches(&self) -> u64 {
        self.shared.set_aside.total()
    }

    /// Settles leases. The answer has the positions of the items whose lease didn't match.
    pub async fn settle(&self, settle: Settle) -> Result<Missing, Error<LogError>> {
        let shard = self.shard_of(settle.log);
        let (reply, answer) = oneshot::channel();
        let reply = Some(reply);
        self.send(shard, Request::Settle { settle, reply }).await;
        answer.await.map_err(|_| Failure::Stopping)?
    }

    /// Changes the deadlines of leases. The answer has the positions of the items whose lease
    /// didn't match.
    pub async fn extend(&self, extend: Extend) -> Result<Missing, Error<LogError>> {
        self.to_log(extend.log, extend).await
    }

    /// Settles all ready and delayed records of the default ledger, and with `leased` the leased
    /// ones too. Returns how many were settled.
    pub async fn purge(&self, log: LogId, leased: bool) -> Result<u64, Error<LogError>> {
        let purge = Purge {
            log,
            ledger: LedgerId::DEFAULT,
            leased,
        };
        self.to_log(log, purge).await
    }

    /// Returns what holds back the removal of each partition's oldest record. Covers the first
    /// thousand partitions.
    pub async fn holders(&self, log: LogId) -> Result<Vec<Vec<Holder>>, Failure> {
        let (reply, answer) = oneshot::channel();
        self.send(self.shard_of(log), Request::Holders { log, reply })
            .await;
        answer.await.map_err(|_| Failure::Stopping)
    }

    /// Returns the status of each shard.
    pub async fn shard_statuses(&self) -> Result<Vec<ShardStatus>, Failure> {
        let mut statuses = Vec::new();
        for shard in self.shards() {
            let (reply, answer) = oneshot::channel();
            self.send(shard, Request::Counters { reply }).await;
            statuses.push(answer.await.map_err(|_| Failure::Stopping)?);
        }
        Ok(statuses)
    }

    /// Returns the meter of a front. Its operations are those of the first call with that name.
    pub fn front_meter(
        &self,
        front: &'static str,
        operations: &'static [&'static str],
    ) -> Arc<FrontMeter> {
        self.shared.meters.front(front, operations)
    }

    /// The counts of all fronts.
    pub fn front_counts(&self) -> Vec<FrontCounts> {
        self.shared.meters.front_counts()
    }

    /// The counts of each shard's journal.
    pub fn shard_counts(&self) -> Vec<ShardCounts> {
        self.shared.meters.shard_counts()
    }

    // ---- groups and producers ----------------------------------------------------------------

    /// Sends a command to a consumer group.
    pub async fn group<C: GroupCommand>(&self, command: C) -> Result<C::Reply, Error<GroupError>> {
        let shard = self.shard_of_group(command.group());
        self.call(shard, command).await
    }

    /// Joins a group. The answer comes when the rebalance has gathered the group's members.
    pub async fn join_group(&self, join: JoinGroup) -> Result<JoinReply, Error<GroupError>> {
        let shard = self.shard_of_group(&join.group);
        let join = Box::new(join);
        let (reply, answer) = oneshot::channel();
        self.send(shard, Request::Join { join, reply }).await;
        answer.await.map_err(|_| Failure::Stopping)?
    }

    /// Submits the assignment of a generation, or waits for it.
    pub async fn sync_group(&self, sync: SyncGroup) -> Result<SyncedGroup, Error<GroupError>> {
        let shard = self.shard_of_group(&sync.group);
        let sync = Box::new(sync);
        let (reply, answer) = oneshot::channel();
        self.send(shard, Request::Sync { sync, reply }).await;
        answer.await.map_err(|_| Failure::Stopping)?
    }

    /// Lists all groups, shard by shard and sorted by name within each.
    pub async fn groups(&self) -> Result<Vec<GroupListing>, Failure> {
        let mut listings = Vec::new();
        for shard in self.shards() {
            match self.call(shard, ListGroups).await {
                Ok(listed) => listings.extend(listed),
                Err(Error::Failed(failure)) => return Err(failure),
            }
        }
        Ok(listings)
    }

    /// Returns a new producer id, or the next epoch of the given one.
    pub async fn init_producer(
        &self,
        current: Option<(ProducerId, ProducerEpoch)>,
    ) -> Result<(ProducerId, ProducerEpoch), Error<Infallible>> {
        self.call(ShardId(0), InitProducer { current }).await
    }

    /// The idempotent producers that a partition remembers, sorted by id.
    pub async fn producers(
        &self,
        partition: PartitionId,
    ) -> Result<Vec<KnownProducer>, Error<LogError>> {
        self.to_log(partition.log, DescribeProducers { partition })
            .await
    }

    // ---- private ------------------------------------------------------------------------------

    pub(crate) async fn set_aside(&self, partition: PartitionId, broken: &Broken) {
        self.note_broken(partition, broken);
        let Broken { first, end, .. } = broken;
        let mut next = *first;
        while next < *end {
            let left = u32::try_from(end.since(next)).unwrap_or(u32::MAX);
            let run = Run {
                partition: partition.index,
                first: next,
                count: left.min(RUN_RECORDS_MAX),
            };
            next = run.end();
            self.skip(partition.log, run).await;
        }
    }

    /// Reports records that can't be read, once.
    pub(crate) fn note_broken(&self, partition: PartitionId, broken: &Broken) {
        let Broken { first, end, error } = broken;
        if self.shared.set_aside.note(partition, *end) {
            tracing::warn!(%partition, %first, %end, %error, "records can't be read; set aside");
        }
    }

    pub(crate) async fn skip(&self, log: LogId, run: Run) {
        self.send(self.shard_of(log), Request::tell(Skip { log, run }))
            .await;
    }

    async fn to_catalogue<C: Command>(&self, command: C) -> Result<C::Reply, Error<C::Error>> {
        self.call(Topology::CATALOGUE, command).await
    }

    pub(crate) async fn to_log<C: Command>(
        &self,
        log: LogId,
        command: C,
    ) -> Result<C::Reply, Error<C::Error>> {
        self.call(self.shard_of(log), command).await
    }

    pub(crate) async fn call<C: Command>(
        &self,
        shard: ShardId,
        command: C,
    ) -> Result<C::Reply, Error<C::Error>> {
        let (request, answer) = Request::call(command);
        self.send(shard, request).await;
        answer.await.map_err(|_| Failure::Stopping)?
    }

    /// Sends a request. If the shard has stopped, the request is dropped, and the closed reply
    /// channel tells the sender.
    pub(crate) async fn send(&self, shard: ShardId, request: Request) {
        drop(
            self.shared.inboxes[usize::from(shard.0)]
                .send(request)
                .await,
        );
    }

    /// Ends a session on every shard, after the requests it has sent. Called on drop, so it can't
    /// wait: for a full inbox it starts a task.
    pub(crate) fn close_session(&self, session: SessionId) {
        for shard in self.shards() {
            let request = Request::CloseSession(session);
            let inbox = &self.shared.inboxes[usize::from(shard.0)];
            if let Err(TrySendError::Full(request)) = inbox.try_send(request)
                && let Ok(runtime) = tokio::runtime::Handle::try_current()
            {
                let inbox = inbox.clone();
                runtime.spawn(async move { drop(inbox.send(request).await) });
            }
        }
    }

    pub(crate) fn shards(&self) -> impl Iterator<Item = ShardId> + use<> {
        (0..self.shared.inboxes.len()).map(|shard| ShardId(shard as u16))
    }

    /// The shard of a log's partitions and ledgers.
    pub fn shard_of(&self, log: LogId) -> ShardId {
        stele_core_engine::shard_of(log, self.shared.inboxes.len())
    }

    /// The shard of a consumer group. Stable across restarts, as a log's shard is.
    fn shard_of_group(&self, group: &Name) -> ShardId {
        let shards = self.shared.inboxes.len().max(1) as u64;
        ShardId((u64::from(murmur2(group.as_bytes())) % shards) as u16)
    }

    /// Splits a publish by the shards of its targets.
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
                        columns: publish.columns.clone(),
                    },
                )),
            }
        }
        parts
    }
}

/// Tells the shard when the caller of a waiting lease has gone.
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
        // A full inbox drops this. Then the lease is made in vain, and expires at its deadline.
        drop(inbox.try_send(Request::CancelLease { log, ticket }));
    }
}
