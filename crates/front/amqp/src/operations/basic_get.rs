//! `basic.get`: fetches one message.
//!
//! Fields: `queue` (empty: the channel's last one), `no-ack`. Reply: `basic.get-ok` with the
//! message and the number of remaining ready messages, or `basic.get-empty`. A stream is 540
//! NOT_IMPLEMENTED; a quorum queue with a single active consumer is 405 RESOURCE_LOCKED. Spec:
//! 1.8.3.10. Deviations from RabbitMQ: none.

use stele_base_types::ConsumerId;
use stele_core_broker::{Action, LeasedMessage, Share};
use stele_core_engine::{LeaseRequest, LedgerId, LogDefinition};
use stele_wire_amqp::{
    ShortString,
    method::basic::{Get, GetEmpty, GetOk},
};

use super::{Handled, basic_consume, queue_declare};
use crate::{
    connection::Connection,
    errors::{Fault, Subject},
    lookup,
    queue_arguments::is_stream,
    session::{Subscription, unacked::Unacked},
    stored::Arrival,
    streams, traced,
};

/// No consumer has this id: consumer ids start at 1.
const NO_CONSUMER: ConsumerId = ConsumerId(0);

pub(super) async fn run(connection: &mut Connection, number: u16, get: &Get) -> Handled {
    let name = lookup::queue_name(connection, number, &get.queue)?;
    let queue = lookup::queue(connection, &name, Action::Consume)?;
    if is_stream(&queue) {
        return Err(streams::unsupported("basic.get", &name, connection));
    }
    if lookup::is_quorum_of_one(&queue) {
        let vhost = &connection.session.opened.vhost;
        return Err(Subject::queue(&name, vhost).served_alone());
    }
    queue_declare::adopt(connection, &queue).await?;
    connection.patience.note(&queue, connection.now);
    let asked = Subscription {
        channel: number,
        tag: ShortString::EMPTY,
        queue: name,
        log: queue.id,
        no_ack: get.no_ack,
        exclusive: false,
        counts_deliveries: basic_consume::counts_deliveries(&queue),
        reads: false,
    };
    loop {
        let Some((message, room)) = lease(connection, &queue, get.no_ack).await? else {
            connection.reply(number, GetEmpty {});
            return Ok(());
        };
        if let Some(arrival) = connection.fresh(&asked, &message).await {
            deliver(connection, &asked, &message, arrival).await?;
            connection.outgoing.hold(&connection.outbox, room);
            return Ok(());
        }
    }
}

async fn lease(
    connection: &mut Connection,
    queue: &LogDefinition,
    no_ack: bool,
) -> Result<Option<(LeasedMessage, Share)>, Fault> {
    let vhost = connection.session.opened.vhost.clone();
    let subject = Subject::queue(&queue.name, &vhost);
    let request = LeaseRequest {
        ledger: LedgerId::DEFAULT,
        holder: connection.holder.consumer(NO_CONSUMER),
        records_max: 1,
        lease_ms: None,
        settle: no_ack,
        wait_ms: None,
        attempt: None,
        leased_max: None,
    };
    let broker = connection.broker.clone();
    loop {
        let leased = broker.lease(queue.id, request).await;
        let leased = leased.map_err(|error| subject.fault(error))?;
        if leased.is_empty() {
            return Ok(None);
        }
        // After a record that isn't a message, there may be another.
        for batch in leased {
            let mut messages = batch.messages(queue.id);
            let room = connection.room(messages.size_bytes_max()).await;
            let read = broker.read_leased(&mut messages, room).await;
            read.map_err(|error| subject.fault(error))?;
            let message = broker.next_message(&mut messages).await;
            if let Some(message) = message.map_err(|error| subject.fault(error))? {
                return Ok(Some((message, messages.take_room())));
            }
        }
    }
}

async fn deliver(
    connection: &mut Connection,
    asked: &Subscription,
    message: &LeasedMessage,
    arrival: Arrival,
) -> Handled {
    let vhost = connection.session.opened.vhost.clone();
    let status = connection.broker.status(asked.log).await;
    let status = status.map_err(|error| Subject::queue(&asked.queue, &vhost).fault(error))?;
    let redelivered = message.lease.redelivered;
    traced::delivered(connection, asked.channel, &asked.queue, message, &arrival).await;
    let now = connection.now;
    let channel = connection.session.channel(asked.channel)?;
    let delivery_tag = if asked.no_ack {
        channel.deliveries.settled()
    } else {
        let unacked = Unacked::of(asked.log, message);
        channel.deliveries.leased(unacked, now)
    };
    let get_ok = GetOk {
        delivery_tag,
        redelivered,
        exchange: arrival.exchange,
        routing_key: arrival.routing_key,
        message_count: lookup::count(status.ready),
    };
    connection.outbox.content(
        asked.channel,
        |writer| get_ok.encode(writer),
        arrival.properties,
        &arrival.body,
    );
    Ok(())
}
