//! Snapshots in memory.

use std::collections::HashMap;

use async_trait::async_trait;
use parking_lot::Mutex;
use stele_toolkit_bus::StoreError;

use super::{Kept, Snapshots};
use crate::StreamId;

/// Snapshots in memory, for tests and for stores whose events are quickly read.
#[derive(Debug, Default)]
pub struct MemorySnapshots(Mutex<HashMap<StreamId, Vec<(u32, Kept)>>>);

#[async_trait]
impl Snapshots for MemorySnapshots {
    async fn load(&self, stream: &StreamId, code_version: u32) -> Result<Option<Kept>, StoreError> {
        let all = self.0.lock();
        let of_stream = all.get(stream).map_or(&[][..], Vec::as_slice);
        let found = of_stream.iter().find(|(of, _)| *of == code_version);
        Ok(found.map(|(_, kept)| kept.clone()))
    }

    async fn save(
        &self,
        stream: &StreamId,
        code_version: u32,
        snapshot: Kept,
    ) -> Result<(), StoreError> {
        let mut all = self.0.lock();
        let of_stream = all.entry(stream.clone()).or_default();
        of_stream.retain(|(of, _)| *of >= code_version);
        match of_stream.iter_mut().find(|(of, _)| *of == code_version) {
            Some((_, kept)) if kept.version < snapshot.version => *kept = snapshot,
            Some(_) => {}
            None => of_stream.push((code_version, snapshot)),
        }
        Ok(())
    }
}
