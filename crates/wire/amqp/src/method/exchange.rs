//! Class 40, `exchange`. Binding exchanges to exchanges is RabbitMQ's extension.

use super::define::methods;
use crate::{ShortString, Table};

methods! {
    class 40 Exchange

    /// Client: creates the exchange, or checks that it exists with these properties.
    Declare = 10 "exchange.declare" [u16] {
        /// Its name.
        exchange: ShortString,
        /// `direct`, `fanout`, `topic`, `headers`.
        kind: ShortString,
        /// Only check that it exists.
        passive: bool,
        /// Survives a restart.
        durable: bool,
        /// Deleted with its last binding.
        auto_delete: bool,
        /// Only other exchanges may publish to it.
        internal: bool,
        /// The server sends no reply.
        no_wait: bool,
        /// Extensions.
        arguments: Table,
    } []

    /// Server: done.
    DeclareOk = 11 "exchange.declare-ok" [] {} []

    /// Client: deletes the exchange.
    Delete = 20 "exchange.delete" [u16] {
        /// Its name.
        exchange: ShortString,
        /// Only if nothing is bound to it.
        if_unused: bool,
        /// The server sends no reply.
        no_wait: bool,
    } []

    /// Server: done.
    DeleteOk = 21 "exchange.delete-ok" [] {} []

    /// Client: binds `destination` to `source`.
    Bind = 30 "exchange.bind" [u16] {
        /// The exchange that messages go to.
        destination: ShortString,
        /// The exchange that they come from.
        source: ShortString,
        /// The key that the binding matches.
        routing_key: ShortString,
        /// The server sends no reply.
        no_wait: bool,
        /// What a headers exchange matches.
        arguments: Table,
    } []

    /// Server: done.
    BindOk = 31 "exchange.bind-ok" [] {} []

    /// Client: removes a binding.
    Unbind = 40 "exchange.unbind" [u16] {
        /// The exchange that messages go to.
        destination: ShortString,
        /// The exchange that they come from.
        source: ShortString,
        /// The binding's key.
        routing_key: ShortString,
        /// The server sends no reply.
        no_wait: bool,
        /// The binding's arguments.
        arguments: Table,
    } []

    /// Server: done. The id, with the gap before it, is RabbitMQ's.
    UnbindOk = 51 "exchange.unbind-ok" [] {} []
}
