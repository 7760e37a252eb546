//! Consumers that read a log without taking anything from it.
//!
//! ```text
//!  Event::Readable, an acknowledgement ─► ready ─► a turn: one piece of the log
//!                                           ▲        │ ├ more to read, or no room in the output
//!                                           └────────┘ ├ no credit: an acknowledgement follows
//!                                                      └ at the end: Event::Readable follows
//! ```
//!
//! Each turn reads one piece, so that a consumer that reads a long way, or filters out most of it,
//! holds up neither others nor the client's input.

use std::collections::VecDeque;

use hashbrown::HashMap;
use stele_base_types::{ConsumerId, Offset};
use stele_core_broker::{self as broker, ReadError, Reader};
use stele_core_engine::Outcome;
use stele_wire_amqp::method::basic;
use stele_wire_batch::Record;

use super::Connection;
use crate::{
    errors::{Fault, Subject},
    limits::{READ_PIECE_BYTES, READ_RECORD_BYTES},
    operations,
    session::{Subscription, unacked::Unacked},
    stored,
    streams::{self, Filter},
};

/// A consumer that reads.
#[derive(Debug)]
pub(crate) struct Reading {
    reader: Reader,
    filter: Filter,
    /// How many more messages it may be sent before it acknowledges some.
    credit: u32,
    /// Whether it is in the list of those to read for.
    is_ready: bool,
    /// Whether it waits for more records.
    is_at_end: bool,
    /// The memory that the next message needs besides the stored bytes, if it is known.
    next_bytes: usize,
    /// The first message that the client has returned without handling a later one.
    returned: Option<Offset>,
}

impl Reading {
    pub(crate) fn new(reader: Reader, filter: Filter, prefetch: u32) -> Self {
        Self {
            reader,
            filter,
            credit: prefetch,
            is_ready: false,
            is_at_end: false,
            next_bytes: 0,
            returned: None,
        }
    }

    /// Notes that a message is settled, which gives credit for another one.
    fn settled(&mut self, offset: Offset, outcome: Outcome) {
        self.credit += 1;
        self.returned = match outcome {
            Outcome::Return(_) => Some(self.returned.unwrap_or(offset).min(offset)),
            _ => self.returned.filter(|returned| *returned > offset),
        };
    }

    /// How much to look for at once: no more than the credit is likely to need.
    fn piece_bytes(&self) -> usize {
        let credit = usize::try_from(self.credit).unwrap_or(usize::MAX);
        match self.filter.is_all() {
            true => credit
                .saturating_mul(READ_RECORD_BYTES)
                .min(READ_PIECE_BYTES),
            false => READ_PIECE_BYTES,
        }
    }
}

/// The consumers of a connection that read.
#[derive(Debug, Default)]
pub(crate) struct Readings {
    all: HashMap<ConsumerId, Reading>,
    /// Those to read for, in turn.
    ready: VecDeque<ConsumerId>,
}

impl Readings {
    pub(crate) fn add(&mut self, consumer: ConsumerId, reading: Reading) {
        self.all.insert(consumer, reading);
        self.make_ready(consumer);
    }

    /// Removes a consumer, whose first message that isn't settled is at `unsettled`.
    pub(crate) fn remove(&mut self, consumer: ConsumerId, unsettled: Option<Offset>) {
        if let Some(reading) = self.all.remove(&consumer) {
            reading
                .reader
                .end(unsettled.into_iter().chain(reading.returned).min());
        }
    }

    /// Notes that the client has settled a message in any way.
    fn settled(&mut self, consumer: ConsumerId, offset: Offset, outcome: Outcome) {
        let Some(reading) = self.all.get_mut(&consumer) else {
            return;
        };
        reading.settled(offset, outcome);
        if !reading.is_at_end {
            self.make_ready(consumer);
        }
    }

    /// Notes that there are more records.
    pub(super) fn readable(&mut self, consumer: ConsumerId) {
        if let Some(reading) = self.all.get_mut(&consumer) {
            reading.is_at_end = false;
            self.make_ready(consumer);
        }
    }

    fn make_ready(&mut self, consumer: ConsumerId) {
        if let Some(reading) = self.all.get_mut(&consumer)
            && !reading.is_ready
        {
            reading.is_ready = true;
            self.ready.push_back(consumer);
        }
    }
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// The piece is read; there may be more.
    Through,
    /// The output is full, or memory is short.
    Full,
    /// The client must acknowledge first.
    Bound,
    /// There is no more yet.
    AtEnd,
    /// The log is gone.
    Gone,
}

impl Connection {
    /// Gives every consumer that can go on a turn. Returns whether all that are left wait for
    /// something else than memory.
    pub(super) async fn deliver_read(&mut self) -> bool {
        let mut is_short = false;
        for _ in 0..self.readings.ready.len() {
            let Some(consumer) = self.readings.ready.pop_front() else {
                break;
            };
            let Some(mut reading) = self.readings.all.remove(&consumer) else {
                continue;
            };
            reading.is_ready = false;
            let turn = self.turn(consumer, &mut reading).await;
            let turn = turn.unwrap_or_else(|fault| {
                tracing::warn!(client = %self.principal(), "{}", fault.text());
                Turn::Gone
            });
            match turn {
                // The event brings the next turn, after what else has arrived meanwhile.
                Turn::Through => reading.reader.wake(),
                Turn::Full => {
                    reading.is_ready = true;
                    self.readings.ready.push_back(consumer);
                    is_short = true;
                }
                Turn::AtEnd => reading.is_at_end = true,
                Turn::Bound => {}
                Turn::Gone => {
                    self.cancelled(consumer);
                    continue;
                }
            }
            self.readings.all.insert(consumer, reading);
        }
        is_short
    }

    /// Settles a message that was read, not leased. `false` if it was leased.
    pub(crate) fn settle_read(&mut self, unacked: &Unacked, outcome: Outcome) -> bool {
        let read_by = unacked.read_by;
        if let Some(consumer) = read_by {
            self.readings.settled(consumer, unacked.offset, outcome);
        }
        read_by.is_some()
    }

    async fn turn(&mut self, consumer: ConsumerId, reading: &mut Reading) -> Result<Turn, Fault> {
        let Some(subscription) = self.session.subscription(consumer).cloned() else {
            return Ok(Turn::Gone);
        };
        if reading.credit == 0 {
            // It is also woken when the log is gone.
            return Ok(match self.broker.has_log_of(&reading.reader).await {
                true => Turn::Bound,
                false => Turn::Gone,
            });
        }
        if !self.outbox.has_room() {
            return Ok(Turn::Full);
        }
        if !reading.reader.has_found() {
            let piece_bytes = reading.piece_bytes();
            let located = self.broker.locate_next(&mut reading.reader, piece_bytes);
            match located.await {
                Ok(true) => {}
                Ok(false) => return Ok(Turn::AtEnd),
                Err(broker::Error::Refused(ReadError::NoSuchLog | ReadError::NoSuchPartition)) => {
                    return Ok(Turn::Gone);
                }
                Err(error) => return Err(self.unread(&subscription, error)),
            }
        }
        if !self.read_piece(&subscription, reading).await? {
            self.broker.pause_reader(&mut reading.reader);
            return Ok(Turn::Full);
        }
        let turn = self.deliver_piece(consumer, &subscription, reading).await?;
        let room = reading.reader.take_room();
        self.outgoing.hold(&self.outbox, room);
        // A reader that waits holds no memory.
        self.broker.pause_reader(&mut reading.reader);
        Ok(turn)
    }

    /// Reads the bytes of the piece, if memory has room for them.
    async fn read_piece(
        &mut self,
        subscription: &Subscription,
        reading: &mut Reading,
    ) -> Result<bool, Fault> {
        let size_bytes = reading.reader.size_bytes_max();
        let Some(mut room) = self.outgoing.take(size_bytes + reading.next_bytes) else {
            return Ok(false);
        };
        self.outgoing.keep(room.split_off(size_bytes));
        let read = self.broker.read_next(&mut reading.reader, room).await;
        read.map_err(|failure| self.unread(subscription, failure.into()))?;
        Ok(true)
    }

    async fn deliver_piece(
        &mut self,
        consumer: ConsumerId,
        subscription: &Subscription,
        reading: &mut Reading,
    ) -> Result<Turn, Fault> {
        let mut delivered = 0;
        let turn = loop {
            if reading.credit == 0 {
                break Turn::Bound;
            }
            let record = self.broker.next_record(&mut reading.reader).await;
            let record = record.map_err(|failure| self.unread(subscription, failure.into()))?;
            let Some(record) = record else {
                break Turn::Through;
            };
            if !self.has_memory_for(reading, &record) {
                break Turn::Full;
            }
            if self.deliver_record(consumer, subscription, reading, &record)? {
                reading.credit -= 1;
                delivered += 1;
            }
        };
        self.meter
            .request(operations::position(operations::DELIVER), delivered);
        Ok(turn)
    }

    /// Whether there is memory for a message to be put into the output. A message that is a slice
    /// of its batch needs none of its own.
    fn has_memory_for(&mut self, reading: &mut Reading, record: &Record) -> bool {
        if !reading.reader.are_copied() {
            return true;
        }
        let size_bytes = record.size_bytes();
        if self.has_room_for(size_bytes) {
            reading.next_bytes = 0;
            return true;
        }
        reading.reader.put_back();
        reading.next_bytes = size_bytes;
        false
    }

    /// Sends the message; `false` if the consumer doesn't want it.
    fn deliver_record(
        &mut self,
        consumer: ConsumerId,
        subscription: &Subscription,
        reading: &Reading,
        record: &Record,
    ) -> Result<bool, Fault> {
        let arrival = stored::arrival(record, &subscription.queue);
        let (filter, partition) = (&reading.filter, reading.reader.partition());
        let Some(properties) = streams::read_as(&arrival.properties, record.offset, filter) else {
            return Ok(false);
        };
        let (number, now) = (subscription.channel, self.now);
        let channel = self.session.channel(number)?;
        let unacked = Unacked::read(partition, record.offset, consumer);
        let deliver = basic::Deliver {
            consumer_tag: subscription.tag.clone(),
            delivery_tag: channel.deliveries.leased(unacked, now),
            redelivered: false,
            exchange: arrival.exchange,
            routing_key: arrival.routing_key,
        };
        self.outbox.content(
            number,
            |writer| deliver.encode(writer),
            properties,
            &arrival.body,
        );
        Ok(true)
    }

    fn unread(&self, subscription: &Subscription, error: broker::Error<ReadError>) -> Fault {
        let vhost = &self.session.opened.vhost;
        Subject::queue(&subscription.queue, vhost).fault(error)
    }
}
