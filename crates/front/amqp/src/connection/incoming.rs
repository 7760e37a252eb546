//! The memory for what comes from the client, until it is in its queue's journal.
//!
//! What one read brings is taken as it comes. While memory is short nothing more is read, with one
//! exception: connections with unfinished bodies could wait for each other for good, so the rest of
//! those is taken whole, of a pool that nobody waits for with a share of it, and they get through
//! one after the other.

use stele_core_broker::{Kind, Memory, Share};
use stele_front_accept::Progress;

use crate::{limits::READ_BYTES, session::content::Unfinished};

/// What has become of the memory for what comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    MayRead,
    /// An unfinished body has had its time, and others wait.
    Late,
}

/// What has come takes of the memory.
#[derive(Debug)]
pub(crate) struct Incoming {
    memory: Memory,
    room: Share,
    /// For the rest of unfinished bodies, as far as it hasn't come.
    late: Share,
    /// For what has come of that.
    came_late: Share,
    /// All that have ever come.
    total: u64,
    progress: Progress,
}

impl Incoming {
    pub(super) fn new(memory: Memory) -> Self {
        Self {
            room: memory.note(Kind::Publishes, 0),
            memory,
            late: Share::NONE,
            came_late: Share::NONE,
            total: 0,
            progress: Progress::new(),
        }
    }

    /// So many octets have come.
    pub(crate) fn read(&mut self, bytes: usize) {
        self.total += bytes as u64;
        self.progress.note(self.total);
        let late = self.late.split(bytes);
        self.room.grow(bytes - late.bytes());
        self.came_late.merge(late);
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
        let held = input.saturating_add(received);
        self.room
            .shrink_to(held.saturating_sub(self.came_late.bytes()));
        if unfinished.missing == 0 {
            self.late = Share::NONE;
            self.came_late = Share::NONE;
            self.progress.rest();
        }
    }

    /// Whether more may be read.
    pub(crate) fn may_read(&self) -> bool {
        self.late.bytes() > 0 || !self.memory.is_short(Kind::Publishes)
    }

    /// Returns once an unfinished body has had its time; where nothing is read, once more may be.
    /// Cancelling loses nothing.
    pub(crate) async fn changed(&mut self, reads: bool, unfinished: Unfinished) -> Changed {
        if reads {
            self.is_late().await;
            return Changed::Late;
        }
        self.wait(unfinished.missing).await;
        Changed::MayRead
    }

    async fn wait(&mut self, missing: u64) {
        // With what frames take beside their octets, and the beginning of what comes next.
        let rest = usize::try_from(missing)
            .unwrap_or(usize::MAX)
            .saturating_add(READ_BYTES);
        tokio::select! {
            biased;
            _ = self.memory.take(Kind::Publishes, READ_BYTES) => {}
            late = self.memory.take(Kind::LateRequests, rest), if missing > 0 => {
                self.late = late;
            }
        }
        // What it waited isn't the client's fault.
        self.progress.rest();
    }

    async fn is_late(&self) {
        self.progress.ceases().await;
        tokio::select! {
            () = self.memory.pressed(Kind::Publishes) => {}
            () = self.memory.pressed(Kind::LateRequests) => {}
        }
    }
}
