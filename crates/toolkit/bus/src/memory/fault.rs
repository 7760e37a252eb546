//! Faults on order.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;

/// What goes wrong with the next message that it can go wrong with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A published message is stored twice.
    Double,
    /// A published message is stored before the last one that waits in its queue.
    Reorder,
    /// A published message isn't taken: the broker is busy.
    RefusePublish,
    /// A published message is stored, but its sender isn't told so.
    LoseConfirm,
    /// An acknowledgement doesn't arrive: the message comes again.
    LoseAck,
    /// The call doesn't return; the test ends its caller as a crash would.
    Crash(Crash),
}

/// Where a process crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// Before its work is committed.
    BeforeCommit,
    /// After its work is committed.
    AfterCommit,
    /// Before it acknowledges a message.
    BeforeAck,
    /// After it has published a message, before it knows.
    AfterPublish,
}

/// The faults that are to come, in order.
#[derive(Clone, Default)]
pub(super) struct Faults(Arc<Ordered>);

#[derive(Default)]
struct Ordered {
    faults: Mutex<VecDeque<Fault>>,
    crashed: Notify,
}

impl Faults {
    pub(super) fn order(&self, fault: Fault, times: usize) {
        let mut faults = self.0.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.extend(std::iter::repeat_n(fault, times));
    }

    /// Takes a fault, if it was ordered.
    pub(super) fn strikes(&self, fault: Fault) -> bool {
        let mut faults = self.0.faults.lock().unwrap_or_else(PoisonError::into_inner);
        match faults.iter().position(|ordered| *ordered == fault) {
            Some(index) => faults.remove(index).is_some(),
            None => false,
        }
    }

    /// Doesn't return if a crash is ordered here.
    pub(super) async fn crash(&self, point: Crash) {
        if self.strikes(Fault::Crash(point)) {
            self.0.crashed.notify_one();
            std::future::pending::<()>().await;
        }
    }

    pub(super) async fn crashed(&self) {
        self.0.crashed.notified().await;
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults = self.0.faults.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_list().entries(faults.iter()).finish()
    }
}
