//! The content header, between a method with content and its body.
//!
//! ```text
//!  class u16 │ weight u16 = 0 │ body size u64 │ property flags u16 │ property list
//! ```

use bytes::Bytes;

use crate::{RawProperties, ReadError, Reader, Writer};

/// The header of a message's content (specification, section 4.2.6.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentHeader {
    /// The class of the method that it follows: 60, `basic`, for all methods with content.
    pub class_id: u16,
    /// The size of the body in octets. The body follows in as many frames as it needs; none if it
    /// is empty.
    pub body_size: u64,
    /// Flags and property list as received.
    pub properties: RawProperties,
}

/// Why a header frame isn't a content header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentHeaderError {
    /// Fields can't be read: a syntax error.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl ContentHeader {
    /// Decodes a header frame's payload. The property list isn't decoded; [`RawProperties::parse`]
    /// does that.
    pub fn decode(payload: Bytes) -> Result<Self, ContentHeaderError> {
        let mut reader = Reader::new(payload);
        let class_id = reader.u16()?;
        // The weight is unused; whatever clients put there is ignored.
        reader.u16()?;
        Ok(Self {
            class_id,
            body_size: reader.u64()?,
            properties: RawProperties {
                flags: reader.u16()?,
                list: reader.rest().clone(),
            },
        })
    }

    /// Writes a header frame's payload.
    pub fn encode(&self, writer: &mut Writer<'_>) {
        writer.u16(self.class_id);
        writer.u16(0);
        writer.u64(self.body_size);
        writer.u16(self.properties.flags);
        writer.raw(&self.properties.list);
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    #[test]
    fn a_persistent_text_has_these_octets() {
        let payload = b"\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x90\x00\x0atext/plain\x02";
        let header = ContentHeader::decode(Bytes::from_static(payload)).unwrap();
        assert_eq!((header.class_id, header.body_size), (60, 5));
        assert_eq!(header.properties.flags, 0x9000);
        let properties = header.properties.parse().unwrap();
        assert_eq!(
            properties.content_type.unwrap().as_text(),
            Some("text/plain")
        );
        assert_eq!(properties.delivery_mode, Some(2));
        let mut out = BytesMut::new();
        header.encode(&mut Writer::new(&mut out));
        assert_eq!(&out[..], payload);
    }

    #[test]
    fn a_short_header_is_an_error() {
        assert!(ContentHeader::decode(Bytes::from_static(b"\x00\x3c\x00")).is_err());
    }
}
