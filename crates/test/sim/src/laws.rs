//! The fifteen laws, one file each: what must hold for observations, given the known state.

mod l01_acknowledged_survives;
mod l02_offsets_are_dense;
mod l03_order_is_kept;
mod l04_one_holder;
mod l05_retries_do_not_double;
mod l06_all_or_nothing;
mod l07_groups_in_turn;
mod l08_recovery_repeats;
mod l09_retention_is_exact;
mod l10_nothing_panics;
mod l11_links_deliver_once;
mod l12_moves_end_in_one_place;
mod l13_nothing_goes_unnoticed;
mod l14_waits_end;
mod l15_leaves_for_a_reason;

use crate::{event::Event, model::Model};

/// A law. It judges each event before the model records it.
pub(crate) trait Law: std::fmt::Debug {
    /// Its name, with its number.
    fn name(&self) -> &'static str;

    /// Returns what is wrong, if anything.
    fn judge(&mut self, event: &Event, model: &Model) -> Result<(), String>;

    /// The number that its name begins with.
    fn number(&self) -> u32 {
        let number = self.name().split(':').next();
        let number = number.and_then(|number| number.parse().ok());
        number.expect("a law's name begins with its number")
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Box<dyn Law>> {
    vec![
        Box::<l01_acknowledged_survives::AcknowledgedSurvives>::default(),
        Box::<l02_offsets_are_dense::OffsetsAreDense>::default(),
        Box::<l03_order_is_kept::OrderIsKept>::default(),
        Box::<l04_one_holder::OneHolder>::default(),
        Box::<l05_retries_do_not_double::RetriesDoNotDouble>::default(),
        Box::<l06_all_or_nothing::AllOrNothing>::default(),
        Box::<l07_groups_in_turn::GroupsInTurn>::default(),
        Box::new(l08_recovery_repeats::RecoveryRepeats),
        Box::<l09_retention_is_exact::RetentionIsExact>::default(),
        Box::new(l10_nothing_panics::NothingPanics),
        Box::new(l11_links_deliver_once::LinksDeliverOnce),
        Box::<l12_moves_end_in_one_place::MovesEndInOnePlace>::default(),
        Box::new(l13_nothing_goes_unnoticed::NothingGoesUnnoticed),
        Box::<l14_waits_end::WaitsEnd>::default(),
        Box::<l15_leaves_for_a_reason::LeavesForAReason>::default(),
    ]
}

/// Fails with `message` unless `holds`.
fn ensure(holds: bool, message: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(message()) }
}

#[cfg(test)]
mod tests;
