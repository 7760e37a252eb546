//! Settlements of very many records, carried out in pieces.
//!
//! A closed channel returns everything it holds in one request. Until the last piece is done,
//! nothing of the log is handed out, because later records would come first.

use stele_base_types::LogId;
use stele_core_engine::{LogError, Missing, Settle, limits::RUN_RECORDS_MAX};

use super::{Shard, release::Answer};
use crate::{limits::PIECE_RECORDS, request::Reply};

impl Shard {
    /// Settles leases; in pieces if there are many and nobody waits for the answer.
    pub(super) fn settle(&mut self, settle: Settle, reply: Option<Reply<Missing, LogError>>) {
        if reply.is_none() && settle.items.len() > PIECE_RECORDS as usize {
            return self.settling.push(settle);
        }
        let carried_out = self.carry_out(settle, None);
        let Some(reply) = reply else {
            return;
        };
        match carried_out {
            Ok((missing, durability)) => self.answer(Answer::Settle(reply, missing), durability),
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    /// Settles pieces of about this many records in total. Returns how many records are left.
    pub(super) fn settle_some(&mut self, records: u32) -> u32 {
        let mut left = records;
        while left > 0
            && let Some(settle) = self.settling.last()
        {
            self.settle_piece(settle.log);
            left = left.saturating_sub(RUN_RECORDS_MAX);
        }
        left
    }

    /// Settles a piece of what remains to be settled of a log. Returns whether there was one.
    pub(super) fn settle_piece(&mut self, log: LogId) -> bool {
        let place = self.settling.iter().position(|settle| settle.log == log);
        let Some(place) = place else {
            return false;
        };
        let settle = &mut self.settling[place];
        // From the end; nobody sees the order.
        let rest = settle.items.len().saturating_sub(RUN_RECORDS_MAX as usize);
        let piece = Settle {
            items: settle.items.drain(rest..).collect(),
            log: settle.log,
            ledger: settle.ledger,
            outcome: settle.outcome,
            durable: settle.durable,
        };
        if rest == 0 {
            self.settling.swap_remove(place);
        }
        // If the log was deleted meanwhile, there is nothing to settle.
        drop(self.carry_out(piece, None));
        true
    }
}
