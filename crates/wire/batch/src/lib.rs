//! The record batch: the only stored form of data, and Kafka's wire format.
//!
//! Every record that Stele stores is in a batch of Kafka's format version 2, whatever protocol it
//! arrived by. This crate reads such batches in place ([`Batch`], [`BatchHeader`]), iterates over
//! their records ([`Records`]) and builds new ones ([`BatchBuilder`]). It does no I/O.
//!
//! All integers are big-endian. A batch is a header of 61 bytes followed by the records:
//!
//! ```text
//!  0        8      12      16   17      21         23           27
//!  ┌────────┬───────┬───────┬────┬───────┬──────────┬────────────┬──
//!  │ base   │ length│ leader│ 2  │ CRC-  │attributes│last offset │
//!  │ offset │       │ epoch │    │ 32C   │          │delta       │
//!  └────────┴───────┴───────┴────┴───────┴──────────┴────────────┴──
//!   ├─ not covered by the CRC ───────────┤├─ covered, to the end ──▶
//!  27          35         43          51        53        57      61
//! ──┬───────────┬──────────┬───────────┬─────────┬─────────┬───────┬─────────┐
//!   │ base      │ max      │ producer  │producer │ base    │ count │ records │
//!   │ timestamp │ timestamp│ id        │epoch    │ sequence│       │ ...     │
//! ──┴───────────┴──────────┴───────────┴─────────┴─────────┴───────┴─────────┘
//!
//!  length      bytes from the leader epoch to the end: the batch's size less 12
//!  attributes  bits 0-2 compression (0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd)
//!              bit 3 timestamps are the time of appending, bit 4 transactional,
//!              bit 5 control, bit 6 the base timestamp is a delete horizon
//! ```
//!
//! The base offset, the length and the leader epoch precede the CRC, so the broker can set a
//! batch's offset ([`set_base_offset`]) without touching what the client's checksum covers. With
//! compression the records together are one compressed block.
//!
//! A record, whose lengths and deltas are zig-zag varints (`~`):
//!
//! ```text
//! ┌─────────┬────────────┬─────────────┬──────────┬──────┬─────┬────────┬───────┬────────┬─────────┐
//! │ length ~│attributes 0│ timestamp ~ │ offset ~ │ key ~│ key │ value ~│ value │ count ~│ headers │
//! │ of rest │ (1 byte)   │ delta       │ delta    │length│     │ length │       │        │         │
//! └─────────┴────────────┴─────────────┴──────────┴──────┴─────┴────────┴───────┴────────┴─────────┘
//! a header: key length ~, key, value length ~, value          a length of -1 is null
//! ```
//!
//! Source: Kafka protocol guide, "Record Batch"; KIP-98 (producer fields), KIP-534 (bit 6).

mod batch;
mod builder;
mod check;
mod compression;
mod error;
mod header;
mod limits;
mod record;
mod records;
mod varint;

pub use batch::{Batch, Batches};
pub use builder::{BatchBuilder, Body, NewRecord, Producer};
pub use check::Times;
pub use compression::Compression;
pub use error::{Error, RecordFault};
pub use header::{
    BatchHeader, HEADER_SIZE_BYTES, PREFIX_SIZE_BYTES, prefix, set_base_offset, set_leader_epoch,
};
pub use limits::DECOMPRESSED_SIZE_BYTES_MAX;
pub use record::{Headers, Record, RecordHeader};
pub use records::{Place, Records};

#[cfg(test)]
mod tests;
