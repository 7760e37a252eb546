//! The memory for what comes from the client, until it is in its queue's journal.
//!
//! What one read brings is taken as it comes. While memory is short nothing more is read, with one
//! exception: connections with unfinished bodies could wait for each other for good, so the rest of
//! those is taken whole, of a pool that nobody waits for with a share of it, and they get through
//! one after the other.

use std::time::Duration;

use stele_core_broker::{Kind, Memory, Share};
use tokio::time::{Instant, sleep_until};

use crate::{limits::READ_BYTES, session::content::Unfinished};

/// How long a body may take from its first octet to its last while memory is short, beside the time
/// for its octets.
const BODY_TIME_WHEN_SHORT: Duration = Duration::from_secs(5);

/// So many octets a second are waited for.
const BODY_BYTES_PER_S_WHEN_SHORT: f64 = 10_000_000.0;

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
    /// For the rest of unfinished bodies.
    late: Share,
    /// When the first of the unfinished bodies began.
    begun: Option<Instant>,
}

impl Incoming {
    pub(super) fn new(memory: Memory) -> Self {
        Self {
            room: memory.note(Kind::Publishes, 0),
            memory,
            late: Share::NONE,
            begun: None,
        }
    }

    /// So many octets have come.
    pub(crate) fn read(&mut self, bytes: usize) {
        self.room.grow(bytes);
    }

    /// The part of the memory that goes on with so many octets.
    pub(crate) fn pass(&mut self, bytes: usize) -> Share {
        self.room.split(bytes)
    }

    /// Gives back what is beyond the octets that are still here: `input` and those of bodies.
    pub(crate) fn settle(&mut self, input: usize, unfinished: Unfinished) {
        let received = usize::try_from(unfinished.received).unwrap_or(usize::MAX);
        self.room.shrink_to(input.saturating_add(received));
        if unfinished.missing == 0 {
            self.late = Share::NONE;
            self.begun = None;
        } else if self.begun.is_none() {
            self.begun = Some(Instant::now());
        }
    }

    /// Whether more may be read.
    pub(crate) fn may_read(&self) -> bool {
        self.late.bytes() > 0 || !self.memory.is_short(Kind::Publishes)
    }

    /// Returns once more may be read, where it may not, or once an unfinished body has had its
    /// time. Cancelling loses nothing.
    pub(crate) async fn changed(&mut self, unfinished: Unfinished) -> Changed {
        if self.may_read() {
            self.is_late(unfinished.received).await;
            return Changed::Late;
        }
        self.wait(unfinished.missing).await;
        Changed::MayRead
    }

    async fn wait(&mut self, missing: u64) {
        let waited = Instant::now();
        if missing > 0 {
            let missing = usize::try_from(missing).unwrap_or(usize::MAX);
            self.late = self.memory.take(Kind::LateRequests, missing).await;
        } else {
            drop(self.memory.take(Kind::Publishes, READ_BYTES).await);
        }
        // That isn't the client's fault.
        self.begun = self.begun.map(|begun| begun + waited.elapsed());
    }

    async fn is_late(&self, received: u64) {
        let Some(begun) = self.begun else {
            return std::future::pending().await;
        };
        let for_octets = Duration::from_secs_f64(received as f64 / BODY_BYTES_PER_S_WHEN_SHORT);
        sleep_until(begun + BODY_TIME_WHEN_SHORT + for_octets).await;
        tokio::select! {
            () = self.memory.pressed(Kind::Publishes) => {}
            () = self.memory.pressed(Kind::LateRequests) => {}
        }
    }
}
