//! LeaveGroup (key 13), versions 0 to 5.
//!
//! Removes members from a group. Versions 3 and later name several, by member id or by static name.
//!
//! Deviations: the reason of version 5 isn't stored.
//!
//! Spec: `LeaveGroupRequest.json`; KIP-345 (static members), KIP-800 (reasons).

use stele_core_engine as engine;
use stele_wire_kafka::{
    RequestHeader, ResponseError,
    messages::{
        LeaveGroupRequest, LeaveGroupResponse, leave_group_request::MemberIdentity,
        leave_group_response::MemberResponse,
    },
};

use super::Operation;
use crate::{
    groups::{self, boxed, boxed_option},
    session::Session,
};

/// The first version with several members.
const MEMBERS_SINCE: i16 = 3;

/// The operation.
pub(crate) struct LeaveGroup;

impl Operation for LeaveGroup {
    type Request = LeaveGroupRequest;

    const VERSIONS: (i16, i16) = (0, 5);

    async fn handle(
        session: &mut Session,
        header: &RequestHeader,
        request: LeaveGroupRequest,
    ) -> LeaveGroupResponse {
        let members = match header.api_version {
            MEMBERS_SINCE.. => request.members,
            _ => vec![MemberIdentity::default().with_member_id(request.member_id)],
        };
        let codes = match leave(session, &request.group_id, &members).await {
            Ok(codes) => codes,
            Err(error) => return LeaveGroupResponse::default().with_error_code(error.code()),
        };
        if header.api_version < MEMBERS_SINCE {
            let code = codes.first().copied().unwrap_or(0);
            return LeaveGroupResponse::default().with_error_code(code);
        }
        let members = members.into_iter().zip(codes).map(|(member, code)| {
            MemberResponse::default()
                .with_member_id(member.member_id)
                .with_group_instance_id(member.group_instance_id)
                .with_error_code(code)
        });
        LeaveGroupResponse::default().with_members(members.collect())
    }
}

/// Removes members. Returns a code for each.
async fn leave(
    session: &Session,
    group: &str,
    members: &[MemberIdentity],
) -> Result<Vec<i16>, ResponseError> {
    let leaving = members.iter().map(|member| {
        let instance = boxed_option(member.group_instance_id.as_deref());
        (boxed(&member.member_id), instance)
    });
    let leave = engine::LeaveGroup {
        group: groups::group_name(group)?,
        members: leaving.collect(),
    };
    groups::command(session, leave).await.map(groups::codes)
}
