//! The state of a shard, and the two functions on it.

use serde::{Deserialize, Serialize};
use stele_base_types::{ProducerEpoch, ProducerId, Timestamp};

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
            Command::SessionClosed(session) => self.logs.session_closed(session, now),
            Command::Dispatch(log) => self.logs.dispatch(log, now),
            Command::Tick => self.tick(now),
            Command::Recover => self.logs.recover(now),
        }
    }

    /// Makes a change. The same records in the same order make the same state, live or replayed.
    pub fn apply(&mut self, record: &Record) {
        match record {
            Record::Log(log, record) => self.logs.apply(*log, record),
            Record::Group(group, record) => self.groups.apply(group, record),
            Record::Catalogue(record) => self.catalogue.apply(record),
            Record::ProducerIds(next) => self.producer_next = *next,
            Record::Recovered => {
                self.logs.recovered();
                self.groups.recovered();
                self.catalogue.recovered();
            }
            Record::SessionClosed(session) => self.logs.apply_session_closed(*session),
            Record::Committed(partition, end) => self.logs.apply_committed(*partition, *end),
            Record::Appended { .. } => self.logs.apply_appended(record),
        }
    }

    /// When [`Command::Tick`] has something to do.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        [self.logs.next_deadline(), self.groups.next_deadline()]
            .into_iter()
            .flatten()
            .min()
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
