//! Requests of web pages in a user's browser to a server without authentication.

use serde_json::json;
use stele_base_types::{Name, Secret};
use stele_front_sqs::Credential;

use crate::kit::Server;

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
const PLAIN: &str = "Content-Type: text/plain";
const JSON: &str =
    "Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AmazonSQS.CreateQueue";

fn request(line: &str, headers: &[&str], body: &str) -> Vec<u8> {
    let length = body.len();
    let headers = headers.join("\r\n");
    format!(
        "{line} HTTP/1.1\r\n{headers}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

#[tokio::test]
async fn no_page_from_elsewhere_makes_a_queue() {
    let server = Server::start().await;
    let ours = "Host: localhost:9324";
    let make = "Action=CreateQueue&QueueName=theirs";
    let get = "GET /?Action=CreateQueue&QueueName=theirs";
    let as_json = r#"{"QueueName":"theirs"}"#;
    for (line, headers, body) in [
        (
            "POST /",
            vec![ours, FORM, "Origin: https://example.org"],
            make,
        ),
        ("POST /", vec![ours, PLAIN, "Origin: null"], make),
        (
            "POST /",
            vec![ours, JSON, "Origin: https://example.org"],
            as_json,
        ),
        (
            "POST /",
            vec![ours, FORM, "Sec-Fetch-Site: cross-site"],
            make,
        ),
        ("POST /", vec![ours, "Origin: http://localhost:3000"], make),
        (get, vec![ours, "Sec-Fetch-Site: cross-site"], ""),
        (get, vec![ours, "Sec-Fetch-Site: same-site"], ""),
        (get, vec![ours, "User-Agent: Mozilla/5.0 (Macintosh)"], ""),
        // A page whose name resolves to this server has the same origin as far as the browser
        // knows.
        (
            "POST /",
            vec!["Host: example.org:9324", "Sec-Fetch-Site: same-origin"],
            make,
        ),
        (
            "POST /",
            vec!["Host: example.org", "Origin: http://example.org"],
            make,
        ),
        ("POST http://example.org/", vec![ours], make),
    ] {
        let answer = server.exchange(&request(line, &headers, body)).await;
        assert_eq!(answer.status, 403, "{line} {headers:?}: {answer:?}");
        assert!(answer.body.contains("AccessDenied"), "{answer:?}");
    }
    assert_eq!(server.ok("ListQueues", json!({})).await, json!({}));
    server.stop().await;
}

#[tokio::test]
async fn a_preflight_gets_no_leave() {
    let server = Server::start().await;
    for headers in [
        vec!["Host: localhost", "Origin: https://example.org"],
        vec!["Host: localhost"],
    ] {
        let headers = [headers, vec!["Access-Control-Request-Method: POST"]].concat();
        let answer = server.exchange(&request("OPTIONS /", &headers, "")).await;
        assert!(matches!(answer.status, 403 | 405), "{answer:?}");
        assert!(!answer.head.contains("access-control"), "{answer:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn clients_and_the_address_bar_are_answered() {
    let server = Server::start().await;
    for headers in [
        vec!["Host: sqs.us-east-1.localhost.localstack.cloud:4566"],
        vec!["Host: 127.0.0.1:9324", "User-Agent: Boto3/1.44.5"],
        vec![
            "Host: localhost",
            "Sec-Fetch-Site: none",
            "User-Agent: Mozilla/5.0",
        ],
        vec!["Host: localhost", "Origin: http://localhost"],
    ] {
        let answer = server
            .exchange(&request("GET /?Action=ListQueues", &headers, ""))
            .await;
        assert_eq!(answer.status, 200, "{headers:?}: {answer:?}");
    }
    server.stop().await;
}

/// A page can't sign, so it may contain a link to a presigned request.
#[tokio::test]
async fn where_requests_are_signed_their_signature_decides() {
    let credential = Credential {
        access_key_id: Name::new("AKIDEXAMPLE").unwrap(),
        secret_access_key: Secret::new("secret"),
    };
    let server = Server::with_credentials(vec![credential]).await;
    let headers = ["Host: example.org", "Sec-Fetch-Site: cross-site"];
    let answer = server
        .exchange(&request("GET /?Action=ListQueues", &headers, ""))
        .await;
    assert!(
        answer.body.contains("MissingAuthenticationToken"),
        "{answer:?}"
    );
    server.stop().await;
}
