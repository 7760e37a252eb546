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
    time,
};
use uuid::Uuid;

use crate::{
    QueueKind,
    connection::{Backoff, Broker},
    errors::translate,
    fields::{delivery_count, incoming},
    names::short,
    settle::{Released, Settling, requeue},
};

/// What the consumer wants of the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Run,
    Pause,
    Drain,
}

/// A delivery that isn't handed out yet, the queue that it came from, and what is closed once its
/// connection is given up.
#[derive(Debug)]
struct Ready {
    queue: String,
    delivery: AmqpDelivery,
    open: watch::Receiver<()>,
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
    let (released, releases) =
        mpsc::channel(usize::try_from(subscription.prefetch).unwrap_or(1).max(1));
    let (wish, wishes) = watch::channel(Wish::Run);
    let handout = Handout::new(subscription.prefetch);
    let mut task = Task {
        broker: Arc::clone(broker),
        subscription: subscription.clone(),
        handout: handout.clone(),
        wishes,
        releases,
    };
    let connection = broker.connect_patiently(&task.purpose()).await?;
    let link = task.open(connection).await?;
    Ok(Box::new(AmqpDeliveries {
        counts: broker.settings.queue_kind == QueueKind::Quorum,
        broker: Arc::clone(broker),
        handout,
        released,
        wish,
        task: tokio::spawn(async move { task.run(link).await }),
    }))
}

#[derive(Debug)]
struct AmqpDeliveries {
    broker: Arc<Broker>,
    counts: bool,
    handout: Handout<Ready>,
    released: mpsc::Sender<Released>,
    wish: watch::Sender<Wish>,
    task: JoinHandle<()>,
}

#[async_trait]
impl Deliveries for AmqpDeliveries {
    async fn next(&mut self) -> Option<Delivery> {
        let (ready, hold) = self.handout.next().await?;
        let Ready {
            queue,
            mut delivery,
            open,
        } = ready;
        let body = Bytes::from(std::mem::take(&mut delivery.data));
        let before = match delivery_count(&delivery.properties) {
            // A quorum queue of RabbitMQ tells no count at the first delivery.
            None if self.counts && !delivery.redelivered => Some(0),
            count => count,
        };
        let origin = Origin {
            name: queue,
            ..Origin::default()
        };
        let settling = Settling {
            acker: delivery.acker.clone(),
            open,
            released: self.released.clone(),
            hold,
        };
        let message = incoming(&self.broker.exchanges, &delivery, body);
        let mut made = Delivery::new(message, origin, Box::new(settling));
        made.attempt = before.filter(|_| self.counts).map(|before| before + 1);
        made.is_redelivered = delivery.redelivered || before.is_some_and(|before| before > 0);
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
    releases: mpsc::Receiver<Released>,
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
            self.put(&link.open, delivery);
        }
        Ok(())
    }

    fn put(&self, open: &watch::Sender<()>, delivery: AmqpDelivery) {
        let queue = match delivery.exchange.as_str().is_empty() {
            true => delivery.routing_key.as_str().to_owned(),
            false => self.subscription.service.clone(),
        };
        // A closed handout is one that is being drained, which returns what it doesn't take.
        let ready = Ready {
            queue,
            delivery,
            open: open.subscribe(),
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
                    Some(Ok(delivery)) => self.put(&link.open, delivery),
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
                Some(released) = self.releases.recv() => waiting.push(requeue_later(released)),
                Some(()) = waiting.next(), if !waiting.is_empty() => {}
            }
            if !link.channel.status().connected() {
                break End::Lost(TransportError::Lost);
            }
        };
        // The broker has these again.
        self.handout.recall(|_| true);
        end
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
                Some(_) = self.releases.recv() => {}
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

async fn requeue_later(released: Released) {
    time::sleep_until(released.at).await;
    // A failure means that the channel is gone, which returns the message, too.
    requeue(&released.acker).await.ok();
}
