//! A shard: the engine's state with its journal and its read index.
//!
//! ```text
//!  Request ─► decide ─► records ─► block being filled ─► writer ─► written, synced
//!                │                      (apply at once)                │
//!                └─ replies, ends wait here ◄── released by ───────────┘
//! ```
//!
//! It is single-threaded and synchronous: whoever drives it brings the requests, the time, and the
//! news of the writer. The runtime does so with threads, the simulator without.
//!
//! Invariants
//! - Records are applied in the order in which they are pushed into blocks.
//! - What is shown to consumers ([`State::committed`]) is durable in its log's class.
//! - A reply waits in the block that holds the last change it depends on. One to an append waits
//!   until its records can be read, even where they are volatile.

mod arrivals;
mod checkpointing;
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

use std::{
    collections::VecDeque,
    sync::{Arc, Weak},
};

use hashbrown::HashMap;
use parking_lot::RwLock;
use stele_base_types::{LogId, Name, Offset, PartitionId, SessionId, ShardId, Timestamp};
use stele_core_engine::{
    Catalogue, Decision, Durability, GroupError, JoinReply, LogError, Settle, State, SyncedGroup,
    Token,
};
use stele_core_storage::{Block, BlockBuilder, BlockSequence, ReadIndex, SpaceGuard};
use tokio::sync::Notify;

use self::{
    arrivals::Arrivals,
    checkpointing::Checkpointing,
    deliver::Leaser,
    hold::Owed,
    release::{Releasable, Unreleased},
    space::Waiting,
    status::{Counters, Counting},
};
pub use self::{
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
    /// Blocks before this one are on disk, as far as is known here.
    synced: BlockSequence,
    /// Blocks before this one are with the operating system.
    written: BlockSequence,
    /// Something waits for the block being filled, even if it is empty.
    is_block_wanted: bool,
    /// When the first record came into the block being filled.
    filling_since: Timestamp,
    /// Finished blocks that the writer hasn't got yet.
    sealed: VecDeque<Block>,
    /// What waits for each block from the oldest unsynced one to the one being filled.
    unreleased: VecDeque<Unreleased>,
    /// The block of the first entry of `unreleased`.
    unreleased_first: BlockSequence,
    /// Leases that wait, each with its ticket.
    leasers: HashMap<Token, (u64, Leaser)>,
    /// Tickets of waiting leases, as their askers know them.
    tickets: HashMap<u64, Token>,
    /// Who waits for a log to be deleted.
    deletions: HashMap<Token, Reply<u64, LogError>>,
    /// Members that wait for the end of a rebalance.
    joins: HashMap<Token, Reply<JoinReply, GroupError>>,
    /// Members that wait for their assignments.
    syncs: HashMap<Token, Reply<SyncedGroup, GroupError>>,
    next_token: u64,
    sessions: HashMap<SessionId, Arc<Mailbox>>,
    watches: HashMap<PartitionId, Vec<(Offset, Weak<Notify>)>>,
    /// What could be released as soon as its block was finished: handed out at the next dispatch.
    releasable: Vec<Releasable>,
    /// Partitions that a purge has settled, and whose retention is to be looked at at once.
    purged: Vec<PartitionId>,
    replica: Arc<RwLock<Catalogue>>,
    /// Those of all shards.
    links: Vec<LinkInbox>,
    /// Watches the space; `None` where nobody looks at it.
    guard: Option<SpaceGuard>,
    /// Space is short: messages are refused.
    is_blocked: bool,
    /// The process is about to end.
    is_stopping: bool,
    /// Appends that came while it was, in order.
    waiting: VecDeque<Waiting>,
    /// Where the next maintenance goes on.
    maintained: Option<PartitionId>,
    /// Where the next look at the groups' offsets goes on.
    maintained_offsets: Option<(Name, LogId)>,
    /// For how long queues keep what a consumer group hasn't read.
    unread_kept_ms: u64,
    arrivals: Arrivals,
    /// What waits for logs that ended sessions have yet to give something back to, or that are
    /// being cleared.
    owed: Vec<(LogId, Owed)>,
    /// What is being settled by pieces.
    settling: Vec<Settle>,
    /// How much is done in one go.
    piece_records: u32,
    /// How much has been handed out since the last tick.
    dispatched: u32,
    /// Out of which log at last.
    dispatched_last: Option<LogId>,
    checkpointing: Checkpointing,
    /// Reused for the stored form of records.
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

    /// Time has passed: a piece of what is due. What is left is due still, and comes first: a
    /// record that is to become ready is handed out before those behind it.
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

    /// Sets for how long queues keep what a consumer group hasn't read, in milliseconds.
    pub fn keep_unread_for(&mut self, ms: u64) {
        self.unread_kept_ms = ms;
    }

    /// Has every piece of work be of about so many records; for tests, which want many pieces.
    pub fn limit_pieces(&mut self, records: u32) {
        self.piece_records = records;
    }

    /// Does a piece of what sessions that have gone have left. Gives how much more may be done.
    fn clean_up(&mut self) -> u32 {
        self.work(self.piece_records, |shard| {
            let has_leavings = shard.state.logs.has_leavings();
            has_leavings.then(|| shard.state.clean_up(shard.now))
        })
    }

    /// Makes one decision after the other while there is something to do, up to so many records.
    /// Gives how many are left of them.
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
            || self.has_waiting_due()
    }

    /// Whether something is to be done before anything is handed out.
    fn is_overdue(&self, now: Timestamp) -> bool {
        !self.settling.is_empty()
            || self.state.logs.has_leavings()
            || self.next_deadline().is_some_and(|due| due <= now)
    }

    /// The next block to write, if one is due. The one being filled is given once no other is
    /// waiting: so it grows while the writer is busy. What needs no disk is handed out by that: its
    /// leases run from `now`.
    pub fn take_block(&mut self, now: Timestamp) -> Option<Block> {
        self.now = now;
        if self.sealed.is_empty() && self.is_block_due(now) {
            self.seal();
            self.dispatch();
        }
        self.sealed.pop_front()
    }

    /// When the block being filled is due although nothing waits for it. Of no use while the writer
    /// is busy: it takes what there is when it is through.
    pub fn block_due_at(&self) -> Option<Timestamp> {
        let is_filled = !self.builder.is_empty();
        is_filled.then(|| self.filling_since.plus_ms(UNAWAITED_MS_MAX))
    }

    /// Leases and acknowledgements, which nobody waits for, come along with the next block that
    /// somebody does wait for, if there is one soon.
    fn is_block_due(&self, now: Timestamp) -> bool {
        let is_awaited =
            self.is_block_wanted || self.unreleased.back().is_some_and(Unreleased::is_awaited);
        is_awaited || self.block_due_at().is_some_and(|due| now >= due)
    }

    /// Whether finished blocks are waiting for the writer.
    pub fn has_sealed(&self) -> bool {
        !self.sealed.is_empty()
    }

    /// Has the block being filled written and synced even if it is empty: with it everything
    /// before it is safe, and a block at the end proves later damage to be damage.
    pub fn want_block(&mut self) {
        self.is_block_wanted = true;
        if let Some(unreleased) = self.unreleased.back_mut() {
            unreleased.note_durability(Durability::Synced);
        }
    }

    /// Nothing is handed out any more: the process ends once all is on disk.
    pub fn stop(&mut self) {
        self.settle_some(u32::MAX);
        self.is_stopping = true;
        let decision = self.state.stop();
        self.apply_own(decision);
        self.want_block();
    }

    /// Whether all that was ever decided is on disk, and no block is wanted beyond that.
    pub fn is_synced(&self) -> bool {
        let is_filled = self.is_block_wanted || !self.builder.is_empty();
        !is_filled && self.synced >= self.builder.sequence()
    }

    /// Bytes that wait for the writer. Whoever drives the shard takes up no more requests while
    /// this is over its limit.
    pub fn backlog_bytes(&self) -> usize {
        self.sealed.iter().map(Block::size_bytes).sum::<usize>() + self.builder.size_bytes()
    }

    fn shard_of(&self, log: LogId) -> ShardId {
        stele_core_engine::shard_of(log, self.links.len())
    }
}
