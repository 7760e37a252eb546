//! When to send a heartbeat, and when to consider the client gone.
//!
//! Pure: the caller passes the time. Both peers send something at least once per interval; a peer
//! that is silent for two intervals is gone (specification, section 4.2.7).

use std::time::Duration;

use tokio::time::Instant;

/// The timers of one connection.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    /// `None`: heartbeats are disabled.
    interval: Option<Duration>,
    received: Instant,
    sent: Instant,
}

/// The action that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    /// Send a heartbeat.
    Send,
    /// The client has missed two heartbeats.
    Gone,
}

impl Heartbeat {
    pub(crate) fn new(interval_s: u16, now: Instant) -> Self {
        Self {
            interval: (interval_s > 0).then(|| Duration::from_secs(u64::from(interval_s))),
            received: now,
            sent: now,
        }
    }

    pub(crate) fn received(&mut self, now: Instant) {
        self.received = now;
    }

    pub(crate) fn sent(&mut self, now: Instant) {
        self.sent = now;
    }

    /// The earliest time when something can be due.
    pub(crate) fn next(&self) -> Option<Instant> {
        let interval = self.interval?;
        Some((self.sent + interval / 2).min(self.received + interval * 2))
    }

    /// What is due at `now`.
    pub(crate) fn due(&self, now: Instant) -> Due {
        let Some(interval) = self.interval else {
            return Due::Nothing;
        };
        if now >= self.received + interval * 2 {
            Due::Gone
        } else if now >= self.sent + interval / 2 {
            Due::Send
        } else {
            Due::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_client_is_gone_after_two_intervals() {
        let start = Instant::now();
        let after = |s| start + Duration::from_secs(s);
        let mut heartbeat = Heartbeat::new(10, start);
        assert_eq!(heartbeat.due(after(4)), Due::Nothing);
        assert_eq!(heartbeat.next(), Some(after(5)));
        assert_eq!(heartbeat.due(after(5)), Due::Send);
        heartbeat.sent(after(18));
        assert_eq!(heartbeat.due(after(19)), Due::Nothing);
        assert_eq!(heartbeat.next(), Some(after(20)));
        assert_eq!(heartbeat.due(after(20)), Due::Gone);
        heartbeat.received(after(19));
        assert_eq!(heartbeat.due(after(20)), Due::Nothing);
    }

    #[test]
    fn without_an_interval_nothing_is_ever_due() {
        let start = Instant::now();
        let heartbeat = Heartbeat::new(0, start);
        assert_eq!(heartbeat.next(), None);
        assert_eq!(
            heartbeat.due(start + Duration::from_secs(1 << 20)),
            Due::Nothing
        );
    }
}
