//! The state of a shard, and the two functions on it.

use serde::{Deserialize, Serialize};
use stele_base_types::{ProcessEpoch, ProducerEpoch, ProducerId, Timestamp};

use crate::{Catalogue, Command, Decision, Durability, Error, Groups, Logs, Record, Reply};

/// All that a shard knows. Serialised as a snapshot.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// Definitions; filled on shard 0 alone.
    pub catalogue: Catalogue,
    /// The shard's logs.
    pub logs: Logs,
    /// The shard's groups.
    pub groups: Groups,
    pub(crate) producer_next: ProducerId,
    /// The latest instant that a record bears.
    pub(crate) latest: Timestamp,
}

impl State {
    /// What a command changes and is answered with. Pure.
    pub fn decide(&self, command: Command, now: Timestamp) -> Decision {
        match command {
            Command::Catalogue(command) => self.catalogue.decide(command, now),
            Command::Append(append) => self.logs.append(append, now),
            Command::Log(log, command) => self.logs.decide(log, command, now),
            Command::Group(group, command) => self.groups.decide(group, command, now),
            Command::InitProducer { current } => self.init_producer(current),
            Command::Committed(ends) => self.logs.committed(&ends),
            Command::SessionClosed(session) => self.logs.session_closed(session),
            Command::CleanUp => self.logs.clean_up(now),
            Command::Dispatch(log) => self.logs.dispatch(log, now),
            Command::Tick => self.tick(now),
            Command::Recover(epoch) => self.recover(epoch, now),
        }
    }

    /// Makes a change. The same records in the same order make the same state, live or replayed.
    pub fn apply(&mut self, record: &Record) {
        self.latest = self.latest.max(record.at().unwrap_or(self.latest));
        match record {
            Record::Log(log, record) => self.logs.apply(*log, record),
            Record::Group(group, record) => self.groups.apply(group, record),
            Record::Catalogue(record) => self.catalogue.apply(record),
            Record::ProducerIds(next) => self.producer_next = *next,
            Record::Recovered(epoch) => {
                self.logs.recovered(*epoch);
                self.groups.recovered();
            }
            Record::SessionEnded(session) => self.logs.apply_session_ended(*session),
            Record::SessionForgotten(session) => self.logs.apply_session_forgotten(*session),
            Record::Committed(partition, end) => self.logs.apply_committed(*partition, *end),
            Record::Appended { .. } => self.logs.apply_appended(record),
        }
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

    /// When [`Command::Tick`] has something to do.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        [self.logs.next_deadline(), self.groups.next_deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// The epoch first, then what went with the former process, some at a time.
    fn recover(&self, epoch: ProcessEpoch, now: Timestamp) -> Decision {
        if self.logs.epoch() < epoch {
            return self.logs.recover(epoch, now);
        }
        self.drop_fleeting()
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

    fn tick(&self, now: Timestamp) -> Decision {
        let decision = self.logs.tick(now);
        if decision.is_nothing() {
            self.groups.tick(now)
        } else {
            decision
        }
    }

    fn init_producer(&self, current: Option<(ProducerId, ProducerEpoch)>) -> Decision {
        match current {
            Some((id, _)) if id >= self.producer_next => Decision::refuse(Error::UnknownProducer),
            Some((id, epoch)) if epoch.0 < i16::MAX - 1 => {
                Decision::reply(Reply::Producer(id, ProducerEpoch(epoch.0 + 1)))
            }
            _ => Decision::change(
                Record::ProducerIds(ProducerId(self.producer_next.0 + 1)),
                Reply::Producer(self.producer_next, ProducerEpoch(0)),
                Durability::Synced,
            ),
        }
    }
}
