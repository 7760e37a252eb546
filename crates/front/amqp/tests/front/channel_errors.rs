//! An error on a channel: what its client sent behind it is dropped until the channel is closed,
//! and no other channel is affected.

use bytes::BytesMut;
use stele_wire_amqp::{
    ContentHeader, Method, RawProperties, ShortString, encode,
    method::{basic, channel, queue},
};

use crate::support::{Client, Server};

/// What a client sends at once.
#[derive(Default)]
struct Sent(BytesMut);

impl Sent {
    fn method(mut self, channel: u16, method: impl Into<Method>) -> Self {
        encode::method(&mut self.0, channel, &method.into());
        self
    }

    /// The beginning of a message of this size.
    fn publish(self, channel: u16, queue: &'static str, body_size: u64) -> Self {
        let publish = basic::Publish {
            routing_key: ShortString::from_static(queue).into(),
            ..basic::Publish::default()
        };
        let mut sent = self.method(channel, publish);
        let header = ContentHeader {
            class_id: 60,
            body_size,
            properties: RawProperties::default(),
        };
        encode::header(&mut sent.0, channel, &header);
        sent
    }

    fn body(mut self, channel: u16, body: &[u8]) -> Self {
        encode::body(&mut self.0, channel, body);
        self
    }

    /// A declaration of a queue that doesn't exist, which is an error.
    fn error(self, channel: u16) -> Self {
        let declare = queue::Declare {
            queue: ShortString::from_static("absent"),
            passive: true,
            ..queue::Declare::default()
        };
        self.method(channel, declare)
    }
}

fn declare(queue: &'static str) -> queue::Declare {
    queue::Declare {
        queue: ShortString::from_static(queue),
        durable: true,
        ..queue::Declare::default()
    }
}

fn get(queue: &'static str) -> basic::Get {
    basic::Get {
        queue: ShortString::from_static(queue),
        no_ack: false,
    }
}

async fn expect_close(client: &mut Client, channel: u16) {
    let (number, method) = client.method().await;
    let is_close = matches!(&method, Method::Channel(channel::Method::Close(close))
        if close.reply_text.as_str() == "NOT_FOUND - no queue 'absent' in vhost '/'");
    assert!(is_close && number == channel, "{number}: {method:?}");
}

async fn expect_declared(client: &mut Client, channel: u16, messages: u32) {
    match client.method().await {
        (number, Method::Queue(queue::Method::DeclareOk(ok))) => {
            assert_eq!((number, ok.message_count), (channel, messages));
        }
        other => panic!("not declared: {other:?}"),
    }
}

/// A client with the channels 1 and 2, and a queue.
async fn two_channels(server: &Server) -> Client {
    let mut client = server.client().await;
    client.declare("q").await;
    client.send(2, channel::Open {}).await;
    client.expect(2, channel::OpenOk {}).await;
    client
}

async fn reopen(client: &mut Client, number: u16) {
    client.send(number, channel::CloseOk {}).await;
    client.send(number, channel::Open {}).await;
    client.expect(number, channel::OpenOk {}).await;
}

#[tokio::test]
async fn everything_behind_an_error_is_dropped_and_other_channels_continue() {
    let server = Server::start().await;
    let mut client = two_channels(&server).await;
    // The message of channel 2 is on its way while channel 1 fails; a message of channel 1 is whole
    // behind the error, and another one is never finished.
    let sent = Sent::default()
        .publish(2, "q", 4)
        .body(2, b"ki")
        .error(1)
        .publish(1, "q", 4)
        .body(1, b"lost")
        .method(1, declare("never"))
        .error(1)
        .publish(1, "q", 1 << 20)
        .body(1, &[0; 1000])
        .body(2, b"ng")
        .method(2, declare("q"));
    client.octets(&sent.0).await;
    expect_close(&mut client, 1).await;
    expect_declared(&mut client, 2, 1).await;

    // The end of the message, and a whole one, still before the client has seen the error.
    let sent = Sent::default()
        .body(1, &[0; 1000])
        .publish(1, "q", 0)
        .method(2, declare("q"));
    client.octets(&sent.0).await;
    expect_declared(&mut client, 2, 1).await;

    reopen(&mut client, 1).await;
    client.publish("q", b"again", 100).await;
    client.send(1, declare("q")).await;
    expect_declared(&mut client, 1, 2).await;
    let absent = queue::Declare {
        passive: true,
        ..declare("never")
    };
    client.send(1, absent).await;
    let (_, method) = client.method().await;
    assert!(matches!(method, Method::Channel(channel::Method::Close(_))));
}

#[tokio::test]
async fn an_error_in_the_middle_of_a_message_of_the_same_client_leaves_the_message() {
    let server = Server::start().await;
    let mut client = two_channels(&server).await;
    // Byte by byte, so that each frame arrives in pieces.
    let sent = Sent::default()
        .publish(2, "q", 2)
        .body(2, b"a")
        .error(1)
        .body(1, b"stray")
        .body(2, b"b")
        .method(2, declare("q"));
    for octet in &sent.0 {
        client.octets(&[*octet]).await;
    }
    expect_close(&mut client, 1).await;
    expect_declared(&mut client, 2, 1).await;
    client.send(2, get("q")).await;
    assert!(matches!(client.method().await, (2, _)));
    assert_eq!(client.content().await, b"ab");
}

#[tokio::test]
async fn what_a_failed_channel_held_is_delivered_to_another_channel() {
    let server = Server::start().await;
    let mut client = two_channels(&server).await;
    client.publish("q", b"one", 100).await;
    assert!(client.get("q").await.is_some());
    // The acknowledgement behind the error is dropped too.
    let ack = basic::Ack {
        delivery_tag: 1,
        multiple: false,
    };
    let sent = Sent::default().error(1).method(1, ack).method(2, get("q"));
    client.octets(&sent.0).await;
    expect_close(&mut client, 1).await;
    match client.method().await {
        (2, Method::Basic(basic::Method::GetOk(ok))) => assert!(ok.redelivered),
        other => panic!("nothing got: {other:?}"),
    }
    assert_eq!(client.content().await, b"one");
}

#[tokio::test]
async fn a_client_may_close_a_channel_in_the_middle_of_a_message() {
    let server = Server::start().await;
    let mut client = two_channels(&server).await;
    let close = channel::Close {
        reply_code: 200,
        reply_text: ShortString::from_static("done"),
        class_id: 0,
        method_id: 0,
    };
    // A client whose close and the server's cross sends both.
    let sent = Sent::default()
        .error(1)
        .publish(1, "q", 10)
        .body(1, b"half")
        .method(1, close)
        .method(2, declare("q"));
    client.octets(&sent.0).await;
    expect_close(&mut client, 1).await;
    client.expect(1, channel::CloseOk {}).await;
    expect_declared(&mut client, 2, 0).await;
    reopen(&mut client, 1).await;
    client.publish("q", b"whole", 100).await;
    client.send(1, declare("q")).await;
    expect_declared(&mut client, 1, 1).await;
}
