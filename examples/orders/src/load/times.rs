//! How long it took.

use std::time::Duration;

use super::{
    customers::{Customers, Placed},
    kinds::GOOD,
};
use crate::process::Failed;

/// What became of the orders, and when.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    /// From sending to the answer.
    pub(super) accepted: Vec<Duration>,
    /// From sending to the confirmation, of good orders.
    pub(super) good: Vec<Duration>,
    /// The same, of all that were confirmed.
    pub(super) confirmed: Vec<Duration>,
    pub(super) cancelled: usize,
    pub(super) unanswered: usize,
}

impl Times {
    /// Asks for the history of each order that was accepted.
    pub(super) async fn of(customers: &Customers, placed: &[Placed]) -> Result<Self, Failed> {
        let mut times = Self::default();
        for order in placed {
            let Some(id) = &order.order_id else {
                times.unanswered += 1;
                continue;
            };
            times
                .accepted
                .push(Duration::from_millis(order.accepted_ms));
            for (message_type, at) in customers.history(id).await? {
                let took = at.since(order.sent_at);
                match message_type.as_str() {
                    "OrderConfirmed" => {
                        times.confirmed.push(took);
                        if order.kind == GOOD {
                            times.good.push(took);
                        }
                    }
                    "OrderCancelled" => times.cancelled += 1,
                    _ => {}
                }
            }
        }
        for times in [&mut times.accepted, &mut times.good, &mut times.confirmed] {
            times.sort();
        }
        Ok(times)
    }
}

/// The time that so many of a hundred took at most; zero if there is none.
pub(super) fn share(sorted: &[Duration], percent: usize) -> Duration {
    let last = sorted.len().saturating_sub(1);
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at.min(last)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_the_smallest_time_that_covers_it() {
        let times: Vec<_> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(share(&times, 50), Duration::from_millis(50));
        assert_eq!(share(&times, 99), Duration::from_millis(99));
        assert_eq!(share(&times[..1], 99), Duration::from_millis(1));
        assert_eq!(share(&[], 50), Duration::ZERO);
    }
}
