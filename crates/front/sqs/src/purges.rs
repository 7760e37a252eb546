//! When queues were purged: each can be once a minute.

use hashbrown::HashMap;
use parking_lot::Mutex;
use stele_base_types::{LogId, Timestamp};

use crate::limits::PURGE_INTERVAL_MS;

/// The purges of the last minute. A restart forgets them, which allows one purge too many.
#[derive(Debug, Default)]
pub(crate) struct Purges {
    last: Mutex<HashMap<LogId, Timestamp>>,
}

impl Purges {
    /// Notes a purge, if the queue hasn't had one in the last minute.
    pub(crate) fn begin(&self, log: LogId, now: Timestamp) -> bool {
        let mut last = self.last.lock();
        last.retain(|_, purged| now.since_ms(*purged) < PURGE_INTERVAL_MS);
        last.insert(log, now).is_none_or(|earlier| {
            last.insert(log, earlier);
            false
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_can_be_purged_once_a_minute() {
        let purges = Purges::default();
        let at = Timestamp;
        assert!(purges.begin(LogId(1), at(0)));
        assert!(purges.begin(LogId(2), at(1)));
        assert!(!purges.begin(LogId(1), at(30_000)));
        assert!(!purges.begin(LogId(1), at(59_999)));
        assert!(purges.begin(LogId(1), at(60_000)));
        assert!(purges.begin(LogId(2), at(60_001)));
        assert_eq!(purges.last.lock().len(), 2);
    }
}
