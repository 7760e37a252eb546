//! Topics: whether they exist, and how they are made.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rdkafka::{
    Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::Client,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    error::KafkaResult,
    metadata::Metadata,
    types::RDKafkaErrorCode as Code,
};
use stele_toolkit_bus::{Depth, Start, Subscription, Topology, TransportError};
use tokio::time::{self, Instant};

use crate::{
    Settings,
    client::{Logging, blocking},
    errors::{NAME, translate, translate_code, unreachable, unsupported},
};

/// How often is looked whether a topic is there.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The broker's topics.
pub(crate) struct Topics {
    settings: Settings,
    admin: Arc<AdminClient<Logging>>,
    /// Those that were there when they were looked for.
    known: Mutex<HashSet<String>>,
}

impl Topics {
    pub(crate) fn new(settings: Settings) -> Result<Self, TransportError> {
        let admin = settings.client().create_with_context(Logging);
        let admin = admin.map_err(|error| translate(&error, NAME))?;
        Ok(Self {
            settings,
            admin: Arc::new(admin),
            known: Mutex::default(),
        })
    }

    /// Makes what isn't there, waits until it is, and has new groups begin where they should.
    pub(crate) async fn declare(&self, topology: &Topology) -> Result<(), TransportError> {
        let mut partitions = BTreeMap::new();
        for subscription in &topology.subscriptions {
            let count = match subscription.is_single_active {
                true => 1,
                false => self.settings.partitions,
            };
            for name in subscription.topics.iter().chain(&subscription.queues) {
                let least = partitions.entry(name.clone()).or_insert(count);
                *least = count.min(*least);
            }
        }
        for name in topology.topics.iter().chain(&topology.queues) {
            let default = self.settings.partitions;
            partitions.entry(name.clone()).or_insert(default);
        }
        self.create(&partitions).await?;
        for subscription in &topology.subscriptions {
            if subscription.start == Start::Latest && !subscription.topics.is_empty() {
                self.begin_at_the_end(subscription).await?;
            }
        }
        Ok(())
    }

    /// Fails unless there is a topic of this name.
    pub(crate) async fn find(&self, name: &str) -> Result<(), TransportError> {
        if self.known().contains(name) {
            return Ok(());
        }
        // Asked for by its name, it would be made where the broker makes topics by itself.
        let metadata = self.metadata(None, name).await?;
        let names = metadata
            .topics()
            .iter()
            .map(|topic| topic.name().to_owned());
        let mut known = self.known();
        known.extend(names);
        match known.contains(name) {
            true => Ok(()),
            false => Err(TransportError::NoSuchDestination {
                destination: name.to_owned(),
            }),
        }
    }

    /// The topic is gone.
    pub(crate) fn forget(&self, name: &str) {
        self.known().remove(name);
    }

    /// Fails if a subscription's records can be spread over several of its processes.
    pub(crate) async fn require_single_partitions(
        &self,
        subscription: &Subscription,
    ) -> Result<(), TransportError> {
        for name in subscription.topics.iter().chain(&subscription.queues) {
            let partitions = self.partitions(name).await?;
            if partitions > 1 {
                let what = "for one active consumer it must have one";
                return Err(unsupported(format!(
                    "`{name}` has {partitions} partitions: {what}"
                )));
            }
        }
        Ok(())
    }

    /// How many records a group has before it, in one topic.
    pub(crate) async fn depth(&self, group: &str, topic: &str) -> Result<Depth, TransportError> {
        let partitions = self.partitions(topic).await?;
        let (config, timeout) = (self.settings.onlooker(group), self.settings.timeout);
        let name = topic.to_owned();
        let waiting = blocking(topic, move || {
            let onlooker: BaseConsumer<Logging> = config.create_with_context(Logging)?;
            let committed = onlooker.committed_offsets(all_of(&name, partitions), timeout)?;
            let mut waiting = 0;
            for element in committed.elements() {
                let (low, high) = onlooker.fetch_watermarks(&name, element.partition(), timeout)?;
                let next = match element.offset() {
                    Offset::Offset(offset) => offset.max(low),
                    _ => low,
                };
                waiting += u64::try_from(high - next).unwrap_or(0);
            }
            Ok(waiting)
        });
        Ok(Depth {
            name: topic.to_owned(),
            waiting: waiting.await?,
        })
    }

    async fn create(&self, wanted: &BTreeMap<String, i32>) -> Result<(), TransportError> {
        let missing: BTreeMap<&String, &i32> = {
            let known = self.known();
            let missing = wanted.iter().filter(|(name, _)| !known.contains(*name));
            missing.collect()
        };
        if missing.is_empty() {
            return Ok(());
        }
        // -1 is the broker's default.
        let replicas = self.settings.replicas.unwrap_or(-1);
        let topics: Vec<NewTopic<'_>> = missing
            .iter()
            .map(|(name, partitions)| {
                NewTopic::new(name, **partitions, TopicReplication::Fixed(replicas))
            })
            .collect();
        let timeout = Some(self.settings.timeout);
        let options = AdminOptions::new()
            .request_timeout(timeout)
            .operation_timeout(timeout);
        let created = self.admin.create_topics(&topics, &options).await;
        for result in created.map_err(|error| translate(&error, NAME))? {
            match result {
                Ok(_) | Err((_, Code::TopicAlreadyExists)) => {}
                Err((name, code)) => {
                    let reason = format!("the topic `{name}`: {code}");
                    return Err(translate_code(code, reason, &name));
                }
            }
        }
        for name in missing.into_keys() {
            self.wait_for(name).await?;
        }
        Ok(())
    }

    /// Returns once each partition of a topic has a leader.
    async fn wait_for(&self, name: &str) -> Result<(), TransportError> {
        let deadline = Instant::now() + self.settings.timeout;
        loop {
            let metadata = self.metadata(Some(name), name).await?;
            if partitions_of(&metadata, name).is_some() {
                self.known().insert(name.to_owned());
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(unreachable(format!("the topic `{name}` has no leader")));
            }
            time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn partitions(&self, name: &str) -> Result<i32, TransportError> {
        self.find(name).await?;
        let metadata = self.metadata(Some(name), name).await?;
        partitions_of(&metadata, name).ok_or_else(|| TransportError::NoSuchDestination {
            destination: name.to_owned(),
        })
    }

    async fn metadata(
        &self,
        topic: Option<&str>,
        destination: &str,
    ) -> Result<Metadata, TransportError> {
        let (admin, timeout) = (Arc::clone(&self.admin), self.settings.timeout);
        let topic = topic.map(str::to_owned);
        blocking(destination, move || {
            let client: &Client<Logging> = admin.inner();
            client.fetch_metadata(topic.as_deref(), timeout)
        })
        .await
    }

    /// Commits the ends of topics for a group that has no offsets there yet.
    async fn begin_at_the_end(&self, subscription: &Subscription) -> Result<(), TransportError> {
        let mut partitions = BTreeSet::new();
        for topic in &subscription.topics {
            partitions.insert((topic.clone(), self.partitions(topic).await?));
        }
        let deadline = Instant::now() + self.settings.timeout;
        loop {
            let begun = self.commit_ends(&subscription.service, &partitions);
            match begun.await {
                // A new cluster has no coordinator for the group yet.
                Err(error) if error.is_transient() && Instant::now() < deadline => {
                    time::sleep(LOOK_AGAIN).await;
                }
                result => return result,
            }
        }
    }

    async fn commit_ends(
        &self,
        group: &str,
        partitions: &BTreeSet<(String, i32)>,
    ) -> Result<(), TransportError> {
        let (config, timeout) = (self.settings.onlooker(group), self.settings.timeout);
        let (name, partitions) = (group.to_owned(), partitions.clone());
        blocking(group, move || {
            let onlooker: BaseConsumer<Logging> = config.create_with_context(Logging)?;
            for (topic, count) in partitions {
                let known = onlooker.committed_offsets(all_of(&topic, count), timeout)?;
                let ends = ends(&onlooker, &topic, &known, timeout)?;
                if ends.count() == 0 {
                    continue;
                }
                match onlooker.commit(&ends, CommitMode::Sync) {
                    Ok(()) => {}
                    // Only a group without members takes offsets from outside.
                    Err(error) if is_in_use(error.rdkafka_error_code()) => {
                        let what = "the group is in use already, and begins at the oldest record";
                        tracing::warn!(group = name, topic, "{what}");
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        })
        .await
    }

    /// Every change is complete when the lock is given up, panic or not.
    fn known(&self) -> MutexGuard<'_, HashSet<String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Topics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Topics")
            .field("brokers", &self.settings.brokers)
            .finish_non_exhaustive()
    }
}

/// The ends of the partitions for which no offset is known.
fn ends(
    onlooker: &BaseConsumer<Logging>,
    topic: &str,
    known: &TopicPartitionList,
    timeout: Duration,
) -> KafkaResult<TopicPartitionList> {
    let mut ends = TopicPartitionList::new();
    for element in known.elements() {
        if element.offset() == Offset::Invalid {
            let partition = element.partition();
            let (_, end) = onlooker.fetch_watermarks(topic, partition, timeout)?;
            ends.add_partition_offset(topic, partition, Offset::Offset(end))?;
        }
    }
    Ok(ends)
}

fn is_in_use(code: Option<Code>) -> bool {
    matches!(
        code,
        Some(Code::UnknownMemberId | Code::IllegalGeneration | Code::RebalanceInProgress)
    )
}

fn all_of(topic: &str, partitions: i32) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    list.add_partition_range(topic, 0, partitions - 1);
    list
}

/// How many partitions a topic has, if it is there and each has a leader.
fn partitions_of(metadata: &Metadata, name: &str) -> Option<i32> {
    let mut topics = metadata.topics().iter();
    let topic = topics.find(|topic| topic.name() == name)?;
    let partitions = topic.partitions();
    let is_ready = topic.error().is_none()
        && !partitions.is_empty()
        && partitions.iter().all(|partition| partition.leader() >= 0);
    is_ready.then(|| i32::try_from(partitions.len()).unwrap_or(i32::MAX))
}
