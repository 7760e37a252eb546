//! An SQS client: AWS JSON 1.0 over one HTTP/1.1 connection, unsigned.

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

/// Entries of a batch (SQS).
const ENTRIES_MAX: usize = 10;

pub(super) struct Client {
    stream: BufReader<TcpStream>,
    host: String,
    queue: String,
}

impl Client {
    pub(super) async fn connect(address: &str, queue: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
            host: address.to_owned(),
            queue: queue.to_owned(),
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
            let failed = reply["Failed"].as_array().map_or(0, Vec::len);
            ensure!(
                failed == 0,
                "{failed} messages were refused: {}",
                reply["Failed"]
            );
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
        let failed = deleted["Failed"].as_array().map_or(0, Vec::len);
        ensure!(
            failed == 0,
            "{failed} messages couldn't be deleted: {}",
            deleted["Failed"]
        );
        for message in messages {
            let body = message["Body"]
                .as_str()
                .context("a message without a body")?;
            bodies.push(Bytes::copy_from_slice(body.as_bytes()));
        }
        Ok(())
    }

    fn url(&self) -> String {
        format!("http://{}/000000000000/{}", self.host, self.queue)
    }

    async fn call(&mut self, action: &str, request: &Value) -> Result<Value> {
        let body = request.to_string();
        let head = format!(
            "POST / HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-amz-json-1.0\r\n\
             x-amz-target: AmazonSQS.{action}\r\ncontent-length: {}\r\n\r\n",
            self.host,
            body.len()
        );
        self.stream
            .get_mut()
            .write_all((head + &body).as_bytes())
            .await?;
        let (status, reply) = self.answer().await?;
        if status != 200 {
            bail!("{action}: {status}: {}", String::from_utf8_lossy(&reply));
        }
        if reply.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&reply).with_context(|| format!("{action}: not JSON"))
    }

    async fn answer(&mut self) -> Result<(u16, Vec<u8>)> {
        let mut line = String::new();
        ensure!(
            self.stream.read_line(&mut line).await? > 0,
            "the connection was closed"
        );
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.context("not an HTTP answer")?;
        let mut length = 0;
        loop {
            line.clear();
            ensure!(
                self.stream.read_line(&mut line).await? > 0,
                "the answer was cut off"
            );
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().context("a wrong content-length")?;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        Ok((status, body))
    }
}
