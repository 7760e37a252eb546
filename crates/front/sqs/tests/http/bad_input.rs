//! Invalid requests: other protocols, noise, too much, too little, too slow.

use std::time::Duration;

use serde_json::json;
use stele_base_types::{Name, Secret};
use stele_front_accept::WRITE_STALL;
use stele_front_sqs::Credential;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use crate::kit::{Server, json_request};

/// Far longer than any response here takes, far shorter than the server's own timeouts.
const PATIENCE: Duration = Duration::from_secs(20);

async fn still_serves(server: &Server) {
    assert_eq!(server.ok("ListQueues", json!({})).await, json!({}));
}

#[tokio::test]
async fn other_protocols_and_noise_are_answered_or_closed() {
    let server = Server::start().await;
    let kafka_api_versions = b"\0\0\0\x17\0\x12\0\x03\0\0\0\x01\0\x06client\0\x02x\x021\0";
    let tls_hello = b"\x16\x03\x01\x02\0\x01\0\x01\xFC\x03\x03\x9A\x1B\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let noise: Vec<u8> = (0..10_000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    for bytes in [
        &b"AMQP\0\0\x09\x01"[..],
        kafka_api_versions,
        tls_hello,
        &noise,
        b"\r\n\r\n\r\n\0",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n",
    ] {
        let answer = timeout(PATIENCE, async {
            let mut stream = TcpStream::connect(server.address).await.unwrap();
            drop(stream.write_all(bytes).await);
            drop(stream.shutdown().await);
            let mut answer = Vec::new();
            drop(stream.read_to_end(&mut answer).await);
            answer
        });
        let answer = String::from_utf8(answer.await.expect("an answer or the end")).unwrap();
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1."),
            "{answer}"
        );
        assert!(!answer.contains(" 200 "), "{answer}");
    }
    still_serves(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn requests_that_ask_nothing_are_told_so() {
    let server = Server::start().await;
    for request in [
        "GET / HTTP/1.1",
        "GET /favicon.ico HTTP/1.1",
        "POST /1/orders HTTP/1.1",
    ] {
        let text =
            format!("{request}\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        let answer = server.exchange(text.as_bytes()).await;
        assert_eq!(answer.status, 404);
        assert_eq!(answer.body, "<UnknownOperationException/>");
    }
    for method in ["PUT", "DELETE", "OPTIONS", "HEAD"] {
        let text = format!("{method} / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        let answer = server.exchange(text.as_bytes()).await;
        assert_eq!(answer.status, 405);
        assert!(answer.head.contains("allow: get, post"), "{answer:?}");
    }
    let unknown = server.query("/", "Action=DropQueue").await;
    assert_eq!(unknown.status, 400);
    assert!(
        unknown.body.contains("<Code>InvalidAction</Code>"),
        "{unknown:?}"
    );
    server.stop().await;
}

#[tokio::test]
async fn an_oversized_body_is_refused_without_being_read() {
    let server = Server::start().await;
    let head = "POST / HTTP/1.1\r\nHost: h\r\nX-Amz-Target: AmazonSQS.SendMessage\r\n\
                Content-Length: 999999999999\r\n\r\n";
    let answer = timeout(PATIENCE, server.exchange(head.as_bytes()))
        .await
        .unwrap();
    assert_eq!(answer.status, 413);
    assert!(
        answer.body.contains("RequestEntityTooLargeException"),
        "{answer:?}"
    );
    assert!(answer.head.contains("connection: close"), "{answer:?}");

    // A body of unknown length is read up to the limit.
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x1_0000));
    let head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    let request = [head, &chunk.repeat(65), "0\r\n\r\n"].concat();
    let answer = timeout(PATIENCE, server.raw(request.as_bytes()))
        .await
        .unwrap();
    // The server closes while the client still writes, so the response may be lost.
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 413"),
        "{answer}"
    );
    still_serves(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn a_receive_that_could_hold_much_while_it_waits_is_refused() {
    let server = Server::start().await;
    let url = server.queue("q", json!({})).await;
    let mut members = json!({ "QueueUrl": url, "MessageAttributeNames": ["x".repeat(20_000)] });
    let (shape, message) = server.fail("ReceiveMessage", members.clone()).await;
    assert_eq!(shape, "RequestEntityTooLargeException", "{message}");
    members["MessageAttributeNames"] = json!(["x".repeat(10_000)]);
    server.ok("ReceiveMessage", members).await;
    server.stop().await;
}

#[tokio::test]
async fn an_oversized_head_is_refused() {
    let server = Server::start().await;
    let head = format!(
        "GET / HTTP/1.1\r\nHost: h\r\nX-Long: {}\r\n\r\n",
        "x".repeat(200_000)
    );
    let answer = timeout(PATIENCE, server.raw(head.as_bytes()))
        .await
        .unwrap();
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
        "{answer}"
    );
    still_serves(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn half_a_request_is_dropped_when_its_client_goes() {
    let server = Server::start().await;
    let request = json_request("SendMessage", r#"{"QueueUrl":"q","MessageBody":"x"}"#);
    for length in [10, request.len() - 5] {
        let answer = timeout(PATIENCE, async {
            let mut stream = TcpStream::connect(server.address).await.unwrap();
            stream.write_all(&request[..length]).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut answer = Vec::new();
            drop(stream.read_to_end(&mut answer).await);
            String::from_utf8(answer).unwrap()
        });
        let answer = answer.await.expect("the connection ends");
        assert!(!answer.contains(" 200 "), "{answer}");
    }
    still_serves(&server).await;
    server.stop().await;
}

/// Long for a machine, short for a test.
const SHORT: Duration = Duration::from_millis(100);

#[tokio::test]
async fn half_a_head_and_then_nothing_is_closed_in_time() {
    let server = Server::with(|settings| settings.head_timeout = SHORT).await;
    for head in [
        &b"POST / HT"[..],
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Le",
    ] {
        let answer = timeout(PATIENCE, server.raw(head)).await;
        let answer = answer.expect("the server closes");
        assert!(!answer.contains(" 200 "), "{answer}");
    }
    // Silence between two requests has the same result.
    let idle = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 17\r\n\r\nAction=ListQueues";
    let answer = timeout(PATIENCE, server.raw(idle.as_bytes())).await;
    let answer = answer.expect("the server closes");
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 1, "{answer}");
    still_serves(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn half_a_body_and_then_nothing_is_refused_and_closed_in_time() {
    let server = Server::with(|settings| settings.body_timeout = SHORT).await;
    let request = json_request("SendMessage", r#"{"QueueUrl":"q","MessageBody":"x"}"#);
    let half = &request[..request.len() - 5];
    let answer = timeout(PATIENCE, server.exchange(half)).await;
    let answer = answer.expect("the server closes");
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(answer.body.contains("took too long"), "{answer:?}");
    assert!(answer.head.contains("connection: close"), "{answer:?}");
    still_serves(&server).await;
    server.stop().await;
}

/// Enough requests that their responses exceed the socket buffers while nobody reads them.
const UNREAD: usize = 20_000;

#[tokio::test(start_paused = true)]
async fn who_reads_no_answers_is_cut_off() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let requests = "GET /?Action=X HTTP/1.1\r\nHost: h\r\n\r\n".repeat(UNREAD);
    // Writing fails once the server has given up.
    drop(timeout(WRITE_STALL, stream.write_all(requests.as_bytes())).await);
    sleep(2 * WRITE_STALL).await;
    let mut answers = Vec::new();
    let read = timeout(WRITE_STALL, stream.read_to_end(&mut answers)).await;
    drop(read.expect("the connection ends"));
    let text = String::from_utf8_lossy(&answers);
    assert!(text.matches("HTTP/1.1 400").count() < UNREAD);
    still_serves(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_trickles_has_no_more_time_than_one_that_stalls() {
    let server = Server::with(|settings| settings.body_timeout = SHORT).await;
    let head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4000000\r\n\r\n";
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let mut answer = Vec::new();
    let trickle = async {
        while writer.write_all(b"x").await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    let ended = timeout(PATIENCE, async {
        tokio::select! {
            () = trickle => {}
            _ = reader.read_to_end(&mut answer) => {}
        }
    });
    ended.await.expect("the server closes");
    let answer = String::from_utf8(answer).unwrap();
    // The server closes while the client still writes, so the response may be lost.
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 400"),
        "{answer}"
    );
    still_serves(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn malformed_bodies_are_told_apart_from_wrong_ones() {
    let server = Server::start().await;
    for body in [
        "",
        "[]",
        "{",
        "\u{0}",
        r#"{"QueueName":{}}"#,
        r#"{"QueueName":"#,
    ] {
        let answer = server.exchange(&json_request("CreateQueue", body)).await;
        assert_eq!(answer.status, 400, "{body}");
        let expected = if body.is_empty() {
            "MissingRequired"
        } else {
            "Serialization"
        };
        assert!(answer.body.contains(expected), "{body}: {answer:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn requests_of_one_connection_are_answered_in_turn() {
    let server = Server::start().await;
    let one = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 17\r\n\r\nAction=ListQueues";
    let last = "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 17\r\n\r\nAction=ListQueues";
    let answers = timeout(PATIENCE, server.raw([one, one, last].concat().as_bytes()))
        .await
        .unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3, "{answers}");
    server.stop().await;
}

#[tokio::test]
async fn unsigned_requests_are_refused_where_signatures_are_asked_for() {
    let credential = Credential {
        access_key_id: Name::new("AK").unwrap(),
        secret_access_key: Secret::new("s"),
    };
    let server = Server::with_credentials(vec![credential]).await;
    let (status, value) = server.json("ListQueues", &json!({})).await;
    assert_eq!(status, 403);
    assert_eq!(
        value["__type"],
        "com.amazon.coral.service#MissingAuthenticationTokenException"
    );
    let answer = server.query("/", "Action=CreateQueue&QueueName=q").await;
    assert_eq!(answer.status, 403);
    assert!(
        answer
            .body
            .contains("<Code>MissingAuthenticationToken</Code>"),
        "{answer:?}"
    );
    server.stop().await;
}

/// The memory for bodies is reserved for clients with a key: a request without one is refused by
/// its head alone.
#[tokio::test(start_paused = true)]
async fn a_large_body_without_a_key_is_not_waited_for() {
    let credential = Credential {
        access_key_id: Name::new("AK").unwrap(),
        secret_access_key: Secret::new("s"),
    };
    let server = Server::with_credentials(vec![credential]).await;
    let of_nobody = "Authorization: AWS4-HMAC-SHA256 Credential=AK/20200101/r/sqs/aws4_request, \
                     SignedHeaders=host;x-amz-date, Signature=00\r\n\
                     X-Amz-Date: 20200101T000000Z\r\n";
    for (signature, status) in [("", 403), (of_nobody, 403), ("Authorization: x\r\n", 400)] {
        for length in ["Content-Length: 4000000", "Transfer-Encoding: chunked"] {
            let head = format!("POST / HTTP/1.1\r\nHost: h\r\n{signature}{length}\r\n\r\n");
            let begun = Instant::now();
            let answer = server.exchange(head.as_bytes()).await;
            assert_eq!(answer.status, status, "{signature}{length}: {answer:?}");
            assert!(answer.head.contains("connection: close"), "{answer:?}");
            assert!(
                begun.elapsed() < Duration::from_secs(1),
                "{signature}{length}"
            );
        }
    }
    server.stop().await;
}
