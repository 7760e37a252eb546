//! The histories of letters.

use stele_core_broker::name_of;
use stele_core_engine::DeathReason;

use crate::event::Death;

/// A history without its last death.
pub(super) fn before(deaths: &[Death]) -> Vec<Death> {
    let mut before = deaths.to_vec();
    match before.first_mut() {
        Some(last) if last.count > 1 => last.count -= 1,
        Some(_) => drop(before.remove(0)),
        None => {}
    }
    before
}

/// A history with one more death.
pub(super) fn after(deaths: &[Death], queue: &str, reason: DeathReason) -> Vec<Death> {
    let reason = name_of(reason);
    let mut deaths = deaths.to_vec();
    let mut known = deaths.iter_mut();
    match known.find(|it| &*it.queue == queue && &*it.reason == reason) {
        Some(death) => death.count += 1,
        None => deaths.push(Death {
            queue: queue.into(),
            reason: reason.into(),
            count: 1,
        }),
    }
    deaths
}

/// Whether a message comes to a queue that it died in before, and nobody has rejected it since.
pub(super) fn goes_round(queue: &str, deaths: &[Death]) -> bool {
    let rejected = name_of(DeathReason::Rejected);
    let since = deaths.iter().take_while(|death| &*death.reason != rejected);
    let mut since = since.map(|death| &*death.queue);
    since.any(|died_in| died_in == queue)
}
