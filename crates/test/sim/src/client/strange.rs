//! Requests that no client should make: unknown names, absurd numbers. They must be refused and
//! change nothing that others see.

use bytes::Bytes;
use smallvec::smallvec;
use stele_base_types::{
    ConsumerId, LogId, Name, Offset, PartitionId, PartitionIndex, ProducerEpoch, ProducerId,
    SessionId,
};
use stele_core_broker::Request;
use stele_core_engine::{
    AlterLog, Bind, BindingTarget, ConsumerRef, Credit, DeleteLog, Extend, Extension, InitProducer,
    Lease, LeaseId, LeaseRequest, LeaveGroup, LedgerId, Move, MovedRun, Outcome, Settle,
    SettleItem, Trim, TrimReason, Unsubscribe,
};
use tokio::sync::oneshot;

use super::{Client, Turn};

impl Client {
    pub(super) fn strange(&mut self, turn: &mut Turn<'_>) {
        let some = self.some_log(turn, |_| true).map(|log| log.id);
        let log = match some {
            Some(log) if turn.random.once_in(2) => log,
            _ => LogId(turn.random.bits()),
        };
        let shard = turn.process.shard_of(log);
        let (shard, request) = match turn.random.below(10) {
            0 => (shard, greedy(turn, log)),
            1 => (shard, astray(turn, log)),
            2 => (shard, endless(turn, log)),
            3 => {
                let credit = Credit {
                    log,
                    consumer: nobody(turn),
                    bytes: u64::MAX,
                };
                (shard, Request::Credit(credit))
            }
            4 => {
                let index = PartitionIndex(turn.random.bits() as u32);
                let trim = Trim {
                    partition: PartitionId::new(log, index),
                    to: Offset(u64::MAX),
                    reason: TrimReason::Asked,
                };
                (shard, Request::tell(trim))
            }
            5 => {
                let consumer = nobody(turn);
                let lingers = turn.random.once_in(2);
                let unsubscribe = Unsubscribe {
                    log,
                    consumer,
                    lingers,
                };
                (shard, Request::tell(unsubscribe))
            }
            6 => {
                let id = ProducerId(turn.random.bits() as i64);
                let epoch = ProducerEpoch(turn.random.bits() as i16);
                let current = Some((id, epoch));
                (0, Request::tell(InitProducer { current }))
            }
            7 => (0, odd_definition(turn)),
            8 => (shard, lost(turn, log)),
            _ => {
                let leave = LeaveGroup {
                    group: Name::new("nobody").expect("a short name"),
                    members: vec![("x".into(), None)],
                };
                (shard, Request::tell(leave))
            }
        };
        turn.process.handle(shard, request, turn.now);
    }
}

fn nobody(turn: &mut Turn<'_>) -> ConsumerRef {
    ConsumerRef {
        session: SessionId(u64::MAX - turn.random.below(4)),
        consumer: ConsumerId(turn.random.bits()),
    }
}

/// Requests no records, for ever.
fn greedy(turn: &mut Turn<'_>, log: LogId) -> Request {
    let request = LeaseRequest {
        ledger: LedgerId(turn.random.below(2) as u32),
        holder: nobody(turn),
        records_max: 0,
        lease_ms: Some(u64::MAX),
        settle: false,
        wait_ms: Some(u64::MAX),
        attempt: Some(u128::MAX),
        leased_max: None,
    };
    Request::Lease {
        lease: Lease { log, request },
        ticket: turn.random.bits(),
        reply: oneshot::channel().0,
    }
}

fn item(turn: &mut Turn<'_>) -> SettleItem {
    SettleItem {
        partition: PartitionIndex(turn.random.below(5) as u32),
        offset: Offset(u64::MAX - turn.random.below(3)),
        lease: turn.random.once_in(2).then(|| LeaseId(turn.random.bits())),
    }
}

fn astray(turn: &mut Turn<'_>, log: LogId) -> Request {
    let settle = Settle {
        log,
        ledger: LedgerId::DEFAULT,
        items: smallvec![item(turn), item(turn)],
        outcome: turn
            .random
            .weighted(&[(1, Outcome::Done), (1, Outcome::Return(u64::MAX))]),
        durable: turn.random.once_in(2),
    };
    Request::Settle {
        settle,
        reply: None,
    }
}

/// Moves a nonexistent record to a nonexistent log.
fn lost(turn: &mut Turn<'_>, log: LogId) -> Request {
    let command = Move {
        log,
        ledger: LedgerId::DEFAULT,
        item: item(turn),
        to: [LogId(turn.random.bits())].into_iter().collect(),
        is_copied: false,
        run: MovedRun::default(),
    };
    Request::Move {
        command: Box::new(command),
        body: Bytes::new(),
        reply: oneshot::channel().0,
    }
}

fn endless(turn: &mut Turn<'_>, log: LogId) -> Request {
    Request::tell(Extend {
        log,
        ledger: LedgerId::DEFAULT,
        items: smallvec![Extension {
            item: item(turn),
            term_ms: u64::MAX,
            renewal: None,
        }],
    })
}

fn odd_definition(turn: &mut Turn<'_>) -> Request {
    match turn.random.below(3) {
        0 => Request::Delete {
            delete: DeleteLog::anyway(LogId(u64::MAX)),
            reply: oneshot::channel().0,
        },
        1 => Request::tell(AlterLog {
            partitions: Some(u32::MAX),
            ..AlterLog::nothing(LogId(turn.random.below(20)))
        }),
        _ => Request::tell(Bind {
            vhost: Name::vhost_default(),
            source: Name::new("amq.topic").expect("a short name"),
            target: BindingTarget::Log(LogId(u64::MAX)),
            key: Name::new("#.*.#").expect("a short name"),
            arguments: Default::default(),
        }),
    }
}
