//! What the broker tells a connection: deliveries, outcomes of publishes, ends of queues.

use std::collections::VecDeque;

use stele_base_types::{ConsumerId, LogId};
use stele_core_broker::{self as broker, Event, Failure, LeasedBatch, LeasedMessage, Share};
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

/// How far a delivery got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    /// All of it is in the output.
    Through,
    /// The channel's bound lets no more through.
    Bound,
    /// The output is full, or memory is short.
    Full,
}

use Sent::{Bound, Full, Through};

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
        self.outgoing.written(written, self.outbox.pending());
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
        let subscription = self.session.subscription(consumer);
        let mut waiting = Waiting {
            log,
            consumer,
            is_counted: subscription.is_some_and(|it| !it.no_ack),
            messages: batch.messages(log),
            charged_bytes,
            next_bytes: 0,
        };
        let number = subscription.map(|it| it.channel);
        let Some(number) = number else {
            return self.give_back(&waiting).await;
        };
        let waits = &self.session.channel(number)?.waiting;
        // No consumer overtakes itself; and those that the bound holds back, not each other.
        let is_behind =
            |it: &Waiting| it.consumer == consumer || (it.is_counted && waiting.is_counted);
        if !waits.iter().any(is_behind) && self.deliver_all(number, &mut waiting).await? == Through
        {
            return Ok(());
        }
        self.session.channel(number)?.waiting.push_back(waiting);
        if !self.waiting.contains(&number) {
            self.waiting.push(number);
        }
        Ok(())
    }

    /// Delivers what waits, as far as the bounds of the channels, the client and the memory let it
    /// now.
    pub(super) async fn deliver_waiting(&mut self) -> Result<(), Fault> {
        for number in std::mem::take(&mut self.waiting) {
            // A channel that has ended since has let go of what waited.
            let Ok(channel) = self.session.channel(number) else {
                continue;
            };
            let mut left = VecDeque::new();
            let mut is_bound = false;
            let mut is_full = false;
            for mut waiting in std::mem::take(&mut channel.waiting) {
                let is_held = is_full || (is_bound && waiting.is_counted);
                if !is_held {
                    match self.deliver_all(number, &mut waiting).await? {
                        Through => continue,
                        Bound => is_bound = true,
                        Full => is_full = true,
                    }
                }
                left.push_back(waiting);
            }
            if !left.is_empty() {
                self.session.channel(number)?.waiting = left;
                self.waiting.push(number);
            }
        }
        if self.waiting.is_empty() {
            self.outgoing.forget_wanted();
        }
        if self.outbox.is_empty() {
            // Nothing will be written that the credit of what is through could wait for.
            self.return_credit().await;
        }
        Ok(())
    }

    /// Delivers the messages, as many as can be now.
    async fn deliver_all(&mut self, number: u16, waiting: &mut Waiting) -> Result<Sent, Fault> {
        let Some(subscription) = self.session.subscription(waiting.consumer).cloned() else {
            self.give_back(waiting).await?;
            return Ok(Through);
        };
        let mut delivered = 0;
        let sent = loop {
            if waiting.messages.leases().is_empty() {
                break Through;
            }
            if waiting.is_counted && !self.session.channel(number)?.has_room() {
                break Bound;
            }
            if !self.read(waiting).await? {
                break Full;
            }
            let message = self.broker.next_message(&mut waiting.messages).await;
            let Some(message) = message.map_err(|error| self.unreadable(error))? else {
                break Through;
            };
            if !self.may_send(waiting, &message) {
                break Full;
            }
            self.deliver(&subscription, &message).await?;
            delivered += 1;
        };
        self.meter
            .request(operations::position(operations::DELIVER), delivered);
        let room = waiting.messages.take_room();
        self.outgoing.hold(&self.outbox, room);
        match sent {
            Through => self.owe(waiting),
            // Nothing is held while it waits.
            Bound | Full => self.broker.pause(&mut waiting.messages),
        }
        Ok(sent)
    }

    /// Has the stored bytes of what is to be delivered, where the output and the memory have room
    /// for them.
    async fn read(&mut self, waiting: &mut Waiting) -> Result<bool, Fault> {
        if !self.outbox.has_room() {
            return Ok(false);
        }
        if waiting.messages.are_read() {
            return Ok(true);
        }
        let size_bytes = waiting.messages.size_bytes_max();
        let Some(mut room) = self.outgoing.take(size_bytes + waiting.next_bytes) else {
            return Ok(false);
        };
        self.outgoing.keep(room.split_off(size_bytes));
        let read = self.broker.read_leased(&mut waiting.messages, room).await;
        read.map_err(|error| self.unreadable(error))?;
        Ok(true)
    }

    /// Whether there is memory for a message that is about to go into the output. One that is a
    /// slice of its batch takes none of its own.
    fn may_send(&mut self, waiting: &mut Waiting, message: &LeasedMessage) -> bool {
        if !waiting.messages.are_copied() {
            return true;
        }
        let size_bytes = message.record.size_bytes();
        let pending = usize::try_from(self.outbox.pending()).unwrap_or(usize::MAX);
        if self.outgoing.cover(pending.saturating_add(size_bytes)) {
            waiting.next_bytes = 0;
            return true;
        }
        waiting.messages.put_back();
        waiting.next_bytes = size_bytes;
        false
    }

    /// Memory for what is read at a client's request. Waits for it, unless something is on its way
    /// to the client: that is written first.
    pub(crate) async fn room(&mut self, bytes: usize) -> Share {
        match self.outgoing.take(bytes) {
            Some(room) => room,
            None if self.outbox.is_empty() => {
                self.outgoing.grant().await;
                self.outgoing.take(bytes).unwrap_or_default()
            }
            None => self.outgoing.note(bytes),
        }
    }

    /// Returns what a consumer that has ended was to get.
    async fn give_back(&mut self, waiting: &Waiting) -> Result<(), Fault> {
        for unacked in waiting.unacked() {
            self.settle(&unacked, Outcome::Return(0)).await;
        }
        Ok(())
    }

    fn unreadable(&self, failure: Failure) -> Fault {
        let vhost = &self.session.opened.vhost;
        Subject::queue("", vhost).fault(failure)
    }

    /// Returns what waits on a channel to its places.
    pub(crate) async fn return_waiting(&mut self, number: u16) -> Result<(), Fault> {
        for waiting in std::mem::take(&mut self.session.channel(number)?.waiting) {
            self.give_back(&waiting).await?;
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
