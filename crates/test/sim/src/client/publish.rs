//! Publishing to one log or to several at once, with scheduling information for queues.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use smallvec::SmallVec;
use stele_base_types::{LogId, PartitionIndex};
use stele_core_broker::{AnswerTo, CommitRequest, Error, ReplyTo, Request, Share};
use stele_core_engine::{
    Append, AppendError, AppendResult, AppendTarget, Columns, Commit, CommitPart, LogDefinition,
    PartAppend, PartBody, ProducerStamp, Schedule,
};
use stele_wire_batch::{BatchBuilder, Body, NewRecord, Producer};
use tokio::sync::oneshot;

use super::{Client, Turn, letters::with_expiry, shard_of, take_heard};
use crate::{
    event::{Event, Publish, PublishId, RecordId, Target},
    letters::body_of,
};

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
        let count = if turn.random.once_in(2) {
            1
        } else {
            turn.random.between(1, 6)
        };
        let mut schedules = schedules(turn, &log, count);
        if self.letters.are_used {
            schedules = with_expiry(turn, &log, count, schedules);
        }
        let targets = if is_fifo {
            // By group: the engine chooses the partition.
            vec![target(&log, None)]
        } else {
            self.targets(turn, &log)
        };
        let records: Vec<RecordId> = (0..count).map(|_| RecordId(self.next_id())).collect();
        let (batch, bodies_bytes) = batch_of(turn, &records, None);
        let publish = Publish {
            id: PublishId(self.next_id()),
            targets,
            records,
            stamp: None,
            schedules,
            size_bytes: batch.len() as u64,
            bodies_bytes,
            at: turn.now,
        };
        let id = publish.id;
        if !is_fifo
            && turn.random.once_in(6)
            && let Some((session, mailbox)) = self.sessions.any(turn)
        {
            let reply = ReplyTo::Published {
                mailbox,
                tag: id.0,
                pending: None,
                durable: true,
            };
            send_to(turn, publish, batch, reply);
            let by_session = Event::BySession(session, id);
            turn.events.extend([by_session, Event::Unanswered(id)]);
            return;
        }
        let answer = send(turn, publish, batch);
        self.publishes.0.push((id, answer));
    }

    /// Commits a batch to several logs, on any shards. What becomes of it is seen in the logs.
    pub(super) fn transact(&mut self, turn: &mut Turn<'_>) {
        let is_plain = |log: &LogDefinition| log.config.queue.is_none_or(|queue| !queue.fifo);
        let mut targets: Vec<Target> = Vec::new();
        for _ in 0..turn.random.between(1, 4) {
            let log = self.some_log(turn, is_plain);
            let log = log.filter(|log| targets.iter().all(|it| it.log != log.id));
            targets.extend(log.map(|log| target(&log, None)));
        }
        let (Some(first), Some((_, mailbox))) = (targets.first(), self.sessions.any(turn)) else {
            return;
        };
        let own = shard_of(turn, first.log);
        let records: Vec<RecordId> = (0..2).map(|_| RecordId(self.next_id())).collect();
        let (body, bodies_bytes) = batch_of(turn, &records, None);
        let publish = Publish {
            id: PublishId(self.next_id()),
            records,
            targets,
            stamp: None,
            schedules: Vec::new(),
            size_bytes: body.len() as u64,
            bodies_bytes,
            at: turn.now,
        };
        let mut commit = Commit::default();
        let mut parts = BTreeMap::<usize, CommitPart>::new();
        for Target { log, .. } in &publish.targets {
            let part = PartAppend {
                targets: vec![*log],
                count: publish.records.len() as u32,
                timestamp: publish.at,
                schedules: publish.all_schedules().collect(),
                body: PartBody(Arc::from(&body[..])),
            };
            match shard_of(turn, *log) {
                shard if shard == own => commit.appends.push(part.into()),
                shard => parts.entry(shard).or_default().appends.push(part),
            }
        }
        commit.elsewhere = parts.into_values().collect();
        let bodies = vec![body; commit.appends.len()];
        let unanswered = Event::Unanswered(publish.id);
        turn.events.extend([Event::Published(publish), unanswered]);
        let committing = Box::new(CommitRequest::new(commit, bodies, mailbox));
        let room = Share::NONE;
        let request = Request::Commit { committing, room };
        turn.process.handle(own, request, turn.now);
    }

    pub(super) fn hear_publishes(&mut self, turn: &mut Turn<'_>) {
        for (publish, answer) in take_heard(&mut self.publishes.0) {
            let targets = turn.model.publishes.get(&publish);
            let targets = targets.map_or(&[][..], |publish| &publish.targets);
            turn.events.push(answered(publish, targets, answer));
        }
    }

    /// The log, and possibly another on its shard, which may be about to be deleted.
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

/// Scheduling information for the records of a batch.
fn schedules(turn: &mut Turn<'_>, log: &LogDefinition, count: u64) -> Vec<Schedule> {
    let random = &mut turn.random;
    let Some(queue) = log.config.queue else {
        return Vec::new();
    };
    if queue.fifo {
        let of_one_group = random.once_in(2).then(|| random.below(4));
        let each = (0..count).map(|_| {
            let group = of_one_group.unwrap_or_else(|| random.below(4));
            Schedule {
                key: Some(group as u32),
                group: Some(group),
                deduplication: Some(random.below(60).into()),
                ..Schedule::default()
            }
        });
        return each.collect();
    }
    if queue.by_priority {
        let priority = random.once_in(4).then(|| random.below(6) as u8);
        let priority = priority.or(Some(random.below(2) as u8));
        let each = (0..count).map(|_| Schedule {
            priority,
            ..Schedule::default()
        });
        return each.collect();
    }
    if !random.once_in(4) {
        return Vec::new();
    }
    let each = (0..count).map(|_| Schedule {
        delay_ms: random.once_in(2).then(|| random.below(10_000)),
        ..Schedule::default()
    });
    each.collect()
}

pub(super) fn target(log: &LogDefinition, partition: Option<PartitionIndex>) -> Target {
    Target {
        log: log.id,
        partition,
        class: log.config.durability,
    }
}

/// A batch of records that contain their ids, and the sizes of their bodies.
pub(super) fn batch_of(
    turn: &mut Turn<'_>,
    records: &[RecordId],
    stamp: Option<ProducerStamp>,
) -> (Bytes, Vec<u32>) {
    let mut bodies_bytes = Vec::new();
    let mut builder = BatchBuilder::new();
    if let Some(stamp) = stamp {
        builder = builder.producer(Producer {
            id: stamp.id,
            epoch: stamp.epoch,
            base_sequence: stamp.sequence,
        });
    }
    for record in records {
        let padding = if turn.random.once_in(40) { 3_000 } else { 120 };
        let value = body_of(*record, turn.random.place(padding));
        bodies_bytes.push(value.len() as u32);
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
    (builder.finish().into_bytes(), bodies_bytes)
}

/// Requests an append.
pub(super) fn send(turn: &mut Turn<'_>, publish: Publish, body: Bytes) -> Answer {
    let (sender, receiver) = oneshot::channel();
    send_to(turn, publish, body, ReplyTo::Call(sender));
    receiver
}

fn send_to(turn: &mut Turn<'_>, publish: Publish, body: Bytes, reply: ReplyTo) {
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
        columns: Columns::of(publish.all_schedules()),
        targets,
    };
    let shard = shard_of(turn, publish.targets[0].log);
    turn.events.push(Event::Published(publish));
    let request = Request::Append {
        append,
        body,
        reply,
        room: Share::NONE,
    };
    turn.process.handle(shard, request, turn.now);
}

pub(super) fn answered(
    publish: PublishId,
    targets: &[Target],
    answer: Option<Result<SmallVec<[AppendResult; 1]>, Error<AppendError>>>,
) -> Event {
    match answer {
        Some(Ok(results)) => Event::Acknowledged {
            publish,
            full: full_ones(&results, targets),
            places: results.into_iter().filter_map(Result::ok).collect(),
        },
        Some(Err(Error::Refused(error))) => Event::Refused(publish, Some(error)),
        Some(Err(Error::Failed(_))) => Event::Refused(publish, None),
        None => Event::Unanswered(publish),
    }
}

/// The targets that refused a batch for their length.
fn full_ones(results: &[AppendResult], targets: &[Target]) -> Vec<LogId> {
    let each = results.iter().zip(targets);
    let full = each.filter(|(result, _)| {
        let error = result.as_ref().err();
        error.is_some_and(|it| matches!(it, AppendError::TooLong | AppendError::Divided(_)))
    });
    full.map(|(_, target)| target.log).collect()
}
