//! How long records have been here, independently of their timestamps.
//!
//! Retention by age uses the records' timestamps, which their producers choose. A record that
//! arrives with an old timestamp would be removed within a second, before its consumer could read
//! it (Kafka checks age only every five minutes). So retention by age applies only to records that
//! were here at an earlier check, a grace period ago.

use std::cmp::min;

use hashbrown::HashMap;
use stele_base_types::{LogId, Offset, PartitionId, Timestamp};

use crate::limits::AGE_GRACE_MS;

/// When the records of each partition were first seen. Not kept on disk: after a start, the grace
/// period begins again.
#[derive(Debug, Default)]
pub(super) struct Arrivals(HashMap<PartitionId, Arrival>);

#[derive(Debug)]
struct Arrival {
    /// Records below this have been here for the grace period.
    aged: Offset,
    /// Records below this were here at `at`.
    seen: Offset,
    at: Timestamp,
}

impl Arrivals {
    /// Notes that `partition` has records up to `end`. Returns the offset below which records have
    /// been here long enough for a log that keeps them for `age_ms_max`.
    pub(super) fn note(
        &mut self,
        partition: PartitionId,
        end: Offset,
        age_ms_max: u64,
        now: Timestamp,
    ) -> Offset {
        let arrival = self.0.entry(partition).or_insert(Arrival {
            aged: Offset::ZERO,
            seen: end,
            at: now,
        });
        if now.since_ms(arrival.at) >= min(age_ms_max, AGE_GRACE_MS) {
            arrival.aged = arrival.seen;
            arrival.seen = end;
            arrival.at = now;
        }
        arrival.aged
    }

    /// Forgets deleted logs.
    pub(super) fn retain(&mut self, is_there: impl Fn(LogId) -> bool) {
        self.0.retain(|partition, _| is_there(partition.log));
    }
}

#[cfg(test)]
mod tests {
    use stele_base_types::PartitionIndex;

    use super::*;

    const HERE: PartitionId = PartitionId {
        log: LogId(0),
        index: PartitionIndex(0),
    };

    #[test]
    fn a_record_is_a_newcomer_for_the_grace() {
        let mut arrivals = Arrivals::default();
        let mut note = |end, now| arrivals.note(HERE, Offset(end), u64::MAX, Timestamp(now)).0;
        assert_eq!(note(5, 0), 0);
        assert_eq!(note(7, AGE_GRACE_MS as i64 - 1), 0);
        assert_eq!(note(8, AGE_GRACE_MS as i64), 5);
        assert_eq!(note(8, 2 * AGE_GRACE_MS as i64), 8);
    }

    #[test]
    fn a_log_that_keeps_records_for_less_has_a_shorter_grace() {
        let mut arrivals = Arrivals::default();
        let mut note = |end, now| arrivals.note(HERE, Offset(end), 1_000, Timestamp(now)).0;
        assert_eq!(note(5, 0), 0);
        assert_eq!(note(5, 1_000), 5);
    }
}
