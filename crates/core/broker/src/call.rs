//! A command of any type on its way to its shard, with where its answer goes.

use std::fmt;

use stele_base_types::LogId;
use stele_core_engine::Command;

use crate::{request::Reply, shard::Shard};

/// A command of some type. What is asked most often, appends and settlements, has requests of its
/// own, which need no allocation.
pub trait Call: fmt::Debug + Send {
    /// The log whose records it looks at.
    fn looks_at(&self) -> Option<LogId>;

    /// Has the shard decide on it and answer it.
    fn run(self: Box<Self>, shard: &mut Shard);
}

/// A command with its asker.
#[derive(Debug)]
pub(crate) struct Asked<C: Command> {
    pub(crate) command: C,
    pub(crate) reply: Option<Reply<C::Reply, C::Error>>,
}

impl<C: Command> Call for Asked<C> {
    fn looks_at(&self) -> Option<LogId> {
        self.command.looks_at()
    }

    fn run(self: Box<Self>, shard: &mut Shard) {
        shard.call(self.command, self.reply);
    }
}
