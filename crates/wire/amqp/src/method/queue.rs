//! Class 50, `queue`.

use super::define::methods;
use crate::{ShortString, Table};

methods! {
    class 50 Queue

    /// Client: make the queue, or check that it is so.
    Declare = 10 "queue.declare" [u16] {
        /// Its name; empty: the server makes one up.
        queue: ShortString,
        /// Only check that it exists.
        passive: bool,
        /// Survives a restart.
        durable: bool,
        /// For this connection alone, and deleted with it.
        exclusive: bool,
        /// Deleted with its last consumer.
        auto_delete: bool,
        /// No answer wanted.
        no_wait: bool,
        /// Extensions.
        arguments: Table,
    } []

    /// Server: done.
    DeclareOk = 11 "queue.declare-ok" [] {
        /// The queue's name.
        queue: ShortString,
        /// Messages that are ready.
        message_count: u32,
        /// Consumers.
        consumer_count: u32,
    } []

    /// Client: route from the exchange to the queue too.
    Bind = 20 "queue.bind" [u16] {
        /// The queue; empty: the channel's last one.
        queue: ShortString,
        /// The exchange.
        exchange: ShortString,
        /// What the binding matches.
        routing_key: ShortString,
        /// No answer wanted.
        no_wait: bool,
        /// What a headers exchange matches.
        arguments: Table,
    } []

    /// Server: done.
    BindOk = 21 "queue.bind-ok" [] {} []

    /// Client: remove all messages that are ready.
    Purge = 30 "queue.purge" [u16] {
        /// The queue; empty: the channel's last one.
        queue: ShortString,
        /// No answer wanted.
        no_wait: bool,
    } []

    /// Server: done.
    PurgeOk = 31 "queue.purge-ok" [] {
        /// Messages removed.
        message_count: u32,
    } []

    /// Client: delete the queue.
    Delete = 40 "queue.delete" [u16] {
        /// The queue; empty: the channel's last one.
        queue: ShortString,
        /// Only where nobody consumes.
        if_unused: bool,
        /// Only where nothing is ready.
        if_empty: bool,
        /// No answer wanted.
        no_wait: bool,
    } []

    /// Server: done.
    DeleteOk = 41 "queue.delete-ok" [] {
        /// Messages deleted with it.
        message_count: u32,
    } []

    /// Client: undo a binding.
    Unbind = 50 "queue.unbind" [u16] {
        /// The queue; empty: the channel's last one.
        queue: ShortString,
        /// The exchange.
        exchange: ShortString,
        /// The binding's key.
        routing_key: ShortString,
        /// The binding's arguments.
        arguments: Table,
    } []

    /// Server: done.
    UnbindOk = 51 "queue.unbind-ok" [] {} []
}
