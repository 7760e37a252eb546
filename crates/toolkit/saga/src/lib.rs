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
//! Invariants:
//! - A step's undo is sent only if the step was done or its outcome is unknown.
//! - Once the pivot is done, nothing is undone: what follows is tried until it succeeds.
//! - A reply counts once, for the attempt that waits for it. Others are logged and change nothing.

mod decide;
mod draft;
mod effect;
mod input;
mod instance;
mod plan;
mod step;
mod undo;

pub use decide::DecideError;
pub use draft::Draft;
pub use effect::{Action, Effect, Entry};
pub use input::{Input, Operator, Reply};
pub use instance::{Instance, Phase, SagaId, Status, StepState};
pub use plan::{Plan, Saga};
pub use step::StepBuilder;
