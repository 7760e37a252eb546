//! Class 85, `confirm`: publisher confirms, RabbitMQ's extension.

use super::define::methods;

methods! {
    class 85 Confirm

    /// Client: requests confirms for publishes on this channel.
    Select = 10 "confirm.select" [] {
        /// The server sends no reply.
        no_wait: bool,
    } []

    /// Server: done.
    SelectOk = 11 "confirm.select-ok" [] {} []
}
