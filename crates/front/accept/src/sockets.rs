//! The sockets that clients may have, of several fronts together: descriptors are the process's,
//! and storage needs some of them.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many sockets. Clones share them.
#[derive(Clone, Debug)]
pub struct Sockets(Arc<Semaphore>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Socket {
    _permit: OwnedSemaphorePermit,
}

impl Sockets {
    /// At most this many.
    pub fn at_most(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS))))
    }

    /// One more, if there may be one.
    pub(crate) fn take(&self) -> Option<Socket> {
        let permit = Arc::clone(&self.0).try_acquire_owned().ok()?;
        Some(Socket { _permit: permit })
    }
}

impl Default for Sockets {
    /// As many as anybody wants.
    fn default() -> Self {
        Self::at_most(Semaphore::MAX_PERMITS)
    }
}
