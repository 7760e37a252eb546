//! Heartbeat (key 12), versions 0 to 4.
//!
//! A member says that it is still there; `REBALANCE_IN_PROGRESS` tells it to join again.
//!
//! Deviations: none known.
//!
//! Spec: `HeartbeatRequest.json`; KIP-345 (static members).

use stele_core_engine::GroupCommand;
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
    let group = groups::group_name(&request.group_id)?;
    let command = GroupCommand::Heartbeat {
        member: boxed(&request.member_id),
        instance: boxed_option(request.group_instance_id.as_deref()),
        generation: request.generation_id,
    };
    match groups::command(session, group, command).await {
        Ok(_) => Ok(()),
        // A group that is gone knows no members: the client joins anew.
        Err(ResponseError::GroupIdNotFound) => Err(ResponseError::UnknownMemberId),
        Err(error) => Err(error),
    }
}
