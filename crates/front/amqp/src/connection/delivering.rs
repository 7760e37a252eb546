//! What the broker tells a connection: deliveries, outcomes of publishes, ends of queues.

use stele_base_types::{ConsumerId, LogId};
use stele_core_broker::{self as broker, Event, LeasedBatch, LeasedMessage};
use stele_core_engine::{AppendError, Outcome};
use stele_wire_amqp::{
    ShortString,
    method::{basic, connection},
};

use super::Connection;
use crate::{
    errors::{Fault, Subject},
    limits::CONSUMER_CREDIT_BYTES,
    operations,
    session::{Subscription, in_flight::ToConfirm, unacked::Unacked, waiting::Waiting},
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

    fn published(&mut self, tag: u64, result: Result<(), broker::Error<AppendError>>) {
        if let Some(committing) = &mut self.committing {
            let number = committing.number;
            for message in committing.answered(tag, &result) {
                operations::basic_publish::unroutable(self, number, &message, None);
            }
        }
        // A queue that was deleted in between: its message went where it would have gone.
        let taken = match &result {
            Ok(()) | Err(broker::Error::Refused(AppendError::NoSuchLog)) => true,
            Err(error) => {
                tracing::warn!(client = %self.principal(), %error, "a publish was refused");
                false
            }
        };
        let confirms = self.session.in_flight.take(tag);
        if !taken {
            // Of a batch that nobody asked to confirm, the number isn't known any more.
            let publish = operations::position(operations::PUBLISH);
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
        let messages = self
            .broker
            .messages(log, batch)
            .await
            .map_err(|error| Subject::queue("", &self.session.opened.vhost).fault(error))?;
        let mut waiting = Waiting {
            log,
            consumer,
            messages: messages.into_iter(),
            charged_bytes,
        };
        let subscription = self.session.subscription(consumer);
        let waits_behind = subscription.filter(|subscription| !subscription.no_ack);
        let waits_behind = waits_behind.map(|subscription| subscription.channel);
        if let Some(number) = waits_behind {
            let channel = self.session.channel(number)?;
            if !channel.waiting.is_empty() {
                channel.waiting.push_back(waiting);
                return Ok(());
            }
        }
        if let Some(number) = self.deliver_all(&mut waiting).await? {
            self.session.channel(number)?.waiting.push_back(waiting);
            self.waiting.push(number);
        }
        Ok(())
    }

    /// Delivers what waits, as far as the bounds of the channels let it now.
    pub(super) async fn deliver_waiting(&mut self) -> Result<(), Fault> {
        for number in std::mem::take(&mut self.waiting) {
            // A channel that has ended since has let go of what waited.
            while let Ok(channel) = self.session.channel(number)
                && let Some(mut waiting) = channel.waiting.pop_front()
            {
                if self.deliver_all(&mut waiting).await?.is_some() {
                    self.session.channel(number)?.waiting.push_front(waiting);
                    self.waiting.push(number);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Delivers the messages, as many as the channel's bound lets it; gives the channel where some
    /// are left. Those of a consumer that has ended return to their places.
    async fn deliver_all(&mut self, waiting: &mut Waiting) -> Result<Option<u16>, Fault> {
        let Some(subscription) = self.session.subscription(waiting.consumer).cloned() else {
            for unacked in waiting.unacked() {
                self.settle(&unacked, Outcome::Return(0)).await;
            }
            return Ok(None);
        };
        let number = subscription.channel;
        let mut delivered = 0;
        let mut is_through = false;
        while subscription.no_ack || self.session.channel(number)?.has_room() {
            let Some(message) = waiting.messages.next() else {
                is_through = true;
                break;
            };
            self.deliver(&subscription, &message).await?;
            delivered += 1;
        }
        self.meter
            .request(operations::position(operations::DELIVER), delivered);
        if !is_through {
            return Ok(Some(number));
        }
        self.owe(waiting);
        Ok(None)
    }

    /// Returns what waits on a channel to its places.
    pub(crate) async fn return_waiting(&mut self, number: u16) -> Result<(), Fault> {
        for waiting in std::mem::take(&mut self.session.channel(number)?.waiting) {
            for unacked in waiting.unacked() {
                self.settle(&unacked, Outcome::Return(0)).await;
            }
            self.owe(&waiting);
        }
        Ok(())
    }

    /// The consumer has its credit back once the socket has taken all so far.
    fn owe(&mut self, waiting: &Waiting) {
        self.owed.push_back(Owed {
            position: self.outbox.queued(),
            log: waiting.log,
            consumer: waiting.consumer,
            bytes: waiting.charged_bytes,
        });
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
            channel.deliveries.leased(Unacked {
                is_counted: true,
                ..Unacked::of(subscription.log, message)
            })
        };
        let deliver = basic::Deliver {
            consumer_tag: subscription.tag.clone(),
            delivery_tag,
            redelivered: message.lease.redelivered,
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
    /// queue's head. One that a consumer was waiting for gets through, however short its time is.
    pub(crate) async fn fresh(
        &mut self,
        subscription: &Subscription,
        message: &LeasedMessage,
    ) -> Option<Arrival> {
        let arrival = stored::arrival(&message.record, &subscription.queue);
        let expiry = stored::expires_at(&arrival.properties, message.record.timestamp);
        let now = self.settings.clock.now();
        if !message.lease.waited || expiry.is_none_or(|expiry| expiry > now) {
            return Some(arrival);
        }
        if !subscription.no_ack {
            self.settle(&Unacked::of(subscription.log, message), Outcome::Done)
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
