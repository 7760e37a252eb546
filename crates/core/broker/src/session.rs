//! A client's session: sends without waiting for replies, gets events in batches.

use std::sync::{Arc, atomic::AtomicUsize};

use stele_base_types::{ConsumerId, LogId, SessionId};
use stele_core_engine::{Command, ConsumerRef, LogCommand, Settle, Subscribe};

use crate::{
    Broker, Error, Publish,
    mailbox::{Event, Mailbox},
    reply_to::{Pending, ReplyTo},
    request::Request,
};

/// A session. When it is dropped, what it leases returns to its place and its subscriptions end.
///
/// What one session sends to one log arrives in the order sent.
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

    /// Publishes; [`Event::Published`] with `tag` follows. Waits only for room in the shards'
    /// inboxes: that is the back-pressure. A publish without targets is confirmed at once.
    pub async fn publish(&self, tag: u64, publish: Publish) {
        if publish.targets.is_empty() {
            let result = Ok(());
            self.mailbox.push(Event::Published { tag, result });
            return;
        }
        let parts = self.broker.by_shard(publish);
        let pending = (parts.len() > 1).then(|| {
            Arc::new(Pending {
                left: AtomicUsize::new(parts.len()),
                refused: parking_lot::Mutex::new(None),
            })
        });
        for (shard, publish) in parts {
            let (append, body) = publish.split();
            let request = Request::Command {
                command: Command::Append(append),
                body: Some(body),
                reply: ReplyTo::Published {
                    mailbox: Arc::clone(&self.mailbox),
                    tag,
                    pending: pending.clone(),
                },
            };
            self.broker.send(shard, request).await;
        }
    }

    /// Subscribes one of its consumers to a log's ledger; [`Event::Delivered`] follow. Waits for
    /// the reply.
    pub async fn subscribe(&self, log: LogId, subscribe: Subscribe) -> Result<(), Error> {
        self.broker
            .log_call(log, LogCommand::Subscribe(subscribe))
            .await
            .map(drop)
    }

    /// Ends a subscription; what it leases stays leased to the session. Once this returns, no
    /// further delivery is put among the events.
    pub async fn unsubscribe(&self, log: LogId, consumer: ConsumerId) -> Result<(), Error> {
        let consumer = self.consumer(consumer);
        self.broker
            .log_call(log, LogCommand::Unsubscribe(consumer))
            .await
            .map(drop)
    }

    /// Settles leases without waiting for anything.
    pub async fn settle(&self, log: LogId, settle: Settle) {
        self.tell(log, LogCommand::Settle(settle)).await;
    }

    /// Grants a consumer the credit of a delivery back.
    pub async fn credit(&self, log: LogId, consumer: ConsumerId, bytes: u64) {
        let consumer = self.consumer(consumer);
        self.tell(log, LogCommand::Credit { consumer, bytes }).await;
    }

    /// Changes the limit of unsettled records that a pool of its consumers shares, on the shard of
    /// that log.
    pub async fn prefetch(&self, log: LogId, pool: u64, limit: Option<u32>) {
        let session = self.id;
        let command = LogCommand::Prefetch {
            session,
            pool,
            limit,
        };
        self.tell(log, command).await;
    }

    async fn tell(&self, log: LogId, command: LogCommand) {
        let request = Request::Command {
            command: Command::Log(log, command),
            body: None,
            reply: ReplyTo::Nobody,
        };
        self.broker.send(self.broker.shard_of(log), request).await;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.broker.close_session(self.id);
    }
}
