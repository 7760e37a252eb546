//! Class 30, `access`: realms of AMQP 0-8. Version 0-9-1 dropped it; RabbitMQ still answers it for
//! old clients.

use super::define::methods;
use crate::ShortString;

methods! {
    class 30 Access

    /// Client: requests access to a realm.
    Request = 10 "access.request" [] {
        /// The realm.
        realm: ShortString,
        /// Exclusive access.
        exclusive: bool,
        /// To check for existence.
        passive: bool,
        /// To create and delete.
        active: bool,
        /// To publish.
        write: bool,
        /// To consume.
        read: bool,
    } []

    /// Server: grants a ticket.
    RequestOk = 11 "access.request-ok" [] {
        /// The ticket, which later requests may refer to.
        ticket: u16,
    } []
}
