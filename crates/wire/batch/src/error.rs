//! What can be wrong with a batch.

use crate::Compression;

/// Why bytes aren't a batch, or a batch can't be read or built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes end before the batch does. A reader of a stream waits for more; a reader of a
    /// whole request or file refuses it.
    #[error("the batch needs {needed_bytes} bytes, there are {available_bytes}")]
    Truncated {
        /// What the header asks for; what a header takes, where not even that is there.
        needed_bytes: usize,
        /// What is there.
        available_bytes: usize,
    },
    /// Bytes follow a batch where only one was expected. Refuse.
    #[error("{0} bytes follow the batch")]
    Trailing(usize),
    /// A format other than version 2 (0 and 1 are the message sets of Kafka before 0.11). Refuse
    /// with the protocol's word for an unsupported format.
    #[error("record format {0} is not 2")]
    Magic(i8),
    /// A length below that of an empty batch, so that where the next batch starts is unknown.
    #[error("batch length {0} is shorter than a header")]
    Length(i32),
    /// The checksum doesn't match: damaged on the way or on the disk.
    #[error("checksum {computed:08x} differs from the stored {stored:08x}")]
    Checksum {
        /// As the header has it.
        stored: u32,
        /// As the bytes have it.
        computed: u32,
    },
    /// A negative base offset.
    #[error("base offset {0} is negative")]
    BaseOffset(i64),
    /// The number of records and the offsets that they claim contradict each other.
    #[error("{count} records can't span offsets 0 to {last_offset_delta}")]
    Count {
        /// Records, as the header has it.
        count: i32,
        /// Offset of the last record from the base offset, as the header has it.
        last_offset_delta: i32,
    },
    /// A compression that the format doesn't define.
    #[error("compression {0} is unknown")]
    CompressionUnknown(u8),
    /// The compressed block is damaged.
    #[error("can't decompress {compression}: {reason}")]
    Decompression {
        /// The batch's compression.
        compression: Compression,
        /// In the decoder's words.
        reason: String,
    },
    /// The decompressed records exceed the limit.
    #[error("the records exceed {limit_bytes} bytes once decompressed")]
    DecompressedTooLarge {
        /// The caller's limit.
        limit_bytes: usize,
    },
    /// A record is damaged; later ones of the batch can't be read either.
    #[error("record {index}: {fault}")]
    Record {
        /// The record's place in the batch, from 0.
        index: u32,
        /// What is wrong with it.
        fault: RecordFault,
    },
    /// A batch to build would exceed the format's 2 GiB.
    #[error("a batch of {0} bytes exceeds the format's limit")]
    TooLarge(usize),
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordFault {
    /// The batch ends before the record does.
    #[error("it ends after the batch")]
    Truncated,
    /// A varint of more bytes than its type needs.
    #[error("a number is too long")]
    Varint,
    /// A length that is negative and not null, or beyond the record's end.
    #[error("length {0} doesn't fit")]
    Length(i32),
    /// The fields end before the record's length does.
    #[error("{0} bytes follow its last field")]
    Trailing(usize),
    /// An offset that isn't after the record before, or beyond the batch's last.
    #[error("offset delta {0} is out of order")]
    OffsetDelta(i32),
    /// A number of headers that is negative or can't fit.
    #[error("{0} headers don't fit")]
    HeaderCount(i32),
    /// The records end before the batch's bytes do; `index` is then the number of records.
    #[error("{0} bytes follow the last record")]
    BytesAfterLast(usize),
}
