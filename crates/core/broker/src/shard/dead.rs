//! Dead records: handing them to the task that moves them.

use std::{collections::BTreeMap, sync::Arc};

use hashbrown::HashMap;
use smallvec::SmallVec;
use stele_base_types::{LogId, Timestamp};
use stele_core_engine::{DeadRun, LeaseId, LeasedRecord, LeasedRun, Logs};

use tokio::sync::Notify;

use super::Shard;
use crate::{
    dead_letters::{DeadBatch, DeadOf},
    limits::{DEAD_FULL_MAX, DEAD_PUT_OFF_MAX, DEAD_PUT_OFF_MS},
};

/// What shards notify the task that moves dead records of.
#[derive(Debug, Default)]
pub struct DeadSignals {
    /// There are dead records.
    pub(crate) dead: Notify,
    /// A queue that has refused some for its length has room.
    pub(crate) room: Notify,
}

/// What the shard tells the task of its dead records.
#[derive(Debug, Default)]
pub(super) struct DeadNews {
    signals: Arc<DeadSignals>,
    /// Whether the task was told and hasn't asked yet.
    is_told: bool,
    /// Logs whose dead records are left alone, until when and for what.
    put_off: HashMap<LogId, (Timestamp, Awaits)>,
    /// Queues of this shard that have too little room for dead records, with the size of the
    /// smallest body.
    full: BTreeMap<LogId, u64>,
}

/// What dead records are left alone for, if that comes before their time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaits {
    /// Nothing else.
    Time,
    /// Room in the queue that they go to.
    Room,
}

impl Shard {
    /// Sets who is notified of dead records.
    pub fn tell_of_dead_to(&mut self, signals: Arc<DeadSignals>) {
        // Whoever was told before isn't this one.
        self.dead.is_told = false;
        self.dead.signals = signals;
    }

    /// Tells the task that there are dead records, once.
    pub(super) fn tell_of_dead(&mut self) {
        let DeadNews {
            is_told, put_off, ..
        } = &self.dead;
        let mut dead = self.state.logs.with_dead();
        if !is_told && dead.any(|log| !put_off.contains_key(&log)) {
            self.dead.is_told = true;
            self.dead.signals.dead.notify_one();
        }
    }

    /// Takes up again what was put off.
    pub(super) fn take_up_dead(&mut self) {
        let now = self.now;
        self.dead.put_off.retain(|_, (until, _)| *until > now);
        self.tell_of_dead();
    }

    /// Takes up again what was put off until there is room.
    pub(super) fn take_up_for_room(&mut self) {
        let is_left = |awaits: Awaits| awaits != Awaits::Room;
        self.dead.put_off.retain(|_, (_, awaits)| is_left(*awaits));
    }

    /// Notes the queues among these that have no room for dead records with bodies of this size; or
    /// all of them, if they are about to have none.
    pub(super) fn note_full(&mut self, targets: &[LogId], body_bytes: u64, will_be: bool) {
        for &log in targets {
            if will_be || !has_room(&self.state.logs, log, body_bytes) {
                self.await_room(log, body_bytes);
            }
        }
    }

    /// Has the task told once a queue has room for a dead record with a body of this size.
    pub(super) fn await_room(&mut self, log: LogId, body_bytes: u64) {
        if self.dead.full.len() < DEAD_FULL_MAX || self.dead.full.contains_key(&log) {
            let smallest = self.dead.full.entry(log).or_insert(body_bytes);
            *smallest = body_bytes.min(*smallest);
        }
    }

    /// Tells the task that a queue which had too little room for dead records has enough.
    pub(super) fn tell_of_room(&mut self) {
        if self.dead.full.is_empty() {
            return;
        }
        let logs = &self.state.logs;
        let full = self.dead.full.len();
        self.dead
            .full
            .retain(|log, body_bytes| !has_room(logs, *log, *body_bytes));
        if self.dead.full.len() < full {
            self.dead.signals.room.notify_one();
        }
    }

    /// The dead records of the next log after `last`, with their bytes.
    pub(super) fn dead_after(&mut self, last: Option<LogId>) -> Option<DeadOf> {
        self.dead.is_told &= last.is_some();
        let mut last = last;
        loop {
            let (log, runs) = self.state.logs.dead_after(last)?;
            last = Some(log);
            if runs.is_empty() || self.dead.put_off.contains_key(&log) {
                continue;
            }
            let batches = runs.into_iter().map(|dead| self.dead_batch(log, dead));
            return Some(DeadOf {
                log,
                batches: batches.collect(),
            });
        }
    }

    fn dead_batch(&self, log: LogId, dead: DeadRun) -> DeadBatch {
        let records: SmallVec<_> = dead
            .run
            .offsets()
            .map(|offset| LeasedRecord {
                offset,
                lease: LeaseId(0),
                deliveries: 0,
                delivered_first: Timestamp::default(),
                redelivered: false,
                waited: false,
            })
            .collect();
        let run = LeasedRun {
            partition: dead.run.partition,
            records,
        };
        DeadBatch {
            batch: self.leased_batch(log, run),
            dead,
        }
    }

    /// Leaves a log's dead records alone for a while.
    pub(super) fn put_off_dead(&mut self, log: LogId, awaits: Awaits) {
        if self.dead.put_off.len() < DEAD_PUT_OFF_MAX {
            let until = self.now.plus_ms(DEAD_PUT_OFF_MS);
            self.dead.put_off.insert(log, (until, awaits));
        }
    }
}

/// Whether a log takes a record with a body of this size, as far as its length goes.
fn has_room(logs: &Logs, log: LogId, body_bytes: u64) -> bool {
    logs.room_left(log).is_none_or(|left| left.fits(body_bytes))
}
