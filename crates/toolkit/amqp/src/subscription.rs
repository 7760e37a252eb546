//! Subscriptions: a task that takes deliveries, and connects again when the connection is lost.
//!
//! ```text
//!            ┌──────── lost: backoff, connect, declare, consume ────────┐
//!            ▼                                                          │
//!  subscribe ─► running ─ pause ─► paused ─ resume ─► running ── drain ─► draining ─► ended
//! ```

use std::{pin::pin, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{
    StreamExt as _,
    stream::{FuturesUnordered, SelectAll, select_all},
};
use lapin::{
    Channel, Connection, Consumer,
    message::Delivery as AmqpDelivery,
    options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions},
    types::{FieldTable, ShortString},
};
use stele_toolkit_bus::{Deliveries, Delivery, Handout, Origin, Subscription, TransportError};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{self, Instant},
};
use uuid::Uuid;

use crate::{
    QueueKind,
    connection::{Backoff, Broker},
    errors::translate,
    fields::{delivery_count, incoming},
    names::short,
    settle::{Settling, Then, Waiting, requeue},
};

/// What the consumer wants of the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Run,
    Pause,
    Drain,
}

/// How many messages wait at a time, to be tried again, for whose sake others are taken.
const WAITING_MAX: usize = 1_000;

/// A delivery.
#[derive(Debug)]
pub(crate) struct Ready {
    /// Where it came from.
    queue: String,
    /// Without its body.
    pub(crate) delivery: AmqpDelivery,
    body: Bytes,
    pub(crate) received_at: Instant,
    /// Closed once the connection is given up: the client library may leave an acknowledgement
    /// without an answer then.
    pub(crate) open: watch::Receiver<()>,
    /// Of the [`Link`] when it came.
    round: u64,
}

impl Ready {
    /// Whether its connection is given up.
    fn is_lost(&self) -> bool {
        self.open.has_changed().is_err()
    }
}

/// The queues of a subscription: that of the service, if it has topics, and those that it consumes.
pub(crate) fn queues_of(subscription: &Subscription) -> Vec<String> {
    let mut queues = Vec::new();
    if !subscription.topics.is_empty() {
        queues.push(subscription.service.clone());
    }
    for queue in &subscription.queues {
        if !queues.contains(queue) {
            queues.push(queue.clone());
        }
    }
    queues
}

/// Begins to take messages. The first connection is made here, so that what is wrong is told.
pub(crate) async fn subscribe(
    broker: &Arc<Broker>,
    subscription: &Subscription,
) -> Result<Box<dyn Deliveries>, TransportError> {
    let (waits, waiting) =
        mpsc::channel(usize::try_from(subscription.prefetch).unwrap_or(1).max(1));
    let (wish, wishes) = watch::channel(Wish::Run);
    let handout = Handout::new(subscription.prefetch);
    let mut task = Task {
        broker: Arc::clone(broker),
        subscription: subscription.clone(),
        handout: handout.clone(),
        wishes,
        waiting,
    };
    let connection = broker.connect_patiently(&task.purpose()).await?;
    let link = task.open(connection).await?;
    Ok(Box::new(AmqpDeliveries {
        counts: broker.settings.queue_kind == QueueKind::Quorum,
        broker: Arc::clone(broker),
        handout,
        waits,
        wish,
        task: tokio::spawn(async move { task.run(link).await }),
    }))
}

#[derive(Debug)]
struct AmqpDeliveries {
    broker: Arc<Broker>,
    counts: bool,
    handout: Handout<Ready>,
    waits: mpsc::Sender<Waiting>,
    wish: watch::Sender<Wish>,
    task: JoinHandle<()>,
}

#[async_trait]
impl Deliveries for AmqpDeliveries {
    async fn next(&mut self) -> Option<Delivery> {
        let (ready, hold) = self.handout.next().await?;
        let delivery = &ready.delivery;
        let before = match delivery_count(&delivery.properties) {
            // A quorum queue of RabbitMQ tells no count at the first delivery.
            None if self.counts && !delivery.redelivered => Some(0),
            count => count,
        };
        let origin = Origin {
            name: ready.queue.clone(),
            ..Origin::default()
        };
        let message = incoming(&self.broker.exchanges, delivery, ready.body.clone());
        let is_redelivered = delivery.redelivered || before.is_some_and(|before| before > 0);
        let settling = Settling {
            ready,
            waits: self.waits.clone(),
            hold,
        };
        let mut made = Delivery::new(message, origin, Box::new(settling));
        made.attempt = before.filter(|_| self.counts).map(|before| before + 1);
        made.is_redelivered = is_redelivered;
        Some(made)
    }

    fn pause(&self) {
        self.wish.send_replace(Wish::Pause);
    }

    fn resume(&self) {
        self.wish.send_replace(Wish::Run);
    }

    async fn drain(mut self: Box<Self>) -> Result<(), TransportError> {
        self.wish.send_replace(Wish::Drain);
        // Its only failures are those of the connection, after which the broker has everything.
        (&mut self.task).await.map_err(|_| TransportError::Closed)
    }
}

impl Drop for AmqpDeliveries {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The task of a subscription.
#[derive(Debug)]
struct Task {
    broker: Arc<Broker>,
    subscription: Subscription,
    handout: Handout<Ready>,
    wishes: watch::Receiver<Wish>,
    waiting: mpsc::Receiver<Waiting>,
}

/// A connection with its consumers.
#[derive(Debug)]
struct Link {
    /// Open as long as this is.
    connection: Connection,
    channel: Channel,
    consumers: SelectAll<Consumer>,
    tags: Vec<ShortString>,
    open: watch::Sender<()>,
    /// How often it began to consume. Each time, the broker grants the prefetch anew.
    round: u64,
    /// How many messages of this round wait, and so take their part of the prefetch.
    waiting: usize,
}

/// Why a link isn't used any more.
#[derive(Debug)]
enum End {
    Drained,
    Lost(TransportError),
}

impl Task {
    fn purpose(&self) -> String {
        format!("serves {}", self.subscription.service)
    }

    async fn run(&mut self, link: Link) {
        let mut link = Some(link);
        let mut backoff = Backoff::new();
        loop {
            let lost = match link.take() {
                Some(open) => match self.serve(open).await {
                    End::Drained => return,
                    End::Lost(error) => {
                        backoff = Backoff::new();
                        error
                    }
                },
                None => match self.reopen().await {
                    Ok(open) => {
                        link = Some(open);
                        continue;
                    }
                    Err(error) => error,
                },
            };
            let service = &self.subscription.service;
            tracing::warn!(service, error = %lost, "the subscription connects again");
            if *self.wishes.borrow() == Wish::Drain {
                return self.drained().await;
            }
            backoff.wait().await;
        }
    }

    async fn reopen(&self) -> Result<Link, TransportError> {
        let connection = self.broker.connect(&self.purpose()).await?;
        self.open(connection).await
    }

    /// Declares what the subscription needs, and begins to consume unless it is paused.
    async fn open(&self, connection: Connection) -> Result<Link, TransportError> {
        let declared = self
            .broker
            .declare_subscription(&connection, &self.subscription);
        declared.await?;
        let channel = self.broker.in_time(connection.create_channel()).await?;
        let prefetch = u16::try_from(self.subscription.prefetch).unwrap_or(u16::MAX);
        let qos = channel.basic_qos(prefetch.max(1), BasicQosOptions::default());
        self.broker.in_time(qos).await?;
        let mut link = Link {
            connection,
            channel,
            consumers: SelectAll::new(),
            tags: Vec::new(),
            open: watch::channel(()).0,
            round: 0,
            waiting: 0,
        };
        if *self.wishes.borrow() == Wish::Run {
            self.consume(&mut link).await?;
        }
        Ok(link)
    }

    fn is_to_consume(&self, link: &Link) -> bool {
        link.tags.is_empty() && *self.wishes.borrow() == Wish::Run
    }

    async fn consume(&self, link: &mut Link) -> Result<(), TransportError> {
        let mut consumers = Vec::new();
        for queue in queues_of(&self.subscription) {
            let tag = ShortString::from(Uuid::new_v4().to_string());
            let consuming = link.channel.basic_consume(
                short(&queue)?,
                tag.clone(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            );
            consumers.push(self.broker.in_time(consuming).await?);
            link.tags.push(tag);
        }
        link.consumers = select_all(consumers);
        link.round += 1;
        link.waiting = 0;
        Ok(())
    }

    /// Tells the broker to send nothing more. What it has sent before still comes.
    async fn cancel(&self, link: &mut Link) -> Result<(), TransportError> {
        for tag in link.tags.drain(..) {
            let cancelling = link
                .channel
                .basic_cancel(tag, BasicCancelOptions::default());
            self.broker.in_time(cancelling).await?;
        }
        while let Some(Ok(delivery)) = link.consumers.next().await {
            self.put(link, delivery);
        }
        Ok(())
    }

    fn put(&self, link: &Link, mut delivery: AmqpDelivery) {
        let queue = match delivery.exchange.as_str().is_empty() {
            true => delivery.routing_key.as_str().to_owned(),
            false => self.subscription.service.clone(),
        };
        // A closed handout is one that is being drained, which returns what it doesn't take.
        let ready = Ready {
            queue,
            body: Bytes::from(std::mem::take(&mut delivery.data)),
            delivery,
            received_at: Instant::now(),
            open: link.open.subscribe(),
            round: link.round,
        };
        self.handout.put(ready).ok();
    }

    /// Takes deliveries until the subscription is drained or the connection is lost.
    async fn serve(&mut self, mut link: Link) -> End {
        let mut waiting = FuturesUnordered::new();
        let end = loop {
            tokio::select! {
                changed = self.wishes.changed() => {
                    let wish = *self.wishes.borrow_and_update();
                    let done = match wish {
                        // The task is aborted in a moment.
                        _ if changed.is_err() => return End::Drained,
                        Wish::Drain => break self.drain(&mut link).await,
                        Wish::Pause => self.cancel(&mut link).await,
                        // Below, once there is room.
                        Wish::Run => Ok(()),
                    };
                    if let Err(error) = done {
                        break End::Lost(error);
                    }
                }
                next = link.consumers.next(), if !link.tags.is_empty() => match next {
                    Some(Ok(delivery)) => self.put(&link, delivery),
                    Some(Err(error)) => break End::Lost(translate(&error)),
                    None => break End::Lost(TransportError::Lost),
                },
                // A new consumer has a prefetch of its own: what the one before it was sent must
                // not add up, however often the subscription is paused.
                Some(_) = self.handout.has_room(), if self.is_to_consume(&link) => {
                    if let Err(error) = self.consume(&mut link).await {
                        break End::Lost(error);
                    }
                }
                Some(next) = self.waiting.recv() => {
                    if next.ready.is_lost() {
                        continue;
                    }
                    if next.ready.round == link.round {
                        link.waiting += 1;
                    }
                    waiting.push(wait(self.handout.clone(), next));
                }
                Some(round) = waiting.next(), if !waiting.is_empty() => {
                    if round == link.round {
                        link.waiting = link.waiting.saturating_sub(1);
                    }
                }
            }
            if self.is_blocked(&link) && waiting.len() < WAITING_MAX {
                let renewed = async {
                    self.cancel(&mut link).await?;
                    self.consume(&mut link).await
                };
                if let Err(error) = renewed.await {
                    break End::Lost(error);
                }
            }
            if !link.channel.status().connected() {
                break End::Lost(TransportError::Lost);
            }
        };
        // The broker has these again.
        self.handout.recall(|_| true);
        end
    }

    /// Whether the broker sends nothing because all that it has sent waits to be tried again.
    fn is_blocked(&self, link: &Link) -> bool {
        let prefetch = usize::try_from(self.subscription.prefetch).unwrap_or(usize::MAX);
        !link.tags.is_empty() && link.waiting >= prefetch.max(1)
    }

    /// Returns what isn't handed out, and ends once everything else is settled or dropped.
    async fn drain(&mut self, link: &mut Link) -> End {
        if let Err(error) = self.cancel(link).await {
            return End::Lost(error);
        }
        for ready in self.handout.close() {
            let returned = self.broker.in_time(requeue(&ready.delivery.acker));
            if let Err(error) = returned.await {
                return End::Lost(error);
            }
        }
        let mut idle = pin!(self.handout.is_idle());
        loop {
            // Whoever releases a message must not wait for a place here.
            tokio::select! {
                () = &mut idle => break,
                Some(_) = self.waiting.recv() => {}
            }
        }
        // The broker answers once it has seen every acknowledgement before.
        let closed = link.connection.close(200, "drained".into());
        self.broker.in_time(closed).await.ok();
        End::Drained
    }

    /// Ends without a connection: the broker has everything.
    async fn drained(&mut self) {
        self.handout.close();
        self.handout.is_idle().await;
    }
}

/// Returns the round of the message once it has waited.
async fn wait(handout: Handout<Ready>, waiting: Waiting) -> u64 {
    let Waiting { until, ready, then } = waiting;
    time::sleep_until(until).await;
    let round = ready.round;
    match then {
        // A failure means that the channel is gone, which returns the message, too.
        Then::Requeue => drop(requeue(&ready.delivery.acker).await),
        // So does the end of its connection.
        Then::HandOut if ready.is_lost() => {}
        Then::HandOut => drop(handout.put(ready)),
    }
    round
}
