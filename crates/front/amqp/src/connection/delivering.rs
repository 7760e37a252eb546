//! Events from the broker: deliveries, outcomes of publishes, and deletions of queues.

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
    traced,
};

/// Credit to be returned to a consumer once its deliveries are written to the socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owed {
    /// The position in the output after those deliveries.
    position: u64,
    log: LogId,
    consumer: ConsumerId,
    bytes: u64,
}

/// The result of sending a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    /// All of it is in the output.
    Through,
    /// The channel's limit is reached.
    Bound,
    /// The output is full, or memory is short.
    Full,
}

use Sent::{Bound, Full, Through};

/// Credit is returned in steps of this size; meanwhile the consumer uses the rest.
const CREDIT_STEP_BYTES: u64 = CONSUMER_CREDIT_BYTES / 4;

impl Connection {
    /// Handles events from the broker.
    pub(crate) async fn events(&mut self, events: &mut Vec<Event>) -> Result<(), Fault> {
        for event in events.drain(..) {
            match event {
                Event::Published { tag, result } => self.published(tag, result),
                Event::Committed { result } => self.committed(result),
                Event::Delivered {
                    log,
                    consumer,
                    batch,
                    charged_bytes,
                } => self.delivered(log, consumer, batch, charged_bytes).await?,
                Event::Readable { consumer } => self.readings.readable(consumer),
                Event::ConsumerCancelled { consumer } => self.cancelled(consumer),
                Event::Blocked(blocked) => self.set_blocked(blocked),
            }
        }
        Ok(())
    }

    /// Handles the events received so far. Called before a consumer is ended, so that nothing is
    /// delivered afterwards.
    pub(crate) async fn drain_events(&mut self) -> Result<(), Fault> {
        let mut events = Vec::new();
        self.events.take(&mut events);
        self.events(&mut events).await
    }

    /// Returns credit for deliveries that have been written.
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
        // If a queue was deleted meanwhile, its message counts as accepted, because it would have
        // been deleted with it.
        let taken = match &result {
            Ok(()) | Err(broker::Error::Refused(AppendError::NoSuchLog)) => true,
            // A full queue that refuses messages does what it was declared for.
            Err(broker::Error::Refused(AppendError::TooLong)) => false,
            Err(error) => {
                tracing::warn!(client = %self.principal(), %error, "a publish was refused");
                false
            }
        };
        let confirms = self.session.in_flight.take(tag);
        if !taken {
            // The number of messages is unknown for a batch without confirms.
            let publish = operations::position(operations::PUBLISH);
            self.meter.error(publish, confirms.len().max(1) as u64);
        }
        for confirm in confirms {
            self.confirm(confirm, taken);
        }
    }

    /// Records the outcome of a publish, to be confirmed at the next flush.
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

    /// Removes a consumer.
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
        // A consumer's deliveries keep their order; so do all deliveries that the limit holds back.
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

    /// Sends waiting deliveries, as far as the limits of the channels, the client and the memory
    /// permit.
    pub(super) async fn deliver_waiting(&mut self) -> Result<(), Fault> {
        for number in std::mem::take(&mut self.waiting) {
            // A channel that has ended has released its waiting deliveries.
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
        Ok(())
    }

    /// Sends as many of the messages as possible.
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
            // Paused messages hold no memory.
            Bound | Full => self.broker.pause(&mut waiting.messages),
        }
        Ok(sent)
    }

    /// Reads the stored bytes of the deliveries, if the output and the memory have room for them.
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

    /// Whether there is memory for a message to be put into the output. A message that is a slice
    /// of its batch needs none of its own.
    fn may_send(&mut self, waiting: &mut Waiting, message: &LeasedMessage) -> bool {
        if !waiting.messages.are_copied() {
            return true;
        }
        let size_bytes = message.record.size_bytes();
        if self.has_room_for(size_bytes) {
            waiting.next_bytes = 0;
            return true;
        }
        waiting.messages.put_back();
        waiting.next_bytes = size_bytes;
        false
    }

    /// Reserves memory for so much more output, if there is room now.
    pub(super) fn has_room_for(&mut self, size_bytes: usize) -> bool {
        let pending = usize::try_from(self.outbox.pending()).unwrap_or(usize::MAX);
        self.outgoing.cover(pending.saturating_add(size_bytes))
    }

    /// Reserves memory for data read at a client's request. Waits for it, unless output is pending:
    /// that is written first.
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

    /// Returns the deliveries of a consumer that has ended.
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

    /// Returns a channel's waiting deliveries to their queues.
    pub(crate) async fn return_waiting(&mut self, number: u16) -> Result<(), Fault> {
        for waiting in std::mem::take(&mut self.session.channel(number)?.waiting) {
            self.give_back(&waiting).await?;
            self.owe(&waiting);
        }
        Ok(())
    }

    /// Schedules the return of the consumer's credit for when the current output is written.
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
        let redelivered = message.lease.redelivered;
        traced::delivered(self, number, &subscription.queue, message, &arrival).await;
        let now = self.now;
        let channel = self.session.channel(number)?;
        let delivery_tag = if subscription.no_ack {
            channel.deliveries.settled()
        } else {
            let unacked = Unacked {
                is_counted: true,
                ..Unacked::of(subscription.log, message)
            };
            channel.deliveries.leased(unacked, now)
        };
        let deliver = basic::Deliver {
            consumer_tag: subscription.tag.clone(),
            delivery_tag,
            redelivered,
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

    /// The message, unless its publisher's `expiration` has passed: then it is dropped, at the head
    /// of the queue. A message for which a consumer is already waiting is always delivered, however
    /// short its expiration.
    pub(crate) async fn fresh(
        &mut self,
        subscription: &Subscription,
        message: &LeasedMessage,
    ) -> Option<Arrival> {
        let mut arrival = stored::arrival(&message.record, &subscription.queue);
        if subscription.counts_deliveries {
            arrival.count_deliveries(message.lease.deliveries);
        }
        let expiry = stored::expires_at(&arrival.properties, message.record.timestamp);
        let now = self.settings.clock.now();
        if !message.lease.waited || expiry.is_none_or(|expiry| expiry > now) {
            return Some(arrival);
        }
        if !subscription.no_ack {
            let unacked = Unacked::of(subscription.log, message);
            self.settle(&unacked, Outcome::Expire).await;
        }
        None
    }

    pub(super) fn cancelled(&mut self, consumer: ConsumerId) {
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
        let was_blocked = self.is_blocked();
        self.blocked = blocked;
        self.tell_blocked(was_blocked, "low on disk");
    }

    /// Notes whether the client's publishes wait for memory.
    pub(crate) fn set_short(&mut self, short: bool) {
        let was_blocked = self.is_blocked();
        self.short = short;
        self.tell_blocked(was_blocked, "low on memory");
    }

    /// Whether the client's publishes wait for memory, and the client has been told.
    pub(crate) fn is_short(&self) -> bool {
        self.short
    }

    fn is_blocked(&self) -> bool {
        self.blocked || self.short
    }

    /// Tells the client if it has become blocked, or is no longer blocked by anything.
    fn tell_blocked(&mut self, was_blocked: bool, reason: &'static str) {
        let is_blocked = self.is_blocked();
        if is_blocked == was_blocked || !self.session.opened.capabilities.blocked {
            return;
        }
        if is_blocked {
            let reason = ShortString::from_static(reason);
            self.outbox.method(0, connection::Blocked { reason });
        } else {
            self.outbox.method(0, connection::Unblocked {});
        }
    }
}
