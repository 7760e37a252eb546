//! Takes messages from one queue.

use std::{sync::Arc, time::Duration};

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName as System};
use stele_toolkit_bus::{Handout, Incoming, TransportError};
use tokio::{
    sync::watch,
    time::{self, Instant},
};

use crate::{
    errors::translate,
    fields::{decode, group, receive_count},
    leases::{Lease, Leases, Receipt},
    publisher::BATCH_MAX,
    queues::{Queue, Queues},
};

const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// What the consumer wants of its pollers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Run,
    Pause,
    Drain,
}

/// A message that isn't handed out yet.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) message: Incoming,
    pub(crate) receipt: Receipt,
    pub(crate) lease: Lease,
    /// In a FIFO queue.
    pub(crate) group: Option<String>,
    pub(crate) attempt: Option<u32>,
    pub(crate) received_at: Instant,
}

/// Takes messages from one queue for one subscription.
#[derive(Debug)]
pub(crate) struct Poller {
    pub(crate) queues: Arc<Queues>,
    pub(crate) queue: Queue,
    pub(crate) handout: Handout<Ready>,
    pub(crate) leases: Leases,
    pub(crate) wishes: watch::Receiver<Wish>,
}

impl Poller {
    /// Runs until the subscription is drained. A request for messages isn't cancelled, since the
    /// endpoint may give messages to it already.
    pub(crate) async fn run(mut self) {
        let mut backoff = BACKOFF_MIN;
        loop {
            let wish = *self.wishes.borrow_and_update();
            match wish {
                Wish::Drain => return,
                Wish::Pause => {
                    // An error means that the subscription was dropped.
                    if self.wishes.changed().await.is_err() {
                        return;
                    }
                    continue;
                }
                Wish::Run => {}
            }
            let room = tokio::select! {
                changed = self.wishes.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
                room = self.handout.has_room() => match room {
                    Some(room) => room,
                    None => return,
                },
            };
            match self.receive(room).await {
                Ok(()) => backoff = BACKOFF_MIN,
                Err(error) => {
                    let queue = &self.queue.name;
                    tracing::warn!(queue, %error, "messages can't be received");
                    time::sleep(backoff).await;
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                }
            }
        }
    }

    async fn receive(&self, room: usize) -> Result<(), TransportError> {
        let settings = &self.queues.settings;
        let count = i32::try_from(room.min(BATCH_MAX)).unwrap_or(1);
        let seconds = |time: Duration| i32::try_from(time.as_secs()).unwrap_or(i32::MAX);
        let receiving = self.queues.client.receive_message();
        let receiving = receiving
            .queue_url(&self.queue.url)
            .max_number_of_messages(count)
            .wait_time_seconds(seconds(settings.wait))
            .visibility_timeout(seconds(settings.visibility_timeout).max(1))
            .message_attribute_names("All")
            .message_system_attribute_names(System::All)
            .customize()
            .config_override(settings.for_receiving());
        let received = receiving.send().await;
        let received = received.map_err(|error| translate(&error, &self.queue.name))?;
        let received_at = Instant::now();
        for message in received.messages() {
            self.take(message, received_at);
        }
        Ok(())
    }

    fn take(&self, message: &Message, received_at: Instant) {
        let Some(handle) = message.receipt_handle() else {
            return;
        };
        let receipt = Receipt {
            queue: self.queue.clone(),
            handle: handle.to_owned(),
        };
        let ready = Ready {
            message: decode(&self.queue.name, message),
            lease: self.leases.hold(receipt.clone(), received_at),
            receipt,
            group: group(message),
            attempt: receive_count(message),
            received_at,
        };
        // A closed handout is one of a dropped subscription: the message comes again later.
        self.handout.put(ready).ok();
    }
}
