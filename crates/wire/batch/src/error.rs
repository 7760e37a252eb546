//! The errors of batches.

use crate::Compression;

/// Why bytes aren't a batch, or why a batch can't be read or built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes end before the batch does. A reader of a stream waits for more; a reader of a
    /// whole request or file refuses it.
    #[error("the batch needs {needed_bytes} bytes, there are {available_bytes}")]
    Truncated {
        /// The size that the header states; the size of a header if even that is incomplete.
        needed_bytes: usize,
        /// The available size.
        available_bytes: usize,
    },
    /// Bytes follow a batch where only one was expected. The caller refuses it.
    #[error("{0} bytes follow the batch")]
    Trailing(usize),
    /// A format other than version 2 (0 and 1 are the message sets of Kafka before 0.11). The
    /// caller refuses it with the protocol's error for an unsupported format.
    #[error("record format {0} is not 2")]
    Magic(i8),
    /// A length below that of an empty batch; the start of the next batch is therefore unknown.
    #[error("batch length {0} is shorter than a header")]
    Length(i32),
    /// The checksum doesn't match: damaged in transit or on disk.
    #[error("checksum {computed:08x} differs from the stored {stored:08x}")]
    Checksum {
        /// The checksum in the header.
        stored: u32,
        /// The checksum of the bytes.
        computed: u32,
    },
    /// A negative base offset.
    #[error("base offset {0} is negative")]
    BaseOffset(i64),
    /// The number of records contradicts the range of offsets.
    #[error("{count} records can't span offsets 0 to {last_offset_delta}")]
    Count {
        /// The number of records in the header.
        count: i32,
        /// The last record's offset relative to the base offset, in the header.
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
        /// The decoder's message.
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
        /// The record's index in the batch, from 0.
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
    /// A varint with more bytes than its type allows.
    #[error("a number is too long")]
    Varint,
    /// A length that is negative and not null, or beyond the record's end.
    #[error("length {0} doesn't fit")]
    Length(i32),
    /// Bytes follow the record's last field.
    #[error("{0} bytes follow its last field")]
    Trailing(usize),
    /// An offset that isn't after that of the record before, or is beyond the batch's last.
    #[error("offset delta {0} is out of order")]
    OffsetDelta(i32),
    /// A number of headers that is negative or can't fit.
    #[error("{0} headers don't fit")]
    HeaderCount(i32),
    /// Bytes follow the last record; `index` is then the number of records.
    #[error("{0} bytes follow the last record")]
    BytesAfterLast(usize),
}
