//! The driver over real sockets.

use std::time::Duration;

use stele_test_testkit::{TestBroker, counted};
use stele_wire_kafka::{
    Decodable,
    messages::{ApiVersionsRequest, HeartbeatRequest, MetadataRequest, MetadataResponse},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};

use super::kit::{framed, settings};
use crate::{Settings, serve};

const PATIENCE: Duration = Duration::from_secs(120);

struct Server {
    broker: TestBroker,
    address: std::net::SocketAddr,
    stop: watch::Sender<bool>,
    serving: tokio::task::JoinHandle<()>,
}

impl Server {
    async fn start(settings: Settings) -> Self {
        let broker = TestBroker::start();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopping) = watch::channel(false);
        let serving = tokio::spawn(serve(broker.broker.clone(), settings, listener, stopping));
        Self {
            broker,
            address,
            stop,
            serving,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn stop(self) {
        self.stop.send(true).unwrap();
        timeout(PATIENCE, self.serving).await.unwrap().unwrap();
        self.broker.stop().await;
    }
}

async fn receive(stream: &mut TcpStream) -> Vec<u8> {
    let length = timeout(PATIENCE, stream.read_i32()).await.unwrap().unwrap();
    let mut frame = vec![0; length as usize];
    timeout(PATIENCE, stream.read_exact(&mut frame))
        .await
        .unwrap()
        .unwrap();
    frame
}

async fn is_closed(stream: &mut TcpStream) -> bool {
    let read = timeout(PATIENCE, stream.read(&mut [0; 16])).await.unwrap();
    matches!(read, Ok(0) | Err(_))
}

#[tokio::test]
async fn clients_are_told_the_address_that_they_have_reached() {
    let server = Server::start(settings()).await;
    let mut client = server.connect().await;
    let request = MetadataRequest::default().with_topics(Some(Vec::new()));
    client.write_all(&framed(1, &request)).await.unwrap();
    let frame = receive(&mut client).await;
    let response = MetadataResponse::decode(&mut &frame[4..], 1).unwrap();
    assert_eq!(&*response.brokers[0].host, "127.0.0.1");
    assert_eq!(response.brokers[0].port, i32::from(server.address.port()));
    server.stop().await;
}

#[tokio::test]
async fn one_bad_client_does_not_disturb_another() {
    let server = Server::start(settings()).await;
    let (mut bad, mut good) = (server.connect().await, server.connect().await);
    bad.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert!(is_closed(&mut bad).await);
    good.write_all(&framed(0, &ApiVersionsRequest::default()))
        .await
        .unwrap();
    assert!(receive(&mut good).await.len() > 8);
    server.stop().await;
}

#[tokio::test]
async fn a_connection_too_many_is_closed() {
    let mut settings = settings();
    settings.connections_max = 1;
    let server = Server::start(settings).await;
    let mut first = server.connect().await;
    first
        .write_all(&framed(0, &ApiVersionsRequest::default()))
        .await
        .unwrap();
    receive(&mut first).await;
    let mut second = server.connect().await;
    assert!(is_closed(&mut second).await);
    server.stop().await;
}

#[tokio::test]
async fn stopping_closes_connections_and_returns() {
    let server = Server::start(settings()).await;
    let mut client = server.connect().await;
    client
        .write_all(&framed(0, &ApiVersionsRequest::default()))
        .await
        .unwrap();
    receive(&mut client).await;
    server.stop().await;
    assert!(is_closed(&mut client).await);
}

#[tokio::test]
async fn requests_errors_bytes_and_connections_are_counted() {
    let server = Server::start(settings()).await;
    let broker = server.broker.broker.clone();
    let mut client = server.connect().await;
    let versions = framed(0, &ApiVersionsRequest::default());
    let stray = framed(1, &HeartbeatRequest::default());
    let mut answered = 0;
    for request in [&versions, &versions, &stray] {
        client.write_all(request).await.unwrap();
        answered += 4 + receive(&mut client).await.len();
    }
    let counts = broker.front_counts().remove(0);
    assert_eq!((counts.connections, counts.connections_total), (1, 1));
    let mut bad = server.connect().await;
    bad.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert!(is_closed(&mut bad).await);
    // The last bytes sent are counted by then.
    server.stop().await;

    let counts = broker.front_counts().remove(0);
    assert_eq!(counts.front, "kafka");
    assert_eq!(counted(&counts.requests, "ApiVersions"), 2);
    assert_eq!(counted(&counts.errors, "ApiVersions"), 0);
    assert_eq!(counted(&counts.requests, "Heartbeat"), 1);
    assert_eq!(counted(&counts.errors, "Heartbeat"), 1);
    assert_eq!((counts.connections, counts.connections_total), (0, 2));
    assert_eq!(counts.connection_errors, 1);
    let asked = 2 * versions.len() + stray.len() + 18;
    assert_eq!(counts.received_bytes, asked as u64);
    assert_eq!(counts.sent_bytes, answered as u64);
}
