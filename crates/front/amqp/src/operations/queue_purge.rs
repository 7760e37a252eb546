//! `queue.purge`: removes all ready messages.
//!
//! Fields: `queue` (empty: the channel's last one), `no-wait`. Reply: `queue.purge-ok` with the
//! number of removed messages. Unacknowledged deliveries are kept. A stream is 540 NOT_IMPLEMENTED.
//! Spec: 1.7.2.7. Deviations from RabbitMQ: delayed messages (from SQS producers) are removed too;
//! a log that is also retained by age or size, such as a Kafka topic, remains readable for Kafka
//! consumers.

use stele_core_broker::Action;
use stele_wire_amqp::method::queue::{Purge, PurgeOk};

use super::Handled;
use crate::{connection::Connection, errors::Subject, lookup, queue_arguments::is_stream, streams};

pub(super) async fn run(connection: &mut Connection, number: u16, purge: &Purge) -> Handled {
    let name = lookup::queue_name(connection, number, &purge.queue)?;
    let queue = lookup::queue(connection, &name, Action::Consume)?;
    if is_stream(&queue) {
        return Err(streams::unsupported("queue.purge", &name, connection));
    }
    let vhost = connection.session.opened.vhost.clone();
    let purged = connection.broker.purge(queue.id, false).await;
    let count = purged.map_err(|error| Subject::queue(&name, &vhost).fault(error))?;
    if !purge.no_wait {
        let message_count = lookup::count(count);
        connection.reply(number, PurgeOk { message_count });
    }
    Ok(())
}
