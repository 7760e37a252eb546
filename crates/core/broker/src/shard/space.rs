//! What becomes of appends while space is short.
//!
//! Who waits for the answer of an append is refused, and may try again. A session's publish waits
//! here: its client has sent it before it could know, and has no way to hear of a refusal, or knows
//! one only as a loss. It is taken in its order once there is space, whether or not the session is
//! still there. What waits is bounded by what sessions had on their way when they were told.

use bytes::Bytes;
use stele_base_types::Timestamp;
use stele_core_engine::{Adds, Append};
use stele_core_storage::{Block, Purpose, Retired, Space, SpaceGuard, Written};

use super::Shard;
use crate::{Share, limits::BACKLOG_BYTES_MAX, reply_to::ReplyTo};

/// What a target of an append takes in the journal.
const APPEND_TARGET_BYTES: usize = 20;

/// What a command takes beside a body, about; what exactly is counted once it is in its block.
const COMMAND_BYTES: u64 = 512;

/// A session's publish.
#[derive(Debug)]
pub(super) struct Waiting {
    append: Append,
    body: Bytes,
    reply: ReplyTo,
    _room: Share,
}

impl Waiting {
    fn size_bytes(&self) -> u64 {
        size_bytes(&self.append, &self.body)
    }
}

/// What an append takes in the journal, about.
fn size_bytes(append: &Append, body: &Bytes) -> u64 {
    (body.len() + APPEND_TARGET_BYTES * append.targets.len()) as u64 + COMMAND_BYTES
}

impl Shard {
    /// Has the shard keep to the space that there is. Nothing was decided yet.
    pub fn guard_space(&mut self, guard: SpaceGuard) {
        self.guard = Some(guard);
    }

    /// Looks at the disk, and tells every session where space has become short or is no longer.
    /// Gives the spare journal files if their space is needed.
    pub fn look_at_space(&mut self) -> Option<Retired> {
        let copied_next_bytes = self.index.copied_next_bytes();
        let waiting_bytes = self.waiting.front().map_or(0, Waiting::size_bytes);
        let guard = self.guard.as_mut()?;
        match guard.check(copied_next_bytes, waiting_bytes) {
            Ok(space) => self.note_space(space),
            Err(error) => tracing::warn!(%error, "free space isn't known"),
        }
        self.guard.as_ref()?.take_spares()
    }

    /// Whether messages are refused for want of space.
    pub fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    /// Whether there is room for what a command adds. Without a guard there always is.
    pub(super) fn has_room(&mut self, adds: Adds, body_size_bytes: usize) -> bool {
        let bytes = body_size_bytes as u64 + COMMAND_BYTES;
        match adds {
            Adds::Nothing => true,
            Adds::Messages if self.is_blocked => false,
            Adds::Messages => self.fits(bytes, Purpose::Messages),
            Adds::Definitions => self.fits(bytes, Purpose::Definitions),
        }
    }

    fn fits(&mut self, bytes: u64, purpose: Purpose) -> bool {
        let guard = self.guard.as_mut();
        guard.is_none_or(|guard| guard.has_room(bytes, purpose))
    }

    /// Something was put into the block being filled.
    pub(super) fn promise_filled(&mut self) {
        if let Some(guard) = &mut self.guard {
            guard.note_filled(self.builder.size_bytes() as u64);
        }
    }

    /// That block is finished.
    pub(super) fn promise_finished(&mut self, block: &Block) {
        if let Some(guard) = &mut self.guard {
            guard.note_finished(block.size_bytes() as u64);
        }
    }

    /// A block was written.
    pub(super) fn keep_promise(&self, written: &Written) {
        if let Some(guard) = &self.guard {
            guard.note_written(written.size_bytes());
        }
    }

    fn note_space(&mut self, space: Space) {
        self.index.note_space(space);
        self.set_blocked(space.is_low);
    }

    fn set_blocked(&mut self, is_blocked: bool) {
        if self.is_blocked == is_blocked {
            return;
        }
        self.is_blocked = is_blocked;
        for session in self.sessions.values() {
            session.note_blocked(is_blocked);
        }
    }

    /// Whether a piece of what waits for space can be taken up, by [`Shard::tick`].
    pub(super) fn has_waiting_due(&self) -> bool {
        let has_room = self.backlog_bytes() < BACKLOG_BYTES_MAX;
        !self.is_blocked && has_room && !self.waiting.is_empty()
    }

    /// Takes up a piece of what waits for space, where there is some.
    pub(super) fn take_up_waiting(&mut self) {
        let mut left = self.piece_records;
        while left > 0
            && self.has_waiting_due()
            && let Some(waiting) = self.next_waiting()
        {
            left = left.saturating_sub(waiting.append.count);
            self.append_admitted(waiting.append, waiting.body, waiting.reply);
        }
    }

    /// Takes up all of it, where there is space: nothing comes any more.
    pub fn take_up_all_waiting(&mut self, now: Timestamp) {
        self.now = now;
        while !self.is_blocked
            && let Some(waiting) = self.next_waiting()
        {
            self.append_admitted(waiting.append, waiting.body, waiting.reply);
        }
    }

    /// The next of what waits, if there is room for it.
    fn next_waiting(&mut self) -> Option<Waiting> {
        let bytes = self.waiting.front()?.size_bytes();
        if self.fits(bytes, Purpose::Messages) {
            return self.waiting.pop_front();
        }
        self.run_short();
        None
    }

    pub(super) fn append_or_wait(
        &mut self,
        append: Append,
        body: Bytes,
        reply: ReplyTo,
        room: Share,
    ) {
        let waits = matches!(reply, ReplyTo::Published { .. });
        if !waits {
            return self.append(append, body, reply);
        }
        let bytes = size_bytes(&append, &body);
        let has_turn = !self.is_blocked && self.waiting.is_empty();
        if has_turn && self.fits(bytes, Purpose::Messages) {
            return self.append_admitted(append, body, reply);
        }
        self.waiting.push_back(Waiting {
            append,
            body,
            reply,
            _room: room,
        });
        if has_turn {
            self.run_short();
        }
    }

    /// What comes next doesn't fit.
    fn run_short(&mut self) {
        if let Some(guard) = &mut self.guard {
            let space = guard.note_low();
            self.note_space(space);
        }
    }
}
