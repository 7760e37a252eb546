//! What waits for the disk, and its release.

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

/// News of the writer.
#[derive(Debug)]
pub enum News {
    /// A block is with the operating system.
    Written(Written),
    /// All blocks before this one are on disk.
    Synced(BlockSequence),
}

/// Which news of a block somebody waits for; the others have time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Awaited {
    /// That it is with the operating system.
    pub is_written: bool,
    /// That it is on disk.
    pub is_synced: bool,
}

/// An answer on its way: what is answered most often without an allocation of its own.
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
    /// Sends it. The asker may have gone: then nobody misses it.
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
    /// Ends of partitions, each with its class.
    ends: HashMap<PartitionId, (Offset, Durability)>,
    pub(super) announcements: Vec<Announcement>,
    /// Requests that look at records of these logs.
    held: Vec<(LogId, Request)>,
    /// The strictest class in the block.
    durability: Option<Durability>,
    /// Something waits for no more than the operating system.
    has_flushed: bool,
}

/// What of it may be released.
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

    /// Whether records of a log are waiting to be shown.
    pub(super) fn has_ends_of(&self, log: LogId) -> bool {
        self.ends.keys().any(|partition| partition.log == log)
    }

    /// Keeps a request until the records of its log are shown.
    pub(super) fn hold(&mut self, log: LogId, request: Request) {
        self.held.push((log, request));
    }

    /// Takes out what asks for no more than `durability`.
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
    /// Where something that needs `durability` waits: the block being filled. `None` where there
    /// is nothing to wait for. An empty block is then written too: what came before it is safe
    /// once it is.
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

    /// Closes the block being filled: it is readable from now on, up to what is committed.
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

    /// What this block is waited for. Asked by whoever writes, after [`Shard::take_block`].
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

    /// Where in `unreleased` a block's entry is; `None` where the block is on disk.
    fn index_of(&self, sequence: BlockSequence) -> Option<usize> {
        let index = sequence.0.checked_sub(self.unreleased_first.0)?;
        usize::try_from(index).ok()
    }

    /// Takes in what the writer tells: releases replies, shows records, dispatches.
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

    /// Releases what asks for no more than the operating system.
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

    /// Shows records, then answers, then takes up what was held back to see them.
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

    /// Shows records up to these ends.
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
