//! IncrementalAlterConfigs (key 44), versions 0 and 1.
//!
//! Changes the configurations of topics that are named, and leaves the others.
//!
//! Deviations: appending to and subtracting from lists is refused: the only lists that a topic has
//! are those of Kafka's replication. The broker's configurations can't be changed this way.
//!
//! Spec: `IncrementalAlterConfigsRequest.json`; KIP-339.

use stele_core_engine::SettingsChange;
use stele_wire_kafka::{
    RequestHeader, ResponseError,
    messages::{
        IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
        incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig},
        incremental_alter_configs_response::AlterConfigsResourceResponse,
    },
};

use super::Operation;
use crate::{errors::Fault, resources::Change, session::Session, topic_configs};

const SET: i8 = 0;
const DELETE: i8 = 1;

/// The operation.
pub(crate) struct IncrementalAlterConfigs;

impl Operation for IncrementalAlterConfigs {
    type Request = IncrementalAlterConfigsRequest;

    const VERSIONS: (i16, i16) = (0, 1);

    async fn handle(
        session: &mut Session,
        _header: &RequestHeader,
        request: IncrementalAlterConfigsRequest,
    ) -> IncrementalAlterConfigsResponse {
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
        IncrementalAlterConfigsResponse::default().with_responses(responses)
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
    change.make(session, named(&resource.configs)).await
}

fn named(configs: &[AlterableConfig]) -> Result<SettingsChange, Fault> {
    let mut change = SettingsChange::new();
    for config in configs {
        name_one(&mut change, config)?;
    }
    Ok(change)
}

fn name_one(change: &mut SettingsChange, config: &AlterableConfig) -> Result<(), Fault> {
    let name: &str = &config.name;
    match config.config_operation {
        SET => {
            let value = config.value.as_deref();
            let value = value.ok_or_else(|| invalid(format!("{name} needs a value")))?;
            topic_configs::check([(name, Some(value))].into_iter())?;
            change.insert(name.into(), Some(value.into()));
            Ok(())
        }
        DELETE => {
            // Checks the name alone.
            topic_configs::check([(name, None)].into_iter())?;
            change.insert(name.into(), None);
            Ok(())
        }
        other => Err(invalid(format!(
            "operation {other} on {name} isn't supported"
        ))),
    }
}

fn invalid(message: String) -> Fault {
    Fault::new(ResponseError::InvalidConfig, message)
}
