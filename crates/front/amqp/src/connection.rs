//! An open connection: executes the commands that the session makes of frames, and sends the
//! results.
//!
//! ```text
//!  frame ─▶ Session::accept ─▶ Command ─▶ operations ─┬─▶ broker (publishes and settlements
//!                                                     │            gathered, then flushed)
//!  broker events ─▶ delivering ──────────────────────▶└─▶ outbox ─▶ driver
//! ```
//!
//! Invariants:
//! - Frames of a channel take effect in the order sent: an operation that asks the broker first
//!   flushes everything gathered before it.
//! - Nothing is sent on a channel after its `close` or `close-ok`, nor for a consumer after its
//!   `cancel-ok`.

pub(crate) mod committing;
mod delivering;
pub(crate) mod incoming;
mod outgoing;
mod overdue;
pub(crate) mod publishing;
pub(crate) mod reading;
pub(crate) mod settling;

use std::{collections::VecDeque, sync::Arc};

use hashbrown::HashMap;
use stele_base_types::{ConsumerId, LogId, Offset, Principal};
use stele_core_broker::{self as broker, Broker, Events, FrontMeter, Publish, Share};
use stele_core_engine::{DeleteLog, LogDefinition, Outcome};
use stele_wire_amqp::{
    Frame, Method, ShortString,
    method::{basic, channel, connection, tx},
    reply_code::CONNECTION_FORCED,
};
use tokio::time::Instant;

use self::{
    committing::Committing, delivering::Owed, incoming::Incoming, outgoing::Outgoing,
    overdue::Patience, publishing::Gathering, reading::Readings, settling::Settling,
};
use crate::{
    errors::Fault,
    negotiation::Opened,
    operations,
    outbox::Outbox,
    routing::{self, Destination},
    session::{
        ChannelId, Command, Failure, Session, Subscription,
        confirms::Confirm,
        in_flight::ToConfirm,
        unacked::{Unacked, first_read},
    },
    settings::Settings,
    stored::Message,
};

/// The state of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Open.
    Open,
    /// The server has sent `close` and waits for `close-ok`.
    Closing,
    /// Ends when the output is written.
    Over,
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) settings: Arc<Settings>,
    pub(crate) broker: Broker,
    /// The connection's session with the broker, which holds the leases.
    pub(crate) holder: broker::Session,
    pub(crate) events: Events,
    pub(crate) session: Session,
    pub(crate) outbox: Outbox,
    pub(crate) outgoing: Outgoing,
    pub(crate) incoming: Incoming,
    pub(crate) meter: Arc<FrontMeter>,
    gathering: Gathering,
    settling: Settling,
    owed: VecDeque<Owed>,
    /// Credit below one step that is still to be returned, by consumer.
    written_off: HashMap<ConsumerId, u64>,
    /// Channels with outstanding confirms.
    confirming: Vec<ChannelId>,
    /// Channels with deliveries that their limits hold back.
    waiting: Vec<u16>,
    /// The consumers that read without taking anything.
    pub(crate) readings: Readings,
    /// The connection's exclusive queues.
    pub(crate) exclusive: Vec<LogId>,
    /// Whether the broker is short of disk space.
    blocked: bool,
    /// Whether the client, which publishes, has waited long for memory.
    short: bool,
    /// A publish or a commit that arrived while it was. No input is processed until it is done.
    held: Option<Command>,
    /// A transaction whose messages are being stored. No input is processed until it is done.
    committing: Option<Committing>,
    progress: Progress,
    /// Its name in lists of connections.
    pub(crate) name: String,
    /// When the driver last woke up.
    pub(crate) now: Instant,
    pub(crate) patience: Patience,
}

impl Connection {
    /// Opens the negotiated connection.
    pub(crate) async fn open(
        broker: Broker,
        settings: Arc<Settings>,
        mut opened: Opened,
        meter: Arc<FrontMeter>,
    ) -> Self {
        let (holder, events) = broker.open_session().await;
        opened.principal.session = Some(holder.id());
        let outbox = Outbox::new(opened.frame_bytes_max);
        let now = Instant::now();
        let mut connection = Self {
            session: Session::new(opened, settings.body_bytes_max),
            name: String::new(),
            now,
            patience: Patience::new(settings.consumer_timeout, now),
            settings,
            outgoing: Outgoing::new(broker.memory().clone()),
            incoming: Incoming::new(broker.memory().clone()),
            broker,
            holder,
            events,
            outbox,
            meter,
            gathering: Gathering::default(),
            settling: Settling::default(),
            owed: VecDeque::new(),
            written_off: HashMap::new(),
            confirming: Vec::new(),
            waiting: Vec::new(),
            readings: Readings::default(),
            exclusive: Vec::new(),
            blocked: false,
            short: false,
            held: None,
            committing: None,
            progress: Progress::Open,
        };
        connection.outbox.method(0, connection::OpenOk {});
        connection
    }

    /// The client.
    pub(crate) fn principal(&self) -> &Principal {
        &self.session.opened.principal
    }

    pub(crate) fn progress(&self) -> Progress {
        self.progress
    }

    /// Whether frames may be processed: not while an earlier command waits.
    pub(crate) fn takes_input(&self) -> bool {
        self.held.is_none() && self.committing.is_none() && self.progress != Progress::Over
    }

    /// Processes a frame.
    pub(crate) async fn frame(&mut self, frame: Frame) {
        match self.session.accept(frame) {
            Ok(None) => {}
            Ok(Some(command)) => self.command(command).await,
            Err(failure) => self.fail(failure).await,
        }
    }

    /// Continues a commit whose messages are stored, and the held command if there is space again.
    pub(crate) async fn resume(&mut self) {
        if let Some(committed) = self.committing.take_if(|it| it.outcome.is_some()) {
            let number = committed.number;
            if let Err(fault) = operations::committed(self, committed).await {
                let method = (tx::CLASS_ID, tx::Commit::ID);
                self.fail(Failure {
                    channel: number,
                    method,
                    fault,
                })
                .await;
            }
        }
        if let Some(command) = self.held.take() {
            self.command(command).await;
        }
    }

    async fn command(&mut self, command: Command) {
        if self.must_wait(&command) {
            self.held = Some(command);
            return;
        }
        if let Command::Publish(..) = command {
            self.incoming.publishes();
        }
        let (number, method) = match &command {
            Command::Method(number, method) => (*number, method.ids()),
            Command::Publish(number, _) => (*number, (basic::CLASS_ID, basic::Publish::ID)),
        };
        if let Err(fault) = operations::run(self, command).await {
            self.fail(Failure {
                channel: number,
                method,
                fault,
            })
            .await;
        }
    }

    /// Whether the broker is short of disk space.
    pub(crate) fn is_short_of_disk(&self) -> bool {
        self.blocked
    }

    /// Whether a command must wait: for disk space, or for memory until the client has read its
    /// output.
    fn must_wait(&mut self, command: &Command) -> bool {
        if let Command::Method(_, Method::Basic(basic::Method::Get(_))) = command {
            return !self.outbox.is_empty() && self.outgoing.is_short();
        }
        self.blocked && self.needs_space(command)
    }

    fn needs_space(&mut self, command: &Command) -> bool {
        match command {
            Command::Publish(..) => true,
            Command::Method(number, Method::Tx(tx::Method::Commit(_))) => {
                let channel = self.session.channel(*number).ok();
                let transaction = channel.and_then(|channel| channel.transaction.as_ref());
                transaction.is_some_and(|it| !it.publishes.is_empty())
            }
            Command::Method(..) => false,
        }
    }

    /// Sends everything gathered: publishes, settlements, confirms, and waiting deliveries.
    pub(crate) async fn flush(&mut self) {
        if let Err(fault) = self.deliver_waiting().await {
            tracing::warn!(client = %self.principal(), "{}", fault.text());
        }
        let is_short = self.deliver_read().await;
        if self.waiting.is_empty() && !is_short {
            self.outgoing.forget_wanted();
        }
        if self.outbox.is_empty() {
            // Nothing more will be written that could trigger the return of this credit.
            self.return_credit().await;
        }
        self.flush_publishes().await;
        if let Some(settle) = self.settling.take() {
            self.holder.settle(settle).await;
        }
        let holder = &self.holder;
        for bound in self.session.changed_bounds(|log| holder.shard_of(log)) {
            let (pool, limit) = (bound.channel.life, Some(bound.limit));
            holder.prefetch(bound.log, pool, limit).await;
        }
        self.flush_confirms();
    }

    /// Frees the memory of messages passed on to their queues; `input` bytes are still unprocessed.
    pub(crate) fn settle_input(&mut self, input: usize) {
        self.incoming.settle(input, self.session.unfinished());
    }

    /// Sends a reply on a channel.
    pub(crate) fn reply(&mut self, channel: u16, method: impl Into<Method>) {
        self.outbox.method(channel, method);
    }

    /// Publishes a message to one or more logs.
    pub(crate) async fn publish(
        &mut self,
        to: Destination,
        message: &Message,
        confirm: Option<ToConfirm>,
    ) -> Result<(), Fault> {
        if !self.gathering.has_room_for(&to, message) {
            self.flush_publishes().await;
        }
        let now = self.settings.clock.now();
        self.gathering
            .push(to, message, now, confirm)
            .map_err(|error| Fault::precondition(format!("message can't be stored: {error}")))
    }

    /// Settles a delivery.
    pub(crate) async fn settle(&mut self, unacked: &Unacked, outcome: Outcome) {
        if self.settle_read(unacked, outcome) {
            return;
        }
        if let Some(settle) = self.settling.push(unacked, outcome) {
            self.holder.settle(settle).await;
        }
    }

    async fn flush_publishes(&mut self) {
        if let Some(gathered) = self.gathering.take() {
            let tag = self.session.in_flight.push(gathered.confirms);
            let room = self.incoming.pass(gathered.publish.batch.bytes().len());
            self.send_publish(tag, gathered.publish, gathered.is_persistent, room)
                .await;
        }
    }

    /// Sends a batch to the broker. If none of its messages is persistent, its confirms needn't
    /// wait for the disk, where its queues allow that.
    async fn send_publish(&mut self, tag: u64, publish: Publish, is_persistent: bool, room: Share) {
        let durable = is_persistent || !routing::may_lose_transient(self, &publish.targets);
        self.holder.publish(tag, publish, durable, room).await;
    }

    fn flush_confirms(&mut self) {
        for id in std::mem::take(&mut self.confirming) {
            let Some(channel) = self.session.channel_of(id) else {
                continue;
            };
            let Some(confirms) = &mut channel.confirms else {
                continue;
            };
            for confirm in confirms.take() {
                match confirm {
                    Confirm::Ack(ack) => self.outbox.method(id.number, ack),
                    Confirm::Nack(nack) => self.outbox.method(id.number, nack),
                }
            }
        }
    }

    /// Closes the channel or the connection, depending on the fault's code.
    pub(crate) async fn fail(&mut self, failure: Failure) {
        let Failure {
            channel,
            method: (class_id, method_id),
            fault,
        } = failure;
        let text = fault.text();
        tracing::warn!(client = %self.principal(), channel, code = fault.code.code, "{text}");
        let reply_text = ShortString::truncated(&text);
        let reply_code = fault.code.code;
        if !fault.code.hard && channel != 0 {
            self.release(channel).await;
            let close = channel::Close {
                reply_code,
                reply_text,
                class_id,
                method_id,
            };
            self.outbox.method(channel, close);
            return;
        }
        if self.progress != Progress::Open {
            return;
        }
        if fault.code != CONNECTION_FORCED {
            self.meter.connection_error();
        }
        self.held = None;
        self.committing = None;
        self.release_all().await;
        self.session.begin_closing_connection();
        self.progress = Progress::Closing;
        let close = connection::Close {
            reply_code,
            reply_text,
            class_id,
            method_id,
        };
        self.outbox.method(0, close);
    }

    /// Returns the deliveries of a channel and cancels its consumers. The channel then waits for
    /// its end.
    pub(crate) async fn release(&mut self, number: u16) {
        self.flush().await;
        let released = self.session.begin_closing(number);
        for (consumer, subscription) in &released.consumers {
            let unsettled = first_read(&released.unacked, *consumer);
            self.end_consumer(*consumer, subscription, unsettled, true)
                .await;
            self.written_off.remove(consumer);
        }
        for unacked in &released.unacked {
            self.settle(unacked, Outcome::Return(0)).await;
        }
        // This also returns deliveries that were on their way to those consumers.
        if let Err(fault) = self.drain_events().await {
            tracing::warn!(client = %self.principal(), "{}", fault.text());
        }
        self.flush().await;
        for (_, subscription) in &released.consumers {
            self.await_auto_delete(subscription.log).await;
        }
    }

    /// Ends what a consumer has in the broker. If it lingers, what it holds is returned next. Of
    /// what it has read without taking, the first that isn't settled is at `unsettled`.
    pub(crate) async fn end_consumer(
        &mut self,
        consumer: ConsumerId,
        of: &Subscription,
        unsettled: Option<Offset>,
        lingers: bool,
    ) {
        if of.reads {
            return self.readings.remove(consumer, unsettled);
        }
        // A deleted log has no subscription left to end.
        drop(self.holder.unsubscribe(of.log, consumer, lingers).await);
    }

    /// Waits until a queue is gone that was deleted with its last consumer: once the client is told
    /// of the consumer's end, it may declare the queue again, and nothing is routed to the old one.
    pub(crate) async fn await_auto_delete(&mut self, log: LogId) {
        let is_auto_delete = |known: &LogDefinition| known.config.lifetime.auto_delete;
        let known = self.broker.catalogue().log_by_id(log).map(is_auto_delete);
        if known == Some(true) {
            let delete = DeleteLog {
                if_unused: true,
                ..DeleteLog::anyway(log)
            };
            // It stays if it has other consumers.
            drop(self.broker.delete_log(delete).await);
        }
        if self.broker.catalogue().log_by_id(log).is_none() {
            self.exclusive.retain(|exclusive| *exclusive != log);
        }
    }

    /// Releases everything the connection holds: channels, then exclusive queues.
    pub(crate) async fn release_all(&mut self) {
        for number in self.session.channel_numbers() {
            self.release(number).await;
        }
        for log in std::mem::take(&mut self.exclusive) {
            // It may have been deleted already.
            drop(self.broker.delete_log(DeleteLog::anyway(log)).await);
        }
    }

    /// Ends the connection once the output is written.
    pub(crate) fn finish(&mut self) {
        self.progress = Progress::Over;
    }
}
