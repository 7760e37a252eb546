//! Class 20, `channel`: open, flow, close.

use bytes::Bytes;

use super::define::methods;
use crate::ShortString;

methods! {
    class 20 Channel

    /// Client: opens this channel.
    Open = 10 "channel.open" [ShortString] {} []

    /// Server: the channel is open.
    OpenOk = 11 "channel.open-ok" [Bytes] {} []

    /// Either: stops or resumes sending content.
    Flow = 20 "channel.flow" [] {
        /// Whether to send.
        active: bool,
    } []

    /// Either: confirms.
    FlowOk = 21 "channel.flow-ok" [] {
        /// Whether content is being sent.
        active: bool,
    } []

    /// Either: closes the channel.
    Close = 40 "channel.close" [] {
        /// The reason, as a number.
        reply_code: u16,
        /// The reason, as text.
        reply_text: ShortString,
        /// Class of the method that caused it, or 0.
        class_id: u16,
        /// The method that caused it, or 0.
        method_id: u16,
    } []

    /// Either: confirms.
    CloseOk = 41 "channel.close-ok" [] {} []
}
