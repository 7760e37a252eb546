//! A server on its own port, and a client that sends exactly what the test specifies.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use stele_base_env::{OsRng, SystemClock};
use stele_base_types::{Name, Secret, User};
use stele_front_amqp::Settings;
use stele_test_testkit::TestBroker;
use stele_wire_amqp::{
    ContentHeader, Frame, FrameDecoder, Method, PROTOCOL_HEADER, RawProperties, ShortString, Table,
    Value, encode,
    method::{basic, channel, connection, queue},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};

/// Longer than anything here takes, even on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A running front.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) test: TestBroker,
    shutdown: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::on(TestBroker::start(), |_| {}).await
    }

    pub(crate) async fn on(test: TestBroker, change: impl FnOnce(&mut Settings)) -> Self {
        let user = User {
            name: Name::new("guest").unwrap(),
            password: Secret::new("guest"),
        };
        let rng = Box::new(OsRng::new().unwrap());
        let mut settings = Settings::new(vec![user], Arc::new(SystemClock::new()), rng);
        change(&mut settings);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, stop) = watch::channel(false);
        let broker = test.broker.clone();
        let serving = tokio::spawn(stele_front_amqp::serve(broker, settings, listener, stop));
        Self {
            address,
            test,
            shutdown,
            serving,
        }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.address, 0).await
    }

    /// Stops the front and returns the broker.
    pub(crate) async fn stop(self) -> TestBroker {
        self.ask_to_stop();
        timeout(PATIENCE, self.serving).await.unwrap().unwrap();
        self.test
    }

    pub(crate) fn ask_to_stop(&self) {
        self.shutdown.send(true).unwrap();
    }
}

/// One connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    input: BytesMut,
    decoder: FrameDecoder,
}

impl Client {
    /// A socket on which nothing has been sent.
    pub(crate) async fn raw(address: SocketAddr) -> Self {
        Self {
            stream: TcpStream::connect(address).await.unwrap(),
            input: BytesMut::new(),
            decoder: FrameDecoder::new(131_072),
        }
    }

    /// An open connection with channel 1 open.
    pub(crate) async fn connect(address: SocketAddr, heartbeat: u16) -> Self {
        Self::with(address, heartbeat, &["consumer_cancel_notify"]).await
    }

    /// A client with these capabilities.
    pub(crate) async fn with(
        address: SocketAddr,
        heartbeat: u16,
        capabilities: &[&'static str],
    ) -> Self {
        let mut client = Self::opening(address, heartbeat, capabilities).await;
        client.send(1, channel::Open {}).await;
        client.expect(0, connection::OpenOk {}).await;
        client.expect(1, channel::OpenOk {}).await;
        client
    }

    /// A client that has requested its virtual host but not read the reply.
    pub(crate) async fn opening(
        address: SocketAddr,
        heartbeat: u16,
        capabilities: &[&'static str],
    ) -> Self {
        let mut client = Self::tuned(address, heartbeat, capabilities).await;
        client.open("/").await;
        client
    }

    /// A client that has not requested its virtual host yet.
    pub(crate) async fn tuned(
        address: SocketAddr,
        heartbeat: u16,
        capabilities: &[&'static str],
    ) -> Self {
        let mut client = Self::raw(address).await;
        client.octets(&PROTOCOL_HEADER).await;
        client.method().await;
        let capabilities = capabilities.iter().fold(Table::new(), |table, name| {
            table.with(name, Value::Bool(true))
        });
        client
            .send(
                0,
                connection::StartOk {
                    client_properties: Table::new()
                        .with("capabilities", Value::Table(capabilities)),
                    mechanism: ShortString::from_static("PLAIN"),
                    response: Bytes::from_static(b"\0guest\0guest"),
                    locale: ShortString::from_static("en_US"),
                },
            )
            .await;
        client.method().await;
        let tune_ok = connection::TuneOk {
            channel_max: 2047,
            frame_max: 131_072,
            heartbeat,
        };
        client.send(0, tune_ok).await;
        client
    }

    pub(crate) async fn open(&mut self, virtual_host: &'static str) {
        let virtual_host = ShortString::from_static(virtual_host);
        self.send(0, connection::Open { virtual_host }).await;
    }

    pub(crate) async fn octets(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).await.unwrap();
    }

    pub(crate) async fn send(&mut self, channel: u16, method: impl Into<Method>) {
        let mut out = BytesMut::new();
        encode::method(&mut out, channel, &method.into());
        self.octets(&out).await;
    }

    /// Publishes to a queue over the default exchange, in body frames of `frame` bytes.
    pub(crate) async fn publish(&mut self, queue: &str, body: &[u8], frame: usize) {
        self.publish_with(queue, RawProperties::default(), body, frame)
            .await;
    }

    /// Publishes with properties.
    pub(crate) async fn publish_with(
        &mut self,
        queue: &str,
        properties: RawProperties,
        body: &[u8],
        frame: usize,
    ) {
        let publish = basic::Publish {
            routing_key: ShortString::new(queue).unwrap().into(),
            ..basic::Publish::default()
        };
        let mut out = BytesMut::new();
        encode::method(&mut out, 1, &publish.into());
        let header = ContentHeader {
            class_id: 60,
            body_size: body.len() as u64,
            properties,
        };
        encode::header(&mut out, 1, &header);
        for part in body.chunks(frame) {
            encode::body(&mut out, 1, part);
        }
        self.octets(&out).await;
    }

    /// Declares a durable queue.
    pub(crate) async fn declare(&mut self, queue: &str) -> queue::DeclareOk {
        let declare = queue::Declare {
            queue: ShortString::new(queue).unwrap(),
            durable: true,
            ..queue::Declare::default()
        };
        self.send(1, declare).await;
        match self.method().await {
            (1, Method::Queue(queue::Method::DeclareOk(ok))) => ok,
            other => panic!("not declared: {other:?}"),
        }
    }

    /// Gets one message from a queue, or `None`.
    pub(crate) async fn get(&mut self, queue: &str) -> Option<(basic::GetOk, Vec<u8>)> {
        let get = basic::Get {
            queue: ShortString::new(queue).unwrap(),
            no_ack: false,
        };
        self.send(1, get).await;
        match self.method().await {
            (1, Method::Basic(basic::Method::GetOk(ok))) => Some((ok, self.content().await)),
            (1, Method::Basic(basic::Method::GetEmpty(_))) => None,
            other => panic!("nothing got: {other:?}"),
        }
    }

    /// The next frame; `None` at the end of the stream.
    pub(crate) async fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.decoder.decode(&mut self.input).unwrap() {
                return Some(frame);
            }
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.input)).await;
            match read.expect("the server answers in time") {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The next method.
    pub(crate) async fn method(&mut self) -> (u16, Method) {
        loop {
            match self.frame().await.expect("a method, not the end") {
                Frame::Method { channel, payload } => {
                    return (channel, Method::decode(payload).unwrap());
                }
                Frame::Heartbeat { .. } => {}
                other => panic!("not a method: {other:?}"),
            }
        }
    }

    pub(crate) async fn expect(&mut self, channel: u16, method: impl Into<Method>) {
        assert_eq!(self.method().await, (channel, method.into()));
    }

    /// The content that follows a method.
    pub(crate) async fn content(&mut self) -> Vec<u8> {
        let Some(Frame::Header { payload, .. }) = self.frame().await else {
            panic!("no header");
        };
        let size = ContentHeader::decode(payload).unwrap().body_size;
        let mut body = Vec::new();
        while (body.len() as u64) < size {
            match self.frame().await {
                Some(Frame::Body { payload, .. }) => body.extend_from_slice(&payload),
                other => panic!("no body: {other:?}"),
            }
        }
        body
    }

    /// The text of the connection's close.
    pub(crate) async fn closed(&mut self) -> String {
        match self.method().await {
            (0, Method::Connection(connection::Method::Close(close))) => {
                close.reply_text.as_str().to_owned()
            }
            other => panic!("not closed: {other:?}"),
        }
    }

    /// Everything until the end of the stream.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut rest = self.input.split().to_vec();
        let read = timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await;
        // A reset also counts as an end.
        drop(read.expect("the server closes in time"));
        rest
    }
}
