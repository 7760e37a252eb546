//! What waits for the disk, and how it is released.

use std::fmt;

use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;
use stele_base_types::{LogId, Offset, PartitionId, Timestamp};
use stele_core_engine::{AppendError, AppendResult, Durability, LogError, Missing};
use stele_core_storage::{Block, BlockSequence, Written};

use super::{Shard, link::Announcement};
use crate::{
    Error,
    reply_to::ReplyTo,
    request::{Reply, Request},
};

/// News from the writer.
#[derive(Debug)]
pub enum News {
    /// A block was written to the operating system.
    Written(Written),
    /// All blocks before this one are on disk.
    Synced(BlockSequence),
}

/// Which news of a block somebody waits for; other news can be late.
#[derive(Clone, Copy, Debug, Default)]
pub struct Awaited {
    /// That it was written to the operating system.
    pub is_written: bool,
    /// That it is on disk.
    pub is_synced: bool,
}

/// A pending answer. The most frequent kinds need no allocation of their own.
pub(super) enum Answer {
    Append(
        ReplyTo,
        Result<SmallVec<[AppendResult; 1]>, Error<AppendError>>,
    ),
    Settle(Reply<Missing, LogError>, Missing),
    /// To a call of any type.
    Call(Box<dyn FnOnce() + Send>),
}

impl Answer {
    /// Sends it. If the caller has gone, nobody needs it.
    pub(super) fn send(self) {
        match self {
            Self::Append(reply, answer) => reply.send(answer),
            Self::Settle(reply, missing) => drop(reply.send(Ok(missing))),
            Self::Call(send) => send(),
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Append(..) => "Append",
            Self::Settle(..) => "Settle",
            Self::Call(_) => "Call",
        })
    }
}

/// What waits for one block.
#[derive(Debug, Default)]
pub(super) struct Unreleased {
    pub(super) answers: Vec<(Durability, Answer)>,
    /// New ends of partitions, each with its durability class.
    ends: HashMap<PartitionId, (Offset, Durability)>,
    pub(super) announcements: Vec<Announcement>,
    /// Requests that look at records of these logs.
    held: Vec<(LogId, Request)>,
    /// The strictest durability class in the block.
    durability: Option<Durability>,
    /// Whether something waits for the write to the operating system only.
    has_flushed: bool,
}

/// The part of it that can be released.
#[derive(Debug, Default)]
pub(super) struct Releasable {
    ends: SmallVec<[(PartitionId, Offset); 4]>,
    answers: Vec<(Durability, Answer)>,
    held: Vec<(LogId, Request)>,
}

impl Unreleased {
    pub(super) fn note_end(&mut self, partition: PartitionId, end: Offset, class: Durability) {
        self.ends.insert(partition, (end, class));
        self.note_durability(class);
    }

    /// Whether records of a log are waiting to become visible.
    pub(super) fn has_ends_of(&self, log: LogId) -> bool {
        self.ends.keys().any(|partition| partition.log == log)
    }

    /// Keeps a request until the records of its log are visible.
    pub(super) fn hold(&mut self, log: LogId, request: Request) {
        self.held.push((log, request));
    }

    /// Takes out what needs no more than `durability`.
    pub(super) fn take_releasable(&mut self, durability: Durability) -> Releasable {
        let ends: SmallVec<[(PartitionId, Offset); 4]> = self
            .ends
            .extract_if(|_, (_, class)| *class <= durability)
            .map(|(partition, (end, _))| (partition, end))
            .collect();
        let held = if self.held.is_empty() {
            Vec::new()
        } else {
            let shown: HashSet<LogId> = ends.iter().map(|(partition, _)| partition.log).collect();
            let is_shown = |(log, _): &mut (LogId, Request)| shown.contains(log);
            self.held.extract_if(.., is_shown).collect()
        };
        let answers = self
            .answers
            .extract_if(.., |(asked, _)| *asked <= durability)
            .collect();
        Releasable {
            ends,
            answers,
            held,
        }
    }

    /// Whether anything waits for the block at all.
    pub(super) fn is_awaited(&self) -> bool {
        self.durability.is_some()
    }

    pub(super) fn note_durability(&mut self, durability: Durability) {
        self.durability = self.durability.max(Some(durability));
        self.has_flushed |= durability == Durability::Flushed;
    }
}

impl Shard {
    /// Where to put something that needs `durability`: at the block being filled. `None` if there
    /// is nothing to wait for. The block is then written even if it is empty, because that proves
    /// everything before it safe.
    pub(super) fn unreleased_for(&mut self, durability: Durability) -> Option<&mut Unreleased> {
        let safe = match durability {
            Durability::Volatile => return None,
            Durability::Flushed => self.written,
            Durability::Synced => self.synced,
        };
        if self.builder.is_empty() && safe >= self.builder.sequence() {
            return None;
        }
        self.is_block_wanted = true;
        let unreleased = self.unreleased.back_mut()?;
        unreleased.note_durability(durability);
        Some(unreleased)
    }

    /// Closes the block being filled. It becomes readable, up to the committed offsets.
    pub(super) fn seal(&mut self) {
        let block = self.builder.finish(self.synced);
        self.promise_finished(&block);
        self.is_block_wanted = false;
        self.index.install(&block);
        self.sealed.push_back(block);
        if let Some(unreleased) = self.unreleased.back_mut() {
            self.releasable
                .push(unreleased.take_releasable(Durability::Volatile));
        }
        self.unreleased.push_back(Unreleased::default());
    }

    /// What is awaited of this block. The writer asks for this after [`Shard::take_block`].
    pub fn awaited(&self, block: &Block) -> Awaited {
        let unreleased = self
            .index_of(block.sequence())
            .and_then(|index| self.unreleased.get(index));
        Awaited {
            is_written: unreleased.is_some_and(|unreleased| unreleased.has_flushed),
            is_synced: unreleased
                .is_none_or(|unreleased| unreleased.durability >= Some(Durability::Synced)),
        }
    }

    /// The index of a block's entry in `unreleased`; `None` if the block is on disk.
    fn index_of(&self, sequence: BlockSequence) -> Option<usize> {
        let index = sequence.0.checked_sub(self.unreleased_first.0)?;
        usize::try_from(index).ok()
    }

    /// Handles news from the writer: releases replies, makes records visible, dispatches.
    pub fn news(&mut self, news: News, now: Timestamp) {
        self.now = now;
        match news {
            News::Written(written) => {
                self.keep_promise(&written);
                self.index.written(&written, now);
                self.written = written.sequence().next();
                self.release_written(written.sequence());
            }
            News::Synced(next) => {
                self.synced = next;
                while self.unreleased_first < next && self.unreleased.len() > 1 {
                    let unreleased = self.unreleased.pop_front().unwrap_or_default();
                    self.unreleased_first = self.unreleased_first.next();
                    self.release(unreleased);
                }
            }
        }
        self.dispatch();
    }

    /// Releases what only waits for the write to the operating system.
    fn release_written(&mut self, sequence: BlockSequence) {
        let index = self.index_of(sequence);
        let Some(unreleased) = index.and_then(|index| self.unreleased.get_mut(index)) else {
            return;
        };
        let releasable = unreleased.take_releasable(Durability::Flushed);
        self.hand_out(releasable);
    }

    fn release(&mut self, mut unreleased: Unreleased) {
        self.announce_now(std::mem::take(&mut unreleased.announcements));
        let releasable = unreleased.take_releasable(Durability::Synced);
        self.hand_out(releasable);
    }

    /// Makes records visible, then sends answers, then takes up requests held back until now.
    pub(super) fn hand_out(&mut self, releasable: Releasable) {
        self.show(&releasable.ends);
        for (_, answer) in releasable.answers {
            answer.send();
        }
        for (_, request) in releasable.held {
            if let Some(request) = self.hold(request) {
                self.take_up(request);
            }
        }
    }

    /// Makes records up to these ends visible.
    fn show(&mut self, ends: &[(PartitionId, Offset)]) {
        if ends.is_empty() {
            return;
        }
        let decision = self.state.committed(ends);
        self.apply_own(decision);
        for (partition, end) in ends {
            self.wake(*partition, *end);
        }
    }
}
