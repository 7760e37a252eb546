//! Requests that must see earlier appends, or records that are still being returned.
//!
//! A client that publishes without waiting for confirms, and then asks for a message, a count or a
//! purge, expects to find what it has published. Records become visible when they are durable, so
//! such a request is held back until the records appended before it are visible.
//!
//! When a session ends, what it held returns in pieces. Requests for messages of that log wait
//! until all of it has returned, because they would get later messages first. Clearing a log also
//! goes in pieces; its request is answered after the last one.
//!
//! A request for a message doesn't overtake those already waiting for one.

use std::fmt;

use stele_base_types::LogId;
use stele_core_engine::{LedgerId, Logs, Settle};

use super::{Shard, release::Unreleased};
use crate::request::Request;

/// What waits until nothing is owed to a log (see [`is_held`]).
pub(super) enum Owed {
    Request(Request),
    /// Send the answer to a command that is carried out in pieces.
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
    /// Holds the request back if it must wait; otherwise returns it.
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

    /// Takes up requests that waited for logs to which nothing is owed any more.
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

    /// Whether a log has records that aren't visible yet.
    fn is_unshown(&self, log: LogId) -> bool {
        self.state.logs.log(log).is_some_and(|state| {
            state
                .partitions
                .iter()
                .any(|partition| partition.committed < partition.end)
        })
    }

    /// Whether a request must wait until those are visible. A lease that can wait for records
    /// doesn't, nor one that finds a ready one.
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

/// Whether a request for a log must wait: something is owed to the log, it is being settled in
/// pieces, or (if the request asks for records now) others are waiting for its records.
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
