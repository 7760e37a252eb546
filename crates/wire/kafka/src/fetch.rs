//! The Fetch response, encoded around the batches that it carries.
//!
//! The generated encoder copies records into its buffer. Here the fields are encoded into one
//! buffer, and slices of it alternate with the batches in memory, for a vectored write.
//!
//! Schema: `FetchResponse.json`, versions 4 to 18.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::{messages::ApiKey, protocol::StrBytes};
use uuid::Uuid;

use crate::{
    Error, RequestHeader, Response,
    frame::LENGTH_SIZE_BYTES,
    response::{length, start},
};

/// The first version that names topics by id (KIP-516).
const TOPIC_IDS_SINCE: i16 = 13;

/// The first flexible version (KIP-482).
const FLEXIBLE_SINCE: i16 = 12;

/// Room for the fields of a partition.
const PARTITION_SIZE_BYTES_MAX: usize = 64;

/// The body of a Fetch response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchResponse {
    /// The error of the whole request; not in versions below 7.
    pub error_code: i16,
    /// The fetch session (KIP-227), 0 for none; not in versions below 7.
    pub session_id: i32,
    /// The fetched topics.
    pub topics: Vec<FetchTopic>,
}

/// A topic of a Fetch response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchTopic {
    /// Used by versions below 13.
    pub name: StrBytes,
    /// Used by versions from 13 on.
    pub id: Uuid,
    /// The fetched partitions.
    pub partitions: Vec<FetchPartition>,
}

/// A partition of a Fetch response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchPartition {
    /// The partition's index.
    pub index: i32,
    /// 0, or the reason why there are no records.
    pub error_code: i16,
    /// The end of what consumers can read; -1 if unknown.
    pub high_watermark: i64,
    /// The start of the first open transaction, or the high watermark; -1 if unknown.
    pub last_stable_offset: i64,
    /// The first offset that is kept; -1 if unknown.
    pub log_start_offset: i64,
    /// For a consumer of committed records: the aborted transactions among the records, as producer
    /// id and first offset.
    pub aborted_transactions: Option<Vec<(i64, i64)>>,
    /// Batches, possibly in several parts.
    pub records: Vec<Bytes>,
}

/// Encodes `body` as the response to the Fetch request with the header `header`.
pub fn encode(header: &RequestHeader, body: &FetchResponse) -> Result<Response, Error> {
    let partitions: usize = body.topics.iter().map(|it| it.partitions.len()).sum();
    let names: usize = body.topics.iter().map(|it| it.name.len() + 32).sum();
    let version = header.api_version;
    let mut encoder = Encoder {
        fields: start(
            ApiKey::Fetch as i16,
            version,
            header.correlation_id,
            names + partitions * PARTITION_SIZE_BYTES_MAX,
        ),
        version,
        cuts: Vec::with_capacity(partitions),
        records_size_bytes: 0,
    };
    encoder.response(body)?;
    encoder.finish()
}

struct Encoder<'a> {
    /// Everything but the records.
    fields: BytesMut,
    version: i16,
    /// The positions of records between the fields.
    cuts: Vec<(usize, &'a [Bytes])>,
    records_size_bytes: usize,
}

impl<'a> Encoder<'a> {
    fn response(&mut self, body: &'a FetchResponse) -> Result<(), Error> {
        // There is no throttling.
        self.fields.put_i32(0);
        if self.version >= 7 {
            self.fields.put_i16(body.error_code);
            self.fields.put_i32(body.session_id);
        }
        self.length(Some(body.topics.len()));
        for topic in &body.topics {
            self.topic(topic)?;
        }
        self.tags();
        Ok(())
    }

    fn topic(&mut self, topic: &'a FetchTopic) -> Result<(), Error> {
        if self.version >= TOPIC_IDS_SINCE {
            self.fields.put_slice(topic.id.as_bytes());
        } else {
            self.text(&topic.name)?;
        }
        self.length(Some(topic.partitions.len()));
        for partition in &topic.partitions {
            self.partition(partition);
        }
        self.tags();
        Ok(())
    }

    fn partition(&mut self, partition: &'a FetchPartition) {
        self.fields.put_i32(partition.index);
        self.fields.put_i16(partition.error_code);
        self.fields.put_i64(partition.high_watermark);
        self.fields.put_i64(partition.last_stable_offset);
        if self.version >= 5 {
            self.fields.put_i64(partition.log_start_offset);
        }
        self.aborted_transactions(partition.aborted_transactions.as_deref());
        if self.version >= 11 {
            // There is no preferred read replica.
            self.fields.put_i32(-1);
        }
        self.records(&partition.records);
        self.tags();
    }

    fn aborted_transactions(&mut self, aborted: Option<&[(i64, i64)]>) {
        self.length(aborted.map(<[_]>::len));
        for (producer_id, first_offset) in aborted.unwrap_or_default() {
            self.fields.put_i64(*producer_id);
            self.fields.put_i64(*first_offset);
            self.tags();
        }
    }

    /// No records are encoded as an empty set, not as null: older clients fail on null.
    fn records(&mut self, records: &'a [Bytes]) {
        let size_bytes: usize = records.iter().map(Bytes::len).sum();
        self.length(Some(size_bytes));
        self.records_size_bytes += size_bytes;
        if size_bytes > 0 {
            self.cuts.push((self.fields.len(), records));
        }
    }

    fn text(&mut self, text: &str) -> Result<(), Error> {
        if self.is_flexible() {
            self.length(Some(text.len()));
        } else {
            let length =
                i16::try_from(text.len()).map_err(|_| self.unencodable("name too long"))?;
            self.fields.put_i16(length);
        }
        self.fields.put_slice(text.as_bytes());
        Ok(())
    }

    /// The length of a list or of bytes. A length that doesn't fit is refused by
    /// [`Encoder::finish`], since the whole wouldn't fit either.
    fn length(&mut self, length: Option<usize>) {
        if self.is_flexible() {
            put_unsigned_varint(&mut self.fields, length.map_or(0, |it| it as u32 + 1));
        } else {
            self.fields.put_i32(length.map_or(-1, |it| it as i32));
        }
    }

    fn tags(&mut self) {
        if self.is_flexible() {
            self.fields.put_u8(0);
        }
    }

    fn is_flexible(&self) -> bool {
        self.version >= FLEXIBLE_SINCE
    }

    fn finish(mut self) -> Result<Response, Error> {
        let length = length(self.fields.len() + self.records_size_bytes)
            .map_err(|reason| self.unencodable(reason))?;
        self.fields[..LENGTH_SIZE_BYTES].copy_from_slice(&length);
        let fields = self.fields.freeze();
        let mut chunks = Vec::with_capacity(1 + 2 * self.cuts.len());
        let mut done = 0;
        for (cut, records) in self.cuts {
            chunks.push(fields.slice(done..cut));
            chunks.extend(records.iter().filter(|it| !it.is_empty()).cloned());
            done = cut;
        }
        if done < fields.len() {
            chunks.push(fields.slice(done..));
        }
        Ok(Response { chunks })
    }

    fn unencodable(&self, reason: &str) -> Error {
        Error::Unencodable {
            key: ApiKey::Fetch as i16,
            version: self.version,
            reason: reason.to_owned(),
        }
    }
}

fn put_unsigned_varint(buffer: &mut BytesMut, mut value: u32) {
    while value >= 0x80 {
        buffer.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    buffer.put_u8(value as u8);
}
