//! IncrementalAlterConfigs (key 44), versions 0 and 1.
//!
//! Changes the given configurations of topics and leaves the others. Lists can be appended to and
//! subtracted from.
//!
//! Deviations: only configurations of topics can be set; all others are treated like Kafka's
//! read-only ones.
//!
//! Spec: `IncrementalAlterConfigsRequest.json`; KIP-339.

use hashbrown::HashSet;
use stele_core_engine::{Settings as FacetSettings, SettingsChange};
use stele_wire_kafka::{
    RequestHeader, ResponseError,
    messages::{
        IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
        incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig},
        incremental_alter_configs_response::AlterConfigsResourceResponse,
    },
};

use super::Operation;
use crate::{
    errors::Fault,
    resources::{self, Repeated, TOPIC},
    session::Session,
    topic_configs,
};

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

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
        IncrementalAlterConfigsResponse::default().with_responses(responses)
    }
}

async fn alter(
    session: &Session,
    resource: &AlterConfigsResource,
    is_check: bool,
) -> Result<(), Fault> {
    check_configs(&resource.configs)?;
    let configs = resource.configs.iter();
    let name = &resource.resource_name;
    if resource.resource_type != TOPIC {
        // Deleting a configuration that isn't set is allowed.
        let set = configs.filter(|it| it.config_operation != DELETE);
        return resources::set_fixed(resource.resource_type, name, set.map(|it| &*it.name));
    }
    let change = |current: &_| {
        let mut change = SettingsChange::new();
        for config in configs.clone() {
            let value = new_value(session, current, config)?;
            topic_configs::check([(&*config.name, value.as_deref())].into_iter())?;
            change.insert((&*config.name).into(), value.map(String::into_boxed_str));
        }
        Ok(change)
    };
    resources::change_topic(session, name, is_check, change).await
}

fn check_configs(configs: &[AlterableConfig]) -> Result<(), Fault> {
    let mut names = HashSet::new();
    if !configs.iter().all(|config| names.insert(&config.name)) {
        return Err(Fault::new(
            ResponseError::InvalidRequest,
            "Error due to duplicate config keys",
        ));
    }
    let without = configs.iter();
    let without = without.filter(|it| it.config_operation != DELETE && it.value.is_none());
    resources::check_values(without.map(|it| &*it.name))
}

/// The new value of a topic's configuration; `None` if it becomes unset.
fn new_value(
    session: &Session,
    current: &FacetSettings,
    config: &AlterableConfig,
) -> Result<Option<String>, Fault> {
    let value = config.value.as_deref().unwrap_or_default();
    match config.config_operation {
        SET => Ok(Some(value.to_owned())),
        DELETE => Ok(None),
        APPEND => {
            let mut list = list_of(session, current, config, "APPEND")?;
            for added in topic_configs::elements(value) {
                if !list.iter().any(|it| it == added) {
                    list.push(added.to_owned());
                }
            }
            Ok(Some(list.join(",")))
        }
        SUBTRACT => {
            let mut list = list_of(session, current, config, "SUBTRACT")?;
            list.retain(|it| !topic_configs::elements(value).any(|removed| removed == it));
            Ok(Some(list.join(",")))
        }
        other => Err(Fault::new(
            ResponseError::InvalidRequest,
            format!("Unknown operation type {other}"),
        )),
    }
}

/// The current elements of a list.
fn list_of(
    session: &Session,
    current: &FacetSettings,
    config: &AlterableConfig,
    operation: &str,
) -> Result<Vec<String>, Fault> {
    let name: &str = &config.name;
    let known = topic_configs::find(name).filter(|known| known.kind.is_list());
    let known = known.ok_or_else(|| {
        let message = format!("Can't {operation} to key {name} because its type is not LIST.");
        Fault::new(ResponseError::InvalidConfig, message)
    })?;
    let value =
        topic_configs::describe_one(known, current.get(name).map(AsRef::as_ref), session).value;
    let elements = topic_configs::elements(&value).filter(|it| !it.is_empty());
    Ok(elements.map(str::to_owned).collect())
}
