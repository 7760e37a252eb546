//! How dead letters leave their queue: one shard of targets after the other, and those that go the
//! same way together.

use smallvec::SmallVec;
use stele_base_types::LogId;
use stele_core_engine::{Catalogue, DeadRun, DeathReason, HeaderChange, Schedule};

use super::Letter;
use crate::{LeasedMessage, MoveMessages, MovedMessage};

/// What becomes of a dead letter.
#[derive(Debug)]
pub enum LetterFate {
    /// It is moved, or copied.
    Moves(Box<LetterStep>),
    /// It stays for now, for this reason.
    Stays(String),
    /// It stays until a queue has room.
    Waits,
    /// Nobody wants it.
    Goes,
}

/// The next step of a dead letter: to those of its targets on one shard that have room.
#[derive(Debug)]
pub struct LetterStep {
    to: SmallVec<[LogId; 1]>,
    /// Whether targets are left, on other shards or without room.
    is_copied: bool,
    /// Why it died, if this step takes it out of its queue.
    leaves: Option<DeathReason>,
    headers: Vec<HeaderChange>,
    schedule: Schedule,
}

/// Dead letters that take the same step together.
#[derive(Debug)]
pub struct LeavingLetters {
    /// The messages.
    pub run: MoveMessages,
    /// Why they died, if this step takes them out of their queue.
    pub leaves: Option<DeathReason>,
}

impl Letter {
    /// Its targets that don't have it yet.
    pub fn left(&self, dead: &DeadRun) -> SmallVec<[LogId; 1]> {
        let targets = self.targets.iter().copied();
        targets.filter(|to| !dead.copied.contains(to)).collect()
    }
}

impl LetterFate {
    /// What becomes of a letter that has no targets left.
    pub fn of_last(letter: &Letter, dead: &DeadRun) -> Self {
        match letter.is_kept && dead.copied.is_empty() {
            true => Self::Stays("nothing is bound to the dead-letter exchange".to_owned()),
            false => Self::Goes,
        }
    }
}

impl LetterStep {
    /// To these targets, of as many as are left, from the log that it is dead in.
    pub fn of(
        letter: Letter,
        (to, left): (SmallVec<[LogId; 1]>, usize),
        (log, dead): (LogId, &DeadRun),
    ) -> Self {
        let is_copied = to.len() < left;
        let is_back = to[..] == [log];
        let deaths = letter.deaths.header();
        Self {
            is_copied,
            to,
            leaves: (!is_copied && !is_back).then_some(dead.reason),
            headers: deaths.into_iter().chain(letter.headers).collect(),
            schedule: letter.schedule,
        }
    }
}

impl LeavingLetters {
    /// Adds a dead letter of a log to those that it follows, or begins anew. Returns those before
    /// it, if it can't go with them.
    pub fn add(
        current: &mut Option<Self>,
        catalogue: &Catalogue,
        (log, dead): (LogId, &DeadRun),
        step: LetterStep,
        message: LeasedMessage,
    ) -> Option<Self> {
        let partition = message.partition;
        let mut moved = MovedMessage {
            record: message.record,
            lease: None,
            headers: step.headers,
            schedule: step.schedule,
        };
        if let Some(Self { run, leaves }) = current
            && (&run.to, run.is_copied, *leaves) == (&step.to, step.is_copied, step.leaves)
        {
            match run.push(moved) {
                Ok(()) => return None,
                Err(refused) => moved = *refused,
            }
        }
        let run = MoveMessages::new(log, dead.ledger, partition, step.to);
        let mut run = run.as_defined(catalogue);
        run.is_copied = step.is_copied;
        let is_first = run.push(moved);
        debug_assert!(is_first.is_ok(), "the first message always fits");
        current.replace(Self {
            run,
            leaves: step.leaves,
        })
    }
}
