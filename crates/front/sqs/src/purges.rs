//! The times of recent purges: each queue can be purged once in an interval, which is a minute in
//! AWS.

use std::{sync::Arc, time::Duration};

use hashbrown::HashMap;
use parking_lot::Mutex;
use stele_base_types::{LogId, Timestamp};

/// The recent purges over all ports. A restart forgets them, which allows one purge too many.
#[derive(Clone, Debug, Default)]
pub struct Purges {
    last: Arc<Mutex<HashMap<LogId, Timestamp>>>,
}

impl Purges {
    /// Records a purge, unless the queue has been purged within the interval.
    pub(crate) fn begin(&self, log: LogId, now: Timestamp, interval: Duration) -> bool {
        let mut last = self.last.lock();
        last.retain(|_, purged| u128::from(now.since_ms(*purged)) < interval.as_millis());
        last.insert(log, now).is_none_or(|earlier| {
            last.insert(log, earlier);
            false
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_queue_can_be_purged_once_a_minute() {
        let purges = Purges::default();
        let at = |log, ms| purges.begin(LogId(log), Timestamp(ms), MINUTE);
        assert!(at(1, 0));
        assert!(at(2, 1));
        assert!(!at(1, 30_000));
        assert!(!at(1, 59_999));
        assert!(at(1, 60_000));
        assert!(at(2, 60_001));
        assert_eq!(purges.last.lock().len(), 2);
    }

    #[test]
    fn no_interval_allows_any_purge() {
        let purges = Purges::default();
        for _ in 0..3 {
            assert!(purges.begin(LogId(1), Timestamp(0), Duration::ZERO));
        }
    }
}
