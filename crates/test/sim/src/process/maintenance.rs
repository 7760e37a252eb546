//! What the shards' threads do about once a second, and the settler.

use stele_base_types::Timestamp;
use stele_core_broker::Replayed;
use stele_core_storage::Error;

use super::{Process, Site};

impl Process {
    /// Looks at the space, applies retention, and plans settling where it is due.
    pub(crate) fn maintain(&mut self, shard: usize, now: Timestamp) -> Result<(), Error> {
        let site = &mut self.sites[shard];
        if let Ok(space) = site.guard.check() {
            site.shard.set_blocked(space.is_low);
        }
        if let Some(spares) = site.guard.take_spares() {
            spares.release()?;
        }
        site.shard.maintain(now);
        if site.shard.should_rotate(now) && site.blocks.is_empty() {
            site.writer.seal()?;
        }
        if let Some(plan) = site.shard.plan_settling(now) {
            site.plan = Some(plan);
        }
        Ok(())
    }

    /// The next step of settling: the shard does a piece, for so many partitions; the
    /// settler settles, the shard hears of it, or the settler keeps the files as spares or gives
    /// their space back.
    pub(crate) fn settle(&mut self, shard: usize, piece_max: usize) -> Result<(), Error> {
        let site = &mut self.sites[shard];
        if site.shard.has_settling_piece() {
            if let Some(retired) = site.shard.settle_piece(piece_max) {
                site.retired = Some(retired);
            }
        } else if let Some(settled) = site.settled.take() {
            site.shard.settled(settled);
        } else if let Some(retired) = site.retired.take() {
            retired.release()?;
        } else if let Some(plan) = site.plan.take() {
            let settled = site.settler.settle(&plan, &mut Replayed::default())?;
            site.settled = Some(settled);
        }
        Ok(())
    }

    /// All steps of settling that can be taken.
    pub(crate) fn settle_all(&mut self, shard: usize) -> Result<(), Error> {
        while self.sites[shard].has_to_settle() {
            self.settle(shard, usize::MAX)?;
        }
        Ok(())
    }
}

impl Site {
    fn has_to_settle(&self) -> bool {
        self.shard.has_settling_piece()
            || self.plan.is_some()
            || self.settled.is_some()
            || self.retired.is_some()
    }
}
