//! Moving records to other logs: the shard's part, which is their bodies.
//!
//! A body that goes to another shard isn't journalled here a second time. It travels beside its
//! command, and where that has to be sent again it is read from where the record lies, which it
//! does until it has arrived.

use bytes::Bytes;
use stele_base_types::PartitionId;
use stele_core_engine::{Adds, LinkCommand, Move, MoveError, MovingRecord, Origin};

use super::Shard;
use crate::{
    Failure,
    limits::MOVED_SIZE_BYTES_MAX,
    moved::moved_again,
    read::{records_of, resolve_blocking, unreadable},
    request::Reply,
};

impl Shard {
    pub(super) fn move_record(&mut self, command: Move, body: &Bytes, reply: Reply<(), MoveError>) {
        match self.carry_out(command, Some(body)) {
            Ok(((), durability)) => self.answer_call(reply, Ok(()), durability),
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    /// Whether a record that has come from another shard can be appended.
    pub(super) fn has_room_for(&mut self, body: Option<&Bytes>) -> bool {
        body.is_some_and(|body| {
            body.len() <= MOVED_SIZE_BYTES_MAX && self.has_room(Adds::Messages, body.len())
        })
    }

    /// What travels beside a command that is sent again. May wait for the disk.
    ///
    /// A record that is gone, because its log was deleted or trimmed meanwhile, or that can't be
    /// read, travels without a body: the other shard refuses it, and what is left of it returns to
    /// its place.
    pub(super) fn body_of(&self, command: &LinkCommand) -> Option<Bytes> {
        let LinkCommand::Move(moving) = command else {
            return None;
        };
        self.read_moving(moving).unwrap_or_else(|error| {
            let from = moving.from;
            let partition = PartitionId::new(from.log, from.partition);
            tracing::warn!(
                %error, %partition, offset = %from.offset,
                "a record that is to be moved stays where it is"
            );
            None
        })
    }

    fn read_moving(&self, moving: &MovingRecord) -> Result<Option<Bytes>, Failure> {
        let Origin {
            log,
            partition,
            offset,
            ..
        } = moving.from;
        let partition = PartitionId::new(log, partition);
        let state = self.state.logs.partition(partition);
        if state.is_none_or(|state| offset < state.start) {
            return Ok(None);
        }
        let slices = self.slices(partition, offset, offset.next());
        let stored = resolve_blocking(&slices).map_err(unreadable)?;
        let held = records_of(stored, offset, offset);
        match held.broken.first() {
            Some(broken) if held.messages.is_empty() => Err(unreadable(&broken.error)),
            _ => moved_again(held.messages, &moving.record.headers),
        }
    }
}
