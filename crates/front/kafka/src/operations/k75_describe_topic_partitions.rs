//! DescribeTopicPartitions (key 75), version 0.
//!
//! Returns topics by name, in order, with a limited number of partitions: if a response ends before
//! the last partition, its cursor is the start of the next one. Without names, returns all topics.
//!
//! Deviations: none known.
//!
//! Spec: `DescribeTopicPartitionsRequest.json`; KIP-966.

use std::collections::BTreeSet;

use stele_core_broker::Action;
use stele_wire_kafka::{
    RequestHeader, ResponseError,
    messages::{
        BrokerId, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
        describe_topic_partitions_request::Cursor as AskedCursor,
        describe_topic_partitions_response::{
            Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
        },
    },
};

use super::{Operation, topic_name};
use crate::{
    authorized,
    errors::Fault,
    limits::DESCRIBED_PARTITIONS_MAX,
    session::Session,
    topics::{LEADER_EPOCH, NODE_ID, Topic, check_name},
};

/// The operation.
pub(crate) struct DescribeTopicPartitions;

impl Operation for DescribeTopicPartitions {
    type Request = DescribeTopicPartitionsRequest;

    const VERSIONS: (i16, i16) = (0, 0);

    async fn handle(
        session: &mut Session,
        _header: &RequestHeader,
        request: DescribeTopicPartitionsRequest,
    ) -> DescribeTopicPartitionsResponse {
        let is_all = request.topics.is_empty();
        let names: BTreeSet<String> = match is_all {
            true => {
                let all = session.topics().all();
                all.iter().map(|topic| topic.name.to_string()).collect()
            }
            false => request
                .topics
                .iter()
                .map(|it| it.name.to_string())
                .collect(),
        };
        if !is_all && let Err(fault) = check_cursor(request.cursor.as_ref(), &names) {
            let refused = names.iter().map(|name| refused(name, &fault));
            return DescribeTopicPartitionsResponse::default().with_topics(refused.collect());
        }
        let (first, partition) = match &request.cursor {
            Some(cursor) => (cursor.topic_name.to_string(), cursor.partition_index.max(0)),
            None => (String::new(), 0),
        };
        let mut page = Page {
            topics: Vec::new(),
            left: request
                .response_partition_limit
                .clamp(1, DESCRIBED_PARTITIONS_MAX),
            next: None,
        };
        for name in names.range(first.clone()..) {
            let partition = if *name == first { partition } else { 0 };
            match describe(session, name) {
                Ok(topic) => page.add(session, &topic, partition),
                // It has been deleted meanwhile.
                Err(_) if is_all => {}
                Err(fault) => page.topics.push(refused(name, &fault)),
            }
            if page.next.is_some() {
                break;
            }
        }
        DescribeTopicPartitionsResponse::default()
            .with_topics(page.topics)
            .with_next_cursor(page.next)
    }
}

/// Checks that a cursor comes from a response for these names.
fn check_cursor(cursor: Option<&AskedCursor>, names: &BTreeSet<String>) -> Result<(), Fault> {
    match cursor {
        Some(cursor) if !names.contains(&**cursor.topic_name) => Err(Fault::new(
            ResponseError::InvalidRequest,
            "the cursor's topic isn't among the requested topics",
        )),
        _ => Ok(()),
    }
}

fn describe(session: &Session, name: &str) -> Result<Topic, Fault> {
    check_name(name)?;
    session.topics().by_name(name, Action::Describe)
}

fn refused(name: &str, fault: &Fault) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic::default()
        .with_name(Some(topic_name(name)))
        .with_error_code(fault.code())
        .with_topic_authorized_operations(authorized::TOPIC)
}

/// A response being built.
struct Page {
    topics: Vec<DescribeTopicPartitionsResponseTopic>,
    /// The number of partitions that still fit.
    left: i32,
    /// The start of the next page, once this one is full.
    next: Option<Cursor>,
}

impl Page {
    /// Adds the partitions of a topic from `first` on, as far as they fit.
    fn add(&mut self, session: &Session, topic: &Topic, first: i32) {
        let count = topic.partitions as i32;
        let end = count.min(first.saturating_add(self.left));
        if self.left > 0 {
            self.left -= (end - first).max(0);
            let partitions = (first..end).map(partition);
            self.topics.push(
                DescribeTopicPartitionsResponseTopic::default()
                    .with_name(Some(topic_name(&topic.name)))
                    .with_topic_id(session.topics().id(topic.log))
                    .with_partitions(partitions.collect())
                    .with_topic_authorized_operations(authorized::TOPIC),
            );
        }
        if end < count {
            let cursor = Cursor::default()
                .with_topic_name(topic_name(&topic.name))
                .with_partition_index(end);
            self.next = Some(cursor);
        }
    }
}

fn partition(index: i32) -> DescribeTopicPartitionsResponsePartition {
    DescribeTopicPartitionsResponsePartition::default()
        .with_partition_index(index)
        .with_leader_id(BrokerId(NODE_ID))
        .with_leader_epoch(LEADER_EPOCH)
        .with_replica_nodes(vec![BrokerId(NODE_ID)])
        .with_isr_nodes(vec![BrokerId(NODE_ID)])
        .with_eligible_leader_replicas(Some(Vec::new()))
        .with_last_known_elr(Some(Vec::new()))
}
