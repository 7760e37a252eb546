//! Messages that are delayed for longer than a test may take.

use bytes::BytesMut;
use stele_base_types::{LogId, VHOST_DEFAULT};
use stele_core_broker::{DeadLetters, PeekedMessage, scheduled_log};
use stele_core_engine::{LedgerId, Peek, PeekState};
use stele_front_amqp::DeadLetterExchanges;
use stele_test_testkit::TestBroker;
use stele_wire_amqp::{
    ContentHeader, EncodedTable, Frame, Method, Properties, ShortOctets, ShortString, Table, Value,
    encode,
    method::{basic, confirm, exchange, queue, tx},
};
use tokio::{sync::watch, task::JoinHandle};

use crate::support::{Client, Server};

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

/// A server whose time can pass, with the task that moves messages.
struct Timed {
    server: Server,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Timed {
    async fn start() -> Self {
        Self::on(TestBroker::with_shards(2)).await
    }

    async fn on(test: TestBroker) -> Self {
        let (stop, stopping) = watch::channel(false);
        let task = DeadLetters::new(
            test.broker.clone(),
            test.clock(),
            vec![Box::new(DeadLetterExchanges)],
        );
        let task = tokio::spawn(task.run(stopping));
        let clock = test.clock();
        let server = Server::on(test, |settings| settings.clock = clock).await;
        Self { server, stop, task }
    }

    async fn end(self) -> TestBroker {
        self.stop.send_replace(true);
        self.task.await.unwrap();
        self.server.stop().await
    }

    async fn restart(self) -> Self {
        Self::on(self.end().await.restart().await).await
    }

    async fn stop(self) {
        self.end().await.stop().await;
    }

    /// Lets time pass; returns once no message is about to be moved.
    async fn pass(&self, duration_ms: u64) {
        let test = &self.server.test;
        test.sync().await;
        test.pass(duration_ms).await;
        test.sync().await;
        while !self.is_quiet().await {
            test.sync().await;
        }
        test.sync().await;
    }

    async fn is_quiet(&self) -> bool {
        let logs: Vec<LogId> = {
            let catalogue = self.server.test.broker.catalogue();
            catalogue.all_logs().map(|log| log.id).collect()
        };
        for log in logs {
            let messages = self.peek(log).await;
            let mut states = messages.iter().map(|message| message.found.state);
            if states.any(|state| matches!(state, PeekState::Dead | PeekState::Moving)) {
                return false;
            }
        }
        true
    }

    async fn peek(&self, log: LogId) -> Vec<PeekedMessage> {
        let peek = Peek {
            log,
            ledger: LedgerId::DEFAULT,
            state: None,
            after: None,
            records_max: 100,
        };
        self.server.test.broker.peek(peek).await.unwrap().messages
    }

    /// The number of scheduled messages.
    async fn scheduled(&self) -> usize {
        let log = scheduled_log(&self.server.test.broker.catalogue(), VHOST_DEFAULT);
        match log {
            Some(log) => self.peek(log).await.len(),
            None => 0,
        }
    }
}

fn short(text: &str) -> ShortString {
    ShortString::new(text).unwrap()
}

fn with(headers: Table) -> Properties {
    Properties {
        headers: Some(EncodedTable::from(&headers)),
        ..Properties::default()
    }
}

fn delayed(name: &'static str, delay_ms: u64) -> Properties {
    let delay_ms = i64::try_from(delay_ms).unwrap();
    with(Table::new().with(name, Value::Int64(delay_ms)))
}

/// A publish to an exchange, with a body of its key.
async fn publish(client: &mut Client, to: &str, key: &str, properties: Properties) {
    publish_as(client, to, key, properties, false).await;
}

async fn publish_as(
    client: &mut Client,
    to: &str,
    key: &str,
    properties: Properties,
    mandatory: bool,
) {
    let publish = basic::Publish {
        exchange: short(to).into(),
        routing_key: short(key).into(),
        mandatory,
        ..basic::Publish::default()
    };
    let mut out = BytesMut::new();
    encode::method(&mut out, 1, &publish.into());
    let header = ContentHeader {
        class_id: 60,
        body_size: key.len() as u64,
        properties: properties.encode(),
    };
    encode::header(&mut out, 1, &header);
    encode::body(&mut out, 1, key.as_bytes());
    client.octets(&out).await;
}

/// Sends a method and reads the reply.
async fn ask(client: &mut Client, method: impl Into<Method>) {
    client.send(1, method).await;
    client.method().await;
}

async fn exchange_that_delays(client: &mut Client, name: &str) {
    let declare = exchange::Declare {
        exchange: short(name),
        kind: short("x-delayed-message"),
        durable: true,
        arguments: Table::new().with("x-delayed-type", Value::text("direct")),
        ..exchange::Declare::default()
    };
    ask(client, declare).await;
}

async fn bind(client: &mut Client, queue: &str, source: &str, key: &str) {
    let bind = queue::Bind {
        queue: short(queue),
        exchange: short(source),
        routing_key: short(key),
        ..queue::Bind::default()
    };
    ask(client, bind).await;
}

/// Takes the message of a queue: its exchange, its key and its headers.
async fn take(client: &mut Client, queue: &str) -> Option<(String, String, Table)> {
    let get = basic::Get {
        queue: short(queue),
        no_ack: true,
    };
    client.send(1, get).await;
    let got = match client.method().await {
        (1, Method::Basic(basic::Method::GetOk(got))) => got,
        (1, Method::Basic(basic::Method::GetEmpty(_))) => return None,
        other => panic!("nothing got: {other:?}"),
    };
    let Some(Frame::Header { payload, .. }) = client.frame().await else {
        panic!("no header");
    };
    let header = ContentHeader::decode(payload).unwrap();
    let Some(Frame::Body { .. }) = client.frame().await else {
        panic!("no body");
    };
    let headers = header.properties.parse().unwrap().headers;
    let headers = headers.map(|headers| headers.decode().unwrap());
    Some((
        got.exchange.to_string(),
        got.routing_key.to_string(),
        headers.unwrap_or_default(),
    ))
}

fn header(found: &Option<(String, String, Table)>, name: &str) -> Option<i64> {
    found.as_ref().unwrap().2.find(name).unwrap().as_integer()
}

#[tokio::test]
async fn a_message_for_next_year_comes_on_its_day_across_restarts() {
    let mut timed = Timed::start().await;
    let mut client = timed.server.client().await;
    client.declare("q").await;
    ask(&mut client, confirm::Select::default()).await;
    let year_ms = 365 * DAY_MS;
    publish(&mut client, "", "q", delayed("x-stele-delay", year_ms)).await;
    client.method().await;
    assert_eq!(timed.scheduled().await, 1);
    for _ in 0..4 {
        timed.pass(90 * DAY_MS).await;
        timed = timed.restart().await;
        let mut client = timed.server.client().await;
        assert_eq!(take(&mut client, "q").await, None);
    }
    timed.pass(4 * DAY_MS).await;
    timed.pass(DAY_MS - 10 * MINUTE_MS).await;
    timed.pass(9 * MINUTE_MS + 30_000).await;
    assert_eq!(timed.scheduled().await, 0);
    let mut client = timed.server.client().await;
    assert_eq!(take(&mut client, "q").await, None);
    timed.pass(30_000).await;
    let found = take(&mut client, "q").await;
    let delay_ms = i64::try_from(year_ms).unwrap();
    assert_eq!(header(&found, "x-stele-delay"), Some(-delay_ms));
    let (exchange, key, headers) = found.unwrap();
    assert_eq!((&*exchange, &*key), ("", "q"));
    assert_eq!(headers.iter().count(), 1, "there is no history");
    timed.stop().await;
}

#[tokio::test]
async fn a_scheduled_message_is_routed_when_it_is_due_by_all_of_its_keys() {
    let timed = Timed::start().await;
    let mut client = timed.server.client().await;
    for name in ["before", "after", "copy"] {
        client.declare(name).await;
    }
    exchange_that_delays(&mut client, "later").await;
    bind(&mut client, "before", "later", "key").await;
    let copies = Value::Array(vec![Value::text("blind")]);
    let headers = Table::new()
        .with("x-delay", Value::text("120000"))
        .with("BCC", copies);
    publish(&mut client, "later", "key", with(headers)).await;
    publish(&mut client, "later", "other", delayed("x-delay", DAY_MS)).await;
    let unbind = queue::Unbind {
        queue: short("before"),
        exchange: short("later"),
        routing_key: short("key"),
        ..queue::Unbind::default()
    };
    ask(&mut client, unbind).await;
    bind(&mut client, "after", "later", "key").await;
    bind(&mut client, "copy", "later", "blind").await;
    timed.pass(MINUTE_MS).await;
    timed.pass(MINUTE_MS - 5_000).await;
    for name in ["before", "after", "copy"] {
        assert_eq!(take(&mut client, name).await, None);
    }
    timed.pass(5_000).await;
    assert_eq!(take(&mut client, "before").await, None);
    for name in ["after", "copy"] {
        let found = take(&mut client, name).await;
        assert_eq!(header(&found, "x-delay"), Some(-120_000));
        let (exchange, key, headers) = found.unwrap();
        assert_eq!((&*exchange, &*key), ("later", "key"));
        assert_eq!(headers.find("BCC"), None);
    }
    // Nothing is bound by the other key.
    assert_eq!(timed.scheduled().await, 1);
    timed.pass(DAY_MS).await;
    timed.pass(0).await;
    assert_eq!(timed.scheduled().await, 0);
    timed.stop().await;
}

#[tokio::test]
async fn queues_that_are_not_behind_the_exchange_get_the_message_at_once() {
    let timed = Timed::start().await;
    let mut client = timed.server.client().await;
    for name in ["beside", "behind"] {
        client.declare(name).await;
    }
    exchange_that_delays(&mut client, "later").await;
    bind(&mut client, "behind", "later", "key").await;
    bind(&mut client, "beside", "amq.direct", "key").await;
    let bind = exchange::Bind {
        destination: short("later"),
        source: short("amq.direct"),
        routing_key: short("key"),
        ..exchange::Bind::default()
    };
    ask(&mut client, bind).await;
    ask(&mut client, confirm::Select::default()).await;
    publish(&mut client, "amq.direct", "key", delayed("x-delay", DAY_MS)).await;
    let ack = basic::Ack {
        delivery_tag: 1,
        ..basic::Ack::default()
    };
    client.expect(1, ack).await;
    assert_eq!(timed.scheduled().await, 1);
    let found = take(&mut client, "beside").await;
    assert_eq!(header(&found, "x-delay"), i64::try_from(DAY_MS).ok());
    timed.pass(DAY_MS).await;
    timed.pass(0).await;
    assert_eq!(take(&mut client, "beside").await, None);
    let found = take(&mut client, "behind").await;
    assert_eq!(
        header(&found, "x-delay"),
        i64::try_from(DAY_MS).ok().map(|it| -it)
    );
    timed.stop().await;
}

#[tokio::test]
async fn a_mandatory_message_without_a_queue_is_returned_and_not_scheduled() {
    let timed = Timed::start().await;
    let mut client = timed.server.client().await;
    for mandatory in [true, false] {
        let properties = delayed("x-stele-delay", DAY_MS);
        publish_as(&mut client, "amq.direct", "key", properties, mandatory).await;
    }
    match client.method().await {
        (1, Method::Basic(basic::Method::Return(it))) => assert_eq!(it.reply_code, 312),
        other => panic!("{other:?}"),
    }
    client.content().await;
    client.declare("q").await;
    assert_eq!(timed.scheduled().await, 1);
    timed.stop().await;
}

#[tokio::test]
async fn a_transaction_schedules_its_messages_when_it_is_committed() {
    let timed = Timed::start().await;
    let mut client = timed.server.client().await;
    client.declare("q").await;
    ask(&mut client, tx::Select {}).await;
    publish(&mut client, "", "q", delayed("x-stele-delay", DAY_MS)).await;
    ask(&mut client, tx::Rollback {}).await;
    assert_eq!(timed.scheduled().await, 0);
    publish(&mut client, "", "q", delayed("x-stele-delay", DAY_MS)).await;
    timed.pass(MINUTE_MS).await;
    client.send(1, tx::Commit {}).await;
    client.expect(1, tx::CommitOk {}).await;
    assert_eq!(timed.scheduled().await, 1);
    timed.pass(DAY_MS - 30_000).await;
    assert_eq!(take(&mut client, "q").await, None);
    timed.pass(30_000).await;
    assert!(take(&mut client, "q").await.is_some());
    timed.stop().await;
}

#[tokio::test]
async fn a_delayed_message_lives_from_the_end_of_its_delay() {
    let timed = Timed::start().await;
    let mut client = timed.server.client().await;
    client.declare("q").await;
    for _ in 0..2 {
        let properties = Properties {
            expiration: Some(ShortOctets::from_static("50000")),
            ..delayed("x-stele-delay", DAY_MS)
        };
        publish(&mut client, "", "q", properties).await;
    }
    timed.pass(DAY_MS - 30_000).await;
    timed.pass(60_000).await;
    assert!(take(&mut client, "q").await.is_some());
    timed.pass(60_000).await;
    assert_eq!(take(&mut client, "q").await, None);
    timed.stop().await;
}

#[tokio::test]
async fn an_exchange_delays_dead_letters() {
    for (delay_ms, scheduled) in [(30_000, 0), (DAY_MS, 1)] {
        let timed = Timed::start().await;
        let mut client = timed.server.client().await;
        exchange_that_delays(&mut client, "later").await;
        let declare = queue::Declare {
            queue: short("work"),
            durable: true,
            arguments: Table::new().with("x-dead-letter-exchange", Value::text("later")),
            ..queue::Declare::default()
        };
        ask(&mut client, declare).await;
        client.declare("dead").await;
        bind(&mut client, "dead", "later", "work").await;
        publish(&mut client, "", "work", delayed("x-delay", delay_ms)).await;
        let (got, _) = client.get("work").await.unwrap();
        let reject = basic::Reject {
            delivery_tag: got.delivery_tag,
            requeue: false,
        };
        client.send(1, reject).await;
        assert!(client.get("work").await.is_none());
        timed.pass(0).await;
        assert_eq!(timed.scheduled().await, scheduled);
        timed.pass(delay_ms - 20_000).await;
        assert_eq!(take(&mut client, "dead").await, None);
        timed.pass(20_000).await;
        let found = take(&mut client, "dead").await;
        let delay_ms = i64::try_from(delay_ms).unwrap();
        assert_eq!(header(&found, "x-delay"), Some(-delay_ms));
        let (exchange, key, headers) = found.unwrap();
        assert_eq!((&*exchange, &*key), ("later", "work"));
        let Some(Value::Array(deaths)) = headers.find("x-death") else {
            panic!("no history");
        };
        assert_eq!(deaths.len(), 1);
        timed.stop().await;
    }
}

#[tokio::test]
async fn steles_own_delay_must_be_a_number() {
    let timed = Timed::start().await;
    let mut client = timed.server.client().await;
    client.declare("q").await;
    let headers = Table::new().with("x-stele-delay", Value::text("soon"));
    publish(&mut client, "", "q", with(headers)).await;
    match client.method().await {
        (1, Method::Channel(stele_wire_amqp::method::channel::Method::Close(close))) => {
            assert_eq!(close.reply_code, 406);
        }
        other => panic!("{other:?}"),
    }
    timed.stop().await;
}
