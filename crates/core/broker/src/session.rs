//! A client's session: sends requests without waiting for replies, receives events in batches.

use std::sync::Arc;

use stele_base_types::{ConsumerId, LogId, Offset, PartitionId, SessionId, ShardId};
use stele_core_engine::{
    ConsumerRef, Credit, LogError, Prefetch, Settle, Subscribe, Subscription, Unsubscribe,
};

use crate::{
    Broker, Error, Publish, Reader, Share,
    mailbox::{Event, Mailbox},
    reader::Wake,
    reply_to::{Pending, ReplyTo},
    request::Request,
};

/// A session. When it is dropped, its leased records return to their place and its subscriptions
/// end.
///
/// The requests that a session sends to a log arrive in order.
#[derive(Debug)]
pub struct Session {
    broker: Broker,
    id: SessionId,
    mailbox: Arc<Mailbox>,
}

impl Session {
    pub(crate) fn new(broker: Broker, id: SessionId, mailbox: Arc<Mailbox>) -> Self {
        Self {
            broker,
            id,
            mailbox,
        }
    }

    /// Its id.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// One of its consumers, as commands name it.
    pub fn consumer(&self, consumer: ConsumerId) -> ConsumerRef {
        ConsumerRef {
            session: self.id,
            consumer,
        }
    }

    /// Publishes a batch that holds `room` of the memory; [`Event::Published`] with `tag` follows.
    /// Waits only for room in the shards' inboxes. This is the back-pressure, together with the
    /// caller's wait for memory ([`Kind::Publishes`](crate::Kind)). A publish without targets is
    /// confirmed at once.
    ///
    /// `durable`: whether the confirmation waits until the batch is as durable as its logs demand.
    /// Otherwise it is sent as soon as the batch is appended: a crash may lose the batch then, but
    /// a stop doesn't. Readers get it when it is durable, in both cases.
    pub async fn publish(&self, tag: u64, publish: Publish, durable: bool, mut room: Share) {
        if publish.targets.is_empty() {
            let result = Ok(());
            self.mailbox.push(Event::Published { tag, result });
            return;
        }
        let parts = self.broker.by_shard(publish);
        let is_shared = parts.len() > 1;
        let pending =
            is_shared.then(|| Arc::new(Pending::new(parts.len(), std::mem::take(&mut room))));
        for (shard, publish) in parts {
            let (append, body) = publish.split();
            let request = Request::Append {
                append,
                body,
                reply: ReplyTo::Published {
                    mailbox: Arc::clone(&self.mailbox),
                    tag,
                    pending: pending.clone(),
                    durable,
                },
                room: std::mem::take(&mut room),
            };
            self.broker.send(shard, request).await;
        }
    }

    /// Subscribes a consumer to a log's ledger; [`Event::Delivered`] follow. Waits for the reply.
    pub async fn subscribe(&self, log: LogId, terms: Subscription) -> Result<(), Error<LogError>> {
        self.broker.to_log(log, Subscribe { log, terms }).await
    }

    /// Ends a subscription; the session keeps what it has leased. Once this returns, no more
    /// deliveries are added to the events. With `lingers`, a consumer that waits to take over does
    /// so only when all that is returned ([`Unsubscribe::lingers`]).
    pub async fn unsubscribe(
        &self,
        log: LogId,
        consumer: ConsumerId,
        lingers: bool,
    ) -> Result<(), Error<LogError>> {
        let unsubscribe = Unsubscribe {
            log,
            consumer: self.consumer(consumer),
            lingers,
        };
        self.broker.to_log(log, unsubscribe).await
    }

    /// Reads a partition from an offset on, without taking anything from it.
    pub fn reader(&self, partition: PartitionId, from: Offset, consumer: ConsumerId) -> Reader {
        let wake = Wake::new(Arc::clone(&self.mailbox), consumer);
        Reader::new(partition, from, wake)
    }

    /// The same in turn with others: of all readers of the partition that are made so, the first
    /// reads. When it ends, the next one does, from where it stopped ([`Reader::end`]).
    pub fn reader_in_turn(
        &self,
        partition: PartitionId,
        from: Offset,
        consumer: ConsumerId,
    ) -> Reader {
        let mut reader = self.reader(partition, from, consumer);
        reader.wait_in(&self.broker.shared.turns);
        reader
    }

    /// Settles leases without waiting for the answer.
    pub async fn settle(&self, settle: Settle) {
        let log = settle.log;
        let reply = None;
        self.tell(log, Request::Settle { settle, reply }).await;
    }

    /// Grants the credit of a delivery back to a consumer.
    pub async fn credit(&self, log: LogId, consumer: ConsumerId, bytes: u64) {
        let credit = Credit {
            log,
            consumer: self.consumer(consumer),
            bytes,
        };
        self.tell(log, Request::Credit(credit)).await;
    }

    /// Changes the limit of unsettled records that a pool of consumers shares, on that log's shard.
    pub async fn prefetch(&self, log: LogId, pool: u64, limit: Option<u32>) {
        let prefetch = Prefetch {
            log,
            session: self.id,
            pool,
            limit,
        };
        self.tell(log, Request::tell(prefetch)).await;
    }

    /// The shard of a log.
    pub fn shard_of(&self, log: LogId) -> ShardId {
        self.broker.shard_of(log)
    }

    pub(crate) fn broker(&self) -> &Broker {
        &self.broker
    }

    pub(crate) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    async fn tell(&self, log: LogId, request: Request) {
        self.broker.send(self.broker.shard_of(log), request).await;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.broker.close_session(self.id);
    }
}
