//! Handing out leases, and carrying out the other effects of decisions.

use stele_base_types::{LogId, Offset, PartitionId};
use stele_core_engine::{
    CancelWait, Delivery, Durability, Effect, Lease, LeasedRun, LedgerId, LogError, Outcome,
    Settle, SettleItem, Token, limits::RUN_RECORDS_MAX,
};

use super::{Shard, dead::Awaits};
use crate::{Error, Event, LeasedBatch, request::Reply};

/// The caller of a lease.
#[derive(Debug)]
pub(super) struct Leaser {
    log: LogId,
    ledger: LedgerId,
    reply: Reply<Vec<LeasedBatch>, LogError>,
}

impl Shard {
    /// Makes records visible and leases them, up to the limit for one [`Shard::tick`]. Takes the
    /// logs in turn, so that a busy one doesn't hold up the others.
    pub(super) fn dispatch(&mut self) {
        for partition in std::mem::take(&mut self.purged) {
            self.apply_retention(partition);
        }
        self.hand_out_all();
        self.shorten();
        self.tell_of_room();
        self.tell_of_dead();
    }

    /// Takes the oldest records out of queues that are too long, after their consumers have got
    /// what they may.
    fn shorten(&mut self) {
        while self.may_dispatch() {
            let decision = self.state.shorten();
            self.dispatched = self.dispatched.saturating_add(decision.weight());
            if !self.apply_own(decision) {
                return;
            }
        }
    }

    fn hand_out_all(&mut self) {
        loop {
            for releasable in std::mem::take(&mut self.releasable) {
                self.hand_out(releasable);
            }
            let log = self.state.logs.dispatchable(self.dispatched_last);
            let Some(log) = log.filter(|_| self.may_dispatch()) else {
                return;
            };
            if !self.dispatch_of(log) {
                return;
            }
        }
    }

    fn may_dispatch(&self) -> bool {
        self.dispatched < self.piece_records && !self.is_stopping
    }

    /// Leases one run of a log, or does a piece of the work that has to come first.
    fn dispatch_of(&mut self, log: LogId) -> bool {
        self.dispatched_last = Some(log);
        if self.settle_piece(log) {
            self.dispatched = self.dispatched.saturating_add(RUN_RECORDS_MAX);
            return true;
        }
        let decision = self.state.dispatch(log, self.now);
        self.dispatched = self.dispatched.saturating_add(decision.weight());
        let is_done = self.apply_own(decision);
        debug_assert!(is_done, "log {log} had something to dispatch");
        is_done
    }

    /// Hands out records of a log to those who wait for them, within this turn's limit.
    pub(super) fn serve_waiting(&mut self, log: LogId) {
        while self.may_dispatch() && self.state.logs.is_dispatchable(log) {
            if !self.dispatch_of(log) {
                return;
            }
        }
    }

    /// Leases records for a caller, who gets them with the reply.
    pub(super) fn lease(
        &mut self,
        lease: Lease,
        ticket: u64,
        reply: Reply<Vec<LeasedBatch>, LogError>,
    ) {
        let token = self.give_token();
        let leaser = Leaser {
            log: lease.log,
            ledger: lease.request.ledger,
            reply,
        };
        let decision = match lease.decide(token, &self.state, self.now) {
            Ok(decision) => decision,
            Err(refusal) => return self.answer_lease(leaser, Err(refusal)),
        };
        match self.apply_decision(decision, &[]) {
            Ok(Some(runs)) => self.answer_lease(leaser, Ok(runs)),
            Ok(None) => {
                self.tickets.insert(ticket, token);
                self.leasers.insert(token, (ticket, leaser));
            }
            Err(failure) => drop(leaser.reply.send(Err(failure.into()))),
        }
    }

    /// Ends a lease request whose caller has gone. Nothing may stay leased to it, whether or not it
    /// was answered.
    pub(super) fn cancel_lease(&mut self, log: LogId, ticket: u64) {
        if let Some(&token) = self.tickets.get(&ticket) {
            self.tell(CancelWait { log, token });
        }
    }

    pub(super) fn take_effect(&mut self, effect: Effect, durability: Durability) {
        match effect {
            Effect::Leased(token, answer) => self.leased(token, answer),
            Effect::Deleted(token, ready) => self.deleted(token, ready, durability),
            Effect::Joined(token, answer) => self.joined(token, answer, durability),
            Effect::Synced(token, answer) => self.synced(token, answer, durability),
            Effect::Deliver(delivery) => self.deliver(delivery),
            Effect::ConsumerCancelled(consumer) => {
                if let Some(session) = self.sessions.get(&consumer.session) {
                    let consumer = consumer.consumer;
                    session.push(Event::ConsumerCancelled { consumer });
                }
            }
            Effect::Forget { log, partitions } => {
                self.builder.forget_log(log);
                self.index.remove_log(log, partitions);
                self.end_watches(log, partitions);
            }
            Effect::Purged(partition) => self.purged.push(partition),
            Effect::MoveRefused(log) => self.put_off_dead(log, Awaits::Room),
            Effect::Trimmed(partition) => {
                if let Some(state) = self.state.logs.partition(partition) {
                    self.index.advance_start(partition, state.start);
                }
            }
        }
    }

    /// Answers a waiting lease.
    fn leased(&mut self, token: Token, answer: Result<Vec<LeasedRun>, LogError>) {
        if let Some((ticket, leaser)) = self.leasers.remove(&token) {
            self.tickets.remove(&ticket);
            self.answer_lease(leaser, answer);
        }
    }

    fn answer_lease(&mut self, leaser: Leaser, answer: Result<Vec<LeasedRun>, LogError>) {
        let Leaser { log, ledger, reply } = leaser;
        let batches = |runs: Vec<_>| {
            let runs = runs.into_iter();
            runs.map(|run| self.leased_batch(log, run)).collect()
        };
        let answer = answer.map(batches).map_err(Error::Refused);
        if let Err(Ok(batches)) = reply.send(answer) {
            self.give_back(log, ledger, &batches);
        }
    }

    /// Returns leases that nobody received.
    fn give_back(&mut self, log: LogId, ledger: LedgerId, batches: &[LeasedBatch]) {
        let items = batches
            .iter()
            .flat_map(|batch| {
                let partition = batch.run.partition;
                batch.run.records.iter().map(move |record| SettleItem {
                    partition,
                    offset: record.offset,
                    lease: Some(record.lease),
                })
            })
            .collect();
        self.tell(Settle {
            log,
            ledger,
            items,
            outcome: Outcome::Return(0),
            durable: false,
        });
    }

    fn deliver(&mut self, delivery: Delivery) {
        let Delivery {
            log,
            consumer,
            run,
            charged_bytes,
            ..
        } = delivery;
        let batch = self.leased_batch(log, run);
        let Some(session) = self.sessions.get(&consumer.session) else {
            // The session is gone, so everything it has leased returns.
            return self.close_session(consumer.session);
        };
        session.push(Event::Delivered {
            log,
            consumer: consumer.consumer,
            batch,
            charged_bytes,
        });
    }

    pub(super) fn leased_batch(&self, log: LogId, run: LeasedRun) -> LeasedBatch {
        let bounds = run.records.first().zip(run.records.last());
        let slices = bounds.map_or_else(Vec::new, |(first, last)| {
            let partition = PartitionId::new(log, run.partition);
            self.slices(partition, first.offset, last.offset.next())
        });
        LeasedBatch { run, slices }
    }

    /// The stored bytes from `from` up to, but not including, `until`.
    pub(super) fn slices(
        &self,
        partition: PartitionId,
        from: Offset,
        until: Offset,
    ) -> Vec<stele_core_storage::Slice> {
        let mut slices = Vec::new();
        let mut next = from;
        while next < until {
            let part = self.index.read(partition, next, until, usize::MAX);
            let Some(end) = part.last().map(stele_core_storage::Slice::next_offset) else {
                break;
            };
            slices.extend(part);
            next = end.max(next.next());
        }
        slices
    }
}
