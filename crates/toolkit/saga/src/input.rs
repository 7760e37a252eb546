//! What happens to a saga.

use stele_toolkit_envelope::Envelope;

use crate::Action;

/// What happens to an instance of a saga.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// A message came that may be a reply.
    Reply(Reply<'a>),
    /// A step's deadline has passed: see [`crate::Instance::due`]. Counts only if the step still
    /// waits in this attempt.
    Timer {
        /// The step's place in the plan.
        step: usize,
        /// The attempt that asked for it.
        attempt: u32,
        /// What the attempt was to do.
        action: Action,
    },
    /// An operator intervenes.
    Operator(Operator),
}

/// A message that may be a reply to one of the saga's commands.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// The message.
    pub envelope: &'a Envelope,
    /// What its `causationId` says that it answers.
    pub to: Answered,
}

/// What a message answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// It doesn't say. It counts for the step that waits for its type.
    Unsaid,
    /// A command of this instance. It counts for this step alone, whichever attempt it was.
    Command {
        /// The step's place in the plan.
        step: usize,
        /// The attempt.
        attempt: u32,
        /// What the command was to do.
        action: Action,
    },
    /// Something that isn't a command of this instance. It counts only for a step that waits for
    /// its type without having sent a command.
    Other,
}

/// What an operator may do with an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// Sends what the instance waits for again, at once.
    Retry,
    /// Undoes what was done. Refused once the pivot is done.
    Compensate,
    /// Takes the steps that the instance waits for as done, or as undone, and goes on.
    Skip,
}

impl Operator {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Retry, Self::Compensate, Self::Skip];

    /// The word that it is stored as.
    pub fn word(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Compensate => "compensate",
            Self::Skip => "skip",
        }
    }

    pub(crate) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.word() == word)
    }
}
