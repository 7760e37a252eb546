//! The memory for client input until it is in the journal of its queue.
//!
//! The memory of one read is reserved as it arrives. While memory is short, nothing more is read,
//! with one exception: connections with unfinished bodies could deadlock. Therefore the rest of
//! such bodies is reserved at once, from a pool whose waiters hold no share of it, so that they
//! complete one after the other.

use stele_core_broker::{Kind, Memory, Share};
use stele_front_accept::Progress;
use tokio::time::Instant;

use crate::{
    limits::{BLOCKED_AFTER, READ_BYTES, STUCK_AFTER},
    session::content::Unfinished,
};

/// Memory reserved for input.
#[derive(Debug)]
pub(crate) struct Incoming {
    memory: Memory,
    room: Share,
    /// For the next read, if it had to wait.
    next: Share,
    /// For the part of unfinished bodies that hasn't arrived.
    late: Share,
    /// For the part of it that has arrived.
    came_late: Share,
    /// Bytes currently held.
    held: usize,
    is_publisher: bool,
    /// Since when the client's input waits for memory.
    waits_since: Option<Instant>,
    /// Bytes received in total.
    total: u64,
    progress: Progress,
}

impl Incoming {
    pub(crate) fn new(memory: Memory) -> Self {
        Self {
            room: memory.note(Kind::Publishes, 0),
            memory,
            next: Share::NONE,
            late: Share::NONE,
            came_late: Share::NONE,
            held: 0,
            is_publisher: false,
            waits_since: None,
            total: 0,
            progress: Progress::new(),
        }
    }

    /// Records that bytes have arrived.
    pub(crate) fn read(&mut self, bytes: usize) {
        self.total += bytes as u64;
        self.progress.note(self.total);
        let mut next = std::mem::take(&mut self.next);
        self.room.merge(next.split(bytes));
        let late = self.late.split(bytes);
        self.came_late.merge(late);
        let covered = self.room.bytes() + self.came_late.bytes();
        self.held += bytes;
        self.room.grow(self.held.saturating_sub(covered));
    }

    /// The part of the memory for this number of bytes.
    pub(crate) fn pass(&mut self, bytes: usize) -> Share {
        let mut passed = self.room.split(bytes);
        passed.merge(self.came_late.split(bytes - passed.bytes()));
        passed
    }

    /// Frees memory beyond the bytes still held: `input` and those of bodies.
    pub(crate) fn settle(&mut self, input: usize, unfinished: Unfinished) {
        let received = usize::try_from(unfinished.received).unwrap_or(usize::MAX);
        self.held = input.saturating_add(received);
        self.room
            .shrink_to(self.held.saturating_sub(self.came_late.bytes()));
        self.is_publisher |= unfinished.missing > 0;
        if unfinished.missing == 0 {
            self.late = Share::NONE;
            self.came_late = Share::NONE;
            self.progress.rest();
        }
    }

    /// Marks the client as a publisher. Other clients may always be read: what they send is small,
    /// and acknowledgements free memory.
    pub(crate) fn publishes(&mut self) {
        self.is_publisher = true;
    }

    /// Whether more input may be read.
    pub(crate) fn may_read(&self) -> bool {
        !self.is_publisher
            || self.next.bytes() > 0
            || self.late.bytes() > 0
            || !self.memory.is_short(Kind::Publishes)
    }

    /// When the client must learn that it waits from now on, if it doesn't already.
    pub(crate) fn blocked_at(&mut self) -> Instant {
        *self.waits_since.get_or_insert_with(Instant::now) + BLOCKED_AFTER
    }

    /// When an open transaction of a client that waits from now on, if it doesn't already, is given
    /// up: what it holds is freed only by its end, which isn't read either.
    pub(crate) fn stuck_at(&mut self) -> Instant {
        *self.waits_since.get_or_insert_with(Instant::now) + STUCK_AFTER
    }

    /// Notes that no input waits for memory.
    pub(crate) fn waits_no_more(&mut self) {
        self.waits_since = None;
    }

    /// Waits until more input may be read. Cancel-safe.
    pub(crate) async fn wait(&mut self, missing: u64) {
        // What came behind the end of a body that was taken late is the beginning of the next one.
        // It is counted as such beginnings are: nobody waits for that pool with a share of it.
        let came_late = std::mem::take(&mut self.came_late);
        self.room.grow(came_late.bytes());
        drop(came_late);
        // Includes the overhead of frames, and the beginning of the next input.
        let rest = usize::try_from(missing)
            .unwrap_or(usize::MAX)
            .saturating_add(READ_BYTES);
        tokio::select! {
            biased;
            next = self.memory.take(Kind::Publishes, READ_BYTES) => self.next = next,
            late = self.memory.take(Kind::LateRequests, rest), if missing > 0 => {
                self.late = late;
            }
        }
        // The wait isn't the client's fault.
        self.progress.rest();
        self.waits_since = None;
    }

    /// Returns once there is memory for a publisher again. It isn't kept, because the client may
    /// have nothing to send.
    pub(crate) async fn relieved(memory: &Memory) {
        drop(memory.take(Kind::Publishes, READ_BYTES).await);
    }

    /// Returns once unfinished bodies make no progress while others wait.
    pub(crate) async fn is_late(&self, unfinished: Unfinished) {
        if unfinished.missing == 0 {
            std::future::pending::<()>().await;
        }
        self.progress.ceases().await;
        tokio::select! {
            () = self.memory.pressed(Kind::Publishes) => {}
            () = self.memory.pressed(Kind::LateRequests) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use stele_front_accept::STILL_WHEN_SHORT;
    use tokio::time::Instant;

    use super::*;

    const MIB: usize = 1 << 20;

    fn used(memory: &Memory) -> Vec<(&'static str, usize)> {
        let uses = memory.uses().filter(|it| it.used_bytes > 0);
        uses.map(|it| (it.kind, it.used_bytes)).collect()
    }

    /// An account whose memory for publishes is used up.
    fn short() -> (Memory, Share) {
        let memory = Memory::new(100 * MIB);
        let taken = memory.note(Kind::Publishes, 9 * MIB);
        (memory, taken)
    }

    #[tokio::test]
    async fn who_publishes_waits_and_others_read() {
        let (memory, taken) = short();
        let consumer = Incoming::new(memory.clone());
        assert!(consumer.may_read());
        let mut publisher = Incoming::new(memory.clone());
        publisher.publishes();
        assert!(!publisher.may_read());
        drop(taken);
        publisher.wait(0).await;
        // Other waiters must not take it again.
        let _others = memory.note(Kind::Publishes, 9 * MIB);
        assert!(publisher.may_read());
        publisher.read(1_000);
        assert!(!publisher.may_read());
    }

    #[tokio::test]
    async fn the_rest_of_a_body_is_taken_whole_and_goes_on_with_it() {
        let (memory, taken) = short();
        let mut publisher = Incoming::new(memory.clone());
        publisher.publishes();
        publisher.read(1_000);
        let unfinished = Unfinished {
            received: 1_000,
            missing: 50_000,
        };
        publisher.settle(0, unfinished);
        publisher.wait(unfinished.missing).await;
        assert!(publisher.may_read());
        publisher.read(50_000);
        let passed = publisher.pass(51_000);
        publisher.settle(0, Unfinished::default());
        drop(taken);
        assert_eq!(
            used(&memory),
            [("late_requests", 50_000), ("publishes", 1_000)]
        );
        drop(passed);
        assert_eq!(used(&memory), []);
    }

    #[tokio::test(start_paused = true)]
    async fn the_beginning_of_the_next_body_keeps_none_from_being_taken_late() {
        let (memory, _taken) = short();
        let mut publisher = Incoming::new(memory.clone());
        publisher.publishes();
        publisher.wait(50_000).await;
        publisher.read(50_000 + READ_BYTES);
        drop(publisher.pass(50_000));
        let next = Unfinished {
            received: READ_BYTES as u64,
            missing: 9 * MIB as u64,
        };
        publisher.settle(0, next);
        assert!(!publisher.may_read());
        // As large as all of that pool: it gets through once nobody has any of it.
        let wait = publisher.wait(next.missing);
        let waited = tokio::time::timeout(std::time::Duration::from_secs(60), wait).await;
        assert!(waited.is_ok());
        assert!(publisher.may_read());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_may_stand_still_until_others_wait() {
        let (memory, taken) = short();
        let mut publisher = Incoming::new(memory);
        let unfinished = Unfinished {
            received: 1,
            missing: 1,
        };
        publisher.settle(0, unfinished);
        let begun = Instant::now();
        publisher.is_late(unfinished).await;
        assert_eq!(begun.elapsed(), STILL_WHEN_SHORT);
        drop(taken);
        let late = publisher.is_late(unfinished);
        let waited = tokio::time::timeout(std::time::Duration::from_secs(3_600), late).await;
        assert!(waited.is_err());
    }
}
