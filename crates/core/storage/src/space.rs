//! Watches the space that is left on the disk.

use std::sync::Arc;

use stele_base_env::Disk;

use crate::{Error, Retired, ShardDirectory, error::AtPath, journal::Spares};

/// Says when publishing is to be refused, so that the space that is left serves reading,
/// acknowledging and checkpoints, which is what frees space.
#[derive(Debug)]
pub struct SpaceGuard {
    directory: ShardDirectory,
    disk: Arc<dyn Disk>,
    reserve_bytes: u64,
    is_low: bool,
}

/// What a [`SpaceGuard`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// What can still be written.
    pub free_bytes: u64,
    /// Publishing is to be refused.
    pub is_low: bool,
}

impl SpaceGuard {
    /// A guard that keeps `reserve_bytes` free on the disk that holds `directory`.
    pub fn new(directory: &ShardDirectory, reserve_bytes: u64) -> Self {
        Self {
            directory: directory.clone(),
            disk: directory.disk.clone(),
            reserve_bytes,
            is_low: false,
        }
    }

    /// Looks at the disk. Once low, space counts as low until an eighth more than the reserve is
    /// free, so that publishers aren't let in and out with every file that comes and goes.
    pub fn check(&mut self) -> Result<Space, Error> {
        let path = &self.directory.path;
        let free_bytes = self.disk.free_bytes(path).at("measure space at", path)?;
        let margin_bytes = if self.is_low {
            self.reserve_bytes / 8
        } else {
            0
        };
        self.is_low = free_bytes < self.reserve_bytes.saturating_add(margin_bytes);
        self.directory.spares.note_space(self.is_low);
        Ok(Space {
            free_bytes,
            is_low: self.is_low,
        })
    }

    /// The spare journal files, where space is low: for the checkpointer to release.
    pub fn take_spares(&self) -> Option<Retired> {
        Spares::take_unwanted(&self.directory)
    }
}
