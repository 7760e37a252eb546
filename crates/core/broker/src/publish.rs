//! A batch that is published to logs.

use bytes::Bytes;
use smallvec::SmallVec;
use stele_core_engine::{Append, AppendTarget, Columns, ProducerStamp};
use stele_wire_batch::Batch;

/// A batch to append, with its targets. The bytes are shared, not copied.
#[derive(Clone, Debug)]
pub struct Publish {
    /// The targets; each log once.
    pub targets: SmallVec<[AppendTarget; 1]>,
    /// The validated batch; the broker assigns its base offset.
    pub batch: Batch,
    /// What the engine needs to know of each record.
    pub columns: Columns,
}

impl Publish {
    /// A publish to one partition of one log.
    pub fn to(target: AppendTarget, batch: Batch) -> Self {
        Self {
            targets: SmallVec::from_iter([target]),
            batch,
            columns: Columns::default(),
        }
    }

    /// Splits it into the engine's part and the body.
    pub(crate) fn split(self) -> (Append, Bytes) {
        let header = self.batch.header();
        let append = Append {
            targets: self.targets,
            count: header.last_offset_delta() + 1,
            size_bytes: u32::try_from(self.batch.bytes().len())
                .expect("a batch's length field is an i32"),
            timestamp: header.max_timestamp(),
            producer: header.producer().map(|producer| ProducerStamp {
                id: producer.id,
                epoch: producer.epoch,
                sequence: producer.base_sequence,
            }),
            columns: if header.is_control() {
                Columns::of_control()
            } else {
                self.columns
            },
        };
        (append, self.batch.into_bytes())
    }
}
