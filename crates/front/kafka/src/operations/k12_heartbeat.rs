//! Heartbeat (key 12), versions 0 to 4.
//!
//! Keeps a member in its group; `REBALANCE_IN_PROGRESS` makes it rejoin.
//!
//! Deviations: none known.
//!
//! Spec: `HeartbeatRequest.json`; KIP-345 (static members).

use stele_core_engine::{self as engine, HeartbeatReply};
use stele_wire_kafka::{
    RequestHeader, ResponseError,
    messages::{HeartbeatRequest, HeartbeatResponse},
};

use super::Operation;
use crate::{
    groups::{self, boxed, boxed_option, code_of},
    session::Session,
};

/// The operation.
pub(crate) struct Heartbeat;

impl Operation for Heartbeat {
    type Request = HeartbeatRequest;

    const VERSIONS: (i16, i16) = (0, 4);

    async fn handle(
        session: &mut Session,
        _header: &RequestHeader,
        request: HeartbeatRequest,
    ) -> HeartbeatResponse {
        HeartbeatResponse::default().with_error_code(code_of(beat(session, request).await))
    }
}

async fn beat(session: &Session, request: HeartbeatRequest) -> Result<(), ResponseError> {
    let heartbeat = engine::Heartbeat {
        group: groups::group_name(&request.group_id)?,
        member: boxed(&request.member_id),
        instance: boxed_option(request.group_instance_id.as_deref()),
        generation: request.generation_id,
    };
    match groups::command(session, heartbeat).await? {
        HeartbeatReply::Stay => Ok(()),
        HeartbeatReply::Rejoin => Err(ResponseError::RebalanceInProgress),
    }
}
