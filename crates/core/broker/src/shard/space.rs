//! How appends are handled while disk space is short.
//!
//! An append whose caller waits for the answer is refused, and the caller may retry. A session's
//! publish waits here instead: its client sent it before it could know, and either can't be told of
//! a refusal or would take it as a loss. Publishes are appended in order once there is space, even
//! if the session has ended. How many can wait is bounded by what sessions had in flight when they
//! were told.

use bytes::Bytes;
use stele_base_types::Timestamp;
use stele_core_engine::{Adds, Append};
use stele_core_storage::{Block, Purpose, Retired, Space, SpaceGuard, Written};

use super::Shard;
use crate::{CommitRequest, Share, limits::BACKLOG_BYTES_MAX, reply_to::ReplyTo};

/// Journal bytes for each target of an append.
const APPEND_TARGET_BYTES: usize = 20;

/// Estimated journal bytes of a command without its body; the exact size is counted once it is in
/// its block.
const COMMAND_BYTES: u64 = 512;

/// A session's publish or transaction.
#[derive(Debug)]
pub(super) struct Waiting {
    publish: Publishing,
    _room: Share,
}

#[derive(Debug)]
enum Publishing {
    Append {
        append: Append,
        body: Bytes,
        reply: ReplyTo,
    },
    Commit(Box<CommitRequest>),
}

impl Publishing {
    /// The estimated journal bytes.
    fn size_bytes(&self) -> u64 {
        let bytes = match self {
            Self::Append { append, body, .. } => {
                body.len() + APPEND_TARGET_BYTES * append.targets.len()
            }
            Self::Commit(committing) => committing.size_bytes(),
        };
        bytes as u64 + COMMAND_BYTES
    }

    /// Lets others have large shares of the memory while this waits.
    fn stand_aside(&self, room: &Share) {
        room.stand_aside();
        if let Self::Append { reply, .. } = self {
            reply.stand_aside();
        }
    }

    fn count(&self) -> u32 {
        match self {
            Self::Append { append, .. } => append.count,
            Self::Commit(committing) => committing.count(),
        }
    }
}

impl Shard {
    /// Has the shard observe the available space. Called before the first decision.
    pub fn guard_space(&mut self, guard: SpaceGuard) {
        self.guard = Some(guard);
    }

    /// Checks the free disk space, and tells every session when space becomes short or is no
    /// longer. Returns the spare journal files if their space is needed.
    pub fn look_at_space(&mut self) -> Option<Retired> {
        self.check_space();
        self.guard.as_ref()?.take_spares()
    }

    pub(super) fn check_space(&mut self) {
        let waiting_bytes = self.waiting.front();
        let waiting_bytes = waiting_bytes.map_or(0, |it| it.publish.size_bytes());
        let Some(guard) = &mut self.guard else {
            return;
        };
        guard.note_next_copies(self.index.copied_next_bytes());
        match guard.check(waiting_bytes) {
            Ok(space) => self.note_space(space),
            Err(error) => tracing::warn!(%error, "can't determine the free disk space"),
        }
    }

    /// Whether messages are refused because space is short.
    pub fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    /// Whether messages are refused, or will be soon unless space is freed that nobody needs.
    pub fn is_short_of_space(&self) -> bool {
        self.is_blocked || self.index.is_space_wanted()
    }

    /// Whether there is space for what a command adds. Always true without a guard.
    pub(super) fn has_room(&mut self, adds: Adds, body_size_bytes: usize) -> bool {
        let bytes = body_size_bytes as u64 + COMMAND_BYTES;
        match adds {
            Adds::Nothing => true,
            Adds::Messages if self.is_blocked => false,
            Adds::Messages => self.fits(bytes, Purpose::Messages) || self.note_refused(),
            Adds::Definitions => self.fits(bytes, Purpose::Definitions),
        }
    }

    fn fits(&mut self, bytes: u64, purpose: Purpose) -> bool {
        let Some(guard) = &mut self.guard else {
            return true;
        };
        guard.note_next_copies(self.index.copied_next_bytes());
        guard.has_room(bytes, purpose)
    }

    /// Notes that messages are refused: they don't fit. Returns false.
    fn note_refused(&mut self) -> bool {
        if let Some(guard) = &mut self.guard {
            let space = guard.note_refused();
            self.note_space(space);
        }
        false
    }

    /// Notes that something was added to the block being filled.
    pub(super) fn promise_filled(&mut self) {
        if let Some(guard) = &mut self.guard {
            guard.note_filled(self.builder.size_bytes() as u64);
        }
    }

    /// Notes that this block is finished.
    pub(super) fn promise_finished(&mut self, block: &Block) {
        if let Some(guard) = &mut self.guard {
            guard.note_finished(block.size_bytes() as u64);
        }
    }

    /// Notes that a block was written.
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

    /// Whether [`Shard::tick`] can take up some of the publishes that wait for space.
    pub(super) fn has_waiting_due(&self) -> bool {
        let has_room = self.backlog_bytes() < BACKLOG_BYTES_MAX;
        !self.is_blocked && has_room && !self.waiting.is_empty()
    }

    /// Appends some of the publishes that wait for space, if there is any.
    pub(super) fn take_up_waiting(&mut self) {
        let mut left = self.piece_records;
        while left > 0
            && self.has_waiting_due()
            && let Some(waiting) = self.next_waiting()
        {
            left = left.saturating_sub(waiting.publish.count().max(1));
            self.publish_admitted(waiting.publish);
        }
    }

    /// Appends all of them if there is space; called when no more requests arrive.
    pub fn take_up_all_waiting(&mut self, now: Timestamp) {
        self.now = now;
        while !self.is_blocked
            && let Some(waiting) = self.next_waiting()
        {
            self.publish_admitted(waiting.publish);
        }
    }

    /// The next waiting publish, if there is space for it.
    fn next_waiting(&mut self) -> Option<Waiting> {
        let bytes = self.waiting.front()?.publish.size_bytes();
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
        let publish = Publishing::Append {
            append,
            body,
            reply,
        };
        self.publish_or_wait(publish, room);
    }

    pub(super) fn commit_or_wait(&mut self, committing: Box<CommitRequest>, room: Share) {
        if committing.only_settles() {
            return self.commit_admitted(*committing);
        }
        self.publish_or_wait(Publishing::Commit(committing), room);
    }

    fn publish_or_wait(&mut self, publish: Publishing, room: Share) {
        let bytes = publish.size_bytes();
        let has_turn = !self.is_blocked && self.waiting.is_empty();
        if has_turn && self.fits(bytes, Purpose::Messages) {
            return self.publish_admitted(publish);
        }
        // Those who read are what frees space.
        publish.stand_aside(&room);
        self.waiting.push_back(Waiting {
            publish,
            _room: room,
        });
        if has_turn {
            self.run_short();
        }
    }

    fn publish_admitted(&mut self, publish: Publishing) {
        match publish {
            Publishing::Append {
                append,
                body,
                reply,
            } => self.append_admitted(append, body, reply),
            Publishing::Commit(committing) => self.commit_admitted(*committing),
        }
    }

    /// Notes that the next publish doesn't fit.
    fn run_short(&mut self) {
        if let Some(guard) = &mut self.guard {
            let space = guard.note_low();
            self.note_space(space);
        }
    }
}
