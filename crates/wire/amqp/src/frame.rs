//! Frames: the unit of transmission.
//!
//! ```text
//!  0      1         3          7               7+size
//!  ┌──────┬─────────┬──────────┬───────────────┬──────┐
//!  │ type │ channel │ size u32 │ payload       │ 0xCE │     type 1 method  2 header
//!  └──────┴─────────┴──────────┴───────────────┴──────┘          3 body    8 heartbeat
//! ```
//!
//! The end octet reveals a sender that miscounts; as RabbitMQ's clients do, the broker closes the
//! connection if it is missing (specification, section 4.2.3).

pub mod encode;

use bytes::{Buf, Bytes, BytesMut};

use crate::limits::{FRAME_OVERHEAD_BYTES, FRAME_TOLERANCE_BYTES};

/// The octet that ends every frame.
pub const FRAME_END: u8 = 0xCE;

/// Octets before the payload.
pub const FRAME_HEADER_BYTES: usize = 7;

/// A complete heartbeat frame.
pub const HEARTBEAT_FRAME: [u8; 8] = [TYPE_HEARTBEAT, 0, 0, 0, 0, 0, 0, FRAME_END];

const TYPE_METHOD: u8 = 1;
const TYPE_HEADER: u8 = 2;
const TYPE_BODY: u8 = 3;
const TYPE_HEARTBEAT: u8 = 8;

/// A frame whose payload is a slice of the read buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A method, to be decoded by [`crate::Method::decode`].
    Method {
        /// The channel.
        channel: u16,
        /// Ids and fields.
        payload: Bytes,
    },
    /// A content header, to be decoded by [`crate::ContentHeader::decode`].
    Header {
        /// The channel.
        channel: u16,
        /// The header.
        payload: Bytes,
    },
    /// A part of a body.
    Body {
        /// The channel.
        channel: u16,
        /// The octets.
        payload: Bytes,
    },
    /// A heartbeat.
    Heartbeat {
        /// Must be 0.
        channel: u16,
    },
}

/// Why octets aren't a frame. Afterwards the stream is out of step: the caller answers with a frame
/// error and closes the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A payload over the negotiated size, reported without waiting for it.
    #[error("a payload of {size_bytes} octets is larger than {size_bytes_max}")]
    TooLarge {
        /// The frame's type octet.
        kind: u8,
        /// The channel in its header.
        channel: u16,
        /// The size in its header.
        size_bytes: u32,
        /// The largest allowed.
        size_bytes_max: u32,
    },
    /// An unknown type, reported without waiting for the payload.
    #[error("unknown frame type {kind}")]
    UnknownType {
        /// The type octet.
        kind: u8,
        /// The channel in its header.
        channel: u16,
    },
    /// The frame doesn't end where its size says.
    #[error("a frame ends with {found:#04x} instead of 0xce")]
    End {
        /// The frame's type octet.
        kind: u8,
        /// The channel in its header.
        channel: u16,
        /// The octet found instead of the end octet.
        found: u8,
    },
}

/// Splits a stream of octets into frames.
#[derive(Clone, Copy, Debug)]
pub struct FrameDecoder {
    payload_bytes_max: u32,
}

impl FrameDecoder {
    /// Accepts frames of up to `frame_bytes_max` octets, overhead included, plus
    /// [`crate::limits::FRAME_TOLERANCE_BYTES`].
    pub fn new(frame_bytes_max: u32) -> Self {
        Self {
            payload_bytes_max: frame_bytes_max.saturating_sub(FRAME_OVERHEAD_BYTES),
        }
    }

    /// Takes one frame off `input`; `None` while it is incomplete. Input that can't become a frame
    /// is refused as soon as its header is there, so a caller never buffers more than one frame's
    /// octets.
    pub fn decode(&self, input: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        let Some(header) = input.first_chunk::<FRAME_HEADER_BYTES>() else {
            return Ok(None);
        };
        let [kind, c1, c0, s3, s2, s1, s0] = *header;
        let channel = u16::from_be_bytes([c1, c0]);
        let size_bytes = u32::from_be_bytes([s3, s2, s1, s0]);
        self.check(kind, channel, size_bytes)?;
        let size = usize::try_from(size_bytes).unwrap_or(usize::MAX);
        let Some(&end) = input.get(FRAME_HEADER_BYTES.saturating_add(size)) else {
            return Ok(None);
        };
        if end != FRAME_END {
            return Err(FrameError::End {
                kind,
                channel,
                found: end,
            });
        }
        input.advance(FRAME_HEADER_BYTES);
        let payload = input.split_to(size).freeze();
        input.advance(1);
        Ok(Some(frame(kind, channel, payload)))
    }

    fn check(&self, kind: u8, channel: u16, size_bytes: u32) -> Result<(), FrameError> {
        if !matches!(kind, TYPE_METHOD | TYPE_HEADER | TYPE_BODY | TYPE_HEARTBEAT) {
            return Err(FrameError::UnknownType { kind, channel });
        }
        let size_bytes_max = self.payload_bytes_max;
        if size_bytes > size_bytes_max.saturating_add(FRAME_TOLERANCE_BYTES) {
            return Err(FrameError::TooLarge {
                kind,
                channel,
                size_bytes,
                size_bytes_max,
            });
        }
        Ok(())
    }
}

/// The frame of a type that [`FrameDecoder::check`] has accepted.
fn frame(kind: u8, channel: u16, payload: Bytes) -> Frame {
    match kind {
        TYPE_METHOD => Frame::Method { channel, payload },
        TYPE_HEADER => Frame::Header { channel, payload },
        TYPE_BODY => Frame::Body { channel, payload },
        // RabbitMQ ignores the payload of a heartbeat.
        _ => Frame::Heartbeat { channel },
    }
}

#[cfg(test)]
mod tests;
