//! Whole services, on a broker in memory and in virtual time.

mod dead;
mod harness;
mod process;
#[cfg(feature = "sql")]
mod sqlite;
mod watched;

use async_trait::async_trait;
use stele_toolkit_bus::{NoStore, Store, memory::MemoryStore};

pub use dead::Dead;
pub use harness::Harness;

/// A store on which a [`Harness`] runs services. Clones are the same store.
#[async_trait]
pub trait TestStore: Store + Clone {
    /// What is left to do that nobody has begun, by names for people: nothing is empty. Messages
    /// that are put aside don't count, since [`Store::due`] tells of them.
    async fn left(&self) -> Vec<(&'static str, usize)>;
}

#[async_trait]
impl TestStore for MemoryStore {
    async fn left(&self) -> Vec<(&'static str, usize)> {
        left([("messages to send", self.unsent())])
    }
}

#[async_trait]
impl TestStore for NoStore {
    async fn left(&self) -> Vec<(&'static str, usize)> {
        Vec::new()
    }
}

fn left<const N: usize>(all: [(&'static str, usize); N]) -> Vec<(&'static str, usize)> {
    all.into_iter().filter(|(_, count)| *count > 0).collect()
}
