//! What no client should ask: names of nothing, numbers beyond all bounds. It must be refused and
//! change nothing that others see.

use smallvec::smallvec;
use stele_base_types::{
    ConsumerId, LogId, Name, Offset, PartitionIndex, ProducerEpoch, ProducerId, SessionId,
};
use stele_core_engine::{
    Bind, BindingTarget, CatalogueCommand, Command, ConsumerRef, Extend, GroupCommand, LeaseId,
    LeaseRequest, LedgerId, LogCommand, Outcome, Settle, SettleItem, Token,
};

use super::{Client, Turn};

impl Client {
    pub(super) fn strange(&mut self, turn: &mut Turn<'_>) {
        let some = self.some_log(turn, |_| true).map(|log| log.id);
        let log = match some {
            Some(log) if turn.random.once_in(2) => log,
            _ => LogId(turn.random.bits()),
        };
        let shard = turn.process.shard_of(log);
        let command = match turn.random.below(9) {
            0 => Command::Log(log, LogCommand::Lease(greedy(turn), Token::default())),
            1 => Command::Log(log, LogCommand::Settle(astray(turn))),
            2 => Command::Log(log, LogCommand::Extend(endless(turn))),
            3 => Command::Log(
                log,
                LogCommand::Credit {
                    consumer: nobody(turn),
                    bytes: u64::MAX,
                },
            ),
            4 => Command::Log(
                log,
                LogCommand::Trim {
                    partition: PartitionIndex(turn.random.bits() as u32),
                    to: Offset(u64::MAX),
                    force: true,
                },
            ),
            5 => Command::Log(log, LogCommand::Unsubscribe(nobody(turn))),
            6 => Command::InitProducer {
                current: Some((
                    ProducerId(turn.random.bits() as i64),
                    ProducerEpoch(turn.random.bits() as i16),
                )),
            },
            7 => Command::Catalogue(odd_definition(turn)),
            _ => {
                let name = Name::new("nobody").expect("a short name");
                Command::Group(name, GroupCommand::Leave(vec![("x".into(), None)]))
            }
        };
        let is_catalogue = matches!(
            command,
            Command::Catalogue(_) | Command::InitProducer { .. }
        );
        turn.tell(if is_catalogue { 0 } else { shard }, command);
    }
}

fn nobody(turn: &mut Turn<'_>) -> ConsumerRef {
    ConsumerRef {
        session: SessionId(u64::MAX - turn.random.below(4)),
        consumer: ConsumerId(turn.random.bits()),
    }
}

/// Asks for no records for all time.
fn greedy(turn: &mut Turn<'_>) -> LeaseRequest {
    LeaseRequest {
        ledger: LedgerId(turn.random.below(2) as u32),
        holder: nobody(turn),
        records_max: 0,
        lease_ms: Some(u64::MAX),
        settle: false,
        wait_ms: Some(u64::MAX),
        attempt: Some(u128::MAX),
    }
}

fn item(turn: &mut Turn<'_>) -> SettleItem {
    SettleItem {
        partition: PartitionIndex(turn.random.below(5) as u32),
        offset: Offset(u64::MAX - turn.random.below(3)),
        lease: turn.random.once_in(2).then(|| LeaseId(turn.random.bits())),
    }
}

fn astray(turn: &mut Turn<'_>) -> Settle {
    Settle {
        ledger: LedgerId::DEFAULT,
        items: smallvec![item(turn), item(turn)],
        outcome: turn
            .random
            .weighted(&[(1, Outcome::Done), (1, Outcome::Return(u64::MAX))]),
        durable: turn.random.once_in(2),
    }
}

fn endless(turn: &mut Turn<'_>) -> Extend {
    Extend {
        ledger: LedgerId::DEFAULT,
        items: smallvec![(item(turn), u64::MAX)],
    }
}

fn odd_definition(turn: &mut Turn<'_>) -> CatalogueCommand {
    match turn.random.below(3) {
        0 => CatalogueCommand::DeleteLog(LogId(u64::MAX)),
        1 => CatalogueCommand::AlterLog {
            log: LogId(turn.random.below(20)),
            partitions: Some(u32::MAX),
            retention: None,
            queue: None,
            settings: None,
        },
        _ => CatalogueCommand::Bind(Bind {
            vhost: Name::vhost_default(),
            source: Name::new("amq.topic").expect("a short name"),
            target: BindingTarget::Log(LogId(u64::MAX)),
            key: Name::new("#.*.#").expect("a short name"),
            arguments: Default::default(),
        }),
    }
}
