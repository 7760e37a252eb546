//! The first stored form: without versions, configurations without tags. Read, never written.
//!
//! Types whose form is still the same aren't repeated here. One whose form changes is copied here
//! before it does.

mod config;
mod record;
mod state;

pub(super) use self::{record::Record, state::State};
