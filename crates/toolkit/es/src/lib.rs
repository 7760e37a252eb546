//! Event sourcing and CQRS.
//!
//! ```text
//!            command                                   query
//!               │                                        │
//!   Commands ───┤                            Queries ────┤
//!               ▼                                        ▼
//!          Repository: load, decide, append         read tables
//!               │            ▲ fold                      ▲ rows and checkpoint, one transaction
//!               ▼            │                           │
//!          EventStore ───────┴──── read_all ────► Runner of a Projection
//! ```
//!
//! State is what follows from events. An [`Aggregate`] decides from its state which events happen,
//! an [`EventStore`] keeps them, and everything else (states, read tables, audits) is computed from
//! them and can be computed again. `docs/patterns/event-sourcing.md` and `docs/patterns/cqrs.md`
//! say what for.

extern crate self as stele_toolkit_es;

mod aggregate;
mod commands;
pub mod limits;
#[cfg(feature = "kafka")]
mod log;
mod memory;
mod position;
pub mod projection;
mod queries;
mod recorded;
mod repository;
mod snapshot;
mod sql;
mod store;
mod stream;

pub use aggregate::{Aggregate, AggregateEvent, EventError};
pub use commands::{Command, CommandError, CommandHandler, Commands};
#[cfg(feature = "kafka")]
pub use log::{LogSettings, LogStore};
pub use memory::MemoryStore;
pub use position::{Position, PositionError};
pub use projection::{Projection, Rows, RunError, Runner};
pub use queries::{After, Queries, Query, QueryError, QueryHandler};
pub use recorded::{Appended, Page, Recorded, Types};
pub use repository::{ExecuteError, Executed, LoadError, Loaded, Repository};
pub use snapshot::{Kept, MemorySnapshots, Snapshot, Snapshots};
pub use sql::{SqlSnapshots, SqlStore};
#[doc(hidden)]
pub use stele_toolkit_envelope as envelope;
pub use store::{AppendError, EventStore, ReadError};
pub use stream::{Expected, StreamId, StreamIdError, Until};

/// The code of the pattern pages is run with the tests.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../../../docs/patterns/event-sourcing.md")]
    struct EventSourcing;

    #[doc = include_str!("../../../../docs/patterns/cqrs.md")]
    struct Cqrs;
}
