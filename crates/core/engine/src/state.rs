//! The state of a shard, and the decisions that the shard makes by itself. Each command has its own
//! file.

use stele_base_types::{
    LogId, Offset, PartitionId, ProcessEpoch, ProducerId, SessionId, Timestamp,
};

use crate::{Catalogue, Decision, Groups, Links, Logs, Record, link::Topology};

/// The state of a shard. Snapshots store it in parts ([`crate::StatePart`]).
#[derive(Debug, Default)]
pub struct State {
    /// The definitions; only filled on shard 0.
    pub catalogue: Catalogue,
    /// The shard's logs.
    pub logs: Logs,
    /// The shard's groups.
    pub groups: Groups,
    pub(crate) producer_next: ProducerId,
    /// The shard's links to the others.
    pub links: Links,
    pub(crate) topology: Topology,
    /// What definitions may take in memory; `None` is no bound.
    pub(crate) definitions_bytes_max: Option<usize>,
    /// The latest time of any applied record.
    pub(crate) latest: Timestamp,
}

impl State {
    /// Applies a change. The same records in the same order produce the same state, live or
    /// replayed.
    pub fn apply(&mut self, record: &Record) {
        self.latest = self.latest.max(record.at().unwrap_or(self.latest));
        match record {
            Record::Log(log, record) => self.logs.apply(*log, record),
            Record::Group(group, record) => self.groups.apply(group, record),
            Record::Catalogue(record) => self.catalogue.apply(record),
            Record::ProducerIds(next) => self.producer_next = *next,
            Record::Link(record) => self.links.apply(record),
            Record::Started(epoch) => {
                self.logs.started(*epoch, self.latest);
                self.groups.started();
            }
            Record::Stopped => self.logs.stopped(),
            Record::SessionEnded(session) => self.logs.apply_session_ended(*session),
            Record::SessionForgotten(session) => self.logs.apply_session_forgotten(*session),
            Record::Committed(partition, end) => self.logs.apply_committed(*partition, *end),
            Record::Appended { .. } => self.logs.apply_appended(record),
        }
    }

    /// Sets which shard this is, and how many there are. Must be called before any decision.
    pub fn set_topology(&mut self, topology: Topology) {
        self.topology = topology;
    }

    /// The epoch for a process that starts with this state: larger than that of any id assigned
    /// before.
    pub fn next_epoch(&self) -> ProcessEpoch {
        self.logs.next_epoch()
    }

    /// No record is later than this: the time of the process continues from here.
    pub fn latest(&self) -> Timestamp {
        self.latest
    }

    /// When [`State::tick`] has something to do.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        [self.logs.next_deadline(), self.groups.next_deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Begins a process with this epoch and drops what doesn't survive the previous one. This is
    /// the first decision after a replay; the shard repeats it until it returns an empty one.
    pub fn recover(&self, epoch: ProcessEpoch, now: Timestamp) -> Decision {
        if self.logs.epoch() < epoch {
            return self.logs.recover(epoch, now);
        }
        self.send(self.drop_fleeting(), now)
    }

    /// Drops some of what doesn't survive the process.
    pub(crate) fn drop_fleeting(&self) -> Decision {
        let decision = self.logs.drop_fleeting();
        if decision.is_nothing() {
            self.catalogue.drop_fleeting()
        } else {
            decision
        }
    }

    /// Stops handing out records, because the process is about to end.
    pub fn stop(&self) -> Decision {
        Decision::record(Record::Stopped)
    }

    /// Notes that partitions are durable up to these ends: records before them become visible.
    pub fn committed(&self, ends: &[(PartitionId, Offset)]) -> Decision {
        self.logs.committed(ends)
    }

    /// Notes that a session has ended. Its waits and consumers are removed and its leases return in
    /// the calls of [`State::clean_up`] that follow.
    pub fn session_closed(&self, session: SessionId) -> Decision {
        self.logs.session_closed(session)
    }

    /// Does one step, or one run, of cleaning up after ended sessions or of clearing logs. The
    /// shard repeats it while [`Logs::has_leavings`].
    pub fn clean_up(&self, now: Timestamp) -> Decision {
        self.send(self.logs.clean_up(now), now)
    }

    /// Removes some of what a closed log has left, and notifies those who waited for it. The shard
    /// repeats it while [`Logs::has_closing`].
    pub fn sweep(&self) -> Decision {
        self.logs.sweep()
    }

    /// Leases one run of a log to one consumer, if there is anything to deliver. The shard repeats
    /// it until it returns an empty decision; [`Logs::dispatchable`] lists the logs with deliveries
    /// to make.
    pub fn dispatch(&self, log: LogId, now: Timestamp) -> Decision {
        self.send(self.logs.dispatch(log, now), now)
    }

    /// Takes some of the oldest ready records out of a queue that has more than it may have, once
    /// its consumers have got what they may. The shard repeats it until it returns an empty
    /// decision.
    pub fn shorten(&self) -> Decision {
        let log = self.logs.too_long();
        log.map_or_else(Decision::nothing, |log| self.logs.shorten(log))
    }

    /// Does what is due at one deadline. The shard repeats it until it returns an empty decision,
    /// and calls it again at [`State::next_deadline`].
    pub fn tick(&self, now: Timestamp) -> Decision {
        let decision = self.logs.tick(now);
        let decision = if decision.is_nothing() {
            self.groups.tick(now)
        } else {
            decision
        };
        self.send(decision, now)
    }
}
