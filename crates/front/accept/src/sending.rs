//! Data being sent to a client: how long it may stay unread.

use std::time::Duration;

use stele_core_broker::{Kind, Memory};
use tokio::time::{Instant, sleep_until};

use crate::Progress;

/// After this time, slices still to be sent are copied, so that they don't keep the blocks that
/// contain them in memory.
pub const SLICES_COPIED_AFTER: Duration = Duration::from_secs(1);

/// Slices up to this size are copied. Larger ones are most of their blocks.
pub const COPIED_SLICE_BYTES_MAX: usize = 1024 * 1024;

/// How long a client may read almost nothing while memory for responses is short. Long enough for
/// the retransmission of a packet.
const STALL_WHEN_SHORT: Duration = Duration::from_secs(2);

/// The progress of a client's reading.
#[derive(Clone, Copy, Debug)]
pub struct Sending {
    /// When it read the last byte.
    taken_at: Instant,
    sent_bytes: u64,
    progress: Progress,
}

impl Sending {
    /// Starts when data is to be written and nothing has been read.
    pub fn new() -> Self {
        Self {
            taken_at: Instant::now(),
            sent_bytes: 0,
            progress: Progress::new(),
        }
    }

    /// Records that the client has read more bytes.
    pub fn sent(&mut self, bytes: u64) {
        self.taken_at = Instant::now();
        self.sent_bytes += bytes;
        self.progress.note(self.sent_bytes);
    }

    /// Returns once the client has timed out: it has read nothing for `calm`, or too little while
    /// others wait for memory.
    pub async fn stalled(&self, memory: &Memory, calm: Duration) {
        let calm = self.taken_at + calm;
        let short = self.progress.since() + STALL_WHEN_SHORT;
        sleep_until(short.min(calm)).await;
        tokio::select! {
            () = memory.pressed(Kind::Responses) => {}
            () = memory.pressed(Kind::SmallResponses) => {}
            () = sleep_until(calm) => {}
        }
    }
}

impl Default for Sending {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: Duration = Duration::from_secs(30);

    /// How long to wait for a client that reads `bytes` per second.
    async fn patience(memory: &Memory, bytes: u64) -> Option<u64> {
        let mut sending = Sending::new();
        let begun = Instant::now();
        for _ in 0..100 {
            tokio::select! {
                biased;
                () = sending.stalled(memory, CALM) => return Some(begun.elapsed().as_secs()),
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
            if bytes > 0 {
                sending.sent(bytes);
            }
        }
        None
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_has_less_time_where_memory_is_short_and_a_byte_now_and_then_is_too_little() {
        let memory = Memory::new(1 << 20);
        assert_eq!(patience(&memory, 0).await, Some(CALM.as_secs()));
        assert_eq!(patience(&memory, 1).await, None);
        let _others = memory.note(Kind::Responses, 1 << 20);
        let short = STALL_WHEN_SHORT.as_secs();
        assert_eq!(patience(&memory, 0).await, Some(short));
        assert_eq!(patience(&memory, 1).await, Some(short));
        assert_eq!(patience(&memory, 64 * 1024).await, None);
    }
}
