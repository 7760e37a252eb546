//! Sending commands over links, taking them, and executing them.

use stele_base_types::{LogId, ShardId, Timestamp};

use super::{LinkCommand, LinkNumber, LinkRecord};
use crate::{
    Command, Decision, Durability, Logs, MoveEnd, MovedRun, MovingRun, OpenLog, Record, State,
    TakenBy,
};

impl State {
    /// Takes a command from another shard.
    pub fn take(
        &self,
        from: ShardId,
        number: LinkNumber,
        command: LinkCommand,
        now: Timestamp,
    ) -> Decision {
        self.take_by(from, number, now, || self.carry_out(command, now))
    }

    /// Takes the first of the records that another shard moves here, as `first` has them, and
    /// refuses the rest.
    pub fn take_first(
        &self,
        from: ShardId,
        number: LinkNumber,
        moving: &MovingRun,
        first: &MovedRun,
        now: Timestamp,
    ) -> Decision {
        self.take_by(from, number, now, || self.take_in(moving, first, now))
    }

    /// Refuses a move from another shard, because the records' bodies are gone or there is no space
    /// for them.
    pub fn refuse(
        &self,
        from: ShardId,
        number: LinkNumber,
        moving: &MovingRun,
        now: Timestamp,
    ) -> Decision {
        let refused = LinkCommand::MoveEnded(MoveEnd {
            from: moving.from,
            count: moving.run.count,
            taken: TakenBy::None,
        });
        self.take_by(from, number, now, || Decision::nothing().sending(refused))
    }

    fn take_by(
        &self,
        from: ShardId,
        number: LinkNumber,
        now: Timestamp,
        carry_out: impl FnOnce() -> Decision,
    ) -> Decision {
        if !self.links.is_next(from, number) {
            // It was taken before, or an earlier one is missing, after which it is sent again.
            return Decision::nothing();
        }
        let taken = Record::Link(LinkRecord::Taken { from });
        self.send(Decision::record(taken).and(carry_out()), now)
    }

    /// Another shard has the commands up to this one on disk.
    pub fn acknowledged(&self, by: ShardId, through: LinkNumber) -> Decision {
        if through <= self.links.acknowledged(by) {
            return Decision::nothing();
        }
        Decision::record(Record::Link(LinkRecord::Acknowledged { by, through }))
    }

    /// Has the definition of a closed log removed, if its deletion had got no further.
    pub fn finish_deletion(&self, log: LogId, now: Timestamp) -> Decision {
        let undefine = LinkCommand::Undefine { log };
        self.send(Decision::nothing().sending(undefine), now)
    }

    /// Turns the commands to be sent into records: a command to another shard into a `Sent`, one to
    /// this shard into its results.
    pub(crate) fn send<R>(&self, mut decision: Decision<R>, now: Timestamp) -> Decision<R> {
        while let Some(command) = decision.sends.pop() {
            decision.durability = Durability::Synced;
            let to = self.topology.shard_of(&command);
            if to == self.topology.own {
                decision = decision.and(self.carry_out(command, now));
                continue;
            }
            // A log is open on its shard before its definition becomes visible.
            let is_first = matches!(command, LinkCommand::Open { .. });
            let at = if is_first { 0 } else { decision.records.len() };
            let sent = Record::Link(LinkRecord::Sent { to, command });
            decision.records.insert(at, sent);
        }
        decision
    }

    fn carry_out(&self, command: LinkCommand, now: Timestamp) -> Decision {
        match command {
            LinkCommand::Open { log, config } => {
                // It is refused only if the log is being deleted.
                let opened = OpenLog { log, config }.decide(self, now);
                opened.unwrap_or_else(|_| Decision::nothing())
            }
            LinkCommand::Undefine { log } => {
                let undefined = self.catalogue.undefine(log);
                if self.topology.owner(log) == self.topology.own {
                    undefined.and(Decision::record(Logs::undefined(log)))
                } else {
                    undefined.sending(LinkCommand::Forget { log })
                }
            }
            LinkCommand::Forget { log } => self.logs.forget(log),
            LinkCommand::MoveCursor { log, group, moves } => {
                self.logs.move_cursor(log, group, moves)
            }
            LinkCommand::Move(moving) => self.take_in(&moving, &moving.run, now),
            LinkCommand::MoveEnded(end) => self.logs.end_move(&end),
            LinkCommand::Moved(from) => self.logs.end_move(&MoveEnd::of_one(from, TakenBy::All)),
            LinkCommand::MoveRefused(from) => {
                self.logs.end_move(&MoveEnd::of_one(from, TakenBy::None))
            }
            LinkCommand::Commit(part) => self.commit_part(*part, now),
        }
    }
}
