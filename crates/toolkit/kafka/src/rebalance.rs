//! What happens when a group's partitions are spread anew.

use std::{sync::Arc, time::Duration};

use rdkafka::{
    ClientContext, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance},
    error::KafkaError,
};

use crate::{
    client::log,
    partitions::{Group, Place},
};

/// How long the broker may take to tell a partition's end.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// The callbacks of a group's consumer, on its reader's thread.
#[derive(Debug)]
pub(crate) struct Rebalancing(pub(crate) Arc<Group>);

impl ClientContext for Rebalancing {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(group = self.0.name, %error, reason, "librdkafka");
    }
}

impl ConsumerContext for Rebalancing {
    /// Commits what is finished before another consumer begins where this one ends.
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let Rebalance::Revoke(revoked) = rebalance else {
            return;
        };
        let places = places(revoked);
        if !consumer.assignment_lost() {
            commit(&self.0, consumer, Some(&places));
        }
        self.0.revoke(&places);
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let Rebalance::Assign(assigned) = rebalance else {
            return;
        };
        for place in places(assigned) {
            let ends = consumer.fetch_watermarks(&place.0, place.1, END_TIMEOUT);
            // Without, everything counts as delivered before.
            let end = ends.map_or(i64::MAX, |(_, end)| end);
            self.0.assign(place, end);
        }
    }
}

/// Commits what is finished, of these partitions or of all, and waits for it.
pub(crate) fn commit(group: &Group, consumer: &BaseConsumer<Rebalancing>, of: Option<&[Place]>) {
    let committed = group.to_commit(of).and_then(|offsets| {
        if offsets.count() > 0 {
            consumer.commit(&offsets, CommitMode::Sync)?;
            group.committed(&offsets);
        }
        Ok(())
    });
    if let Err(error) = committed {
        // What isn't committed is delivered again.
        tracing::debug!(group = group.name, %error, "offsets aren't committed");
    }
}

fn places(partitions: &TopicPartitionList) -> Vec<Place> {
    let elements = partitions.elements();
    let places = elements
        .iter()
        .map(|element| (element.topic().to_owned(), element.partition()));
    places.collect()
}
