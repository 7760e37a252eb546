//! Dead records: handing them to the task that moves them.

use std::sync::Arc;

use hashbrown::HashMap;
use smallvec::SmallVec;
use stele_base_types::{LogId, Timestamp};
use stele_core_engine::{DeadRun, LeaseId, LeasedRecord, LeasedRun};

use tokio::sync::Notify;

use super::Shard;
use crate::{
    dead_letters::{DeadBatch, DeadOf},
    limits::{DEAD_PUT_OFF_MAX, DEAD_PUT_OFF_MS},
};

/// What the shard tells the task of its dead records.
#[derive(Debug, Default)]
pub(super) struct DeadNews {
    notify: Arc<Notify>,
    /// Whether the task was told and hasn't asked yet.
    is_told: bool,
    /// Logs whose dead records are left alone, until when.
    put_off: HashMap<LogId, Timestamp>,
}

impl Shard {
    /// Sets who is notified of dead records.
    pub fn tell_of_dead_to(&mut self, notify: Arc<Notify>) {
        // Whoever was told before isn't this one.
        self.dead.is_told = false;
        self.dead.notify = notify;
    }

    /// Tells the task that there are dead records, once.
    pub(super) fn tell_of_dead(&mut self) {
        let DeadNews {
            is_told, put_off, ..
        } = &self.dead;
        let mut dead = self.state.logs.with_dead();
        if !is_told && dead.any(|log| !put_off.contains_key(&log)) {
            self.dead.is_told = true;
            self.dead.notify.notify_one();
        }
    }

    /// Takes up again what was put off.
    pub(super) fn take_up_dead(&mut self) {
        let now = self.now;
        self.dead.put_off.retain(|_, until| *until > now);
        self.tell_of_dead();
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
    pub(super) fn put_off_dead(&mut self, log: LogId) {
        if self.dead.put_off.len() < DEAD_PUT_OFF_MAX {
            let until = self.now.plus_ms(DEAD_PUT_OFF_MS);
            self.dead.put_off.insert(log, until);
        }
    }
}
