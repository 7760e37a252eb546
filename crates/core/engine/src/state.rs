//! The state of a shard, and what the shard decides on by itself. Commands are each in a file of
//! their own.

use stele_base_types::{
    LogId, Offset, PartitionId, ProcessEpoch, ProducerId, SessionId, Timestamp,
};

use crate::{Catalogue, Decision, Groups, Links, Logs, Record, link::Topology};

/// All that a shard knows. A snapshot has it in parts ([`crate::StatePart`]).
#[derive(Debug, Default)]
pub struct State {
    /// Definitions; filled on shard 0 alone.
    pub catalogue: Catalogue,
    /// The shard's logs.
    pub logs: Logs,
    /// The shard's groups.
    pub groups: Groups,
    pub(crate) producer_next: ProducerId,
    /// The shard's links to the others.
    pub links: Links,
    pub(crate) topology: Topology,
    /// The latest instant that a record bears.
    pub(crate) latest: Timestamp,
}

impl State {
    /// Makes a change. The same records in the same order make the same state, live or replayed.
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

    /// Tells which shard this is, and of how many; to be told before anything is decided.
    pub fn set_topology(&mut self, topology: Topology) {
        self.topology = topology;
    }

    /// The epoch for the process that starts on this state: larger than that of every number given
    /// out before.
    pub fn next_epoch(&self) -> ProcessEpoch {
        self.logs.next_epoch()
    }

    /// An instant that no record is later than: where the time of the process goes on from.
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

    /// A process of this epoch begins: what went with the former one is dropped. The first decision
    /// after a replay; the shard repeats it until one holds nothing.
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

    /// The process is about to end, and hands nothing out any more.
    pub fn stop(&self) -> Decision {
        Decision::record(Record::Stopped)
    }

    /// The durable end of partitions has moved: records before it may be shown.
    pub fn committed(&self, ends: &[(PartitionId, Offset)]) -> Decision {
        self.logs.committed(ends)
    }

    /// A session has ended: its waits and consumers go, and what it leases returns, by the
    /// [`State::clean_up`]s that follow.
    pub fn session_closed(&self, session: SessionId) -> Decision {
        self.logs.session_closed(session)
    }

    /// One step, or one run, of what sessions that have gone have left, or of what is being
    /// cleared. The shard repeats it for as long as [`Logs::has_leavings`].
    pub fn clean_up(&self, now: Timestamp) -> Decision {
        self.send(self.logs.clean_up(now), now)
    }

    /// Some of what a closed log has left, who waits for it being told. The shard repeats it for as
    /// long as [`Logs::has_closing`].
    pub fn sweep(&self) -> Decision {
        self.logs.sweep()
    }

    /// A log may have deliveries to make: leases one run to one consumer. The shard repeats it
    /// until a decision holds nothing; [`Logs::dispatchable`] names the logs that have some to
    /// make.
    pub fn dispatch(&self, log: LogId, now: Timestamp) -> Decision {
        self.send(self.logs.dispatch(log, now), now)
    }

    /// Time has passed: one deadline's worth of work. The shard repeats it until a decision holds
    /// nothing, and asks again at [`State::next_deadline`].
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
