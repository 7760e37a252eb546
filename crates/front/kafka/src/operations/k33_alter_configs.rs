//! AlterConfigs (key 33), versions 0 to 2.
//!
//! Replaces all configurations of topics: what isn't named goes back to its default.
//!
//! Deviations: the broker's configurations can't be changed this way.
//!
//! Spec: `AlterConfigsRequest.json`; KIP-133.

use stele_wire_kafka::{
    RequestHeader,
    messages::{
        AlterConfigsRequest, AlterConfigsResponse, alter_configs_request::AlterConfigsResource,
        alter_configs_response::AlterConfigsResourceResponse,
    },
};

use super::Operation;
use crate::{errors::Fault, resources::Change, session::Session, topic_configs};

/// The operation.
pub(crate) struct AlterConfigs;

impl Operation for AlterConfigs {
    type Request = AlterConfigsRequest;

    const VERSIONS: (i16, i16) = (0, 2);

    async fn handle(
        session: &mut Session,
        _header: &RequestHeader,
        request: AlterConfigsRequest,
    ) -> AlterConfigsResponse {
        let mut responses = Vec::with_capacity(request.resources.len());
        for resource in request.resources {
            let altered = alter(session, &resource, request.validate_only).await;
            let response = AlterConfigsResourceResponse::default()
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name);
            responses.push(match altered {
                Ok(()) => response.with_error_message(None),
                Err(fault) => response
                    .with_error_code(fault.code())
                    .with_error_message(fault.text()),
            });
        }
        AlterConfigsResponse::default().with_responses(responses)
    }
}

async fn alter(
    session: &Session,
    resource: &AlterConfigsResource,
    is_check: bool,
) -> Result<(), Fault> {
    let change = Change {
        resource_type: resource.resource_type,
        name: &resource.resource_name,
        is_check,
    };
    let configs = resource.configs.iter();
    let given = configs.map(|it| (&*it.name, it.value.as_deref()));
    change.make(session, topic_configs::replacing(given)).await
}
