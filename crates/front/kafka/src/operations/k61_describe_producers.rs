//! DescribeProducers (key 61), version 0.
//!
//! Returns the idempotent producers known to partitions, by whose sequence numbers duplicate
//! batches are recognised.
//!
//! Deviations: none known. Without transactions, none is open.
//!
//! Spec: `DescribeProducersRequest.json`; KIP-664.

use stele_core_broker::Action;
use stele_core_engine::KnownProducer;
use stele_wire_kafka::{
    RequestHeader,
    messages::{
        DescribeProducersRequest, DescribeProducersResponse, ProducerId,
        describe_producers_response::{PartitionResponse, ProducerState, TopicResponse},
    },
};

use super::Operation;
use crate::{
    errors::Fault,
    session::Session,
    topics::{Topic, partition_of},
};

/// The epoch if there is no coordinator.
const NO_EPOCH: i32 = -1;

/// The operation.
pub(crate) struct DescribeProducers;

impl Operation for DescribeProducers {
    type Request = DescribeProducersRequest;

    const VERSIONS: (i16, i16) = (0, 0);

    async fn handle(
        session: &mut Session,
        _header: &RequestHeader,
        request: DescribeProducersRequest,
    ) -> DescribeProducersResponse {
        let mut topics = Vec::with_capacity(request.topics.len());
        for asked in request.topics {
            let topic = session.topics().by_name(&asked.name, Action::Describe);
            let mut partitions = Vec::with_capacity(asked.partition_indexes.len());
            for index in asked.partition_indexes {
                let response = PartitionResponse::default().with_partition_index(index);
                partitions.push(match known(session, &topic, index).await {
                    Ok(known) => {
                        response.with_active_producers(known.into_iter().map(state).collect())
                    }
                    Err(fault) => response
                        .with_error_code(fault.code())
                        .with_error_message(fault.text()),
                });
            }
            topics.push(
                TopicResponse::default()
                    .with_name(asked.name)
                    .with_partitions(partitions),
            );
        }
        DescribeProducersResponse::default().with_topics(topics)
    }
}

async fn known(
    session: &Session,
    topic: &Result<Topic, Fault>,
    index: i32,
) -> Result<Vec<KnownProducer>, Fault> {
    let partition = partition_of(topic, index)?;
    Ok(session.broker.producers(partition).await?)
}

fn state(producer: KnownProducer) -> ProducerState {
    ProducerState::default()
        .with_producer_id(ProducerId(producer.id.0))
        .with_producer_epoch(i32::from(producer.epoch.0))
        .with_last_sequence(producer.sequence_last.0)
        .with_last_timestamp(producer.at.0)
        .with_coordinator_epoch(NO_EPOCH)
}
