//! Reading records at given offsets.

use parking_lot::Mutex;
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{Consumer, StreamConsumer},
};
use stele_toolkit_bus::StoreError;
use tokio::time;

use super::{LogSettings, index::Planned, place, record, tail::consumer, unavailable};
use crate::{Position, ReadError, Recorded, Types};

/// Records further apart than this are read by another request.
const GAP_MAX: u64 = 500;

/// Idle consumers that are kept.
const IDLE_MAX: usize = 4;

/// Consumers that read parts of the log.
pub(super) struct Readers {
    settings: LogSettings,
    idle: Mutex<Vec<StreamConsumer>>,
}

impl Readers {
    pub(super) fn new(settings: LogSettings) -> Self {
        Self {
            settings,
            idle: Mutex::default(),
        }
    }

    /// Reads planned events, of these types. Their positions begin at `after`.
    pub(super) async fn read(
        &self,
        after: &Position,
        plan: Vec<Planned>,
        types: &Types,
    ) -> Result<Vec<Recorded>, ReadError> {
        if plan.is_empty() {
            return Ok(Vec::new());
        }
        let idle = self.idle.lock().pop();
        let reader = idle.map_or_else(|| consumer(&self.settings), Ok)?;
        let mut events = Vec::new();
        let mut at = after.clone();
        let is_run =
            |a: &Planned, b: &Planned| a.partition == b.partition && b.offset - a.offset <= GAP_MAX;
        for run in plan.chunk_by(is_run) {
            let reading = self.run(&reader, run, types, &mut at, &mut events);
            reading.await?;
        }
        let mut idle = self.idle.lock();
        if idle.len() < IDLE_MAX {
            idle.push(reader);
        }
        Ok(events)
    }

    /// Reads records that are near to each other.
    async fn run(
        &self,
        reader: &StreamConsumer,
        run: &[Planned],
        types: &Types,
        at: &mut Position,
        events: &mut Vec<Recorded>,
    ) -> Result<(), ReadError> {
        let partition = i32::try_from(run[0].partition).unwrap_or(i32::MAX);
        let from = Offset::Offset(i64::try_from(run[0].offset).unwrap_or(i64::MAX));
        let mut assigned = TopicPartitionList::new();
        assigned
            .add_partition_offset(&self.settings.topic, partition, from)
            .map_err(failed)?;
        reader.assign(&assigned).map_err(failed)?;
        let mut left = run.iter().peekable();
        while let Some(next) = left.peek() {
            let received = time::timeout(self.settings.timeout, reader.recv()).await;
            let late = |_: time::error::Elapsed| unavailable("the log can't be read in time");
            let message = received.map_err(late)?.map_err(failed)?;
            let offset = u64::try_from(message.offset()).unwrap_or(0);
            if message.partition() != partition || offset < next.offset {
                continue;
            }
            let corrupt = |reason: String| ReadError::Corrupt {
                at: Position::Start.with_place(next.partition, place::before(next.offset, 0)),
                reason,
            };
            if offset > next.offset {
                return Err(corrupt("the record is gone".to_owned()));
            }
            let append = record::decode(message.key(), message.payload()).map_err(corrupt)?;
            let last = next.first + next.count;
            for (index, event) in append.events.into_iter().enumerate() {
                if index < next.first || index >= last {
                    continue;
                }
                let behind = place::behind(offset, index, next.of);
                *at = at.with_place(next.partition, behind);
                if types.includes(&event.message_type) {
                    events.push(Recorded {
                        position: at.clone(),
                        stream: append.stream.clone(),
                        version: next.version + (index - next.first) as u64,
                        time: next.time,
                        event,
                    });
                }
            }
            left.next();
        }
        Ok(())
    }
}

fn failed(error: rdkafka::error::KafkaError) -> StoreError {
    unavailable(error)
}
