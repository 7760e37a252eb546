//! DescribeConfigs (key 32), versions 1 to 4.
//!
//! Returns the configurations of topics, the broker, groups and client metrics, each with the
//! source of its value.
//!
//! Deviations: of the broker's configurations, only those with a meaning here are returned, all
//! read-only: they are set in Stele's own configuration. There are no loggers to configure. Groups
//! and client metrics have Kafka's defaults, without effect, because they configure unsupported
//! features.
//!
//! Spec: `DescribeConfigsRequest.json`; KIP-226 (sources), KIP-569 (types, documentation).

use stele_core_broker::Action;
use stele_wire_kafka::{
    RequestHeader,
    messages::{
        DescribeConfigsRequest, DescribeConfigsResponse,
        describe_configs_request::DescribeConfigsResource,
        describe_configs_response::{
            DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
        },
    },
};

use super::{Operation, text};
use crate::{
    broker_configs::{BROKER_CONFIGS, BrokerConfig, Type},
    errors::Fault,
    resources::{BROKER, CLIENT_METRICS, GROUP, TOPIC, check_resource},
    session::Session,
    topic_configs::{self, Described, Source, Synonym},
    topics::check_name,
    unserved_configs::{CLIENT_METRICS_CONFIGS, GROUP_CONFIGS, UnservedConfig},
};

/// The operation.
pub(crate) struct DescribeConfigs;

impl Operation for DescribeConfigs {
    type Request = DescribeConfigsRequest;

    const VERSIONS: (i16, i16) = (1, 4);

    async fn handle(
        session: &mut Session,
        _header: &RequestHeader,
        request: DescribeConfigsRequest,
    ) -> DescribeConfigsResponse {
        let results = request.resources.iter().map(|resource| {
            let result = DescribeConfigsResult::default()
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name.clone());
            match describe(session, &request, resource) {
                Ok(configs) => result.with_configs(configs),
                Err(fault) => result
                    .with_error_code(fault.code())
                    .with_error_message(fault.text()),
            }
        });
        DescribeConfigsResponse::default().with_results(results.collect())
    }
}

fn describe(
    session: &Session,
    request: &DescribeConfigsRequest,
    resource: &DescribeConfigsResource,
) -> Result<Vec<DescribeConfigsResourceResult>, Fault> {
    let name = &resource.resource_name;
    let all: Vec<Value> = match resource.resource_type {
        TOPIC => {
            check_name(name)?;
            let definition = session.topics().definition(name, Action::Describe)?;
            let described = topic_configs::describe(&definition, session);
            described.into_iter().map(Value::from).collect()
        }
        other => {
            check_resource(other, name)?;
            match (other, name.is_empty()) {
                (BROKER, false) => {
                    let all = BROKER_CONFIGS.iter();
                    all.map(|config| of_broker(config, session)).collect()
                }
                (GROUP, _) => GROUP_CONFIGS.iter().map(Value::from).collect(),
                (CLIENT_METRICS, _) => CLIENT_METRICS_CONFIGS.iter().map(Value::from).collect(),
                // Nothing is set for all brokers together, and there are no loggers.
                _ => Vec::new(),
            }
        }
    };
    let is_asked = |value: &Value| match &resource.configuration_keys {
        Some(keys) if !keys.is_empty() => keys.iter().any(|key| **key == *value.name),
        _ => true,
    };
    let asked = all.into_iter().filter(is_asked);
    Ok(asked.map(|value| value.result(request)).collect())
}

/// A configuration in a response.
struct Value {
    name: &'static str,
    /// `None` is null.
    value: Option<String>,
    source: Source,
    of_type: Type,
    documentation: &'static str,
    is_read_only: bool,
    synonyms: Vec<Synonym>,
}

impl From<Described> for Value {
    fn from(described: Described) -> Self {
        Self {
            name: described.config.name,
            value: Some(described.value),
            source: described.source,
            of_type: described.config.kind.of_type(),
            documentation: described.config.documentation,
            is_read_only: false,
            synonyms: described.synonyms,
        }
    }
}

impl From<&UnservedConfig> for Value {
    fn from(config: &UnservedConfig) -> Self {
        Self {
            name: config.name,
            value: Some(config.default.to_owned()),
            source: Source::Default,
            of_type: config.of_type,
            documentation: UnservedConfig::DOCUMENTATION,
            is_read_only: true,
            synonyms: config.synonym().into_iter().collect(),
        }
    }
}

fn of_broker(config: &BrokerConfig, session: &Session) -> Value {
    Value {
        name: config.name,
        value: config.value(session),
        source: config.source(session),
        of_type: config.of_type,
        documentation: config.documentation(),
        is_read_only: true,
        synonyms: config.synonyms(session),
    }
}

impl Value {
    fn result(self, request: &DescribeConfigsRequest) -> DescribeConfigsResourceResult {
        let synonyms = match request.include_synonyms {
            true => self.synonyms,
            false => Vec::new(),
        };
        let documentation = request
            .include_documentation
            .then(|| text(self.documentation));
        DescribeConfigsResourceResult::default()
            .with_name(text(self.name))
            .with_value(self.value.as_deref().map(text))
            .with_read_only(self.is_read_only)
            .with_config_source(self.source.code())
            .with_synonyms(synonyms.iter().map(synonym).collect())
            .with_config_type(self.of_type as i8)
            .with_documentation(documentation)
    }
}

fn synonym(synonym: &Synonym) -> DescribeConfigsSynonym {
    DescribeConfigsSynonym::default()
        .with_name(text(synonym.name))
        .with_value(Some(text(&synonym.value)))
        .with_source(synonym.source.code())
}
