//! What connections do at the moment.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::task;

/// What the connections of a [`crate::Db`] do at the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// How many are in use, or on their way back to their pool.
    pub in_use: usize,
    /// The transactions that handlers were lent, each on one of these connections: the task that
    /// has taken it, or `None` if the handler doesn't use it.
    pub lent: Vec<Option<task::Id>>,
}

/// The transactions that handlers were lent, by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lendings(Arc<Mutex<Lent>>);

#[derive(Debug, Default)]
struct Lent {
    takers: BTreeMap<u64, Option<task::Id>>,
    next: u64,
}

/// A transaction that a handler was lent, for as long as this isn't dropped.
#[derive(Debug)]
pub(crate) struct Lending {
    all: Lendings,
    number: u64,
}

impl Lendings {
    pub(crate) fn begin(&self) -> Lending {
        let mut lent = self.lent();
        let number = lent.next;
        lent.next += 1;
        lent.takers.insert(number, None);
        Lending {
            all: self.clone(),
            number,
        }
    }

    /// The task that runs now has taken a transaction.
    pub(crate) fn taken(&self, number: u64) {
        if let Some(taker) = self.lent().takers.get_mut(&number) {
            *taker = task::try_id();
        }
    }

    pub(crate) fn takers(&self) -> Vec<Option<task::Id>> {
        self.lent().takers.values().copied().collect()
    }

    fn lent(&self) -> MutexGuard<'_, Lent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lending {
    pub(crate) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Lending {
    fn drop(&mut self) {
        self.all.lent().takers.remove(&self.number);
    }
}
