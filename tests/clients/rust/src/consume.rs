//! Consuming: order, settlement, routing, ownership.

use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicNackOptions, ExchangeDeclareOptions,
    QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Consumer, ExchangeKind};

use crate::Outcome;
use crate::session::{channel, equal, next, publish, queue, reason, refused, unique};

async fn consume(channel: &Channel, name: &str) -> Result<Consumer, String> {
    let (tag, options) = ("".into(), BasicConsumeOptions::default());
    channel
        .basic_consume(name.into(), tag, options, FieldTable::default())
        .await
        .map_err(reason)
}

pub async fn deliveries_come_in_order_and_are_settled() -> Outcome {
    let (_connection, channel) = channel().await?;
    let name = queue(&channel).await?;
    for number in 0..100 {
        publish(
            &channel,
            "",
            &name,
            number.to_string().as_bytes(),
            BasicProperties::default(),
        )
        .await?;
    }
    let mut consumer = consume(&channel, &name).await?;
    for number in 0..100 {
        let delivery = next(&mut consumer).await?;
        equal(
            String::from_utf8_lossy(&delivery.data).into_owned(),
            number.to_string(),
        )?;
        delivery
            .ack(BasicAckOptions::default())
            .await
            .map_err(reason)?;
    }
    let options = QueueDeclareOptions {
        passive: true,
        ..Default::default()
    };
    let left = channel
        .queue_declare(name.as_str().into(), options, FieldTable::default())
        .await
        .map_err(reason)?;
    equal(left.message_count(), 0)
}

pub async fn a_returned_message_comes_again_marked_as_redelivered() -> Outcome {
    let (_connection, channel) = channel().await?;
    let name = queue(&channel).await?;
    publish(&channel, "", &name, b"again", BasicProperties::default()).await?;
    let mut consumer = consume(&channel, &name).await?;
    let first = next(&mut consumer).await?;
    equal(first.redelivered, false)?;
    first
        .nack(BasicNackOptions {
            requeue: true,
            ..Default::default()
        })
        .await
        .map_err(reason)?;
    let second = next(&mut consumer).await?;
    equal(
        (second.redelivered, second.data.as_slice()),
        (true, b"again".as_slice()),
    )?;
    second
        .ack(BasicAckOptions::default())
        .await
        .map_err(reason)?;
    Ok(())
}

pub async fn a_topic_exchange_routes_by_pattern() -> Outcome {
    let (_connection, channel) = channel().await?;
    let (name, exchange) = (queue(&channel).await?, unique("topic"));
    let options = ExchangeDeclareOptions {
        auto_delete: true,
        ..Default::default()
    };
    let declared = channel.exchange_declare(
        exchange.as_str().into(),
        ExchangeKind::Topic,
        options,
        FieldTable::default(),
    );
    declared.await.map_err(reason)?;
    let bound = channel.queue_bind(
        name.as_str().into(),
        exchange.as_str().into(),
        "orders.*.created".into(),
        Default::default(),
        FieldTable::default(),
    );
    bound.await.map_err(reason)?;
    for key in [
        "orders.eu.created",
        "orders.eu.deleted",
        "orders.us.created",
    ] {
        publish(
            &channel,
            &exchange,
            key,
            key.as_bytes(),
            BasicProperties::default(),
        )
        .await?;
    }
    let mut consumer = consume(&channel, &name).await?;
    for expected in ["orders.eu.created", "orders.us.created"] {
        let delivery = next(&mut consumer).await?;
        equal(delivery.routing_key.as_str(), expected)?;
        delivery
            .ack(BasicAckOptions::default())
            .await
            .map_err(reason)?;
    }
    Ok(())
}

pub async fn an_exclusive_queue_is_405_for_another_connection() -> Outcome {
    let (_owner_connection, owner) = channel().await?;
    let (_other_connection, other) = channel().await?;
    let name = queue(&owner).await?;
    let options = QueueDeclareOptions {
        passive: true,
        ..Default::default()
    };
    refused(
        other
            .queue_declare(name.as_str().into(), options, FieldTable::default())
            .await,
        405,
    )
}
