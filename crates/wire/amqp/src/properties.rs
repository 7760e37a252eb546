//! The fourteen properties of a `basic` message.
//!
//! ```text
//!  flags, from the highest bit: content-type, content-encoding, headers, delivery-mode, priority,
//!  correlation-id, reply-to, expiration, message-id, timestamp, type, user-id, app-id, cluster-id,
//!  0, continuation
//! ```
//!
//! Each property whose flag is set follows in that order.

use bytes::{Bytes, BytesMut};

use crate::{EncodedTable, ReadError, Reader, ShortOctets, Writer};

/// Flags and property list as they came: what goes from publisher to consumer untouched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawProperties {
    /// Which properties the list holds.
    pub flags: u16,
    /// The properties' values.
    pub list: Bytes,
}

/// The lowest bit says that another word of flags follows. No class has so many properties.
const FLAGS_UNKNOWN: u16 = 0b11;

macro_rules! properties {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $bit:literal, $read:expr, $write:expr;)*) => {
        /// A message's properties, each as it was sent or absent. Strings and headers are slices
        /// of the property list.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Properties {
            $($(#[$doc])* pub $name: Option<$type>,)*
        }

        impl RawProperties {
            /// Reads the property list. Headers are checked for their length only.
            pub fn parse(&self) -> Result<Properties, ReadError> {
                if self.flags & FLAGS_UNKNOWN != 0 {
                    return Err(ReadError::PropertyFlags(self.flags));
                }
                let mut reader = Reader::new(self.list.clone());
                let mut properties = Properties::default();
                $(if self.flags & (1 << $bit) != 0 {
                    properties.$name = Some($read(&mut reader)?);
                })*
                reader.finish()?;
                Ok(properties)
            }
        }

        impl Properties {
            /// Writes the property list.
            pub fn encode(&self) -> RawProperties {
                let mut list = BytesMut::new();
                let mut writer = Writer::new(&mut list);
                let mut flags = 0;
                $(if let Some(value) = &self.$name {
                    flags |= 1 << $bit;
                    $write(&mut writer, value);
                })*
                RawProperties { flags, list: list.freeze() }
            }
        }
    };
}

properties! {
    /// MIME type of the body.
    content_type: ShortOctets = 15, Reader::short_octets, Writer::short_octets;
    /// MIME encoding of the body, as `gzip`.
    content_encoding: ShortOctets = 14, Reader::short_octets, Writer::short_octets;
    /// The application's own headers, and those that a headers exchange routes by.
    headers: EncodedTable = 13, EncodedTable::read, write_table;
    /// 1: needn't survive a restart. 2: persistent.
    delivery_mode: u8 = 12, Reader::u8, write_u8;
    /// 0 to 255, the higher the earlier.
    priority: u8 = 11, Reader::u8, write_u8;
    /// What a reply answers.
    correlation_id: ShortOctets = 10, Reader::short_octets, Writer::short_octets;
    /// Where to send a reply.
    reply_to: ShortOctets = 9, Reader::short_octets, Writer::short_octets;
    /// Milliseconds to live, in digits.
    expiration: ShortOctets = 8, Reader::short_octets, Writer::short_octets;
    /// The application's id of the message.
    message_id: ShortOctets = 7, Reader::short_octets, Writer::short_octets;
    /// Seconds since 1970.
    timestamp: u64 = 6, Reader::u64, write_u64;
    /// The application's name for the kind of message.
    kind: ShortOctets = 5, Reader::short_octets, Writer::short_octets;
    /// The user who publishes.
    user_id: ShortOctets = 4, Reader::short_octets, Writer::short_octets;
    /// The application that publishes.
    app_id: ShortOctets = 3, Reader::short_octets, Writer::short_octets;
    /// Deprecated by the specification, carried nevertheless.
    cluster_id: ShortOctets = 2, Reader::short_octets, Writer::short_octets;
}

fn write_u8(writer: &mut Writer<'_>, value: &u8) {
    writer.u8(*value);
}

fn write_u64(writer: &mut Writer<'_>, value: &u64) {
    writer.u64(*value);
}

fn write_table(writer: &mut Writer<'_>, table: &EncodedTable) {
    table.write(writer);
}

#[cfg(test)]
mod tests;
