//! DescribeAcls (key 29), versions 1 to 3.
//!
//! Refuses with `SECURITY_DISABLED`, as a broker without an authorizer does.
//!
//! Deviations: none known.
//!
//! Spec: `DescribeAclsRequest.json`; KIP-140, KIP-290 (pattern types).

use stele_wire_kafka::{
    RequestHeader, ResponseError,
    messages::{DescribeAclsRequest, DescribeAclsResponse},
};

use super::{Operation, text};
use crate::session::Session;

/// The operation.
pub(crate) struct DescribeAcls;

impl Operation for DescribeAcls {
    type Request = DescribeAclsRequest;

    const VERSIONS: (i16, i16) = (1, 3);

    async fn handle(
        _session: &mut Session,
        _header: &RequestHeader,
        _request: DescribeAclsRequest,
    ) -> DescribeAclsResponse {
        DescribeAclsResponse::default()
            .with_error_code(ResponseError::SecurityDisabled.code())
            .with_error_message(Some(text("No Authorizer is configured on the broker")))
    }
}
