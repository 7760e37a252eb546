//! ListConfigResources (key 74), versions 0 to 1.
//!
//! Lists the resources with configurations: topics, the broker and its loggers. Groups and client
//! metrics are listed only if they have configurations set, which is impossible here. Version 0 is
//! ListClientMetricsResources.
//!
//! Deviations: none known.
//!
//! Spec: `ListConfigResourcesRequest.json`; KIP-714 (version 0), KIP-1142 (version 1).

use stele_wire_kafka::{
    RequestHeader, ResponseError,
    messages::{
        ListConfigResourcesRequest, ListConfigResourcesResponse,
        list_config_resources_response::ConfigResource,
    },
};

use super::{Operation, text};
use crate::{
    resources::{BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC},
    session::Session,
    topics::NODE_ID,
};

const ALL: &[i8] = &[TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP];

/// The operation.
pub(crate) struct ListConfigResources;

impl Operation for ListConfigResources {
    type Request = ListConfigResourcesRequest;

    const VERSIONS: (i16, i16) = (0, 1);

    async fn handle(
        session: &mut Session,
        header: &RequestHeader,
        request: ListConfigResourcesRequest,
    ) -> ListConfigResourcesResponse {
        let asked = match (header.api_version, &*request.resource_types) {
            (0, _) => &[CLIENT_METRICS],
            (_, []) => ALL,
            (_, asked) => asked,
        };
        let response = ListConfigResourcesResponse::default();
        if !asked.iter().all(|it| ALL.contains(it)) {
            return response.with_error_code(ResponseError::UnsupportedVersion.code());
        }
        let is_asked = |resource_type: &&i8| asked.contains(*resource_type);
        let resources = ALL.iter().filter(is_asked);
        let resources = resources.flat_map(|resource_type| {
            let names = names(session, *resource_type).into_iter();
            names.map(|name| resource(*resource_type, &name))
        });
        response.with_config_resources(resources.collect())
    }
}

fn names(session: &Session, resource_type: i8) -> Vec<String> {
    match resource_type {
        TOPIC => {
            let topics = session.topics().all();
            topics.iter().map(|topic| topic.name.to_string()).collect()
        }
        BROKER | BROKER_LOGGER => vec![NODE_ID.to_string()],
        _ => Vec::new(),
    }
}

fn resource(resource_type: i8, name: &str) -> ConfigResource {
    ConfigResource::default()
        .with_resource_type(resource_type)
        .with_resource_name(text(name))
}
