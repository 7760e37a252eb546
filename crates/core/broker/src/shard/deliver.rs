//! Handing out leases, and the other effects.

use stele_base_types::{LogId, Offset, PartitionId};
use stele_core_engine::{
    Command, Delivery, Durability, Effect, Error as Refusal, LeasedRun, LedgerId, LogCommand,
    Outcome, Reply, Settle, SettleItem, Token,
};
use tokio::sync::oneshot;

use super::Shard;
use crate::{Error, Event, LeasedBatch, reply_to::ReplyTo};

type LeaseReply = oneshot::Sender<Result<Vec<LeasedBatch>, Error>>;

/// The asker of a reply that comes later.
#[derive(Debug)]
pub(super) enum Deferred {
    /// Of a command.
    Reply(ReplyTo),
    /// Of a lease.
    Lease {
        log: LogId,
        ledger: LedgerId,
        ticket: u64,
        reply: LeaseReply,
    },
}

impl Shard {
    /// Shows what may be shown and leases all that can be leased. Goes round by log, so that one
    /// with much to do doesn't hold the others up.
    pub(super) fn dispatch(&mut self) {
        let mut last = None;
        loop {
            for due in std::mem::take(&mut self.due_sealed) {
                self.release_due(due);
            }
            let Some(log) = self.state.logs.dispatchable(last) else {
                return;
            };
            if !self.decide_and_apply(Command::Dispatch(log)) {
                debug_assert!(false, "log {log} had something to dispatch");
                return;
            }
            last = Some(log);
        }
    }

    /// Leases for an asker that gets the records with the reply.
    pub(super) fn lease(&mut self, mut command: Command, ticket: u64, reply: LeaseReply) {
        let Some(token) = self.give_token(&mut command) else {
            return;
        };
        let Command::Log(log, LogCommand::Lease(request, _)) = &command else {
            return;
        };
        let (log, ledger) = (*log, request.ledger);
        let decision = self.state.decide(command, self.now);
        let deferred = Deferred::Lease {
            log,
            ledger,
            ticket,
            reply,
        };
        self.deferred.insert(token, deferred);
        self.tickets.insert(ticket, token);
        let durability = decision.durability;
        match self.apply_decision(decision, None) {
            Ok(Some(answer)) => self.respond(token, answer, durability),
            Ok(None) => {}
            Err(_) => self.respond(token, Ok(Reply::Leased(Vec::new())), Durability::Volatile),
        }
    }

    /// The asker has gone: whether or not it was answered, nothing may stay leased to it.
    pub(super) fn cancel_lease(&mut self, log: LogId, ticket: u64) {
        if let Some(token) = self.tickets.get(&ticket) {
            let command = Command::Log(log, LogCommand::CancelWait(*token));
            self.command(command, None, ReplyTo::Nobody);
        }
    }

    pub(super) fn carry_out(&mut self, effect: Effect, durability: Durability) {
        match effect {
            Effect::Respond(token, answer) => self.respond(token, answer, durability),
            Effect::Deliver(delivery) => self.deliver(delivery),
            Effect::ConsumerCancelled(consumer) => {
                if let Some(session) = self.sessions.get(&consumer.session) {
                    let consumer = consumer.consumer;
                    session.push(Event::ConsumerCancelled { consumer });
                }
            }
            Effect::Unused(log) => self.delete_definition(log),
            Effect::Forget { log, partitions } => self.index.remove_log(log, partitions),
            Effect::Trimmed(partition) => {
                if let Some(state) = self.state.logs.partition(partition) {
                    self.index.advance_start(partition, state.start);
                }
            }
        }
    }

    fn respond(&mut self, token: Token, answer: Result<Reply, Refusal>, durability: Durability) {
        match self.deferred.remove(&token) {
            Some(Deferred::Reply(reply)) => self.answer(reply, answer, durability),
            Some(Deferred::Lease {
                log,
                ledger,
                ticket,
                reply,
            }) => {
                self.tickets.remove(&ticket);
                self.answer_lease(log, ledger, reply, answer);
            }
            None => {}
        }
    }

    fn answer_lease(
        &mut self,
        log: LogId,
        ledger: LedgerId,
        reply: LeaseReply,
        answer: Result<Reply, Refusal>,
    ) {
        let answer = answer.map_err(Error::Refused).map(|reply| match reply {
            Reply::Leased(runs) => runs
                .into_iter()
                .map(|run| self.leased_batch(log, run))
                .collect(),
            _ => Vec::new(),
        });
        if let Err(Ok(batches)) = reply.send(answer) {
            self.give_back(log, ledger, &batches);
        }
    }

    /// Leases that nobody received return at once.
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
        let settle = Settle {
            ledger,
            items,
            outcome: Outcome::Return(0),
            durable: false,
        };
        let command = Command::Log(log, LogCommand::Settle(settle));
        self.command(command, None, ReplyTo::Nobody);
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
            // Nobody is there to take it: all that the session has goes back.
            let closed = Command::SessionClosed(consumer.session);
            return self.command(closed, None, ReplyTo::Nobody);
        };
        session.push(Event::Delivered {
            log,
            consumer: consumer.consumer,
            batch,
            charged_bytes,
        });
    }

    fn leased_batch(&self, log: LogId, run: LeasedRun) -> LeasedBatch {
        let bounds = run.records.first().zip(run.records.last());
        let slices = bounds.map_or_else(Vec::new, |(first, last)| {
            let partition = PartitionId::new(log, run.partition);
            self.slices(partition, first.offset, last.offset.next())
        });
        LeasedBatch { run, slices }
    }

    /// All that lies from `from` to before `until`.
    fn slices(
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

    /// The last consumer of an auto-delete log has gone, or its deletion was cut short.
    pub(super) fn delete_definition(&mut self, log: LogId) {
        let command = Command::Catalogue(stele_core_engine::CatalogueCommand::DeleteLog(log));
        if self.id.0 == 0 {
            self.command(command, None, ReplyTo::Nobody);
        } else {
            self.lanes[0].push(command);
        }
    }
}
