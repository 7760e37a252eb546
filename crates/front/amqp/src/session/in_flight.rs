//! Publishes without a reply from the broker.
//!
//! A batch of publishes is sent to the broker with one tag; the reply is the outcome of all of
//! them. Tags are consecutive, so a queue serves as the map.

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::ChannelId;

/// A publish to be confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ToConfirm {
    /// The channel and its generation.
    pub(crate) channel: ChannelId,
    /// The publish's number on the channel.
    pub(crate) number: u64,
}

/// The publishes of a batch to be confirmed.
pub(crate) type ToConfirms = SmallVec<[ToConfirm; 4]>;

/// Batches in progress.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    /// The tag of the oldest batch in `batches`.
    first: u64,
    /// `None` after the reply.
    batches: VecDeque<Option<ToConfirms>>,
}

impl InFlight {
    /// Tags a batch.
    pub(crate) fn push(&mut self, batch: ToConfirms) -> u64 {
        self.batches.push_back(Some(batch));
        self.first + self.batches.len() as u64 - 1
    }

    /// Takes the publishes of the batch with that tag.
    pub(crate) fn take(&mut self, tag: u64) -> ToConfirms {
        let batch = tag
            .checked_sub(self.first)
            .and_then(|index| self.batches.get_mut(usize::try_from(index).ok()?))
            .and_then(Option::take);
        while let Some(None) = self.batches.front() {
            self.batches.pop_front();
            self.first += 1;
        }
        batch.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(number: u64) -> ToConfirms {
        let channel = ChannelId { number: 1, life: 1 };
        SmallVec::from_iter([ToConfirm { channel, number }])
    }

    #[test]
    fn answers_may_come_in_any_order_and_count_once() {
        let mut in_flight = InFlight::default();
        let tags: Vec<u64> = (1..=3)
            .map(|number| in_flight.push(batch(number)))
            .collect();
        assert_eq!(in_flight.take(tags[1]), batch(2));
        assert!(in_flight.take(tags[1]).is_empty());
        assert_eq!(in_flight.take(tags[0]), batch(1));
        assert_eq!(in_flight.push(batch(4)), tags[2] + 1);
        assert_eq!(in_flight.take(tags[2]), batch(3));
        assert_eq!(in_flight.take(tags[2] + 1), batch(4));
        assert!(in_flight.batches.is_empty());
    }
}
