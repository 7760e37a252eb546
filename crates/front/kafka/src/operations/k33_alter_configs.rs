//! AlterConfigs (key 33), versions 0 to 2.
//!
//! Replaces all configurations of topics: those not given return to their defaults.
//!
//! Deviations: only configurations of topics can be set; all others are treated like Kafka's
//! read-only ones.
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
use crate::{
    errors::Fault,
    resources::{self, Repeated, TOPIC},
    session::Session,
    topic_configs,
};

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
        let named = request.resources.iter();
        let named = named.map(|it| (it.resource_type, it.resource_name.clone()));
        let repeated = Repeated::among(named);
        let mut responses = Vec::with_capacity(request.resources.len());
        for resource in request.resources {
            let altered = match repeated.check(resource.resource_type, &resource.resource_name) {
                Ok(()) => alter(session, &resource, request.validate_only).await,
                Err(fault) => Err(fault),
            };
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
    let configs = resource.configs.iter();
    let without = configs.clone().filter(|it| it.value.is_none());
    resources::check_values(without.map(|it| &*it.name))?;
    let name = &resource.resource_name;
    if resource.resource_type != TOPIC {
        return resources::set_fixed(resource.resource_type, name, configs.map(|it| &*it.name));
    }
    let given = configs.map(|it| (&*it.name, it.value.as_deref()));
    let change = |_: &_| topic_configs::replacing(given.clone());
    resources::change_topic(session, name, is_check, change).await
}
