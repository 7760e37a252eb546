//! Class 40, `exchange`. Binding exchanges to exchanges is RabbitMQ's extension.

use super::define::methods;
use crate::{ShortString, Table};

methods! {
    class 40 Exchange

    /// Client: make the exchange, or check that it is so.
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
        /// No answer wanted.
        no_wait: bool,
        /// Extensions.
        arguments: Table,
    } []

    /// Server: done.
    DeclareOk = 11 "exchange.declare-ok" [] {} []

    /// Client: delete the exchange.
    Delete = 20 "exchange.delete" [u16] {
        /// Its name.
        exchange: ShortString,
        /// Only where nothing is bound to it.
        if_unused: bool,
        /// No answer wanted.
        no_wait: bool,
    } []

    /// Server: done.
    DeleteOk = 21 "exchange.delete-ok" [] {} []

    /// Client: route from `source` to `destination` too.
    Bind = 30 "exchange.bind" [u16] {
        /// The exchange that messages go to.
        destination: ShortString,
        /// The exchange that they come from.
        source: ShortString,
        /// What the binding matches.
        routing_key: ShortString,
        /// No answer wanted.
        no_wait: bool,
        /// What a headers exchange matches.
        arguments: Table,
    } []

    /// Server: done.
    BindOk = 31 "exchange.bind-ok" [] {} []

    /// Client: undo a binding.
    Unbind = 40 "exchange.unbind" [u16] {
        /// The exchange that messages go to.
        destination: ShortString,
        /// The exchange that they come from.
        source: ShortString,
        /// The binding's key.
        routing_key: ShortString,
        /// No answer wanted.
        no_wait: bool,
        /// The binding's arguments.
        arguments: Table,
    } []

    /// Server: done. The id is RabbitMQ's, who left a gap.
    UnbindOk = 51 "exchange.unbind-ok" [] {} []
}
