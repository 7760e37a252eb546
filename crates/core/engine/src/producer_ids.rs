//! Producer ids (KIP-98), assigned by shard 0.

use std::convert::Infallible;

use stele_base_types::{ProducerEpoch, ProducerId, Timestamp};

use crate::{Command, Decision, Durability, Record, State};

/// Requests a new producer id, or the next epoch of the given one, if it was assigned here.
#[derive(Clone, Copy, Debug)]
pub struct InitProducer {
    /// The producer's current id and epoch; `None` for a new producer.
    pub current: Option<(ProducerId, ProducerEpoch)>,
}

impl Command for InitProducer {
    type Reply = (ProducerId, ProducerEpoch);
    type Error = Infallible;

    fn decide(self, state: &State, _now: Timestamp) -> Result<Decision<Self::Reply>, Infallible> {
        let next = state.producer_next;
        match self.current {
            Some((id, epoch)) if id < next && epoch.0 < i16::MAX - 1 => {
                Ok(Decision::reply((id, ProducerEpoch(epoch.0 + 1))))
            }
            _ => Ok(Decision::change(
                Record::ProducerIds(ProducerId(next.0 + 1)),
                (next, ProducerEpoch(0)),
                Durability::Synced,
            )),
        }
    }
}
