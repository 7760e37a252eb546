//! DescribeClientQuotas (key 48), versions 0 to 1.
//!
//! Returns an empty list: there are no quotas. The filter is validated nevertheless.
//!
//! Deviations: none known.
//!
//! Spec: `DescribeClientQuotasRequest.json`; KIP-546.

use std::collections::BTreeSet;

use stele_wire_kafka::{
    RequestHeader, ResponseError,
    messages::{
        DescribeClientQuotasRequest, DescribeClientQuotasResponse,
        describe_client_quotas_request::ComponentData,
    },
};

use super::Operation;
use crate::{errors::Fault, session::Session};

pub(super) const USER: &str = "user";
pub(super) const CLIENT_ID: &str = "client-id";
pub(super) const IP: &str = "ip";

const MATCH_EXACT: i8 = 0;
const MATCH_DEFAULT: i8 = 1;
const MATCH_SPECIFIED: i8 = 2;

/// The operation.
pub(crate) struct DescribeClientQuotas;

impl Operation for DescribeClientQuotas {
    type Request = DescribeClientQuotasRequest;

    const VERSIONS: (i16, i16) = (0, 1);

    async fn handle(
        _session: &mut Session,
        _header: &RequestHeader,
        request: DescribeClientQuotasRequest,
    ) -> DescribeClientQuotasResponse {
        let response = DescribeClientQuotasResponse::default();
        match check(&request.components) {
            Ok(()) => response
                .with_error_message(None)
                .with_entries(Some(Vec::new())),
            Err(fault) => response
                .with_error_code(fault.code())
                .with_error_message(fault.text())
                .with_entries(None),
        }
    }
}

fn check(components: &[ComponentData]) -> Result<(), Fault> {
    let mut types = BTreeSet::new();
    for component in components {
        let entity = &*component.entity_type;
        if entity.is_empty() {
            return Err(invalid("Invalid empty entity type."));
        }
        if !types.insert(entity) {
            let message = "cannot appear more than once in the filter.";
            return Err(invalid(format!("Entity type {entity} {message}")));
        }
        if ![USER, CLIENT_ID, IP].contains(&entity) {
            let message = format!("Unsupported entity type {entity}");
            return Err(Fault::new(ResponseError::UnsupportedVersion, message));
        }
        check_match(component)?;
    }
    if types.contains(IP) && types.len() > 1 {
        return Err(invalid(
            "Invalid entity filter component combination. IP filter component should not be used \
             with user or clientId filter component.",
        ));
    }
    Ok(())
}

fn check_match(component: &ComponentData) -> Result<(), Fault> {
    let name = match (component.match_type, &component._match) {
        (MATCH_EXACT, Some(_)) | (MATCH_DEFAULT | MATCH_SPECIFIED, None) => return Ok(()),
        (MATCH_EXACT, None) => {
            let message = "Request specified MATCH_TYPE_EXACT, but set match string to null.";
            return Err(invalid(message));
        }
        (MATCH_DEFAULT, _) => "MATCH_TYPE_DEFAULT",
        (MATCH_SPECIFIED, _) => "MATCH_TYPE_SPECIFIED",
        (other, _) => return Err(invalid(format!("Unknown match type {other}"))),
    };
    let message = format!("Request specified {name}, but also specified a match string.");
    Err(invalid(message))
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new(ResponseError::InvalidRequest, message)
}
