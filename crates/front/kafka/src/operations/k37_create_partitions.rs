//! CreatePartitions (key 37), versions 0 to 3.
//!
//! Adds partitions to topics.
//!
//! Deviations: the timeout isn't needed: the partitions exist when the response is sent.
//!
//! Spec: `CreatePartitionsRequest.json`; KIP-195.

use stele_core_broker::Action;
use stele_core_engine::AlterLog;
use stele_wire_kafka::{
    RequestHeader, ResponseError,
    messages::{
        CreatePartitionsRequest, CreatePartitionsResponse,
        create_partitions_request::CreatePartitionsTopic,
        create_partitions_response::CreatePartitionsTopicResult,
    },
};

use super::{Operation, k19_create_topics::check_partitions};
use crate::{assignment, errors::Fault, session::Session};

/// The operation.
pub(crate) struct CreatePartitions;

impl Operation for CreatePartitions {
    type Request = CreatePartitionsRequest;

    const VERSIONS: (i16, i16) = (0, 3);

    async fn handle(
        session: &mut Session,
        _header: &RequestHeader,
        request: CreatePartitionsRequest,
    ) -> CreatePartitionsResponse {
        let mut results = Vec::with_capacity(request.topics.len());
        for topic in request.topics {
            let created = create(session, &topic, request.validate_only).await;
            let result = CreatePartitionsTopicResult::default().with_name(topic.name);
            results.push(match created {
                Ok(()) => result,
                Err(fault) => result
                    .with_error_code(fault.code())
                    .with_error_message(fault.text()),
            });
        }
        CreatePartitionsResponse::default().with_results(results)
    }
}

async fn create(
    session: &Session,
    asked: &CreatePartitionsTopic,
    is_check: bool,
) -> Result<(), Fault> {
    let topic = session.topics().by_name(&asked.name, Action::Configure)?;
    let count = check_partitions(asked.count)?;
    let current = topic.partitions;
    if count <= current {
        let message = match count == current {
            true => format!("Topic already has {current} partition(s)."),
            false => format!(
                "The topic {} currently has {current} partition(s); {count} would not be an \
                 increase.",
                *asked.name
            ),
        };
        return Err(Fault::new(ResponseError::InvalidPartitions, message));
    }
    if let Some(assignments) = &asked.assignments {
        let added = (count - current) as usize;
        if assignments.len() != added {
            let message = format!(
                "Attempted to add {added} additional partition(s), but only {} assignment(s) were \
                 specified.",
                assignments.len()
            );
            return Err(Fault::new(ResponseError::InvalidReplicaAssignment, message));
        }
        for it in assignments {
            assignment::check(&it.broker_ids)?;
        }
    }
    if !is_check {
        let alter = AlterLog {
            partitions: Some(count),
            ..AlterLog::nothing(topic.log)
        };
        session.broker.alter_log(alter).await?;
    }
    Ok(())
}
