//! Moving leased records to other logs, which may be gone.

use stele_base_types::LogId;
use stele_core_broker::{AnswerTo, DEATHS_HEADER, MoveMessages, MovedMessage, Request};
use stele_core_engine::{Durability, HeaderChange, LedgerId, Move, Schedule};

use super::{Client, Turn, heard, lease::Held, publish::target, shard_of, take_heard};
use crate::{
    event::{Event, Item, Moving, Publish, PublishId, RecordId, Target},
    letters::MOVED_AS,
};

/// Moves that wait for their answers, each with its record's id in the other log.
#[derive(Debug, Default)]
pub(super) struct Moves(Vec<(RecordId, AnswerTo<Move>)>);

impl Client {
    pub(super) fn move_record(&mut self, turn: &mut Turn<'_>) {
        let (Some(held), Some(to)) = (self.some_to_move(turn), self.some_target(turn)) else {
            return;
        };
        let record = RecordId(self.next_id());
        let publish = PublishId(self.next_id());
        let lease = held.item.lease.filter(|_| !turn.random.once_in(10));
        let moving = Moving {
            log: held.log,
            item: Item { lease, ..held.item },
            to: to.log,
            record,
        };
        let group = self.group_in(turn, to.log);
        let body_bytes = held
            .record
            .value
            .as_ref()
            .map_or(0, |body| body.len() as u32);
        let message = message(&moving, held, group);
        let schedule = message.messages()[0].schedule;
        let (request, mut answer) = message.request().expect("it is small");
        let Request::Move { body, .. } = &request else {
            unreachable!("it is a move");
        };
        let publish = Publish {
            id: publish,
            targets: vec![to],
            records: vec![record],
            stamp: None,
            schedules: vec![schedule],
            size_bytes: body.len() as u64,
            bodies_bytes: vec![body_bytes],
            at: turn.now,
        };
        let shard = shard_of(turn, moving.log);
        self.catch_up(turn, shard);
        turn.process.handle(shard, request, turn.now);
        // A refusal is answered at once, and has changed nothing.
        let told = heard(&mut answer);
        if matches!(told, Some(Some(Err(_)))) {
            return;
        }
        let unanswered = Event::Unanswered(publish.id);
        turn.events
            .extend([Event::Published(publish), unanswered, Event::Moving(moving)]);
        match told {
            Some(_) => turn.events.push(Event::Moved(record)),
            None => self.moves.0.push((record, answer)),
        }
    }

    pub(super) fn hear_moves(&mut self, turn: &mut Turn<'_>) {
        for (record, answer) in take_heard(&mut self.moves.0) {
            if let Some(Ok(_)) = answer {
                turn.events.push(Event::Moved(record));
            }
        }
    }

    /// A random log, which may be about to be deleted, or gone.
    fn some_target(&self, turn: &mut Turn<'_>) -> Option<Target> {
        if turn.random.once_in(8) {
            let log = *turn.random.pick(&self.definitions.gone)?;
            return Some(Target {
                log,
                partition: None,
                class: Durability::Volatile,
            });
        }
        let log = turn.random.pick(&self.logs.1)?;
        Some(target(log, None))
    }

    /// A group, if the log uses groups.
    fn group_in(&self, turn: &mut Turn<'_>, log: LogId) -> Option<u64> {
        let known = self.logs.1.iter().find(|known| known.id == log)?;
        let is_fifo = known.config.queue.is_some_and(|queue| queue.fifo);
        is_fifo.then(|| turn.random.below(4))
    }

    /// One of the leases held; some are kept, to be settled or moved once more.
    fn some_to_move(&mut self, turn: &mut Turn<'_>) -> Option<Held> {
        let held = &mut self.leases.held;
        if held.is_empty() {
            return None;
        }
        let at = turn.random.place(held.len());
        if turn.random.once_in(4) {
            return Some(held[at].clone());
        }
        Some(held.remove(at))
    }
}

/// The message to append: a record with its new id in a header, and without a history.
fn message(moving: &Moving, held: Held, group: Option<u64>) -> MoveMessages {
    let name = HeaderChange {
        key: MOVED_AS.into(),
        value: Some(moving.record.0.to_le_bytes().as_slice().into()),
    };
    let history = HeaderChange {
        key: DEATHS_HEADER.as_bytes().into(),
        value: None,
    };
    let to = [moving.to].into_iter().collect();
    let mut messages = MoveMessages::new(moving.log, LedgerId::DEFAULT, moving.item.partition, to);
    let message = MovedMessage {
        record: held.record,
        lease: moving.item.lease,
        headers: vec![name, history],
        schedule: Schedule {
            group,
            ..Schedule::default()
        },
    };
    messages.push(message).expect("it is the first one");
    messages
}
