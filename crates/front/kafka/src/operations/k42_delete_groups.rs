//! DeleteGroups (key 42), versions 0 to 2.
//!
//! Deletes groups without members, with their committed offsets.
//!
//! Deviations: none known.
//!
//! Spec: `DeleteGroupsRequest.json`; KIP-229.

use stele_core_engine::DeleteGroup;
use stele_wire_kafka::{
    RequestHeader, ResponseError,
    messages::{
        DeleteGroupsRequest, DeleteGroupsResponse, delete_groups_response::DeletableGroupResult,
    },
};

use super::Operation;
use crate::{
    groups::{self, code_of},
    session::Session,
};

/// The operation.
pub(crate) struct DeleteGroups;

impl Operation for DeleteGroups {
    type Request = DeleteGroupsRequest;

    const VERSIONS: (i16, i16) = (0, 2);

    async fn handle(
        session: &mut Session,
        _header: &RequestHeader,
        request: DeleteGroupsRequest,
    ) -> DeleteGroupsResponse {
        let mut results = Vec::with_capacity(request.groups_names.len());
        for group in request.groups_names {
            let code = code_of(delete(session, &group).await);
            results.push(
                DeletableGroupResult::default()
                    .with_group_id(group)
                    .with_error_code(code),
            );
        }
        DeleteGroupsResponse::default().with_results(results)
    }
}

async fn delete(session: &Session, group: &str) -> Result<(), ResponseError> {
    let group = groups::group_name(group)?;
    groups::command(session, DeleteGroup { group }).await
}
