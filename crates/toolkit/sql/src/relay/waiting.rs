//! Messages that couldn't be sent for now: their key waits, longer each time.

use std::{collections::HashMap, time::Duration};

use stele_toolkit_envelope::Timestamp;

const DELAY_MIN: Duration = Duration::from_millis(100);
const DELAY_MAX: Duration = Duration::from_secs(10);

/// What waits. It isn't kept: another relay that takes the lane tries at once.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    keys: HashMap<String, Wait>,
    /// Messages without a key.
    seqs: HashMap<i64, Wait>,
}

#[derive(Clone, Copy, Debug)]
struct Wait {
    until: Timestamp,
    failures: u32,
}

impl Waiting {
    /// A message failed. Those of its key behind it in the same batch failed with it, and count
    /// once.
    pub(super) fn failed(&mut self, seq: i64, key: &str, now: Timestamp) {
        let first = Wait {
            until: now,
            failures: 0,
        };
        let wait = if key.is_empty() {
            self.seqs.entry(seq).or_insert(first)
        } else {
            self.keys.entry(key.to_owned()).or_insert(first)
        };
        if wait.until <= now {
            let delay = DELAY_MIN.saturating_mul(1 << wait.failures.min(16));
            wait.until = now + delay.min(DELAY_MAX);
            wait.failures += 1;
        }
    }

    /// A message was sent, or refused for good.
    pub(super) fn succeeded(&mut self, seq: i64, key: &str) {
        self.seqs.remove(&seq);
        self.keys.remove(key);
    }

    /// Keys whose messages aren't to be read.
    pub(super) fn keys(&self, now: Timestamp) -> impl Iterator<Item = &str> {
        let waits = self.keys.iter().filter(move |(_, wait)| wait.until > now);
        waits.map(|(key, _)| key.as_str())
    }

    /// Messages without a key that aren't to be read.
    pub(super) fn seqs(&self, now: Timestamp) -> impl Iterator<Item = i64> {
        let waits = self.seqs.iter().filter(move |(_, wait)| wait.until > now);
        waits.map(|(seq, _)| *seq)
    }

    /// When the next wait is over.
    pub(super) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let all = self.keys.values().chain(self.seqs.values());
        all.map(|wait| wait.until)
            .filter(|until| *until > now)
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end_with_a_success() {
        let mut waiting = Waiting::default();
        let mut now = Timestamp::UNIX_EPOCH;
        let mut delays = Vec::new();
        for _ in 0..9 {
            waiting.failed(1, "a", now);
            waiting.failed(2, "a", now);
            let next = waiting.next(now).expect("it waits");
            delays.push(next.since(now).as_millis());
            assert_eq!(waiting.keys(now).collect::<Vec<_>>(), ["a"]);
            now = next;
            assert_eq!(waiting.keys(now).count(), 0);
        }
        assert_eq!(
            delays,
            [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]
        );
        waiting.succeeded(1, "a");
        waiting.failed(1, "a", now);
        assert_eq!(waiting.next(now), Some(now + DELAY_MIN));
    }

    #[test]
    fn messages_without_a_key_wait_alone() {
        let mut waiting = Waiting::default();
        let now = Timestamp::UNIX_EPOCH;
        waiting.failed(7, "", now);
        assert_eq!(waiting.keys(now).count(), 0);
        assert_eq!(waiting.seqs(now).collect::<Vec<_>>(), [7]);
        waiting.succeeded(7, "");
        assert_eq!(waiting.seqs(now).count(), 0);
    }
}
