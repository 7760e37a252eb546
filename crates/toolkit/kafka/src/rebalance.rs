//! What happens when a group's partitions are spread anew.

use std::{sync::Arc, time::Duration};

use rdkafka::{
    ClientContext, Offset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance},
    error::KafkaError,
};

use crate::{
    client::log,
    partitions::{Group, Place},
};

/// How long the broker may take to tell the ends of partitions.
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
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            // Now rather than when they are fetched from: a question that comes behind a fetch
            // waits until the broker has answered that, for half a second if there is nothing.
            Rebalance::Assign(assigned) => {
                for (place, end) in ends(consumer, assigned) {
                    self.0.assign(place, end);
                }
            }
            // Commits what is finished before another consumer begins where this one ends.
            Rebalance::Revoke(revoked) => {
                let places = places(revoked);
                if !consumer.assignment_lost() {
                    commit(&self.0, consumer, Some(&places));
                }
                self.0.revoke(&places);
            }
            Rebalance::Error(_) => {}
        }
    }
}

/// The ends of partitions, by one question for all of them. What lies before them counts as
/// delivered before; everything does where the end isn't told.
fn ends(consumer: &BaseConsumer<Rebalancing>, of: &TopicPartitionList) -> Vec<(Place, i64)> {
    let mut asked = of.clone();
    let told = asked
        .set_all_offsets(Offset::End)
        .and_then(|()| consumer.offsets_for_times(asked, END_TIMEOUT));
    let told = told.inspect_err(|error| tracing::debug!(%error, "the ends aren't known"));
    let end = |place: &Place| {
        let element = told.as_ref().ok()?.find_partition(&place.0, place.1)?;
        element.error().ok()?;
        match element.offset() {
            Offset::Offset(end) => Some(end),
            _ => None,
        }
    };
    let places = places(of).into_iter().map(|place| {
        let end = end(&place).unwrap_or(i64::MAX);
        (place, end)
    });
    places.collect()
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
