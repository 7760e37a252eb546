//! DeleteAcls (key 31), versions 1 to 3.
//!
//! Refuses each filter with `SECURITY_DISABLED`, as a broker without an authorizer does.
//!
//! Deviations: none known.
//!
//! Spec: `DeleteAclsRequest.json`; KIP-140, KIP-290 (pattern types).

use stele_wire_kafka::{
    RequestHeader, ResponseError,
    messages::{
        DeleteAclsRequest, DeleteAclsResponse, delete_acls_response::DeleteAclsFilterResult,
    },
};

use super::{Operation, k30_create_acls::NO_AUTHORIZER, text};
use crate::session::Session;

/// The operation.
pub(crate) struct DeleteAcls;

impl Operation for DeleteAcls {
    type Request = DeleteAclsRequest;

    const VERSIONS: (i16, i16) = (1, 3);

    async fn handle(
        _session: &mut Session,
        _header: &RequestHeader,
        request: DeleteAclsRequest,
    ) -> DeleteAclsResponse {
        let refused = DeleteAclsFilterResult::default()
            .with_error_code(ResponseError::SecurityDisabled.code())
            .with_error_message(Some(text(NO_AUTHORIZER)));
        DeleteAclsResponse::default().with_filter_results(vec![refused; request.filters.len()])
    }
}
