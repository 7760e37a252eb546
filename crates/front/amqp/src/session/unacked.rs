//! Unacknowledged deliveries of a channel.

use std::collections::BTreeMap;

use stele_base_types::{ConsumerId, LogId, Offset, PartitionId, PartitionIndex};
use stele_core_broker::LeasedMessage;
use stele_core_engine::{LeaseId, SettleItem};
use tokio::time::Instant;

/// The lease of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unacked {
    /// The queue's log.
    pub(crate) log: LogId,
    /// The record's partition.
    pub(crate) partition: PartitionIndex,
    /// The record.
    pub(crate) offset: Offset,
    /// The lease.
    pub(crate) lease: LeaseId,
    /// Whether it was sent to a consumer and counts against the channel's limit. Messages from
    /// `basic.get` don't count.
    pub(crate) is_counted: bool,
    /// The consumer that read it without leasing it, whose credit it uses.
    pub(crate) read_by: Option<ConsumerId>,
}

impl Unacked {
    /// The lease of a message that doesn't count.
    pub(crate) fn of(log: LogId, message: &LeasedMessage) -> Self {
        Self {
            log,
            partition: message.partition,
            offset: message.lease.offset,
            lease: message.lease.lease,
            is_counted: false,
            read_by: None,
        }
    }

    /// A message that a consumer has read.
    pub(crate) fn read(partition: PartitionId, offset: Offset, consumer: ConsumerId) -> Self {
        Self {
            log: partition.log,
            partition: partition.index,
            offset,
            lease: LeaseId(0),
            is_counted: false,
            read_by: Some(consumer),
        }
    }

    /// The lease in a settlement.
    pub(crate) fn item(&self) -> SettleItem {
        SettleItem {
            partition: self.partition,
            offset: self.offset,
            lease: Some(self.lease),
        }
    }
}

/// The first record that a consumer has read, of those given.
pub(crate) fn first_read<'a>(
    unacked: impl IntoIterator<Item = &'a Unacked>,
    consumer: ConsumerId,
) -> Option<Offset> {
    let unacked = unacked.into_iter();
    let read = unacked.filter(|unacked| unacked.read_by == Some(consumer));
    read.map(|unacked| unacked.offset).min()
}

/// Deliveries by tag. Tags count from 1 over all deliveries of the channel, including those that
/// are settled when sent.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    last: u64,
    unacked: BTreeMap<u64, Sent>,
    /// The number of deliveries that count against the limit, per log and in total.
    counted_of: BTreeMap<LogId, usize>,
    counted: usize,
}

/// A delivery and when it was sent.
#[derive(Clone, Copy, Debug)]
struct Sent {
    unacked: Unacked,
    at: Instant,
}

impl Deliveries {
    /// The tag of a delivery that needs no acknowledgement.
    pub(crate) fn settled(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// The tag of a delivery that must be acknowledged.
    pub(crate) fn leased(&mut self, unacked: Unacked, now: Instant) -> u64 {
        let tag = self.settled();
        self.restore(tag, unacked, now);
        tag
    }

    /// The log of the oldest one, and when it was sent.
    pub(crate) fn oldest(&self) -> Option<(LogId, Instant)> {
        let (_, oldest) = self.unacked.first_key_value()?;
        Some((oldest.unacked.log, oldest.at))
    }

    /// The first record that a consumer has read and the client hasn't settled.
    pub(crate) fn first_read(&self, consumer: ConsumerId) -> Option<Offset> {
        first_read(self.unacked.values().map(|sent| &sent.unacked), consumer)
    }

    /// The number that counts against the channel's limit.
    pub(crate) fn counted(&self) -> usize {
        self.counted
    }

    /// The same number for each log.
    pub(crate) fn counted_of(&self) -> impl Iterator<Item = (LogId, usize)> + use<'_> {
        self.counted_of.iter().map(|(log, count)| (*log, *count))
    }

    fn count_out(&mut self, unacked: &Unacked) {
        if !unacked.is_counted {
            return;
        }
        self.counted -= 1;
        if let Some(count) = self.counted_of.get_mut(&unacked.log) {
            *count -= 1;
            if *count == 0 {
                self.counted_of.remove(&unacked.log);
            }
        }
    }

    /// Takes the deliveries that `tag` names: itself, with `multiple` all up to it, with `multiple`
    /// and 0 all. `None` if there is no such delivery. `multiple` with 0 may match none.
    pub(crate) fn take(&mut self, tag: u64, multiple: bool) -> Option<Vec<(u64, Unacked)>> {
        if !multiple {
            let Sent { unacked, .. } = self.unacked.remove(&tag)?;
            self.count_out(&unacked);
            return Some(vec![(tag, unacked)]);
        }
        if tag == 0 {
            return Some(self.take_all());
        }
        // The tag must have been issued. It may be settled already, if an earlier one is open (as
        // in RabbitMQ).
        if tag > self.last {
            return None;
        }
        let later = self.unacked.split_off(&(tag + 1));
        let taken = std::mem::replace(&mut self.unacked, later);
        let taken: Vec<_> = taken
            .into_iter()
            .map(|(tag, sent)| (tag, sent.unacked))
            .collect();
        taken.iter().for_each(|(_, taken)| self.count_out(taken));
        (!taken.is_empty()).then_some(taken)
    }

    /// Takes all deliveries.
    pub(crate) fn take_all(&mut self) -> Vec<(u64, Unacked)> {
        self.counted = 0;
        self.counted_of.clear();
        let taken = std::mem::take(&mut self.unacked).into_iter();
        taken.map(|(tag, sent)| (tag, sent.unacked)).collect()
    }

    /// Puts back a delivery that was taken, as if it was sent now.
    pub(crate) fn restore(&mut self, tag: u64, unacked: Unacked, now: Instant) {
        if unacked.is_counted {
            self.counted += 1;
            *self.counted_of.entry(unacked.log).or_default() += 1;
        }
        self.unacked.insert(tag, Sent { unacked, at: now });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn deliveries(count: u64) -> Deliveries {
        let mut deliveries = Deliveries::default();
        for offset in 1..=count {
            deliveries.leased(
                Unacked {
                    log: LogId(1),
                    partition: PartitionIndex(0),
                    offset: Offset(offset),
                    lease: LeaseId(offset),
                    // The first is from `basic.get`.
                    is_counted: offset > 1,
                    read_by: None,
                },
                now(),
            );
        }
        deliveries
    }

    fn now() -> Instant {
        Instant::now()
    }

    fn offsets(taken: Option<Vec<(u64, Unacked)>>) -> Option<Vec<u64>> {
        taken.map(|taken| taken.iter().map(|(_, unacked)| unacked.offset.0).collect())
    }

    #[test]
    fn what_consumers_were_sent_is_counted_until_it_is_taken() {
        let mut deliveries = deliveries(6);
        assert_eq!(deliveries.counted(), 5);
        let taken = deliveries.take(2, false).unwrap();
        assert_eq!(deliveries.counted(), 4);
        deliveries.restore(taken[0].0, taken[0].1, now());
        assert_eq!(deliveries.counted(), 5);
        deliveries.take(3, true);
        assert_eq!(deliveries.counted(), 3);
        deliveries.take_all();
        assert_eq!(deliveries.counted(), 0);
    }

    #[test]
    fn the_oldest_is_the_first_that_is_left() {
        let mut deliveries = Deliveries::default();
        assert_eq!(deliveries.oldest(), None);
        let start = now();
        for tag in 1..=3 {
            let unacked = Unacked {
                log: LogId(tag),
                partition: PartitionIndex(0),
                offset: Offset(tag),
                lease: LeaseId(tag),
                is_counted: true,
                read_by: None,
            };
            deliveries.leased(unacked, start + Duration::from_secs(tag));
        }
        let oldest =
            |deliveries: &Deliveries| deliveries.oldest().map(|(log, at)| (log.0, at - start));
        assert_eq!(oldest(&deliveries), Some((1, Duration::from_secs(1))));
        deliveries.take(1, false);
        assert_eq!(oldest(&deliveries), Some((2, Duration::from_secs(2))));
        deliveries.take(3, true);
        assert_eq!(oldest(&deliveries), None);
    }

    #[test]
    fn a_tag_is_taken_once() {
        let mut deliveries = deliveries(3);
        assert_eq!(offsets(deliveries.take(2, false)), Some(vec![2]));
        assert_eq!(deliveries.take(2, false), None);
        assert_eq!(deliveries.take(4, false), None);
        assert_eq!(deliveries.take(0, false), None);
    }

    #[test]
    fn multiple_takes_everything_up_to_the_tag() {
        let mut deliveries = deliveries(4);
        deliveries.take(2, false);
        assert_eq!(offsets(deliveries.take(3, true)), Some(vec![1, 3]));
        assert_eq!(deliveries.take(3, true), None);
        assert_eq!(offsets(deliveries.take(4, true)), Some(vec![4]));
    }

    #[test]
    fn multiple_with_zero_takes_all_there_is_and_may_be_none() {
        let mut deliveries = deliveries(2);
        assert_eq!(offsets(deliveries.take(0, true)), Some(vec![1, 2]));
        assert_eq!(offsets(deliveries.take(0, true)), Some(Vec::new()));
    }

    #[test]
    fn a_tag_that_was_never_given_out_is_unknown() {
        let mut deliveries = deliveries(1);
        assert_eq!(deliveries.take(u64::MAX, true), None);
        assert_eq!(deliveries.take(2, true), None);
        assert_eq!(offsets(deliveries.take(1, true)), Some(vec![1]));
    }

    #[test]
    fn settled_deliveries_count_too() {
        let mut deliveries = deliveries(1);
        assert_eq!(deliveries.settled(), 2);
        assert_eq!(deliveries.take(2, false), None);
    }
}
