//! CreateAcls (key 30), versions 1 to 3.
//!
//! Refuses each with `SECURITY_DISABLED`, as a broker without an authorizer does.
//!
//! Deviations: none known.
//!
//! Spec: `CreateAclsRequest.json`; KIP-140, KIP-290 (pattern types).

use stele_wire_kafka::{
    RequestHeader, ResponseError,
    messages::{CreateAclsRequest, CreateAclsResponse, create_acls_response::AclCreationResult},
};

use super::{Operation, text};
use crate::session::Session;

/// Kafka's message for a change of ACLs.
pub(super) const NO_AUTHORIZER: &str = "No Authorizer is configured.";

/// The operation.
pub(crate) struct CreateAcls;

impl Operation for CreateAcls {
    type Request = CreateAclsRequest;

    const VERSIONS: (i16, i16) = (1, 3);

    async fn handle(
        _session: &mut Session,
        _header: &RequestHeader,
        request: CreateAclsRequest,
    ) -> CreateAclsResponse {
        let refused = AclCreationResult::default()
            .with_error_code(ResponseError::SecurityDisabled.code())
            .with_error_message(Some(text(NO_AUTHORIZER)));
        CreateAclsResponse::default().with_results(vec![refused; request.creations.len()])
    }
}
