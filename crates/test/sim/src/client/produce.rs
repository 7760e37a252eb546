//! Idempotent producers: numbered batches, several in flight, repeated until answered; and earlier
//! instances that keep sending under an epoch that a newer one has superseded.

use std::collections::VecDeque;

use bytes::Bytes;
use stele_base_types::{PartitionIndex, ProducerEpoch, ProducerId, Sequence};
use stele_core_broker::AnswerTo;
use stele_core_engine::{AppendError, InitProducer, LogDefinition, ProducerStamp};

use super::{
    Client, Turn, heard, is_synced,
    publish::{Answer, answered, batch_of, send, target},
};
use crate::event::{Event, Publish, PublishId, RecordId};

/// The most batches in flight, as in Kafka's clients.
const IN_FLIGHT_MAX: usize = 5;

#[derive(Debug, Default)]
pub(super) struct Producers {
    producers: Vec<OneProducer>,
    /// Producers that wait for their ids.
    beginning: Vec<(LogDefinition, PartitionIndex, AnswerTo<InitProducer>)>,
}

#[derive(Debug)]
struct OneProducer {
    id: ProducerId,
    epoch: ProducerEpoch,
    log: LogDefinition,
    partition: PartitionIndex,
    next: Sequence,
    /// The batches from the first unacknowledged one on, in order.
    batches: VecDeque<Batch>,
    /// One was refused or lost: all are repeated before anything new is sent.
    is_behind: bool,
    /// A newer epoch was requested. Only once, because two requests would get the same epoch.
    is_succeeded: bool,
    /// Nothing it sends is of use any more.
    is_over: bool,
}

#[derive(Debug)]
struct Batch {
    publish: Publish,
    body: Bytes,
    answer: Option<Answer>,
}

impl Batch {
    /// Whether it is acknowledged: nothing is left to send.
    fn is_acknowledged(&self) -> bool {
        self.body.is_empty()
    }
}

impl Producers {
    pub(super) fn give_up(&mut self, events: &mut Vec<Event>) {
        self.beginning.clear();
        for producer in &mut self.producers {
            for batch in &mut producer.batches {
                if batch.answer.take().is_some() {
                    events.push(Event::Unanswered(batch.publish.id));
                }
                producer.is_behind = true;
            }
        }
    }
}

impl Client {
    /// Starts a new producer, or the next epoch of an existing one, whose earlier instance keeps
    /// sending.
    pub(super) fn begin_producer(&mut self, turn: &mut Turn<'_>) {
        let known = &mut self.producers.producers;
        let at = turn.random.place(known.len().max(1));
        let former = known.get_mut(at);
        let former = former.filter(|former| !former.is_over && !former.is_succeeded);
        let (current, log, partition) = match former {
            Some(former) => {
                former.is_succeeded = true;
                let current = Some((former.id, former.epoch));
                (current, former.log.clone(), former.partition)
            }
            None => {
                let Some(log) = self.some_log(turn, is_plain) else {
                    return;
                };
                let partition = turn.some_partition(&log);
                (None, log, partition)
            }
        };
        if turn.model.log(log.id).is_some() {
            let answer = turn.call(0, InitProducer { current });
            self.producers.beginning.push((log, partition, answer));
        }
    }

    pub(super) fn produce(&mut self, turn: &mut Turn<'_>) {
        let count = self.producers.producers.len();
        if count == 0 {
            return self.begin_producer(turn);
        }
        let at = turn.random.place(count);
        let gone = turn
            .model
            .log(self.producers.producers[at].log.id)
            .is_none();
        if gone || self.producers.producers[at].is_over {
            self.producers.producers.remove(at);
            return;
        }
        let (publish, first) = (self.next_id(), self.next_id());
        let length = turn.random.between(1, 4);
        self.ids += length;
        let producer = &mut self.producers.producers[at];
        // A batch may be sent before the producer learns that the one before it was lost.
        let sends_on = turn.random.once_in(4);
        if producer.is_behind && !sends_on {
            producer.send_again(turn);
        } else if producer.batches.len() < IN_FLIGHT_MAX {
            let records = (first..first + length).map(RecordId).collect();
            producer.send_new(turn, PublishId(publish), records);
        }
    }

    pub(super) fn hear_producers(&mut self, turn: &mut Turn<'_>) {
        let mut beginning = std::mem::take(&mut self.producers.beginning);
        beginning.retain_mut(|(log, partition, answer)| match heard(answer) {
            None => true,
            Some(Some(Ok((id, epoch)))) => {
                // A producer used elsewhere before continues with its sequence numbers here.
                let is_in_use = epoch == ProducerEpoch(0) && turn.random.once_in(4);
                let begun = if is_in_use {
                    turn.random.below(1 << 31)
                } else {
                    0
                };
                self.producers.producers.push(OneProducer {
                    id,
                    epoch,
                    log: log.clone(),
                    partition: *partition,
                    next: Sequence(begun as i32),
                    batches: VecDeque::new(),
                    is_behind: false,
                    is_succeeded: false,
                    is_over: false,
                });
                false
            }
            Some(_) => false,
        });
        self.producers.beginning = beginning;
        for producer in &mut self.producers.producers {
            producer.hear(turn);
        }
    }
}

impl OneProducer {
    fn send_new(&mut self, turn: &mut Turn<'_>, id: PublishId, records: Vec<RecordId>) {
        let stamp = ProducerStamp {
            id: self.id,
            epoch: self.epoch,
            sequence: self.next,
        };
        self.next = self.next.plus(records.len() as u32);
        let (body, bodies_bytes) = batch_of(turn, &records, Some(stamp));
        let publish = Publish {
            id,
            targets: vec![target(&self.log, Some(self.partition))],
            records,
            stamp: Some(stamp),
            schedules: Vec::new(),
            size_bytes: body.len() as u64,
            bodies_bytes,
            at: turn.now,
        };
        let answer = Some(send(turn, publish.clone(), body.clone()));
        self.batches.push_back(Batch {
            publish,
            body,
            answer,
        });
    }

    /// Repeats everything unacknowledged, once nothing is in flight any more.
    fn send_again(&mut self, turn: &mut Turn<'_>) {
        if self.batches.iter().any(|batch| batch.answer.is_some()) {
            return;
        }
        self.is_behind = false;
        let missing = self.batches.iter_mut();
        for batch in missing.filter(|batch| !batch.is_acknowledged()) {
            batch.publish.at = turn.now;
            let publish = batch.publish.clone();
            batch.answer = Some(send(turn, publish, batch.body.clone()));
        }
    }

    fn hear(&mut self, turn: &mut Turn<'_>) {
        let mut is_first_missing = true;
        for batch in &mut self.batches {
            let is_first = is_first_missing && !batch.is_acknowledged();
            is_first_missing &= !is_first;
            let Some(answer) = batch.answer.as_mut().and_then(heard) else {
                continue;
            };
            batch.answer = None;
            let event = answered(batch.publish.id, &batch.publish.targets, answer);
            match &event {
                Event::Acknowledged { .. } => batch.body = Bytes::new(),
                // Nothing before it is missing: a later batch arrived first, when the broker knew
                // nothing about the producer.
                Event::Refused(_, Some(AppendError::OutOfOrderSequence { .. })) if is_first => {
                    self.is_over = true;
                }
                Event::Refused(_, Some(AppendError::OutOfOrderSequence { .. }))
                | Event::Refused(_, None) => {
                    self.is_behind = true;
                }
                Event::Refused(..) => self.is_over = true,
                _ => self.is_behind = true,
            }
            turn.events.push(event);
        }
        // No more batches follow an unacknowledged one than the broker remembers.
        while self.batches.front().is_some_and(Batch::is_acknowledged) {
            self.batches.pop_front();
        }
    }
}

fn is_plain(log: &LogDefinition) -> bool {
    is_synced(log) && log.config.queue.is_none_or(|queue| !queue.fifo)
}
