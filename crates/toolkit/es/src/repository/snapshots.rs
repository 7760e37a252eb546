//! Snapshots of a repository's aggregates.

use std::{fmt, num::NonZeroU64, sync::Arc};

use stele_toolkit_envelope::{RawJson, Timestamp};

use super::{Executed, Loaded, Repository};
use crate::{Aggregate, EventStore, Kept, Snapshot, Snapshots, StreamId, Until};

/// How a repository keeps snapshots.
pub(super) struct Keeping<A> {
    snapshots: Arc<dyn Snapshots>,
    every: NonZeroU64,
    code_version: u32,
    write: fn(&A) -> Result<RawJson, serde_json::Error>,
    read: fn(&RawJson) -> Result<A, serde_json::Error>,
}

impl<A: Snapshot, S: EventStore + ?Sized> Repository<A, S> {
    /// The same repository with snapshots: a command keeps one when `every` events or more have
    /// happened since the last.
    #[must_use]
    pub fn with_snapshots(mut self, snapshots: Arc<dyn Snapshots>, every: NonZeroU64) -> Self {
        self.keeping = Some(Keeping {
            snapshots,
            every,
            code_version: A::CODE_VERSION,
            write: |state| RawJson::of(state),
            read: RawJson::read,
        });
        self
    }
}

impl<A: Aggregate, S: EventStore + ?Sized> Repository<A, S> {
    /// The aggregate as its snapshot has it, if there is one that isn't later than `until`.
    /// Everything can be read without it, so a failure is a line in the log.
    pub(super) async fn begin(&self, stream: StreamId, until: Until) -> Loaded<A> {
        let mut loaded = Loaded::new(stream);
        let Some(keeping) = &self.keeping else {
            return loaded;
        };
        let found = keeping
            .snapshots
            .load(&loaded.stream, keeping.code_version)
            .await;
        let kept = match found {
            Ok(Some(kept)) if until.includes(kept.version, kept.time) => kept,
            Ok(_) => return loaded,
            Err(error) => {
                tracing::warn!(stream = %loaded.stream, %error, "can't load the snapshot");
                return loaded;
            }
        };
        match (keeping.read)(&kept.state) {
            Ok(state) => {
                loaded.state = state;
                loaded.version = kept.version;
                loaded.time = Some(kept.time);
                loaded.snapshot_version = kept.version;
            }
            Err(error) => {
                let stream = &loaded.stream;
                tracing::warn!(%stream, %error, "the snapshot isn't of this code version");
            }
        }
        loaded
    }

    /// Keeps a snapshot if it is time to.
    pub(super) async fn keep(
        &self,
        stream: &StreamId,
        before: u64,
        executed: &Executed<A>,
        time: Option<Timestamp>,
    ) {
        let (Some(keeping), Some(time)) = (&self.keeping, time) else {
            return;
        };
        if executed.version - before < keeping.every.get() {
            return;
        }
        let state = match (keeping.write)(&executed.state) {
            Ok(state) => state,
            Err(error) => {
                tracing::warn!(%stream, %error, "the state can't be written as JSON");
                return;
            }
        };
        let kept = Kept {
            version: executed.version,
            time,
            state,
        };
        let saved = keeping
            .snapshots
            .save(stream, keeping.code_version, kept)
            .await;
        if let Err(error) = saved {
            tracing::warn!(%stream, %error, "can't save the snapshot");
        }
    }
}

impl<A> fmt::Debug for Keeping<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeping")
            .field("snapshots", &self.snapshots)
            .field("every", &self.every)
            .field("code_version", &self.code_version)
            .finish_non_exhaustive()
    }
}
