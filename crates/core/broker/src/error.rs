//! Why the broker can't do what it was asked.

use std::sync::Arc;

/// A refusal or a failure of a request. Fronts translate it with an exhaustive match.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error<E> {
    /// What was asked is refused: nothing has changed.
    #[error(transparent)]
    Refused(E),
    /// The broker couldn't do it, whatever it was.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// A failure that may meet any request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The broker is stopping. Whether the change was made isn't known.
    #[error("the broker is stopping")]
    Stopping,
    /// The disk is nearly full: publishing and declaring are refused until space is free, reading
    /// and checkpoints go on. The caller may try later.
    #[error("no space left on the disk")]
    NoSpace,
    /// The message is larger than a journal block can hold. The caller refuses it for good.
    #[error("too large: {0}")]
    TooLarge(Arc<str>),
    /// Stored data couldn't be read.
    #[error("stored data can't be read: {0}")]
    Unreadable(Arc<str>),
}
