//! The state of an open connection: its channels, consumers and publishes in progress.
//!
//! A pure state machine: it takes frames and events of the broker, and returns commands to execute
//! and methods to send; `connection.rs` does both.
//!
//! ```text
//!  channel   unknown ──open──▶ Open ──our close──▶ Closing ──close-ok──▶ unknown
//!                                └──client's close───────────────────────▶
//! ```
//!
//! While a channel is closing, everything but `close` and `close-ok` is dropped: the client sent it
//! before it knew of the close.

pub(crate) mod bounds;
pub(crate) mod confirms;
pub(crate) mod content;
pub(crate) mod in_flight;
pub(crate) mod transaction;
pub(crate) mod unacked;
pub(crate) mod waiting;

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use hashbrown::HashMap;
use stele_base_types::{ConsumerId, LogId, Name, ShardId};
use stele_front_accept::{ConsumerInfo, Consumers};
use stele_wire_amqp::{
    ContentHeader, Frame, Method, ShortString,
    method::{basic, channel, connection},
};
use tokio::time::Instant;

use self::{
    confirms::Confirms,
    content::{Assembly, Content, Unfinished},
    in_flight::InFlight,
    transaction::Transaction,
    unacked::{Deliveries, Unacked},
    waiting::Waiting,
};
use crate::{errors::Fault, limits::ASSEMBLY_BYTES_MAX, negotiation::Opened};

/// A channel and its generation, because a number may be opened again after it was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChannelId {
    pub(crate) number: u16,
    pub(crate) life: u64,
}

/// A command to execute.
#[derive(Debug)]
pub(crate) enum Command {
    /// A method without content.
    Method(u16, Method),
    /// A message.
    Publish(u16, Content),
}

/// An error while processing a frame, with its channel and method.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) channel: u16,
    pub(crate) method: (u16, u16),
    pub(crate) fault: Fault,
}

/// An open channel.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) id: ChannelId,
    closing: bool,
    assembly: Assembly,
    /// Present in confirm mode.
    pub(crate) confirms: Option<Confirms>,
    /// Present on a transactional channel.
    pub(crate) transaction: Option<Transaction>,
    pub(crate) deliveries: Deliveries,
    /// Deliveries for when its consumers have acknowledged enough.
    pub(crate) waiting: VecDeque<Waiting>,
    /// For later consumers.
    pub(crate) prefetch: Option<u32>,
    /// Shared by all consumers of the channel.
    pub(crate) prefetch_shared: Option<u32>,
    /// The part of that limit that each shard with consumers knows.
    told: BTreeMap<ShardId, u32>,
    pub(crate) consumers: BTreeMap<ShortString, ConsumerId>,
    /// The queue that an empty name stands for.
    pub(crate) last_queue: Option<Name>,
}

/// A consumer.
#[derive(Clone, Debug)]
pub(crate) struct Subscription {
    pub(crate) channel: u16,
    pub(crate) tag: ShortString,
    pub(crate) queue: Name,
    pub(crate) log: LogId,
    pub(crate) no_ack: bool,
    /// Whether it must be the only consumer.
    pub(crate) exclusive: bool,
    /// Whether deliveries show how often the message was delivered before.
    pub(crate) counts_deliveries: bool,
    /// Whether it reads without taking anything.
    pub(crate) reads: bool,
}

/// The resources of a closed channel.
#[derive(Debug, Default)]
pub(crate) struct Released {
    pub(crate) consumers: Vec<(ConsumerId, Subscription)>,
    pub(crate) unacked: Vec<Unacked>,
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) opened: Opened,
    body_bytes_max: u64,
    channels: HashMap<u16, Channel>,
    subscriptions: HashMap<ConsumerId, Subscription>,
    /// The same, to be shown.
    pub(crate) consumers: Consumers,
    pub(crate) in_flight: InFlight,
    lives: u64,
    last_consumer: u64,
    /// Bytes of unfinished bodies over all channels.
    unfinished: Unfinished,
    /// The server has sent `connection.close`.
    closing: bool,
}

impl Session {
    /// Whether open transactions hold memory.
    pub(crate) fn holds_transactions(&self) -> bool {
        let mut open = self
            .channels
            .values()
            .filter_map(|it| it.transaction.as_ref());
        open.any(|transaction| transaction.room.bytes() > 0)
    }

    pub(crate) fn new(opened: Opened, body_bytes_max: u64) -> Self {
        Self {
            opened,
            body_bytes_max,
            channels: HashMap::new(),
            subscriptions: HashMap::new(),
            consumers: Consumers::default(),
            in_flight: InFlight::default(),
            lives: 0,
            last_consumer: 0,
            unfinished: Unfinished::default(),
            closing: false,
        }
    }

    /// Processes a frame. Returns a command if one is complete.
    pub(crate) fn accept(&mut self, frame: Frame) -> Result<Option<Command>, Failure> {
        match frame {
            Frame::Heartbeat { channel: 0 } => Ok(None),
            Frame::Method { channel, payload } => self.accept_method(channel, payload),
            Frame::Header { channel, payload } => {
                self.accept_content(channel, |assembly, body_bytes_max| {
                    assembly.header(ContentHeader::decode(payload)?, body_bytes_max)
                })
            }
            Frame::Body { channel, payload } => {
                self.accept_content(channel, |assembly, _| assembly.body(payload))
            }
            Frame::Heartbeat { channel } => Err(failure(
                channel,
                Fault::unexpected_frame("heartbeat on a channel other than 0"),
            )),
        }
    }

    fn accept_method(&mut self, number: u16, payload: Bytes) -> Result<Option<Command>, Failure> {
        let decoded = Method::decode(payload);
        let is_close = matches!(
            decoded,
            Ok(
                Method::Connection(connection::Method::Close(_) | connection::Method::CloseOk(_))
                    | Method::Channel(channel::Method::Close(_) | channel::Method::CloseOk(_))
            )
        );
        if (self.closing || self.is_closing(number)) && !is_close {
            return Ok(None);
        }
        let method = decoded.map_err(|error| failure(number, error.into()))?;
        self.check_place(number, &method).map_err(|fault| Failure {
            channel: number,
            method: method.ids(),
            fault,
        })?;
        if let Method::Basic(basic::Method::Publish(publish)) = method {
            if let Some(channel) = self.channels.get_mut(&number) {
                channel.assembly = Assembly::Header(publish);
            }
            return Ok(None);
        }
        Ok(Some(Command::Method(number, method)))
    }

    /// Checks that the method may arrive on this channel now.
    fn check_place(&self, number: u16, method: &Method) -> Result<(), Fault> {
        let is_connection = matches!(method, Method::Connection(_));
        if number == 0 || is_connection {
            if number == 0 && is_connection {
                return Ok(());
            }
            return Err(Fault::command_invalid(format!(
                "{} on channel {number}",
                method.name()
            )));
        }
        let is_open = matches!(method, Method::Channel(channel::Method::Open(_)));
        match self.channels.get(&number) {
            None if is_open => Ok(()),
            None => Err(Fault::channel_error("expected 'channel.open'")),
            Some(_) if is_open => Err(Fault::channel_error("second 'channel.open' seen")),
            Some(channel) if channel.assembly.is_under_way() => Err(Fault::unexpected_frame(
                "expected content header for class 60, got non content header frame instead",
            )),
            Some(_) => Ok(()),
        }
    }

    fn accept_content(
        &mut self,
        number: u16,
        step: impl FnOnce(&mut Assembly, u64) -> Result<Option<Content>, Fault>,
    ) -> Result<Option<Command>, Failure> {
        if self.closing || self.is_closing(number) {
            return Ok(None);
        }
        let Some(channel) = self.channels.get_mut(&number) else {
            let fault = Fault::unexpected_frame("content on a channel that isn't open");
            return Err(failure(number, fault));
        };
        self.unfinished -= channel.assembly.unfinished();
        let content = step(&mut channel.assembly, self.body_bytes_max);
        self.unfinished += channel.assembly.unfinished();
        let content = content.map_err(|fault| Failure {
            channel: number,
            method: (basic::CLASS_ID, basic::Publish::ID),
            fault,
        })?;
        // One body may always be as large as it may be.
        if self.unfinished.received > self.body_bytes_max.max(ASSEMBLY_BYTES_MAX) {
            let fault = Fault::resource("too many unfinished bodies at a time");
            return Err(failure(number, fault));
        }
        Ok(content.map(|content| Command::Publish(number, content)))
    }

    /// The received and missing bytes of unfinished bodies.
    pub(crate) fn unfinished(&self) -> Unfinished {
        self.unfinished
    }

    fn is_closing(&self, number: u16) -> bool {
        self.channels
            .get(&number)
            .is_some_and(|channel| channel.closing)
    }

    /// Opens a channel.
    pub(crate) fn open_channel(&mut self, number: u16) -> Result<(), Fault> {
        let channel_max = usize::from(self.opened.channel_max);
        if self.channels.len() >= channel_max {
            return Err(Fault::not_allowed(format!(
                "number of channels opened ({}) has reached the negotiated channel_max \
                 ({channel_max})",
                self.channels.len()
            )));
        }
        self.lives += 1;
        let id = ChannelId {
            number,
            life: self.lives,
        };
        self.channels.insert(number, Channel::new(id));
        Ok(())
    }

    /// Takes a channel's resources; the channel then waits for `close-ok`.
    pub(crate) fn begin_closing(&mut self, number: u16) -> Released {
        let Some(channel) = self.channels.get_mut(&number) else {
            return Released::default();
        };
        channel.closing = true;
        self.unfinished -= channel.assembly.unfinished();
        channel.assembly = Assembly::Nothing;
        channel.confirms = None;
        let open = channel.transaction.take().unwrap_or_default().settlements;
        let unacked = open.into_iter().map(|(_, unacked, _)| unacked);
        let unsettled = channel.deliveries.take_all().into_iter();
        let unacked = unacked.chain(unsettled.map(|(_, unacked)| unacked));
        let waiting = channel.waiting.iter().flat_map(Waiting::unacked);
        let unacked = unacked.chain(waiting).collect();
        channel.waiting.clear();
        let consumers: Vec<_> = std::mem::take(&mut channel.consumers)
            .into_values()
            .filter_map(|id| Some((id, self.subscriptions.remove(&id)?)))
            .collect();
        for (id, _) in &consumers {
            self.consumers.remove(*id);
        }
        Released { consumers, unacked }
    }

    /// The queue of a channel's oldest unacknowledged delivery, and when that was sent.
    pub(crate) fn oldest_delivery(&self, number: u16) -> Option<(LogId, Instant)> {
        self.channels.get(&number)?.deliveries.oldest()
    }

    /// Removes a channel.
    pub(crate) fn forget(&mut self, number: u16) {
        self.channels.remove(&number);
    }

    /// From now on, drops all input but the end of the connection.
    pub(crate) fn begin_closing_connection(&mut self) {
        self.closing = true;
    }

    /// The channel numbers, in order.
    pub(crate) fn channel_numbers(&self) -> Vec<u16> {
        let mut numbers: Vec<u16> = self.channels.keys().copied().collect();
        numbers.sort_unstable();
        numbers
    }

    /// An open channel. The commands of [`Session::accept`] arrive only on open channels.
    pub(crate) fn channel(&mut self, number: u16) -> Result<&mut Channel, Fault> {
        self.channels
            .get_mut(&number)
            .filter(|channel| !channel.closing)
            .ok_or_else(|| Fault::channel_error("expected 'channel.open'"))
    }

    /// The channel, if it has the same generation.
    pub(crate) fn channel_of(&mut self, id: ChannelId) -> Option<&mut Channel> {
        self.channels
            .get_mut(&id.number)
            .filter(|channel| channel.id == id)
    }

    /// Adds a consumer.
    pub(crate) fn add_subscription(&mut self, subscription: Subscription) -> ConsumerId {
        self.last_consumer += 1;
        let id = ConsumerId(self.last_consumer);
        if let Some(channel) = self.channels.get_mut(&subscription.channel) {
            channel.consumers.insert(subscription.tag.clone(), id);
            let info = ConsumerInfo {
                log: subscription.log,
                tag: subscription.tag.to_string(),
                channel: subscription.channel,
                acknowledges: !subscription.no_ack,
                exclusive: subscription.exclusive,
                prefetch: channel.prefetch,
            };
            self.consumers.add(id, info);
        }
        self.subscriptions.insert(id, subscription);
        id
    }

    /// A consumer.
    pub(crate) fn subscription(&self, id: ConsumerId) -> Option<&Subscription> {
        self.subscriptions.get(&id)
    }

    /// Removes a consumer.
    pub(crate) fn remove_subscription(&mut self, id: ConsumerId) -> Option<Subscription> {
        let subscription = self.subscriptions.remove(&id)?;
        self.consumers.remove(id);
        if let Some(channel) = self.channels.get_mut(&subscription.channel) {
            channel.consumers.remove(&subscription.tag);
        }
        Some(subscription)
    }

    /// The logs that a channel takes messages from, without duplicates.
    pub(crate) fn consumed_logs(&self, number: u16) -> Vec<LogId> {
        let mut logs: Vec<LogId> = self
            .subscriptions
            .values()
            .filter(|subscription| subscription.channel == number && !subscription.reads)
            .map(|subscription| subscription.log)
            .collect();
        logs.sort_unstable();
        logs.dedup();
        logs
    }
}

impl Channel {
    fn new(id: ChannelId) -> Self {
        Self {
            id,
            closing: false,
            assembly: Assembly::default(),
            confirms: None,
            transaction: None,
            deliveries: Deliveries::default(),
            waiting: VecDeque::new(),
            prefetch: None,
            prefetch_shared: None,
            told: BTreeMap::new(),
            consumers: BTreeMap::new(),
            last_queue: None,
        }
    }

    /// Marks the limit as unknown to all shards, or to this one.
    pub(crate) fn forget_told(&mut self, shard: Option<ShardId>) {
        self.told
            .retain(|known, _| shard.is_some_and(|shard| *known != shard));
    }

    /// Whether the shared limit permits another delivery. Deliveries acknowledged in a transaction
    /// count until it is committed.
    pub(crate) fn has_room(&self) -> bool {
        let Some(limit) = self.prefetch_shared else {
            return true;
        };
        let acknowledging = self
            .transaction
            .as_ref()
            .map_or(0, |transaction| transaction.settlements.len());
        self.deliveries.counted() + acknowledging < limit as usize
    }
}

fn failure(channel: u16, fault: Fault) -> Failure {
    Failure {
        channel,
        method: (0, 0),
        fault,
    }
}

#[cfg(test)]
mod tests;
