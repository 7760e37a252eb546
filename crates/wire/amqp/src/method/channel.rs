//! Class 20, `channel`: opening, flow, closing.

use bytes::Bytes;

use super::define::methods;
use crate::ShortString;

methods! {
    class 20 Channel

    /// Client: open this channel.
    Open = 10 "channel.open" [ShortString] {} []

    /// Server: open.
    OpenOk = 11 "channel.open-ok" [Bytes] {} []

    /// Either: stop or resume sending content.
    Flow = 20 "channel.flow" [] {
        /// Whether to send.
        active: bool,
    } []

    /// Either: done.
    FlowOk = 21 "channel.flow-ok" [] {
        /// Whether content is being sent.
        active: bool,
    } []

    /// Either: I close the channel.
    Close = 40 "channel.close" [] {
        /// Why, as a number.
        reply_code: u16,
        /// Why, as text.
        reply_text: ShortString,
        /// Class of the method that caused it, or 0.
        class_id: u16,
        /// The method that caused it, or 0.
        method_id: u16,
    } []

    /// Either: closed.
    CloseOk = 41 "channel.close-ok" [] {} []
}
