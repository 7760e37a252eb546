//! Detection of clients that use the wrong port for their protocol.

use std::fmt;

/// A protocol that is recognised by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignProtocol {
    /// A TLS handshake record.
    Tls,
    /// An HTTP request line.
    Http,
    /// An AMQP protocol header.
    Amqp,
    /// A Kafka request: its length, a known API key, a version.
    Kafka,
    /// An identification string of SSH.
    Ssh,
    /// A CONNECT packet of MQTT.
    Mqtt,
}

/// API keys and versions beyond these don't exist.
const KAFKA_KEY_MAX: u8 = 100;
const KAFKA_VERSION_MAX: u8 = 30;

impl ForeignProtocol {
    /// The protocol that begins with `bytes`. Four bytes are enough for most, Kafka and MQTT need
    /// eight.
    pub fn guess(bytes: &[u8]) -> Option<Self> {
        match bytes {
            // Content type "handshake", protocol version 3.x.
            [0x16, 0x03, ..] => Some(Self::Tls),
            [b'A', b'M', b'Q', b'P', ..] => Some(Self::Amqp),
            [b'S', b'S', b'H', b'-', ..] => Some(Self::Ssh),
            // Its length in one or two bytes, then the name: "MQTT", before version 3.1.1 "MQIsdp".
            [0x10, _, 0, 4 | 6, b'M', b'Q', ..] | [0x10, _, _, 0, 4 | 6, b'M', b'Q', ..] => {
                Some(Self::Mqtt)
            }
            [0, _, _, _, 0, key, 0, version, ..]
                if *key <= KAFKA_KEY_MAX && *version <= KAFKA_VERSION_MAX =>
            {
                Some(Self::Kafka)
            }
            _ if is_http(bytes) => Some(Self::Http),
            _ => None,
        }
    }

    /// Describes a client whose first bytes are `bytes`, at a port for `wanted`.
    pub fn describe(bytes: &[u8], wanted: &str) -> String {
        match Self::guess(bytes) {
            Some(foreign) => format!("the client speaks {foreign}, not {wanted}"),
            None => {
                let begin = bytes.escape_ascii();
                format!("the client doesn't speak {wanted}: it begins with \"{begin}\"")
            }
        }
    }
}

fn is_http(bytes: &[u8]) -> bool {
    let methods = [
        "GET ", "POST", "PUT ", "HEAD", "DELE", "OPTI", "PRI ", "CONN", "PATC",
    ];
    methods
        .iter()
        .any(|method| bytes.starts_with(method.as_bytes()))
}

impl fmt::Display for ForeignProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls => "TLS",
            Self::Http => "HTTP",
            Self::Amqp => "AMQP",
            Self::Kafka => "Kafka",
            Self::Ssh => "SSH",
            Self::Mqtt => "MQTT",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_known_by_their_first_bytes() {
        for (bytes, spoken) in [
            (&b"\x16\x03\x01\x02"[..], "TLS"),
            (b"GET / HTTP/1.1\r\n", "HTTP"),
            (b"AMQP\0\0\x09\x01", "AMQP"),
            (b"\0\0\0\x17\0\x12\0\x03\0\0\0\x01", "Kafka"),
            (b"SSH-2.0-OpenSSH_9.6\r\n", "SSH"),
            (b"\x10\x10\0\x04MQTT\x04\x02\0\x3c", "MQTT"),
            (b"\x10\x90\x01\0\x06MQIsdp\x03", "MQTT"),
        ] {
            assert_eq!(
                ForeignProtocol::describe(bytes, "X"),
                format!("the client speaks {spoken}, not X")
            );
        }
    }

    #[test]
    fn what_nobody_knows_is_shown() {
        assert_eq!(
            ForeignProtocol::describe(b"HELO \xff\0", "AMQP"),
            r#"the client doesn't speak AMQP: it begins with "HELO \xff\x00""#
        );
    }
}
