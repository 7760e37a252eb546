//! Moving records to other logs: the shard's part, which is the records' bodies.
//!
//! A body that is sent to another shard isn't journalled again here. It travels with its command.
//! If that has to be sent again, the body is read from the record, which stays in its place until
//! it has arrived.

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

    /// Whether a record from another shard can be appended.
    pub(super) fn has_room_for(&mut self, body: Option<&Bytes>) -> bool {
        body.is_some_and(|body| {
            body.len() <= MOVED_SIZE_BYTES_MAX && self.has_room(Adds::Messages, body.len())
        })
    }

    /// The body of a command that is sent again. May read the disk.
    ///
    /// A record that can't be read, or that is gone because its log was deleted or trimmed, is sent
    /// without a body. The other shard then refuses it, and the record returns to its place, if it
    /// still exists.
    pub(super) fn body_of(&self, command: &LinkCommand) -> Option<Bytes> {
        let LinkCommand::Move(moving) = command else {
            return None;
        };
        self.read_moving(moving).unwrap_or_else(|error| {
            let from = moving.from;
            let partition = PartitionId::new(from.log, from.partition);
            tracing::warn!(
                %error, %partition, offset = %from.offset,
                "can't read a record that is to be moved; it stays in its place"
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
