//! Reading partitions, at random places and from start to end.

use stele_base_types::{Offset, PartitionId, PartitionIndex};
use stele_core_broker::{Read as Asked, ReadError, ReadReply, Request};
use stele_wire_batch::Batch;
use tokio::sync::oneshot;

use super::{Client, Turn, heard, letters::Letters, shard_of};
use crate::event::{Event, Read, RecordId};

const RECORDS_SIZE_BYTES_MAX: usize = 1 << 20;

impl Client {
    pub(super) fn read(&mut self, turn: &mut Turn<'_>) {
        let Some(log) = self.some_log(turn, |_| true) else {
            return;
        };
        let partition = PartitionId::new(log.id, turn.some_partition(&log));
        let offsets: Vec<Offset> = turn.model.places(partition).map(|place| place.0).collect();
        let from = turn.random.pick(&offsets).copied().unwrap_or_default();
        if let Some(read) = read_once(&mut self.letters, turn, partition, from, 2_000) {
            let committed = read.committed;
            turn.events.push(Event::Read(read));
            self.watch(turn, partition, committed);
        }
    }

    /// Reads everything.
    pub(crate) fn audit(&mut self, turn: &mut Turn<'_>) {
        self.look_up(turn);
        for log in self.logs.1.clone() {
            for index in 0..log.config.partitions {
                let partition = PartitionId::new(log.id, PartitionIndex(index));
                audit_partition(&mut self.letters, turn, partition);
            }
        }
    }
}

fn audit_partition(letters: &mut Letters, turn: &mut Turn<'_>, partition: PartitionId) {
    // Reads only the bounds, which is never refused.
    let Some(bounds) = read_once(letters, turn, partition, Offset::ZERO, 0) else {
        return;
    };
    let mut whole = bounds;
    let mut from = whole.start;
    while from < whole.committed {
        let Some(read) = read_once(letters, turn, partition, from, 5_000) else {
            break;
        };
        let Some((last, _)) = read.records.last().copied() else {
            let found = format!(
                "nothing at {from} of {partition}, which ends at {}",
                whole.committed
            );
            return turn.events.push(Event::Unreadable(found));
        };
        from = last.next();
        let known = whole.records.last().map(|(offset, _)| *offset);
        let new = read
            .records
            .iter()
            .filter(|(offset, _)| Some(*offset) > known);
        whole.records.extend(new.copied());
        turn.events.push(Event::Read(read));
    }
    turn.events.push(Event::Audited(whole));
}

fn read_once(
    letters: &mut Letters,
    turn: &mut Turn<'_>,
    partition: PartitionId,
    from: Offset,
    bytes_max: usize,
) -> Option<Read> {
    let (sender, mut receiver) = oneshot::channel();
    let request = Request::Read {
        reads: vec![Asked {
            partition,
            from,
            bytes_max,
        }],
        reply: sender,
    };
    let shard = shard_of(turn, partition.log);
    turn.process.handle(shard, request, turn.now);
    let answer: Result<ReadReply, ReadError> = heard(&mut receiver)??.pop()?;
    let reply = answer.ok()?;
    let (start, committed) = (reply.start, reply.committed);
    let records = match reply.resolve_blocking() {
        Ok(batches) => records_of(letters, turn, partition, &batches),
        Err(error) => Err(error.to_string()),
    };
    match records {
        Ok(records) => Some(Read {
            partition,
            start,
            committed,
            records,
            at: turn.now,
        }),
        Err(error) => {
            turn.events.push(Event::Unreadable(error));
            None
        }
    }
}

fn records_of(
    letters: &mut Letters,
    turn: &mut Turn<'_>,
    partition: PartitionId,
    batches: &[Batch],
) -> Result<Vec<(Offset, RecordId)>, String> {
    let mut records = Vec::new();
    for batch in batches {
        batch.verify_checksum().map_err(|error| error.to_string())?;
        let content = batch.records(RECORDS_SIZE_BYTES_MAX);
        for record in content.map_err(|error| error.to_string())? {
            let record = record.map_err(|error| error.to_string())?;
            let id = letters.see(turn.events, partition, record.offset, &record);
            records.push((record.offset, id));
        }
    }
    Ok(records)
}
