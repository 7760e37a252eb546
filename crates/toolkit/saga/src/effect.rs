//! What a decision wants to be done, in the transaction that stores the instance.

use crate::Draft;
use serde::{Deserialize, Serialize};
use stele_toolkit_envelope::Timestamp;

/// Something to do in the transaction that stores the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send a command to the queue that its type names.
    Command {
        /// The step's place in the plan.
        step: usize,
        /// The attempt, from 1. Each attempt is a message of its own, and all of a step's attempts
        /// have the same action id.
        attempt: u32,
        /// Whether it does the step or undoes it.
        action: Action,
        /// The command.
        draft: Draft,
    },
    /// Send a command of a [`crate::Process`] to the queue that its type names.
    Act {
        /// What it does or undoes, in the process's own words.
        action: String,
        /// The command.
        draft: Draft,
    },
    /// Publish an event to the topic that its type names.
    Event(Draft),
    /// Tell a person: the instance goes on trying, and doesn't get further.
    Alert(String),
    /// Add to the instance's history.
    Log(Entry),
}

/// Whether a command does a step or undoes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Does it.
    Do,
    /// Undoes it.
    Undo,
}

impl Action {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Do => "do",
            Self::Undo => "undo",
        }
    }

    pub(crate) fn of_word(word: &str) -> Option<Self> {
        let all = [Self::Do, Self::Undo];
        all.into_iter().find(|action| action.word() == word)
    }
}

/// An entry of an instance's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "what"
)]
pub enum Entry {
    /// The instance began.
    Started,
    /// A command was sent.
    Sent {
        /// The step.
        step: String,
        /// The attempt.
        attempt: u32,
        /// Whether it does the step or undoes it.
        action: Action,
    },
    /// A step was done.
    Done {
        /// The step.
        step: String,
    },
    /// A step failed.
    Failed {
        /// The step.
        step: String,
        /// The type of the reply that said so.
        reply: String,
    },
    /// A step gave no reply in time: it may be done, or be done later.
    Unknown {
        /// The step.
        step: String,
    },
    /// A step was undone.
    Undone {
        /// The step.
        step: String,
    },
    /// A reply came that nobody waits for: late, or for the second time.
    Late {
        /// The type of the reply.
        reply: String,
    },
    /// A timer of a process was due.
    Due {
        /// Its name.
        timer: String,
    },
    /// A process said something.
    Noted {
        /// In its words.
        text: String,
    },
    /// An event was published that a [`crate::Correlation`] notes.
    Seen {
        /// Its type.
        message_type: String,
        /// The program that published it.
        source: String,
        /// Its message id.
        message_id: String,
        /// Its own time.
        at: Timestamp,
    },
    /// What a [`crate::Correlation`] expected didn't come in time.
    Overdue {
        /// The type that it was to follow.
        after: String,
        /// What was expected.
        expected: String,
    },
    /// An operator intervened.
    Operator {
        /// What was asked.
        action: String,
    },
    /// The instance ended.
    Ended {
        /// Whether its steps were done, and not undone.
        is_done: bool,
    },
}
