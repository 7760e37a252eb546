//! ListGroups (key 16), versions 0 to 5.
//!
//! Lists the groups, optionally filtered by state and type.
//!
//! Deviations: every group has the type `classic`, the only one supported.
//!
//! Spec: `ListGroupsRequest.json`; KIP-518 (states), KIP-848 (types).

use stele_core_engine::GroupListing;
use stele_wire_kafka::{
    RequestHeader, StrBytes,
    messages::{GroupId, ListGroupsRequest, ListGroupsResponse, list_groups_response::ListedGroup},
};

use super::{Operation, text};
use crate::{errors::of_group_failure, session::Session};

const CLASSIC: &str = "classic";

/// The operation.
pub(crate) struct ListGroups;

impl Operation for ListGroups {
    type Request = ListGroupsRequest;

    const VERSIONS: (i16, i16) = (0, 5);

    async fn handle(
        session: &mut Session,
        _header: &RequestHeader,
        request: ListGroupsRequest,
    ) -> ListGroupsResponse {
        let listings = match session.broker.groups().await {
            Ok(listings) => listings,
            Err(failure) => {
                let code = of_group_failure(&failure).code();
                return ListGroupsResponse::default().with_error_code(code);
            }
        };
        let groups = listings
            .into_iter()
            .filter(|listing| is_asked(&request.states_filter, listing.state))
            .filter(|_| is_asked(&request.types_filter, CLASSIC))
            .map(listed);
        ListGroupsResponse::default().with_groups(groups.collect())
    }
}

/// Whether a filter matches `value`; an empty filter matches everything.
fn is_asked(filter: &[StrBytes], value: &str) -> bool {
    filter.is_empty() || filter.iter().any(|it| it.eq_ignore_ascii_case(value))
}

fn listed(listing: GroupListing) -> ListedGroup {
    ListedGroup::default()
        .with_group_id(GroupId(text(&listing.name)))
        .with_protocol_type(text(&listing.protocol_type))
        .with_group_state(text(listing.state))
        .with_group_type(text(CLASSIC))
}
