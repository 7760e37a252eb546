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

/// Flags and property list as received, passed unchanged from publisher to consumer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawProperties {
    /// The flags of the properties in the list.
    pub flags: u16,
    /// The properties' values.
    pub list: Bytes,
}

/// The lowest bit means that another word of flags follows. No class has that many properties.
const FLAGS_UNKNOWN: u16 = 0b11;

macro_rules! properties {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $bit:literal, $read:expr, $write:expr;)*) => {
        /// A message's properties, each as sent or absent. Strings and headers are slices of the
        /// property list.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Properties {
            $($(#[$doc])* pub $name: Option<$type>,)*
        }

        impl RawProperties {
            /// Decodes the property list. Of the headers only the length is checked.
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
            /// Encodes the property list.
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
    /// Content encoding of the body, such as `gzip`.
    content_encoding: ShortOctets = 14, Reader::short_octets, Writer::short_octets;
    /// The application's headers, which a headers exchange also uses for routing.
    headers: EncodedTable = 13, EncodedTable::read, write_table;
    /// 1: transient. 2: persistent.
    delivery_mode: u8 = 12, Reader::u8, write_u8;
    /// 0 to 255; higher priorities are delivered first.
    priority: u8 = 11, Reader::u8, write_u8;
    /// Identifies the request that a reply belongs to.
    correlation_id: ShortOctets = 10, Reader::short_octets, Writer::short_octets;
    /// Where to send a reply.
    reply_to: ShortOctets = 9, Reader::short_octets, Writer::short_octets;
    /// Time to live in milliseconds, as decimal digits.
    expiration: ShortOctets = 8, Reader::short_octets, Writer::short_octets;
    /// The application's id of the message.
    message_id: ShortOctets = 7, Reader::short_octets, Writer::short_octets;
    /// Seconds since 1970.
    timestamp: u64 = 6, Reader::u64, write_u64;
    /// The application's name for the type of message.
    kind: ShortOctets = 5, Reader::short_octets, Writer::short_octets;
    /// The publishing user.
    user_id: ShortOctets = 4, Reader::short_octets, Writer::short_octets;
    /// The publishing application.
    app_id: ShortOctets = 3, Reader::short_octets, Writer::short_octets;
    /// Deprecated by the specification, but passed on.
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
