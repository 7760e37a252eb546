//! What becomes of appends while space is short.
//!
//! Who waits for the answer of an append is refused, and may try again. A session's publish waits
//! here: its client has sent it before it could know, and has no way to hear of a refusal, or knows
//! one only as a loss. It is taken in its order once there is space, whether or not the session is
//! still there. What waits is bounded by what sessions had on their way when they were told.

use bytes::Bytes;
use stele_base_types::Timestamp;
use stele_core_engine::Append;

use super::Shard;
use crate::{Share, limits::BACKLOG_BYTES_MAX, reply_to::ReplyTo};

/// A session's publish.
#[derive(Debug)]
pub(super) struct Waiting {
    append: Append,
    body: Bytes,
    reply: ReplyTo,
    _room: Share,
}

impl Shard {
    /// Space has become short, or is no longer: tells every session.
    pub fn set_blocked(&mut self, is_blocked: bool) {
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
            self.append(waiting.append, waiting.body, waiting.reply);
        }
    }

    /// Takes up all of it, where there is space: nothing comes any more.
    pub fn take_up_all_waiting(&mut self, now: Timestamp) {
        self.now = now;
        while !self.is_blocked
            && let Some(waiting) = self.next_waiting()
        {
            self.append(waiting.append, waiting.body, waiting.reply);
        }
    }

    fn next_waiting(&mut self) -> Option<Waiting> {
        self.waiting.pop_front()
    }

    pub(super) fn append_or_wait(
        &mut self,
        append: Append,
        body: Bytes,
        reply: ReplyTo,
        room: Share,
    ) {
        let waits = matches!(reply, ReplyTo::Published { .. });
        if waits && (self.is_blocked || !self.waiting.is_empty()) {
            self.waiting.push_back(Waiting {
                append,
                body,
                reply,
                _room: room,
            });
            return;
        }
        self.append(append, body, reply);
    }
}
