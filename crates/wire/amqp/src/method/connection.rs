//! Class 10, `connection`: negotiation, virtual host, close. All on channel 0.

use bytes::Bytes;

use super::define::methods;
use crate::{ShortString, Table};

methods! {
    class 10 Connection

    /// Server: what I am and how you may authenticate.
    Start = 10 "connection.start" [] {
        /// 0
        version_major: u8,
        /// 9
        version_minor: u8,
        /// Product, version, capabilities.
        server_properties: Table,
        /// SASL mechanisms, separated by spaces.
        mechanisms: Bytes,
        /// Message locales, separated by spaces.
        locales: Bytes,
    } []

    /// Client: what I am and who.
    StartOk = 11 "connection.start-ok" [] {
        /// Product, version, capabilities.
        client_properties: Table,
        /// The chosen SASL mechanism.
        mechanism: ShortString,
        /// Its initial response.
        response: Bytes,
        /// The chosen locale.
        locale: ShortString,
    } []

    /// Server: a further SASL challenge.
    Secure = 20 "connection.secure" [] {
        /// Defined by the mechanism.
        challenge: Bytes,
    } []

    /// Client: the answer to the challenge.
    SecureOk = 21 "connection.secure-ok" [] {
        /// Defined by the mechanism.
        response: Bytes,
    } []

    /// Server: limits that I propose.
    Tune = 30 "connection.tune" [] {
        /// Highest channel number; 0: no limit.
        channel_max: u16,
        /// Octets of a frame; 0: no limit.
        frame_max: u32,
        /// Seconds between heartbeats; 0: none.
        heartbeat: u16,
    } []

    /// Client: limits that hold.
    TuneOk = 31 "connection.tune-ok" [] {
        /// Highest channel number; 0: no limit.
        channel_max: u16,
        /// Octets of a frame; 0: no limit.
        frame_max: u32,
        /// Seconds between heartbeats; 0: none.
        heartbeat: u16,
    } []

    /// Client: the virtual host that I want.
    Open = 40 "connection.open" [] {
        /// Its name.
        virtual_host: ShortString,
    } [ShortString, bool]

    /// Server: you are in.
    OpenOk = 41 "connection.open-ok" [] {} [ShortString]

    /// Either: I close the connection.
    Close = 50 "connection.close" [] {
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
    CloseOk = 51 "connection.close-ok" [] {} []

    /// Server: I take no more publishes for now (RabbitMQ's extension).
    Blocked = 60 "connection.blocked" [] {
        /// Why.
        reason: ShortString,
    } []

    /// Server: publish on (RabbitMQ's extension).
    Unblocked = 61 "connection.unblocked" [] {} []

    /// Client: my secret has changed (RabbitMQ's extension).
    UpdateSecret = 70 "connection.update-secret" [] {
        /// The new one.
        new_secret: Bytes,
        /// Why.
        reason: ShortString,
    } []

    /// Server: noted.
    UpdateSecretOk = 71 "connection.update-secret-ok" [] {} []
}
