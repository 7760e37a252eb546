//! Publishing: confirms, returns, bodies, properties.

use lapin::options::{BasicGetOptions, BasicPublishOptions};
use lapin::types::{AMQPValue, FieldArray, FieldTable, ShortString};
use lapin::{BasicProperties, Confirmation};

use crate::Outcome;
use crate::session::{channel, equal, publish, queue, reason, refused, unique};

pub async fn every_publish_is_confirmed() -> Outcome {
    let (_connection, channel) = channel().await?;
    let name = queue(&channel).await?;
    let mut confirms = Vec::new();
    for _ in 0..300 {
        let options = BasicPublishOptions::default();
        let sent = channel.basic_publish(
            "".into(),
            name.as_str().into(),
            options,
            b"x",
            BasicProperties::default(),
        );
        confirms.push(sent.await.map_err(reason)?);
    }
    for confirm in confirms {
        let confirmation = confirm.await.map_err(reason)?;
        equal(confirmation.is_ack(), true)?;
    }
    Ok(())
}

pub async fn a_mandatory_message_that_nothing_takes_comes_back() -> Outcome {
    let (_connection, channel) = channel().await?;
    let key = unique("absent");
    match publish(&channel, "", &key, b"back", BasicProperties::default()).await? {
        Confirmation::Ack(Some(returned)) => {
            equal(returned.reply_code, 312)?;
            equal(returned.delivery.data.as_slice(), b"back".as_slice())
        }
        other => Err(format!("expected the message back, found {other:?}")),
    }
}

pub async fn properties_and_nested_headers_come_back() -> Outcome {
    let (_connection, channel) = channel().await?;
    let name = queue(&channel).await?;
    let mut inner = FieldTable::default();
    inner.insert("deep".into(), AMQPValue::LongLongInt(-5));
    let list = FieldArray::from(vec![
        AMQPValue::Boolean(true),
        AMQPValue::Void,
        AMQPValue::FieldTable(inner),
    ]);
    let mut headers = FieldTable::default();
    headers.insert("list".into(), AMQPValue::FieldArray(list));
    headers.insert("text".into(), AMQPValue::LongString("grün".into()));
    headers.insert("double".into(), AMQPValue::Double(2.5));
    headers.insert("short".into(), AMQPValue::ShortInt(-3));
    headers.insert("time".into(), AMQPValue::Timestamp(1_700_000_000));
    let sent = BasicProperties::default()
        .with_headers(headers)
        .with_content_type(ShortString::from("application/json"))
        .with_delivery_mode(2)
        .with_priority(3)
        .with_correlation_id("c".into())
        .with_reply_to("r".into())
        .with_message_id("m".into())
        .with_timestamp(1_700_000_000)
        .with_type("t".into())
        .with_app_id("a".into());
    publish(&channel, "", &name, b"", sent.clone()).await?;
    let found = channel
        .basic_get(name.as_str().into(), BasicGetOptions { no_ack: true })
        .await
        .map_err(reason)?;
    equal(found.ok_or("the queue is empty")?.properties.clone(), sent)
}

pub async fn a_large_body_comes_back_whole() -> Outcome {
    let (_connection, channel) = channel().await?;
    let name = queue(&channel).await?;
    let body: Vec<u8> = (0..3_000_000u32).map(|index| (index % 251) as u8).collect();
    publish(&channel, "", &name, &body, BasicProperties::default()).await?;
    let found = channel
        .basic_get(name.as_str().into(), BasicGetOptions { no_ack: true })
        .await
        .map_err(reason)?;
    let found = found.ok_or("the queue is empty")?;
    equal(found.data.as_slice() == body.as_slice(), true)
}

pub async fn an_absent_exchange_is_404() -> Outcome {
    let (_connection, channel) = channel().await?;
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish(
        unique("absent").into(),
        "".into(),
        options,
        b"",
        BasicProperties::default(),
    );
    let confirm = sent.await.map_err(reason)?;
    refused(confirm.await, 404)
}
