//! Leasing with a deadline, immediately or after a wait.

use stele_base_types::{ConsumerId, LogId, PartitionId, SessionId, Timestamp};
use stele_core_broker::{Error, LeasedBatch, Request};
use stele_core_engine::{ConsumerRef, Lease, LeaseRequest, LedgerId, LogError};
use stele_wire_batch::Record;
use tokio::sync::oneshot::{self, Receiver};

use super::{Client, Turn, is_queue, shard_of, take_heard};
use crate::event::{Event, Item, Leased, LeasedOne, Wait, WaitId};

/// Pending requests, and leases that are held.
#[derive(Debug, Default)]
pub(super) struct Leases {
    pub(super) asked: Vec<(Asked, Answer)>,
    pub(super) held: Vec<Held>,
}

pub(super) type Answer = Receiver<Result<Vec<LeasedBatch>, Error<LogError>>>;

#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) log: LogId,
    pub(super) ticket: u64,
    pub(super) session: SessionId,
    lease_ms: u64,
    pub(super) is_taken: bool,
}

/// A lease that a client may settle.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) log: LogId,
    pub(super) session: SessionId,
    pub(super) item: Item,
    pub(super) has_deadline: bool,
    pub(super) record: Record,
}

/// The most leases that clients remember: old ones are settled late, or never.
const HELD_MAX: usize = 60;

impl Leases {
    /// Forgets the requests, but not the leases: those with a deadline may outlive the process.
    pub(super) fn forget_requests(&mut self) {
        self.asked.clear();
        self.held.retain(|held| held.has_deadline);
    }
}

impl Turn<'_> {
    /// Sends a request to lease; returns where its answer will arrive.
    pub(super) fn ask_for_leases(
        &mut self,
        log: LogId,
        request: LeaseRequest,
        ticket: u64,
    ) -> Answer {
        let (sender, receiver) = oneshot::channel();
        let request = Request::Lease {
            lease: Lease { log, request },
            ticket,
            reply: sender,
        };
        let shard = shard_of(self, log);
        self.process.handle(shard, request, self.now);
        receiver
    }
}

impl Client {
    pub(super) fn lease(&mut self, turn: &mut Turn<'_>) {
        let Some(log) = self.some_log(turn, is_queue) else {
            return;
        };
        let ticket = self.next_id();
        let session = turn.process.session(ticket);
        let asked = Asked {
            log: log.id,
            ticket,
            session,
            lease_ms: turn.random.between(100, 60_000),
            is_taken: turn.random.once_in(12),
        };
        let wait = turn.random.once_in(4);
        let request = LeaseRequest {
            ledger: LedgerId::DEFAULT,
            holder: ConsumerRef {
                session,
                consumer: ConsumerId(0),
            },
            records_max: turn.random.between(1, 10) as u32,
            lease_ms: Some(asked.lease_ms),
            settle: asked.is_taken,
            wait_ms: wait.then(|| turn.random.between(1, 20_000)),
            attempt: None,
            leased_max: None,
        };
        if wait {
            let wait = Wait {
                log: log.id,
                past: None,
            };
            turn.events
                .push(Event::Waiting(WaitId::Lease(ticket), wait));
        }
        let answer = turn.ask_for_leases(log.id, request, ticket);
        self.leases.asked.push((asked, answer));
    }

    pub(super) fn hear_leases(&mut self, turn: &mut Turn<'_>) {
        for (asked, answer) in take_heard(&mut self.leases.asked) {
            turn.events
                .push(Event::WaitEnded(WaitId::Lease(asked.ticket)));
            let Some(Ok(batches)) = answer else {
                continue;
            };
            let until = turn.now.plus_ms(asked.lease_ms);
            for batch in batches {
                let grant = Grant {
                    consumer: None,
                    log: asked.log,
                    session: asked.session,
                    until: (!asked.is_taken).then_some(until),
                    is_taken: asked.is_taken,
                };
                self.hold(turn, grant, batch);
            }
        }
    }

    /// Notes the records that were delivered.
    pub(super) fn hold(&mut self, turn: &mut Turn<'_>, grant: Grant, batch: LeasedBatch) {
        let run = batch.run().clone();
        let messages = match batch.resolve_blocking() {
            Ok(messages) => messages,
            Err(error) => return turn.events.push(Event::Unreadable(error.to_string())),
        };
        if messages.len() != run.records.len() {
            let found = format!("{} of {:?}", messages.len(), run);
            return turn.events.push(Event::Unreadable(found));
        }
        let partition = PartitionId::new(grant.log, run.partition);
        let letters = &mut self.letters;
        let records = messages.iter().map(|message| LeasedOne {
            offset: message.lease.offset,
            record: letters.see(
                turn.events,
                partition,
                message.lease.offset,
                &message.record,
            ),
            lease: message.lease.lease,
            deliveries: message.lease.deliveries,
            redelivered: message.lease.redelivered,
        });
        let records: Vec<_> = records.collect();
        if !grant.is_taken {
            let held = messages
                .into_iter()
                .zip(&records)
                .map(|(message, one)| Held {
                    log: grant.log,
                    session: grant.session,
                    item: Item {
                        partition: run.partition,
                        offset: one.offset,
                        lease: Some(one.lease),
                    },
                    has_deadline: grant.until.is_some(),
                    record: message.record,
                });
            self.leases.held.extend(held);
            let surplus = self.leases.held.len().saturating_sub(HELD_MAX);
            self.leases.held.drain(..surplus);
        }
        turn.events.push(Event::Leased(Leased {
            partition,
            session: grant.session,
            consumer: grant.consumer,
            records,
            until: grant.until,
            is_taken: grant.is_taken,
            beside: Default::default(),
        }));
    }
}

/// The terms on which records were delivered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grant {
    pub(super) log: LogId,
    pub(super) session: SessionId,
    /// `None` if they were requested.
    pub(super) consumer: Option<ConsumerId>,
    pub(super) until: Option<Timestamp>,
    pub(super) is_taken: bool,
}
