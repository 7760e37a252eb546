//! The brokers that partitions are assigned to: always the only one.

use stele_wire_kafka::{ResponseError, messages::BrokerId};

use crate::{errors::Fault, topics::NODE_ID};

/// Checks the replicas that a client assigns to a partition, as a single Kafka broker does.
pub(crate) fn check(replicas: &[BrokerId]) -> Result<(), Fault> {
    match replicas {
        [only] if **only == NODE_ID => Ok(()),
        [] => Err(invalid("an empty replica list.")),
        _ => {
            let other = replicas.iter().find(|broker| ***broker != NODE_ID);
            Err(match other {
                Some(broker) => invalid(&format!(
                    "broker {}, but no such broker is registered.",
                    **broker
                )),
                None => invalid(&format!("the broker {NODE_ID} more than once.")),
            })
        }
    }
}

fn invalid(what: &str) -> Fault {
    let message = format!("The manual partition assignment includes {what}");
    Fault::new(ResponseError::InvalidReplicaAssignment, message)
}
