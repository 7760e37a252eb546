//! Tests the front over real sockets: its responses, and its handling of input that isn't HTTP.

use std::{net::SocketAddr, time::Duration};

use proptest::{prop_assert, test_runner::TestRunner};
use stele_base_env::SystemClock;
use stele_base_types::{LogId, Name, Offset, PartitionId, PartitionIndex, Principal, Secret, User};
use stele_core_broker::Publish;
use stele_core_engine::{AppendTarget, DeclareLog, Declared, DeleteLog, Durability, Window};
use stele_front_accept::WRITE_STALL;
use stele_test_testkit::{TestBroker, message, queue};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

use super::*;

mod api;
mod messages;

/// A running front, with a broker if it is ready.
struct Running {
    address: SocketAddr,
    state: Arc<State>,
    stop: watch::Sender<bool>,
    served: tokio::task::JoinHandle<()>,
}

impl Running {
    async fn start(settings: Settings) -> Self {
        let state = Arc::new(State::new("0.0.0", Arc::new(SystemClock::new())));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (stop, stopping) = watch::channel(false);
        let served = tokio::spawn(serve(Arc::clone(&state), settings, listener, stopping));
        Self {
            address,
            state,
            stop,
            served,
        }
    }

    /// Sends bytes and reads until the server closes.
    async fn send(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("it listens");
        // A server that closes early makes the write fail, which this test doesn't check.
        drop(stream.write_all(bytes).await);
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn ask(&self, method: &str, target: &str) -> String {
        let head = format!("{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        self.send(head.as_bytes()).await
    }

    async fn get(&self, target: &str) -> (u16, String) {
        let answer = self.ask("GET", target).await;
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        (status.expect("a status"), body.to_owned())
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        self.served.await.expect("it ends without a panic");
    }
}

#[tokio::test]
async fn before_recovery_it_lives_and_is_not_ready() {
    let front = Running::start(Settings::default()).await;
    assert_eq!(front.get("/livez").await, (200, "ok\n".to_owned()));
    assert_eq!(front.get("/readyz").await, (503, "recovering\n".to_owned()));
    let (status, body) = front.get("/startupz").await;
    assert_eq!((status, body.as_str()), (503, "recovering\n"));
    let (status, body) = front.get("/v1/logs").await;
    assert_eq!(status, 503);
    assert!(body.contains("\"code\":\"not-ready\""), "{body}");
    assert_eq!(front.get("/metrics").await.0, 200);
    front.stop().await;
}

#[tokio::test]
async fn once_ready_it_shows_the_logs_page_by_page() {
    let front = Running::start(Settings::default()).await;
    let broker = TestBroker::start();
    for name in ["a", "b", "c/d"] {
        broker
            .broker
            .declare_log(queue(name, Durability::Synced))
            .await
            .expect("declared");
    }
    front.state.ready(broker.broker.clone(), Vec::new());
    assert_eq!(front.get("/readyz").await, (200, "ok\n".to_owned()));
    let (_, verbose) = front.get("/readyz?verbose").await;
    assert_eq!(verbose, "[+]phase ok\n[+]shards ok\n[+]space ok\n");

    let (_, first) = front.get("/v1/logs?limit=2").await;
    assert!(
        first.contains("\"name\":\"a\"") && first.contains("\"next\":\"b\""),
        "{first}"
    );
    let (_, second) = front.get("/v1/logs?limit=2&after=b").await;
    assert!(
        second.contains("\"name\":\"c/d\"") && second.contains("\"next\":null"),
        "{second}"
    );
    let (status, one) = front.get("/v1/logs/c%2Fd").await;
    assert_eq!(status, 200, "{one}");

    let (_, status) = front.get("/v1/status").await;
    assert!(status.contains("\"phase\":\"ready\""), "{status}");
    let (_, metrics) = front.get("/metrics").await;
    assert!(metrics.contains("stele_ready 1"), "{metrics}");
    assert_eq!(logs_in(&metrics), 3, "{metrics}");

    assert_eq!(front.get("/startupz").await, (200, "ok\n".to_owned()));
    front.state.draining();
    assert_eq!(front.get("/readyz").await, (503, "draining\n".to_owned()));
    assert_eq!(front.get("/startupz").await, (200, "ok\n".to_owned()));
    front.stop().await;
    broker.stop().await;
}

#[tokio::test]
async fn a_full_disk_is_shown_and_takes_nobody_elsewhere() {
    let front = Running::start(Settings::default()).await;
    let broker = TestBroker::start();
    front.state.ready(broker.broker.clone(), Vec::new());
    broker.fill_disk().await;
    let (code, verbose) = front.get("/readyz?verbose").await;
    assert_eq!(code, 200);
    assert!(
        verbose.contains("[!]space publishing is refused"),
        "{verbose}"
    );
    assert_eq!(front.get("/readyz").await, (200, "ok\n".to_owned()));
    broker.empty_disk().await;
    let (_, verbose) = front.get("/readyz?verbose").await;
    assert!(verbose.ends_with("[+]space ok\n"), "{verbose}");
    front.stop().await;
    broker.stop().await;
}

#[tokio::test]
async fn a_log_is_told_with_its_records_and_their_size() {
    let front = Running::start(Settings::default()).await;
    let broker = TestBroker::start();
    front.state.ready(broker.broker.clone(), Vec::new());
    let log = declare(&broker, queue("q", Durability::Synced)).await;
    let told = async || {
        let (_, told) = front.get("/v1/logs/q").await;
        let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
        (told["records"].as_u64(), told["size_bytes"].as_u64())
    };
    assert_eq!(told().await, (Some(0), Some(0)));
    for _ in 0..3 {
        publish(&broker, log, PartitionIndex(0)).await;
    }
    let (records, size_bytes) = told().await;
    assert_eq!(records, Some(3));
    assert!(size_bytes >= Some(3 * 61), "{size_bytes:?}");
    front.stop().await;
    broker.stop().await;
}

#[tokio::test]
async fn what_a_log_is_can_end_and_what_keeps_its_records_is_told() {
    let front = Running::start(Settings::default()).await;
    let broker = TestBroker::start();
    front.state.ready(broker.broker.clone(), Vec::new());
    let mut both = queue("a/b", Durability::Synced);
    both.config.retention.window = Some(Window::default());
    let log = declare(&broker, both).await;
    publish(&broker, log, PartitionIndex(0)).await;
    let body = |answer: &str| {
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let told: serde_json::Value = serde_json::from_str(body).expect("JSON");
        (head.split(' ').nth(1).map(str::to_owned), told)
    };
    let (_, told) = body(&front.ask("GET", "/v1/logs/a%2Fb").await);
    assert_eq!(told["kind"], serde_json::json!(["queue", "topic"]));
    assert_eq!(told["held_by"], serde_json::json!(["queue", "window"]));
    assert_eq!(
        told["partitions"][0]["held_by"],
        serde_json::json!(["window", "queue"])
    );

    let (status, told) = body(&front.ask("DELETE", "/v1/logs/a%2Fb/queue").await);
    assert_eq!(status.as_deref(), Some("200"));
    assert_eq!(told["kind"], serde_json::json!(["topic"]));
    assert_eq!(told["held_by"], serde_json::json!(["window"]));
    let (status, told) = body(&front.ask("DELETE", "/v1/logs/a%2Fb/topic").await);
    assert_eq!(status.as_deref(), Some("409"));
    assert_eq!(told["error"]["code"], "refused");
    let (status, _) = body(&front.ask("DELETE", "/v1/logs/c/topic").await);
    assert_eq!(status.as_deref(), Some("404"));
    let (status, _) = body(&front.ask("DELETE", "/v1/logs/a%2Fb").await);
    assert_eq!(status.as_deref(), Some("405"));
    front.stop().await;
    broker.stop().await;
}

/// The sum of `stele_logs` over all shards.
fn logs_in(metrics: &str) -> u64 {
    let shards = metrics
        .lines()
        .filter(|line| line.starts_with("stele_logs{"));
    let counts = shards.map(|line| line.rsplit(' ').next().expect("a value"));
    counts
        .map(|count| count.parse::<u64>().expect("a number"))
        .sum()
}

#[tokio::test]
async fn logs_are_counted_where_they_lie_and_no_longer_than_they_last() {
    let front = Running::start(Settings::default()).await;
    let broker = TestBroker::with_shards(3);
    front.state.ready(broker.broker.clone(), Vec::new());
    assert_eq!(logs_in(&front.get("/metrics").await.1), 0);
    let mut declared = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        declared.push(declare(&broker, queue(name, Durability::Synced)).await);
    }
    let (_, metrics) = front.get("/metrics").await;
    assert_eq!(logs_in(&metrics), 5, "{metrics}");
    for shard in 0..3 {
        let line = format!("stele_logs{{shard=\"{shard}\"}} ");
        assert_eq!(metrics.matches(&line).count(), 1, "{metrics}");
    }
    let deleted = broker.broker.delete_log(DeleteLog::anyway(declared[0]));
    deleted.await.expect("it is there");
    assert_eq!(logs_in(&front.get("/metrics").await.1), 4);
    front.stop().await;
    broker.stop().await;
}

#[tokio::test]
async fn a_log_is_shown_with_the_bounds_of_each_partition() {
    let front = Running::start(Settings::default()).await;
    let broker = TestBroker::start();
    front.state.ready(broker.broker.clone(), Vec::new());
    let mut two = queue("two", Durability::Synced);
    two.config.partitions = 2;
    two.config.retention.until_acknowledged = false;
    let log = declare(&broker, two).await;
    for (partition, count) in [(0, 3), (1, 1)] {
        for _ in 0..count {
            publish(&broker, log, PartitionIndex(partition)).await;
        }
    }
    let first = PartitionId::new(log, PartitionIndex(0));
    let trimmed = broker.broker.trim(first, Offset(2)).await;
    assert_eq!(trimmed.expect("it is there"), Offset(2));

    let (status, one) = front.get("/v1/logs/two").await;
    assert_eq!(status, 200);
    let one: serde_json::Value = serde_json::from_str(&one).expect("JSON");
    let [first, second] = [0, 1].map(|at| &one["partitions"][at]);
    assert_eq!((&first["start"], &first["end"]), (&2.into(), &3.into()));
    assert_eq!((&second["start"], &second["end"]), (&0.into(), &1.into()));
    assert_eq!(first["size_bytes"], second["size_bytes"], "one record each");
    assert_eq!(one["records"], 2, "{one}");
    assert_eq!(one["ready"], 2, "{one}");
    front.stop().await;
    broker.stop().await;
}

async fn declare(broker: &TestBroker, declare: DeclareLog) -> LogId {
    match broker.broker.declare_log(declare).await.expect("declared") {
        Declared::Created(definition) => definition.id,
        other => panic!("a new log is created, not {other:?}"),
    }
}

async fn publish(broker: &TestBroker, log: LogId, partition: PartitionIndex) {
    let target = AppendTarget {
        log,
        partition: Some(partition),
    };
    let appended = broker
        .broker
        .append(Publish::to(target, message("x")))
        .await;
    appended.expect("there is room");
}

#[tokio::test]
async fn what_a_front_counts_is_shown() {
    let front = Running::start(Settings::default()).await;
    let broker = TestBroker::start();
    let listener = crate::Listener {
        front: "kafka",
        address: front.address,
    };
    let meter = broker.broker.front_meter("kafka", &["Produce", "Fetch"]);
    let _open = meter.connect();
    front.state.ready(broker.broker.clone(), vec![listener]);
    let (_, metrics) = front.get("/metrics").await;
    assert!(!metrics.contains("operation=\"Produce\""), "{metrics}");
    meter.request(0, 3);
    meter.error(0, 1);
    meter.connection_error();
    meter.received(10);
    meter.sent(20);

    let (_, metrics) = front.get("/metrics").await;
    for line in [
        "stele_connections_open{front=\"kafka\"} 1",
        "stele_connections_total{front=\"kafka\"} 1",
        "stele_connection_errors_total{front=\"kafka\"} 1",
        "stele_received_bytes_total{front=\"kafka\"} 10",
        "stele_sent_bytes_total{front=\"kafka\"} 20",
        "stele_requests_total{front=\"kafka\",operation=\"Produce\"} 3",
        "stele_request_errors_total{front=\"kafka\",operation=\"Produce\"} 1",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line} in\n{metrics}"
        );
    }
    let (_, status) = front.get("/v1/status").await;
    for member in [
        "\"connections\":1",
        "\"requests\":3",
        "\"errors\":1",
        "\"received_bytes\":10",
    ] {
        assert!(status.contains(member), "{member} in {status}");
    }
    front.stop().await;
    broker.stop().await;
}

#[tokio::test]
async fn what_is_asked_wrongly_is_told_how() {
    let front = Running::start(Settings::default()).await;
    assert_eq!(front.get("/nothing").await.0, 404);
    assert_eq!(front.get("/v1/logs?limit=0").await.0, 400);
    assert_eq!(front.get("/v1/logs?offset=1").await.0, 400);
    let refused = front.ask("DELETE", "/livez").await;
    assert!(refused.starts_with("HTTP/1.1 405 "), "{refused}");
    assert!(refused.contains("allow: GET, HEAD"), "{refused}");
    front.stop().await;
}

#[tokio::test]
async fn a_web_page_from_elsewhere_sees_no_more_than_health() {
    let front = Running::start(Settings::default()).await;
    for (header, code) in [
        ("host: example.org", "foreign-name"),
        ("host: x\r\norigin: https://example.org", "foreign-page"),
        ("host: x\r\nsec-fetch-site: same-site", "foreign-page"),
    ] {
        let ask = |method: &str, target: &str| {
            format!("{method} {target} HTTP/1.1\r\n{header}\r\nconnection: close\r\n\r\n")
        };
        for target in ["/", "/metrics", "/v1/status", "/v1/logs", "/nothing"] {
            let answer = front.send(ask("GET", target).as_bytes()).await;
            assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
            assert!(answer.contains(code), "{answer}");
        }
        let preflight = front.send(ask("OPTIONS", "/v1/status").as_bytes()).await;
        assert!(preflight.starts_with("HTTP/1.1 405 "), "{preflight}");
        assert!(!preflight.contains("access-control"), "{preflight}");
        let health = front.send(ask("GET", "/livez").as_bytes()).await;
        assert!(health.starts_with("HTTP/1.1 200 "), "{health}");
    }
    front.stop().await;
}

#[tokio::test]
async fn with_users_only_health_is_open() {
    let user = User {
        name: Name::new("ann").unwrap(),
        password: Secret::new("a"),
    };
    let front = Running::start(Settings {
        users: Some(vec![user]),
        ..Settings::default()
    })
    .await;
    assert_eq!(front.get("/livez").await.0, 200);
    assert_eq!(front.get("/readyz").await.0, 503);
    for target in ["/", "/metrics", "/v1/status", "/nothing"] {
        assert_eq!(front.get(target).await.0, 401, "{target}");
    }
    let head =
        "GET / HTTP/1.1\r\nhost: x\r\nauthorization: Basic YW5uOmE=\r\nconnection: close\r\n\r\n";
    assert!(
        front
            .send(head.as_bytes())
            .await
            .starts_with("HTTP/1.1 200 ")
    );
    front.stop().await;
}

#[tokio::test]
async fn what_is_not_http_is_refused_and_the_next_request_is_answered() {
    let front = Running::start(Settings::default()).await;
    let long_head = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(64 * 1024));
    let noise: Vec<u8> = (0..2048_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let inputs: [&[u8]; 6] = [
        b"AMQP\x00\x00\x09\x01",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x00\x00\x00\x17\x00\x12\x00\x00\x00\x00\x00\x01\x00\x04test\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        long_head.as_bytes(),
        &noise,
    ];
    for input in inputs {
        let answer = front.send_and_close(input).await;
        let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
        assert!(refused, "{answer}");
    }
    assert_eq!(front.get("/livez").await.0, 200);
    front.stop().await;
}

#[tokio::test]
async fn half_a_request_does_not_hold_up_the_stop() {
    let front = Running::start(Settings::default()).await;
    let mut stream = TcpStream::connect(front.address).await.expect("it listens");
    stream.write_all(b"GET / HT").await.expect("sent");
    assert_eq!(front.get("/livez").await.0, 200);
    timeout(Duration::from_secs(20), front.stop())
        .await
        .expect("it stops");
}

#[test]
fn any_path_and_query_are_answered() {
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let state = State::new("0.0.0", Arc::new(SystemClock::new()));
    let broker = runtime.block_on(async {
        let broker = TestBroker::start();
        let declared = broker.broker.declare_log(queue("é/a", Durability::Synced));
        declared.await.expect("declared");
        state.ready(broker.broker.clone(), Vec::new());
        broker
    });
    let client = Principal::anonymous(([127, 0, 0, 1], 40_000).into());
    let target = "/(v1/(logs|status)|api/(queues|connections)|metrics|readyz)?(/?[!-~]{0,6}(%(C3|A9|00|2F|FF)){0,3}){0,2}\
                  (\\?((vhost|prefix|after|limit|verbose)?=?[!-~]{0,6}(%(2F|C3|FF))?&?){0,4})?";
    let settings = Settings::default();
    let answered = TestRunner::default().run(&target, |target| {
        let Ok(request) = Request::builder().uri(&target).body(()) else {
            return Ok(());
        };
        let (head, ()) = request.into_parts();
        let answer = router::answer(&state, &settings, &client, &head, String::new());
        let status = runtime.block_on(answer).status().as_u16();
        prop_assert!(matches!(status, 200 | 400 | 404), "{target}: {status}");
        Ok(())
    });
    answered.expect("each is");
    runtime.block_on(broker.stop());
}

/// Enough requests that their responses exceed the socket buffers while nobody reads them.
const UNREAD: usize = 20_000;

#[tokio::test(start_paused = true)]
async fn who_reads_no_answers_is_cut_off() {
    let front = Running::start(Settings::default()).await;
    let mut stream = TcpStream::connect(front.address).await.expect("it listens");
    let requests = "GET / HTTP/1.1\r\nhost: x\r\n\r\n".repeat(UNREAD);
    // Writing fails once the server has given up.
    drop(timeout(WRITE_STALL, stream.write_all(requests.as_bytes())).await);
    sleep(2 * WRITE_STALL).await;
    let mut answers = Vec::new();
    drop(
        timeout(WRITE_STALL, stream.read_to_end(&mut answers))
            .await
            .expect("it ends"),
    );
    let text = String::from_utf8_lossy(&answers);
    assert!(text.matches("HTTP/1.1 200 OK").count() < UNREAD);
    assert_eq!(front.get("/livez").await.0, 200);
    front.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_sends_nothing_more_is_closed_in_time() {
    let front = Running::start(Settings::default()).await;
    for (sent, answers) in [
        ("", 0),
        ("GET /livez HT", 0),
        ("GET /livez HTTP/1.1\r\nhost: x\r\nx-", 0),
        ("GET /livez HTTP/1.1\r\nhost: x\r\n\r\n", 1),
        // The server doesn't wait for a body.
        (
            "GET /livez HTTP/1.1\r\nhost: x\r\ncontent-length: 9999999999\r\n\r\nab",
            1,
        ),
        (
            "GET /livez HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n9\r\nab",
            1,
        ),
    ] {
        let answer = timeout(
            HEAD_TIMEOUT + Duration::from_secs(1),
            front.send(sent.as_bytes()),
        );
        let answer = answer
            .await
            .unwrap_or_else(|_| panic!("still open: {sent:?}"));
        assert_eq!(
            answer.matches("HTTP/1.1 200 OK").count(),
            answers,
            "{sent:?}"
        );
    }
    front.stop().await;
}

impl Running {
    /// Sends bytes, shuts down the sending side, and reads until the server closes.
    async fn send_and_close(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("it listens");
        drop(stream.write_all(bytes).await);
        drop(stream.shutdown().await);
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
        String::from_utf8_lossy(&answer).into_owned()
    }
}
