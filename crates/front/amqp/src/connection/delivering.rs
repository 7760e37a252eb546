//! What the broker tells a connection: deliveries, outcomes of publishes, ends of queues.

use stele_base_types::{ConsumerId, LogId};
use stele_core_broker::{self as broker, Event, LeasedBatch, LeasedMessage};
use stele_core_engine::{self as engine, Outcome};
use stele_wire_amqp::{
    ShortString,
    method::{basic, connection},
};

use super::Connection;
use crate::{
    errors::{Fault, Subject},
    limits::CONSUMER_CREDIT_BYTES,
    operations,
    session::{Subscription, in_flight::ToConfirm, unacked::Unacked},
    stored::{self, Arrival},
};

/// Credit that returns to a consumer once the socket has taken its deliveries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owed {
    /// The position in the output after those deliveries.
    position: u64,
    log: LogId,
    consumer: ConsumerId,
    bytes: u64,
}

/// Credit is given back in parts of this size: the consumer has the rest meanwhile.
const CREDIT_STEP_BYTES: u64 = CONSUMER_CREDIT_BYTES / 4;

impl Connection {
    /// Takes what the broker has told.
    pub(crate) async fn events(&mut self, events: &mut Vec<Event>) -> Result<(), Fault> {
        for event in events.drain(..) {
            match event {
                Event::Published { tag, result } => self.published(tag, result),
                Event::Delivered {
                    log,
                    consumer,
                    batch,
                    charged_bytes,
                } => self.delivered(log, consumer, batch, charged_bytes).await?,
                Event::ConsumerCancelled { consumer } => self.cancelled(consumer),
                Event::Blocked(blocked) => self.set_blocked(blocked),
            }
        }
        Ok(())
    }

    /// Takes what the broker has told so far: whoever ends a consumer does this first, so that
    /// nothing is delivered behind the end.
    pub(crate) async fn drain_events(&mut self) -> Result<(), Fault> {
        let mut events = Vec::new();
        self.events.take(&mut events);
        self.events(&mut events).await
    }

    /// Gives credit back for what the socket has taken.
    pub(crate) async fn return_credit(&mut self) {
        let written = self.outbox.written();
        while let Some(owed) = self.owed.front().copied() {
            if owed.position > written {
                return;
            }
            self.owed.pop_front();
            let sum = self.written_off.entry(owed.consumer).or_default();
            *sum += owed.bytes;
            if *sum >= CREDIT_STEP_BYTES {
                let bytes = std::mem::take(sum);
                self.holder.credit(owed.log, owed.consumer, bytes).await;
            }
        }
    }

    fn published(&mut self, tag: u64, result: Result<(), broker::Error>) {
        // A queue that was deleted in between: its message went where it would have gone.
        let taken = match &result {
            Ok(()) | Err(broker::Error::Refused(engine::Error::NoSuchLog)) => true,
            Err(error) => {
                tracing::warn!(peer = %self.peer, %error, "a publish was refused");
                false
            }
        };
        let confirms = self.session.in_flight.take(tag);
        if !taken {
            // Of a batch that nobody asked to confirm, the number isn't known any more.
            let publish = operations::place(operations::PUBLISH);
            self.meter.error(publish, confirms.len().max(1) as u64);
        }
        for confirm in confirms {
            self.confirm(confirm, taken);
        }
    }

    /// Takes note of a publish's outcome, to be told at the next flush.
    pub(crate) fn confirm(&mut self, confirm: ToConfirm, taken: bool) {
        if let Some(channel) = self.session.channel_of(confirm.channel)
            && let Some(confirms) = &mut channel.confirms
        {
            confirms.resolve(confirm.number, taken);
            if !self.confirming.contains(&confirm.channel) {
                self.confirming.push(confirm.channel);
            }
        }
    }

    /// Takes a consumer out.
    pub(crate) fn forget_consumer(&mut self, consumer: ConsumerId) -> Option<Subscription> {
        self.written_off.remove(&consumer);
        self.session.remove_subscription(consumer)
    }

    async fn delivered(
        &mut self,
        log: LogId,
        consumer: ConsumerId,
        batch: LeasedBatch,
        charged_bytes: u64,
    ) -> Result<(), Fault> {
        let messages = batch
            .resolve()
            .await
            .map_err(|error| Subject::queue("", &self.session.opened.vhost).fault(error))?;
        let Some(subscription) = self.session.subscription(consumer).cloned() else {
            for message in &messages {
                self.settle(&unacked(log, message), Outcome::Return(0))
                    .await;
            }
            return Ok(());
        };
        for message in &messages {
            self.deliver(&subscription, message).await?;
        }
        let deliver = operations::place(operations::DELIVER);
        self.meter.request(deliver, messages.len() as u64);
        self.owed.push_back(Owed {
            position: self.outbox.queued(),
            log,
            consumer,
            bytes: charged_bytes,
        });
        Ok(())
    }

    async fn deliver(
        &mut self,
        subscription: &Subscription,
        message: &LeasedMessage,
    ) -> Result<(), Fault> {
        let Some(arrival) = self.fresh(subscription, message).await else {
            return Ok(());
        };
        let number = subscription.channel;
        let channel = self.session.channel(number)?;
        let delivery_tag = if subscription.no_ack {
            channel.deliveries.settled()
        } else {
            let unacked = unacked(subscription.log, message);
            channel.deliveries.leased(unacked)
        };
        let deliver = basic::Deliver {
            consumer_tag: subscription.tag.clone(),
            delivery_tag,
            redelivered: message.lease.deliveries > 1,
            exchange: arrival.exchange,
            routing_key: arrival.routing_key,
        };
        self.outbox.content(
            number,
            |writer| deliver.encode(writer),
            arrival.properties,
            &arrival.body,
        );
        Ok(())
    }

    /// The message, unless its publisher's `expiration` is over: then it is dropped here, at the
    /// queue's head.
    pub(crate) async fn fresh(
        &mut self,
        subscription: &Subscription,
        message: &LeasedMessage,
    ) -> Option<Arrival> {
        let arrival = stored::arrival(&message.record, &subscription.queue);
        let expiry = stored::expires_at(&arrival.properties, message.record.timestamp);
        if expiry.is_none_or(|expiry| expiry > self.settings.clock.now()) {
            return Some(arrival);
        }
        if !subscription.no_ack {
            self.settle(&unacked(subscription.log, message), Outcome::Done)
                .await;
        }
        None
    }

    fn cancelled(&mut self, consumer: ConsumerId) {
        let Some(subscription) = self.forget_consumer(consumer) else {
            return;
        };
        if self.session.opened.capabilities.cancel_notify {
            let cancel = basic::Cancel {
                consumer_tag: subscription.tag,
                no_wait: true,
            };
            self.outbox.method(subscription.channel, cancel);
        }
    }

    fn set_blocked(&mut self, blocked: bool) {
        if self.blocked == blocked {
            return;
        }
        self.blocked = blocked;
        if !self.session.opened.capabilities.blocked {
            return;
        }
        if blocked {
            let reason = ShortString::from_static("low on disk");
            self.outbox.method(0, connection::Blocked { reason });
        } else {
            self.outbox.method(0, connection::Unblocked {});
        }
    }
}

/// The lease of a message.
pub(crate) fn unacked(log: LogId, message: &LeasedMessage) -> Unacked {
    Unacked {
        log,
        partition: message.partition,
        offset: message.lease.offset,
        lease: message.lease.lease,
    }
}
