//! DescribeConfigs (key 32), versions 1 to 4.
//!
//! Tells the configurations of topics and of the broker, each with where its value comes from.
//!
//! Deviations: the broker's configurations are those that Stele has under another name, read-only;
//! they are set in Stele's own configuration. Loggers and client metrics aren't there.
//!
//! Spec: `DescribeConfigsRequest.json`; KIP-226 (sources), KIP-569 (types, documentation).

use stele_core_broker::{Action, Kind as MemoryKind, Memory};
use stele_core_engine::limits::OFFSET_METADATA_BYTES_MAX;
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
    Settings,
    errors::Fault,
    resources::{BROKER, TOPIC, check_broker, unsupported},
    session::Session,
    topic_configs::{self, Described, Kind, Source},
    topics::check_name,
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
    let all: Vec<Value> = match resource.resource_type {
        TOPIC => {
            check_name(&resource.resource_name)?;
            let topics = session.topics();
            let definition = topics.definition(&resource.resource_name, Action::Describe)?;
            let described = topic_configs::describe(&definition, &session.settings);
            described.into_iter().map(Value::from).collect()
        }
        BROKER => {
            check_broker(&resource.resource_name)?;
            broker_configs(&session.settings, session.broker.memory())
        }
        other => return Err(unsupported(other)),
    };
    let is_asked = |value: &Value| match &resource.configuration_keys {
        Some(keys) if !keys.is_empty() => keys.iter().any(|key| **key == *value.name),
        _ => true,
    };
    let asked = all.into_iter().filter(is_asked);
    Ok(asked.map(|value| value.result(request)).collect())
}

/// A configuration to be shown.
struct Value {
    name: &'static str,
    value: String,
    source: Source,
    kind: Kind,
    documentation: &'static str,
    is_read_only: bool,
}

impl From<Described> for Value {
    fn from(described: Described) -> Self {
        Self {
            name: described.config.name,
            value: described.value,
            source: described.source,
            kind: described.config.kind,
            documentation: described.config.documentation,
            is_read_only: false,
        }
    }
}

impl Value {
    fn result(self, request: &DescribeConfigsRequest) -> DescribeConfigsResourceResult {
        let value = Some(text(&self.value));
        let synonym = DescribeConfigsSynonym::default()
            .with_name(text(self.name))
            .with_value(value.clone())
            .with_source(self.source.code());
        let synonyms = match request.include_synonyms {
            true => vec![synonym],
            false => Vec::new(),
        };
        let documentation = request
            .include_documentation
            .then(|| text(self.documentation));
        DescribeConfigsResourceResult::default()
            .with_name(text(self.name))
            .with_value(value)
            .with_read_only(self.is_read_only)
            .with_config_source(self.source.code())
            .with_synonyms(synonyms)
            .with_config_type(self.kind.code())
            .with_documentation(documentation)
    }
}

/// What the front is set to, by the names that Kafka's broker has for it.
fn broker_configs(settings: &Settings, memory: &Memory) -> Vec<Value> {
    const LONG: Kind = Kind::Long { min: -1 };
    let bound = |it: Option<u64>| it.map_or("-1".to_owned(), |it| it.to_string());
    let value = |name, value: String, kind| Value {
        name,
        value,
        source: Source::Broker,
        kind,
        documentation: "Set in Stele's own configuration.",
        is_read_only: true,
    };
    let retention = settings.retention_default;
    vec![
        value(
            "auto.create.topics.enable",
            settings.auto_create_topics.to_string(),
            Kind::Boolean,
        ),
        value("default.replication.factor", "1".to_owned(), LONG),
        value(
            "group.initial.rebalance.delay.ms",
            settings.group_gathering_ms.to_string(),
            LONG,
        ),
        value("log.retention.bytes", bound(retention.size_bytes), LONG),
        value("log.retention.ms", bound(retention.time_ms), LONG),
        value(
            "max.connections",
            settings.connections_max.to_string(),
            LONG,
        ),
        value(
            "message.max.bytes",
            settings.batch_size_bytes_max.to_string(),
            LONG,
        ),
        value("min.insync.replicas", "1".to_owned(), LONG),
        value(
            "num.partitions",
            settings.partitions_default.to_string(),
            LONG,
        ),
        value(
            "offset.metadata.max.bytes",
            OFFSET_METADATA_BYTES_MAX.to_string(),
            LONG,
        ),
        value(
            "queued.max.request.bytes",
            memory.max_bytes(MemoryKind::Requests).to_string(),
            LONG,
        ),
        value(
            "socket.request.max.bytes",
            settings.request_size_bytes_max.to_string(),
            LONG,
        ),
    ]
}
