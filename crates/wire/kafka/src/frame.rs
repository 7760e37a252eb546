//! Splitting frames off a connection's bytes.

use bytes::{Bytes, BytesMut};
use stele_base_types::ForeignProtocol;

/// Size of a frame's length field.
pub const LENGTH_SIZE_BYTES: usize = 4;

/// Why a connection's bytes aren't Kafka frames. The caller closes the connection: without a valid
/// length the next frame can't be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A length that is negative or over the limit.
    #[error("a frame of {length} bytes isn't between 0 and {size_bytes_max}")]
    Length {
        /// The length read.
        length: i32,
        /// The caller's limit.
        size_bytes_max: usize,
    },
    /// The length is the beginning of another protocol.
    #[error("the client speaks {0}, not Kafka")]
    Foreign(ForeignProtocol),
}

/// Splits the next frame off the start of `buffer`, without its length; `None` until it is
/// complete.
pub fn split_frame(
    buffer: &mut BytesMut,
    size_bytes_max: usize,
) -> Result<Option<Bytes>, FrameError> {
    let Some(prefix) = buffer.first_chunk::<LENGTH_SIZE_BYTES>() else {
        return Ok(None);
    };
    let Some(size_bytes) = size_bytes(*prefix, size_bytes_max) else {
        let foreign = ForeignProtocol::guess(buffer).filter(|it| *it != ForeignProtocol::Kafka);
        return Err(foreign.map_or(
            FrameError::Length {
                length: i32::from_be_bytes(*prefix),
                size_bytes_max,
            },
            FrameError::Foreign,
        ));
    };
    if buffer.len() < LENGTH_SIZE_BYTES + size_bytes {
        return Ok(None);
    }
    let mut frame = buffer.split_to(LENGTH_SIZE_BYTES + size_bytes).freeze();
    Ok(Some(frame.split_off(LENGTH_SIZE_BYTES)))
}

/// The length that a prefix announces, if a frame may have it.
fn size_bytes(prefix: [u8; LENGTH_SIZE_BYTES], size_bytes_max: usize) -> Option<usize> {
    let size_bytes = usize::try_from(i32::from_be_bytes(prefix)).ok()?;
    (size_bytes <= size_bytes_max).then_some(size_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT_BYTES: usize = 1 << 20;

    #[test]
    fn a_frame_is_given_once_it_is_whole() {
        let mut buffer = BytesMut::new();
        for byte in [0, 0, 0, 3, b'a', b'b'] {
            assert_eq!(split_frame(&mut buffer, LIMIT_BYTES), Ok(None));
            buffer.extend_from_slice(&[byte]);
        }
        buffer.extend_from_slice(b"c\0\0");
        let frame = split_frame(&mut buffer, LIMIT_BYTES).unwrap();
        assert_eq!(frame.as_deref(), Some(&b"abc"[..]));
        assert_eq!(&buffer[..], b"\0\0");
    }

    #[test]
    fn a_length_over_the_limit_or_below_zero_is_refused_before_the_frame_comes() {
        for length in [-1, i32::MIN, LIMIT_BYTES as i32 + 1, i32::MAX] {
            let mut buffer = BytesMut::from(&length.to_be_bytes()[..]);
            let refused = FrameError::Length {
                length,
                size_bytes_max: LIMIT_BYTES,
            };
            assert_eq!(split_frame(&mut buffer, LIMIT_BYTES), Err(refused));
        }
    }

    #[test]
    fn other_protocols_are_named() {
        let foreign = |bytes: &[u8]| split_frame(&mut BytesMut::from(bytes), LIMIT_BYTES);
        let refused = |foreign| Err(FrameError::Foreign(foreign));
        assert_eq!(
            foreign(&[0x16, 0x03, 0x01, 0x02]),
            refused(ForeignProtocol::Tls)
        );
        assert_eq!(
            foreign(b"GET / HTTP/1.1\r\n"),
            refused(ForeignProtocol::Http)
        );
        assert_eq!(foreign(b"AMQP\0\0\x09\x01"), refused(ForeignProtocol::Amqp));
        assert_eq!(foreign(b"SSH-2.0-x\r\n"), refused(ForeignProtocol::Ssh));
        let connect = b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0";
        assert_eq!(foreign(connect), refused(ForeignProtocol::Mqtt));
        let too_large = foreign(b"\0\xf0\0\0\0\0\0\x09");
        assert!(matches!(too_large, Err(FrameError::Length { .. })));
    }
}
