//! Subscriptions: the groups of one, whose records go to one handout.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use stele_toolkit_bus::{
    Deliveries, Delivery, Handout, Hold, Origin, Settle, Subscription, TransportError,
};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::{
    Settings,
    client::Spreading,
    partitions::{Group, Held, Ready},
    reader,
};

/// Begins to take messages.
pub(crate) fn subscribe(
    settings: &Settings,
    subscription: &Subscription,
) -> Result<Box<dyn Deliveries>, TransportError> {
    let handout = Handout::new(subscription.prefetch);
    let mut groups = Vec::new();
    if !subscription.topics.is_empty() {
        let (service, topics) = (&subscription.service, &subscription.topics);
        groups.push(Arc::new(Group::of_topics(service, topics, &handout)));
    }
    for queue in &subscription.queues {
        groups.push(Arc::new(Group::of_queue(queue, &handout)));
    }
    let spreading = match subscription.is_single_active {
        true => Spreading::Range,
        false => Spreading::Sticky,
    };
    let process = Uuid::new_v4();
    let mut deliveries = KafkaDeliveries {
        handout,
        groups: Vec::new(),
    };
    for group in groups {
        let config = settings.member(&group.name, process, spreading);
        let end = reader::start(&group, &config)?;
        deliveries.groups.push((group, end));
    }
    Ok(Box::new(deliveries))
}

#[derive(Debug)]
struct KafkaDeliveries {
    handout: Handout<Ready>,
    /// Each with what tells the end of its reader.
    groups: Vec<(Arc<Group>, oneshot::Receiver<()>)>,
}

#[async_trait]
impl Deliveries for KafkaDeliveries {
    async fn next(&mut self) -> Option<Delivery> {
        let (ready, hold) = self.handout.next().await?;
        let Ready {
            group,
            held,
            message,
            is_redelivered,
        } = ready;
        let origin = Origin {
            name: held.place.0.clone(),
            partition: Some(held.place.1),
            offset: u64::try_from(held.offset).ok(),
        };
        let settling = Settling {
            group,
            held,
            hold: Some(hold),
        };
        let mut delivery = Delivery::new(message, origin, Box::new(settling));
        delivery.is_redelivered = is_redelivered;
        Some(delivery)
    }

    fn pause(&self) {
        for (group, _) in &self.groups {
            group.pause(true);
        }
    }

    fn resume(&self) {
        for (group, _) in &self.groups {
            group.pause(false);
        }
    }

    async fn drain(mut self: Box<Self>) -> Result<(), TransportError> {
        // What isn't handed out isn't committed.
        self.handout.close();
        self.handout.is_idle().await;
        for (group, _) in &self.groups {
            group.stop();
        }
        for (_, end) in &mut self.groups {
            // Fails if the reader has panicked, after which it has left its group, too.
            end.await.map_err(|_| TransportError::Closed)?;
        }
        Ok(())
    }
}

impl Drop for KafkaDeliveries {
    fn drop(&mut self) {
        self.handout.close();
        for (group, _) in &self.groups {
            group.stop();
        }
    }
}

/// What settles a record.
#[derive(Debug)]
struct Settling {
    group: Arc<Group>,
    held: Held,
    hold: Option<Hold>,
}

#[async_trait]
impl Settle for Settling {
    /// The reader commits it, once all before it are finished.
    async fn ack(self: Box<Self>) -> Result<(), TransportError> {
        self.group.finish(&self.held)
    }

    async fn release(self: Box<Self>, after: Duration) -> Result<(), TransportError> {
        self.group.give_back(&self.held, after)
    }

    /// There is no need to: Kafka counts no deliveries.
    fn may_keep(&self, _after: Duration) -> bool {
        false
    }

    async fn keep(self: Box<Self>, after: Duration) -> Result<(), TransportError> {
        self.release(after).await
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        self.hold.take();
        self.group.wake();
    }
}
