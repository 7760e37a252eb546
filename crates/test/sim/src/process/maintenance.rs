//! The work of the shards' threads about once a second, and of the checkpointer.

use stele_base_types::Timestamp;
use stele_core_broker::Replayed;
use stele_core_storage::Error;

use super::{Process, Site};

impl Process {
    /// Makes every shard check the space; requests that wait for space become due at the next tick.
    pub(crate) fn look_at_space(&mut self) {
        for site in &mut self.sites {
            // No spares are given up: the disk has room.
            drop(site.shard.look_at_space());
        }
    }

    /// Checks the space, applies retention, and plans a checkpoint if one is due.
    pub(crate) fn maintain(&mut self, shard: usize, now: Timestamp) -> Result<(), Error> {
        let site = &mut self.sites[shard];
        if let Some(mut spares) = site.shard.look_at_space() {
            spares.release()?;
        }
        site.shard.maintain(now);
        if site.shard.should_rotate(now) && site.blocks.is_empty() {
            site.writer.seal()?;
            site.shard.want_block();
        }
        if let Some(plan) = site.shard.plan_checkpoint(now) {
            site.plan = Some(plan);
        }
        Ok(())
    }

    /// Takes the next step of a checkpoint: the shard plans or installs a part of it, for up to
    /// `piece_max` partitions; the checkpointer makes it; the shard receives it; or the
    /// checkpointer turns the files into spares or frees their space.
    pub(crate) fn checkpoint(&mut self, shard: usize, piece_max: usize) -> Result<(), Error> {
        let site = &mut self.sites[shard];
        if site.shard.has_checkpoint_piece() {
            if let Some(retired) = site.shard.checkpoint_piece(piece_max) {
                site.retired = Some(retired);
            }
        } else if let Some(checkpoint) = site.checkpoint.take() {
            site.shard.checkpointed(checkpoint);
        } else if let Some(mut retired) = site.retired.take() {
            retired.release()?;
        } else if let Some(plan) = site.plan.take() {
            let replay = &mut Replayed::default();
            match site.checkpointer.checkpoint(&plan, replay) {
                Err(error) if error.is_for_want() => site.shard.abandon_checkpoint(),
                checkpoint => site.checkpoint = Some(checkpoint?),
            }
        }
        Ok(())
    }

    /// Takes all possible steps of checkpoints.
    pub(crate) fn checkpoint_all(&mut self, shard: usize) -> Result<(), Error> {
        while self.sites[shard].has_to_checkpoint() {
            self.checkpoint(shard, usize::MAX)?;
        }
        Ok(())
    }
}

impl Site {
    fn has_to_checkpoint(&self) -> bool {
        self.shard.has_checkpoint_piece()
            || self.plan.is_some()
            || self.checkpoint.is_some()
            || self.retired.is_some()
    }
}
