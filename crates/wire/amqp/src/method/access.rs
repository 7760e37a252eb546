//! Class 30, `access`: realms of AMQP 0-8. 0-9-1 has dropped it; RabbitMQ answers it for clients
//! of that time.

use super::define::methods;
use crate::ShortString;

methods! {
    class 30 Access

    /// Client: let me use a realm.
    Request = 10 "access.request" [] {
        /// Which.
        realm: ShortString,
        /// By myself.
        exclusive: bool,
        /// To see what is there.
        passive: bool,
        /// To make and delete things.
        active: bool,
        /// To publish.
        write: bool,
        /// To consume.
        read: bool,
    } []

    /// Server: with this ticket.
    RequestOk = 11 "access.request-ok" [] {
        /// What the client may name in what it asks for.
        ticket: u16,
    } []
}
