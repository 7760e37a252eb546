//! Settling leases, changing their deadlines, purging, trimming.

use smallvec::SmallVec;
use stele_base_types::{LogId, Offset, PartitionId};
use stele_core_broker::{AnswerTo, Request};
use stele_core_engine::{
    Extend, Extension, LeaseId, LedgerId, Outcome, Purge, Settle, SettleItem, Trim, TrimReason,
};
use tokio::sync::oneshot;

use super::{Client, Turn, is_queue, lease::Held, shard_of, take_heard};
use crate::event::{Event, Item, Settling};

/// Settlements that wait for their answers.
#[derive(Debug, Default)]
pub(super) struct Settlements {
    asked: Vec<(Settling, AnswerTo<Settle>)>,
    purging: Vec<(LogId, AnswerTo<Purge>)>,
}

impl Client {
    pub(super) fn settle(&mut self, turn: &mut Turn<'_>) {
        let Some(held) = self.some_held(turn, |_| true) else {
            return;
        };
        let outcome = turn.random.weighted(&[
            (6, Outcome::Done),
            (2, Outcome::Return(0)),
            (1, Outcome::Return(3_000)),
            (1, Outcome::Reject),
        ]);
        let mut items: Vec<Item> = held.iter().map(|held| held.item).collect();
        if outcome == Outcome::Done && turn.random.once_in(10) {
            items[0].lease = None;
        }
        if turn.random.once_in(15) {
            items[0].lease = Some(LeaseId(turn.random.below(1 << 40)));
        }
        let settling = Settling {
            log: held[0].log,
            items,
            outcome,
            is_durable: turn.random.once_in(2),
            at: turn.now,
        };
        let settle = Settle {
            log: settling.log,
            ledger: LedgerId::DEFAULT,
            items: settling.items.iter().map(settle_item).collect(),
            outcome,
            durable: settling.is_durable,
        };
        let shard = shard_of(turn, settling.log);
        self.catch_up(turn, shard);
        turn.events.push(Event::Settling(settling.clone()));
        let (reply, answer) = oneshot::channel();
        let reply = Some(reply);
        let request = Request::Settle { settle, reply };
        turn.process.handle(shard, request, turn.now);
        self.settlements.asked.push((settling, answer));
    }

    pub(super) fn hear_settlements(&mut self, turn: &mut Turn<'_>) {
        for (asked, answer) in take_heard(&mut self.settlements.asked) {
            if let Some(Ok(missing)) = answer {
                let missing = missing.into_vec();
                turn.events.push(Event::Settled { asked, missing });
            }
        }
        for (log, _) in take_heard(&mut self.settlements.purging) {
            turn.events.push(Event::Purged(log));
        }
    }

    pub(super) fn extend(&mut self, turn: &mut Turn<'_>) {
        let Some(held) = self.some_held(turn, |held| held.has_deadline) else {
            return;
        };
        let log = held[0].log;
        let mut told = Vec::new();
        let mut items = SmallVec::new();
        for held in held {
            let term_ms = turn.random.weighted(&[(1, 0), (3, 5_000), (1, 100_000)]);
            let until = (term_ms > 0).then(|| turn.now.plus_ms(term_ms));
            told.push((held.item, until));
            items.push(Extension {
                item: settle_item(&held.item),
                term_ms,
                renewal: None,
            });
        }
        self.catch_up(turn, shard_of(turn, log));
        turn.events.push(Event::Extending { log, items: told });
        let extend = Extend {
            log,
            ledger: LedgerId::DEFAULT,
            items,
        };
        turn.tell(shard_of(turn, log), extend);
    }

    pub(super) fn purge(&mut self, turn: &mut Turn<'_>) {
        if turn.random.once_in(3)
            && let Some(log) = self.some_log(turn, is_queue)
        {
            turn.events.push(Event::Purging(log.id));
            let purge = Purge {
                log: log.id,
                ledger: LedgerId::DEFAULT,
                // A lease may be answered after a purge that removed it, and the model couldn't
                // distinguish that.
                leased: false,
            };
            let answer = turn.call(shard_of(turn, log.id), purge);
            self.settlements.purging.push((log.id, answer));
        }
    }

    /// Removes some records from the start, needed or not.
    pub(super) fn trim(&mut self, turn: &mut Turn<'_>) {
        let Some(log) = self.some_log(turn, |_| true) else {
            return;
        };
        let index = turn.some_partition(&log);
        let partition = PartitionId::new(log.id, index);
        let offsets: Vec<Offset> = turn.model.places(partition).map(|place| place.0).collect();
        if let Some(to) = turn.random.pick(&offsets).copied() {
            self.catch_up(turn, shard_of(turn, log.id));
            turn.events.push(Event::Trimming(partition, to));
            let trim = Trim {
                partition,
                to,
                reason: TrimReason::Asked,
            };
            turn.tell(shard_of(turn, log.id), trim);
        }
    }

    /// Takes up to three leases of one log out of those held; keeps some of them, to be settled
    /// once more.
    fn some_held(
        &mut self,
        turn: &mut Turn<'_>,
        fits: impl Fn(&Held) -> bool,
    ) -> Option<Vec<Held>> {
        let held = self.leases.held.iter();
        let fitting: Vec<Held> = held.filter(|held| fits(held)).cloned().collect();
        let log: LogId = turn.random.pick(&fitting)?.log;
        let mut chosen: Vec<Held> = fitting.into_iter().filter(|held| held.log == log).collect();
        let from = turn.random.place(chosen.len());
        chosen = chosen.into_iter().skip(from).take(3).collect();
        if !turn.random.once_in(8) {
            self.leases.held.retain(|held| {
                let is_chosen = chosen.iter().any(|one| one.item == held.item);
                held.log != log || !is_chosen
            });
        }
        Some(chosen)
    }
}

pub(super) fn settle_item(item: &Item) -> SettleItem {
    SettleItem {
        partition: item.partition,
        offset: item.offset,
        lease: item.lease,
    }
}
