//! Settlements on their way to the broker. Settlements that a client sends together are sent as one
//! command.

use smallvec::SmallVec;
use stele_core_engine::{LedgerId, Outcome, Settle};

use crate::session::unacked::Unacked;

/// Settlements being gathered, all of one log and with one outcome.
#[derive(Debug, Default)]
pub(crate) struct Settling {
    open: Option<Settle>,
}

impl Settling {
    /// Adds a settlement. Returns the gathered ones first if they are of another log or outcome.
    pub(crate) fn push(&mut self, unacked: &Unacked, outcome: Outcome) -> Option<Settle> {
        if let Some(settle) = &mut self.open
            && settle.log == unacked.log
            && settle.outcome == outcome
        {
            settle.items.push(unacked.item());
            return None;
        }
        self.open.replace(Settle {
            log: unacked.log,
            ledger: LedgerId::DEFAULT,
            items: SmallVec::from_iter([unacked.item()]),
            outcome,
            durable: false,
        })
    }

    /// Takes the gathered settlements.
    pub(crate) fn take(&mut self) -> Option<Settle> {
        self.open.take()
    }
}

#[cfg(test)]
mod tests {
    use stele_base_types::{LogId, Offset, PartitionIndex};
    use stele_core_engine::LeaseId;

    use super::*;

    fn unacked(log: u64, offset: u64) -> Unacked {
        Unacked {
            log: LogId(log),
            partition: PartitionIndex(0),
            offset: Offset(offset),
            lease: LeaseId(offset),
            is_counted: true,
            read_by: None,
        }
    }

    #[test]
    fn settlements_of_one_kind_go_together() {
        let mut settling = Settling::default();
        assert!(settling.push(&unacked(1, 1), Outcome::Done).is_none());
        assert!(settling.push(&unacked(1, 2), Outcome::Done).is_none());
        let settle = settling.push(&unacked(1, 3), Outcome::Return(0)).unwrap();
        assert_eq!((settle.log, settle.items.len()), (LogId(1), 2));
        let settle = settling.push(&unacked(2, 1), Outcome::Return(0)).unwrap();
        assert_eq!(settle.outcome, Outcome::Return(0));
        assert_eq!(settling.take().unwrap().log, LogId(2));
        assert!(settling.take().is_none());
    }
}
