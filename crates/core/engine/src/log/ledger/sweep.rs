//! Removes what a closed ledger, or the ledger of a closed log, leaves, piece by piece.

use smallvec::SmallVec;

use super::{Deadline, Ledger, Site, partition_index};
use crate::{Effect, LogError, limits::SWEEP_MAX};

impl Ledger {
    /// Those to be notified with this error when the next piece is swept: waits first, and
    /// subscribed consumers once no record is left.
    pub(crate) fn to_tell(&self, error: LogError) -> SmallVec<[Effect; 1]> {
        if self.demand.has_waits() {
            let waits = self.demand.waits().take(SWEEP_MAX);
            return waits
                .map(|token| Effect::Leased(token, Err(error)))
                .collect();
        }
        if !self.parts.is_empty() {
            return SmallVec::new();
        }
        let consumers = self.demand.references().take(SWEEP_MAX);
        let subscribed = consumers.filter(|consumer| self.demand.is_subscribed(*consumer));
        subscribed.map(Effect::ConsumerCancelled).collect()
    }

    /// Removes up to `left` entries, including those notified by [`Ledger::to_tell`], but no others
    /// of their kind. Returns whether nothing is left.
    pub(crate) fn sweep(&mut self, left: &mut usize, site: &mut Site<'_>) -> bool {
        if self.demand.has_waits() {
            let told: Vec<_> = self.demand.waits().take(*left).collect();
            told.into_iter()
                .for_each(|token| self.demand.end_wait(token, site));
            return false;
        }
        if self.parts.is_empty() {
            let told: Vec<_> = self.demand.references().take(*left).collect();
            *left -= told.len();
            told.into_iter()
                .for_each(|consumer| self.demand.drop_consumer(consumer, site));
        }
        self.sweep_parts(left, site);
        if !self.parts.is_empty() || self.demand.references().next().is_some() {
            return false;
        }
        self.attempts.shed(left);
        *left > 0
    }

    fn sweep_parts(&mut self, left: &mut usize, site: &mut Site<'_>) {
        while *left > 0
            && let Some(last) = self.parts.len().checked_sub(1)
        {
            let partition = partition_index(last);
            while *left > 0
                && let Some((offset, lease)) = self.parts[last].leased.pop_first()
            {
                self.end_lease(partition, offset, &lease, site);
                *left -= 1;
            }
            while *left > 0
                && let Some((offset, delayed)) = self.parts[last].delayed.pop_first()
            {
                let delay = Deadline::Delay(self.place(partition, offset));
                let deadline = (delayed.until, site.log, delay);
                site.indexes.deadlines.remove(&deadline);
                *left -= 1;
            }
            self.parts[last].shed_bodies(left);
            self.parts[last].shed(left);
            if *left > 0 {
                self.unnote_expiry(partition, site);
                self.unnote_lifetimes(partition, site);
                self.parts.pop();
                *left -= 1;
            }
        }
    }
}
