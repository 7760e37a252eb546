//! An SQS client: AWS JSON 1.0 over one HTTP/1.1 connection, signed as AWS clients sign.

use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};
use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningInstructions, SigningSettings, sign},
    sign::v4::SigningParams,
};
use bytes::Bytes;
use serde_json::{Value, json};
use stele_base_env::{Clock as _, SystemClock};
use stele_base_types::Timestamp;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

/// Maximum entries in a batch (SQS).
pub(super) const ENTRIES_MAX: usize = 10;

const CONTENT_TYPE: &str = "application/x-amz-json-1.0";

/// The default region of AWS clients.
const REGION: &str = "us-east-1";

pub(super) struct Client {
    stream: BufReader<TcpStream>,
    host: String,
    queue: String,
    credentials: Credentials,
    clock: SystemClock,
}

impl Client {
    /// Connects; `key` is an access key in the form `ID:SECRET`.
    pub(super) async fn connect(address: &str, queue: &str, key: &str) -> Result<Self> {
        let (id, secret) = key.split_once(':').context("the key must be ID:SECRET")?;
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
            host: address.to_owned(),
            queue: queue.to_owned(),
            credentials: Credentials::new(id, secret, None, None, "stele"),
            clock: SystemClock::new(),
        })
    }

    pub(super) async fn create(&mut self) -> Result<()> {
        let request = json!({ "QueueName": self.queue });
        self.call("CreateQueue", &request).await.map(drop)
    }

    pub(super) async fn delete(&mut self) -> Result<()> {
        let request = json!({ "QueueUrl": self.url() });
        self.call("DeleteQueue", &request).await.map(drop)
    }

    pub(super) async fn send(&mut self, bodies: &[Bytes]) -> Result<()> {
        if let [body] = bodies {
            let body = std::str::from_utf8(body)?;
            let request = json!({ "QueueUrl": self.url(), "MessageBody": body });
            return self.call("SendMessage", &request).await.map(drop);
        }
        for part in bodies.chunks(ENTRIES_MAX) {
            let entries = part.iter().enumerate().map(|(at, body)| {
                let body = std::str::from_utf8(body)?;
                Ok(json!({ "Id": at.to_string(), "MessageBody": body }))
            });
            let entries = entries.collect::<Result<Vec<Value>>>()?;
            let request = json!({ "QueueUrl": self.url(), "Entries": entries });
            let reply = self.call("SendMessageBatch", &request).await?;
            check_entries(&reply, "messages were refused")?;
        }
        Ok(())
    }

    pub(super) async fn receive(&mut self, bodies: &mut Vec<Bytes>) -> Result<()> {
        let request = json!({
            "QueueUrl": self.url(),
            "MaxNumberOfMessages": ENTRIES_MAX,
            "WaitTimeSeconds": 1,
        });
        let reply = self.call("ReceiveMessage", &request).await?;
        let Some(messages) = reply["Messages"].as_array().filter(|some| !some.is_empty()) else {
            return Ok(());
        };
        let entries: Vec<Value> = messages
            .iter()
            .enumerate()
            .map(|(at, message)| {
                json!({ "Id": at.to_string(), "ReceiptHandle": message["ReceiptHandle"] })
            })
            .collect();
        let request = json!({ "QueueUrl": self.url(), "Entries": entries });
        let deleted = self.call("DeleteMessageBatch", &request).await?;
        check_entries(&deleted, "messages couldn't be deleted")?;
        for message in messages {
            let body = message["Body"]
                .as_str()
                .context("the message has no body")?;
            bodies.push(Bytes::copy_from_slice(body.as_bytes()));
        }
        Ok(())
    }

    fn url(&self) -> String {
        format!("http://{}/000000000000/{}", self.host, self.queue)
    }

    async fn call(&mut self, action: &str, request: &Value) -> Result<Value> {
        let body = request.to_string();
        let target = format!("AmazonSQS.{action}");
        let signature = self.sign(&target, &body)?;
        let mut text = format!(
            "POST / HTTP/1.1\r\nhost: {}\r\ncontent-type: {CONTENT_TYPE}\r\n\
             x-amz-target: {target}\r\ncontent-length: {}\r\n",
            self.host,
            body.len()
        );
        for (name, value) in signature.headers() {
            text.extend([name, ": ", value, "\r\n"]);
        }
        text.extend(["\r\n", &body]);
        self.stream.get_mut().write_all(text.as_bytes()).await?;
        let (status, reply) = self.answer().await?;
        if status != 200 {
            bail!("{action}: {status}: {}", reason(&reply));
        }
        if reply.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&reply).with_context(|| format!("{action}: not JSON"))
    }

    /// The headers that authenticate a request.
    fn sign(&self, target: &str, body: &str) -> Result<SigningInstructions> {
        let now_ms = self.clock.now().since_ms(Timestamp(0));
        let identity = self.credentials.clone().into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name("sqs")
            .time(UNIX_EPOCH + Duration::from_millis(now_ms))
            .settings(SigningSettings::default())
            .build()?
            .into();
        let uri = format!("http://{}/", self.host);
        let headers = [
            ("host", self.host.as_str()),
            ("content-type", CONTENT_TYPE),
            ("x-amz-target", target),
        ];
        let body = SignableBody::Bytes(body.as_bytes());
        let request = SignableRequest::new("POST", uri, headers.into_iter(), body)?;
        Ok(sign(request, &params)?.into_parts().0)
    }

    async fn answer(&mut self) -> Result<(u16, Vec<u8>)> {
        let mut line = String::new();
        ensure!(
            self.stream.read_line(&mut line).await? > 0,
            "the connection was closed"
        );
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.context("not an HTTP response")?;
        let mut length = 0;
        loop {
            line.clear();
            ensure!(
                self.stream.read_line(&mut line).await? > 0,
                "the response was truncated"
            );
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().context("invalid content-length")?;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        Ok((status, body))
    }
}

/// The reason in an error response, or the response itself if it isn't SQS's.
fn reason(reply: &[u8]) -> String {
    let error: Value = serde_json::from_slice(reply).unwrap_or_default();
    match error["message"].as_str() {
        Some(message) => message.to_owned(),
        None => String::from_utf8_lossy(reply).into_owned(),
    }
}

/// Fails if some entries of a batch have failed, with the reason of the first one.
fn check_entries(reply: &Value, what: &str) -> Result<()> {
    match reply["Failed"].as_array().map(Vec::as_slice) {
        None | Some([]) => Ok(()),
        Some(failed @ [first, ..]) => {
            let message = first["Message"].as_str().or(first["Code"].as_str());
            bail!(
                "{} {what}: {}",
                failed.len(),
                message.unwrap_or("no reason given")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stele_base_env::OsRng;
    use stele_base_types::{Name, Secret};
    use stele_front_sqs::{Credential, Settings, serve};
    use stele_test_testkit::TestBroker;
    use tokio::{net::TcpListener, sync::watch};

    use super::*;

    #[test]
    fn an_error_is_told_in_words() {
        let refused = br#"{"__type":"com.amazonaws.sqs#ServiceUnavailable","message":"no space"}"#;
        assert_eq!(reason(refused), "no space");
        assert_eq!(reason(b"<html>"), "<html>");
        let failed = json!({"Failed": [
            {"Id": "0", "Code": "InternalError", "Message": "no space", "SenderFault": false},
            {"Id": "1", "Code": "InternalError", "SenderFault": false},
        ]});
        let told = check_entries(&failed, "messages were refused").unwrap_err();
        assert_eq!(told.to_string(), "2 messages were refused: no space");
        assert!(check_entries(&json!({"Failed": []}), "").is_ok());
        assert!(check_entries(&json!({}), "").is_ok());
    }

    #[tokio::test]
    async fn a_broker_that_asks_for_signatures_takes_ours_and_only_with_the_right_secret() {
        let broker = TestBroker::start();
        let credential = Credential {
            access_key_id: Name::new("AK").unwrap(),
            secret_access_key: Secret::new("a secret"),
        };
        let rng = Box::new(OsRng::new().unwrap());
        let settings = Settings::new(vec![credential], Arc::new(SystemClock::new()), rng);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (stop, stopping) = watch::channel(false);
        let serving = tokio::spawn(serve(broker.broker.clone(), settings, listener, stopping));

        let mut wrong = Client::connect(&address, "q", "AK:another").await.unwrap();
        let refused = wrong.create().await.unwrap_err().to_string();
        assert!(refused.contains("CreateQueue: 403"), "{refused}");
        drop(wrong);

        let mut client = Client::connect(&address, "q", "AK:a secret").await.unwrap();
        client.create().await.unwrap();
        client.send(&[Bytes::from_static(b"one")]).await.unwrap();
        let mut bodies = Vec::new();
        client.receive(&mut bodies).await.unwrap();
        assert_eq!(bodies, ["one"]);
        drop(client);

        stop.send_replace(true);
        serving.await.unwrap();
        broker.stop().await;
    }
}
