//! Moving records to other logs: the shard's part, which is the records' bodies.
//!
//! A body that is sent to another shard isn't journalled again here. It travels with its command.
//! If that has to be sent again, the body is read from the record, which stays in its place until
//! it has arrived.

use bytes::Bytes;
use stele_base_types::{PartitionId, ShardId};
use stele_core_engine::{
    Adds, AppendError, Decision, LinkCommand, LinkNumber, Move, MoveError, MovedRun, MovingRun,
};
use stele_wire_batch::Batch;

use super::{Shard, dead::Awaits};
use crate::{
    Error, Failure,
    limits::MOVED_SIZE_BYTES_MAX,
    moved::{first_of, moved_again},
    read::{records_of, resolve_blocking, unreadable},
    request::Reply,
};

impl Shard {
    /// Moves records, or only the first of them if they can't be moved together.
    pub(super) fn move_records(
        &mut self,
        command: Move,
        body: &Bytes,
        reply: Reply<u32, MoveError>,
    ) {
        let (log, count) = (command.log, command.run.count);
        // Only dead records are moved without a lease.
        let targets = command.item.lease.is_none().then(|| command.to.clone());
        let body_bytes = smallest_of(&command.run);
        let whole = (command.run.count > 1).then(|| command.clone());
        let mut moved = self.carry_out(command, Some(body));
        if let Err(Error::Refused(MoveError::Divided(count))) = moved
            && let Some(whole) = whole
        {
            moved = match first_of(&whole.run, body, count) {
                Ok((run, body)) => self.carry_out(Move { run, ..whole }, Some(&body)),
                Err(failure) => Err(failure.into()),
            };
        }
        let is_too_long = |error: &Error<MoveError>| {
            matches!(
                error,
                Error::Refused(MoveError::Target(AppendError::TooLong))
            )
        };
        if let Some(targets) = targets
            && !moved.as_ref().is_ok_and(|(moved, _)| *moved == count)
        {
            self.note_full(&targets, body_bytes, false);
            if moved.as_ref().is_err_and(is_too_long) {
                self.put_off_dead(log, Awaits::Room);
            }
        }
        match moved {
            Ok((count, durability)) => self.answer_call(reply, Ok(count), durability),
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    /// Takes records from another shard, as many of them as their log has room for. Returns what
    /// is appended as well.
    pub(super) fn take_moved(
        &mut self,
        from: ShardId,
        number: LinkNumber,
        moving: Box<MovingRun>,
        body: Option<Bytes>,
    ) -> (Decision, Option<Bytes>) {
        let now = self.now;
        let body = body.filter(|body| self.has_room_for(body));
        let Some(body) = body else {
            return (self.state.refuse(from, number, &moving, now), None);
        };
        let fitting = self.state.fitting(&moving, now);
        let is_divided = fitting < moving.run.count;
        self.note_full(&moving.targets(), smallest_of(&moving.run), is_divided);
        if !is_divided {
            let command = LinkCommand::Move(moving);
            return (self.state.take(from, number, command, now), Some(body));
        }
        match first_of(&moving.run, &body, fitting) {
            Ok((first, body)) => {
                let decision = self.state.take_first(from, number, &moving, &first, now);
                (decision, Some(body))
            }
            Err(_) => (self.state.refuse(from, number, &moving, now), None),
        }
    }

    fn has_room_for(&mut self, body: &Bytes) -> bool {
        body.len() <= MOVED_SIZE_BYTES_MAX && self.has_room(Adds::Messages, body.len())
    }

    /// The body of a command that is sent again. May read the disk.
    ///
    /// Records of which one can't be read, or is gone because its log was deleted or trimmed, are
    /// sent without a body. The other shard then refuses them, and those that still exist return to
    /// their place.
    pub(super) fn body_of(&self, command: &LinkCommand) -> Option<Bytes> {
        let LinkCommand::Move(moving) = command else {
            return None;
        };
        self.read_moving(moving).unwrap_or_else(|error| {
            let from = moving.from;
            let partition = PartitionId::new(from.log, from.partition);
            tracing::warn!(
                %error, %partition, offset = %from.offset,
                "can't read records that are to be moved; they stay in their place"
            );
            None
        })
    }

    fn read_moving(&self, moving: &MovingRun) -> Result<Option<Bytes>, Failure> {
        let (from, count) = (moving.from, moving.run.count);
        let partition = PartitionId::new(from.log, from.partition);
        let state = self.state.logs.partition(partition);
        if state.is_none_or(|state| from.offset < state.start) {
            return Ok(None);
        }
        let end = from.run(count).end();
        let slices = self.slices(partition, from.offset, end);
        let stored = resolve_blocking(&slices).map_err(unreadable)?;
        let held = records_of(stored, from.offset, from.plus(count - 1).offset);
        let batch = moved_again(from, &held.messages, &moving.run)?;
        match held.broken.first() {
            Some(broken) if batch.is_none() => Err(unreadable(&broken.error)),
            _ => Ok(batch.map(Batch::into_bytes)),
        }
    }
}

/// The size of the smallest body.
fn smallest_of(run: &MovedRun) -> u64 {
    let sizes = run.schedules().map(|schedule| schedule.body_bytes);
    sizes
        .map(|bytes| bytes.unwrap_or(0).into())
        .min()
        .unwrap_or(0)
}
