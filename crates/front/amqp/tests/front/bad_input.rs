//! Invalid input and input of other protocols: it fails with an error or a close and affects no
//! other client.

use std::time::Duration;

use bytes::BytesMut;
use stele_test_testkit::TestBroker;
use stele_wire_amqp::{
    ContentHeader, PROTOCOL_HEADER, RawProperties, encode,
    method::{basic, channel, connection, tx},
};
use tokio::io::AsyncWriteExt;

use crate::support::{Client, Server};

#[tokio::test]
async fn other_protocols_get_the_protocol_header_and_a_close() {
    let server = Server::start().await;
    let inputs: [&[u8]; 8] = [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nX-Amz-Target: AmazonSQS.SendMessage\r\n\r\n{}",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03",
        b"\x00\x00\x00\x14\x00\x12\x00\x03\x00\x00\x00\x00\x00\x04test",
        b"AMQP\x03\x01\x00\x00",
        b"AMQP\x00\x01\x00\x00",
        b"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8",
        b"Q",
    ];
    for input in inputs {
        let mut client = Client::raw(server.address).await;
        client.octets(input).await;
        let rest = client.rest().await;
        assert!(
            rest.is_empty() || rest == PROTOCOL_HEADER,
            "{input:?}: {rest:?}"
        );
    }
    server.client().await.declare("still-served").await;
}

#[tokio::test]
async fn frames_that_are_none_before_the_login_are_refused_by_their_header() {
    let server = Server::start().await;
    let inputs: [(&[u8], &str); 4] = [
        (b"\x01\x00\x00\xff\xff\xff\xff", "FRAME_ERROR"),
        (b"\x09\x00\x00\x00\x00\x00\x00\xce", "FRAME_ERROR"),
        (
            b"\x01\x00\x00\x00\x00\x00\x04\x00\x0a\x00\x0b\xcd",
            "FRAME_ERROR",
        ),
        (b"\x03\x00\x01\x00\x00\x00\x01x\xce", "UNEXPECTED_FRAME"),
    ];
    for (input, code) in inputs {
        let mut client = Client::raw(server.address).await;
        client.octets(&PROTOCOL_HEADER).await;
        client.method().await;
        client.octets(input).await;
        let text = client.closed().await;
        assert!(text.starts_with(code), "{input:?}: {text}");
    }
}

#[tokio::test]
async fn frames_that_are_none_close_an_open_connection() {
    let server = Server::start().await;
    let inputs: [(&[u8], &str); 7] = [
        (b"\x03\x00\x01\x00\x02\x00\x01", "FRAME_ERROR"),
        (b"\x07\x00\x01\x00\x00\x00\x00\xce", "FRAME_ERROR"),
        (
            b"\x01\x00\x01\x00\x00\x00\x04\x00\x5a\x00\x0a\x00",
            "FRAME_ERROR",
        ),
        (b"\x03\x00\x01\x00\x00\x00\x01x\xce", "UNEXPECTED_FRAME"),
        (b"\x08\x00\x01\x00\x00\x00\x00\xce", "UNEXPECTED_FRAME"),
        (
            b"\x01\x00\x01\x00\x00\x00\x04\x00\x63\x00\x0a\xce",
            "NOT_IMPLEMENTED",
        ),
        (
            b"\x01\x00\x01\x00\x00\x00\x05\x00\x3c\x00\x28\x00\xce",
            "SYNTAX_ERROR",
        ),
    ];
    for (input, code) in inputs {
        let mut client = server.client().await;
        client.octets(input).await;
        let text = client.closed().await;
        assert!(text.starts_with(code), "{input:?}: {text}");
        client.send(0, connection::CloseOk {}).await;
        client.stream.shutdown().await.unwrap();
        assert!(client.rest().await.is_empty());
    }
    server.client().await.declare("still-served").await;
}

#[tokio::test]
async fn methods_out_of_place_close_the_connection() {
    let server = Server::start().await;
    let cases: [(u16, stele_wire_amqp::Method, &str); 4] = [
        (
            2,
            tx::Select {}.into(),
            "CHANNEL_ERROR - expected 'channel.open'",
        ),
        (
            1,
            channel::Open {}.into(),
            "CHANNEL_ERROR - second 'channel.open' seen",
        ),
        (
            1,
            basic::GetEmpty {}.into(),
            "COMMAND_INVALID - unimplemented method",
        ),
        (
            0,
            tx::Select {}.into(),
            "COMMAND_INVALID - tx.select on channel 0",
        ),
    ];
    for (channel, method, text) in cases {
        let mut client = server.client().await;
        client.send(channel, method).await;
        assert_eq!(client.closed().await, text);
    }
}

#[tokio::test]
async fn half_frames_and_slow_octets_wait_and_harm_nobody() {
    let server = Server::start().await;
    let mut half = server.client().await;
    half.octets(b"\x01\x00\x01\x00\x00\x00\xff\x00").await;
    let mut slow = Client::raw(server.address).await;
    for octet in PROTOCOL_HEADER {
        slow.octets(&[octet]).await;
    }
    assert!(matches!(slow.method().await, (0, _)));
    server.client().await.declare("served-meanwhile").await;
    drop(half);
    server.client().await.declare("served-after").await;
}

#[tokio::test]
async fn a_handshake_that_stalls_is_closed_in_time() {
    let server = Server::on(TestBroker::start(), |settings| {
        settings.handshake_timeout = Duration::from_millis(100);
    })
    .await;
    // Nothing, half a header, a header only, and half a frame after it.
    let half_frame = [&PROTOCOL_HEADER[..], b"\x01\x00\x00\x00\x00\x00\x40\x00"].concat();
    for input in [b"", &PROTOCOL_HEADER[..4], &PROTOCOL_HEADER, &half_frame] {
        let mut client = Client::raw(server.address).await;
        client.octets(input).await;
        client.rest().await;
    }
    let counts = server.test.broker.front_counts().remove(0);
    assert_eq!(counts.connection_errors, 4);
}

#[tokio::test]
async fn a_body_over_the_limit_closes_its_channel_alone() {
    let server = Server::on(TestBroker::start(), |settings| {
        settings.body_bytes_max = 1000
    })
    .await;
    let mut client = server.client().await;
    client.declare("q").await;
    client.publish("q", &[0; 1001], 100).await;
    let (channel, method) = client.method().await;
    let text = "PRECONDITION_FAILED - message size 1001 is larger than configured max size 1000";
    assert!(format!("{method:?}").contains(text), "{method:?}");
    client.send(channel, channel::CloseOk {}).await;
    client.send(1, channel::Open {}).await;
    client.expect(1, channel::OpenOk {}).await;
    client.publish("q", &[7; 1000], 1).await;
    let (_, body) = client.get("q").await.unwrap();
    assert_eq!(body, [7; 1000]);
}

#[tokio::test]
async fn malformed_properties_close_the_connection() {
    let server = Server::start().await;
    let malformed = [
        (1 << 15, &b"\x05ab"[..]),
        (0, b"x"),
        (1, b""),
        (1 << 13, b"\0\0\0\x03\x01k?"),
    ];
    for (flags, list) in malformed {
        let mut client = server.client().await;
        let mut out = BytesMut::new();
        encode::method(&mut out, 1, &basic::Publish::default().into());
        let header = ContentHeader {
            class_id: 60,
            body_size: 0,
            properties: RawProperties {
                flags,
                list: list.into(),
            },
        };
        encode::header(&mut out, 1, &header);
        client.octets(&out).await;
        assert!(
            client.closed().await.starts_with("SYNTAX_ERROR"),
            "{flags} {list:?}"
        );
    }
}

/// RabbitMQ accepts any bytes in a message, but only text in the names of methods.
#[tokio::test]
async fn a_name_that_is_not_utf8_closes_the_connection() {
    let server = Server::start().await;
    let methods: [&[u8]; 3] = [
        b"\x00\x32\x00\x0a\x00\x00\x01\xff\x00\x00\x00\x00\x00", // queue.declare
        b"\x00\x32\x00\x14\x00\x00\x01q\x03amq\x01\xff\x00\x00\x00\x00\x00", // queue.bind
        b"\x00\x3c\x00\x1e\x01\xff\x00",                         // basic.cancel
    ];
    for method in methods {
        let mut client = server.client().await;
        let mut frame = vec![1, 0, 1, 0, 0, 0, u8::try_from(method.len()).unwrap()];
        frame.extend_from_slice(method);
        frame.push(0xce);
        client.octets(&frame).await;
        assert_eq!(
            client.closed().await,
            "FRAME_ERROR - Malformed UTF-8 in shortstr"
        );
    }
}
