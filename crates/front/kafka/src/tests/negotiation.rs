use bytes::{BufMut, Bytes, BytesMut};
use stele_test_testkit::TestBroker;
use stele_wire_kafka::{
    Decodable, Message, ParseResponseErrorCode, ResponseError, StrBytes, api,
    messages::{
        ApiVersionsRequest, ApiVersionsResponse, FindCoordinatorRequest, InitProducerIdRequest,
        MetadataRequest, SaslHandshakeRequest, TransactionalId,
    },
};

use super::kit::{Client, broker_id, session, settings};
use crate::{Answer, NODE_ID, SessionError, operations::TABLE};

fn named_software() -> ApiVersionsRequest {
    ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("apache-kafka-java"))
        .with_client_software_version(StrBytes::from_static_str("4.1.0"))
}

#[test]
fn every_served_version_can_be_decoded() {
    for entry in TABLE {
        let api = api::find(entry.key as i16).expect("the wire knows it");
        assert!(api.version_min <= entry.version_min, "{:?}", entry.key);
        assert!(entry.version_max <= api.version_max, "{:?}", entry.key);
    }
    assert!(TABLE.is_sorted_by_key(|entry| entry.key as i16));
}

#[test]
fn the_support_matrix_says_what_is_served() {
    let page = include_str!("../../../../../docs/protocols/kafka.md");
    for entry in TABLE {
        let versions = match entry.version_min == entry.version_max {
            true => entry.version_min.to_string(),
            false => format!("{}–{}", entry.version_min, entry.version_max),
        };
        let row = format!("| {} | {:?} | {versions} |", entry.key as i16, entry.key);
        assert!(page.contains(&row), "the page has no row {row}");
    }
    let served = page.lines().filter(|line| {
        let mut cells = line.split('|').map(str::trim);
        let is_key = cells.nth(1).is_some_and(|key| key.parse::<i16>().is_ok());
        is_key && cells.nth(1).is_some_and(|versions| !versions.is_empty())
    });
    assert_eq!(served.count(), TABLE.len());
}

#[tokio::test]
async fn api_versions_answers_with_the_table_in_every_version() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    for version in 0..=4 {
        let request = match version {
            3.. => named_software(),
            _ => ApiVersionsRequest::default(),
        };
        let response = client.call(version, request).await;
        assert_eq!(response.error_code, 0);
        assert_eq!(response.api_keys.len(), TABLE.len());
    }
    broker.stop().await;
}

/// Otherwise, older librdkafka sends gzip, snappy and lz4 batches uncompressed (KAFKA-18659).
#[tokio::test]
async fn produce_is_announced_from_version_0_on() {
    let broker = TestBroker::start();
    let response = Client::of(&broker).call(3, named_software()).await;
    let produce = response.api_keys.iter().find(|it| it.api_key == 0).unwrap();
    assert_eq!((produce.min_version, produce.max_version), (0, 13));
    broker.stop().await;
}

/// What kafka-clients 4.x requires (KIP-896), as the lowest and highest version that both sides
/// must share.
#[tokio::test]
async fn java_clients_4_find_the_versions_that_they_need() {
    let broker = TestBroker::start();
    let response = Client::of(&broker).call(4, named_software()).await;
    let needed = [
        (0, 3),
        (1, 4),
        (2, 1),
        (3, 0),
        (8, 2),
        (9, 1),
        (10, 0),
        (11, 2),
        (12, 0),
        (13, 0),
        (14, 0),
        (18, 0),
        (22, 0),
    ];
    for (key, version) in needed {
        let api = response.api_keys.iter().find(|it| it.api_key == key);
        let api = api.unwrap_or_else(|| panic!("API {key} isn't served"));
        assert!(api.max_version >= version, "API {key}");
    }
    broker.stop().await;
}

#[tokio::test]
async fn a_version_of_api_versions_yet_to_come_is_answered_in_version_0() {
    let broker = TestBroker::start();
    let mut frame = BytesMut::new();
    frame.put_i16(18);
    frame.put_i16(99);
    frame.put_i32(5);
    frame.put_i16(-1);
    frame.put_slice(b"\0who knows what");
    let mut session = session(&broker.broker, settings());
    let Ok(Answer::Reply(response)) = session.handle(frame.freeze()).await else {
        panic!("no reply");
    };
    let mut body = Bytes::from(response.chunks.concat()).slice(8..);
    let response = ApiVersionsResponse::decode(&mut body, 0).unwrap();
    assert_eq!(
        response.error_code.err(),
        Some(ResponseError::UnsupportedVersion)
    );
    assert_eq!(response.api_keys.len(), 1);
    assert_eq!(response.api_keys[0].api_key, 18);
    assert_eq!(response.api_keys[0].max_version, 4);
    broker.stop().await;
}

#[tokio::test]
async fn software_names_that_could_forge_a_log_line_are_refused() {
    let broker = TestBroker::start();
    let request = ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("evil\nname"))
        .with_client_software_version(StrBytes::from_static_str("1"));
    let response = Client::of(&broker).call(3, request).await;
    assert_eq!(
        response.error_code.err(),
        Some(ResponseError::InvalidRequest)
    );
    broker.stop().await;
}

#[tokio::test]
async fn an_unknown_api_and_an_unserved_version_end_the_session() {
    let broker = TestBroker::start();
    let mut session = session(&broker.broker, settings());
    let header = |key: i16, version: i16| {
        let mut frame = BytesMut::new();
        frame.put_i16(key);
        frame.put_i16(version);
        frame.put_i32(1);
        frame.put_i16(-1);
        frame.freeze()
    };
    let refused = session.handle(header(4_000, 0)).await.unwrap_err();
    assert_eq!(refused, SessionError::UnknownApi(4_000));
    // Known to Kafka, not supported here.
    let refused = session.handle(header(24, 0)).await.unwrap_err();
    assert_eq!(refused, SessionError::UnknownApi(24));
    let refused = session.handle(header(0, 2)).await.unwrap_err();
    assert_eq!(
        refused,
        SessionError::UnsupportedVersion { key: 0, version: 2 }
    );
    broker.stop().await;
}

#[tokio::test]
async fn metadata_tells_the_one_broker_in_every_version() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    for version in MetadataRequest::VERSIONS.min..=MetadataRequest::VERSIONS.max {
        let request = MetadataRequest::default().with_topics(Some(Vec::new()));
        let response = client.call(version, request).await;
        assert_eq!(response.brokers.len(), 1);
        assert_eq!(response.brokers[0].node_id, broker_id(NODE_ID));
        assert_eq!(&*response.brokers[0].host, "here");
        assert_eq!(response.brokers[0].port, 9092);
    }
    broker.stop().await;
}

#[tokio::test]
async fn sasl_is_refused_as_a_plaintext_listener_does() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    for version in 0..=1 {
        let response = client.call(version, SaslHandshakeRequest::default()).await;
        let error = response.error_code.err();
        assert_eq!(error, Some(ResponseError::IllegalSaslState));
        assert!(response.mechanisms.is_empty());
    }
    broker.stop().await;
}

#[tokio::test]
async fn groups_have_a_coordinator_and_transactions_a_clear_refusal() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    for version in 0..=6 {
        let mut request = FindCoordinatorRequest::default();
        match version {
            4.. => request.coordinator_keys = vec![StrBytes::from_static_str("group")],
            _ => request.key = StrBytes::from_static_str("group"),
        }
        let response = client.call(version, request).await;
        let node = match version {
            4.. => response.coordinators[0].node_id,
            _ => response.node_id,
        };
        assert_eq!(node, broker_id(NODE_ID));
    }
    let request = FindCoordinatorRequest::default()
        .with_key_type(1)
        .with_coordinator_keys(vec![StrBytes::from_static_str("transaction")]);
    let response = client.call(4, request).await;
    let error = response.coordinators[0].error_code.err().unwrap();
    assert!(!error.is_retriable());
    let request = InitProducerIdRequest::default().with_transactional_id(Some(TransactionalId(
        StrBytes::from_static_str("transaction"),
    )));
    let error = client.call(5, request).await.error_code.err().unwrap();
    assert!(!error.is_retriable());
    broker.stop().await;
}
