//! A server with its own broker, and a client that sends raw requests.

use std::{net::SocketAddr, sync::Arc};

use serde_json::Value;
use stele_base_env::{OsRng, SystemClock};
use stele_core_broker::{Broker, DeadLetters};
use stele_front_sqs::{Credential, RedrivePolicies, Settings, run_move_tasks, serve};
use stele_test_testkit::TestBroker;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    broker: TestBroker,
    shutdown: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

/// An HTTP response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::on(TestBroker::start(), Vec::new(), |_| {}).await
    }

    pub(crate) async fn with_credentials(credentials: Vec<Credential>) -> Self {
        Self::on(TestBroker::start(), credentials, |_| {}).await
    }

    /// A server with changed settings.
    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::on(TestBroker::start(), Vec::new(), change).await
    }

    /// Stops the server and starts it again on the same data.
    pub(crate) async fn restart(self) -> Self {
        self.shutdown.send_replace(true);
        self.serving.await.unwrap();
        Self::on(self.broker.restart().await, Vec::new(), |_| {}).await
    }

    pub(crate) async fn stop(self) {
        self.shutdown.send_replace(true);
        self.serving.await.unwrap();
        self.broker.stop().await;
    }

    pub(crate) fn broker(&self) -> &Broker {
        &self.broker.broker
    }

    /// Fills and frees the disk.
    pub(crate) fn disk(&self) -> &TestBroker {
        &self.broker
    }

    pub(crate) fn begin_stop(&self) {
        self.shutdown.send_replace(true);
    }

    async fn on(
        broker: TestBroker,
        credentials: Vec<Credential>,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, stopped) = watch::channel(false);
        let clock = Arc::new(SystemClock::new());
        let rng = Box::new(OsRng::new().unwrap());
        let mut settings = Settings::new(credentials, clock, rng);
        change(&mut settings);
        let dead_letters = DeadLetters::new(
            broker.broker.clone(),
            Arc::clone(&settings.clock),
            vec![Box::new(RedrivePolicies {
                priority_of: |_| None,
            })],
        );
        tokio::spawn(dead_letters.run(stopped.clone()));
        let moves = run_move_tasks(broker.broker.clone(), settings.clone(), stopped.clone());
        tokio::spawn(moves);
        let serving = tokio::spawn(serve(broker.broker.clone(), settings, listener, stopped));
        Self {
            address,
            broker,
            shutdown,
            serving,
        }
    }

    // ---- requests ----------------------------------------------------------------------------

    /// Sends a request of the JSON protocol. Returns the response.
    pub(crate) async fn json(&self, action: &str, members: &Value) -> (u16, Value) {
        let answer = self
            .exchange(&json_request(action, &members.to_string()))
            .await;
        let value = serde_json::from_str(&answer.body);
        (
            answer.status,
            value.unwrap_or_else(|_| panic!("not JSON: {answer:?}")),
        )
    }

    /// Sends a request that must succeed.
    pub(crate) async fn ok(&self, action: &str, members: Value) -> Value {
        let (status, value) = self.json(action, &members).await;
        assert_eq!(status, 200, "{action} {members}: {value}");
        value
    }

    /// Sends a request that must fail. Returns the error's shape name and its message.
    pub(crate) async fn fail(&self, action: &str, members: Value) -> (String, String) {
        let (status, value) = self.json(action, &members).await;
        assert_ne!(status, 200, "{action} {members}: {value}");
        let (_, shape) = value["__type"].as_str().unwrap().split_once('#').unwrap();
        (
            shape.to_owned(),
            value["message"].as_str().unwrap().to_owned(),
        )
    }

    /// Sends a request of the query protocol.
    pub(crate) async fn query(&self, path: &str, form: &str) -> Answer {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: queues.test:1234\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        );
        self.exchange(request.as_bytes()).await
    }

    /// Sends bytes and reads one response.
    pub(crate) async fn exchange(&self, request: &[u8]) -> Answer {
        let answer = self.raw(request).await;
        Answer::parse(&answer).unwrap_or_else(|| panic!("no answer: {answer:?}"))
    }

    /// Sends bytes and reads until the server closes.
    pub(crate) async fn raw(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // The server may have closed before it has read everything.
        drop(stream.write_all(request).await);
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
        String::from_utf8(answer).unwrap()
    }

    // ---- shorthands --------------------------------------------------------------------------

    /// Creates a queue. Returns its URL.
    pub(crate) async fn queue(&self, name: &str, attributes: Value) -> String {
        let members = serde_json::json!({"QueueName": name, "Attributes": attributes});
        let answer = self.ok("CreateQueue", members).await;
        answer["QueueUrl"].as_str().unwrap().to_owned()
    }

    /// Receives up to ten messages with all attributes, waiting at most a second.
    pub(crate) async fn receive(&self, url: &str) -> Vec<Value> {
        let members = serde_json::json!({
            "QueueUrl": url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1,
            "MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["All"],
        });
        self.receive_as(members).await
    }

    pub(crate) async fn receive_as(&self, members: Value) -> Vec<Value> {
        let answer = self.ok("ReceiveMessage", members).await;
        answer["Messages"].as_array().cloned().unwrap_or_default()
    }

    /// Receives and hides nothing, as often as it takes until there is a message.
    pub(crate) async fn receive_once(&self, url: &str) -> Value {
        loop {
            let members = serde_json::json!({
                "QueueUrl": url, "VisibilityTimeout": 0, "WaitTimeSeconds": 1,
                "MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["All"],
            });
            if let Some(message) = self.receive_as(members).await.pop() {
                return message;
            }
        }
    }

    pub(crate) async fn attribute(&self, url: &str, name: &str) -> String {
        let members = serde_json::json!({"QueueUrl": url, "AttributeNames": [name]});
        let answer = self.ok("GetQueueAttributes", members).await;
        answer["Attributes"][name].as_str().unwrap().to_owned()
    }
}

pub(crate) fn json_request(action: &str, body: &str) -> Vec<u8> {
    let head = format!(
        "POST / HTTP/1.1\r\nHost: queues.test:1234\r\nConnection: close\r\n\
         Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AmazonSQS.{action}\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

impl Answer {
    fn parse(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Self {
            status,
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        })
    }
}

/// The bodies of messages, in order.
pub(crate) fn bodies(messages: &[Value]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| message["Body"].as_str().unwrap())
        .collect()
}
