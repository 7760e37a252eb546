//! The limit of client sockets shared by several fronts: file descriptors are limited per process,
//! and storage needs some.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A number of sockets. Clones share it.
#[derive(Clone, Debug)]
pub struct Sockets(Arc<Semaphore>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Socket {
    _permit: OwnedSemaphorePermit,
}

impl Sockets {
    /// Allows at most `count` sockets.
    pub fn at_most(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS))))
    }

    /// Takes a socket. Returns `None` if none is left.
    pub(crate) fn take(&self) -> Option<Socket> {
        let permit = Arc::clone(&self.0).try_acquire_owned().ok()?;
        Some(Socket { _permit: permit })
    }
}

impl Default for Sockets {
    /// Without a limit.
    fn default() -> Self {
        Self::at_most(Semaphore::MAX_PERMITS)
    }
}
