//! A shard: the engine's state with its journal and its read index.
//!
//! ```text
//!  Request ─► decide ─► records ─► block being filled ─► writer ─► written, synced
//!                │                      (apply at once)                │
//!                └─ replies, ends wait here ◄── released by ───────────┘
//! ```
//!
//! It is single-threaded and synchronous: its driver passes in requests, the time, and news from
//! the writer. The runtime drives it with threads, the simulator without.
//!
//! Invariants
//! - Records are applied in the order in which they are added to blocks.
//! - Records visible to consumers ([`State::committed`]) are durable in their log's class.
//! - A reply waits for the block with the last change that it depends on. The reply to an append
//!   waits until the records can be read, even if they are volatile.

mod arrivals;
mod checkpointing;
mod committing;
mod dead;
mod definitions;
mod deliver;
mod hold;
mod journal;
mod later;
mod link;
mod maintain;
mod moving;
mod open;
mod read;
mod release;
mod replayed;
mod request;
mod settling;
mod space;
mod status;

use std::{collections::VecDeque, sync::Arc};

use hashbrown::HashMap;
use parking_lot::RwLock;
use stele_base_types::{LogId, Offset, PartitionId, SessionId, ShardId, Timestamp};
use stele_core_engine::{
    Catalogue, Decision, Durability, GroupError, JoinReply, LogError, Settle, State, StateBytes,
    SyncedGroup, Token,
};
use stele_core_storage::{Block, BlockBuilder, BlockSequence, ReadIndex, SpaceGuard};

use self::{
    arrivals::Arrivals,
    checkpointing::Checkpointing,
    dead::DeadNews,
    deliver::Leaser,
    hold::Owed,
    maintain::Maintained,
    read::Waiter,
    release::{Releasable, Unreleased},
    space::Waiting,
    status::{Counters, Counting},
};
pub use self::{
    dead::{Awaits, DeadSignals},
    link::{LinkInbox, LinkNews},
    open::{IntactShard, Opened},
    release::{Awaited, News},
    replayed::{Replayed, WORDS},
    status::ShardStatus,
};
use crate::{limits::UNAWAITED_MS_MAX, mailbox::Mailbox, request::Reply};

/// A shard.
#[derive(Debug)]
pub struct Shard {
    id: ShardId,
    state: State,
    builder: BlockBuilder,
    index: ReadIndex,
    /// Blocks before this one are known to be on disk.
    synced: BlockSequence,
    /// Blocks before this one were written to the operating system.
    written: BlockSequence,
    /// Whether something waits for the block being filled, even if that is empty.
    is_block_wanted: bool,
    /// When the first record was added to the block being filled.
    filling_since: Timestamp,
    /// Finished blocks that the writer doesn't have yet.
    sealed: VecDeque<Block>,
    /// What waits for each block from the oldest unsynced one to the one being filled.
    unreleased: VecDeque<Unreleased>,
    /// The block of the first entry of `unreleased`.
    unreleased_first: BlockSequence,
    /// Waiting leases, each with its ticket.
    leasers: HashMap<Token, (u64, Leaser)>,
    /// Tickets of waiting leases, as their callers know them.
    tickets: HashMap<u64, Token>,
    /// Callers that wait for a log's deletion.
    deletions: HashMap<Token, Reply<u64, LogError>>,
    /// Members that wait for the end of a rebalance.
    joins: HashMap<Token, Reply<JoinReply, GroupError>>,
    /// Members that wait for their assignments.
    syncs: HashMap<Token, Reply<SyncedGroup, GroupError>>,
    next_token: u64,
    sessions: HashMap<SessionId, Arc<Mailbox>>,
    watches: HashMap<PartitionId, Vec<(Offset, Waiter)>>,
    /// What could be released as soon as its block was finished; handed out at the next dispatch.
    releasable: Vec<Releasable>,
    /// Purged partitions, to which retention is applied at once.
    purged: Vec<PartitionId>,
    replica: Arc<RwLock<Catalogue>>,
    /// The inboxes of all shards.
    links: Vec<LinkInbox>,
    /// Watches the disk space; `None` if that isn't watched.
    guard: Option<SpaceGuard>,
    /// Whether disk space is short, so that messages are refused.
    is_blocked: bool,
    /// Whether the process is stopping.
    is_stopping: bool,
    /// Publishes that arrived while space was short, in order.
    waiting: VecDeque<Waiting>,
    maintained: Maintained,
    /// How long queues keep records that a consumer group hasn't read.
    unread_kept_ms: u64,
    arrivals: Arrivals,
    /// Requests waiting for logs to which ended sessions still have to return something, or that
    /// are being cleared.
    owed: Vec<(LogId, Owed)>,
    /// Settlements that are carried out in pieces.
    settling: Vec<Settle>,
    /// How many records one piece of work covers.
    piece_records: u32,
    /// How many records were handed out since the last tick.
    dispatched: u32,
    /// The log that was dispatched last.
    dispatched_last: Option<LogId>,
    checkpointing: Checkpointing,
    dead: DeadNews,
    /// A buffer for the stored form of records.
    scratch: Vec<u8>,
    counters: Counters,
    counting: Counting,
    now: Timestamp,
}

impl Shard {
    /// Which shard this is.
    pub fn id(&self) -> ShardId {
        self.id
    }

    /// The engine's state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// When [`Shard::tick`] has something to do.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.state.next_deadline()
    }

    /// Does a piece of the work that is due at this time. The rest stays due and comes first: a
    /// record that becomes ready is handed out before the records behind it.
    pub fn tick(&mut self, now: Timestamp) {
        self.now = now;
        let left = self.clean_up();
        let left = self.settle_some(left);
        let left = self.work(left, |shard| {
            shard.is_overdue(now).then(|| shard.state.tick(now))
        });
        self.dispatched = 0;
        if !self.is_overdue(now) {
            self.dispatch();
            self.take_up_owed();
            self.take_up_waiting();
            self.dispatch();
        }
        self.work(left.max(1), |shard| {
            let has_closing = shard.state.logs.has_closing();
            has_closing.then(|| shard.state.sweep())
        });
    }

    /// Sets what the state may take in memory before what adds to it is refused.
    pub fn bound_state(&mut self, bounds: StateBytes) {
        self.state.set_bounds(bounds);
    }

    /// Sets how long queues keep records that a consumer group hasn't read, in milliseconds.
    pub fn keep_unread_for(&mut self, ms: u64) {
        self.unread_kept_ms = ms;
    }

    /// Sets the size of pieces of work, in records; for tests that want many pieces.
    pub fn limit_pieces(&mut self, records: u32) {
        self.piece_records = records;
    }

    /// Does a piece of the cleaning up after ended sessions. Returns how many more records this
    /// tick may change.
    fn clean_up(&mut self) -> u32 {
        self.work(self.piece_records, |shard| {
            let has_leavings = shard.state.logs.has_leavings();
            has_leavings.then(|| shard.state.clean_up(shard.now))
        })
    }

    /// Makes one decision after another while there is work, up to this many records. Returns how
    /// many of them are left.
    fn work(&mut self, records: u32, decide: impl Fn(&Self) -> Option<Decision>) -> u32 {
        let mut left = records;
        while left > 0
            && let Some(decision) = decide(self)
        {
            let weight = decision.weight().max(1);
            if !self.apply_own(decision) {
                break;
            }
            left = left.saturating_sub(weight);
        }
        left
    }

    /// Whether [`Shard::tick`] has something to do.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let logs = &self.state.logs;
        self.is_overdue(now)
            || logs.has_closing()
            || logs.dispatchable(None).is_some()
            || logs.is_too_long()
            || self.has_waiting_due()
    }

    /// Whether some work must be done before anything is handed out.
    fn is_overdue(&self, now: Timestamp) -> bool {
        !self.settling.is_empty()
            || self.state.logs.has_leavings()
            || self.next_deadline().is_some_and(|due| due <= now)
    }

    /// The next block to write, if one is due. The block being filled is taken only if no other is
    /// waiting, so it grows while the writer is busy. This also hands out what needs no disk, whose
    /// leases start at `now`.
    pub fn take_block(&mut self, now: Timestamp) -> Option<Block> {
        self.now = now;
        if self.sealed.is_empty() && self.is_block_due(now) {
            self.seal();
            self.dispatch();
        }
        self.sealed.pop_front()
    }

    /// When the block being filled is due although nothing waits for it. Only meaningful while the
    /// writer is idle: a busy writer takes the block when it has finished.
    pub fn block_due_at(&self) -> Option<Timestamp> {
        let is_filled = !self.builder.is_empty();
        is_filled.then(|| self.filling_since.plus_ms(UNAWAITED_MS_MAX))
    }

    /// Nobody waits for leases and acknowledgements, so they are written with the next block that
    /// somebody does wait for, if there is one soon.
    fn is_block_due(&self, now: Timestamp) -> bool {
        let is_awaited =
            self.is_block_wanted || self.unreleased.back().is_some_and(Unreleased::is_awaited);
        is_awaited || self.block_due_at().is_some_and(|due| now >= due)
    }

    /// Whether finished blocks wait for the writer.
    pub fn has_sealed(&self) -> bool {
        !self.sealed.is_empty()
    }

    /// Has the block being filled written and synced even if it is empty. This makes everything
    /// before it safe. A block at the end also distinguishes later damage from a torn write.
    pub fn want_block(&mut self) {
        self.is_block_wanted = true;
        if let Some(unreleased) = self.unreleased.back_mut() {
            unreleased.note_durability(Durability::Synced);
        }
    }

    /// Stops handing out records: the process ends once everything is on disk.
    pub fn stop(&mut self) {
        self.settle_some(u32::MAX);
        self.is_stopping = true;
        let decision = self.state.stop();
        self.apply_own(decision);
        self.want_block();
    }

    /// Whether every decision is on disk, and no further block is wanted.
    pub fn is_synced(&self) -> bool {
        let is_filled = self.is_block_wanted || !self.builder.is_empty();
        !is_filled && self.synced >= self.builder.sequence()
    }

    /// Bytes that wait for the writer. While this exceeds its limit, the driver takes no more
    /// requests.
    pub fn backlog_bytes(&self) -> usize {
        self.sealed.iter().map(Block::size_bytes).sum::<usize>() + self.builder.size_bytes()
    }

    fn shard_of(&self, log: LogId) -> ShardId {
        stele_core_engine::shard_of(log, self.links.len())
    }
}
