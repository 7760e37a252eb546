//! DescribeLogDirs (key 35), versions 1 to 4.
//!
//! Returns the sizes of partitions and of the disk. There is one directory for all; the size of a
//! partition is that of its stored batches. Partitions that don't exist are left out, as in Kafka.
//!
//! Deviations: none.
//!
//! Spec: `DescribeLogDirsRequest.json`; KIP-113, KIP-827 (sizes of the disk).

use std::{io, path::PathBuf, sync::Arc};

use hashbrown::HashMap;
use stele_base_types::{LogId, Name};
use stele_core_broker::Action;
use stele_wire_kafka::{
    RequestHeader,
    messages::{
        DescribeLogDirsRequest, DescribeLogDirsResponse,
        describe_log_dirs_request::DescribableLogDirTopic,
        describe_log_dirs_response::{
            DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
        },
    },
};

use tokio::task::spawn_blocking;

use super::{Operation, text, topic_name};
use crate::{errors::Fault, session::Session, topics::Topic};

/// A size that isn't known.
const UNKNOWN: i64 = -1;

/// The operation.
pub(crate) struct DescribeLogDirs;

impl Operation for DescribeLogDirs {
    type Request = DescribeLogDirsRequest;

    const VERSIONS: (i16, i16) = (1, 4);

    async fn handle(
        session: &mut Session,
        _header: &RequestHeader,
        request: DescribeLogDirsRequest,
    ) -> DescribeLogDirsResponse {
        let asked = match request.topics {
            Some(topics) => named(session, topics),
            None => all(session),
        };
        let result = DescribeLogDirsResult::default().with_log_dir(text(&session.settings.log_dir));
        let (total_bytes, usable_bytes) = disk_bytes(session).await;
        let result = match describe(session, asked).await {
            Ok(topics) => result
                .with_topics(topics)
                .with_total_bytes(total_bytes)
                .with_usable_bytes(usable_bytes),
            Err(fault) => result.with_error_code(fault.code()),
        };
        DescribeLogDirsResponse::default().with_results(vec![result])
    }
}

/// The total and usable size of the disk; each -1 if it can't be found out.
async fn disk_bytes(session: &Session) -> (i64, i64) {
    let disk = Arc::clone(&session.settings.disk);
    let path = PathBuf::from(&session.settings.log_dir);
    let measured = spawn_blocking(move || (disk.total_bytes(&path), disk.free_bytes(&path))).await;
    let known = |bytes: io::Result<u64>| {
        let bytes = bytes.ok().and_then(|bytes| i64::try_from(bytes).ok());
        bytes.unwrap_or(UNKNOWN)
    };
    measured.map_or((UNKNOWN, UNKNOWN), |(total, free)| {
        (known(total), known(free))
    })
}

/// A topic and its requested partitions.
struct Asked {
    topic: Topic,
    /// `None` means all.
    partitions: Option<Vec<i32>>,
}

impl Asked {
    fn has(&self, partition: i32) -> bool {
        let asked = self.partitions.as_ref();
        asked.is_none_or(|asked| asked.contains(&partition))
    }
}

fn all(session: &Session) -> Vec<Asked> {
    let topics = session.topics().all().into_iter();
    let all = topics.map(|topic| Asked {
        topic,
        partitions: None,
    });
    all.collect()
}

fn named(session: &Session, topics: Vec<DescribableLogDirTopic>) -> Vec<Asked> {
    // A topic named twice is answered once.
    let mut positions: HashMap<Name, usize> = HashMap::new();
    let mut all: Vec<Asked> = Vec::with_capacity(topics.len());
    for named in topics {
        let Ok(topic) = session.topics().by_name(&named.topic, Action::Describe) else {
            continue;
        };
        let position = *positions.entry(topic.name.clone()).or_insert(all.len());
        match all.get_mut(position) {
            Some(asked) => asked
                .partitions
                .get_or_insert_default()
                .extend(named.partitions),
            None => all.push(Asked {
                topic,
                partitions: Some(named.partitions),
            }),
        }
    }
    all
}

async fn describe(
    session: &Session,
    asked: Vec<Asked>,
) -> Result<Vec<DescribeLogDirsTopic>, Fault> {
    let mut topics = Vec::with_capacity(asked.len());
    let logs: Vec<LogId> = asked.iter().map(|asked| asked.topic.log).collect();
    let statuses = session.broker.statuses(&logs).await?;
    for (asked, status) in asked.into_iter().zip(statuses) {
        // It has been deleted meanwhile.
        let Ok(status) = status else {
            continue;
        };
        let partitions = (0..).zip(&status.partitions);
        let partitions = partitions.filter(|(index, _)| asked.has(*index));
        let partitions = partitions.map(|(index, partition)| {
            DescribeLogDirsPartition::default()
                .with_partition_index(index)
                .with_partition_size(partition.size_bytes as i64)
        });
        let topic = DescribeLogDirsTopic::default()
            .with_name(topic_name(&asked.topic.name))
            .with_partitions(partitions.collect());
        if !topic.partitions.is_empty() {
            topics.push(topic);
        }
    }
    Ok(topics)
}
