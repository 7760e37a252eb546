//! The queues of the account, and which services subscribe to a topic.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use aws_sdk_sqs::{Client, types::QueueAttributeName as Attribute};
use stele_toolkit_bus::{Destination, Subscription, Topology, TransportError};

use crate::{
    Order, Settings,
    errors::{is_there_otherwise, refused, translate, unsupported},
    names::Names,
};

/// SQS keeps messages for 14 days at most; by default it is 4.
const RETENTION_SECONDS: u64 = 14 * 24 * 60 * 60;

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Queue {
    /// As the application calls it.
    pub(crate) name: String,
    pub(crate) url: String,
}

/// What is known of queues and topics.
#[derive(Debug)]
pub(crate) struct Queues {
    pub(crate) settings: Settings,
    pub(crate) client: Client,
    names: Names,
    /// By their names in SQS.
    urls: Mutex<HashMap<String, String>>,
    /// Topics with the services that subscribe to them.
    subscribers: Mutex<BTreeMap<String, BTreeSet<String>>>,
}

impl Queues {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            client: settings.client(),
            names: Names::default(),
            urls: Mutex::default(),
            subscribers: Mutex::new(settings.routes.clone()),
            settings,
        }
    }

    /// Makes the queues of a topology, and notes who subscribes to what.
    pub(crate) async fn declare(&self, topology: &Topology) -> Result<(), TransportError> {
        for queue in &topology.queues {
            self.create(queue).await?;
        }
        for subscription in &topology.subscriptions {
            if subscription.is_single_active {
                let what = "one active consumer of several";
                return Err(unsupported(what));
            }
            for queue in queues_of(subscription) {
                self.create(&queue).await?;
            }
        }
        // What is published from now on is for queues that are there.
        let mut subscribers = self.subscribers();
        for topic in &topology.topics {
            subscribers.entry(topic.clone()).or_default();
        }
        for subscription in &topology.subscriptions {
            for topic in &subscription.topics {
                let services = subscribers.entry(topic.clone()).or_default();
                services.insert(subscription.service.clone());
            }
        }
        Ok(())
    }

    /// The queues that a message goes to.
    pub(crate) async fn targets(&self, to: &Destination) -> Result<Vec<Queue>, TransportError> {
        let names = match to {
            Destination::Queue(queue) => BTreeSet::from([queue.clone()]),
            Destination::Topic(topic) => {
                let services = self.subscribers().get(topic).cloned();
                services.ok_or_else(|| TransportError::NoSuchDestination {
                    destination: topic.clone(),
                })?
            }
        };
        let mut queues = Vec::new();
        for name in names {
            queues.push(self.find(&name).await?);
        }
        Ok(queues)
    }

    /// A queue that exists.
    pub(crate) async fn find(&self, name: &str) -> Result<Queue, TransportError> {
        let in_sqs = self.names.queue(name, self.settings.order)?;
        let known = self.urls().get(&in_sqs).cloned();
        let url = match known {
            Some(url) => url,
            None => {
                let asked = self.client.get_queue_url().queue_name(&in_sqs).send();
                let found = asked.await.map_err(|error| translate(&error, name))?;
                self.noted(in_sqs, found.queue_url)?
            }
        };
        Ok(Queue {
            name: name.to_owned(),
            url,
        })
    }

    /// The queue is gone.
    pub(crate) fn forget(&self, queue: &Queue) {
        self.urls().retain(|_, url| *url != queue.url);
    }

    /// How many messages wait in a queue, nearly.
    pub(crate) async fn depth(&self, name: &str) -> Result<u64, TransportError> {
        let queue = self.find(name).await?;
        let wanted = Attribute::ApproximateNumberOfMessages;
        let asked = self.client.get_queue_attributes();
        let asked = asked.queue_url(&queue.url).attribute_names(wanted.clone());
        let found = asked
            .send()
            .await
            .map_err(|error| translate(&error, name))?;
        let attributes = found.attributes.unwrap_or_default();
        let waiting = attributes.get(&wanted).and_then(|text| text.parse().ok());
        waiting.ok_or_else(|| refused("the number of messages isn't told"))
    }

    async fn create(&self, name: &str) -> Result<(), TransportError> {
        let in_sqs = self.names.queue(name, self.settings.order)?;
        if self.urls().contains_key(&in_sqs) {
            return Ok(());
        }
        let visibility = self.settings.visibility_timeout.as_secs().max(1);
        let creating = self.client.create_queue().queue_name(&in_sqs);
        let creating = creating
            .attributes(Attribute::VisibilityTimeout, visibility.to_string())
            .attributes(
                Attribute::MessageRetentionPeriod,
                RETENTION_SECONDS.to_string(),
            );
        let creating = match self.settings.order {
            Order::ByKey => creating.attributes(Attribute::FifoQueue, "true"),
            Order::None => creating,
        };
        match creating.send().await {
            Ok(created) => self.noted(in_sqs, created.queue_url).map(|_| ()),
            Err(error) if is_there_otherwise(&error) => self.find(name).await.map(|_| ()),
            Err(error) => Err(translate(&error, name)),
        }
    }

    fn noted(&self, in_sqs: String, url: Option<String>) -> Result<String, TransportError> {
        let url = url.ok_or_else(|| refused("the queue has no URL"))?;
        self.urls().insert(in_sqs, url.clone());
        Ok(url)
    }

    /// Every change is complete when a lock is given up, panic or not.
    fn urls(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.urls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn subscribers(&self) -> MutexGuard<'_, BTreeMap<String, BTreeSet<String>>> {
        let subscribers = self.subscribers.lock();
        subscribers.unwrap_or_else(PoisonError::into_inner)
    }
}

/// The queues of a subscription: that of the service, if it has topics, and those that it consumes.
pub(crate) fn queues_of(subscription: &Subscription) -> BTreeSet<String> {
    let mut queues: BTreeSet<String> = subscription.queues.iter().cloned().collect();
    if !subscription.topics.is_empty() {
        queues.insert(subscription.service.clone());
    }
    queues
}
