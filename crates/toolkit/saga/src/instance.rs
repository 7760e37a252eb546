//! An instance of a saga: what is stored of it.

use std::fmt;

use serde::{Deserialize, Serialize};
use stele_toolkit_envelope::Timestamp;

use crate::{Action, Input};

/// Identifies an instance: the correlation id of the message that started it, so that every reply
/// that keeps its correlation id finds it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SagaId(pub String);

impl fmt::Display for SagaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An instance of a saga.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance<S> {
    /// Its id.
    pub id: SagaId,
    /// The version of the plan that it goes by until it ends.
    pub version: u32,
    /// Where it is.
    pub status: Status,
    /// Whether it is being tried again and again, and a person was told.
    pub is_stuck: bool,
    /// The saga's own data.
    pub data: S,
    /// Its steps, in the plan's order.
    pub steps: Vec<StepState>,
}

impl<S> Instance<S> {
    /// When it wants to be looked at next.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.steps.iter().filter_map(|step| step.deadline).min()
    }

    /// What has to be told to it by now: the deadlines that have passed.
    pub fn due(&self, now: Timestamp) -> Vec<Input<'static>> {
        let steps = self.steps.iter().enumerate();
        let late = steps.filter(|(_, step)| step.deadline.is_some_and(|at| at <= now));
        late.map(|(step, state)| Input::Timer {
            step,
            attempt: state.attempt,
            action: match state.phase {
                Phase::Undoing => Action::Undo,
                _ => Action::Do,
            },
        })
        .collect()
    }
}

/// Where an instance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// Its steps are being done.
    Running,
    /// Its steps are being undone.
    Undoing,
    /// All steps are done.
    Done,
    /// What was done is undone.
    Undone,
}

impl Status {
    /// Whether nothing follows.
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Done | Self::Undone)
    }

    /// The word that it is stored as.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Undoing => "undoing",
            Self::Done => "done",
            Self::Undone => "undone",
        }
    }

    /// The status of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        let all = [Self::Running, Self::Undoing, Self::Done, Self::Undone];
        all.into_iter().find(|status| status.word() == word)
    }
}

/// Where a step of an instance is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepState {
    /// Its name. An instance goes on only with a plan that has the same names in the same order.
    pub name: String,
    /// Where it is.
    pub phase: Phase,
    /// The last attempt at doing it, or at undoing it: from 1, and 0 before the first.
    pub attempt: u32,
    /// When the attempt is given up, or the next one begins.
    pub deadline: Option<Timestamp>,
}

/// Where a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// Not begun.
    Pending,
    /// Its command was sent.
    Sent,
    /// It failed and is tried again later.
    Waiting,
    /// Done.
    Done,
    /// Not done, as a reply says.
    Failed,
    /// Not known: no reply came in time.
    Unknown,
    /// The command that undoes it was sent.
    Undoing,
    /// Undone.
    Undone,
    /// An operator took it as done, or as undone.
    Skipped,
}
