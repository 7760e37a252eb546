//! A command of any type, with its reply channel, on its way to a shard.

use std::fmt;

use stele_base_types::LogId;
use stele_core_engine::Command;

use crate::{request::Reply, shard::Shard};

/// A command of some type. The most frequent ones, appends and settlements, have their own
/// requests, which need no allocation.
pub trait Call: fmt::Debug + Send {
    /// The log whose records it must see, including the latest appends.
    fn looks_at(&self) -> Option<LogId>;

    /// Executes it on the shard and sends the answer.
    fn run(self: Box<Self>, shard: &mut Shard);
}

/// A command with its reply channel.
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
