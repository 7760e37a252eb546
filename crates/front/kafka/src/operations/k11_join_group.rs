//! JoinGroup (key 11), versions 0 to 9.
//!
//! Joins or rejoins a group. The response is sent when the rebalance has collected the members. In
//! versions 4 and later, the response to a first join has a member id to rejoin with (KIP-394).
//!
//! Deviations: the reason of version 8 isn't stored.
//!
//! Spec: `JoinGroupRequest.json`; KIP-345 (static members), KIP-814 (a returning static leader).

use bytes::Bytes;
use stele_core_engine::{self as engine, JoinReply, JoinedGroup, JoinedMember};
use stele_wire_kafka::{
    RequestHeader, ResponseError,
    messages::{JoinGroupRequest, JoinGroupResponse, join_group_response::JoinGroupResponseMember},
};

use super::{Operation, text};
use crate::{
    errors::of_group,
    groups::{boxed, boxed_option, group_name},
    limits::ID_SIZE_BYTES_MAX,
    session::Session,
};

/// The first version whose clients rejoin with the member id they are given.
const MEMBER_ID_REQUIRED_SINCE: i16 = 4;

/// The first version with a nullable protocol name.
const NULLABLE_PROTOCOL_SINCE: i16 = 7;

/// The first version that can tell a leader to skip the assignment. An older leader that returns
/// computes one in vain: the assignments of a stable group stay in force.
const SKIP_ASSIGNMENT_SINCE: i16 = 9;

/// The operation.
pub(crate) struct JoinGroup;

impl Operation for JoinGroup {
    type Request = JoinGroupRequest;

    const VERSIONS: (i16, i16) = (0, 9);

    async fn handle(
        session: &mut Session,
        header: &RequestHeader,
        request: JoinGroupRequest,
    ) -> JoinGroupResponse {
        let member_asked = request.member_id.clone();
        match join(session, header, request).await {
            Ok(joined) => joined_response(*joined, header.api_version),
            Err(refused) => {
                let response = JoinGroupResponse::default()
                    .with_error_code(refused.error.code())
                    .with_generation_id(-1)
                    .with_member_id(refused.member.map_or(member_asked, |it| text(&it)));
                match header.api_version {
                    NULLABLE_PROTOCOL_SINCE.. => response.with_protocol_name(None),
                    _ => response.with_protocol_name(Some(text(""))),
                }
            }
        }
    }
}

/// A refused join, with the id to rejoin with, if any.
struct Refused {
    error: ResponseError,
    member: Option<Box<str>>,
}

impl From<ResponseError> for Refused {
    fn from(error: ResponseError) -> Self {
        Self {
            error,
            member: None,
        }
    }
}

async fn join(
    session: &Session,
    header: &RequestHeader,
    request: JoinGroupRequest,
) -> Result<Box<JoinedGroup>, Refused> {
    let join = command(session, header, request)?;
    match session.broker.join_group(join).await {
        Ok(JoinReply::Joined(joined)) => Ok(joined),
        Ok(JoinReply::Invited(member)) => Err(Refused {
            error: ResponseError::MemberIdRequired,
            member: Some(member),
        }),
        Err(error) => Err(of_group(&error).into()),
    }
}

fn command(
    session: &Session,
    header: &RequestHeader,
    request: JoinGroupRequest,
) -> Result<engine::JoinGroup, ResponseError> {
    let group = group_name(&request.group_id)?;
    let client_id = header.client_id.as_deref().unwrap_or_default();
    let instance = request.group_instance_id.as_deref();
    let kept = [client_id, &request.member_id, instance.unwrap_or_default()];
    if kept.iter().any(|id| id.len() > ID_SIZE_BYTES_MAX) {
        return Err(ResponseError::InvalidRequest);
    }
    let session_timeout_ms = u32::try_from(request.session_timeout_ms)
        .map_err(|_| ResponseError::InvalidSessionTimeout)?;
    // Version 0 has a single timeout for both.
    let rebalance_timeout_ms = match u32::try_from(request.rebalance_timeout_ms) {
        Ok(timeout_ms) if header.api_version >= 1 => timeout_ms,
        _ => session_timeout_ms,
    };
    // Member ids as in Kafka: the client id and an unguessable part.
    let member_new = format!(
        "{}-{}",
        instance.unwrap_or(client_id),
        session.settings.random.uuid()
    );
    let protocols = request.protocols.iter();
    Ok(engine::JoinGroup {
        group,
        member: boxed(&request.member_id),
        member_new: member_new.into(),
        instance: boxed_option(instance),
        client_id: boxed(client_id),
        client_host: session.client_host(),
        session_timeout_ms,
        rebalance_timeout_ms,
        protocol_type: boxed(&request.protocol_type),
        protocols: protocols
            .map(|it| (boxed(&it.name), it.metadata.as_ref().into()))
            .collect(),
        member_id_required: header.api_version >= MEMBER_ID_REQUIRED_SINCE,
        gathering_ms: session.settings.group_gathering_ms,
    })
}

fn joined_response(joined: JoinedGroup, version: i16) -> JoinGroupResponse {
    let skip_assignment = joined.skip_assignment && version >= SKIP_ASSIGNMENT_SINCE;
    JoinGroupResponse::default()
        .with_generation_id(joined.generation)
        .with_protocol_type(Some(text(&joined.protocol_type)))
        .with_protocol_name(Some(text(&joined.protocol)))
        .with_leader(text(&joined.leader))
        .with_skip_assignment(skip_assignment)
        .with_member_id(text(&joined.member))
        .with_members(joined.members.into_iter().map(member).collect())
}

fn member(member: JoinedMember) -> JoinGroupResponseMember {
    JoinGroupResponseMember::default()
        .with_member_id(text(&member.member))
        .with_group_instance_id(member.instance.as_deref().map(text))
        .with_metadata(Bytes::from(member.metadata))
}
