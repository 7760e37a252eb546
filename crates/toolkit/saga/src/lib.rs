//! Sagas: a business transaction over several services, undone step by step when it can't be
//! finished.
//!
//! A [`Saga`] declares its steps in order: the command of each, the replies to it, how long it may
//! take, and the command that undoes it. The plan is a pure state machine: it takes an [`Input`]
//! and an [`Instance`], and returns the next instance and the [`Effect`]s that are committed with
//! it.
//!
//! ```text
//!            start
//!              │
//!              ▼      all steps done
//!           Running ──────────────────► Done
//!              │ a step fails, or its outcome is unknown in time
//!              │ (before the pivot)
//!              ▼      all undone
//!           Undoing ──────────────────► Undone
//! ```
//!
//! An [`Orchestrator`] keeps the instances in the service's database, and decides in the
//! transaction in which the message is handled. A [`Participant`] is the other side: the service
//! that does a step, or undoes it, once.
//!
//! Invariants:
//! - A step's undo is sent only if the step was done or its outcome is unknown.
//! - Once the pivot is done, nothing is undone: what follows is tried until it succeeds.
//! - A reply counts once, for the attempt that waits for it. Others are logged and change nothing.

#[cfg(doctest)]
#[doc = include_str!("../../../../docs/patterns/saga.md")]
mod page {}

mod any_plan;
mod decide;
mod draft;
mod effect;
mod error;
mod input;
mod instance;
mod operate;
mod orchestrator;
mod participant;
mod plan;
mod rows;
mod step;
mod undo;

pub use decide::DecideError;
pub use draft::Draft;
pub use effect::{Action, Effect, Entry};
pub use error::SagaError;
pub use input::{Input, Operator, Reply};
pub use instance::{Instance, Phase, SagaId, Status, StepState};
pub use operate::{Filter, History, Listed};
pub use orchestrator::{Handled, Orchestrator};
pub use participant::{Begun, Cancelled, Participant};
pub use plan::{Plan, Saga};
pub use step::StepBuilder;
