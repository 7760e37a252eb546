//! InitProducerId (key 22), versions 0 to 5.
//!
//! Gives an idempotent producer its id, or the next epoch of its id.
//!
//! Deviations: a transactional id is refused, because there are no transactions yet.
//!
//! Spec: `InitProducerIdRequest.json`; KIP-98, KIP-360 (the next epoch).

use stele_base_types::{ProducerEpoch, ProducerId};
use stele_wire_kafka::{
    RequestHeader, ResponseError,
    messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId as WireProducerId},
};

use super::Operation;
use crate::{errors::Fault, session::Session};

/// The operation.
pub(crate) struct InitProducerId;

impl Operation for InitProducerId {
    type Request = InitProducerIdRequest;

    const VERSIONS: (i16, i16) = (0, 5);

    async fn handle(
        session: &mut Session,
        _header: &RequestHeader,
        request: InitProducerIdRequest,
    ) -> InitProducerIdResponse {
        match init(session, request).await {
            Ok((id, epoch)) => InitProducerIdResponse::default()
                .with_producer_id(WireProducerId(id.0))
                .with_producer_epoch(epoch.0),
            Err(fault) => InitProducerIdResponse::default()
                .with_error_code(fault.code())
                .with_producer_id(WireProducerId(-1))
                .with_producer_epoch(-1),
        }
    }
}

async fn init(
    session: &Session,
    request: InitProducerIdRequest,
) -> Result<(ProducerId, ProducerEpoch), Fault> {
    if request.transactional_id.is_some() {
        return Err(ResponseError::TransactionalIdAuthorizationFailed.into());
    }
    let (id, epoch) = (request.producer_id.0, request.producer_epoch);
    let current = match (id, epoch) {
        (-1, -1) => None,
        (0.., 0..) => Some((ProducerId(id), ProducerEpoch(epoch))),
        _ => return Err(ResponseError::InvalidRequest.into()),
    };
    Ok(session.broker.init_producer(current).await?)
}
