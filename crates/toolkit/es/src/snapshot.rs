//! Snapshots: states that are kept, so that not all events have to be read.

use std::fmt::Debug;

use async_trait::async_trait;
use serde::{Serialize, de::DeserializeOwned};
use stele_toolkit_bus::StoreError;
use stele_toolkit_envelope::{RawJson, Timestamp};

use crate::{Aggregate, StreamId};

/// An aggregate whose state can be kept as JSON.
pub trait Snapshot: Aggregate + Serialize + DeserializeOwned {
    /// Changes whenever the state's form changes, or what `evolve` makes of an event. Snapshots of
    /// other versions are never read.
    const CODE_VERSION: u32;
}

/// A state as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The version of the stream that it is the state of.
    pub version: u64,
    /// The time of that event.
    pub time: Timestamp,
    /// The state.
    pub state: RawJson,
}

/// Where snapshots are kept: apart from the events, which they follow from. Any of them can be
/// deleted at any time.
#[async_trait]
pub trait Snapshots: Debug + Send + Sync + 'static {
    /// The latest snapshot of a stream that this version of the code has made.
    async fn load(&self, stream: &StreamId, code_version: u32) -> Result<Option<Kept>, StoreError>;

    /// Keeps a snapshot, unless a later one is there already, and deletes those that older
    /// versions of the code have made of this stream.
    async fn save(
        &self,
        stream: &StreamId,
        code_version: u32,
        snapshot: Kept,
    ) -> Result<(), StoreError>;
}

mod memory;

pub use memory::MemorySnapshots;
