//! Messages that are sent by a transaction's commit, outside of handlers.

use stele_toolkit_bus::{Destination, Outgoing};
use stele_toolkit_envelope::{Context, Envelope, Message};
use stele_toolkit_sql::Tx;

use crate::process::Failed;

/// Publishes an event if the transaction is committed.
pub async fn publish<M: Message>(tx: &mut Tx, context: &Context, event: &M) -> Result<(), Failed> {
    let envelope = Envelope::of(event, context)?;
    Ok(tx
        .send(&[to_topic(&envelope, M::TOPIC, event.key().0)])
        .await?)
}

/// An envelope on its way to a topic.
pub fn to_topic(envelope: &Envelope, topic: &str, key: impl Into<String>) -> Outgoing {
    let to = Destination::Topic(topic.to_owned());
    Outgoing::json(to, envelope.message_id.clone(), envelope.encode()).with_key(key)
}
