//! Points at which tests and chaos runs stop a process.

use std::fmt::Debug;

use async_trait::async_trait;

/// A point at which a crash has an outcome of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// A handler has run, its transaction isn't committed.
    BeforeCommit,
    /// The transaction is committed, nobody has been told.
    AfterCommit,
    /// The consumer is about to acknowledge the delivery. Reached by whoever does so.
    BeforeAck,
    /// The relay has read rows, and is about to send them.
    BeforeSend,
    /// The broker has confirmed the messages.
    AfterSend,
    /// The relay has deleted their rows in a transaction that isn't committed.
    BeforeDelete,
}

impl Point {
    /// All points, in the order in which a message passes them.
    pub const ALL: [Self; 6] = [
        Self::BeforeCommit,
        Self::AfterCommit,
        Self::BeforeAck,
        Self::BeforeSend,
        Self::AfterSend,
        Self::BeforeDelete,
    ];

    /// Its name: `before_commit`.
    pub fn name(self) -> &'static str {
        match self {
            Self::BeforeCommit => "before_commit",
            Self::AfterCommit => "after_commit",
            Self::BeforeAck => "before_ack",
            Self::BeforeSend => "before_send",
            Self::AfterSend => "after_send",
            Self::BeforeDelete => "before_delete",
        }
    }

    /// The point of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|point| point.name() == name)
    }
}

/// Called at each [`Point`]. It may end the process, or never return: whoever waits for it is then
/// dropped by the test, which is what a crash does to a task.
#[async_trait]
pub trait Failpoint: Debug + Send + Sync + 'static {
    /// The point is reached.
    async fn reach(&self, point: Point);

    /// Whether the database is to be as good as away for loops that ask: see
    /// [`crate::Db::is_reachable`].
    fn is_away(&self) -> bool {
        false
    }
}
