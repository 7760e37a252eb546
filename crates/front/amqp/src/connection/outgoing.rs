//! The memory for output to the client.
//!
//! The connection waits for it only while no output is pending: a connection that holds memory
//! continues when the client has read.

use std::collections::VecDeque;

use stele_core_broker::{Kind, Memory, Share};

use crate::outbox::Outbox;

/// Output that isn't counted: about the size of a socket buffer.
const UNCOUNTED_BYTES: usize = 64 * 1024;

/// Memory reserved for output.
#[derive(Debug)]
pub(crate) struct Outgoing {
    memory: Memory,
    /// For stored bytes, by the position in the output where their slices end.
    stored: VecDeque<(u64, Share)>,
    /// For bytes copied into the output.
    copied: Share,
    /// The result of a wait.
    granted: Share,
    /// The size of a reservation that failed.
    wanted: Option<usize>,
}

impl Outgoing {
    pub(super) fn new(memory: Memory) -> Self {
        Self {
            copied: memory.note(Kind::Responses, 0),
            memory,
            stored: VecDeque::new(),
            granted: Share::NONE,
            wanted: None,
        }
    }

    /// Reserves memory if there is room now.
    pub(crate) fn take(&mut self, bytes: usize) -> Option<Share> {
        let granted = std::mem::take(&mut self.granted);
        if granted.bytes() >= bytes && bytes > 0 {
            return Some(granted);
        }
        let kind = Memory::kind_of_response(bytes);
        let taken = self.memory.try_take(kind, bytes);
        self.wanted = taken.is_none().then_some(bytes);
        taken
    }

    /// Reserves memory even if there is no room.
    pub(crate) fn note(&self, bytes: usize) -> Share {
        self.memory.note(Memory::kind_of_response(bytes), bytes)
    }

    /// Ensures that memory is reserved for this much output, if there is room now.
    pub(super) fn cover(&mut self, bytes: usize) -> bool {
        let missing = bytes.saturating_sub(self.copied.bytes());
        let is_covered = bytes <= UNCOUNTED_BYTES || missing == 0 || self.copied.try_grow(missing);
        self.wanted = (!is_covered).then_some(bytes);
        is_covered
    }

    /// Keeps memory for data about to be put into the output.
    pub(super) fn keep(&mut self, room: Share) {
        if room.is_of(&self.copied) {
            self.copied.merge(room);
        }
    }

    /// Keeps memory for slices of stored bytes until the current output is written.
    pub(crate) fn hold(&mut self, outbox: &Outbox, room: Share) {
        if room.bytes() > 0 && !outbox.is_empty() {
            self.stored.push_back((outbox.queued(), room));
        }
    }

    /// Frees the memory of written output.
    pub(super) fn written(&mut self, position: u64, pending: u64) {
        while self.stored.front().is_some_and(|(end, _)| *end <= position) {
            self.stored.pop_front();
        }
        let pending = usize::try_from(pending).unwrap_or(usize::MAX);
        if self.copied.bytes() > pending {
            self.copied.shrink_to(pending);
        }
    }

    /// Records that nothing waits for memory any more.
    pub(super) fn forget_wanted(&mut self) {
        self.wanted = None;
        self.granted = Share::NONE;
    }

    /// Whether other connections also wait for memory.
    pub(super) fn is_short(&self) -> bool {
        self.memory.is_short(Kind::Responses)
    }

    /// Whether something waits for memory.
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.is_some()
    }

    /// Waits for the memory of the failed reservation. Must be called only while no output is
    /// pending. Cancel-safe.
    pub(crate) async fn grant(&mut self) {
        if let Some(bytes) = self.wanted {
            let kind = Memory::kind_of_response(bytes);
            self.granted = self.memory.take(kind, bytes).await;
            self.wanted = None;
        }
    }
}
