//! The first stored form: without versions, configurations without tags. Read, never written.
//!
//! Types whose form hasn't changed since aren't repeated here. Before changing the form of such a
//! type, copy it here.

mod config;
mod record;
mod state;

pub(super) use self::{record::Record, state::State};
