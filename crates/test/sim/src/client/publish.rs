//! Publishing: to one log or to several at once, with what queues are told besides.

use bytes::Bytes;
use smallvec::SmallVec;
use stele_base_types::PartitionIndex;
use stele_core_broker::{AnswerTo, Error, ReplyTo, Request};
use stele_core_engine::{
    Append, AppendError, AppendResult, AppendTarget, LogDefinition, ProducerStamp, Schedule,
};
use stele_wire_batch::{BatchBuilder, Body, NewRecord, Producer};
use tokio::sync::oneshot;

use super::{Client, Turn, shard_of, take_heard};
use crate::event::{Event, Publish, PublishId, RecordId, Target};

pub(super) type Answer = AnswerTo<Append>;

/// Appends that wait for their answers.
#[derive(Debug, Default)]
pub(super) struct Publishes(pub(super) Vec<(PublishId, Answer)>);

impl Publishes {
    pub(super) fn give_up(&mut self, events: &mut Vec<Event>) {
        events.extend(self.0.drain(..).map(|(id, _)| Event::Unanswered(id)));
    }
}

impl Client {
    pub(super) fn publish(&mut self, turn: &mut Turn<'_>) {
        let Some(log) = self.some_log(turn, |_| true) else {
            return;
        };
        let is_fifo = log.config.queue.is_some_and(|queue| queue.fifo);
        let count = if is_fifo || turn.random.once_in(2) {
            1
        } else {
            turn.random.between(1, 6)
        };
        let schedule = (count == 1).then(|| self.schedule(turn, &log)).flatten();
        let targets = if is_fifo {
            let group = schedule.and_then(|schedule| schedule.group).unwrap_or(0);
            let partition = group % u64::from(log.config.partitions);
            vec![target(&log, Some(PartitionIndex(partition as u32)))]
        } else {
            self.targets(turn, &log)
        };
        let records: Vec<RecordId> = (0..count).map(|_| RecordId(self.next_id())).collect();
        let batch = batch_of(turn, &records, None);
        let publish = Publish {
            id: PublishId(self.next_id()),
            targets,
            records,
            stamp: None,
            schedule,
            size_bytes: batch.len() as u64,
            at: turn.now,
        };
        let id = publish.id;
        let answer = send(turn, publish, batch);
        self.publishes.0.push((id, answer));
    }

    pub(super) fn hear_publishes(&mut self, turn: &mut Turn<'_>) {
        for (publish, answer) in take_heard(&mut self.publishes.0) {
            turn.events.push(answered(publish, answer));
        }
    }

    fn schedule(&mut self, turn: &mut Turn<'_>, log: &LogDefinition) -> Option<Schedule> {
        let queue = log.config.queue?;
        let random = &mut turn.random;
        if queue.fifo {
            return Some(Schedule {
                delay_ms: None,
                group: Some(random.below(4)),
                deduplication: Some(random.below(40).into()),
            });
        }
        random.once_in(4).then(|| Schedule {
            delay_ms: random.once_in(2).then(|| random.below(10_000)),
            ..Schedule::default()
        })
    }

    /// The log, and perhaps another on its shard, which may be on the way to its deletion.
    fn targets(&mut self, turn: &mut Turn<'_>, log: &LogDefinition) -> Vec<Target> {
        let asked = turn.random.once_in(2).then(|| turn.some_partition(log));
        let mut targets = vec![target(log, asked)];
        if turn.random.once_in(6) {
            let shard = shard_of(turn, log.id);
            let shards = turn.process.shard_count() as u64;
            let is_other = |other: &&LogDefinition| {
                let is_near = other.id.0 % shards == shard as u64;
                is_near && other.id != log.id && other.config.queue.is_none_or(|it| !it.fifo)
            };
            let others: Vec<_> = self.logs.1.iter().filter(is_other).collect();
            let other = turn.random.pick(&others);
            targets.extend(other.map(|other| target(other, None)));
        }
        targets
    }
}

pub(super) fn target(log: &LogDefinition, partition: Option<PartitionIndex>) -> Target {
    Target {
        log: log.id,
        partition,
        class: log.config.durability,
    }
}

/// A batch whose records say which they are.
pub(super) fn batch_of(
    turn: &mut Turn<'_>,
    records: &[RecordId],
    stamp: Option<ProducerStamp>,
) -> Bytes {
    let mut builder = BatchBuilder::new();
    if let Some(stamp) = stamp {
        builder = builder.producer(Producer {
            id: stamp.id,
            epoch: stamp.epoch,
            base_sequence: stamp.sequence,
        });
    }
    for record in records {
        let mut value = record.0.to_le_bytes().to_vec();
        let padding = if turn.random.once_in(40) { 3_000 } else { 120 };
        value.resize(8 + turn.random.place(padding), 0);
        let record = NewRecord {
            timestamp: turn.now,
            key: None,
            value: Body::Whole(&value),
            headers: &[],
        };
        builder
            .push(&record)
            .expect("a few small records fit a batch");
    }
    builder.finish().into_bytes()
}

/// Asks for an append.
pub(super) fn send(turn: &mut Turn<'_>, publish: Publish, body: Bytes) -> Answer {
    let targets: SmallVec<[AppendTarget; 1]> = publish
        .targets
        .iter()
        .map(|target| AppendTarget {
            log: target.log,
            partition: target.partition,
        })
        .collect();
    let append = Append {
        count: publish.records.len() as u32,
        size_bytes: body.len() as u32,
        timestamp: publish.at,
        producer: publish.stamp,
        schedule: publish.schedule,
        targets,
    };
    let shard = shard_of(turn, publish.targets[0].log);
    turn.events.push(Event::Published(publish));
    let (sender, receiver) = oneshot::channel();
    let request = Request::Append {
        append,
        body,
        reply: ReplyTo::Call(sender),
    };
    turn.process.handle(shard, request, turn.now);
    receiver
}

pub(super) fn answered(
    publish: PublishId,
    answer: Option<Result<SmallVec<[AppendResult; 1]>, Error<AppendError>>>,
) -> Event {
    match answer {
        Some(Ok(places)) => Event::Acknowledged {
            publish,
            places: places.into_iter().filter_map(Result::ok).collect(),
        },
        Some(Err(Error::Refused(error))) => Event::Refused(publish, Some(error)),
        Some(Err(Error::Failed(_))) => Event::Refused(publish, None),
        None => Event::Unanswered(publish),
    }
}
