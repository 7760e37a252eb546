//! Metadata (key 3), versions 0 to 13.
//!
//! Returns brokers and topics. There is one broker, at the address that the client already uses
//! unless another is advertised. A missing topic requested by name, with permission to create it,
//! is created with the default number of partitions: this response still reports it as missing, the
//! next one has it. A log created by another protocol also gets a topic's retention.
//!
//! Deviations: a topic is ready when a response contains it: clients never see
//! `LEADER_NOT_AVAILABLE`.
//!
//! Spec: `MetadataRequest.json`; KIP-516 (topic ids).

use stele_core_broker::Action;
use stele_wire_kafka::{
    RequestHeader,
    messages::{
        BrokerId, MetadataRequest, MetadataResponse, TopicName,
        metadata_request::MetadataRequestTopic,
        metadata_response::{
            MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
        },
    },
};

use super::{Operation, text, topic_name};
use crate::{
    authorized,
    errors::Fault,
    session::Session,
    topics::{LEADER_EPOCH, NODE_ID, Topic},
};

/// The operation.
pub(crate) struct Metadata;

impl Operation for Metadata {
    type Request = MetadataRequest;

    const VERSIONS: (i16, i16) = (0, 13);

    async fn handle(
        session: &mut Session,
        header: &RequestHeader,
        request: MetadataRequest,
    ) -> MetadataResponse {
        let may_create = session.settings.auto_create_topics
            && (header.api_version < 4 || request.allow_auto_topic_creation);
        let of_cluster = request.include_cluster_authorized_operations;
        let of_topics = request.include_topic_authorized_operations;
        let mut topics = match request.topics {
            // Before version 1 there was no null; an empty list meant all topics.
            Some(topics) if header.api_version > 0 || !topics.is_empty() => {
                named_topics(session, topics, may_create).await
            }
            _ => all_topics(session),
        };
        for topic in &mut topics {
            topic.topic_authorized_operations = authorized::if_asked(of_topics, authorized::TOPIC);
        }
        let broker = MetadataResponseBroker::default()
            .with_node_id(BrokerId(NODE_ID))
            .with_host(text(&session.endpoint.host))
            .with_port(i32::from(session.endpoint.port));
        MetadataResponse::default()
            .with_brokers(vec![broker])
            .with_cluster_id(Some(text(&session.settings.cluster_id)))
            .with_controller_id(BrokerId(NODE_ID))
            .with_topics(topics)
            .with_cluster_authorized_operations(authorized::if_asked(
                of_cluster,
                authorized::CLUSTER,
            ))
    }
}

fn all_topics(session: &Session) -> Vec<MetadataResponseTopic> {
    let topics = session.topics().all();
    topics.iter().map(|topic| found(session, topic)).collect()
}

async fn named_topics(
    session: &Session,
    asked: Vec<MetadataRequestTopic>,
    may_create: bool,
) -> Vec<MetadataResponseTopic> {
    let mut topics = Vec::with_capacity(asked.len());
    for asked in asked {
        let topic = match &asked.name {
            // An id takes precedence over a name: the Java client sends an empty name with it.
            Some(name) if asked.topic_id.is_nil() => by_name(session, name, may_create).await,
            _ => session.topics().by_id(asked.topic_id, Action::Describe),
        };
        topics.push(match topic {
            Ok(topic) => found(session, &topic),
            Err(fault) => MetadataResponseTopic::default()
                .with_error_code(fault.code())
                // The name is nullable only in versions with ids.
                .with_name(asked.name)
                .with_topic_id(asked.topic_id),
        });
    }
    topics
}

async fn by_name(session: &Session, name: &TopicName, may_create: bool) -> Result<Topic, Fault> {
    let topics = session.topics();
    crate::topics::check_name(name)?;
    let found = topics.by_name(name, Action::Describe);
    if !may_create {
        return found;
    }
    let ensured = topics.ensure(name).await?;
    // A topic just created is reported by the next request, as in Kafka.
    found.map(|_| ensured)
}

fn found(session: &Session, topic: &Topic) -> MetadataResponseTopic {
    let partitions = (0..topic.partitions as i32).map(|index| {
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(BrokerId(NODE_ID))
            .with_leader_epoch(LEADER_EPOCH)
            .with_replica_nodes(vec![BrokerId(NODE_ID)])
            .with_isr_nodes(vec![BrokerId(NODE_ID)])
    });
    MetadataResponseTopic::default()
        .with_name(Some(topic_name(&topic.name)))
        .with_topic_id(session.topics().id(topic.log))
        .with_partitions(partitions.collect())
}
