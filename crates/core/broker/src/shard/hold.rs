//! Requests that must see what was appended before them.
//!
//! A client that publishes without waiting for a confirm and then asks for a message, a count or a
//! purge expects to find what it has published. Records are shown when they are durable, so such a
//! request is held back until those appended before it are.

use stele_base_types::LogId;
use stele_core_engine::{Command, LedgerId, LogCommand};

use super::{Shard, release::Waiting};
use crate::request::Request;

impl Shard {
    /// Holds a request back where it must wait; gives it back where it need not.
    pub(super) fn hold(&mut self, request: Request) -> Option<Request> {
        let Some(log) = self.looks_at(&request) else {
            return Some(request);
        };
        let has_ends = |waiting: &&mut Waiting| waiting.has_ends_of(log);
        match self.waiting.iter_mut().rev().find(has_ends) {
            Some(waiting) => {
                waiting.hold(log, request);
                None
            }
            None => Some(request),
        }
    }

    /// The log whose records a request looks at, if it has any that aren't shown yet.
    fn looks_at(&self, request: &Request) -> Option<LogId> {
        let log = match request {
            Request::Status { log, .. } => *log,
            Request::Command {
                command: Command::Log(log, LogCommand::Purge { .. } | LogCommand::Close(_)),
                ..
            } => *log,
            Request::Lease {
                command: Command::Log(log, LogCommand::Lease(lease, _)),
                ..
            } if lease.wait_until.is_none() && self.ready(*log, lease.ledger) == 0 => *log,
            _ => return None,
        };
        let is_unshown = self.state.logs.log(log).is_some_and(|state| {
            state
                .partitions
                .iter()
                .any(|partition| partition.committed < partition.end)
        });
        is_unshown.then_some(log)
    }

    fn ready(&self, log: LogId, ledger: LedgerId) -> u64 {
        self.state
            .logs
            .log(log)
            .and_then(|log| log.ledger(ledger))
            .map_or(0, stele_core_engine::Ledger::ready)
    }
}
