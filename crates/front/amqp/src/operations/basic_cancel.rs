//! `basic.cancel`: cancels a consumer.
//!
//! Fields: `consumer-tag`, `no-wait`. Reply: `basic.cancel-ok`, even if the consumer doesn't exist.
//! Its deliveries remain to be acknowledged; nothing is delivered after the reply. Spec: 1.8.3.5.
//! Deviations from RabbitMQ: none.

use stele_wire_amqp::method::basic::{Cancel, CancelOk};

use super::Handled;
use crate::connection::Connection;

pub(super) async fn run(connection: &mut Connection, number: u16, cancel: Cancel) -> Handled {
    let channel = connection.session.channel(number)?;
    let consumer = channel.consumers.get(&cancel.consumer_tag).copied();
    let unsettled = consumer.and_then(|consumer| channel.deliveries.first_read(consumer));
    if let Some(consumer) = consumer
        && let Some(subscription) = connection.session.subscription(consumer).cloned()
    {
        connection
            .end_consumer(consumer, &subscription, unsettled, false)
            .await;
        connection.drain_events().await?;
        connection.forget_consumer(consumer);
        connection.await_auto_delete(subscription.log).await;
    }
    if !cancel.no_wait {
        let consumer_tag = cancel.consumer_tag;
        connection.reply(number, CancelOk { consumer_tag });
    }
    Ok(())
}
