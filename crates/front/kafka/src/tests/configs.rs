//! Configurations: which are returned, and which can be altered.

use stele_test_testkit::TestBroker;
use stele_wire_kafka::{
    ParseResponseErrorCode as _, ResponseError, StrBytes,
    messages::{
        AlterConfigsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest,
        alter_configs_request as all,
        describe_configs_request::DescribeConfigsResource,
        describe_configs_response::DescribeConfigsResourceResult,
        incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig},
    },
};

use super::kit::{Client, settings};
use crate::{
    Settings,
    topic_configs::{self, TimeBounds},
};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const LOGGERS: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// The source of a value.
const OF_TOPIC: i8 = 1;
const OF_BROKER: i8 = 4;
const DEFAULT: i8 = 5;

fn text(value: &'static str) -> StrBytes {
    StrBytes::from_static_str(value)
}

async fn describe(
    client: &mut Client,
    resource_type: i8,
    name: &'static str,
) -> Result<Vec<DescribeConfigsResourceResult>, ResponseError> {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(resource_type)
        .with_resource_name(text(name))
        .with_configuration_keys(None);
    let request = DescribeConfigsRequest::default()
        .with_resources(vec![resource])
        .with_include_synonyms(true)
        .with_include_documentation(true);
    let result = client.call(4, request).await.results.remove(0);
    match result.error_code.err() {
        Some(error) => Err(error),
        None => Ok(result.configs),
    }
}

/// A value with its source and its synonyms.
type Told = (Option<String>, i8, Vec<(String, String, i8)>);

fn told(configs: &[DescribeConfigsResourceResult], name: &str) -> Told {
    let mut configs = configs.iter();
    let config = configs.find(|it| &*it.name == name).unwrap();
    let synonyms = config.synonyms.iter().map(|it| {
        let value = it.value.as_ref().unwrap().to_string();
        (it.name.to_string(), value, it.source)
    });
    let value = config.value.as_ref().map(ToString::to_string);
    (value, config.config_source, synonyms.collect())
}

fn of(value: Option<&str>, source: i8, synonyms: &[(&str, &str, i8)]) -> Told {
    let synonyms = synonyms.iter();
    let synonyms =
        synonyms.map(|(name, value, source)| ((*name).to_owned(), (*value).to_owned(), *source));
    (value.map(str::to_owned), source, synonyms.collect())
}

async fn alter(
    client: &mut Client,
    resource: (i8, &'static str),
    configs: &[(&'static str, i8, Option<&'static str>)],
) -> Option<ResponseError> {
    let configs = configs.iter().map(|(name, operation, value)| {
        AlterableConfig::default()
            .with_name(text(name))
            .with_config_operation(*operation)
            .with_value(value.map(text))
    });
    let resource = AlterConfigsResource::default()
        .with_resource_type(resource.0)
        .with_resource_name(text(resource.1))
        .with_configs(configs.collect());
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    client.call(1, request).await.responses[0].error_code.err()
}

#[tokio::test]
async fn synonyms_begin_with_the_value_and_end_with_the_default() {
    let broker = TestBroker::start();
    let settings = Settings {
        batch_size_bytes_max: 2_000,
        ..settings()
    };
    let mut client = Client::with(&broker.broker, settings);
    client.create_topic("orders", 1).await;
    let configs = describe(&mut client, TOPIC, "orders").await.unwrap();
    // `create_topic` sets it; Kafka's default comes from its hours.
    let set = of(Some("-1"), OF_TOPIC, &[("retention.ms", "-1", OF_TOPIC)]);
    assert_eq!(told(&configs, "retention.ms"), set);
    let of_broker = [
        ("message.max.bytes", "2000", OF_BROKER),
        ("message.max.bytes", "1048588", DEFAULT),
    ];
    let largest = of(Some("2000"), OF_BROKER, &of_broker);
    assert_eq!(told(&configs, "max.message.bytes"), largest);
    let policy = [("log.cleanup.policy", "delete", DEFAULT)];
    assert_eq!(
        told(&configs, "cleanup.policy"),
        of(Some("delete"), DEFAULT, &policy)
    );
    assert_eq!(
        told(&configs, "segment.ms"),
        of(Some("604800000"), DEFAULT, &[])
    );

    let configs = describe(&mut client, BROKER, "1").await.unwrap();
    assert_eq!(told(&configs, "message.max.bytes"), largest);
    assert_eq!(told(&configs, "log.retention.ms"), of(None, DEFAULT, &[]));
    let hours = [("log.retention.hours", "168", DEFAULT)];
    assert_eq!(
        told(&configs, "log.retention.hours"),
        of(Some("168"), DEFAULT, &hours)
    );
    broker.stop().await;
}

#[tokio::test]
async fn the_broker_tells_where_it_is_and_what_it_is_set_to() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    let configs = describe(&mut client, BROKER, "1").await.unwrap();
    for (name, value) in [
        ("advertised.listeners", "PLAINTEXT://here:9092"),
        ("auto.create.topics.enable", "true"),
        ("broker.id", "1"),
        ("default.replication.factor", "1"),
        ("delete.topic.enable", "true"),
        (
            "listeners",
            "PLAINTEXT://127.0.0.1:9092,PLAINTEXT://[::1]:9092",
        ),
        ("log.dirs", "/data"),
        ("num.partitions", "1"),
    ] {
        assert_eq!(told(&configs, name).0.as_deref(), Some(value), "{name}");
    }
    assert!(
        configs
            .iter()
            .all(|it| it.read_only && it.documentation.is_some())
    );
    let names: Vec<_> = configs.iter().map(|it| &it.name).collect();
    assert!(names.is_sorted());
    assert_eq!(describe(&mut client, BROKER, "").await, Ok(vec![]));
    for other in ["2", "here"] {
        let refused = describe(&mut client, BROKER, other).await;
        assert_eq!(refused, Err(ResponseError::InvalidRequest));
    }
    broker.stop().await;
}

#[tokio::test]
async fn groups_and_client_metrics_have_defaults_and_the_broker_no_loggers() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    let group = describe(&mut client, GROUP, "workers").await.unwrap();
    let timeout = ("group.consumer.session.timeout.ms", "45000", DEFAULT);
    let expected = of(Some("45000"), DEFAULT, &[timeout]);
    assert_eq!(told(&group, "consumer.session.timeout.ms"), expected);
    let metrics = describe(&mut client, CLIENT_METRICS, "any").await.unwrap();
    assert_eq!(
        told(&metrics, "interval.ms"),
        of(Some("300000"), DEFAULT, &[])
    );
    assert_eq!(describe(&mut client, LOGGERS, "1").await, Ok(vec![]));
    for (resource_type, name) in [(GROUP, ""), (CLIENT_METRICS, ""), (LOGGERS, ""), (3, "x")] {
        let refused = describe(&mut client, resource_type, name).await;
        assert_eq!(
            refused,
            Err(ResponseError::InvalidRequest),
            "{resource_type} '{name}'"
        );
    }
    broker.stop().await;
}

#[tokio::test]
async fn lists_are_appended_to_and_subtracted_from() {
    const NAME: &str = "leader.replication.throttled.replicas";
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 1).await;
    let orders = (TOPIC, "orders");
    let cases = [
        (APPEND, "0:1", "0:1"),
        (APPEND, "1:1,0:1", "0:1,1:1"),
        (SUBTRACT, "0:1,7:1", "1:1"),
        (SUBTRACT, "1:1", ""),
    ];
    for (operation, value, expected) in cases {
        let altered = alter(&mut client, orders, &[(NAME, operation, Some(value))]).await;
        assert_eq!(altered, None, "{operation} {value}");
        let configs = describe(&mut client, TOPIC, "orders").await.unwrap();
        assert_eq!(told(&configs, NAME).0.as_deref(), Some(expected));
    }
    // It starts with the default.
    let policy = [("cleanup.policy", APPEND, Some("delete"))];
    assert_eq!(alter(&mut client, orders, &policy).await, None);
    for (name, operation, value) in [
        ("cleanup.policy", APPEND, "compact"),
        ("cleanup.policy", SUBTRACT, "delete"),
        ("retention.ms", APPEND, "1"),
        ("no.such", SUBTRACT, "1"),
        (NAME, APPEND, "everywhere"),
    ] {
        let refused = alter(&mut client, orders, &[(name, operation, Some(value))]).await;
        assert_eq!(
            refused,
            Some(ResponseError::InvalidConfig),
            "{name} {value}"
        );
    }
    broker.stop().await;
}

#[tokio::test]
async fn appends_to_one_list_at_the_same_time_are_all_kept() {
    const NAME: &str = "leader.replication.throttled.replicas";
    let broker = TestBroker::start();
    let (mut one, mut two) = (Client::of(&broker), Client::of(&broker));
    one.create_topic("orders", 1).await;
    let orders = (TOPIC, "orders");
    let (first, second) = tokio::join!(
        alter(&mut one, orders, &[(NAME, APPEND, Some("0:1"))]),
        alter(&mut two, orders, &[(NAME, APPEND, Some("1:1"))]),
    );
    assert_eq!((first, second), (None, None));
    let configs = describe(&mut one, TOPIC, "orders").await.unwrap();
    assert_eq!(told(&configs, NAME).0.as_deref(), Some("0:1,1:1"));
    broker.stop().await;
}

#[tokio::test]
async fn what_is_no_topics_can_be_deleted_and_not_set() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    let resources = [
        (BROKER, "1"),
        (BROKER, ""),
        (LOGGERS, "1"),
        (GROUP, "workers"),
        (CLIENT_METRICS, "any"),
    ];
    for resource in resources {
        let set = [("num.partitions", SET, Some("2"))];
        let refused = alter(&mut client, resource, &set).await;
        assert_eq!(refused, Some(ResponseError::InvalidRequest), "{resource:?}");
        let delete = [("num.partitions", DELETE, None)];
        assert_eq!(alter(&mut client, resource, &delete).await, None);
    }
    let other = alter(&mut client, (BROKER, "2"), &[]).await;
    assert_eq!(other, Some(ResponseError::InvalidRequest));
    broker.stop().await;
}

#[tokio::test]
async fn a_request_that_contradicts_itself_is_invalid() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 1).await;
    let orders = (TOPIC, "orders");
    let invalid = Some(ResponseError::InvalidRequest);
    let twice = [
        ("retention.ms", SET, Some("1")),
        ("retention.ms", DELETE, None),
    ];
    assert_eq!(alter(&mut client, orders, &twice).await, invalid);
    for operation in [SET, APPEND, SUBTRACT] {
        let without = [("cleanup.policy", operation, None)];
        assert_eq!(alter(&mut client, orders, &without).await, invalid);
    }
    assert_eq!(
        alter(&mut client, orders, &[("retention.ms", 9, Some("1"))]).await,
        invalid
    );
    let resource = AlterConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(text("orders"));
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource; 2]);
    let responses = client.call(1, request).await.responses;
    assert!(responses.iter().all(|it| it.error_code.err() == invalid));
    let resource = all::AlterConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(text("orders"));
    let request = AlterConfigsRequest::default().with_resources(vec![resource; 2]);
    let responses = client.call(2, request).await.responses;
    assert!(responses.iter().all(|it| it.error_code.err() == invalid));
    broker.stop().await;
}

#[tokio::test]
async fn defaults_are_values_that_may_be_set() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 1).await;
    let configs = describe(&mut client, TOPIC, "orders").await.unwrap();
    let values = configs.iter().map(|it| (&*it.name, it.value.as_deref()));
    let set = topic_configs::check(values).unwrap();
    // The reported value is the effective one.
    assert_eq!(TimeBounds::of(Some(&set)), TimeBounds::of(None));
    broker.stop().await;
}
