//! `exchange.delete`: deletes an exchange and its bindings.
//!
//! Fields: `exchange`, `if-unused` (no bindings), `no-wait`. Reply: `exchange.delete-ok`, even if
//! the exchange doesn't exist. The default exchange and the `amq.` exchanges are 403
//! ACCESS_REFUSED; an exchange in use, with `if-unused`, is 406 PRECONDITION_FAILED. Spec: 1.6.2.3.
//! Deviations from RabbitMQ: none.

use stele_core_broker as broker;
use stele_core_engine::{CatalogueError, DeleteExchange};
use stele_wire_amqp::method::exchange::{Delete, DeleteOk};

use super::Handled;
use crate::{
    connection::Connection,
    errors::{Fault, Subject},
    lookup,
};

pub(super) async fn run(connection: &mut Connection, number: u16, delete: &Delete) -> Handled {
    let name = lookup::name(&delete.exchange);
    let vhost = connection.session.opened.vhost.clone();
    let subject = Subject::exchange(&name, &vhost);
    if name.is_empty() {
        return Err(Fault::default_exchange());
    }
    if name.starts_with(lookup::RESERVED_PREFIX) {
        return Err(Fault::access_refused(format!(
            "deletion of system {} not allowed",
            subject.describe()
        )));
    }
    let deletion = DeleteExchange {
        vhost: vhost.clone(),
        name: name.clone(),
        if_unused: delete.if_unused,
    };
    match connection.broker.delete_exchange(deletion).await {
        Ok(()) | Err(broker::Error::Refused(CatalogueError::NoSuchExchange(_))) => {}
        Err(error) => return Err(subject.fault(error)),
    }
    if !delete.no_wait {
        connection.reply(number, DeleteOk {});
    }
    Ok(())
}
