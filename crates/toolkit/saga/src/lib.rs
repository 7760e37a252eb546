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
//! A [`Process`] decides freely where steps don't fit, and a [`Correlation`] watches services that
//! nobody leads. [`WithSagas::sagas`] gives any of them to a service; operators look at all of them
//! by [`Instances`].
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

#[cfg(doctest)]
#[doc = include_str!("../../../../docs/patterns/choreography.md")]
mod choreography {}

mod any_plan;
mod correlation;
mod decide;
mod draft;
mod effect;
mod ended;
mod error;
mod input;
mod instance;
mod instances;
mod keeper;
mod metrics;
mod orchestrator;
mod participant;
mod plan;
mod process;
mod requests;
mod rows;
mod service;
mod step;
mod undo;

pub use correlation::{Correlation, Next};
pub use decide::DecideError;
pub use draft::Draft;
pub use effect::{Action, Effect, Entry};
pub use error::SagaError;
pub use input::{Answered, Input, Operator, Reply};
pub use instance::{Instance, Phase, SagaId, Status, StepState};
pub use instances::{Filter, History, Instances, KnownPlan, Listed};
pub use metrics::SagaMetrics;
pub use orchestrator::{Handled, NewEntry, Orchestrator, SagaAlert};
pub use participant::{ActionId, Begun, Cancelled, Participant};
pub use plan::{Plan, Saga};
pub use process::{Decision, Happened, MessageTypes, Process, ProcessInstance};
pub use requests::{Request, RequestOutcome};
pub use service::{Sagas, WithSagas};
pub use step::StepBuilder;
