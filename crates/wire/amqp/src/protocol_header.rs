//! The eight octets that open a connection.
//!
//! ```text
//!  0        4    5     6     7     8
//!  ┌────────┬────┬─────┬─────┬─────┐
//!  │ "AMQP" │ id │major│minor│ rev │      0-9-1: 0 0 9 1      0-9: 1 1 0 9
//!  └────────┴────┴─────┴─────┴─────┘
//! ```

use bytes::{Buf, BytesMut};

/// The supported protocol version. Also the reply to any other header before the connection is
/// closed (specification, section 4.2.2).
pub const PROTOCOL_HEADER: [u8; 8] = *b"AMQP\x00\x00\x09\x01";

/// AMQP 0-9. All methods supported here are the same as in 0-9-1.
const VERSION_0_9: [u8; 8] = *b"AMQP\x01\x01\x00\x09";

/// The kinds of protocol header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProtocolHeader {
    /// AMQP 0-9-1 (or 0-9): supported.
    Amqp091,
    /// Another version of AMQP.
    OtherVersion([u8; 4]),
    /// Not AMQP: the first octets, up to eight, of HTTP, TLS, or another broker's protocol.
    Foreign(Vec<u8>),
}

impl ProtocolHeader {
    /// Takes the header off `input`; `None` while it is incomplete. Anything else is recognized at
    /// the first octet that differs, so that a client of another protocol isn't kept waiting for
    /// eight octets.
    pub fn decode(input: &mut BytesMut) -> Option<Self> {
        if let Some(header) = input.first_chunk::<8>().copied() {
            input.advance(8);
            return Some(Self::of(header));
        }
        let length = input.len().min(4);
        if input[..length] == PROTOCOL_HEADER[..length] {
            return None;
        }
        Some(Self::Foreign(input.split().to_vec()))
    }

    fn of(header: [u8; 8]) -> Self {
        match header {
            PROTOCOL_HEADER | VERSION_0_9 => Self::Amqp091,
            [b'A', b'M', b'Q', b'P', id, major, minor, revision] => {
                Self::OtherVersion([id, major, minor, revision])
            }
            other => Self::Foreign(other.to_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(input: &[u8]) -> Option<ProtocolHeader> {
        ProtocolHeader::decode(&mut BytesMut::from(input))
    }

    #[test]
    fn the_header_of_0_9_1_is_taken_off_the_input() {
        let mut input = BytesMut::from(&b"AMQP\x00\x00\x09\x01\x01"[..]);
        assert_eq!(
            ProtocolHeader::decode(&mut input),
            Some(ProtocolHeader::Amqp091)
        );
        assert_eq!(&input[..], b"\x01");
    }

    #[test]
    fn half_a_header_waits_for_the_rest() {
        assert_eq!(decoded(b""), None);
        assert_eq!(decoded(b"AMQP\x00\x00\x09"), None);
    }

    #[test]
    fn amqp_1_0_is_another_version() {
        let version = [3, 1, 0, 0];
        assert_eq!(
            decoded(b"AMQP\x03\x01\x00\x00"),
            Some(ProtocolHeader::OtherVersion(version))
        );
    }

    #[test]
    fn other_protocols_are_recognised_at_their_first_octets() {
        for input in [
            &b"GET / HTTP/1.1"[..],
            b"\x16\x03\x01",
            b"G",
            b"AMQX",
            b"\x00\x00\x00\x1a",
        ] {
            assert!(
                matches!(decoded(input), Some(ProtocolHeader::Foreign(_))),
                "{input:?}"
            );
        }
    }
}
