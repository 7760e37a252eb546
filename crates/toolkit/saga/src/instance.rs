//! An instance of a saga: what is stored of it.

use std::fmt;

use serde::{Deserialize, Serialize};
use stele_toolkit_envelope::Timestamp;

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
