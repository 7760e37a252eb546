//! Class 60, `basic`: publishing, consuming, acknowledging.

use super::define::methods;
use crate::{ShortOctets, ShortString, Table};

methods! {
    class 60 Basic

    /// Client: how much may be under way unacknowledged.
    Qos = 10 "basic.qos" [] {
        /// In octets; 0: no limit.
        prefetch_size: u32,
        /// In messages; 0: no limit.
        prefetch_count: u16,
        /// For the channel rather than for each later consumer (RabbitMQ's reading).
        global: bool,
    } []

    /// Server: done.
    QosOk = 11 "basic.qos-ok" [] {} []

    /// Client: send me the queue's messages.
    Consume = 20 "basic.consume" [u16] {
        /// The queue; empty: the channel's last one.
        queue: ShortString,
        /// The consumer's name; empty: the server makes one up.
        consumer_tag: ShortString,
        /// Not what this connection published.
        no_local: bool,
        /// Settled as soon as sent.
        no_ack: bool,
        /// Nobody else may consume.
        exclusive: bool,
        /// No answer wanted.
        no_wait: bool,
        /// Extensions.
        arguments: Table,
    } []

    /// Server: done.
    ConsumeOk = 21 "basic.consume-ok" [] {
        /// The consumer's name.
        consumer_tag: ShortString,
    } []

    /// Client: stop; server: I have stopped (RabbitMQ's extension).
    Cancel = 30 "basic.cancel" [] {
        /// The consumer's name.
        consumer_tag: ShortString,
        /// No answer wanted.
        no_wait: bool,
    } []

    /// The answer to it.
    CancelOk = 31 "basic.cancel-ok" [] {
        /// The consumer's name.
        consumer_tag: ShortString,
    } []

    /// Client: a message, whose header and body follow.
    Publish = 40 "basic.publish" [u16] {
        /// The exchange; empty: the default one.
        exchange: ShortOctets,
        /// What it routes by.
        routing_key: ShortOctets,
        /// Return it where no queue is bound for it.
        mandatory: bool,
        /// Return it where no consumer is ready.
        immediate: bool,
    } []

    /// Server: a message that went nowhere comes back, with header and body.
    Return = 50 "basic.return" [] {
        /// Why, as a number.
        reply_code: u16,
        /// Why, as text.
        reply_text: ShortString,
        /// The exchange it was published to.
        exchange: ShortOctets,
        /// The key it was published with.
        routing_key: ShortOctets,
    } []

    /// Server: a message for a consumer, whose header and body follow.
    Deliver = 60 "basic.deliver" [] {
        /// Whose.
        consumer_tag: ShortString,
        /// The delivery's number in its channel, from 1.
        delivery_tag: u64,
        /// Whether it may have been delivered before.
        redelivered: bool,
        /// The exchange it was published to.
        exchange: ShortOctets,
        /// The key it was published with.
        routing_key: ShortOctets,
    } []

    /// Client: give me one message.
    Get = 70 "basic.get" [u16] {
        /// The queue; empty: the channel's last one.
        queue: ShortString,
        /// Settled as soon as sent.
        no_ack: bool,
    } []

    /// Server: here, with header and body.
    GetOk = 71 "basic.get-ok" [] {
        /// The delivery's number in its channel.
        delivery_tag: u64,
        /// Whether it may have been delivered before.
        redelivered: bool,
        /// The exchange it was published to.
        exchange: ShortOctets,
        /// The key it was published with.
        routing_key: ShortOctets,
        /// Messages that are left.
        message_count: u32,
    } []

    /// Server: there is none.
    GetEmpty = 72 "basic.get-empty" [] {} [ShortString]

    /// Client: processed; server: published (a confirm).
    Ack = 80 "basic.ack" [] {
        /// Which delivery, or publish.
        delivery_tag: u64,
        /// And all before it.
        multiple: bool,
    } []

    /// Client: not processed.
    Reject = 90 "basic.reject" [] {
        /// Which delivery.
        delivery_tag: u64,
        /// Back to the queue rather than dropped.
        requeue: bool,
    } []

    /// Client: `basic.recover` without an answer (deprecated).
    RecoverAsync = 100 "basic.recover-async" [] {
        /// Back to the queue rather than to the same consumer.
        requeue: bool,
    } []

    /// Client: deliver again what I haven't acknowledged.
    Recover = 110 "basic.recover" [] {
        /// Back to the queue rather than to the same consumer.
        requeue: bool,
    } []

    /// Server: done.
    RecoverOk = 111 "basic.recover-ok" [] {} []

    /// Client: not processed; server: not published (RabbitMQ's extension).
    Nack = 120 "basic.nack" [] {
        /// Which delivery, or publish.
        delivery_tag: u64,
        /// And all before it.
        multiple: bool,
        /// Back to the queue rather than dropped.
        requeue: bool,
    } []
}
