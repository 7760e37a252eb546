//! OffsetFetch (key 9), versions 1 to 9.
//!
//! Returns committed offsets of groups: for the given partitions or, with a null list of topics,
//! for all. Versions 8 and later request several groups at once.
//!
//! Deviations: none known. Without transactions an offset is always stable; `member_id` and
//! `member_epoch` of version 9 belong to the newer group protocol and aren't checked for classic
//! groups, as in Kafka. Version 10, which has topic ids, isn't supported.
//!
//! Spec: `OffsetFetchRequest.json`; KIP-447 (stable), KIP-709 (several groups).

use hashbrown::HashMap;
use stele_base_types::PartitionId;
use stele_core_broker::Action;
use stele_core_engine::{FetchOffsets, OffsetEntry};
use stele_wire_kafka::{
    RequestHeader, ResponseError, StrBytes,
    messages::{
        GroupId, OffsetFetchRequest, OffsetFetchResponse, TopicName,
        offset_fetch_response::{
            OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
            OffsetFetchResponseTopic, OffsetFetchResponseTopics,
        },
    },
};

use super::{Operation, text, topic_name};
use crate::{groups, session::Session};

/// The first version with several groups.
const GROUPS_SINCE: i16 = 8;

/// The operation.
pub(crate) struct OffsetFetch;

impl Operation for OffsetFetch {
    type Request = OffsetFetchRequest;

    const VERSIONS: (i16, i16) = (1, 9);

    async fn handle(
        session: &mut Session,
        header: &RequestHeader,
        request: OffsetFetchRequest,
    ) -> OffsetFetchResponse {
        if header.api_version < GROUPS_SINCE {
            return one_group(session, header.api_version, request).await;
        }
        let mut answers = Vec::with_capacity(request.groups.len());
        for group in request.groups {
            let topics = group.topics.map(|topics| {
                let asked = topics.into_iter();
                asked.map(|it| (it.name, it.partition_indexes)).collect()
            });
            let fetched = fetch(session, &group.group_id, topics).await;
            answers.push(group_response(group.group_id, fetched));
        }
        OffsetFetchResponse::default().with_groups(answers)
    }
}

/// Requested topics with partitions.
type Asked = Vec<(TopicName, Vec<i32>)>;

/// The result for a partition.
struct Fetched {
    index: i32,
    offset: i64,
    leader_epoch: i32,
    metadata: StrBytes,
    error: Option<ResponseError>,
}

impl Fetched {
    fn nothing(index: i32, error: Option<ResponseError>) -> Self {
        Self {
            index,
            offset: -1,
            leader_epoch: -1,
            metadata: StrBytes::new(),
            error,
        }
    }

    fn of(index: i32, entry: Option<&OffsetEntry>) -> Self {
        match entry.and_then(|entry| entry.committed.as_ref()) {
            Some(committed) => Self {
                index,
                // Negative if a negative offset was committed.
                offset: committed.offset.0 as i64,
                leader_epoch: committed.leader_epoch,
                metadata: text(&committed.metadata),
                error: None,
            },
            None => Self::nothing(index, None),
        }
    }
}

type FetchedTopics = Vec<(TopicName, Vec<Fetched>)>;

/// The committed offsets of `group` for `topics`, or for all.
async fn fetch(
    session: &Session,
    group: &str,
    topics: Option<Asked>,
) -> Result<FetchedTopics, ResponseError> {
    match topics {
        Some(topics) => fetch_named(session, group, topics).await,
        None => fetch_all(session, group).await,
    }
}

async fn fetch_named(
    session: &Session,
    group: &str,
    topics: Asked,
) -> Result<FetchedTopics, ResponseError> {
    let found: Vec<_> = topics
        .iter()
        .map(|(name, _)| session.topics().by_name(name, Action::Describe).ok())
        .collect();
    let mut partitions = Vec::new();
    for (topic, (_, indexes)) in found.iter().zip(&topics) {
        let of_topic = indexes
            .iter()
            .filter_map(|it| topic.as_ref()?.partition(*it));
        partitions.extend(of_topic);
    }
    let entries: HashMap<PartitionId, OffsetEntry> = entries(session, group, Some(partitions))
        .await?
        .into_iter()
        .map(|entry| (entry.partition, entry))
        .collect();
    let answer = |(topic, (name, indexes)): (Option<crate::topics::Topic>, _)| {
        let indexes: Vec<i32> = indexes;
        let fetched = indexes.into_iter().map(|index| {
            match topic.as_ref().and_then(|topic| topic.partition(index)) {
                Some(partition) => Fetched::of(index, entries.get(&partition)),
                // A deleted topic has no offsets: answered as in Kafka.
                None => Fetched::nothing(index, None),
            }
        });
        (name, fetched.collect())
    };
    Ok(found.into_iter().zip(topics).map(answer).collect())
}

async fn fetch_all(session: &Session, group: &str) -> Result<FetchedTopics, ResponseError> {
    let mut topics: FetchedTopics = Vec::new();
    let mut positions = HashMap::new();
    for entry in entries(session, group, None).await? {
        let Some(name) = session.topics().name_of(entry.partition.log) else {
            continue;
        };
        let position = *positions.entry(entry.partition.log).or_insert_with(|| {
            topics.push((topic_name(&name), Vec::new()));
            topics.len() - 1
        });
        let index = entry.partition.index.0 as i32;
        topics[position].1.push(Fetched::of(index, Some(&entry)));
    }
    Ok(topics)
}

async fn entries(
    session: &Session,
    group: &str,
    partitions: Option<Vec<PartitionId>>,
) -> Result<Vec<OffsetEntry>, ResponseError> {
    let group = groups::group_name(group)?;
    groups::command(session, FetchOffsets { group, partitions }).await
}

fn group_response(
    group: GroupId,
    fetched: Result<FetchedTopics, ResponseError>,
) -> OffsetFetchResponseGroup {
    let response = OffsetFetchResponseGroup::default().with_group_id(group);
    let topics = match fetched {
        Ok(topics) => topics,
        Err(error) => return response.with_error_code(error.code()),
    };
    let topics = topics.into_iter().map(|(name, partitions)| {
        let partitions = partitions.into_iter().map(|fetched| {
            OffsetFetchResponsePartitions::default()
                .with_partition_index(fetched.index)
                .with_committed_offset(fetched.offset)
                .with_committed_leader_epoch(fetched.leader_epoch)
                .with_metadata(Some(fetched.metadata))
                .with_error_code(fetched.error.map_or(0, |it| it.code()))
        });
        OffsetFetchResponseTopics::default()
            .with_name(name)
            .with_partitions(partitions.collect())
    });
    response.with_topics(topics.collect())
}

/// Versions up to 7. Version 1 has no top-level error, so each partition has it.
async fn one_group(
    session: &Session,
    version: i16,
    request: OffsetFetchRequest,
) -> OffsetFetchResponse {
    let asked: Option<Asked> = request.topics.map(|topics| {
        let asked = topics.into_iter();
        asked.map(|it| (it.name, it.partition_indexes)).collect()
    });
    let (topics, error) = match fetch(session, &request.group_id, asked.clone()).await {
        Ok(topics) => (topics, None),
        Err(error) => (failed(asked.unwrap_or_default(), error), Some(error)),
    };
    let topics = topics.into_iter().map(|(name, partitions)| {
        let partitions = partitions.into_iter().map(partition_response);
        OffsetFetchResponseTopic::default()
            .with_name(name)
            .with_partitions(partitions.collect())
    });
    let code = error.filter(|_| version >= 2).map_or(0, |it| it.code());
    OffsetFetchResponse::default()
        .with_topics(topics.collect())
        .with_error_code(code)
}

fn failed(asked: Asked, error: ResponseError) -> FetchedTopics {
    let topic = |(name, indexes): (TopicName, Vec<i32>)| {
        let nothing = |index| Fetched::nothing(index, Some(error));
        (name, indexes.into_iter().map(nothing).collect())
    };
    asked.into_iter().map(topic).collect()
}

fn partition_response(fetched: Fetched) -> OffsetFetchResponsePartition {
    OffsetFetchResponsePartition::default()
        .with_partition_index(fetched.index)
        .with_committed_offset(fetched.offset)
        .with_committed_leader_epoch(fetched.leader_epoch)
        .with_metadata(Some(fetched.metadata))
        .with_error_code(fetched.error.map_or(0, |it| it.code()))
}
