//! The memory for what comes from the client, until it is in its queue's journal.
//!
//! What one read brings is taken as it comes. While memory is short nothing more is read, with one
//! exception: connections with unfinished bodies could wait for each other for good, so the rest of
//! those is taken whole, of a pool that nobody waits for with a share of it, and they get through
//! one after the other.

use stele_core_broker::{Kind, Memory, Share};
use stele_front_accept::Progress;

use crate::{limits::READ_BYTES, session::content::Unfinished};

/// What has come takes of the memory.
#[derive(Debug)]
pub(crate) struct Incoming {
    memory: Memory,
    room: Share,
    /// For the next read, where it was waited for.
    next: Share,
    /// For the rest of unfinished bodies, as far as it hasn't come.
    late: Share,
    /// For what has come of that.
    came_late: Share,
    /// Octets that are here.
    held: usize,
    is_publisher: bool,
    /// All that have ever come.
    total: u64,
    progress: Progress,
}

impl Incoming {
    pub(super) fn new(memory: Memory) -> Self {
        Self {
            room: memory.note(Kind::Publishes, 0),
            memory,
            next: Share::NONE,
            late: Share::NONE,
            came_late: Share::NONE,
            held: 0,
            is_publisher: false,
            total: 0,
            progress: Progress::new(),
        }
    }

    /// So many octets have come.
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

    /// The part of the memory that goes on with so many octets.
    pub(crate) fn pass(&mut self, bytes: usize) -> Share {
        let mut passed = self.room.split(bytes);
        passed.merge(self.came_late.split(bytes - passed.bytes()));
        passed
    }

    /// Gives back what is beyond the octets that are still here: `input` and those of bodies.
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

    /// The client publishes. Others are let read whatever there is: what they send is small, and
    /// acknowledgements make room.
    pub(crate) fn publishes(&mut self) {
        self.is_publisher = true;
    }

    /// Whether more may be read.
    pub(crate) fn may_read(&self) -> bool {
        !self.is_publisher
            || self.next.bytes() > 0
            || self.late.bytes() > 0
            || !self.memory.is_short(Kind::Publishes)
    }

    /// Waits until more may be read. Cancelling loses nothing.
    pub(crate) async fn wait(&mut self, missing: u64) {
        // With what frames take beside their octets, and the beginning of what comes next.
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
        // What it waited isn't the client's fault.
        self.progress.rest();
    }

    /// Returns once unfinished bodies stand still while others wait.
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
    use tokio::time::Instant;

    use super::*;

    const MIB: usize = 1 << 20;

    fn used(memory: &Memory) -> Vec<(&'static str, usize)> {
        let uses = memory.uses().filter(|it| it.used_bytes > 0);
        uses.map(|it| (it.kind, it.used_bytes)).collect()
    }

    /// An account whose memory for publishes is all in use.
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
        // Others who wait don't take it away again.
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
        assert_eq!(begun.elapsed().as_secs(), 1);
        drop(taken);
        let late = publisher.is_late(unfinished);
        let waited = tokio::time::timeout(std::time::Duration::from_secs(3_600), late).await;
        assert!(waited.is_err());
    }
}
