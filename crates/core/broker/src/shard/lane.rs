//! Commands from shard to shard: logs are defined by shard 0, and held by their own shard.

use std::sync::Arc;

use stele_base_types::{LogId, ShardId};
use stele_core_engine::{CloseLog, DeleteLog, OpenLog, UndefineLog};

use super::Shard;
use crate::mailbox::Mailbox;

/// Commands to a shard from the others, besides the requests of fronts: rare, and taken up first.
pub type Lane = Arc<Mailbox<LaneCommand>>;

/// What one shard has another do.
#[derive(Clone, Copy, Debug)]
pub enum LaneCommand {
    /// Take up a log, or what it is from now on.
    Open(OpenLog),
    /// Drop a log.
    Close(CloseLog),
    /// Forget that a log was closed.
    Undefine(UndefineLog),
    /// Remove a log's definition.
    Delete(DeleteLog),
}

impl Shard {
    /// Hands a command to the shard that has the log. In the lane it comes before every request
    /// that a front sends after it has heard of the change.
    pub(super) fn tell_owner(&mut self, log: LogId, command: LaneCommand) {
        self.tell_shard(self.shard_of(log), command);
    }

    /// The last consumer of an auto-delete log has gone, or its deletion was cut short.
    pub(super) fn delete_definition(&mut self, log: LogId) {
        self.tell_shard(ShardId(0), LaneCommand::Delete(DeleteLog { log }));
    }

    pub(super) fn obey(&mut self, command: LaneCommand) {
        match command {
            LaneCommand::Open(open) => self.tell(open),
            LaneCommand::Close(close) => self.tell(close),
            LaneCommand::Undefine(undefine) => self.tell(undefine),
            LaneCommand::Delete(delete) => self.tell(delete),
        }
    }

    fn tell_shard(&mut self, shard: ShardId, command: LaneCommand) {
        if shard == self.id {
            self.obey(command);
        } else {
            self.lanes[usize::from(shard.0)].push(command);
        }
    }
}
