//! `basic.publish`: publishes a message to an exchange.
//!
//! Fields: `exchange` (empty: the default exchange, which routes to the queue named by the key),
//! `routing-key`, `mandatory` (returned with `basic.return`, 312 NO_ROUTE, if no queue is bound for
//! it), `immediate` (540 NOT_IMPLEMENTED, as in RabbitMQ); then properties and body. No reply; in
//! confirm mode `basic.ack` or `basic.nack`, after any `basic.return`. A missing exchange is 404
//! NOT_FOUND, an internal one 403 ACCESS_REFUSED; a body over the limit, an invalid `expiration`, a
//! `delivery-mode` other than 1 or 2, and a `user-id` other than the user's are 406
//! PRECONDITION_FAILED. `delivery-mode` is stored but has no effect: the queue determines
//! durability. `expiration` applies to consumers of all protocols. The headers `CC` and `BCC` are
//! additional keys, `x-delay` is for exchanges that delay, `x-stele-delay` for all of them (a
//! number, else 406 PRECONDITION_FAILED; `delay.rs`). The header `stele.key`, a string or bytes
//! (else 406), is the key of the record. Spec: 1.8.3.7.
//! Deviations from RabbitMQ: persistent and transient messages in a durable queue are equally
//! durable.

use stele_wire_amqp::{ShortString, method::basic, reply_code::NO_ROUTE};

use super::Handled;
use crate::{
    carbon_copies,
    connection::Connection,
    delay::{self, Requested},
    errors::{Fault, Subject},
    periods, reply_to,
    routing::{self, Destination, Routed},
    session::{content::Content, in_flight::ToConfirm},
    stored::{KEY_HEADER, Message},
    traced,
};

pub(super) async fn run(connection: &mut Connection, number: u16, content: Content) -> Handled {
    if content.publish.immediate {
        return Err(Fault::not_implemented("immediate=true"));
    }
    let mut message = Message::read(content)?;
    check_user(connection, &message)?;
    check_expiration(&message)?;
    check_key(&message)?;
    reply_to::redirect(connection, number, &mut message)?;
    let copies = carbon_copies::take(&mut message)?;
    let routed = routing::route(connection, &message, &copies)?;
    check_delivery_mode(&message)?;
    let requested = delay::requested(&message.headers, routed.passes_delay)?;
    traced::published(connection, number, &message, &copies, &routed).await;
    let Routed { now, delayed, .. } = routed;
    let now = match requested {
        None => now.merged(delayed),
        Some(requested) => {
            let (now, delayed) = postpone(connection, &message, requested, (now, delayed)).await?;
            if !now.is_empty() && !delayed.is_empty() {
                let mut later = message.clone();
                delay::delay(&mut later, requested, copies);
                return publish_twice(connection, number, (now, message), (delayed, later)).await;
            }
            if !delayed.is_empty() {
                delay::delay(&mut message, requested, copies);
            }
            now.merged(delayed)
        }
    };
    if connection.session.channel(number)?.transaction.is_some() {
        return publish_in_transaction(connection, number, &now, message);
    }
    let confirm = number_publish(connection, number)?;
    if now.is_empty() {
        unroutable(connection, number, &message, confirm);
        return Ok(());
    }
    connection.publish(now, &message, confirm).await
}

/// Where a message with a delay goes at once, and where after it.
async fn postpone(
    connection: &Connection,
    message: &Message,
    requested: Requested,
    (now, delayed): (Destination, Destination),
) -> Result<(Destination, Destination), Fault> {
    let (now, delayed) = match requested.delays_all {
        true => (Destination::default(), now.merged(delayed)),
        false => (now, delayed),
    };
    let is_returned = message.content.publish.mandatory && delayed.is_empty();
    let stay = requested.stay().filter(|_| !is_returned);
    let Some(stay) = stay else {
        return Ok((now, delayed));
    };
    let vhost = &connection.session.opened.vhost;
    let log = connection.broker.scheduled_log(vhost).await;
    let log = log.map_err(|error| Subject::queue(vhost, vhost).fault(error))?;
    Ok((now, Destination::scheduled(log, stay)))
}

/// Publishes a message to some logs at once, and to others after its delay.
async fn publish_twice(
    connection: &mut Connection,
    number: u16,
    (now, message): (Destination, Message),
    (delayed, later): (Destination, Message),
) -> Handled {
    if connection.session.channel(number)?.transaction.is_some() {
        publish_in_transaction(connection, number, &now, message)?;
        return publish_in_transaction(connection, number, &delayed, later);
    }
    let confirm = number_publish(connection, number)?;
    if let Some(confirms) = &mut connection.session.channel(number)?.confirms {
        confirms.expect_two();
    }
    connection.publish(now, &message, confirm).await?;
    connection.publish(delayed, &later, confirm).await
}

fn publish_in_transaction(
    connection: &mut Connection,
    number: u16,
    to: &Destination,
    message: Message,
) -> Handled {
    let queues = routing::names(connection, &to.logs);
    let size_bytes = usize::try_from(message.content.body.size_bytes()).unwrap_or(usize::MAX);
    let room = connection.incoming.pass(size_bytes);
    let channel = connection.session.channel(number)?;
    let transaction = channel.transaction.get_or_insert_default();
    transaction.publish(queues, message, room)
}

fn check_user(connection: &Connection, message: &Message) -> Handled {
    let user = connection.principal().user().unwrap_or_default();
    match &message.properties.user_id {
        Some(claimed) if claimed.as_text() != Some(user) => Err(Fault::precondition(format!(
            "user_id property set to '{claimed}' but authenticated user was '{user}'"
        ))),
        _ => Ok(()),
    }
}

fn check_delivery_mode(message: &Message) -> Handled {
    match message.properties.delivery_mode {
        None | Some(1 | 2) => Ok(()),
        Some(mode) => Err(Fault::precondition(format!(
            "invalid message: {{delivery_mode_unknown,{mode}}}"
        ))),
    }
}

fn check_expiration(message: &Message) -> Handled {
    let Some(expiration) = &message.properties.expiration else {
        return Ok(());
    };
    let text = expiration.to_string();
    periods::check_text(&text)
        .map_err(|what| Fault::precondition(format!("invalid expiration '{text}': {what}")))
}

fn check_key(message: &Message) -> Handled {
    if message.has_good_key() {
        return Ok(());
    }
    Err(Fault::precondition(format!(
        "invalid header '{KEY_HEADER}': expected a string or octets"
    )))
}

/// The number of the publish, in confirm mode.
fn number_publish(connection: &mut Connection, number: u16) -> Result<Option<ToConfirm>, Fault> {
    let channel = connection.session.channel(number)?;
    let id = channel.id;
    Ok(channel.confirms.as_mut().map(|confirms| ToConfirm {
        channel: id,
        number: confirms.next(),
    }))
}

/// A message without a route: returned if it is mandatory, and confirmed.
pub(crate) fn unroutable(
    connection: &mut Connection,
    number: u16,
    message: &Message,
    confirm: Option<ToConfirm>,
) {
    let content = &message.content;
    if content.publish.mandatory {
        let returned = basic::Return {
            reply_code: NO_ROUTE.code,
            reply_text: ShortString::from_static(NO_ROUTE.name),
            exchange: content.publish.exchange.clone(),
            routing_key: content.publish.routing_key.clone(),
        };
        let body = content.body.whole();
        connection.outbox.content(
            number,
            |writer| returned.encode(writer),
            content.properties.clone(),
            &body,
        );
    }
    if let Some(confirm) = confirm {
        connection.confirm(confirm, true);
    }
}
