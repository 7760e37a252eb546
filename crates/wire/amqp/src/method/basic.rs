//! Class 60, `basic`: publishing, consuming, acknowledging.

use super::define::methods;
use crate::{ShortOctets, ShortString, Table};

methods! {
    class 60 Basic

    /// Client: limits how much may be unacknowledged at a time.
    Qos = 10 "basic.qos" [] {
        /// In octets; 0: no limit.
        prefetch_size: u32,
        /// In messages; 0: no limit.
        prefetch_count: u16,
        /// Applies to the channel as a whole, not to each later consumer (RabbitMQ's
        /// interpretation).
        global: bool,
    } []

    /// Server: done.
    QosOk = 11 "basic.qos-ok" [] {} []

    /// Client: subscribes to the queue's messages.
    Consume = 20 "basic.consume" [u16] {
        /// The queue; empty: the channel's last one.
        queue: ShortString,
        /// The consumer's name; empty: the server chooses one.
        consumer_tag: ShortString,
        /// Exclude messages published on this connection.
        no_local: bool,
        /// Messages count as settled once sent.
        no_ack: bool,
        /// No other consumer is allowed.
        exclusive: bool,
        /// The server sends no reply.
        no_wait: bool,
        /// Extensions.
        arguments: Table,
    } []

    /// Server: done.
    ConsumeOk = 21 "basic.consume-ok" [] {
        /// The consumer's name.
        consumer_tag: ShortString,
    } []

    /// Client: ends a subscription. Server: a subscription has ended (RabbitMQ's extension).
    Cancel = 30 "basic.cancel" [] {
        /// The consumer's name.
        consumer_tag: ShortString,
        /// The server sends no reply.
        no_wait: bool,
    } []

    /// Confirms the cancellation.
    CancelOk = 31 "basic.cancel-ok" [] {
        /// The consumer's name.
        consumer_tag: ShortString,
    } []

    /// Client: publishes a message, whose header and body follow.
    Publish = 40 "basic.publish" [u16] {
        /// The exchange; empty: the default one.
        exchange: ShortOctets,
        /// The key for routing.
        routing_key: ShortOctets,
        /// Return the message if no binding matches.
        mandatory: bool,
        /// Return the message if no consumer is ready.
        immediate: bool,
    } []

    /// Server: returns an unroutable message; header and body follow.
    Return = 50 "basic.return" [] {
        /// The reason, as a number.
        reply_code: u16,
        /// The reason, as text.
        reply_text: ShortString,
        /// The exchange it was published to.
        exchange: ShortOctets,
        /// The key it was published with.
        routing_key: ShortOctets,
    } []

    /// Server: delivers a message to a consumer; header and body follow.
    Deliver = 60 "basic.deliver" [] {
        /// The consumer's name.
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

    /// Client: requests one message.
    Get = 70 "basic.get" [u16] {
        /// The queue; empty: the channel's last one.
        queue: ShortString,
        /// The message counts as settled once sent.
        no_ack: bool,
    } []

    /// Server: delivers the requested message; header and body follow.
    GetOk = 71 "basic.get-ok" [] {
        /// The delivery's number in its channel.
        delivery_tag: u64,
        /// Whether it may have been delivered before.
        redelivered: bool,
        /// The exchange it was published to.
        exchange: ShortOctets,
        /// The key it was published with.
        routing_key: ShortOctets,
        /// The number of messages left.
        message_count: u32,
    } []

    /// Server: the queue is empty.
    GetEmpty = 72 "basic.get-empty" [] {} [ShortString]

    /// Client: a message was processed. Server: a message was accepted (a confirm).
    Ack = 80 "basic.ack" [] {
        /// The delivery or publish.
        delivery_tag: u64,
        /// Includes all earlier ones.
        multiple: bool,
    } []

    /// Client: a message wasn't processed.
    Reject = 90 "basic.reject" [] {
        /// The delivery.
        delivery_tag: u64,
        /// Return the message to the queue instead of dropping it.
        requeue: bool,
    } []

    /// Client: `basic.recover` without a reply (deprecated).
    RecoverAsync = 100 "basic.recover-async" [] {
        /// Return messages to the queue instead of to the same consumer.
        requeue: bool,
    } []

    /// Client: requests redelivery of all unacknowledged messages.
    Recover = 110 "basic.recover" [] {
        /// Return messages to the queue instead of to the same consumer.
        requeue: bool,
    } []

    /// Server: done.
    RecoverOk = 111 "basic.recover-ok" [] {} []

    /// Client: a message wasn't processed. Server: a message wasn't accepted (RabbitMQ's
    /// extension).
    Nack = 120 "basic.nack" [] {
        /// The delivery or publish.
        delivery_tag: u64,
        /// Includes all earlier ones.
        multiple: bool,
        /// Return the message to the queue instead of dropping it.
        requeue: bool,
    } []
}
