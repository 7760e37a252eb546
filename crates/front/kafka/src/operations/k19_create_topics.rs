//! CreateTopics (key 19), versions 2 to 7.
//!
//! Creates topics. A log created by another protocol becomes a topic: it keeps its records and its
//! number of partitions, and the union of both retentions applies. A name that is already a topic
//! is refused, and so is another number of partitions than the log has; -1 adopts it.
//!
//! Deviations: a replication factor over 1 is accepted, but the topic has one replica, as the
//! response says, so that tools that create topics for a cluster work with one broker. A setting
//! makes Stele refuse it, as a single Kafka broker does. The timeout isn't needed: a topic is ready
//! when the response is sent.
//!
//! Spec: `CreateTopicsRequest.json`; KIP-464 (defaults), KIP-525 (configs in the response).

use hashbrown::HashMap;
use stele_core_broker::Action;
use stele_core_engine::{Declared, LogDefinition, limits::PARTITIONS_MAX};
use stele_wire_kafka::{
    RequestHeader, ResponseError,
    messages::{
        CreateTopicsRequest, CreateTopicsResponse, TopicName,
        create_topics_request::{CreatableTopic, CreatableTopicConfig},
        create_topics_response::{CreatableTopicConfigs, CreatableTopicResult},
    },
};

use super::{Operation, text};
use crate::{
    assignment,
    errors::Fault,
    session::Session,
    topic_configs::{self, Described},
    topics::{FACET, NewTopic, topic_name},
};

/// A number chosen by the broker.
const DEFAULT: i32 = -1;

/// The operation.
pub(crate) struct CreateTopics;

impl Operation for CreateTopics {
    type Request = CreateTopicsRequest;

    const VERSIONS: (i16, i16) = (2, 7);

    async fn handle(
        session: &mut Session,
        _header: &RequestHeader,
        request: CreateTopicsRequest,
    ) -> CreateTopicsResponse {
        let mut counts: HashMap<TopicName, u32> = HashMap::new();
        for topic in &request.topics {
            *counts.entry(topic.name.clone()).or_default() += 1;
        }
        let mut results = Vec::with_capacity(request.topics.len());
        for topic in &request.topics {
            let created = match counts.get(&topic.name) {
                Some(1) => create(session, topic, request.validate_only).await,
                _ => Err(Fault::new(
                    ResponseError::InvalidRequest,
                    "the request names the topic twice",
                )),
            };
            results.push(result(session, topic, created));
        }
        CreateTopicsResponse::default().with_topics(results)
    }
}

/// A topic that was created, or would have been.
struct Created {
    partitions: u32,
    /// `None` if the request was only validated.
    definition: Option<LogDefinition>,
    configs: Vec<Described>,
}

async fn create(
    session: &Session,
    topic: &CreatableTopic,
    is_check: bool,
) -> Result<Created, Fault> {
    let mut new = new_topic(session, topic)?;
    let exists = || {
        let message = format!("Topic '{}' already exists.", *topic.name);
        Fault::new(ResponseError::TopicAlreadyExists, message)
    };
    let topics = session.topics();
    match topics.definition(&new.name, Action::Configure) {
        Ok(it) if it.facets.contains_key(FACET) && it.config.retention.is_topic() => {
            return Err(exists());
        }
        Ok(queue) => new.partitions = adopted_partitions(topic, &new, &queue)?,
        Err(_) => {}
    }
    let configs = topic_configs::describe_settings(&new.settings, session);
    if is_check {
        return Ok(Created {
            partitions: new.partitions,
            definition: None,
            configs,
        });
    }
    match topics.declare(new).await? {
        Declared::Created(definition) | Declared::Adopted(definition) => Ok(Created {
            partitions: definition.config.partitions,
            definition: Some(definition),
            configs,
        }),
        // Another client has created it first.
        Declared::Exists(_) => Err(exists()),
    }
}

fn new_topic(session: &Session, topic: &CreatableTopic) -> Result<NewTopic, Fault> {
    let name = topic_name(&topic.name)?;
    let partitions = partitions(session, topic)?;
    let configs = topic.configs.iter();
    check_values(configs.clone().filter(|it| it.value.is_none()))?;
    let settings = topic_configs::check(configs.map(|it| (&*it.name, it.value.as_deref())))?;
    Ok(NewTopic {
        name,
        partitions,
        durability: topic_configs::durability(&settings, &session.settings),
        window: topic_configs::window(&settings, &session.settings),
        settings,
    })
}

/// The number of partitions of a queue that becomes a topic: it keeps its own, because its order
/// depends on them. A client that asks for another number wouldn't get what it asks for.
fn adopted_partitions(
    topic: &CreatableTopic,
    new: &NewTopic,
    queue: &LogDefinition,
) -> Result<u32, Fault> {
    let kept = queue.config.partitions;
    let is_chosen = topic.num_partitions == DEFAULT && topic.assignments.is_empty();
    if is_chosen || new.partitions == kept {
        return Ok(kept);
    }
    Err(Fault::new(
        ResponseError::InvalidPartitions,
        format!(
            "'{}' is a queue with {kept} partition(s), which it keeps as a topic: ask for as many, \
             or for -1.",
            new.name
        ),
    ))
}

fn check_values<'a>(without: impl Iterator<Item = &'a CreatableTopicConfig>) -> Result<(), Fault> {
    let names: Vec<&str> = without.map(|it| &*it.name).collect();
    match &names[..] {
        [] => Ok(()),
        _ => Err(Fault::new(
            ResponseError::InvalidConfig,
            format!(
                "Null value not supported for topic configs: {}",
                names.join(",")
            ),
        )),
    }
}

fn partitions(session: &Session, topic: &CreatableTopic) -> Result<u32, Fault> {
    if !topic.assignments.is_empty() {
        return assigned_partitions(topic);
    }
    check_replication(session, topic.replication_factor)?;
    if topic.num_partitions == DEFAULT {
        return Ok(session.settings.partitions_default);
    }
    check_partitions(topic.num_partitions)
}

fn check_replication(session: &Session, factor: i16) -> Result<(), Fault> {
    let message = match factor {
        -1 | 1 => return Ok(()),
        2.. if !session.settings.is_replication_strict => return Ok(()),
        2.. => format!(
            "Unable to replicate the partition {factor} time(s): The target replication factor of \
             {factor} cannot be reached because only 1 broker(s) are registered."
        ),
        _ => "Replication factor must be larger than 0, or -1 to use the default value.".to_owned(),
    };
    Err(Fault::new(ResponseError::InvalidReplicationFactor, message))
}

/// Checks a number of partitions.
pub(super) fn check_partitions(count: i32) -> Result<u32, Fault> {
    match u32::try_from(count) {
        Ok(count) if (1..=PARTITIONS_MAX).contains(&count) => Ok(count),
        Ok(1..) => Err(Fault::new(
            ResponseError::InvalidPartitions,
            format!("a topic has from 1 to {PARTITIONS_MAX} partitions"),
        )),
        _ => Err(Fault::new(
            ResponseError::InvalidPartitions,
            "Number of partitions was set to an invalid non-positive value.",
        )),
    }
}

/// The number of partitions of a topic whose replicas are assigned by the client: all to the one
/// broker.
fn assigned_partitions(topic: &CreatableTopic) -> Result<u32, Fault> {
    if topic.num_partitions != DEFAULT || topic.replication_factor != -1 {
        return Err(Fault::new(
            ResponseError::InvalidRequest,
            "replicas are assigned, so the numbers of partitions and replicas must be -1",
        ));
    }
    let mut indexes: Vec<i32> = topic
        .assignments
        .iter()
        .map(|it| it.partition_index)
        .collect();
    indexes.sort_unstable();
    let is_dense = indexes.iter().copied().eq(0..indexes.len() as i32);
    if !is_dense {
        return Err(Fault::new(
            ResponseError::InvalidReplicaAssignment,
            "partitions should be a consecutive 0-based integer sequence",
        ));
    }
    for it in &topic.assignments {
        assignment::check(&it.broker_ids)?;
    }
    check_partitions(topic.assignments.len() as i32)
}

fn result(
    session: &Session,
    topic: &CreatableTopic,
    created: Result<Created, Fault>,
) -> CreatableTopicResult {
    let result = CreatableTopicResult::default().with_name(topic.name.clone());
    match created {
        Ok(created) => {
            let id = created.definition.map(|it| session.topics().id(it.id));
            let configs = created.configs.into_iter().map(config);
            result
                .with_error_message(None)
                .with_topic_id(id.unwrap_or_default())
                .with_num_partitions(created.partitions as i32)
                .with_replication_factor(1)
                .with_configs(Some(configs.collect()))
        }
        Err(fault) => result
            .with_error_code(fault.code())
            .with_error_message(fault.text())
            .with_num_partitions(-1)
            .with_replication_factor(-1)
            .with_configs(None),
    }
}

fn config(described: Described) -> CreatableTopicConfigs {
    CreatableTopicConfigs::default()
        .with_name(text(described.config.name))
        .with_value(Some(text(&described.value)))
        .with_config_source(described.source.code())
}
