//! A Kafka client: one connection that produces to a partition with acks=all, or fetches from it.

use anyhow::{Context as _, Result, bail, ensure};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use stele_base_env::{Clock as _, SystemClock};
use stele_wire_batch::{BatchBuilder, Batches, Body, NewRecord};
use stele_wire_kafka::{
    Decodable as _, HeaderVersion as _, Request, ResponseError, StrBytes,
    messages::{
        CreateTopicsRequest, DeleteTopicsRequest, FetchRequest, ProduceRequest, TopicName,
        create_topics_request::CreatableTopic,
        fetch_request::{FetchPartition, FetchTopic},
        produce_request::{PartitionProduceData, TopicProduceData},
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const CLIENT_ID: &str = "stele-bench";

// Versions that every broker since 2.8 supports. Later versions of Fetch name topics by id.
const CREATE_TOPICS: i16 = 5;
const DELETE_TOPICS: i16 = 4;
const PRODUCE: i16 = 9;
const FETCH: i16 = 11;

const TIMEOUT_MS: i32 = 30_000;
const FETCH_WAIT_MS: i32 = 1_000;
const FETCH_BYTES_MAX: i32 = 8 << 20;
const ACKS_ALL: i16 = -1;

/// Maximum size of a decompressed batch.
const BATCH_BYTES_MAX: usize = 64 << 20;

pub(super) struct Client {
    stream: TcpStream,
    topic: TopicName,
    partition: i32,
    next_offset: i64,
    correlation_id: i32,
    clock: SystemClock,
}

impl Client {
    pub(super) async fn connect(address: &str, topic: &str, index: u16) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            topic: TopicName(StrBytes::from_string(topic.to_owned())),
            partition: i32::from(index),
            next_offset: 0,
            correlation_id: 0,
            clock: SystemClock::new(),
        })
    }

    pub(super) async fn create(&mut self, partitions: u16) -> Result<()> {
        let topic = CreatableTopic::default()
            .with_name(self.topic.clone())
            .with_num_partitions(i32::from(partitions))
            .with_replication_factor(1);
        let request = CreateTopicsRequest::default()
            .with_topics(vec![topic])
            .with_timeout_ms(TIMEOUT_MS);
        let reply = self.call(CREATE_TOPICS, &request).await?;
        let topic = reply.topics.first().context("no response for the topic")?;
        accepted(topic.error_code, topic.error_message.as_deref())
    }

    pub(super) async fn delete(&mut self) -> Result<()> {
        let request = DeleteTopicsRequest::default()
            .with_topic_names(vec![self.topic.clone()])
            .with_timeout_ms(TIMEOUT_MS);
        let reply = self.call(DELETE_TOPICS, &request).await?;
        let topic = reply
            .responses
            .first()
            .context("no response for the topic")?;
        accepted(topic.error_code, None)
    }

    pub(super) async fn send(&mut self, bodies: &[Bytes]) -> Result<()> {
        let mut batch = BatchBuilder::new();
        for body in bodies {
            batch.push(&NewRecord {
                timestamp: self.clock.now(),
                key: None,
                value: Body::Whole(body),
                headers: &[],
            })?;
        }
        let partition = PartitionProduceData::default()
            .with_index(self.partition)
            .with_records(Some(batch.finish().into_bytes()));
        let topic = TopicProduceData::default()
            .with_name(self.topic.clone())
            .with_partition_data(vec![partition]);
        let request = ProduceRequest::default()
            .with_acks(ACKS_ALL)
            .with_timeout_ms(TIMEOUT_MS)
            .with_topic_data(vec![topic]);
        let reply = self.call(PRODUCE, &request).await?;
        let topic = reply
            .responses
            .first()
            .context("no response for the topic")?;
        let partition = topic.partition_responses.first();
        let partition = partition.context("no response for the partition")?;
        accepted(partition.error_code, partition.error_message.as_deref())
    }

    pub(super) async fn receive(&mut self, bodies: &mut Vec<Bytes>) -> Result<()> {
        let partition = FetchPartition::default()
            .with_partition(self.partition)
            .with_fetch_offset(self.next_offset)
            .with_partition_max_bytes(FETCH_BYTES_MAX);
        let topic = FetchTopic::default()
            .with_topic(self.topic.clone())
            .with_partitions(vec![partition]);
        let request = FetchRequest::default()
            .with_replica_id((-1).into())
            .with_max_wait_ms(FETCH_WAIT_MS)
            .with_min_bytes(1)
            .with_max_bytes(FETCH_BYTES_MAX)
            .with_session_epoch(-1)
            .with_topics(vec![topic]);
        let reply = self.call(FETCH, &request).await?;
        let topic = reply
            .responses
            .into_iter()
            .next()
            .context("no response for the topic")?;
        let partition = topic.partitions.into_iter().next();
        let partition = partition.context("no response for the partition")?;
        accepted(partition.error_code, None)?;
        for batch in Batches::new(partition.records.unwrap_or_default()) {
            let batch = batch?;
            self.next_offset = i64::try_from(batch.header().next_offset().0)?;
            for record in batch.records(BATCH_BYTES_MAX)? {
                bodies.extend(record?.value);
            }
        }
        Ok(())
    }

    async fn call<R: Request>(&mut self, version: i16, request: &R) -> Result<R::Response> {
        self.correlation_id = self.correlation_id.wrapping_add(1);
        let mut frame = BytesMut::new();
        frame.put_i32(0);
        frame.put_i16(R::KEY);
        frame.put_i16(version);
        frame.put_i32(self.correlation_id);
        frame.put_i16(i16::try_from(CLIENT_ID.len())?);
        frame.put_slice(CLIENT_ID.as_bytes());
        if R::header_version(version) >= 2 {
            frame.put_u8(0);
        }
        request.encode(&mut frame, version)?;
        let length = i32::try_from(frame.len() - 4)?;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&frame).await?;

        let length = usize::try_from(self.stream.read_i32().await?)?;
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).await?;
        let mut answer = Bytes::from(answer);
        ensure!(answer.len() >= 4, "the response has no header");
        ensure!(
            answer.get_i32() == self.correlation_id,
            "the response is for another request"
        );
        if R::Response::header_version(version) >= 1 {
            ensure!(answer.has_remaining(), "the response header has no tags");
            answer.advance(1);
        }
        R::Response::decode(&mut answer, version).context("the response can't be decoded")
    }
}

/// Fails if the broker returned an error: with its message, or what its code means.
fn accepted(error_code: i16, message: Option<&str>) -> Result<()> {
    if error_code == 0 {
        return Ok(());
    }
    let Some(error) = ResponseError::try_from_code(error_code) else {
        bail!("the broker returned the unknown error code {error_code}");
    };
    match message {
        Some(message) => bail!("{message} (Kafka's error {error_code})"),
        None => bail!("{} (Kafka's error {error_code})", words(error)),
    }
}

/// The meaning of an error without a message.
fn words(error: ResponseError) -> String {
    if error == ResponseError::KafkaStorageError {
        return "the broker can't write: its disk is full or has failed".to_owned();
    }
    let mut words = String::new();
    for letter in format!("{error:?}").chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_in_words() {
        let told = |message| accepted(56, message).unwrap_err().to_string();
        assert_eq!(
            told(Some("no space left")),
            "no space left (Kafka's error 56)"
        );
        let full = "the broker can't write: its disk is full or has failed (Kafka's error 56)";
        assert_eq!(told(None), full);
        let other = accepted(36, None).unwrap_err().to_string();
        assert_eq!(other, "topic already exists (Kafka's error 36)");
        assert!(accepted(0, None).is_ok());
    }
}
