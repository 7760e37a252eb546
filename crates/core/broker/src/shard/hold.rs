//! Requests that must see what was appended before them, or given back.
//!
//! A client that publishes without waiting for a confirm and then asks for a message, a count or a
//! purge expects to find what it has published. Records are shown when they are durable, so such a
//! request is held back until those appended before it are.
//!
//! What a session held returns by pieces after its end. Who asks a log for messages meanwhile waits
//! until all is back there, or would get later ones first. A log is cleared by pieces, too, and who
//! asked for it is answered after the last one.
//!
//! Who asks for a message now comes after those who wait for one.

use std::fmt;

use stele_base_types::LogId;
use stele_core_engine::{LedgerId, Logs, Settle};

use super::{Shard, release::Unreleased};
use crate::request::Request;

/// What waits until a log is owed nothing.
pub(super) enum Owed {
    Request(Request),
    /// To send the answer to a command that is carried out in pieces.
    Answer(Box<dyn FnOnce(&mut Shard) + Send>),
}

impl fmt::Debug for Owed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(request) => request.fmt(f),
            Self::Answer(_) => f.write_str("Answer"),
        }
    }
}

impl Shard {
    /// Holds a request back where it must wait; gives it back where it need not.
    pub(super) fn hold(&mut self, request: Request) -> Option<Request> {
        let Some(log) = looks_at(&request) else {
            return Some(request);
        };
        let asks = matches!(request, Request::Lease { .. });
        if asks {
            self.serve_waiting(log);
        }
        if is_held(&self.state.logs, &self.settling, log, asks) {
            self.owed.push((log, Owed::Request(request)));
            return None;
        }
        let has_ends = |unreleased: &&mut Unreleased| unreleased.has_ends_of(log);
        if !self.must_see(&request) || !self.is_unshown(log) {
            return Some(request);
        }
        match self.unreleased.iter_mut().rev().find(has_ends) {
            Some(unreleased) => {
                unreleased.hold(log, request);
                None
            }
            None => Some(request),
        }
    }

    /// Takes up what waits for logs that are owed nothing any more.
    pub(super) fn take_up_owed(&mut self) {
        let (logs, settling) = (&self.state.logs, &self.settling);
        let is_due = |(log, owed): &mut (LogId, Owed)| !is_held(logs, settling, *log, owed.asks());
        let due: Vec<_> = self.owed.extract_if(.., is_due).collect();
        for (_, owed) in due {
            match owed {
                Owed::Answer(answer) => answer(self),
                Owed::Request(request) => {
                    if let Some(request) = self.hold(request) {
                        self.take_up(request);
                    }
                }
            }
        }
    }

    /// Whether a log has records that aren't shown yet.
    fn is_unshown(&self, log: LogId) -> bool {
        self.state.logs.log(log).is_some_and(|state| {
            state
                .partitions
                .iter()
                .any(|partition| partition.committed < partition.end)
        })
    }

    /// Whether a request must wait for them. One that waits for records anyway needn't, nor one
    /// that finds some.
    fn must_see(&self, request: &Request) -> bool {
        match request {
            Request::Lease { lease, .. } => {
                lease.request.wait_ms.is_none() && self.ready(lease.log, lease.request.ledger) == 0
            }
            _ => true,
        }
    }

    fn ready(&self, log: LogId, ledger: LedgerId) -> u64 {
        self.state
            .logs
            .log(log)
            .and_then(|log| log.ledger(ledger))
            .map_or(0, stele_core_engine::Ledger::ready)
    }
}

/// Whether a log is owed something, or is being settled by pieces; or, for who asks for records
/// now, whether others wait for those that are there.
fn is_held(logs: &Logs, settling: &[Settle], log: LogId, asks: bool) -> bool {
    let is_settling = settling.iter().any(|settle| settle.log == log);
    is_settling || logs.is_owed(log) || (asks && logs.is_dispatchable(log))
}

impl Owed {
    fn asks(&self) -> bool {
        matches!(self, Self::Request(Request::Lease { .. }))
    }
}

/// The log whose records a request looks at.
fn looks_at(request: &Request) -> Option<LogId> {
    match request {
        Request::Status { log, .. } => Some(*log),
        Request::Lease { lease, .. } => Some(lease.log),
        Request::Delete { delete, .. } => Some(delete.log),
        Request::Call(call) => call.looks_at(),
        _ => None,
    }
}
