//! `queue.delete`: deletes a queue with its messages and bindings.
//!
//! Fields: `queue` (empty: the channel's last one), `if-unused` (no consumers), `if-empty` (no
//! ready messages), `no-wait`. Reply: `queue.delete-ok` with the number of ready messages, even if
//! the queue doesn't exist. Consumers get `basic.cancel` if their client supports it. Spec:
//! 1.7.2.9. Deviations from RabbitMQ: the whole log is deleted, even if other protocols use it.

use stele_core_broker::{self as broker, Action};
use stele_core_engine::{DeleteLog, LogError};
use stele_wire_amqp::method::queue::{Delete, DeleteOk};

use super::Handled;
use crate::{connection::Connection, errors::Subject, lookup, queue_arguments::is_stream};

pub(super) async fn run(connection: &mut Connection, number: u16, delete: &Delete) -> Handled {
    let name = lookup::queue_name(connection, number, &delete.queue)?;
    let vhost = connection.session.opened.vhost.clone();
    let mut count = 0;
    if let Some(definition) = lookup::log(connection, &name, Action::Delete)? {
        // RabbitMQ deletes a stream whatever it holds, and tells of no messages.
        let is_stream = is_stream(&definition);
        let close = DeleteLog {
            log: definition.id,
            if_unused: delete.if_unused && !is_stream,
            if_empty: delete.if_empty && !is_stream,
        };
        count = match connection.broker.delete_log(close).await {
            Ok(count) if !is_stream => count,
            Ok(_) => 0,
            // Another client has deleted it meanwhile.
            Err(broker::Error::Refused(LogError::NoSuchLog)) => 0,
            Err(error) => return Err(Subject::queue(&name, &vhost).fault(error)),
        };
        connection.exclusive.retain(|log| *log != definition.id);
    }
    if !delete.no_wait {
        let message_count = lookup::count(count);
        connection.reply(number, DeleteOk { message_count });
    }
    Ok(())
}
