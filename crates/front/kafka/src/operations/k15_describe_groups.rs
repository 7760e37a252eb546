//! DescribeGroups (key 15), versions 0 to 6.
//!
//! Returns the state, the protocol and the members of groups.
//!
//! Deviations: none known.
//!
//! Spec: `DescribeGroupsRequest.json`; KIP-1043 (a group that doesn't exist, version 6).

use bytes::Bytes;
use stele_core_engine::{DescribeGroup, GroupDescription, MemberDescription};
use stele_wire_kafka::{
    RequestHeader, ResponseError,
    messages::{
        DescribeGroupsRequest, DescribeGroupsResponse, GroupId,
        describe_groups_response::{DescribedGroup, DescribedGroupMember},
    },
};

use super::{Operation, text};
use crate::{authorized, groups, session::Session};

/// The first version in which a missing group is an error and not a dead group.
const NOT_FOUND_SINCE: i16 = 6;

/// The operation.
pub(crate) struct DescribeGroups;

impl Operation for DescribeGroups {
    type Request = DescribeGroupsRequest;

    const VERSIONS: (i16, i16) = (0, 6);

    async fn handle(
        session: &mut Session,
        header: &RequestHeader,
        request: DescribeGroupsRequest,
    ) -> DescribeGroupsResponse {
        let mut described = Vec::with_capacity(request.groups.len());
        for group in request.groups {
            let description = describe(session, &group).await;
            let mut response = group_response(header.api_version, group, description);
            let is_asked = request.include_authorized_operations && response.error_code == 0;
            response.authorized_operations = authorized::if_asked(is_asked, authorized::GROUP);
            described.push(response);
        }
        DescribeGroupsResponse::default().with_groups(described)
    }
}

async fn describe(session: &Session, group: &str) -> Result<GroupDescription, ResponseError> {
    let group = groups::group_name(group)?;
    groups::command(session, DescribeGroup { group }).await
}

fn group_response(
    version: i16,
    group: GroupId,
    description: Result<GroupDescription, ResponseError>,
) -> DescribedGroup {
    let response = DescribedGroup::default().with_group_id(group);
    match description {
        Ok(description) => response
            .with_group_state(text(description.listing.state))
            .with_protocol_type(text(&description.listing.protocol_type))
            .with_protocol_data(text(&description.protocol))
            .with_members(description.members.into_iter().map(member).collect()),
        Err(ResponseError::GroupIdNotFound) => {
            let message = text(&format!("Group {} not found.", *response.group_id));
            let response = response.with_group_state(text("Dead"));
            match version {
                NOT_FOUND_SINCE.. => response
                    .with_error_code(ResponseError::GroupIdNotFound.code())
                    .with_error_message(Some(message)),
                _ => response,
            }
        }
        Err(error) => response.with_error_code(error.code()),
    }
}

fn member(member: MemberDescription) -> DescribedGroupMember {
    DescribedGroupMember::default()
        .with_member_id(text(&member.member))
        .with_group_instance_id(member.instance.as_deref().map(text))
        .with_client_id(text(&member.client_id))
        .with_client_host(text(&member.client_host))
        .with_member_metadata(Bytes::from(member.metadata))
        .with_member_assignment(Bytes::from(member.assignment))
}
