//! Class 10, `connection`: negotiation, virtual host, close. All on channel 0.

use bytes::Bytes;

use super::define::methods;
use crate::{ShortString, Table};

methods! {
    class 10 Connection

    /// Server: its properties and authentication mechanisms.
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

    /// Client: its properties and credentials.
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

    /// Client: the response to the challenge.
    SecureOk = 21 "connection.secure-ok" [] {
        /// Defined by the mechanism.
        response: Bytes,
    } []

    /// Server: proposes limits.
    Tune = 30 "connection.tune" [] {
        /// Highest channel number; 0: no limit.
        channel_max: u16,
        /// Octets of a frame; 0: no limit.
        frame_max: u32,
        /// Seconds between heartbeats; 0: none.
        heartbeat: u16,
    } []

    /// Client: the agreed limits.
    TuneOk = 31 "connection.tune-ok" [] {
        /// Highest channel number; 0: no limit.
        channel_max: u16,
        /// Octets of a frame; 0: no limit.
        frame_max: u32,
        /// Seconds between heartbeats; 0: none.
        heartbeat: u16,
    } []

    /// Client: selects the virtual host.
    Open = 40 "connection.open" [] {
        /// Its name.
        virtual_host: ShortString,
    } [ShortString, bool]

    /// Server: the connection is open.
    OpenOk = 41 "connection.open-ok" [] {} [ShortString]

    /// Either: closes the connection.
    Close = 50 "connection.close" [] {
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
    CloseOk = 51 "connection.close-ok" [] {} []

    /// Server: publishes are blocked for now (RabbitMQ's extension).
    Blocked = 60 "connection.blocked" [] {
        /// The reason.
        reason: ShortString,
    } []

    /// Server: publishes are accepted again (RabbitMQ's extension).
    Unblocked = 61 "connection.unblocked" [] {} []

    /// Client: replaces its secret (RabbitMQ's extension).
    UpdateSecret = 70 "connection.update-secret" [] {
        /// The new secret.
        new_secret: Bytes,
        /// The reason.
        reason: ShortString,
    } []

    /// Server: done.
    UpdateSecretOk = 71 "connection.update-secret-ok" [] {} []
}
