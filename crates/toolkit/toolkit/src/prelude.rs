//! What a file with handlers needs: `use stele_toolkit::prelude::*;`.

#[cfg(feature = "saga")]
pub use crate::saga::WithSagas as _;
pub use crate::{
    Attempt, Batch, Breaker, Event, Failure, Jitter, Message, Meta, Outbox, Policy, Raw, Service,
    State,
};
#[cfg(feature = "sql")]
pub use crate::{Db, Migration, Tx, sqlx};
