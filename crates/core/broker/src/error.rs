//! Why the broker can't do what was requested.

use std::sync::Arc;

/// A refusal or a failure of a request. Fronts translate it with an exhaustive match.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error<E> {
    /// The request is refused; nothing has changed.
    #[error(transparent)]
    Refused(E),
    /// The broker failed to carry out the request.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// A failure that any request can meet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The broker is stopping. It is unknown whether the change was made.
    #[error("the broker is stopping")]
    Stopping,
    /// The disk is nearly full: publishes and declarations are refused until space is free; reads
    /// and checkpoints go on. The caller may retry later.
    #[error("no space left on the disk")]
    NoSpace,
    /// The message doesn't fit a journal block. The caller refuses it for good.
    #[error("too large: {0}")]
    TooLarge(Arc<str>),
    /// Stored data couldn't be read.
    #[error("stored data can't be read: {0}")]
    Unreadable(Arc<str>),
}
