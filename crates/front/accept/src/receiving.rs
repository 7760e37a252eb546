//! A partially received request: its memory and its timeout.

use std::time::Duration;

use stele_core_broker::{Kind, Memory, Share};
use tokio::time::{Instant, sleep_until};

/// How long a request may take from its first byte to its last, plus the time for its size.
const TIME: Duration = Duration::from_secs(30);

/// The minimum transfer rate that determines the time for its size, in bytes per second.
const BYTES_PER_S: f64 = 1_000_000.0;

/// How long a request may make no progress while others wait for the memory it holds. Long enough
/// for a client that collects garbage or gets little of a busy machine.
pub const STILL_WHEN_SHORT: Duration = Duration::from_secs(3);

/// Fewer bytes than this don't count as progress.
const PROGRESS_BYTES: u64 = 64 * 1024;

/// A partially received request.
///
/// Memory is reserved as bytes arrive, so that a client can't block memory by announcing a large
/// size. When no memory is left, several such requests could deadlock. Therefore the whole rest of
/// a request is then reserved at once, when there is room again, or from a pool whose waiters hold
/// no share of it, so that the requests complete one after the other.
#[derive(Debug)]
pub struct Receiving {
    memory: Memory,
    kind: Kind,
    room: Share,
    late: Share,
    begun: Instant,
    progress: Progress,
}

/// Whether bytes are arriving.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    since: Instant,
    bytes: u64,
}

impl Progress {
    /// Starts with no bytes.
    pub fn new() -> Self {
        Self {
            since: Instant::now(),
            bytes: 0,
        }
    }

    /// Records the total number of bytes received.
    pub fn note(&mut self, bytes: u64) {
        if bytes >= self.bytes.saturating_add(PROGRESS_BYTES) {
            *self = Self {
                since: Instant::now(),
                bytes,
            };
        }
    }

    /// When the last progress was made.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    /// Restarts the timeout after a pause in which no bytes could arrive.
    pub fn rest(&mut self) {
        self.since = Instant::now();
    }

    /// Returns once there has been no progress for longer than allowed while others wait.
    pub async fn ceases(&self) {
        sleep_until(self.since + STILL_WHEN_SHORT).await;
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Receiving {
    /// A request that uses memory of this kind.
    pub fn new(memory: Memory, kind: Kind) -> Self {
        Self {
            kind,
            room: memory.note(kind, 0),
            memory,
            late: Share::NONE,
            begun: Instant::now(),
            progress: Progress::new(),
        }
    }

    fn covered(&self) -> usize {
        self.room.bytes() + self.late.bytes()
    }

    /// Reserves memory up to `bytes`. Returns false if there is no room.
    pub fn try_cover(&mut self, bytes: usize) -> bool {
        let missing = bytes.saturating_sub(self.covered());
        missing == 0 || self.room.try_grow(missing)
    }

    /// Waits until memory for the whole request is reserved. The wait doesn't count against the
    /// client's timeout.
    pub async fn cover(&mut self, size_bytes: usize) {
        let missing = size_bytes.saturating_sub(self.covered());
        let waited = Instant::now();
        tokio::select! {
            biased;
            room = self.memory.take(self.kind, missing) => self.room.merge(room),
            late = self.memory.take(self.late_kind(), missing) => self.late = late,
        }
        self.begun += waited.elapsed();
        self.progress.rest();
    }

    /// Lets others have large shares of the memory while the request is worked on.
    pub fn stand_aside(&self) {
        self.room.stand_aside();
        self.late.stand_aside();
    }

    /// Records the number of bytes received.
    pub fn received(&mut self, bytes: usize) {
        self.progress.note(bytes as u64);
    }

    /// Returns once the request, of which `received` bytes have arrived, has timed out.
    pub async fn is_late(&self, received: usize) {
        let for_bytes = Duration::from_secs_f64(received as f64 / BYTES_PER_S);
        let calm = self.begun + TIME + for_bytes;
        self.progress.ceases().await;
        tokio::select! {
            () = self.memory.pressed(self.kind) => {}
            () = self.memory.pressed(self.late_kind()) => {}
            () = sleep_until(calm) => {}
        }
    }

    /// The kind of memory for the rest when there is no room. Unauthenticated clients keep to their
    /// own pool, and at worst wait for each other until one times out.
    fn late_kind(&self) -> Kind {
        match self.kind {
            Kind::UnknownClients => Kind::UnknownClients,
            _ => Kind::LateRequests,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn used(memory: &Memory, kind: &str) -> usize {
        let mut uses = memory.uses();
        uses.find(|it| it.kind == kind).unwrap().used_bytes
    }

    #[tokio::test]
    async fn memory_is_taken_as_bytes_come_and_the_rest_whole_where_there_is_none_left() {
        let memory = Memory::new(100 * MIB);
        let mut first = Receiving::new(memory.clone(), Kind::Requests);
        assert!(first.try_cover(10 * MIB));
        assert_eq!(used(&memory, "requests"), 10 * MIB);
        let mut second = Receiving::new(memory.clone(), Kind::Requests);
        assert!(second.try_cover(4 * MIB));
        assert!(!second.try_cover(6 * MIB));
        second.cover(9 * MIB).await;
        assert_eq!(used(&memory, "late_requests"), 5 * MIB);
        drop((first, second));
        assert_eq!(memory.uses().map(|it| it.used_bytes).sum::<usize>(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_has_time_for_its_bytes_and_may_not_stand_still_where_others_wait() {
        let memory = Memory::new(MIB);
        let receiving = Receiving::new(memory.clone(), Kind::Requests);
        let begun = Instant::now();
        receiving.is_late(10_000_000).await;
        assert_eq!(begun.elapsed().as_secs(), 30 + 10);
        let _short = memory.note(Kind::LateRequests, MIB);
        let receiving = Receiving::new(memory.clone(), Kind::Requests);
        let begun = Instant::now();
        receiving.is_late(10_000_000).await;
        assert_eq!(begun.elapsed(), STILL_WHEN_SHORT);
    }
}
