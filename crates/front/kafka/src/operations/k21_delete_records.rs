//! DeleteRecords (key 21), versions 0 to 2.
//!
//! Removes records before an offset; -1 is the high watermark. Unacknowledged messages of a queue
//! are removed too.
//!
//! Deviations: the timeout isn't needed, because there are no followers.
//!
//! Spec: `DeleteRecordsRequest.json`; KIP-107.

use stele_base_types::Offset;
use stele_core_broker::Action;
use stele_wire_kafka::{
    RequestHeader, ResponseError,
    messages::{
        DeleteRecordsRequest, DeleteRecordsResponse,
        delete_records_request::DeleteRecordsPartition,
        delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult},
    },
};

use super::Operation;
use crate::{
    errors::Fault,
    session::Session,
    topics::{Topic, partition_of},
};

/// The value for the high watermark.
const HIGH_WATERMARK: i64 = -1;

/// The operation.
pub(crate) struct DeleteRecords;

impl Operation for DeleteRecords {
    type Request = DeleteRecordsRequest;

    const VERSIONS: (i16, i16) = (0, 2);

    async fn handle(
        session: &mut Session,
        _header: &RequestHeader,
        request: DeleteRecordsRequest,
    ) -> DeleteRecordsResponse {
        let mut topics = Vec::with_capacity(request.topics.len());
        for asked in request.topics {
            let topic = session.topics().by_name(&asked.name, Action::Delete);
            let mut results = Vec::with_capacity(asked.partitions.len());
            for partition in asked.partitions {
                let trimmed = trim(session, &topic, &partition).await;
                results.push(result(partition.partition_index, trimmed));
            }
            topics.push(
                DeleteRecordsTopicResult::default()
                    .with_name(asked.name)
                    .with_partitions(results),
            );
        }
        DeleteRecordsResponse::default().with_topics(topics)
    }
}

/// Removes the records. Returns the new start of the partition.
async fn trim(
    session: &Session,
    topic: &Result<Topic, Fault>,
    asked: &DeleteRecordsPartition,
) -> Result<Offset, Fault> {
    let partition = partition_of(topic, asked.partition_index)?;
    let bounds = session.topics().bounds(partition).await?;
    let to = match asked.offset {
        HIGH_WATERMARK => bounds.committed,
        offset => Offset(u64::try_from(offset).map_err(|_| ResponseError::OffsetOutOfRange)?),
    };
    if to > bounds.committed {
        return Err(ResponseError::OffsetOutOfRange.into());
    }
    Ok(session.broker.trim(partition, to).await?)
}

fn result(index: i32, trimmed: Result<Offset, Fault>) -> DeleteRecordsPartitionResult {
    let result = DeleteRecordsPartitionResult::default().with_partition_index(index);
    match trimmed {
        Ok(start) => result.with_low_watermark(start.0 as i64),
        Err(fault) => result.with_low_watermark(-1).with_error_code(fault.code()),
    }
}
