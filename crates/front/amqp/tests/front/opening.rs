//! Messages about the connection as a whole.

use bytes::Bytes;
use stele_test_testkit::TestBroker;
use stele_wire_amqp::{
    HEARTBEAT_FRAME, Method, ShortString,
    method::{access, basic, connection},
};
use tokio::{
    io::AsyncWriteExt as _,
    time::{Duration, Instant, pause, sleep},
};

use crate::support::{Client, Server};

/// As RabbitMQ does for its internal users; the tests of amqplib check it.
#[tokio::test]
async fn a_new_secret_is_taken_note_of() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let update_secret = connection::UpdateSecret {
        new_secret: Bytes::from_static(b"new"),
        reason: ShortString::from_static("because"),
    };
    client.send(0, update_secret).await;
    client.expect(0, connection::UpdateSecretOk {}).await;
    // The connection stays open.
    client.declare("orders").await;
}

/// As RabbitMQ replies to AMQP 0-8 clients.
#[tokio::test]
async fn whoever_asks_for_a_realm_gets_a_ticket() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let request = access::Request {
        realm: ShortString::from_static("/data"),
        exclusive: false,
        passive: true,
        active: true,
        write: true,
        read: true,
    };
    client.send(1, request).await;
    client.expect(1, access::RequestOk { ticket: 1 }).await;
}

/// The Java client uses the ids to find the call that failed.
#[tokio::test]
async fn a_virtual_host_that_is_missing_is_the_fault_of_open() {
    let server = Server::start().await;
    let mut client = Client::tuned(server.address, 0, &[]).await;
    client.open("nowhere").await;
    let (0, Method::Connection(connection::Method::Close(close))) = client.method().await else {
        panic!("not closed");
    };
    assert_eq!((close.class_id, close.method_id), (10, 40));
    assert_eq!(
        close.reply_text.as_str(),
        "NOT_ALLOWED - vhost nowhere not found"
    );
}

#[tokio::test]
async fn who_closes_the_connection_closes_the_socket_too() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let close = connection::Close {
        reply_code: 200,
        reply_text: ShortString::from_static("bye"),
        class_id: 0,
        method_id: 0,
    };
    client.send(0, close).await;
    client.expect(0, connection::CloseOk {}).await;
    // From here on, time passes only when all tasks are idle.
    pause();
    let answered = Instant::now();
    assert!(client.rest().await.is_empty());
    assert!(answered.elapsed() > Duration::from_secs(4));
}

/// RabbitMQ's `send_timeout`. Heartbeats show that a client is alive, not that it reads.
#[tokio::test]
async fn who_never_reads_is_given_up_though_it_sends_heartbeats() {
    // More than the socket buffers of both sides hold.
    const BODY_BYTES: usize = 64 << 20;
    const A_YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
    let set = |settings: &mut stele_front_amqp::Settings| {
        settings.body_bytes_max = BODY_BYTES as u64;
    };
    let server = Server::on(TestBroker::start(), set).await;
    let mut client = Client::connect(server.address, 60).await;
    client.declare("q").await;
    client.publish("q", &vec![0; BODY_BYTES], 100_000).await;
    let consume = basic::Consume {
        queue: ShortString::from_static("q"),
        ..basic::Consume::default()
    };
    client.send(1, consume).await;
    client.method().await;
    let (_, deliver) = client.method().await;
    assert!(matches!(deliver, Method::Basic(basic::Method::Deliver(_))));
    // From here on, time passes only when all tasks are idle; it also passes while the broker,
    // which has its own threads, takes back the client's leases.
    pause();
    let begun = Instant::now();
    while client.stream.write_all(&HEARTBEAT_FRAME).await.is_ok() {
        assert!(begun.elapsed() < A_YEAR, "it is kept");
        sleep(Duration::from_secs(5)).await;
    }
    assert!(begun.elapsed() >= Duration::from_secs(30));
}
