//! Class 50, `queue`.

use super::define::methods;
use crate::{ShortString, Table};

methods! {
    class 50 Queue

    /// Client: creates the queue, or checks that it exists with these properties.
    Declare = 10 "queue.declare" [u16] {
        /// Its name; empty: the server chooses one.
        queue: ShortString,
        /// Only check that it exists.
        passive: bool,
        /// Survives a restart.
        durable: bool,
        /// Only for this connection, and deleted with it.
        exclusive: bool,
        /// Deleted with its last consumer.
        auto_delete: bool,
        /// The server sends no reply.
        no_wait: bool,
        /// Extensions.
        arguments: Table,
    } []

    /// Server: done.
    DeclareOk = 11 "queue.declare-ok" [] {
        /// The queue's name.
        queue: ShortString,
        /// The number of ready messages.
        message_count: u32,
        /// The number of consumers.
        consumer_count: u32,
    } []

    /// Client: binds the queue to the exchange.
    Bind = 20 "queue.bind" [u16] {
        /// The queue; empty: the channel's last one.
        queue: ShortString,
        /// The exchange.
        exchange: ShortString,
        /// The key that the binding matches.
        routing_key: ShortString,
        /// The server sends no reply.
        no_wait: bool,
        /// What a headers exchange matches.
        arguments: Table,
    } []

    /// Server: done.
    BindOk = 21 "queue.bind-ok" [] {} []

    /// Client: removes all ready messages.
    Purge = 30 "queue.purge" [u16] {
        /// The queue; empty: the channel's last one.
        queue: ShortString,
        /// The server sends no reply.
        no_wait: bool,
    } []

    /// Server: done.
    PurgeOk = 31 "queue.purge-ok" [] {
        /// The number of messages removed.
        message_count: u32,
    } []

    /// Client: deletes the queue.
    Delete = 40 "queue.delete" [u16] {
        /// The queue; empty: the channel's last one.
        queue: ShortString,
        /// Only if it has no consumers.
        if_unused: bool,
        /// Only if it has no ready messages.
        if_empty: bool,
        /// The server sends no reply.
        no_wait: bool,
    } []

    /// Server: done.
    DeleteOk = 41 "queue.delete-ok" [] {
        /// The number of messages deleted with it.
        message_count: u32,
    } []

    /// Client: removes a binding.
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
