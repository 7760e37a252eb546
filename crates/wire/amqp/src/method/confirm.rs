//! Class 85, `confirm`: publisher confirms, RabbitMQ's extension.

use super::define::methods;

methods! {
    class 85 Confirm

    /// Client: confirm what I publish on this channel.
    Select = 10 "confirm.select" [] {
        /// No answer wanted.
        no_wait: bool,
    } []

    /// Server: done.
    SelectOk = 11 "confirm.select-ok" [] {} []
}
