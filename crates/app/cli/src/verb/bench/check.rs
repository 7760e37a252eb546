//! Checks that all messages that were sent have arrived.

use std::collections::{HashMap, HashSet};

use super::message::Identity;

/// Differences between the messages sent and received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Faults {
    /// Sent, acknowledged, and not received.
    pub(super) lost: u64,
    /// Received again.
    pub(super) doubled: u64,
    /// Received by a consumer after a later message of the same sender.
    pub(super) disordered: u64,
    /// Received but not sent.
    pub(super) foreign: u64,
}

impl Faults {
    pub(super) fn any(self) -> bool {
        self != Self::default()
    }
}

/// Compares the messages received by each consumer, in order, with the number of messages sent by
/// each client.
pub(super) fn compare(sent: &[u64], received: &[Vec<Option<Identity>>]) -> Faults {
    let mut faults = Faults::default();
    let mut seen = HashSet::new();
    for consumer in received {
        let mut latest: HashMap<u16, u64> = HashMap::new();
        for identity in consumer {
            let known = identity.filter(|identity| {
                let of_client = sent.get(usize::from(identity.client));
                of_client.is_some_and(|count| identity.sequence < *count)
            });
            let Some(identity) = known else {
                faults.foreign += 1;
                continue;
            };
            faults.doubled += u64::from(!seen.insert(identity));
            let latest = latest.entry(identity.client).or_default();
            faults.disordered += u64::from(identity.sequence < *latest);
            *latest = identity.sequence.max(*latest);
        }
    }
    faults.lost = sent.iter().sum::<u64>() - seen.len() as u64;
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(client: u16, sequence: u64) -> Option<Identity> {
        Some(Identity { client, sequence })
    }

    #[test]
    fn all_in_order_is_no_fault() {
        let received = [vec![of(0, 0), of(1, 0), of(0, 1)], vec![of(1, 1)]];
        assert!(!compare(&[2, 2], &received).any());
    }

    #[test]
    fn each_fault_is_counted() {
        let received = [vec![of(0, 2), of(0, 1), of(0, 1), of(5, 0), None]];
        let faults = compare(&[3], &received);
        assert_eq!(
            faults,
            Faults {
                lost: 1,
                doubled: 1,
                disordered: 2,
                foreign: 2
            }
        );
    }
}
