//! Input that isn't Kafka: it ends the connection with one reason and without a response.

use std::time::Duration;

use bytes::Bytes;
use stele_base_types::ForeignProtocol;
use stele_test_testkit::TestBroker;
use stele_wire_kafka::{
    FrameError, StrBytes,
    messages::{ApiVersionsRequest, MetadataRequest},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::watch,
    task::JoinHandle,
};

use super::kit::{framed, session, settings};
use crate::connection::{Connection, End};

const PIPE_SIZE_BYTES: usize = 64 * 1024;

struct Wire {
    far: DuplexStream,
    end: JoinHandle<End>,
    stop: watch::Sender<bool>,
}

fn connect(broker: &TestBroker) -> Wire {
    let (near, far) = duplex(PIPE_SIZE_BYTES);
    let (stop, stopping) = watch::channel(false);
    let session = session(&broker.broker, settings());
    let connection = Connection::new(near, session, stopping.into());
    Wire {
        far,
        end: tokio::spawn(connection.run()),
        stop,
    }
}

/// Sends `bytes` and closes. Returns why the connection ended and its output.
async fn fed(bytes: &[u8]) -> (End, Vec<u8>) {
    let broker = TestBroker::start();
    let mut wire = connect(&broker);
    // The connection may end before everything is written.
    drop(wire.far.write_all(bytes).await);
    drop(wire.far.shutdown().await);
    let mut answer = Vec::new();
    wire.far.read_to_end(&mut answer).await.unwrap();
    let end = wire.end.await.unwrap();
    broker.stop().await;
    (end, answer)
}

#[tokio::test]
async fn other_protocols_are_named_and_closed() {
    let tls_hello = [
        0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03,
    ];
    let cases: [(&[u8], ForeignProtocol); 5] = [
        (&tls_hello, ForeignProtocol::Tls),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", ForeignProtocol::Http),
        (b"AMQP\0\0\x09\x01", ForeignProtocol::Amqp),
        (b"SSH-2.0-OpenSSH_9.6\r\n", ForeignProtocol::Ssh),
        (
            b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0",
            ForeignProtocol::Mqtt,
        ),
    ];
    for (bytes, foreign) in cases {
        let (end, answer) = fed(bytes).await;
        let named = matches!(end, End::Frame(FrameError::Foreign(it)) if it == foreign);
        assert!(named && end.is_violation(), "{end}");
        assert!(answer.is_empty());
    }
}

#[tokio::test]
async fn oversized_and_negative_lengths_close_before_anything_is_received() {
    for length in [i32::MAX, -1, i32::MIN, 100 * 1024 * 1024 + 1] {
        let (end, answer) = fed(&length.to_be_bytes()).await;
        assert!(
            matches!(end, End::Frame(FrameError::Length { .. })),
            "{end}"
        );
        assert!(answer.is_empty());
    }
}

#[tokio::test]
async fn an_unknown_protocol_is_shown_by_its_first_bytes() {
    // The second one begins like a request of 33 MB.
    for (bytes, shown) in [
        (&b"HELO there\r\n"[..], "HELO the"),
        (b"\x01\xffunknown\r\n", r"\x01\xffunknow"),
    ] {
        let (end, _) = fed(bytes).await;
        let expected = format!("the client doesn't speak Kafka: it begins with \"{shown}\"");
        assert_eq!(end.to_string(), expected);
    }
}

#[tokio::test]
async fn a_later_request_that_is_too_large_is_told_by_its_size() {
    let mut bytes = framed(3, &ApiVersionsRequest::default()).to_vec();
    bytes.extend_from_slice(&i32::MAX.to_be_bytes());
    let (end, _) = fed(&bytes).await;
    assert!(
        matches!(end, End::Frame(FrameError::Length { .. })),
        "{end}"
    );
}

#[tokio::test]
async fn half_a_frame_closes_with_the_connection() {
    let whole = framed(3, &ApiVersionsRequest::default());
    let (end, answer) = fed(&whole[..whole.len() - 1]).await;
    assert!(matches!(end, End::ClosedWithin), "{end}");
    assert!(answer.is_empty());
}

#[tokio::test]
async fn a_body_that_lies_about_its_lengths_closes() {
    // Metadata version 1 with two billion topics.
    let body = b"\0\0\0\x0e\0\x03\0\x01\0\0\0\x01\xff\xff\x7f\xff\xff\xff";
    let (end, _) = fed(body).await;
    assert!(
        matches!(end, End::Session(_)) && end.is_violation(),
        "{end}"
    );
}

#[tokio::test]
async fn bytes_that_mean_nothing_close() {
    let mut bytes = vec![0, 0, 0, 64];
    bytes.extend((0..64).map(|it| it ^ 0xa5));
    let (end, answer) = fed(&bytes).await;
    assert!(matches!(end, End::Session(_)), "{end}");
    assert!(answer.is_empty());
}

#[tokio::test]
async fn requests_that_arrive_a_byte_at_a_time_are_answered() {
    let broker = TestBroker::start();
    let mut wire = connect(&broker);
    for byte in framed(0, &ApiVersionsRequest::default()) {
        wire.far.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let length = wire.far.read_i32().await.unwrap();
    assert!(length > 8);
    broker.stop().await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let broker = TestBroker::start();
    let mut wire = connect(&broker);
    let software = ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("a"))
        .with_client_software_version(StrBytes::from_static_str("1"));
    let topics = MetadataRequest::default().with_topics(Some(Vec::new()));
    let requests: [Bytes; 3] = [
        framed(0, &software_of_version_0()),
        framed(3, &software),
        framed(9, &topics),
    ];
    wire.far.write_all(&requests.concat()).await.unwrap();
    let mut sizes = Vec::new();
    for _ in 0..3 {
        let mut frame = vec![0; wire.far.read_i32().await.unwrap() as usize];
        wire.far.read_exact(&mut frame).await.unwrap();
        sizes.push(frame.len());
    }
    // Version 0 has neither throttle time nor tags; metadata is small.
    assert!(sizes[0] < sizes[1] && sizes[2] < sizes[0], "{sizes:?}");
    broker.stop().await;
}

fn software_of_version_0() -> ApiVersionsRequest {
    ApiVersionsRequest::default()
}

#[tokio::test]
async fn stopping_closes_an_idle_connection() {
    let broker = TestBroker::start();
    let wire = connect(&broker);
    wire.stop.send(true).unwrap();
    let end = wire.end.await.unwrap();
    assert!(matches!(end, End::Stopping) && !end.is_violation());
    broker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_stalls_is_closed_and_an_idle_connection_later() {
    let broker = TestBroker::start();
    let mut stalled = connect(&broker);
    stalled.far.write_all(&[0, 0]).await.unwrap();
    let idle = connect(&broker);
    let started = tokio::time::Instant::now();
    assert!(matches!(stalled.end.await.unwrap(), End::Stalled));
    assert!(started.elapsed() < Duration::from_secs(60));
    assert!(matches!(idle.end.await.unwrap(), End::Idle));
    assert!(started.elapsed() >= Duration::from_secs(600));
    broker.stop().await;
}
